"""Ranges of functions without parameters, by ball arithmetic alone."""

from __future__ import annotations

from functools import cache

import sympy as sp

from pde2net.verify.ranges import UndecidedError
from pde2net.verify.ranges.balls import enclose
from pde2net.verify.ranges.pieces import KINKS, pieces

Interval = tuple[sp.Expr, sp.Expr]
_S = sp.Symbol("s", positive=True)


@cache
def ball_range(expression: sp.Expr, variable: sp.Symbol) -> Interval:
    """Bounds of a function of one variable over [0, oo), from outside by at most 1e-6 of its size."""
    body = expression.subs(variable, _S)
    found: list[sp.Expr] = []
    for piece in pieces(body, _S):
        part = piece.on_half_line(_S)
        if _S in part.free_symbols:
            both = enclose(part, _S)
            found += [both.lower, both.upper]
        else:
            found.append(part)
    if expression.has(*KINKS):
        found += [body.subs(_S, p.start) for p in pieces(body, _S)[1:]]
        at_zero = expression.subs(variable, 0)
        if not at_zero.has(sp.nan, sp.zoo):
            found.append(at_zero)
    return sp.Min(*found), sp.Max(*found)


@cache
def slope_range(diffusivity: sp.Expr, variable: sp.Symbol) -> Interval:
    """Bounds of Phi'(q), Phi(q) = g(q²) q: over q, not over s2 as the first verifier does it."""
    slopes: list[sp.Expr] = []
    for piece in pieces(diffusivity.subs(variable, _S), _S):
        flux = sp.powdenest(_S * piece.body.subs(_S, _S**2), force=True)
        slope = sp.diff(sp.expand(flux), _S)
        moved = slope.subs(_S, sp.sqrt(piece.place(_S))) if piece.start != 0 or piece.end != sp.oo else slope
        if _S in moved.free_symbols:
            found = enclose(sp.together(moved), _S)
            slopes += [found.lower, found.upper]
        else:
            slopes.append(moved)
    return sp.Min(*slopes), sp.Max(*slopes)


def real_range(expression: sp.Expr) -> Interval:
    """Bounds over all real values of the variables, which are taken apart in sums and products."""
    variables = sorted(expression.free_symbols, key=str)
    if not variables:
        return expression, expression
    if len(variables) == 1:
        v = variables[0]
        s = sp.Symbol("v", nonnegative=True)
        halves = [ball_range(expression.xreplace({v: s}), s)]
        if not v.is_nonnegative:
            halves.append(ball_range(expression.xreplace({v: -s}), s))
        return sp.Min(*(h[0] for h in halves)), sp.Max(*(h[1] for h in halves))
    for func in (sp.Mul, sp.Add):
        parts = _separated(sp.expand_power_exp(expression), func)
        if len(parts) > 1:
            found = real_range(parts[0])
            for part in parts[1:]:
                found = _combined(found, real_range(part), func)
            return found
    raise UndecidedError(f"the range of {expression} cannot be confirmed")


def _separated(expression: sp.Expr, func: type) -> list[sp.Expr]:
    """Summands or factors, those that share a variable together."""
    groups: list[sp.Expr] = []
    for argument in func.make_args(expression):  # type: ignore[attr-defined]
        sharing = [g for g in groups if g.free_symbols & argument.free_symbols]
        groups = [g for g in groups if g not in sharing] + [func(argument, *sharing)]
    return groups


def _combined(a: Interval, b: Interval, func: type) -> Interval:
    if func is sp.Add:
        return a[0] + b[0], a[1] + b[1]
    products = [p * q for p in a for q in b]
    return sp.Min(*products), sp.Max(*products)
