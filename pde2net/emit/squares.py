"""Emits squared adjoints: the diagonal of K^T G K for weights G of a flux."""

from __future__ import annotations

from pde2net.discretise.operators import Bank
from pde2net.emit.operators import Along, Number, along, correlation, scaled
from pde2net.emit.tree import Definition, Function
from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import SquaredAdjoint
from pde2net.program.names import snake


def squares_name(bank_name: str) -> str:
    """The function for (K ∘ K)^T of an emitted bank."""
    return f"{snake(bank_name)}_squares"


def squares_of(graph: Graph, banks: dict[Bank, str], dimension: int, value: Number) -> list[Definition]:
    """`..._squares(g0, ...)`, the diagonal of K^T G K, of all squared adjoints; what they need."""
    nodes = [node_of(graph, name) for name in graph]
    used = {n.bank for n in nodes if isinstance(n, SquaredAdjoint)}
    found: dict[str, Definition] = {}
    for bank, name in banks.items():
        if bank not in used:
            continue
        parts = []
        for i, row in enumerate(bank.rows):
            for w, d in row:
                item = along(d)
                squares = f"{item.name}_squares"
                found[squares] = _difference_squares(item, squares)
                parts.append(scaled(f"{squares}(g{i}, {d.axis - dimension})", value(w * d.scale) ** 2))
        arguments = [f"g{i}: Tensor" for i in range(len(bank.rows))]
        doc = f"The diagonal of K^T G K for the K of {name} and weights G of the flux."
        body = [f"return {' + '.join(parts)}"]
        found[squares_name(name)] = Function(squares_name(name), arguments, "Tensor", doc, body)
    return list(found.values())


def _difference_squares(item: Along, name: str) -> Function:
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
    return Function(name, ("g: Tensor", "dim: int"), "Tensor", doc, body)
