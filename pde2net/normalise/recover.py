"""Divergence form from an expanded right-hand side: exactness, inversion, proof (docs/theory.md, section 1).

With p = grad u and h = the second derivatives, a right-hand side f(x, u, p, h) of second order is expanded
diffusion if f - r, r = f at p = h = 0, is a total divergence: if the Euler operator

    E(f) = f_u - D_i f_(u_i) + D_i D_j f_(u_ij)

annihilates it (Olver, Applications of Lie Groups to Differential Equations, 1993, Theorem 4.7). The flux
is found from A_ij = f_(u_ij), the symmetric derivative of the flux: radial ones by algebra, g = A_ii -
A_ij p_i/p_j, others by the homotopy F_i = int_0^1 A_ij(x, u, s p) p_j ds. Either is accepted only if
div F + r = f is proved by simplification.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.deadline import within
from pde2net.errors import EquationError
from pde2net.language.continuous import jumps
from pde2net.language.problem import Problem

SECONDS = 4.0


def recovered(problem: Problem, explained: bool) -> sp.Expr:
    """An equal right-hand side in divergence form.

    Raises EquationError that says, if it is to be `explained`, what is in the way: the value of the Euler
    operator, or what no flux was found for, or of which derivative the chain rule does not hold.
    """
    for derivative in problem.rhs.atoms(sp.Derivative):
        _require_smooth(derivative)
    return within(
        SECONDS,
        "bringing the equation to divergence form",
        lambda: _Jet.of(problem).invert(explained),
        EquationError,
    )


def _require_smooth(derivative: sp.Derivative) -> None:
    """The chain rule needs a continuous function: the derivative of a jump is 0 beside it."""
    inside = [d for d in derivative.expr.atoms(sp.Derivative) if isinstance(d.expr, AppliedUndef)]
    names = {e: sp.Dummy(real=True) for e in (*inside, *derivative.expr.atoms(AppliedUndef))}
    plain = derivative.expr.xreplace({e: names[e] for e in inside}).xreplace(names)
    for name in names.values():
        part = jumps(plain, name)
        if part is not None:
            back = {symbol: e for e, symbol in names.items()}
            raise EquationError(f"{part.xreplace(back)} is not known to be continuous.")


def _attempted(
    method: Callable[[Sequence[Sequence[sp.Expr]], Sequence[sp.Symbol]], list[sp.Expr] | None],
    A: Sequence[Sequence[sp.Expr]],
    p: Sequence[sp.Symbol],
) -> list[sp.Expr] | None:
    """What a method finds; nothing where SymPy gives up, which it does in many ways."""
    try:
        return method(A, p)
    except EquationError:
        raise
    except Exception:
        return None


@dataclass(frozen=True)
class _Jet:
    """f in symbols: `slopes` p_i, `seconds` h_ij for i <= j, and for order 4 `fourths` u_iijj."""

    problem: Problem
    rhs: sp.Expr
    symbols: dict[tuple[int, ...], sp.Symbol]
    f: sp.Expr

    @classmethod
    def of(cls, problem: Problem) -> _Jet:
        u, space = problem.unknown, problem.space
        rhs = problem.rhs.doit()
        symbols: dict[tuple[int, ...], sp.Symbol] = {}
        table: dict[sp.Expr, sp.Expr] = {}
        found = [d for d in rhs.atoms(sp.Derivative) if d.expr == u]
        if max((d.derivative_count for d in found), default=0) < 2:
            raise EquationError("there is no second derivative.")
        for i in range(len(space)):
            symbols[(i,)] = sp.Symbol(f"_p{i}", real=True)
            table[u.diff(space[i])] = symbols[(i,)]
        for derivative in found:
            axes = tuple(sorted(space.index(a) for a, n in derivative.variable_count for _ in range(n)))
            symbols.setdefault(axes, sp.Symbol(f"_u{''.join(map(str, axes))}", real=True))
            table[derivative] = symbols[axes]
        return cls(problem, rhs, symbols, rhs.xreplace(table))

    # -- between symbols and functions -------------------------------------------------------------

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        return self.problem.space

    @property
    def slopes(self) -> tuple[sp.Symbol, ...]:
        return tuple(self.symbols[(i,)] for i in range(len(self.space)))

    @property
    def order(self) -> int:
        return max(map(len, self.symbols))

    def functions(self, expression: sp.Expr) -> sp.Expr:
        """Symbols as derivatives again."""
        u = self.problem.unknown
        back = {s: sp.Derivative(u, *(self.space[i] for i in axes)) for axes, s in self.symbols.items()}
        return expression.xreplace(back)

    # -- exactness ---------------------------------------------------------------------------------

    def euler(self, f: sp.Expr) -> sp.Expr:
        """The Euler operator of f, as functions."""
        state = sp.Dummy("u", real=True)
        u = self.problem.unknown
        total = self.functions(f.xreplace({u: state}).diff(state).xreplace({state: u}))
        for axes, symbol in self.symbols.items():
            part = self.functions(f.diff(symbol))
            for i in axes:
                part = -part.diff(self.space[i])
            total += part
        return _simple(total.doit())

    @property
    def reaction(self) -> sp.Expr:
        """f where all derivatives of u vanish."""
        value = self.f.subs(dict.fromkeys(self.symbols.values(), 0))
        if value.has(sp.nan, sp.zoo):  # a diffusivity that is singular at 0
            value = self.f.subs({s: 0 for axes, s in self.symbols.items() if len(axes) > 1})
            for slope in self.slopes:
                value = sp.limit(value, slope, 0)
        if value.has(sp.nan, sp.zoo, sp.oo):
            return sp.S.Zero
        return _simple(value)

    def invert(self, explained: bool) -> sp.Expr:
        reaction = self.functions(self.reaction)
        by_order = {2: self._second_order, 4: self._fourth_order}
        for candidate in by_order[self.order]() if self.order in by_order else ():
            if is_zero((candidate + reaction).doit() - self.rhs):
                return sp.Add(candidate, reaction)
        raise EquationError(self._reason(reaction) if explained else "No divergence form was found.")

    def _reason(self, reaction: sp.Expr) -> str:
        """What the Euler operator gives, and the difference from a divergence."""
        remainder = self.euler(self.f - self.reaction)
        said = (
            "it is a divergence, but not of a flux that is the gradient of an energy density"
            if remainder == 0
            else f"the Euler operator of it is {remainder}, not 0, so it is not the divergence of any flux"
        )
        if self.order != 2:
            return f"{said}."
        g = self._common_factor() or sp.S.One
        divergence = sp.Add(
            *(sp.Derivative(g * sp.Derivative(self.problem.unknown, a), a) for a in self.space)
        )
        left = _simple((self.rhs - divergence - reaction).doit())
        near = "laplacian(u)" if g == 1 else f"div(g * grad(u)), g = {g},"
        return f"{said}; it differs from {near} by {left}."

    def _common_factor(self) -> sp.Expr | None:
        """g, if the second derivatives occur as g * laplacian(u)."""
        A = self._matrix()
        isotropic = all(
            _simple(a - A[0][0]) == 0 if i == j else a == 0 for i, r in enumerate(A) for j, a in enumerate(r)
        )
        return self.functions(A[0][0]) if self.order == 2 and isotropic else None

    # -- second order ------------------------------------------------------------------------------

    def _matrix(self) -> list[list[sp.Expr]]:
        """A_ij with f = A_ij u_ij + ..., symmetric."""
        n = len(self.space)

        def entry(i: int, j: int) -> sp.Expr:
            symbol = self.symbols.get((min(i, j), max(i, j)))
            derivative = sp.S.Zero if symbol is None else self.f.diff(symbol)
            return _simple(derivative / (1 if i == j else 2))

        return [[entry(i, j) for j in range(n)] for i in range(n)]

    def _second_order(self) -> Iterator[sp.Expr]:
        A, p = self._matrix(), self.slopes
        for method in (self._radial, self._primitives, self._homotopy):
            fluxes = _attempted(method, A, p)
            if fluxes is not None:
                yield sp.Add(
                    *(
                        sp.Derivative(self.functions(flux), a)
                        for flux, a in zip(fluxes, self.space, strict=True)
                    )
                )

    @staticmethod
    def _radial(A: Sequence[Sequence[sp.Expr]], p: Sequence[sp.Symbol]) -> list[sp.Expr] | None:
        """g p, from A = g I + 2 g' p p^T."""
        if len(p) == 1:
            return None
        g = _simple(A[0][0] - A[0][1] * p[0] / p[1])
        return [g * slope for slope in p]

    @staticmethod
    def _primitives(A: Sequence[Sequence[sp.Expr]], p: Sequence[sp.Symbol]) -> list[sp.Expr] | None:
        """int A_ii dp_i, if no axis depends on the slopes of another."""
        if any(
            a != 0 and (i != j or a.free_symbols & {*p} - {p[i]})
            for i, r in enumerate(A)
            for j, a in enumerate(r)
        ):
            return None
        found = [sp.integrate(row[i], p[i]) for i, row in enumerate(A)]
        if any(flux.has(sp.Integral) for flux in found):
            return None
        return [_simple(flux - flux.subs(slope, 0)) for flux, slope in zip(found, p, strict=True)]

    @staticmethod
    def _homotopy(A: Sequence[Sequence[sp.Expr]], p: Sequence[sp.Symbol]) -> list[sp.Expr] | None:
        s, found = sp.Symbol("_s", positive=True), []
        scaled = {slope: s * slope for slope in p}
        for row in A:
            integrand = _simple(sum(a * slope for a, slope in zip(row, p, strict=True)).xreplace(scaled))
            flux = sp.integrate(integrand, (s, 0, 1))
            if flux.has(sp.Integral):
                return None
            found.append(_simple(flux))
        return found

    # -- fourth order ------------------------------------------------------------------------------

    def _fourth_order(self) -> Iterator[sp.Expr]:
        """-laplacian(Phi(laplacian u)): Phi' is minus what multiplies the pure fourth derivatives."""
        n = len(self.space)
        leading = self.symbols.get((0,) * 4)
        if leading is None:
            return
        q = sp.Symbol("_q", real=True)
        slope = _simple(-self.f.diff(leading))
        pure = [self.symbols[(i, i)] for i in range(n) if (i, i) in self.symbols]
        if pure and pure[0] in slope.free_symbols:
            slope = _simple(slope.subs(pure[0], q - sp.Add(*pure[1:])))
        if slope.free_symbols & set(self.symbols.values()):
            return
        flux = sp.integrate(slope, q)
        flux = _simple(flux - flux.subs(q, 0))
        u = self.problem.unknown
        inside = flux.subs(q, sp.Add(*(sp.Derivative(u, (a, 2)) for a in self.space)))
        yield -sp.Add(*(sp.Derivative(inside, (a, 2)) for a in self.space))


def is_zero(expression: sp.Expr) -> bool:
    """Whether the expression is proved to vanish; derivatives and functions are independent variables."""
    found = expression.xreplace(_dummies(expression))
    symbols = sorted(found.free_symbols, key=str)
    if found.is_rational_function(*symbols):
        return _vanishes(sp.numer(sp.together(found)), symbols)
    return bool(sp.simplify(found) == 0)


def _vanishes(polynomial: sp.Expr, symbols: list[sp.Symbol]) -> bool:
    """In a ring of sparse polynomials, which is much faster than expanding an expression."""
    if not symbols:
        return bool(sp.expand(polynomial) == 0)
    ring, *_ = sp.ring(symbols, sp.QQ)
    try:
        return bool(ring.from_expr(polynomial) == 0)
    except (ValueError, sp.CoercionFailed):  # coefficients that are not rational
        return bool(sp.expand(polynomial) == 0)


def _dummies(expression: sp.Expr) -> dict[sp.Expr, sp.Dummy]:
    atoms = expression.atoms(sp.Derivative) | expression.atoms(AppliedUndef)
    return {a: sp.Dummy(real=True) for a in sorted(atoms, key=sp.default_sort_key)}


def _simple(expression: sp.Expr) -> sp.Expr:
    """A short equal form, 0 for zero."""
    table = _dummies(expression)
    found = expression.xreplace(table)
    variables = sorted(found.free_symbols, key=str)
    if found.is_rational_function(*variables):
        found = sp.factor(sp.together(found))
    else:
        found = sp.simplify(sp.powsimp(sp.expand(found)))
    result: sp.Expr = found.xreplace({dummy: a for a, dummy in table.items()})
    return result
