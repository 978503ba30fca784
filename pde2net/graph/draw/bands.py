"""How the stages of a U-net break into bands that are no wider than a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pde2net.graph.draw.places import Point
from pde2net.graph.draw.rows import WIRE, broken
from pde2net.graph.draw.ushape import Flow, Part, UShape

GAP_X, INSIDE = 60.0, 22.0
SIDE = 34.0  # from a side of a band to its columns


@dataclass(frozen=True)
class Frame:
    """What is repeated: stages from `first` up to `end`; `depth` is 1 if there may be frames inside."""

    caption: str
    first: int
    end: int
    depth: int


def frames_of(shape: UShape, captions: Mapping[str, str]) -> tuple[Frame, ...]:
    """Those of the steps and of loops, outer ones first."""
    found = []
    if shape.steps > 1:
        steps = f"\N{MULTIPLICATION SIGN} {shape.steps} steps, {shape.weights}"
        found.append(Frame(steps, 1, len(shape.stages) - 1, 1))
    for loop in shape.loops:
        own = [k for k, s in enumerate(shape.stages) if s.loop == loop]
        found.append(Frame(captions[loop], min(own), max(own) + 1, 0))
    return tuple(found)


def bands_of(
    shape: UShape, sizes: Mapping[Part, Point], frames: Sequence[Frame], available: float
) -> list[int]:
    """The band of each stage. A frame lies in one band, or consists of bands."""
    count = len(shape.stages)
    place = {p: k for k, s in enumerate(shape.stages) for p in s.parts}

    def over(flow: Flow, k: int) -> bool:
        return place[flow.source] < k <= place[flow.target]

    crossing = [len({f.source for f in shape.flows if over(f, k)}) for k in range(count + 1)]

    def width(i: int, j: int) -> float:
        turning = WIRE * (crossing[i] + crossing[j]) if j - i < count else 0.0
        return sum(advances(shape, sizes, i, j)) + 2 * SIDE + turning

    def allowed(i: int, j: int) -> bool:
        return all(
            f.end <= i or j <= f.first or (i <= f.first and f.end <= j) or (f.first <= i and j <= f.end)
            for f in frames
        )

    starts = broken(count, width, crossing, available, allowed)
    return [sum(s <= k for s in starts) - 1 for k in range(count)]


def advances(shape: UShape, sizes: Mapping[Part, Point], i: int, j: int) -> list[float]:
    """Width of each of the stages i, ..., j - 1 of a band, with the gap before it."""
    return [
        max(sizes[p][0] for p in shape.stages[k].parts) + (gap(shape, k) if k > i else 0.0)
        for k in range(i, j)
    ]


def gap(shape: UShape, k: int) -> float:
    """From the stage before to the stage k; wider where a frame begins or ends."""
    changes = shape.stages[k].loop != shape.stages[k - 1].loop
    return GAP_X + (2 * INSIDE if changes else 0.0)
