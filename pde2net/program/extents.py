"""How many cells and channels the values of a function have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pde2net.graph.nodes import CHANNEL_SUM, Channel, Channels, Coordinate, Crop, Pad, Pointwise
from pde2net.program.records import Fold, Function, Let, Line, Loop, Op, Reversed, Squares, Total, Transposed


@dataclass(frozen=True)
class Extent:
    """Of an array: cells beyond the image on both sides of each axis, and channels."""

    wide: tuple[int, ...]
    channels: int


def extents(function: Function, given: Mapping[str, Extent]) -> dict[str, Extent]:
    """Those of all values, in loops too. The first parameter is a state."""
    found = {v: given[v] for v, _ in function.parameters}
    state = found[function.parameters[0][0]]
    for let in function.body:
        op, fed = let.op, let.fed
        if isinstance(op, Loop):
            found |= extents(op.body, _handed(op, fed, found))
            found[let.outputs[0]] = found[fed["start"]]
        elif isinstance(op, Reversed):
            found |= zip(let.outputs, (found[v] for v in fed.values()), strict=False)
        else:
            found |= dict.fromkeys(let.outputs, _extent(let, found, state))
    return found


def _handed(loop: Loop, fed: Mapping[str, str], known: Mapping[str, Extent]) -> dict[str, Extent]:
    """What the body of a loop is handed."""
    state, start = loop.body.parameters[0][0], known[fed["start"]]
    own = dict.fromkeys((v for v in (state, loop.previous) if v), start)
    return {slot: known[v] for slot, v in fed.items()} | own


def sums_channels(op: Op, channels: int) -> bool:
    """Whether an expression is a sum over channels."""
    return channels > 1 and isinstance(op, Pointwise) and op.role == CHANNEL_SUM


def channel_by_channel(op: Op) -> bool:
    """Whether the channels of a value are made one by one."""
    return isinstance(op, Channels) or (isinstance(op, Transposed) and isinstance(op.node, Channel))


def _extent(let: Let, known: Mapping[str, Extent], state: Extent) -> Extent:
    op, fed = let.op, let.fed
    if isinstance(op, Line | Coordinate):
        return Extent((op.node if isinstance(op, Line) else op).margin, 1)
    if isinstance(op, Fold):
        return known[fed["like"]]
    wide = max((known[v].wide for v in fed.values()), default=(0,) * len(state.wide))
    if isinstance(op, Squares):
        wide = op.node.margin
    own = Extent(wide, max((known[v].channels for v in fed.values()), default=1))
    if isinstance(op, Total | Channel) or sums_channels(op, state.channels):
        return replace(own, channels=1)
    if channel_by_channel(op):
        return replace(own, channels=state.channels)
    padded = op.node if isinstance(op, Transposed) else op
    if isinstance(padded, Pad | Crop):
        sign = 1 if isinstance(op, Pad) else -1
        return replace(own, wide=tuple(a + sign * m for a, m in zip(wide, padded.margin, strict=True)))
    return own
