"""Expressions that depend on several variables through one part of them alone."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp


def through_one_part(expression: sp.Expr, variables: Iterable[sp.Symbol]) -> tuple[sp.Expr, sp.Symbol] | None:
    """(f, q) with expression = f(q) for a part q of it that holds all variables; the largest such part.

    q has the sign that SymPy knows of the part, so the range of f over all such q contains that of the
    expression. None if there is no such part.
    """
    inside = set(variables)
    for whole in sp.preorder_traversal(expression):
        if not isinstance(whole, sp.Expr) or not inside <= whole.free_symbols:
            continue
        part = _varying(whole, inside)
        if part == expression or not part.is_real:
            continue
        known = {"nonnegative": True} if part.is_nonnegative else {}
        q = sp.Symbol(f"({part})", real=True, **known)
        found = expression.xreplace({whole: q if part == whole else _with(whole, inside, q)})
        if not found.free_symbols & inside:
            return found, q
    return None


def _varying(whole: sp.Expr, inside: set[sp.Symbol]) -> sp.Expr:
    """Of a sum or a product the terms or factors with variables; anything else as it is."""
    if not (whole.is_Add or whole.is_Mul):
        return whole
    return whole.func(*(a for a in whole.args if a.free_symbols & inside))


def _with(whole: sp.Expr, inside: set[sp.Symbol], q: sp.Symbol) -> sp.Expr:
    """A sum or a product with q in place of what varies in it."""
    return whole.func(q, *(a for a in whole.args if not a.free_symbols & inside))
