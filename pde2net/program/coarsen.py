"""Functions of an operator on all grids of a hierarchy: what knows the grid is told that it is handed one."""

from __future__ import annotations

from dataclasses import replace

from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Crop,
    Gaussian,
    Pointwise,
    TransposedConvolution,
)
from pde2net.program.records import Function, Let, Line, OnGrid, Squares

SUM = "sum"  # the role of what several banks give, which is cropped as one


def coarsen(function: Function) -> Function:
    """The same function with the distances and volumes of its grid."""
    return replace(function, body=tuple(_placed(let, function) for let in function.body))


def _placed(let: Let, function: Function) -> Let:
    op = let.op
    if isinstance(op, Line):
        return replace(let, op=OnGrid(op.node))
    if isinstance(op, Squares):
        return replace(let, op=OnGrid(op.node, _wide(let, function)))
    if isinstance(op, Convolution | Coordinate | Gaussian):
        return replace(let, op=OnGrid(op))
    if isinstance(op, TransposedConvolution):
        return replace(let, op=OnGrid(op, _wide(let, function)))
    return let


def _wide(let: Let, function: Function) -> bool:
    """Whether the result has cells beyond the border."""
    for other in function.body:
        if let.outputs[0] in other.fed.values():
            summed = isinstance(other.op, Pointwise) and other.op.role == SUM
            if isinstance(other.op, Crop) or (summed and _wide(other, function)):
                return True
    return False
