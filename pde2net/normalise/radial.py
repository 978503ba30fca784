"""Finds the scalar diffusivity of a flux: responses[i] = w_i g(|p|^2) p_i over groups of axes."""

from __future__ import annotations

from collections.abc import Collection

import sympy as sp

from pde2net.normalise.products import has_factor, summands
from pde2net.normalise.terms import SQUARED, RadialGroup

NEAR = 1e-6  # numbers that differ by more belong to different expressions


def radial_groups(
    responses: tuple[sp.Expr, ...], slopes: tuple[sp.Symbol, ...], moving: Collection[sp.Symbol] = ()
) -> tuple[RadialGroup, ...] | None:
    """Group the axes whose responses share a diffusivity, with their weights, which are free of `moving`.

    None where a response has no such form.
    """
    found: dict[tuple[frozenset[int], sp.Expr], list[tuple[int, sp.Expr]]] = {}
    for i, response in enumerate(responses):
        if response == 0:
            continue
        ratio = divide(response, slopes[i])
        inside = [j for j, p in enumerate(slopes) if p in ratio.free_symbols]
        g = as_function_of_square(ratio, tuple(slopes[j] for j in inside))
        if g is None:
            return None
        weight, base = g.as_independent(SQUARED, *moving, as_Add=False)
        found.setdefault((frozenset(inside), base), []).append((i, weight))
    groups = []
    for (inside_set, base), members in found.items():
        axes = tuple(i for i, _ in members)
        if inside_set and inside_set != frozenset(axes):
            return None  # a slope feeds g but carries no flux of its own: no penaliser exists
        groups.append(RadialGroup(axes, tuple(w for _, w in members), base))
    return tuple(groups)


def divide(expression: sp.Expr, by: sp.Symbol) -> sp.Expr:
    """expression / by with common factors cancelled, structure kept where possible."""
    if expression.is_Add:
        return sp.Add(*(divide(a, by) for a in expression.args))
    return expression / by


def as_function_of_square(ratio: sp.Expr, slopes: tuple[sp.Symbol, ...]) -> sp.Expr | None:
    """`ratio` as g(SQUARED) with SQUARED the sum of the squared slopes, or None."""
    if not ratio.free_symbols & set(slopes):
        return ratio
    square = sum(p**2 for p in slopes)
    candidate = ratio.subs(square, SQUARED)
    if candidate.free_symbols & set(slopes):
        candidate = _part_by_part(ratio, slopes) or candidate
    if len(slopes) == 1 and candidate.free_symbols & set(slopes):
        root = sp.sqrt(SQUARED)
        candidate = ratio.subs(slopes[0], root)
        if _apart(candidate, ratio.subs(slopes[0], -root)):
            return None
    elif candidate.free_symbols & set(slopes):
        first, *rest = slopes
        if _apart(ratio, ratio.subs(first, -first)):
            return None
        candidate = sp.simplify(ratio.subs(first, sp.sqrt(SQUARED - sum(p**2 for p in rest))))
    return None if candidate.free_symbols & set(slopes) else candidate


def _apart(a: sp.Expr, b: sp.Expr) -> bool:
    """Whether two expressions are not seen to be the same; by numbers first, `simplify` may take seconds."""
    symbols = sorted(a.free_symbols | b.free_symbols, key=str)
    for size in (1, 20):
        numbers = (size * sp.Rational(3 + k, 7 + 2 * k) for k in range(len(symbols)))
        sample = {s: -n if s.is_nonpositive else n for s, n in zip(symbols, numbers, strict=True)}
        difference = sp.N((a - b).xreplace(sample))
        if difference.is_number and difference.is_finite and abs(difference) > NEAR:
            return True
    return bool(sp.simplify(a - b) != 0)


def _part_by_part(expression: sp.Expr, slopes: tuple[sp.Symbol, ...]) -> sp.Expr | None:
    """The expression with polynomials in the sum of squares, wherever they stand, in terms of SQUARED.

    None if there are others. SymPy's `simplify` would bring exponentials of all to one base, whose powers may
    be beyond what the arithmetic of polynomials takes.
    """
    if not expression.free_symbols & set(slopes):
        return expression
    if expression.is_polynomial(*slopes):
        return _polynomial(expression, slopes)
    if not expression.args:
        return None
    parts = [_part_by_part(a, slopes) if isinstance(a, sp.Expr) else None for a in expression.args]
    return None if any(part is None for part in parts) else expression.func(*parts)


def _polynomial(expression: sp.Expr, slopes: tuple[sp.Symbol, ...]) -> sp.Expr | None:
    first, *others = slopes
    rest = SQUARED - sp.Add(*(p**2 for p in others))
    terms = sp.Poly(expression, first).terms()
    if any(power % 2 for (power,), _ in terms):
        return None
    found = sp.expand(sp.Add(*(c * rest ** (power // 2) for (power,), c in terms)))
    return None if found.free_symbols & set(slopes) else found


def vanishes(flux: sp.Expr, slope: sp.Symbol) -> bool:
    """Whether the flux is 0 where the slope is (a singular diffusivity times the slope counts)."""
    terms = summands(flux, lambda e: slope in e.free_symbols)
    return all(has_factor(term, slope) or sp.simplify(term.subs(slope, 0)) == 0 for term in terms)
