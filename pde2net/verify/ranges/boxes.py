"""Certified bounds over a box of several variables, by branch and bound with interval arithmetic.

Each variable is a function of t in [0, 1]: its end plus a share of the way to the other end, or plus
s = t/(1 - t). A part of the box is bounded by values, in s and in t, and by the mean value theorem. Where the
slope in a variable has one sign, only the face with the larger values matters.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import sympy as sp
from flint import arb, ctx

from pde2net.verify.ranges import intervals as iv
from pde2net.verify.ranges.algebra import rearranged
from pde2net.verify.ranges.balls import PRECISION, above
from pde2net.verify.ranges.enclosures import attempt
from pde2net.verify.ranges.evaluate import Image, image, number
from pde2net.verify.ranges.intervals import EVERYTHING, ONE, ZERO, Interval, UndefinedError
from pde2net.verify.ranges.record import UndecidedError

RELATIVE = 1e-6
MOST_BOXES = 1500
FEW = 300  # after which there is a bound, if there will ever be one
DIGITS = 8

Box = tuple[Interval, ...]


@dataclass(frozen=True)
class _Axis:
    """A variable, as a function of its coordinate: end + s or end - s on a half-line, else end + width t."""

    variable: sp.Symbol
    end: sp.Expr
    towards: sp.Expr

    @property
    def half(self) -> bool:
        return not self.towards.is_finite

    def at(self, coordinate: sp.Expr) -> sp.Expr:
        if self.half:
            return self.end + coordinate if self.towards == sp.oo else self.end - coordinate
        return self.end + (self.towards - self.end) * coordinate

    def image(self, t: Interval) -> Interval:
        """The coordinate, s or t."""
        if not self.half:
            return t
        high = iv.INFINITY if t.hi == 1 else (t.hi / (1 - t.hi)).upper()
        return Interval((t.lo / (1 - t.lo)).lower(), high)


def supremum(expression: sp.Expr, ends: Mapping[sp.Symbol, tuple[sp.Expr, sp.Expr]]) -> sp.Expr:
    """An upper bound of an expression that is smooth on a box, each side of which has a finite end.

    It is the supremum itself, or about RELATIVE above it, or what MOST_BOXES parts of the box have shown.
    Raises UndecidedError where that is nothing, and for expressions with parameters.
    """
    axes = [
        _Axis(v, *((lower, upper) if lower.is_finite else (upper, lower)))
        for v, (lower, upper) in ends.items()
        if v in expression.free_symbols
    ]
    foreign = expression.free_symbols - {a.variable for a in axes}
    if foreign:
        raise UndecidedError(f"{expression} needs numbers for {', '.join(sorted(map(str, foreign)))}")
    with ctx.workprec(PRECISION):
        return _Search(expression, axes).run()


class _Search:
    """best  a value that is attained, from below
    exact  the values at corners, which are known exactly
    heap   what is left of the box, with upper bounds
    """

    def __init__(self, expression: sp.Expr, axes: list[_Axis]) -> None:
        self.axes = axes
        self.names = tuple(sp.Dummy(a.variable.name, real=True) for a in axes)
        form = expression.xreplace({a.variable: a.at(c) for a, c in zip(axes, self.names, strict=True)})
        self.forms = [image(form, self.names)]
        factored = attempt(lambda: image(rearranged(form, sp.factor), self.names))
        self.forms += [] if factored is None else [factored]
        inner = {c: c / (1 - c) for a, c in zip(axes, self.names, strict=True) if a.half}
        together = attempt(
            lambda: image(rearranged(form.xreplace(inner), sp.together, sp.factor), self.names)
        )
        self.compact = [] if together is None else [together]
        self.slopes = [self.slope(form, c) for c in self.names]
        self.best, self.scale = iv.MINUS_INFINITY, 0.0
        self.exact = dict(self.corners(form))
        self.heap: list[tuple[float, int, arb, Box]] = []
        self.parts = 0

    def slope(self, form: sp.Expr, name: sp.Symbol) -> list[Image]:
        plain = sp.diff(form, name)
        factored = attempt(lambda: rearranged(plain, sp.together, sp.factor))
        ways = [attempt(partial(image, e, self.names)) for e in (plain, factored) if e is not None]
        return [way for way in ways if way is not None]

    def corners(self, form: sp.Expr) -> dict[tuple[int, ...], sp.Expr]:
        found = {}
        for place in itertools.product(*((0,) if a.half else (0, 1) for a in self.axes)):
            value = form.xreplace(dict(zip(self.names, map(sp.Integer, place), strict=True)))
            enclosed = attempt(partial(number, value))
            if enclosed is not None and value.is_finite:
                found[place] = value
                self.seen(enclosed.lo)
        return found

    def seen(self, value: arb) -> None:
        if value.is_finite():
            self.scale = max(self.scale, abs(float(value)))
            self.best = iv.greatest((self.best, value))

    def run(self) -> sp.Expr:
        self.push(tuple(Interval(ZERO, ONE) for _ in self.axes))
        while self.heap and self.parts < (MOST_BOXES if self.heap[0][2].is_finite() else FEW):
            if self.heap[0][2] - self.best <= self.tolerance():
                break
            box = heapq.heappop(self.heap)[3]
            k = max(range(len(box)), key=lambda i: float(box[i].hi - box[i].lo))
            middle = ((box[k].lo + box[k].hi) / 2).mid()
            for part in (Interval(box[k].lo, middle), Interval(middle, box[k].hi)):
                self.push((*box[:k], part, *box[k + 1 :]))
        # Parts that were left out have no values above `best`.
        top = iv.greatest((self.best, *(upper for _, _, upper, _ in self.heap)))
        champion = max(self.exact.values(), key=lambda v: float(number(v).lo), default=None)
        if champion is not None and top <= number(champion).lo:
            return champion
        known = [number(v).hi for v in self.exact.values()]
        return above(iv.greatest((top, *known)), DIGITS)

    def tolerance(self) -> float:
        return RELATIVE * max(abs(float(self.best)), 1e-3 * self.scale) if self.best.is_finite() else 0.0

    def push(self, box: Box) -> None:
        """Bound a part, or its face with the larger values; keep it if it may exceed what is known."""
        self.parts += 1
        slopes = [self.bounded(ways, (), box) for ways in self.slopes]
        for k, slope in enumerate(slopes):
            if slope.hi <= 0:
                box = (*box[:k], Interval(box[k].lo, box[k].lo), *box[k + 1 :])
            elif slope.lo >= 0 and not (self.axes[k].half and box[k].hi == 1):
                box = (*box[:k], Interval(box[k].hi, box[k].hi), *box[k + 1 :])
        if (
            all(x.lo == x.hi and x.lo in (0, 1) for x in box)
            and tuple(int(x.lo == 1) for x in box) in self.exact
        ):
            return
        value = self.bounded(self.forms, self.compact, box)
        middle = tuple(Interval(m, m) for m in (((x.lo + x.hi) / 2).mid() for x in box))
        centre = self.bounded(self.forms, self.compact, middle)
        self.seen(centre.lo)
        if not any(a.half and x.hi == 1 for a, x in zip(self.axes, box, strict=True)):
            moved = centre
            for axis, slope, x, m in zip(self.axes, slopes, box, middle, strict=True):
                if x.lo != x.hi:
                    moved += slope * (axis.image(x) + -axis.image(m))
            value = value.meet(moved)
        if not value.hi <= self.best:
            heapq.heappush(self.heap, (-float(value.hi), self.parts, value.hi, box))

    def bounded(self, ways: list[Image], compact: list[Image] | tuple[()], box: Box) -> Interval:
        """What all ways say of a part, those in s and those in t."""
        own = tuple(a.image(x) for a, x in zip(self.axes, box, strict=True))
        found = EVERYTHING
        for way, place in (*((w, own) for w in ways), *((w, box) for w in compact)):
            try:
                found = found.meet(way(place))
            except UndefinedError:
                continue
        return found
