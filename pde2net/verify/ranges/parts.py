"""Expressions that depend on several variables through one part of them alone."""

from __future__ import annotations

from collections.abc import Iterable

import sympy as sp

from pde2net.language.spline import SplineDiffusivity
from pde2net.language.symbols import per_filter
from pde2net.normalise.terms import SQUARED


def through_one_part(expression: sp.Expr, variables: Iterable[sp.Symbol]) -> tuple[sp.Expr, sp.Symbol] | None:
    """(f, q) with expression = f(q) for a part q of it that holds all variables; the largest such part.

    q has the sign that SymPy knows of the part, so the range of f over all such q contains that of the
    expression. None if there is no such part.
    """
    inside = set(variables)
    for whole in sp.preorder_traversal(expression):
        if not isinstance(whole, sp.Expr) or not inside <= whole.free_symbols:
            continue
        kept, part = whole.as_independent(*inside, as_Add=whole.is_Add)
        if part == expression or not part.is_real:
            continue
        known = {"nonnegative": True} if part.is_nonnegative else {}
        q = sp.Symbol(f"({part})", real=True, **known)
        found = expression.xreplace({whole: kept + q if whole.is_Add else kept * q})
        if not found.free_symbols & inside:
            return found, q
    return None


def weighted_kernels(diffusivity: sp.Expr) -> list[tuple[sp.Expr, sp.Expr]]:
    """(w, e) with g the sum of w e, where that is how g is bounded: term by term, at once.

    So it is for mixtures sum w_j e_j(s2) of falling kernels with weights that are symbols, and where filters
    have parameters or splines of their own; each e_j is bounded by itself. Other diffusivities are one term.
    """
    terms = [t.as_independent(SQUARED, as_Add=False) for t in sp.Add.make_args(diffusivity)]
    if per_filter(diffusivity) or diffusivity.has(SplineDiffusivity):
        return terms
    weights = [w for w, _ in terms]
    mixed = len(terms) > 1 and all(w.is_nonnegative for w in weights) and any(w.free_symbols for w in weights)
    if mixed and all(sp.factor(-e.diff(SQUARED)).is_nonnegative for _, e in terms):
        return terms
    return [(sp.S.One, diffusivity)]
