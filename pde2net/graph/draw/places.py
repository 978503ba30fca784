"""Where everything in a picture goes: rectangles, lines, frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pde2net.graph.draw.outline import Edge

PLUS_RADIUS = 15.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
    """x and y of the upper left corner, width, height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class Arc:
    """The way of a state around the layers: from the end of its route along `lane`, up to `target`.

    label   the state, "" if there is only one
    """

    lane: float
    target: Point
    label: str


@dataclass(frozen=True)
class Loop:
    """The way back from the result of a loop to its variable: corners, the first and last on boxes.

    at  where the label begins
    """

    points: tuple[Point, ...]
    at: Point
    label: str


@dataclass(frozen=True)
class Layout:
    """Where everything goes; all coordinates are nonnegative.

    boxes    name -> rectangle
    routes   edge -> points: from side to side, level along every second piece, also back to a next row
    arcs     the last part of those edges that carry a state to a plus
    frames   caption, rectangle; outer ones first
    entries  edge -> y at which it crosses the left border, or the right one (exits)
    """

    size: Point
    boxes: Mapping[str, Rectangle]
    routes: Mapping[Edge, tuple[Point, ...]]
    arcs: Mapping[Edge, Arc]
    loops: tuple[Loop, ...]
    frames: tuple[tuple[str, Rectangle], ...]
    entries: Mapping[Edge, float]
    exits: Mapping[Edge, float]

    def moved(self, dx: float, dy: float) -> Layout:
        """The same further right and further down."""

        def point(p: Point) -> Point:
            return p[0] + dx, p[1] + dy

        def box(b: Rectangle) -> Rectangle:
            return replace(b, x=b.x + dx, y=b.y + dy)

        return replace(
            self,
            boxes={n: box(b) for n, b in self.boxes.items()},
            routes={e: tuple(map(point, points)) for e, points in self.routes.items()},
            arcs={e: replace(a, lane=a.lane + dy, target=point(a.target)) for e, a in self.arcs.items()},
            loops=tuple(replace(w, points=tuple(map(point, w.points)), at=point(w.at)) for w in self.loops),
            frames=tuple((caption, box(b)) for caption, b in self.frames),
        )
