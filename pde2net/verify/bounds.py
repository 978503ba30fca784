"""Intervals of exact expressions, and the questions about ranges whose answers they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sympy as sp

from pde2net import deadline
from pde2net.errors import DeclarationError
from pde2net.language.exact import require_short
from pde2net.verify.ranges import Range, UndecidedError, flux_slope, half_line


@dataclass(frozen=True)
class Bounds:
    """Interval [lower, upper] of exact expressions; -oo and oo where there is no bound."""

    lower: sp.Expr
    upper: sp.Expr

    @property
    def nonnegative(self) -> bool | None:
        answer: bool | None = self.lower.is_nonnegative
        return answer

    def __add__(self, other: Bounds) -> Bounds:
        return Bounds(self.lower + other.lower, self.upper + other.upper)

    def __mul__(self, other: Bounds) -> Bounds:
        if self.nonnegative and other.nonnegative:
            return Bounds(self.lower * other.lower, _times(self.upper, other.upper))
        for constant, interval in ((self, other), (other, self)):
            if constant.lower == constant.upper:
                c = constant.lower
                if c.is_nonnegative:
                    return Bounds(_times(c, interval.lower), _times(c, interval.upper))
                if c.is_negative:
                    return Bounds(_times(c, interval.upper), _times(c, interval.lower))
        ends = self.lower, self.upper, other.lower, other.upper
        if all(e.is_number for e in ends) or all(e.is_finite for e in ends):
            products = [_times(a, b) for a in ends[:2] for b in ends[2:]]
            return Bounds(sp.Min(*products), sp.Max(*products))
        free = {s for b in (self, other) for s in (b.lower * b.upper).free_symbols}
        raise UndecidedError(f"the sign of a factor of the diffusivity is not known{advice(free)}")


def _times(a: sp.Expr, b: sp.Expr) -> sp.Expr:
    """a b, and 0 for 0 oo: the values of a weight are finite, only their supremum is not."""
    return sp.S.Zero if a == 0 or b == 0 else a * b


def advice(symbols: Iterable[sp.Symbol]) -> str:
    """What to add to parameters of unknown sign; empty if there are none."""
    names = sorted(s.name for s in symbols if s.is_positive is None and s.is_negative is None)
    if not names:
        return ""
    declared = " ".join(names)
    return (
        f'; add what is known, as in sp.symbols("{declared}", positive=True), or give values for {declared}'
    )


@dataclass(frozen=True)
class Answer:
    """The range of one function, as the certificate reports it.

    quantity  what the function is, such as "g" or "Phi'"
    function  the expression whose range was asked for; for slopes of the flux the diffusivity
    variable  its argument, over [0, oo)
    """

    quantity: str
    function: sp.Expr
    variable: sp.Symbol
    found: Range


DIFFUSIVITY, FLUX_SLOPE, POINTWISE = "g", "Phi'", "f"
_ENGINES: dict[str, Callable[[sp.Expr, sp.Symbol, float], Range]] = {
    DIFFUSIVITY: half_line,
    FLUX_SLOPE: flux_slope,
    POINTWISE: half_line,
}


class Questions:
    """Asks each question once, with a time limit for each and twice that for all of them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.end = deadline.thread_time() + 2 * seconds
        self.answers: dict[tuple[str, sp.Expr], Answer] = {}
        self.refused: dict[tuple[str, sp.Expr], str] = {}

    @property
    def left(self) -> float:
        """Seconds for the next question."""
        return min(self.seconds, self.end - deadline.thread_time())

    def ask(self, quantity: str, function: sp.Expr, variable: sp.Symbol) -> Range:
        """The range over [0, oo). Raises UndecidedError."""
        key = (quantity, function)
        if key in self.refused:
            raise UndecidedError(self.refused[key])
        if key not in self.answers:
            try:
                found = _ENGINES[quantity](function, variable, self.left)
                _require_short(found)
            except UndecidedError as error:
                self.refused[key] = f"{error}{advice(function.free_symbols - {variable})}"
                raise UndecidedError(self.refused[key]) from error
            self.answers[key] = Answer(quantity, function, variable, found)
        return self.answers[key].found


def _require_short(found: Range) -> None:
    """As `exact.require_short`, of numbers that are computed."""
    try:
        for bound in (found.lower, found.upper):
            require_short(bound, "a bound")
    except DeclarationError as error:
        raise UndecidedError(str(error)) from None
