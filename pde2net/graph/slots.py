"""Which slots each kind of node takes: one row of a table per kind."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from pde2net.graph.nodes import (
    Bottleneck,
    Channel,
    Channels,
    CoarseRightHandSide,
    Convolution,
    Coordinate,
    Correction,
    Crop,
    Cycle,
    EdgeMean,
    Field,
    Filter,
    Gaussian,
    Input,
    Iterate,
    LinearSolve,
    Node,
    Operator,
    Output,
    Pad,
    Pointwise,
    Previous,
    Prolongation,
    Repeat,
    Residual,
    Restriction,
    Smooth,
    SquaredAdjoint,
    State,
    TransposedConvolution,
    TransposedFilter,
    Trial,
    Tridiagonal,
    VCycle,
)


@dataclass(frozen=True)
class Slots:
    """The slots that must be fed, and those that may be."""

    needed: frozenset[str]
    optional: frozenset[str] = frozenset()


def _take(*needed: str) -> Callable[[Any], Slots]:
    slots = Slots(frozenset(needed))
    return lambda node: slots


def _rows(node: TransposedConvolution) -> Slots:
    return Slots(frozenset(f"p{i}" for i in range(len(node.bank.operations))))


def _channels(node: Channels) -> Slots:
    return Slots(frozenset(f"c{i}" for i in range(node.count)))


def _squared_rows(node: SquaredAdjoint) -> Slots:
    """Constant weights need no slot."""
    rows = {f"p{i}": w for i, w in enumerate(node.constants)}
    return Slots(frozenset(), frozenset(slot for slot, weight in rows.items() if weight == 0))


def _iterate(node: Iterate) -> Slots:
    """The residual may be relative to a right-hand side; cycles of a fixed number need none."""
    needed = {"start", "next", "residual"}
    if node.method == "multigrid" and node.iterations:
        needed.remove("residual")
    return Slots(frozenset(needed), frozenset({"rhs"}))


def _linear_solve(node: LinearSolve) -> Slots:
    preconditioner = {"none": set(), "diagonal": {"diagonal"}, "multigrid": {"preconditioner"}}
    start = {"start"} if node.method == "cg" else set()
    needed = {"rhs", "product"} | preconditioner[node.preconditioner] | start
    return Slots(frozenset(needed), frozenset({"start"} - start))


def _tridiagonal(node: Tridiagonal) -> Slots:
    """What is no constant comes in by a slot; the diagonal may be zero."""
    arrays = {slot for slot in ("g", "m") if getattr(node, slot) == 0}
    return Slots(frozenset({"rhs"} | arrays), frozenset({"d"} if node.d == 0 else ()))


def _operator(node: Operator) -> Slots:
    uneven = {"rows", "kept"} if node.weighted else set()
    value = set() if node.linear else {"value"}
    return Slots(frozenset({"state", "diagonal", "product"} | value | uneven))


def _expressions(node: Pointwise) -> Slots:
    """Every symbol but its weights may be a slot, and those with a leading underscore are.

    Which are parameters instead, only the graph knows.
    """
    symbols = set[sp.Symbol]().union(*(e.free_symbols for e in node.expressions))
    own = {s for s, _ in node.weights}
    names = frozenset(s.name for s in symbols - own)
    inner = frozenset(name for name in names if name.startswith("_"))
    return Slots(inner, names - inner)


SLOTS: dict[type, Callable[[Any], Slots]] = {
    Input: _take(),
    Field: _take(),
    Gaussian: _take("u"),
    Coordinate: _take(),
    Pad: _take("u"),
    Crop: _take("u"),
    Convolution: _take("u"),
    TransposedConvolution: _rows,
    SquaredAdjoint: _squared_rows,
    Filter: _take("u"),
    TransposedFilter: _take("p"),
    EdgeMean: _take("a"),
    Pointwise: _expressions,
    Channel: _take("u"),
    Channels: _channels,
    State: _take("start"),
    Previous: _take("start"),
    Repeat: _take("start", "next"),
    Iterate: _iterate,
    Trial: _take(),
    LinearSolve: _linear_solve,
    Tridiagonal: _tridiagonal,
    Operator: _operator,
    Smooth: _take("v", "rhs", "operator"),
    Residual: _take("v", "rhs", "operator"),
    CoarseRightHandSide: _take("v", "r", "operator"),
    Restriction: _take("u", "operator"),
    Prolongation: _take("u", "operator"),
    Correction: _take("v", "e", "operator"),
    Bottleneck: _take("start", "rhs", "operator"),
    Cycle: _take("start", "rhs", "next", "operator"),
    VCycle: _take("r", "operator"),
    Output: _take("u"),
}

# How much coarser the grid of the output is than that of the inputs; 0 for all others.
COARSENS: dict[type, int] = {Restriction: 1, Prolongation: -1}

# The variables that the body of a loop has; a Repeat may have a Previous.
VARIABLES: dict[type, tuple[type, ...]] = {
    Repeat: (State,),
    Iterate: (State,),
    Cycle: (State,),
    LinearSolve: (Trial,),
    Operator: (State, Trial),
}


def slots_of(node: Node) -> Slots:
    """The slots of a node. Raises KeyError for a kind without a row, which the tests rule out."""
    return SLOTS[type(node)](node)


def kinds() -> tuple[type, ...]:
    """All kinds of nodes."""
    return typing.get_args(Node)
