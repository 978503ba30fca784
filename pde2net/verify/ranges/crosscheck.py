"""A last look at an answer from outside: samples can refute it, never confirm it."""

from __future__ import annotations

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import sympy as sp

from pde2net.verify.ranges.record import Range, UndecidedError

SLACK, DIGITS = mpmath.mpf("1e-9"), 30


def crosscheck(expression: sp.Expr, variable: sp.Symbol, result: Range) -> None:
    """Raise UndecidedError if a value of the function lies outside of the range found for it."""
    if expression.has(sp.DiracDelta):
        raise UndecidedError(f"{expression} has a slope where something jumps")
    free = expression.free_symbols | result.upper.free_symbols | result.lower.free_symbols
    names = sorted(free - {variable}, key=str)
    sample = {p: sp.Rational(3 + 2 * i, 4) * (-1 if p.is_nonpositive else 1) for i, p in enumerate(names)}
    function = sp.lambdify(variable, expression.subs(sample), "mpmath")
    with mpmath.workdps(DIGITS):
        lower, upper = (_number(end.subs(sample)) for end in (result.lower, result.upper))
        for k in range(-24, 25):
            point = (mpmath.mpf(7) / 4) ** k
            try:
                value = mpmath.mpf(function(point))
            except (ArithmeticError, TypeError, ValueError):
                continue  # a Piecewise branch that is not taken there, or beyond the range of floats
            slack = SLACK * (1 + abs(value))
            if value > upper + slack or value < lower - slack:
                at = mpmath.nstr(point, 3)
                raise UndecidedError(f"a sample at {variable} = {at} contradicts the range found")


def _number(end: sp.Expr) -> mpmath.mpf:
    return mpmath.mpf({sp.oo: "inf", -sp.oo: "-inf"}.get(end) or str(end.evalf(DIGITS)))
