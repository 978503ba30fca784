"""Statements of an operator that works on every grid of a U-net, and squared adjoints."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.operators import Bank, Difference
from pde2net.emit.names import snake
from pde2net.emit.operators import Along, Number, along, correlation
from pde2net.emit.statements import Printer, Values, statements
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Function
from pde2net.graph.network import node_of
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Crop,
    Field,
    SquaredAdjoint,
    State,
    TransposedConvolution,
    Trial,
)


def on_grid(name: str, values: Values, printer: Printer) -> list[str]:
    """The statements that compute node `name` with the distances and volumes of `grid`."""
    node = node_of(values.graph, name)
    if isinstance(node, State | Trial | Field):
        return []
    if isinstance(node, Convolution):
        (line,) = statements(name, values, printer)
        left, _, right = line.partition(" = ")
        return [f"{left} = grid.{_scaling(node.bank)}({right})"]
    if isinstance(node, TransposedConvolution):
        (line,) = statements(name, values, printer)
        left, _, right = line.partition(" = ")
        call, _, arguments = right.partition("(")
        arguments = _tuple(arguments.removesuffix(")"), node.bank)
        return [f"{left} = {_adjoint(call, node.bank, arguments, _wide(values, name))}"]
    if isinstance(node, Coordinate):
        return [_coordinate(name, node, values)]
    if isinstance(node, SquaredAdjoint):
        return [_squares(name, node, values, printer)]
    return statements(name, values, printer)


def squares_name(bank_name: str) -> str:
    """The function for (K ∘ K)^T of an emitted bank."""
    return f"{snake(bank_name)}_squares"


def squares_functions(name: str, bank: Bank, dimension: int, value: Number) -> list[Function]:
    """`..._squares(g0, ...)`: the diagonal of K^T G K, and what it needs per axis."""
    parts = []
    functions: dict[Along, Function] = {}
    for i, row in enumerate(bank.rows):
        centres = []
        for w, d in row:
            item = along(d)
            functions[item] = _difference_squares(item)
            factor = value(w * d.scale)
            parts.append(_times(factor**2, f"{item.name}_squares(g{i}, {d.axis - dimension})"))
            centre = dict(zip(d.stencil.offsets, d.stencil.weights, strict=True)).get(0, sp.S.Zero)
            centres.append(factor * centre)
        mixed = sum(centres) ** 2 - sum(c**2 for c in centres)
        if mixed != 0:
            parts.append(_times(mixed, f"g{i}"))
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


def _difference(bank: Bank) -> Difference:
    return bank.rows[0][0][1]


def _scaling(bank: Bank) -> str:
    stencil = _difference(bank).stencil
    if stencil.derivative == 2:
        return "curvatures"
    return "slopes" if stencil.half else "centred_slopes"


def _wide(values: Values, name: str) -> bool:
    """Whether the result has cells beyond the border."""
    consumers = values.graph.out_edges(name)
    return any(isinstance(node_of(values.graph, c), Crop) for _, c in consumers)


def _tuple(arguments: str, bank: Bank) -> str:
    return f"({arguments},)" if len(bank.rows) == 1 else f"({arguments})"


def _adjoint(call: str, bank: Bank, arguments: str, wide: bool) -> str:
    second = _difference(bank).stencil.derivative == 2
    scaled = f"grid.{'curvatures' if second else 'fluxes'}({arguments})"
    return f"grid.divided({call}(*{scaled}){', wide=True' if wide else ''})"


def _squares(name: str, node: SquaredAdjoint, values: Values, printer: Printer) -> str:
    inputs = values.inputs(name)
    ones = f"grid.ones({node.margin})" if any(node.margin) else "grid.ones()"
    weights = []
    for i, constant in enumerate(node.weights):
        text = inputs.get(f"p{i}")
        if text is None:
            factor = printer({}).parenthesize(constant, 50)
            text = ones if constant == 1 else f"{factor} * {ones}"
        weights.append(text)
    scaled = f"grid.{_scaling(node.bank)}({_tuple(', '.join(weights), node.bank)})"
    variable = values.fresh(name.rpartition(".")[2])
    values.bind(name, variable)
    call = squares_name(values.banks[node.bank])
    return f"{variable} = {_adjoint(call, node.bank, scaled, _wide(values, name))}"


def _coordinate(name: str, node: Coordinate, values: Values) -> str:
    variable = values.fresh(name)
    values.bind(name, variable)
    text = f"grid.centres({node.axis}{f', {node.margin}' if any(node.margin) else ''})"
    spacing, origin = values.value(node.spacing), values.value(node.origin)
    if spacing != 1:
        text = f"{number(spacing)} * {text}"
    return f"{variable} = {number(origin)} + {text}" if origin != 0 else f"{variable} = {text}"
