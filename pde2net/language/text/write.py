"""Declarations as text: what `text.build.read` reads back to the same objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.printing.precedence import PRECEDENCE
from sympy.printing.str import StrPrinter

from pde2net.errors import DeclarationError
from pde2net.language.solvers import Solver
from pde2net.language.stored import scheme_expressions

if TYPE_CHECKING:
    from pde2net.language.declaration import Declaration
    from pde2net.language.grid import Grid
    from pde2net.language.problem import Problem
    from pde2net.language.schemes import Scheme

SIGNS = {"positive": ">", "negative": "<", "nonnegative": ">=", "nonpositive": "<=", "nonzero": "!="}
WIDTH = 10
_NAME = re.compile(r"[^\W\d]\w*")


def problem_text(problem: Problem) -> str:
    """The statements that declare a problem, one per line."""
    lines = [("unknown", str(u)) for u in problem.unknowns]
    one = len(problem.unknowns) == 1
    lines += [("channels", str(problem.channels))] if problem.channels > 1 and one else []
    for operator in problem.operators:
        sizes = f"out = {operator.out_channels}, size = {operator.kernel_size}"
        lines.append(("operator", f"{operator}({sizes})"))
    lines += [("field", f"{f}{sign_text(f)}") for f in problem.fields]
    for symbol in problem.symbols:
        value = problem.parameters.get(symbol)
        shown = "" if value is None else f" = {expression_text(value, problem.space)}"
        lines.append(("parameter", f"{symbol.name}{sign_text(symbol)}{shown}"))
    functions = [u.func for u in problem.unknowns] + [f.func for f in problem.fields]
    for thing in (*functions, *problem.unknown.args, *problem.symbols, *problem.operators):
        if not _NAME.fullmatch(str(thing)):
            raise DeclarationError(f'"{thing}" is no name in a text: those have letters, digits and "_".')
    lines += [("equation", f"{u}_{problem.time} = {text}") for u, text in equation_texts(problem)]
    lines.append(("boundary", _per_axis(problem.boundary)))
    return statements(lines)


def equation_texts(problem: Problem) -> list[tuple[str, str]]:
    """(name of the unknown, right-hand side) of each equation."""
    sides = [(e.lhs.expr.func.__name__, e.rhs) for e in problem.equations]
    return [(name, expression_text(rhs, problem.space)) for name, rhs in sides]


def declaration_text(declaration: Declaration) -> str:
    """The statements that declare a problem, its grid and its scheme."""
    problem, grid, scheme = declaration.problem, declaration.grid, declaration.scheme
    entries = [*grid.spacings(problem.space), *grid.origins(problem.space), *scheme_expressions(scheme)]
    more = {s for e in entries for s in e.free_symbols} - set(problem.symbols) - set(problem.space)
    declared = [("parameter", f"{s.name}{sign_text(s)}") for s in sorted(more, key=lambda s: s.name)]
    lines = [*declared, ("grid", _grid(grid, problem.space)), ("scheme", _call(scheme, problem.space))]
    return problem_text(problem) + statements(lines)


def _grid(grid: Grid, space: tuple[sp.Symbol, ...]) -> str:
    options = [*_entries("h", grid.spacing, space)]
    options += [f"order = {grid.order}"] if grid.order != 2 else []
    options += [f"gradient = {grid.gradient}"] if grid.gradient != "forward" else []
    options += _entries("origin", grid.origin, space) if grid.origin != 0 else []
    return ", ".join(options)


def _entries(name: str, value: Any, space: tuple[sp.Symbol, ...]) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}_{axis} = {expression_text(entry, space)}" for axis, entry in value.items()]
    return [f"{name} = {expression_text(value, space)}"]


def _call(choice: Scheme | Solver, space: tuple[sp.Symbol, ...]) -> str:
    """A scheme or a solver with the options that differ from their defaults."""
    options = []
    for field in fields(choice):
        value = getattr(choice, field.name)
        if field.name == "tau" and value is None:
            options.append("tau = largest")
        elif isinstance(value, Solver):
            options.append(f"solver = {_call(value, space)}")
        elif isinstance(value, sp.Basic):
            options.append(f"{field.name} = {expression_text(value, space)}")
        elif value is not None:
            options.append(f"{field.name} = {str(value).replace('-', '_')}")
    return f"{keyword(choice.label)}({', '.join(options)})"


def keyword(label: str) -> str:
    """How a text calls a scheme or a solver: du_fort_frankel, fixed_point."""
    return label.lower().replace("-", "_").replace(" ", "_")


def statements(lines: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{keyword:<{WIDTH}}{rest}\n" for keyword, rest in lines)


def expression_text(expression: sp.Expr, space: tuple[sp.Symbol, ...]) -> str:
    """An expression in the text language."""
    return str(_Printer(space).doprint(expression))


def _per_axis(values: Mapping[sp.Symbol, str]) -> str:
    kinds = set(values.values())
    return kinds.pop() if len(kinds) == 1 else ", ".join(f"{a}: {k}" for a, k in values.items())


def sign_text(symbol: Any) -> str:
    """Its strongest sign."""
    return next((f" {text} 0" for kind, text in SIGNS.items() if getattr(symbol, f"is_{kind}")), "")


class _Printer(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    """Derivatives as u_x; gradients, divergences and Laplacians are recognised."""

    printmethod = "_as_pde_text"  # of learned operators, whose notation is another one than in Python

    def __init__(self, space: tuple[sp.Symbol, ...]) -> None:
        super().__init__({"order": None})
        self.space = space

    def _print_Function(self, expr: sp.Function) -> str:
        name = {sp.Abs: "abs", sp.Min: "min", sp.Max: "max"}.get(expr.func, expr.func.__name__)
        return name if isinstance(expr, AppliedUndef) else f"{name}({self.stringify(expr.args, ', ')})"

    _print_Min = _print_Max = _print_Abs = _print_Function  # noqa: N815  SymPy's names

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "exp(1)"

    def _print_Derivative(self, expr: sp.Derivative) -> str:
        ((_, grouped),) = self._grouped([expr])
        if isinstance(grouped, sp.Symbol):
            return str(grouped)
        axes = [a.name for a, n in expr.variable_count for _ in range(n)]
        if isinstance(expr.expr, AppliedUndef):
            return f"{expr.expr.func.__name__}_{''.join(axes)}"
        return f"diff({', '.join([self._print(expr.expr), *axes])})"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        if exponent == sp.Rational(1, 2):
            return f"sqrt({self._print(base)})"
        if exponent.is_Rational and exponent.is_negative:
            inverse = self.parenthesize(base**-exponent, PRECEDENCE["Mul"], strict=False)
            return f"1/{inverse}"
        level = PRECEDENCE["Pow"]
        return f"{self.parenthesize(base, level)}^{self.parenthesize(exponent, level)}"

    def _print_Add(self, expr: sp.Add, order: Any = None) -> str:
        text = ""
        for coefficient, term in self._grouped(list(self._as_ordered_terms(expr))):
            shown = self._print(coefficient * term)
            text += f" - {shown[1:]}" if shown.startswith("-") else f" + {shown}"
        return text.removeprefix(" + ") if text.startswith(" +") else "-" + text.removeprefix(" - ")

    def parenthesize(self, item: sp.Expr, level: int, strict: bool = False) -> str:
        """A sum that is shown as one operator needs no parentheses, unless it is a power in a power."""
        if item.is_Add:
            grouped = self._grouped(list(item.args))
            if len(grouped) == 1 and grouped[0][0] == 1:
                name = str(grouped[0][1])
                return name if level < PRECEDENCE["Pow"] or not name.startswith("|") else f"({name})"
        if isinstance(item, AppliedUndef):
            return str(self._print(item))
        return str(super().parenthesize(item, level, strict))

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        *pieces, (last, _) = expr.args
        level, parts = PRECEDENCE["Add"], []
        for value, condition in pieces:
            # Conditions have no parentheses: "or" of "and" says the same.
            parts.append(f"{self.parenthesize(value, level)} if {self._print(sp.to_dnf(condition))} else ")
        return f"({''.join(parts)}{self.parenthesize(last, level)})"

    def _print_Relational(self, expr: sp.Rel) -> str:
        level = PRECEDENCE["Relational"]
        sides = (self.parenthesize(side, level) for side in (expr.lhs, expr.rhs))
        return f" {expr.rel_op} ".join(sides)

    def _print_And(self, expr: sp.And) -> str:
        return " and ".join(map(self._print, sorted(expr.args, key=sp.default_sort_key)))

    def _print_Or(self, expr: sp.Or) -> str:
        return " or ".join(map(self._print, sorted(expr.args, key=sp.default_sort_key)))

    # -- gradients, divergences, Laplacians --------------------------------------------------------

    def _grouped(self, terms: list[sp.Expr]) -> list[tuple[sp.Expr, sp.Expr]]:
        """(number, rest) of each term; those that make an operator together are one symbol that shows it."""
        left = [t.as_coeff_Mul() for t in terms]
        found: list[tuple[sp.Expr, sp.Expr]] = []
        while left:
            number, first = left[0]
            for family_of in (self._laplacian, self._squared_gradient, self._divergence):
                members, name = family_of(first) or ([], "")
                family = [(number, m) for m in members]
                if family and all(m in left for m in family):
                    found.append((number, sp.Symbol(name)))
                    left = [t for t in left if t not in family]
                    break
            else:
                found.append(left.pop(0))
        return found

    def _laplacian(self, term: sp.Expr) -> tuple[list[sp.Expr], str] | None:
        if not isinstance(term, sp.Derivative) or [n for _, n in term.variable_count] != [2]:
            return None
        if len(self.space) == 1 and isinstance(term.expr, AppliedUndef):
            return None  # u_xx says it
        family = [sp.Derivative(term.expr, (a, 2)) for a in self.space]
        return family, f"laplacian({self._print(term.expr)})"

    def _squared_gradient(self, term: sp.Expr) -> tuple[list[sp.Expr], str] | None:
        if not term.is_Pow or term.exp != 2 or not isinstance(term.base, sp.Derivative):
            return None
        slope = term.base
        if slope.derivative_count != 1 or not isinstance(slope.expr, AppliedUndef) or len(self.space) == 1:
            return None
        return [sp.Derivative(slope.expr, a) ** 2 for a in self.space], f"|grad {slope.expr.func.__name__}|^2"

    def _divergence(self, term: sp.Expr) -> tuple[list[sp.Expr], str] | None:
        if not isinstance(term, sp.Derivative) or term.derivative_count != 1:
            return None
        (axis,), flux = term.variables, term.expr
        derivatives = [s for s in sp.Mul.make_args(flux) if isinstance(s, sp.Derivative)]
        slopes = [s for s in derivatives if s.variables == (axis,)]
        if not slopes or isinstance(flux, AppliedUndef):
            return None
        factor = flux / slopes[0]
        state = slopes[0].expr
        family = [sp.Derivative(factor * sp.Derivative(state, a), a) for a in self.space]
        shown = "" if factor == 1 else f"{self.parenthesize(factor, PRECEDENCE['Mul'] - 1)} * "
        return family, f"div({shown}grad {self.parenthesize(state, PRECEDENCE['Atom'])})"
