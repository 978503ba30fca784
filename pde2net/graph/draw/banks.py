"""How differences, banks of filters and axes are written."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from pde2net.discretise.operators import Bank, Difference, Operation, factors
from pde2net.graph.draw.formulas import formula, greek
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Convolution, Coordinate


def filters(graph: Graph, name: str, bank: Bank) -> tuple[str, ...]:
    """The rows of a bank by the names that consumers give them, and its borders."""
    named = {data["port"]: data["slot"] for *_, data in graph.out_edges(name, data=True)}
    lines = []
    for port, row in enumerate(bank.operations):
        left = f"{greek(named[port])} = " if port in named else ""
        lines.append(left + _row(graph, row))
    closures = sorted({d.closure for d in bank.differences})
    if len(closures) == 1:
        return (*lines, f"{closures[0]} border")
    of = {d.axis: d.closure for d in bank.differences}
    return (*lines, *(f"{of[axis]} border {along(graph, axis)}" for axis in sorted(of)))


def _row(graph: Graph, operations: Sequence[tuple[sp.Expr, Operation]]) -> str:
    row = [(w, d) for w, d in operations if isinstance(d, Difference)]
    if len(row) < len(operations):
        parts = [d for w, operation in operations for d in factors(operation)]
        return ", then ".join(f"{_weights(d.scale, d)} {along(graph, d.axis)}" for d in parts)
    terms = [_weights(w * d.scale, d) for w, d in row]
    if len(set(terms)) == 1:
        everywhere = len(row) == graph.graph["dimension"] > 1
        return f"{terms[0]} along {'each axis' if everywhere else axis_name(graph, row[0][1].axis)}"
    return " + ".join(f"{t} {along(graph, d.axis)}" for t, (_, d) in zip(terms, row, strict=True))


def _weights(scale: sp.Expr, difference: Difference) -> str:
    """(-1, 1)/h: integer weights from the leftmost offset to the rightmost, and their factor."""
    stencil = difference.stencil
    taps = dict(zip(stencil.offsets, stencil.weights, strict=True))
    common = sp.ilcm(*(w.q for w in stencil.weights))
    span = range(stencil.offsets[0], stencil.offsets[-1] + 1)
    entries = ", ".join(formula(sp.Integer(taps.get(o, 0) * common)) for o in span)
    numerator, denominator = sp.fraction(sp.together(scale / common))
    text = f"({entries})" if numerator == 1 else f"{formula(numerator)}·({entries})"
    return text if denominator == 1 else f"{text}/{_factor(denominator)}"


def _factor(expression: sp.Expr) -> str:
    text = formula(expression)
    return f"({text})" if expression.is_Add or expression.is_Mul else text


def along(graph: Graph, axis: int) -> str:
    """For example "along x"."""
    return f"along {axis_name(graph, axis)}"


def axis_name(graph: Graph, axis: int) -> str:
    """The name of an axis, read off a coordinate or a slope such as u_x; its number otherwise."""
    for name, data in graph.nodes(data=True):
        node = data["node"]
        if isinstance(node, Coordinate) and node.axis == axis:
            return greek(node.symbol.name)
        if isinstance(node, Convolution) and len(node.bank.rows) == graph.graph["dimension"]:
            for _, _, edge in graph.out_edges(name, data=True):
                if edge["port"] >= len(node.bank.rows):
                    continue
                row = node.bank.rows[edge["port"]]
                order = row[0][1].stencil.derivative
                if len(row) == 1 and row[0][1].axis == axis and (order == 1 or node.bank.mixed):
                    _, mark, suffix = edge["slot"].rpartition("_")
                    if mark:
                        return greek(suffix[: len(suffix) // order])
    return f"axis {axis + 1}"
