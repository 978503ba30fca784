"""What sums of derivatives and entries of tensors were written as, for the printers of texts and of LaTeX.

A name is given only to an expression that the function of that name returns, so texts are read back to equal
equations.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE

from pde2net.language.calculus import div, grad, hessian, norm2
from pde2net.language.diffusivities import weickert
from pde2net.language.problem import Problem
from pde2net.language.smoothing import smooth
from pde2net.language.tensors import coherence, principal_direction, projection, structure_tensor, tensor
from pde2net.language.traversal import atoms

LONG = 60  # characters of a tensor that stands in an equation; others are defined beside it
Family = tuple[Iterable[sp.Expr], Callable[[], str]]
Spectrum = tuple[list[sp.Expr], sp.Expr, sp.Expr]


class Notation:
    """Mixed into a printer, whose `shapes` say how operators look.

    bare         how operators begin that need parentheses in a power
    definitions  (name, text) of what long expressions are called, in an order in which they can be read
    """

    shapes: Mapping[str, str]
    bare: str | tuple[str, ...]

    def __init__(self, space: tuple[sp.Symbol, ...], settings: Mapping[str, Any]) -> None:
        super().__init__(settings)  # type: ignore[call-arg]  # of SymPy's printer
        self.space, self.taken = space, set[str]()
        self.names: dict[Any, str] = {}  # of what functions of a structure tensor return
        self.definitions: list[tuple[str, str]] = []

    def sides(self, problem: Problem) -> list[tuple[str, str]]:
        """Each unknown, and the right-hand side of its equation."""
        functions = (f.func for f in (*problem.unknowns, *problem.fields))
        names = (*functions, *problem.symbols, *problem.operators, *problem.unknown.args)
        self.taken = set(map(str, names))
        if len(self.space) == 2:
            self._find_structure_tensors(problem.rhs)
        sides = ((e.lhs.expr, e.rhs) for e in problem.equations)
        found = [(self._print(u), self._print(rhs)) for u, rhs in sides]
        shown = [text for _, text in (*found, *self.definitions)]
        self.definitions = [d for d in self.definitions if any(d[0] in text for text in shown)]
        return found

    def _print(self, expr: Any, **options: Any) -> str:
        known = self.names.get(expr) if isinstance(expr, sp.Basic) else None
        return known or str(super()._print(expr, **options))  # type: ignore[misc]

    def parenthesize(self, item: sp.Expr, level: int, *rest: Any, **options: Any) -> str:
        """A sum that is shown as one operator needs no parentheses, unless it is a power in a power."""
        grouped = self.grouped(item.args) if item.is_Add else []
        if len(grouped) == 1 and grouped[0][0] == 1:
            name = self._print(item)
            return name if level < PRECEDENCE["Pow"] or not name.startswith(self.bare) else f"({name})"
        if item in self.names or isinstance(item, AppliedUndef):
            return self._print(item)
        return str(super().parenthesize(item, level, *rest, **options))  # type: ignore[misc]

    def grouped(self, terms: Iterable[sp.Expr]) -> list[tuple[sp.Expr, sp.Expr]]:
        """(number, rest) of each term; those that make an operator together are one symbol that shows it."""
        left = [t.as_coeff_Mul() for t in terms]
        found: list[tuple[sp.Expr, sp.Expr]] = []
        for known, name in self.names.items():
            family = [t.as_coeff_Mul() for t in getattr(known, "args", (sp.nan,))]
            if all(m in left for m in family):
                found.append((sp.S.One, sp.Symbol(name)))
                left = [t for t in left if t not in family]
        while left:
            number, first = left[0]
            for members, shown in self._families(first):
                family = [(number * m).as_coeff_Mul() for m in members]
                if all(m in left for m in family):
                    found.append((number, sp.Symbol(shown())))
                    left = [t for t in left if t not in family]
                    break
            else:
                found.append(left.pop(0))
        return found

    def _families(self, term: sp.Expr) -> Iterator[Family]:
        """Sums that `term` may begin, with what they are written as."""
        if isinstance(term, sp.Derivative):
            if [n for _, n in term.variable_count] == [2]:
                yield from self._laplacian(term)
            elif term.derivative_count == 1:
                yield from self._tensor(term) if term.has(projection) else self._hessian(term)
                yield from self._divergence(term)
        elif term.is_Pow and term.exp == 2 and isinstance(term.base, sp.Derivative) and len(self.space) > 1:
            yield from self._square(term.base.expr)

    def _shape(self, key: str, *parts: str) -> str:
        return self.shapes[key].format(*parts)

    def _call(self, name: str, *arguments: sp.Expr) -> str:
        return self._shape("call", name, ", ".join(map(self._print, arguments)))

    def _of(self, operator: str, state: sp.Expr) -> str:
        plain = isinstance(state, sp.Function)
        inner = self._print(state)
        return self._shape(operator, inner, inner if plain else self.parenthesize(state, PRECEDENCE["Atom"]))

    # -- operators -------------------------------------------------------------------------------------

    def _laplacian(self, term: sp.Derivative) -> Iterator[Family]:
        if len(self.space) > 1 or not isinstance(term.expr, AppliedUndef):  # u_xx says it
            family = [sp.Derivative(term.expr, (a, 2)) for a in self.space]
            yield family, lambda: self._of("laplacian", term.expr)

    def _square(self, state: sp.Expr) -> Iterator[Family]:
        if isinstance(state, AppliedUndef | smooth):
            yield sp.Add.make_args(norm2(grad(state))), lambda: self._of("|grad|^2", state)
            yield sp.Add.make_args(norm2(hessian(state))), lambda: self._of("|hessian|^2", state)

    def _divergence(self, term: sp.Derivative) -> Iterator[Family]:
        (axis,), flux = term.variables, term.expr
        factors = sp.Mul.make_args(flux)
        slopes = [s for s in factors if isinstance(s, sp.Derivative) and s.variables == (axis,)]
        if slopes and not isinstance(flux, AppliedUndef):
            factor, state = flux / slopes[0], slopes[0].expr
            family = [sp.Derivative(factor * sp.Derivative(state, a), a) for a in self.space]
            yield family, lambda: self._weighted("div", factor, self._of("grad", state))

    def _hessian(self, term: sp.Derivative) -> Iterator[Family]:
        """div(div(g H u)), of whose rows the term is one."""
        axis = term.variables[0]
        rows = [r for r in sp.Add.make_args(term.expr) if getattr(r, "variables", ()) == (axis,)]
        for second in (s for row in rows for s in atoms(row.expr, sp.Derivative)):
            if second.variables == (axis, axis) and len(self.space) > 1:
                factor, state = rows[0].expr / second, second.expr
                family = sp.Add.make_args(div(div(factor * hessian(state))))
                yield family, partial(self._weighted, "divdiv", factor, self._of("hessian", state))

    def _weighted(self, operator: str, factor: sp.Expr, gradient: str) -> str:
        if factor == 1:
            return self._shape(operator, gradient)
        weight = self.parenthesize(factor, PRECEDENCE["Mul"] - 1)
        return self._shape(operator, self._shape("times", weight, gradient))

    # -- tensors ---------------------------------------------------------------------------------------

    def _find_structure_tensors(self, expr: sp.Expr) -> None:
        vectors = {p.args[2] for p in atoms(expr, projection)}
        states = {d.expr for d in atoms(expr, sp.Derivative) if isinstance(d.expr, AppliedUndef | smooth)}
        scales = {sp.S.Zero} | {s.args[1] for s in atoms(expr, smooth)}
        for pair in itertools.product(states, scales):
            matrix = structure_tensor(pair[0], 0, pair[1])
            direction = principal_direction(matrix)
            if norm2(direction) in vectors or expr.has(coherence(matrix)):
                state, sigma = pair[0].args if isinstance(pair[0], smooth) else (pair[0], sp.S.Zero)
                name = sp.Symbol(self._defined("J", self._call("structure_tensor", state, sigma, pair[1])))
                self.names[coherence(matrix)] = self._call("coherence", name)
                self.names[tuple(direction)] = self._call("principal_direction", name)

    def _defined(self, name: str, text: str) -> str:
        """The name of a definition, a new one if it is new."""
        known = next((n for n, t in self.definitions if t == text), None)
        if known is None:
            numbered = (f"{name}{k}" for k in itertools.count(2))
            known = next(n for n in itertools.chain([name], numbered) if n not in self.taken)
            self.taken.add(known)
            self.definitions.append((known, text))
        return known

    def _tensor(self, term: sp.Derivative) -> Iterator[Family]:
        """div(tensor(v, along, across) grad u), of which the term is the part along one axis."""
        for state in (s.expr for s in atoms(term, sp.Derivative) if isinstance(s.expr, AppliedUndef)):
            found = self._spectrum(term, state)
            if found is not None:
                flux = tensor(sp.Matrix(found[0]), *found[1:]) * grad(state)
                yield sp.Add.make_args(div(flux)), partial(self._tensor_flux, *found, self._of("grad", state))

    def _spectrum(self, term: sp.Derivative, state: sp.Expr) -> Spectrum | None:
        """The vector and the eigenvalues of a tensor, read from one row of it."""
        axis, slopes = self.space.index(term.variables[0]), list(grad(state))
        row = [sp.S.Zero] * len(slopes)
        for summand in sp.Add.make_args(term.expr):
            inside = [j for j, s in enumerate(slopes) if s in sp.Mul.make_args(summand)]
            if len(inside) != 1:
                return None
            row[inside[0]] += summand / slopes[inside[0]]
        own = [p for p in atoms(row[axis], projection) if p.args[0] == p.args[1]]
        if len(own) != 1:
            return None
        v, _, square = own[0].args
        pairs = [[p for p in atoms(entry, projection) if p.args[2] == square] for entry in row]
        others = [{a for p in found for a in p.args[:2]} - {v} for found in pairs]
        vector = [next(iter(o), v if p else sp.S.Zero) for o, p in zip(others, pairs, strict=True)]
        return vector, row[axis].xreplace({own[0]: sp.S.One}), row[axis].xreplace({own[0]: sp.S.Zero})

    def _tensor_flux(self, vector: list[sp.Expr], along: sp.Expr, across: sp.Expr, gradient: str) -> str:
        """With names for a tensor and for eigenvalues that are long."""
        values = [self._print(along), self._print(across)]
        if sum(map(len, values)) > LONG:
            values = [self._defined("c", v) if len(v) > LONG / 2 else v for v in values]
        direction = self.names.get(tuple(vector)) or self._direction(vector)
        text = self._shape("call", "tensor", ", ".join((direction, *values)))
        shown = text if len(text) <= LONG else self._defined("D", text)
        return self._shape("div", self._shape("times", shown, gradient))

    def _direction(self, vector: list[sp.Expr]) -> str:
        state = getattr(vector[0], "expr", None)
        if state is not None and list(grad(state)) == vector:
            return self._of("grad", state)
        return self._shape("vector", ", ".join(map(self._print, vector)))

    def diffusivity(self, piecewise: sp.Piecewise) -> str | None:
        """weickert(s2, lambda), whose constant is a long number."""
        value, condition = piecewise.args[0]
        if value == 1 and isinstance(condition, sp.Eq) and condition.rhs == 0:
            scales = sorted(piecewise.free_symbols - condition.free_symbols, key=str)
            for scale, m in itertools.product(scales, (4, 1, 2, 3)):
                if weickert(condition.lhs, scale, m) == piecewise:
                    return self._call("weickert", condition.lhs, scale, *([] if m == 4 else [sp.Integer(m)]))
        return None
