"""Real numbers of SymPy to 80 digits, compared to 60, and numbers drawn for symbols."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import sympy as sp
from sympy.logic.boolalg import BooleanAtom

from pde2net.errors import RecheckError

DIGITS = 80
CONTEXT = mpmath.MPContext()
CONTEXT.dps = DIGITS
_SAME = CONTEXT.mpf(10) ** -60

Number = Any  # an mpf of CONTEXT
INFINITY: Number = CONTEXT.inf
ZERO: Number = CONTEXT.mpf(0)
ONE: Number = CONTEXT.mpf(1)

# What the figures of a certificate are made of: nothing that could be wrong at single points only.
_PARTS: tuple[type, ...] = (
    *(sp.Add, sp.Mul, sp.Pow, sp.exp, sp.log, sp.sin, sp.cos, sp.tan, sp.sinh, sp.cosh, sp.tanh, sp.erf),
    *(sp.atan, sp.asin, sp.acos, sp.LambertW, sp.CRootOf, sp.Max, sp.Min, sp.Abs),
    *(sp.Symbol, sp.Rational, sp.NumberSymbol, sp.Rel, BooleanAtom),
)


def number(expression: sp.Basic) -> Number:
    """A real number or infinity. Raises RecheckError for anything else."""
    if expression.is_Rational:
        return CONTEXT.mpf(expression.p) / expression.q
    if expression in (sp.oo, -sp.oo):
        return INFINITY if expression == sp.oo else -INFINITY
    value = sp.N(expression, DIGITS) if isinstance(expression, sp.Expr) else None
    if value is None or not value.is_Float:
        if value is not None and value.is_Rational:
            return number(value)
        raise RecheckError(f"{str(expression)[:100]} is no real number")
    return CONTEXT.make_mpf(value._mpf_)


def same(a: Number, b: Number, size: Number = ZERO) -> bool:
    """Equal to 60 digits, relative to the larger one or to `size`."""
    if a == b:
        return True
    if not (CONTEXT.isfinite(a) and CONTEXT.isfinite(b)):
        return False
    return bool(abs(a - b) <= _SAME * max(abs(a), abs(b), size))


def at_most(a: Number, b: Number) -> bool:
    return bool(a <= b or same(a, b))


def require_plain(expression: sp.Basic) -> None:
    """Raise RecheckError for a figure that is not elementary, such as a Piecewise."""
    for node in sp.preorder_traversal(expression):
        infinite = node in (sp.oo, -sp.oo)
        if not infinite and not isinstance(node, _PARTS):
            raise RecheckError(f"{str(node)[:100]} may not occur in a figure")


def drawn(symbols: Iterable[sp.Symbol], draw: int) -> dict[sp.Symbol, sp.Expr]:
    """An unpredictable number of admissible sign for each symbol.

    A formula that is not the one expected agrees with it at such numbers with probability 0. Of signs
    that are not declared all are + in the first draw and - in the second.
    """
    source = random.SystemRandom()
    values: dict[sp.Symbol, sp.Expr] = {}
    for symbol in sorted(symbols, key=str):
        if symbol.is_integer:
            value: sp.Expr = sp.Integer(source.randint(1, 4))
        else:
            value = sp.Rational(source.randint(10**5, 10**6), 10 ** source.choice((4, 5, 6, 6, 6, 7, 8)) + 7)
        negative = draw == 1 or (draw > 1 and source.random() < 0.5)
        if symbol.is_nonpositive or (negative and not symbol.is_nonnegative):
            value = -value
        values[symbol] = value
    return values
