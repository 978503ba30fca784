"""Emits squared adjoints: the diagonal of K^T G K for weights G of a flux."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.emit.operators import Along, Number, along, correlation
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Function
from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import SquaredAdjoint
from pde2net.program.names import snake


def squares_of(graph: Graph, banks: dict[Bank, str], dimension: int, value: Number) -> list[Function | Class]:
    """The functions for all squared adjoints of a graph, each once."""
    nodes = [node_of(graph, name) for name in graph]
    used = {n.bank for n in nodes if isinstance(n, SquaredAdjoint)}
    found: dict[str, Function | Class] = {}
    for bank, name in banks.items():
        if bank in used:
            found |= {f.name: f for f in squares_functions(name, bank, dimension, value)}
    return list(found.values())


def squares_name(bank_name: str) -> str:
    """The function for (K ∘ K)^T of an emitted bank."""
    return f"{snake(bank_name)}_squares"


def squares_functions(name: str, bank: Bank, dimension: int, value: Number) -> list[Function]:
    """`..._squares(g0, ...)`: the diagonal of K^T G K, and what it needs per axis."""
    functions: dict[Along, Function] = {}
    parts = []
    for i, row in enumerate(bank.rows):
        for w, d in row:
            item = along(d)
            functions[item] = _difference_squares(item)
            parts.append(_times(value(w * d.scale) ** 2, f"{item.name}_squares(g{i}, {d.axis - dimension})"))
    arguments = [f"g{i}: Tensor" for i in range(len(bank.rows))]
    doc = f"The diagonal of K^T G K for the K of {name} and weights G of the flux."
    body = [f"return {' + '.join(parts)}"]
    return [*functions.values(), Function(squares_name(name), arguments, "Tensor", doc, body)]


def _difference_squares(item: Along) -> Function:
    """The transpose of a difference with squared weights; weights beyond the border are even."""
    difference = item.difference
    doc = f"The transpose of {item.name} with squared weights."
    if item.over_edge == "closed":
        body = [
            "inner = g.narrow(dim, 0, g.shape[dim] - 1)",
            "return F.pad(inner, beyond(dim, 1, 0)) + F.pad(inner, beyond(dim, 0, 1))",
        ]
    elif item.over_edge == "wraps":
        body = ["return torch.roll(g, 1, dim) + g"]
    else:
        body = correlation("g", difference.stencil.mirrored.squared, difference.squared_extension)
    return Function(f"{item.name}_squares", ("g: Tensor", "dim: int"), "Tensor", doc, body)


def _times(factor: sp.Expr, text: str) -> str:
    if factor == 1:
        return text
    if factor.is_Rational and factor.p == 1:
        return f"{text} / {factor.q}"
    return f"{number(factor)} * {text}"
