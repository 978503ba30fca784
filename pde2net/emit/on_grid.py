"""Statements of an operator that works on every grid of a U-net, and squared adjoints."""

from __future__ import annotations

from pde2net.discretise.operators import Bank, Difference
from pde2net.emit.squares import squares_name
from pde2net.emit.statements import gaussian_statements, statements
from pde2net.emit.torch_expressions import number
from pde2net.emit.values import Printer, Values
from pde2net.graph.network import node_of
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Crop,
    Field,
    Gaussian,
    SquaredAdjoint,
    State,
    TransposedConvolution,
    Trial,
)

SUM = "sum"  # the role of what several banks give, which is cropped as one


def on_grid(name: str, values: Values, printer: Printer) -> list[str]:
    """The statements that compute node `name` with the distances and volumes of `grid`."""
    node = node_of(values.graph, name)
    if isinstance(node, State | Trial | Field):
        return []
    if isinstance(node, Convolution | TransposedConvolution):
        (line,) = statements(name, values, printer)
        left, _, right = line.partition(" = ")
        call, _, arguments = right.removesuffix(")").partition("(")
        if isinstance(node, Convolution):
            return [f"{left} = {_differences(right, node.bank, values, arguments)}"]
        return [
            f"{left} = {_adjoint(call, node.bank, values, _tuple(arguments, node.bank), _wide(values, name))}"
        ]
    if isinstance(node, Coordinate):
        return [_coordinate(name, node, values)]
    if isinstance(node, SquaredAdjoint):
        return [_squares(name, node, values, printer)]
    if isinstance(node, Gaussian):
        return gaussian_statements(name, node, values, printer, " / grid.axes[{}].stride")
    return statements(name, values, printer)


def _difference(bank: Bank) -> Difference:
    return bank.rows[0][0][1]


def _differences(apply: str, bank: Bank, values: Values, of: str = "") -> str:
    """Differences of this grid, from those of the finest; `of` is what they are taken of."""
    stencil = _difference(bank).stencil
    if stencil.derivative == 1:
        return f"grid.{'slopes' if stencil.half else 'centred_slopes'}({apply})"
    more = f", {of}, {_factors(bank, values)}" if of and _near_zero(bank) else ""
    return f"grid.curvatures({apply}{more})"


def _near_zero(bank: Bank) -> bool:
    """Whether zeros beyond the border are nearer than the next cells."""
    return any(d.closure == "zero" for row in bank.rows for _, d in row)


def _factors(bank: Bank, values: Values, power: int = 1) -> str:
    factors = [number(values.value(w * d.scale) ** power) for ((w, d),) in bank.rows]
    return f"({', '.join(factors)}{',' if len(factors) == 1 else ''})"


def _wide(values: Values, name: str) -> bool:
    """Whether the result has cells beyond the border."""
    for _, consumer in values.graph.out_edges(name):
        node = node_of(values.graph, consumer)
        if isinstance(node, Crop) or (node.role == SUM and _wide(values, consumer)):
            return True
    return False


def _tuple(arguments: str, bank: Bank) -> str:
    return f"({arguments},)" if len(bank.rows) == 1 else f"({arguments})"


def _adjoint(call: str, bank: Bank, values: Values, arguments: str, wide: bool, squares: bool = False) -> str:
    if _difference(bank).stencil.derivative == 1:
        return f"grid.adjoint({call}, {arguments}{', wide=True' if wide else ''})"
    more = f", {_factors(bank, values, 2 if squares else 1)}" if _near_zero(bank) else ""
    return f"grid.second_adjoint({call}, {arguments}{more}{', squares=True' if squares and more else ''})"


def _squares(name: str, node: SquaredAdjoint, values: Values, printer: Printer) -> str:
    inputs = values.inputs(name)
    ones = f"grid.ones({node.margin})" if any(node.margin) else "grid.ones()"
    weights = []
    for i, constant in enumerate(node.constants):
        text = inputs.get(f"p{i}")
        if text is None:
            factor = printer({}).parenthesize(constant, 50)
            text = ones if constant == 1 else f"{factor} * {ones}"
        weights.append(text)
    scaled = _differences(_tuple(", ".join(weights), node.bank), node.bank, values)
    variable = values.fresh(name.rpartition(".")[2])
    values.bind(name, variable)
    call = squares_name(values.banks[node.bank])
    return f"{variable} = {_adjoint(call, node.bank, values, scaled, _wide(values, name), squares=True)}"


def _coordinate(name: str, node: Coordinate, values: Values) -> str:
    variable = values.fresh(name)
    values.bind(name, variable)
    text = f"grid.centres({node.axis}{f', {node.margin}' if any(node.margin) else ''})"
    spacing, origin = values.value(node.spacing), values.value(node.origin)
    if spacing != 1:
        text = f"{number(spacing)} * {text}"
    return f"{variable} = {number(origin)} + {text}" if origin != 0 else f"{variable} = {text}"
