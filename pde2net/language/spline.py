"""Learned fluxes: odd, piecewise linear functions with bounded slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import sympy as sp
from sympy.core.symbol import Str

from pde2net.errors import DeclarationError, EquationError
from pde2net.language.arrays import Array, array
from pde2net.language.exact import count, exact, identifier, positive
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.traversal import atoms

MOST_KNOTS = 10_001


@dataclass(frozen=True)
class Spline:
    """phi, an odd, continuous, piecewise linear flux, for u_t = -K.adjoint(phi(K(u))).

    name     of the flux and of its slopes
    knots    how many equidistant knots there are from -reach to reach, an odd number
    reach    the last knot; beyond it phi goes on with a slope of its own
    slopes   (lower, upper): lower <= phi' <= upper for all weights, upper > 0
    filters  the operator K each of whose filters has slopes of its own; None for one flux for all

    On |s| in [j h, (j + 1) h], h = 2 reach/(knots - 1), phi'(s) = s_j, and s_P for |s| > reach, where
    P = (knots - 1)/2. Weights are the slopes, of shape (filters, P + 1). Beside their bounds the network
    keeps phi(s) s >= 0, so that g(s²) = phi(s)/s has 0 <= g <= upper, for all weights (docs/theory.md, 8.3).
    As `parameters={phi: slopes}` they are those to start from, or to keep where phi is not trained.

    Raises DeclarationError for a name that is no identifier, an even number of knots, a reach that is not
    positive, or slopes without lower <= upper, upper > 0.
    """

    name: str
    knots: int = 21
    reach: Any = 1
    slopes: tuple[Any, Any] = (0, 1)
    filters: LinearOperator | None = None

    def __post_init__(self) -> None:
        identifier(self.name, "a spline")
        if not isinstance(self.knots, int | sp.Integer) or isinstance(self.knots, bool):
            raise DeclarationError(
                f"knots of {self.name} is the number of equidistant knots from -reach to reach, not "
                f"{self.knots!r}."
            )
        knots = count(self.knots, f"knots of {self.name}")
        if knots < 3 or knots % 2 == 0 or knots > MOST_KNOTS:
            raise DeclarationError(
                f"knots of {self.name} is an odd number from 3 to {MOST_KNOTS}, of knots from -reach to "
                f"reach, not {knots}."
            )
        reach = positive(self.reach, f"reach of {self.name}")
        if not reach.is_number:
            raise DeclarationError(f"reach of {self.name} must be a number, not {reach}.")
        if not isinstance(self.slopes, tuple | list) or len(self.slopes) != 2:
            raise DeclarationError(f"slopes of {self.name} are (lower, upper), not {self.slopes!r}.")
        lower, upper = (exact(s, f"A slope of {self.name}") for s in self.slopes)
        if not (lower.is_number and upper.is_number and lower <= upper and upper > 0):
            raise DeclarationError(
                f"slopes of {self.name} are numbers (lower, upper) with lower <= upper and upper > 0, not "
                f"({lower}, {upper})."
            )
        if self.filters is not None and not isinstance(self.filters, LinearOperator):
            raise DeclarationError(
                f"filters of {self.name} is the operator whose filters have slopes of their own, or None, "
                f"not {self.filters!r}."
            )
        for key, value in (("knots", knots), ("reach", reach), ("slopes", (lower, upper))):
            object.__setattr__(self, key, value)

    def __call__(self, value: Any) -> SplineFlux:
        """phi(value)."""
        return SplineFlux(*self._arguments, sp.sympify(value))

    def diffusivity(self, s2: sp.Expr) -> SplineDiffusivity:
        """phi(s)/s as a function of s²."""
        return SplineDiffusivity(*self._arguments, s2)

    @property
    def _arguments(self) -> tuple[sp.Basic, ...]:
        owner, rows = ("", 1) if self.filters is None else (self.filters.name, self.filters.out_channels)
        numbers = sp.Integer(self.knots), self.reach, *self.slopes, sp.Integer(rows)
        return Str(self.name), *numbers, Str(owner)

    def __str__(self) -> str:
        return self.name


class _Piecewise(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """A function made of a spline: arguments name, knots, reach, lower, upper, rows, owner, argument."""

    nargs = 8
    is_commutative = True
    is_real = True

    @property
    def name(self) -> str:
        return str(self.args[0])

    @property
    def pieces(self) -> int:
        """P, how many pieces there are between 0 and the reach."""
        return (int(self.args[1]) - 1) // 2

    @property
    def width(self) -> sp.Expr:
        """h, of a piece."""
        return self.args[2] / self.pieces

    @property
    def lower(self) -> sp.Expr:
        return self.args[3]

    @property
    def upper(self) -> sp.Expr:
        return self.args[4]

    @property
    def rows(self) -> int:
        """How many fluxes there are: one for all filters, or one for each."""
        return int(self.args[5])

    @property
    def owner(self) -> str:
        """The operator whose filters have slopes of their own; empty if there is one flux for all."""
        return str(self.args[6])

    @property
    def options(self) -> tuple[sp.Basic, ...]:
        """What the spline is declared with."""
        found: tuple[sp.Basic, ...] = self.args[:-1]
        return found

    @property
    def argument(self) -> sp.Expr:
        return self.args[-1]

    def _eval_derivative(self, symbol: sp.Symbol) -> sp.Expr:
        return self.fdiff() if symbol in self.free_symbols else sp.S.Zero

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        raise EquationError(f"The slope of {self.name} jumps at its knots, so it has no derivative.")

    def _sympystr(self, printer: Any) -> str:
        return f"{self.name}({printer._print(self.argument)})"

    _as_pde_text = _sympystr

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        name = printer._print(sp.Symbol(self.name))
        text = rf"{name}\left({printer._print(self.argument)}\right)"
        return text if exp is None else rf"{text}^{{{exp}}}"


class SplineFlux(_Piecewise):
    """phi(s)."""

    @classmethod
    def eval(cls, *arguments: sp.Basic) -> sp.Expr | None:
        return sp.S.Zero if arguments[-1] == 0 else None

    def diffusivity(self, s2: sp.Expr) -> SplineDiffusivity:
        """phi(s)/s as a function of s²."""
        return SplineDiffusivity(*self.options, s2)


class SplineDiffusivity(_Piecewise):
    """phi(s)/s as a function of s²; at 0 the slope there."""

    def _sympystr(self, printer: Any) -> str:
        argument = printer._print(self.argument)
        return f"{self.name}(sqrt({argument}))/sqrt({argument})"


class Knots(Protocol):
    """What the slopes of a spline depend on."""

    @property
    def name(self) -> str: ...
    @property
    def pieces(self) -> int: ...
    @property
    def lower(self) -> sp.Expr: ...
    @property
    def upper(self) -> sp.Expr: ...
    @property
    def rows(self) -> int: ...


def falling(spline: Knots) -> Array:
    """Slopes to start from: those of s/(1 + (3 s/reach)²) times the upper bound, within the bounds."""
    places = [(j + 0.5) * 3 / spline.pieces for j in range(spline.pieces)] + [3.5]
    upper, least = float(spline.upper), max(0.0, float(spline.lower))
    slopes = [max(least, upper * (1 - s**2) / (1 + s**2) ** 2) for s in places]
    return array([slopes] * spline.rows, spline.name)


def splines_of(expression: sp.Basic) -> tuple[SplineFlux, ...]:
    """One flux of each spline in an expression, sorted by name."""
    found = {e.options: e for e in sorted(atoms(expression, SplineFlux), key=str)}
    return tuple(sorted(found.values(), key=lambda e: (e.name, str(e.options))))
