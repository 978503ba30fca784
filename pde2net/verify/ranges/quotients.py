"""Enclosures of N/D where both vanish at 0 or both grow at infinity, by Cauchy's mean value theorem.

On (0, b] with N(0) = D(0) = 0 and D' != 0:   N/D lies in the range of N'/D'.
On [X, oo) with D > 0 and D' > 0:             N/D lies in the hull of N(X)/D(X) and that range.
Sums are bounded summand by summand, bounded factors apart; algebraic factors in r = 1/s.
(For the second, N(s)/D(s) = (1 - c) N'(z)/D'(z) + c N(X)/D(X) with c = D(X)/D(s) in (0, 1].)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, reduce

import sympy as sp

from pde2net.verify.ranges.algebra import rearranged
from pde2net.verify.ranges.evaluate import Image, image
from pde2net.verify.ranges.intervals import EVERYTHING, ONE, ZERO, Interval, UndefinedError
from pde2net.verify.ranges.record import UndecidedError, positive_symbol

DEEPEST = 5
SUMMANDS = 4
BOUNDED = (sp.sin, sp.cos, sp.tanh, sp.atan, sp.erf)


@dataclass(frozen=True)
class Quotient:
    """N/D, with N'/D' as the next one where the theorem may be applied.

    vanishing   whether N(0) = D(0) = 0
    monomial    whether D is c s^n, so that D' has no zero but 0
    """

    whole: Image
    numerator: Image
    denominator: Image
    denominator_slope: Image
    vanishing: bool
    monomial: bool
    next: Quotient | None

    def near_zero(self, x: Interval) -> Interval:
        """A bound on (0, b]."""
        if self.vanishing and self.next is not None:
            slope = self.denominator_slope(x)
            if self.monomial or slope.lo > 0 or slope.hi < 0:
                return self.next.near_zero(x)
        return self.whole(x)

    def tail(self, x: Interval) -> Interval:
        """A bound on [X, oo)."""
        try:
            direct = self.whole(x)
            if direct.lo.is_finite() and direct.hi.is_finite():
                return direct
        except UndefinedError:
            if self.next is None:
                raise
        if self.next is None:
            return direct
        start = Interval(x.lo, x.lo)
        bottom = self.denominator(start)
        if not (bottom.lo > 0 and self.denominator_slope(x).lo > 0):
            return self.whole(x)
        return self.next.tail(x).hull(self.numerator(start) * bottom.reciprocal())


def quotient(expression: sp.Expr, s: sp.Symbol, depth: int = DEEPEST) -> Quotient:
    """`expression` over a common denominator, prepared for both ends of the half-line."""
    if not _short(expression):
        raise UndecidedError("too long to be brought over one denominator")
    numerator, denominator = sp.fraction(rearranged(expression, sp.together))
    slope = sp.diff(denominator, s)
    following = None
    ratio = sp.diff(numerator, s) / slope if depth and s in denominator.free_symbols else sp.nan
    if _short(ratio) and ratio is not sp.nan:
        with contextlib.suppress(UndecidedError):  # the numerator or denominator became too long
            following = quotient(rearranged(ratio, sp.cancel), s, depth - 1)
    return Quotient(
        whole=image(expression, s),
        numerator=image(numerator, s),
        denominator=image(denominator, s),
        denominator_slope=image(slope, s),
        vanishing=all(e.subs(s, 0) == 0 for e in (numerator, denominator)),
        monomial=denominator.as_independent(s, as_Add=False)[1].as_base_exp()[0] == s,
        next=following,
    )


def _short(expression: sp.Expr) -> bool:
    return bool(sp.count_ops(expression) < 60)


Tail = Callable[[Interval], Interval]


def tails(expression: sp.Expr, s: sp.Symbol) -> list[Tail]:
    """Ways of bounding a function on [X, oo), each a certified one."""
    found: list[Tail] = []
    if _short(expression):
        for way in (_factored, _summed, _Dominated):
            with contextlib.suppress(UndecidedError):
                found.append(way(expression, s))
    return found


def _factored(expression: sp.Expr, s: sp.Symbol) -> Tail:
    """The algebraic factors together, in r = 1/s, times the others."""
    factors = sp.Mul.make_args(expression)
    algebraic = [f for f in factors if f.is_algebraic_expr(s)]
    r = positive_symbol(expression)
    inverse = image(rearranged(sp.Mul(*algebraic).subs(s, 1 / r), sp.together, sp.factor, sp.powsimp), r)
    others = image(sp.Mul(*(f for f in factors if f not in algebraic)), s)
    return lambda x: inverse(Interval(ZERO, (ONE / x.lo).upper())) * others(x)


class _Dominated:
    """a (1 + b/a + c/a + ...), for each summand a: of one sign where a dominates the others."""

    def __init__(self, expression: sp.Expr, s: sp.Symbol) -> None:
        self.summands, self.s = sp.Add.make_args(sp.expand(expression, power_exp=False)), s

    @cached_property
    def forms(self) -> list[tuple[Quotient, list[Quotient]]]:
        found = []
        for pivot in self.summands if 2 <= len(self.summands) <= SUMMANDS else ():
            others = [sp.powsimp(a / pivot) for a in self.summands if a != pivot]
            try:
                found.append((quotient(pivot, self.s, 2), [quotient(a, self.s, 2) for a in others]))
            except UndecidedError:
                continue
        return found

    def __call__(self, x: Interval) -> Interval:
        found = EVERYTHING
        for whole, ratios in self.forms:
            try:
                relative = reduce(lambda a, b: a + b, [r.tail(x) for r in ratios], Interval(ONE, ONE))
                found = found.meet(whole.tail(x) * relative)
            except UndefinedError:
                continue
        return found


def _summed(expression: sp.Expr, s: sp.Symbol) -> Tail:
    """Summand by summand, each something bounded times something that decays."""
    parts = []
    smooth = expression.replace(sp.sinh, lambda a: sp.tanh(a) * sp.cosh(a))
    for summand in sp.Add.make_args(sp.expand(smooth, power_exp=False)):
        waves = [f for f in sp.Mul.make_args(summand) if f.has(*BOUNDED)]
        parts.append((image(sp.Mul(*waves), s), quotient(summand / sp.Mul(*waves), s)))
    return lambda x: reduce(lambda a, b: a + b, [wave(x) * rest.tail(x) for wave, rest in parts])
