"""Functions of an operator on all grids of a hierarchy: what knows the grid is told that it is handed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp

from pde2net.errors import EmissionError
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Crop,
    Gaussian,
    Pointwise,
    SquaredAdjoint,
    TransposedConvolution,
)
from pde2net.program.records import Function, Let, Line, OnGrid, Squares, Stored


def coarsen(function: Function) -> Function:
    """The same function with the distances and volumes of its grid."""
    return replace(function, body=tuple(_placed(let, function) for let in function.body))


def uniform(function: Function, distances: Sequence[sp.Symbol]) -> Function:
    """The same function on grids whose cells are all whole, where known data are parameters.

    distances  by axis, how large differences are over those of the finest grid
    Raises EmissionError for operations that have more than factors on coarser grids.
    """
    known = tuple((let.outputs[0], let.wanted[0]) for let in function.body if isinstance(let.op, Stored))
    body = tuple(_uniform(let, distances) for let in function.body if not isinstance(let.op, Stored))
    return replace(function, parameters=(*function.parameters, *known), body=body)


def _uniform(let: Let, distances: Sequence[sp.Symbol]) -> Let:
    if not isinstance(let.op, OnGrid):
        return let
    node = let.op.node
    if not isinstance(node, Convolution | TransposedConvolution | SquaredAdjoint) or node.bank.mixed:
        raise EmissionError(f"There are no kernels of {type(node).__name__} on coarser grids yet.")
    if any(d.stencil.derivative != 1 for d in node.bank.differences):
        raise EmissionError("There are no kernels of second differences on coarser grids yet.")
    rows = tuple(tuple((w * distances[d.axis], d) for w, d in row) for row in node.bank.rows)
    placed = replace(node, bank=replace(node.bank, rows=rows))
    op = Squares(placed, frozenset()) if isinstance(placed, SquaredAdjoint) else placed
    return replace(let, op=op)


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
