"""Extrema over several variables from numbers: where the corners of a box hold the extremes of a lattice."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import sympy as sp

from pde2net.audit.exactly import CONTEXT, DIGITS, NoOpinionError, Number, number
from pde2net.language.bounds import Interval

FAR = CONTEXT.mpf(10) ** 200  # stands for oo
SHARES = [CONTEXT.mpf(k) / 16 for k in range(1, 16)]
MOST = 40_000  # points


def corners(expression: sp.Expr, intervals: Mapping[sp.Symbol, Interval]) -> tuple[Number, Number]:
    """(inf, sup) over a box, if points inside have no value beyond those of its corners.

    Raises NoOpinionError if they have, and for functions without numbers.
    """
    ends, lattices = zip(*(_points(v, *pair) for v, pair in intervals.items()), strict=True)
    if CONTEXT.mpf(len(lattices[0])) ** len(lattices) > MOST:
        raise NoOpinionError(f"{expression} has too many variables")
    function = sp.lambdify(list(intervals), expression, "mpmath")
    with mpmath.workdps(DIGITS):
        outer = [CONTEXT.mpf(function(*point)) for point in itertools.product(*ends)]
        low, high = min(outer), max(outer)
        slack = CONTEXT.mpf(10) ** -60 * (1 + abs(low) + abs(high))
        for point in itertools.product(*lattices):
            if not low - slack <= function(*point) <= high + slack:
                raise NoOpinionError(f"the extremes of {expression} lie inside")
    return low, high


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
