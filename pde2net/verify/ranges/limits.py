"""Limits of expressions, where SymPy finds them."""

from __future__ import annotations

import sympy as sp


def limit(expression: sp.Expr, s: sp.Symbol, place: sp.Expr, side: str = "+") -> sp.Expr | None:
    """The one-sided limit, a number or an infinity; None where SymPy finds none.

    SymPy has no series of Min and Max, and stops at signs of symbols that it does not know.
    """
    try:
        value = sp.limit(expression, s, place, side)
    except (NotImplementedError, TypeError, ValueError):
        return None
    proper = isinstance(value, sp.Expr) and not value.has(sp.Limit, sp.AccumBounds, sp.nan, sp.zoo)
    return value if proper else None
