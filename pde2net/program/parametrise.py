"""The parameters of a network: what is a number, what is trained, and what keeps it stable."""

from __future__ import annotations

from collections.abc import Collection

import sympy as sp

from pde2net.graph.network import Graph, node_of, parameters
from pde2net.graph.nodes import Gaussian, Weighted, expressions_of
from pde2net.language.symbols import FilterParameter
from pde2net.program.records import Parameter, Transform
from pde2net.scheme.cell import MARGIN, OMEGA, Cell
from pde2net.scheme.method import Update
from pde2net.scheme.stack import ALPHA, TAU, Stack
from pde2net.scheme.unet import UNet
from pde2net.verify.kept import Kept, signed

FROM_LIMIT = (Transform.LIMIT, Transform.CAPPED, Transform.FRACTION)


def parametrise(
    graph: Graph, update: Update, trainable: Collection[str], kept: Kept | None
) -> tuple[Parameter, ...]:
    """Those that blocks have: the step, alpha of Du Fort-Frankel, then others by name."""
    values = graph.graph["values"]
    found = []
    for symbol in _symbols(graph, update):
        default = symbol.subs(values).subs(values)
        transform, limit = _transform(symbol, trainable, kept, values)
        if symbol in (OMEGA, MARGIN):
            transform, limit = _of_descent(values[symbol], trainable, values)
        if transform == Transform.LIMIT or (transform == Transform.FRACTION and kept and kept.tau is None):
            default = None
        found.append(Parameter(symbol, default, transform, limit))
    return tuple(found)


def expressions(graph: Graph) -> list[sp.Expr]:
    """All that are evaluated cell by cell, and the widths of Gaussians."""
    nodes = [node_of(graph, name) for name in graph]
    used = [e for n in nodes if isinstance(n, Weighted) for e in expressions_of(n)]
    return [*dict.fromkeys(used + [n.sigma for n in nodes if isinstance(n, Gaussian)])]


def _symbols(graph: Graph, update: Update) -> list[sp.Symbol]:
    known = [s for s in parameters(graph) if not isinstance(s, FilterParameter)]
    occurring = set().union(*(e.free_symbols for e in expressions(graph)))
    weights = set(update.stages[0]) if isinstance(update, Stack) else set()
    first = [ALPHA] if ALPHA in known else []
    if isinstance(update, Cell | UNet):
        first = [] if update.steady else [TAU]
        first += list(update.values) if isinstance(update, Cell) else []
    elif TAU in known or not weights:
        first.insert(0, TAU)
    return [*first, *(s for s in known if s in occurring - weights - {TAU, ALPHA, *first})]


def _of_descent(
    value: sp.Expr, trainable: Collection[str], values: Collection[sp.Symbol]
) -> tuple[Transform, sp.Expr | None]:
    """Figures of a descent are computed where they depend on what is trained, or on norms of filters."""
    moving = any(s.name in trainable or s not in values for s in value.free_symbols)
    return (Transform.LIMIT, value) if moving else (Transform.IDENTITY, None)


def _transform(
    symbol: sp.Symbol, trainable: Collection[str], kept: Kept | None, values: Collection[sp.Symbol]
) -> tuple[Transform, sp.Expr | None]:
    """How a parameter is kept, and its limit."""
    trained = symbol.name in trainable

    def moves(expression: sp.Expr) -> bool:
        norms = kept.symbols if kept else frozenset()
        return any(s in norms or s.name in trainable for s in expression.free_symbols)

    if kept is None:
        return Transform.IDENTITY, None
    if symbol == ALPHA and kept.alpha is not None and moves(kept.alpha):
        return Transform.LIMIT, kept.alpha
    if symbol != TAU:
        sign = trained and symbol in values and signed(symbol)
        return (Transform.LOGARITHM if sign else Transform.IDENTITY), None
    if kept.norms and kept.tau is not None:
        return (Transform.LOGARITHM if trained else Transform.IDENTITY), None
    if trained:
        return Transform.FRACTION, kept.limit
    if moves(kept.rate):
        return (Transform.LIMIT if kept.tau is None else Transform.CAPPED), kept.limit
    return Transform.IDENTITY, None
