"""Real numbers of SymPy to 80 digits, compared to 60, and numbers drawn for symbols."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterable, Iterator
from typing import Any

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import sympy as sp

from pde2net.errors import RecheckError

DIGITS = 80
CONTEXT = mpmath.MPContext()
CONTEXT.dps = DIGITS
_SAME = CONTEXT.mpf(10) ** -60

Number = Any  # an mpf of CONTEXT
INFINITY: Number = CONTEXT.inf
ZERO: Number = CONTEXT.mpf(0)
ONE: Number = CONTEXT.mpf(1)


class NoOpinionError(Exception):
    """The second derivation does not know; nothing follows for the certificate."""


@contextlib.contextmanager
def as_far_as_known() -> Iterator[None]:
    """What cannot be derived is no disagreement: SymPy gives up in many ways. RecheckErrors are raised on."""
    try:
        yield
    except RecheckError:
        raise
    except Exception:
        return


def number(expression: sp.Basic) -> Number:
    """A real number or infinity. Raises NoOpinionError for anything else."""
    if expression.is_Rational:
        return CONTEXT.mpf(expression.p) / expression.q
    if expression in (sp.oo, -sp.oo):
        return INFINITY if expression == sp.oo else -INFINITY
    value = sp.N(expression, DIGITS) if isinstance(expression, sp.Expr) else None
    if value is None or not value.is_Float:
        if value is not None and value.is_Rational:
            return number(value)
        raise NoOpinionError(f"{str(expression)[:100]} is no real number")
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


def drawn(symbols: Iterable[sp.Symbol], draw: int) -> dict[sp.Symbol, sp.Expr]:
    """A number of admissible sign for each symbol, the same in each run.

    Of signs that are not declared all are + in the first draw and - in the second.
    """
    source = random.Random(f"draw {draw}")
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
