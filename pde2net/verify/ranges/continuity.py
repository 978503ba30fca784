"""Continuity on the half-line, which bounds of a derivative alone do not give: sign(u) has slope 0."""

from __future__ import annotations

import itertools

import sympy as sp

from pde2net.verify.ranges.exact import ENTIRE, limit, sign_on_half_line
from pde2net.verify.ranges.pieces import pieces
from pde2net.verify.ranges.record import UndecidedError, positive_symbol


def require_continuous(expression: sp.Expr, s: sp.Symbol, at_zero: sp.Expr | None) -> None:
    """Raise UndecidedError unless `expression` is continuous on (0, oo), tending to at_zero (if given) at 0.

    s is a positive symbol. Every operation must be continuous where it is applied, and pieces must
    meet at their breakpoints, together with values at single points.
    """
    parts = pieces(expression, s)
    for part in parts:
        _require_defined(part.on_half_line(s), s)
    for left, right in itertools.pairwise(parts):
        values = [e.subs(s, right.start) for e in (left.body, expression, right.body)]
        if any(sp.simplify(v - values[0]) != 0 for v in values[1:]):
            raise UndecidedError(f"{expression} jumps at {right.start}; a jump has no slope")
    if at_zero is None:
        return
    first = parts[0].body
    start = limit(first, s, sp.S.Zero) if s in first.free_symbols else first
    if start is None:
        raise UndecidedError(f"the limit of {first} at 0 could not be found")
    if sp.simplify(start - at_zero) != 0:
        raise UndecidedError(f"{expression} jumps at 0, from {at_zero} to {start}")


def require_continuous_on(expression: sp.Expr, u: sp.Symbol, interval: tuple[sp.Expr, sp.Expr]) -> None:
    """The same for all u from one end of an interval to the other."""
    lower, upper = interval
    s = positive_symbol(expression, lower, upper)
    length = (upper - lower) * s / (1 + s) if (upper - lower).is_finite else s
    starts = [(lower, lower + length)] if lower.is_finite else []
    starts += [(upper, upper - length)] if upper.is_finite else []
    for start, place in starts or [(sp.S.Zero, s), (sp.S.Zero, -s)]:
        require_continuous(expression.subs(u, place), s, expression.subs(u, start))


def _require_defined(expression: sp.Expr, s: sp.Symbol) -> None:
    for node in sp.preorder_traversal(expression):
        if s not in node.free_symbols or node == s or node.is_Add or node.is_Mul or isinstance(node, ENTIRE):
            continue
        if node.is_Pow and s not in node.exp.free_symbols:
            if node.exp.is_Integer and node.exp.is_nonnegative:
                continue
            sign = _sign(node.base, s)
            if sign == 1 or (sign == -1 and node.exp.is_Integer):
                continue
        elif (node.is_Pow or isinstance(node, sp.log)) and _sign(node.args[0], s) == 1:
            continue
        raise UndecidedError(f"{node} is not known to be continuous")


def _sign(base: sp.Expr, s: sp.Symbol) -> int | None:
    """The sign of a function on (0, oo), structurally, by the signs of its symbols or by ball arithmetic."""
    top, bottom = map(sp.expand, sp.fraction(sp.together(base)))
    if bottom.is_positive and (top.is_positive or top.is_negative):
        return 1 if top.is_positive else -1
    sign = sign_on_half_line(base, s)
    if sign is not None or base.free_symbols != {s}:
        return sign
    from pde2net.verify.ranges.balls import enclose

    found = enclose(base, s)
    if found.lower.is_positive:
        return 1
    return -1 if found.upper.is_negative else None
