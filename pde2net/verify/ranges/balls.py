"""Certified extrema over [0, oo) by branch and bound with interval arithmetic."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from functools import partial

import sympy as sp
from flint import arb, ctx

from pde2net.verify.ranges import intervals as iv
from pde2net.verify.ranges.enclosures import Enclosing, attempt
from pde2net.verify.ranges.evaluate import image, number
from pde2net.verify.ranges.exact import limit
from pde2net.verify.ranges.intervals import EVERYTHING, ONE, ZERO, Interval, UndefinedError
from pde2net.verify.ranges.pieces import KINKS
from pde2net.verify.ranges.record import Method, Range, UndecidedError
from pde2net.verify.ranges.regular import Regularity

RELATIVE = 1e-13
ATLEAST = 1e-6  # where that needs too many boxes
PRECISION = 106  # bits
MOST_BOXES = 6000
DIGITS = 15  # of the rational bounds that are reported


def enclose(expression: sp.Expr, s: sp.Symbol, relative: float = RELATIVE) -> Range:
    """The range of an expression in s alone over [0, oo), to a relative width. Raises UndecidedError."""
    with ctx.workprec(PRECISION):
        function = _Function(expression, s)
        upper, upper_at, upper_tight = _extremum(function, 1, relative)
        lower, lower_at, lower_tight = _extremum(function, -1, relative)
    return Range(lower, upper, lower_at, upper_at, Method.BALLS, upper_tight, lower_tight)


def _extremum(function: _Function, sign: int, relative: float) -> tuple[sp.Expr, sp.Expr, bool]:
    try:
        return _Maximiser(function, sign, relative).run()
    except UndecidedError:
        return _Maximiser(function, sign, ATLEAST).run()


class _Function:
    """f, its slope, its values at both ends, and bounds on boxes."""

    def __init__(self, expression: sp.Expr, s: sp.Symbol) -> None:
        self.root = _has_roots(expression, s)
        if self.root:  # in q = sqrt(s) such functions are smooth at 0
            expression = expression.subs(s, s**2)
        self.plain = image(expression, s)
        self.regular = Regularity(expression, s)
        self.period = _period(expression, s)
        bent = expression.has(*KINKS)
        self.f = Enclosing(expression, s, not bent)
        self.ends = _ends(expression, s, self.value, self.regular.at_zero(), self.period is not None)
        # A jump between pieces has no slope: there, only values are used.
        kinks = expression.rewrite(sp.Piecewise) if expression.has(sp.Min, sp.Max, sp.Abs) else expression
        jumps = expression.has(sp.Piecewise, sp.sign, sp.Heaviside)
        self.slope = None if jumps else Enclosing(sp.diff(kinks, s), s, not bent)

    def at(self, p: arb) -> Interval:
        """The value at a point; at both ends the limit."""
        if p == 0 or not p.is_finite():
            value = self.ends.get(sp.S.Zero if p == 0 else sp.oo)
            return EVERYTHING if value is None else number(value)
        try:
            return self.plain(Interval(p, p))
        except UndefinedError:
            return EVERYTHING

    def value(self, x: Interval) -> Interval:
        """A superset of f(x), by quotients of slopes only where f is smooth."""
        if self.regular(x):
            return self.f(x)
        found = attempt(lambda: self.plain(x)) if self.regular.free_of_poles(x) else None
        return found or EVERYTHING

    def require_between(self, x: Interval, found: Interval) -> None:
        """Refuse a limit at 0 or oo that values near this end contradict."""
        for k in (8, 64, 512):
            if x.lo == 0 or not x.hi.is_finite():
                p = x.hi * arb(2) ** -k if x.lo == 0 else x.lo * arb(2) ** k
                if not _meet(self.at(p), found):
                    raise UndecidedError(f"the values near {float(p):.3g} contradict the limit")

    def place(self, p: arb) -> sp.Expr:
        """A point as a SymPy number in the variable of the caller."""
        exact = sp.Rational(float(p)).limit_denominator(10**6)
        return exact**2 if self.root else exact

    def bound(self, x: Interval) -> tuple[Interval, bool]:
        """A superset of f(x), and whether f is monotone there.

        Slopes, and quotients of slopes, count only where f as it was written is continuous.
        """
        value = self.value(x)
        if value == EVERYTHING or not self.regular(x):
            return value, False
        slope = EVERYTHING if self.slope is None else self.slope(x)
        if slope.lo >= 0 or slope.hi <= 0:
            ends = self.at(x.lo), self.at(x.hi)
            if all(e.lo.is_finite() and e.hi.is_finite() for e in ends):
                found = ends[0].hull(ends[1])
                self.require_between(x, found)
                return found, True
        if x.hi.is_finite() and slope.lo.is_finite() and slope.hi.is_finite():
            middle = _middle(x)
            centre = self.at(middle)
            if centre.lo.is_finite():
                value = value.meet(centre + slope * (x + Interval(-middle, -middle)))
        return value, False


def _period(expression: sp.Expr, s: sp.Symbol) -> sp.Expr | None:
    """A period, checked: one of them is enough to search."""
    if not expression.has(sp.sin, sp.cos):
        return None
    period = attempt(lambda: sp.periodicity(expression, s))
    if period is None or not period.is_positive:
        return None
    return period if sp.simplify(expression.subs(s, s + period) - expression) == 0 else None


def _has_roots(expression: sp.Expr, s: sp.Symbol) -> bool:
    return any(p.base == s and p.exp.is_Rational and p.exp.q == 2 for p in expression.atoms(sp.Pow))


class _Maximiser:
    """Branch and bound for the supremum of sign * f over [0, oo].

    best   a value that is attained or approached (from below), and its place
    rest   an upper bound of f on the boxes that are done with
    """

    def __init__(self, function: _Function, sign: int, relative: float) -> None:
        self.function, self.sign, self.relative = function, sign, relative
        self.specials = [(self.turned(number(v)), p, v) for p, v in function.ends.items()]
        self.best, self.best_at = iv.MINUS_INFINITY, sp.S.Zero
        self.rest = iv.MINUS_INFINITY
        self.scale = 0.0
        self.heap: list[tuple[float, int, arb, Interval]] = []
        self.count = itertools.count()

    def turned(self, v: Interval) -> Interval:
        return v if self.sign > 0 else -v

    def run(self) -> tuple[sp.Expr, sp.Expr, bool]:
        """(bound, place, whether it is the supremum itself), with the sign undone."""
        for value, place, exact in self.specials:
            if value.lo > 0 and not value.lo.is_finite():
                return exact, place, True
        champion = max(self.specials, key=lambda e: float(e[0].lo), default=None)
        for value, place, _ in self.specials:
            if value.lo > self.best:
                self.best, self.best_at = value.lo, place
            if champion is not None and place != champion[1]:
                self.rest = iv.greatest((self.rest, value.hi))
        self.search()
        top = iv.greatest((self.best, self.rest, *(upper for _, _, upper, _ in self.heap)))
        if champion is not None:
            if top <= champion[0].lo:
                return champion[2], champion[1], True
            top = iv.greatest((top, champion[0].hi))
        return self.sign * above(top), self.best_at, False

    def search(self) -> None:
        period = self.function.period
        last = iv.INFINITY if period is None else number(period).hi
        for start, end in ((ZERO, ONE), (ONE, 4 * ONE), (4 * ONE, last)):
            self.push(Interval(start, iv.greatest((start, end))))
        while self.heap:
            top = iv.greatest((self.heap[0][2], self.rest))
            if top <= self.best or top - self.best <= self.tolerance():
                return
            x = heapq.heappop(self.heap)[3]
            if next(self.count) > MOST_BOXES or _narrow(x):
                kind = "supremum" if self.sign > 0 else "infimum"
                raise UndecidedError(
                    f"its {kind} could not be enclosed near {float(_middle(x)):.3g} (a pole, or "
                    "oscillation without end)"
                )
            middle = _middle(x)
            self.push(Interval(x.lo, middle))
            self.push(Interval(middle, x.hi))

    def push(self, x: Interval) -> None:
        """Bound f on a box; keep the box if it may contain more than is known already."""
        inner = [p for p in (x.lo, _middle(x), x.hi) if p != 0 and p.is_finite()]
        values = [self.turned(self.function.at(p)) for p in inner]
        for p, value in zip(inner, values, strict=True):
            if value.lo.is_finite():
                self.scale = max(self.scale, abs(float(value.lo)))
                if value.lo > self.best:
                    self.best, self.best_at = value.lo, self.function.place(p)
        bound, monotone = self.function.bound(x)
        upper = self.turned(bound).hi
        if monotone:
            self.rest = iv.greatest((self.rest, *(v.hi for v in values)))
        elif not upper <= self.best:
            # The order of boxes is a matter of speed only, so a float may stand for the bound.
            heapq.heappush(self.heap, (-float(upper), next(self.count), upper, x))

    def tolerance(self) -> float:
        """Relative to the value; where that is near 0, to the size of the function."""
        return self.relative * max(abs(float(self.best)), 1e-3 * self.scale) if self.best.is_finite() else 0.0


def _ends(
    expression: sp.Expr, s: sp.Symbol, near: Callable[[Interval], Interval], continuous: bool, periodic: bool
) -> dict[sp.Expr, sp.Expr]:
    """Values at 0 and in the limit at oo, where SymPy finds them and certified bounds there agree."""
    found: dict[sp.Expr, sp.Expr] = {}
    small = [Interval(ZERO, arb(2) ** -k) for k in (30, 300)]
    large = [Interval(arb(2) ** k, iv.INFINITY) for k in (30, 300)]
    for place, side, boxes in ((sp.S.Zero, "+", small), (sp.oo, "-", large)):
        value = None
        if not (periodic and place == sp.oo):
            value = attempt(partial(_end, expression, s, place, side, continuous))
        enclosure = None if value is None else attempt(partial(number, value))
        if value is not None and enclosure is not None and all(_meet(enclosure, near(x)) for x in boxes):
            found[place] = value
    return found


def _end(expression: sp.Expr, s: sp.Symbol, place: sp.Expr, side: str, continuous: bool) -> sp.Expr | None:
    value = expression.subs(s, 0) if place == 0 and continuous else sp.nan
    return limit(expression, s, place, side) if value.has(sp.nan, sp.zoo) else value


def _meet(a: Interval, b: Interval) -> bool:
    return bool(a.lo <= b.hi and b.lo <= a.hi)


def _middle(x: Interval) -> arb:
    """A point inside: geometric for wide boxes, four times the start for a tail."""
    if not x.hi.is_finite():
        return 4 * x.lo
    if x.lo > 0 and x.hi > 4 * x.lo:
        return (x.lo * x.hi).sqrt().mid()
    return ((x.lo + x.hi) / 2).mid()


def _narrow(x: Interval) -> bool:
    """Beyond what halving can still decide."""
    return bool(x.lo > arb(2) ** 200 or x.hi < arb(2) ** -200 or x.hi - x.lo < x.hi * arb(2) ** -60)


def above(bound: arb, digits: int = DIGITS) -> sp.Rational:
    """A rational number of so many digits that is not below `bound`."""
    if not bound.is_finite():
        raise UndecidedError("it has no finite bound that could be found")
    mantissa, exponent = bound.man_exp()
    exact = sp.Rational(int(mantissa)) * sp.Rational(2) ** int(exponent)
    if exact == 0:
        return sp.S.Zero
    unit = sp.Rational(10) ** (math.floor(math.log10(abs(float(bound)))) + 1 - digits)
    return sp.ceiling(exact / unit) * unit
