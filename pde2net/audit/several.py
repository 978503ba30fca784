"""Extrema over several variables from numbers: those of a lattice, where corners or bounds hold them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import sympy as sp

from pde2net.audit.exactly import CONTEXT, DIGITS, NoOpinionError, Number, number
from pde2net.errors import RecheckError
from pde2net.language.bounds import Interval
from pde2net.verify.ranges import half_line
from pde2net.verify.ranges.several import domain, extrema

FAR = CONTEXT.mpf(10) ** 200  # stands for oo
SHARES = [CONTEXT.mpf(k) / 16 for k in range(1, 16)]
MOST = 40_000  # points
NEAR, ROUNDING = CONTEXT.mpf(1) / 10, CONTEXT.mpf(10) ** -60


def corners(expression: sp.Expr, intervals: Mapping[sp.Symbol, Interval]) -> tuple[Number, Number]:
    """(inf, sup) over a box, if points inside have no value beyond those of its corners.

    Raises NoOpinionError if they have, and for functions without numbers.
    """
    ends, lattices = zip(*(_points(v, *pair) for v, pair in intervals.items()), strict=True)
    function = sp.lambdify(list(intervals), expression, "mpmath")
    with mpmath.workdps(DIGITS):
        low, high = _extremes(function, ends)
        least, largest = _extremes(function, lattices)
        slack = ROUNDING * (1 + abs(low) + abs(high))
        if not low - slack <= least <= largest <= high + slack:
            raise NoOpinionError(f"the extremes of {expression} lie inside")
    return low, high


def inside(expression: sp.Expr, intervals: Mapping[sp.Symbol, Interval]) -> tuple[Number, Number]:
    """The bounds of the first derivation, where points of the box almost reach them and none exceeds them.

    Raises NoOpinionError if they do not, and UndecidedError where there are no bounds.
    """
    domains = {v: domain(v, pair) for v, pair in intervals.items()}
    low, high = map(number, extrema(expression, domains, _asked))
    function = sp.lambdify(list(intervals), expression, "mpmath")
    with mpmath.workdps(DIGITS):
        least, largest = _extremes(function, [_points(v, *pair)[1] for v, pair in intervals.items()])
    slack = ROUNDING * (1 + abs(low) + abs(high))
    if least < low - slack or largest > high + slack:
        raise RecheckError(f"{expression} has values outside of [{float(low):.9g}, {float(high):.9g}].")
    if max(least - low, high - largest) > NEAR * (high - low):
        raise NoOpinionError(f"the extremes of {expression} are not found")
    return low, high


def _asked(expression: sp.Expr, s: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    found = half_line(expression, s)
    return found.lower, found.upper


def _extremes(function: Callable[..., Number], points: Sequence[Sequence[Number]]) -> tuple[Number, Number]:
    if math.prod(map(len, points)) > MOST:
        raise NoOpinionError("there are too many variables")
    values = [CONTEXT.mpf(function(*point)) for point in itertools.product(*points)]
    return min(values), max(values)


def _points(v: sp.Symbol, lower: sp.Expr, upper: sp.Expr) -> tuple[Sequence[Number], Sequence[Number]]:
    """The ends of an interval, and these with points between."""
    ends = [number(e) if e.is_finite else (FAR if e == sp.oo else -FAR) for e in (lower, upper)]
    if v.is_nonzero:
        ends = [e if e != 0 else (1 if upper > 0 else -1) / FAR for e in ends]
    a, b = ends
    if lower.is_finite and upper.is_finite:
        inner = [a + (b - a) * t for t in SHARES]
    else:
        reach = [CONTEXT.mpf(2) ** k for k in range(-14, 15, 2)]
        below = [] if upper == sp.oo and lower.is_finite else [-r for r in reach]
        above = [] if lower == -sp.oo and upper.is_finite else reach
        inner = [(a if lower.is_finite else b if upper.is_finite else 0) + r for r in (*below, *above)]
    return ends, [a, *inner, b]
