"""Continuity by structure: what a derivative alone does not show, since it vanishes beside a jump."""

from __future__ import annotations

import sympy as sp

from pde2net.language.traversal import nodes

_CONTINUOUS = (
    *(sp.Add, sp.Mul, sp.exp, sp.sin, sp.cos, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.asinh, sp.erf),
    *(sp.Abs, sp.Min, sp.Max),
)


def jumps(expression: sp.Expr, symbol: sp.Symbol) -> sp.Expr | None:
    """The first part of `expression` that is not known to be a continuous function of a real `symbol`."""
    for node in nodes(expression):
        if symbol not in node.free_symbols or node == symbol or isinstance(node, _CONTINUOUS):
            continue
        if node.is_Pow and symbol not in node.exp.free_symbols:
            whole = node.exp.is_Integer and node.exp.is_nonnegative
            root = node.exp.is_positive and node.base.is_nonnegative
            if whole or root or node.base.is_positive:
                continue
        if isinstance(node, sp.log) and node.args[0].is_positive:
            continue
        return node
    return None
