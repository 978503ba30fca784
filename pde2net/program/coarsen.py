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


def coarsen(function: Function) -> Function:
    """The same function with the distances and volumes of its grid."""
    return replace(function, body=tuple(_placed(let, function) for let in function.body))


def _placed(let: Let, function: Function) -> Let:
    op = let.op
    wide = isinstance(op, Squares | TransposedConvolution) and _wide(let, function)
    if isinstance(op, Line | Squares):
        return replace(let, op=OnGrid(op.node, wide))
    if isinstance(op, Convolution | Coordinate | Gaussian | TransposedConvolution):
        return replace(let, op=OnGrid(op, wide))
    return let


def _wide(let: Let, function: Function) -> bool:
    """Whether the result has cells beyond the border."""
    for other in function.body:
        if let.outputs[0] in other.fed.values():
            # What several banks give is cropped as one.
            summed = isinstance(other.op, Pointwise) and other.op.role == "sum"
            if isinstance(other.op, Crop) or (summed and _wide(other, function)):
                return True
    return False
