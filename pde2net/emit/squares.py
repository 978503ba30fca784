"""Emits squared adjoints: the diagonal of K^T G K for weights G of a flux."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.emit.names import snake
from pde2net.emit.operators import Along, Number, along, correlation
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Function
from pde2net.emit.values import Printer, Values
from pde2net.graph.network import Graph, is_data, node_of, sources
from pde2net.graph.nodes import SquaredAdjoint, State


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
    stencil = item.stencil
    doc = f"The transpose of {item.name} with squared weights."
    two = stencil.half and len(stencil.offsets) == 2
    if two and item.closure == "reflecting":
        body = [
            "inner = g.narrow(dim, 0, g.shape[dim] - 1)",
            "return F.pad(inner, beyond(dim, 1, 0)) + F.pad(inner, beyond(dim, 0, 1))",
        ]
    elif two:
        body = ["return torch.roll(g, 1, dim) + g"]
    else:
        body = correlation("g", stencil.mirrored.squared, item.closure, dual=True, sign="")
    return Function(f"{item.name}_squares", ("g: Tensor", "dim: int"), "Tensor", doc, body)


def _times(factor: sp.Expr, text: str) -> str:
    if factor == 1:
        return text
    if factor.is_Rational and factor.p == 1:
        return f"{text} / {factor.q}"
    return f"{number(factor)} * {text}"


def _image(name: str, values: Values) -> str:
    """One channel of an image in the scope of a node: the state of a loop, or the input."""
    nodes = {n: node_of(values.graph, n) for n, port in values.bound if port == 0}
    states = [values.bound[n, 0] for n, node in nodes.items() if isinstance(node, State)]
    image = states[0] if states and not is_data(values.graph, name) else "u"
    return image if values.graph.graph["channels"] == 1 else f"{image}[:, :1]"


def squares_statement(name: str, local: str, node: SquaredAdjoint, values: Values, printer: Printer) -> str:
    """The diagonal of K^T G K; weights that are constant or known are brought to the full shape."""
    fed = sources(values.graph, name)
    moving = [values.bound[s] for s in fed.values() if not is_data(values.graph, s[0])]
    ones = f"torch.ones_like({moving[0] if moving else _image(name, values)})"
    if not moving and any(node.margin):
        ones = (
            f"F.pad({ones}, ({', '.join(str(w) for w in reversed(node.margin) for _ in range(2))}), value=1)"
        )
    weights = []
    for i, constant in enumerate(node.constants):
        text = values.bound[fed[f"p{i}"]] if f"p{i}" in fed else printer({}).parenthesize(constant, 50)
        weights.append(text if text in moving else f"{text} * {ones}")
    variable = values.fresh(local)
    values.bind(name, variable)
    return f"{variable} = {squares_name(values.banks[node.bank])}({', '.join(weights)})"
