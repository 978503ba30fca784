"""Where the parts of a U-net go: columns are visits of levels in order of computation, rows are levels.

An encoder descends, a decoder ascends. What a level hands to a later visit of itself runs level, in a strip
above the boxes of its row; everything else crosses rows between columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pde2net.graph.draw.layout import Point, Rectangle
from pde2net.graph.draw.ushape import Flow, Part, Stage, UShape

GAP_X, GAP_Y, GAP_ROWS = 76.0, 24.0, 34.0
LANE, CAPTION, INSIDE = 22.0, 34.0, 22.0
BULGE = 14.0


@dataclass(frozen=True)
class Route:
    """A line from box to box: `kind` "main" from one visit to the next, "skip" or "edge"; corners of it."""

    kind: str
    points: tuple[Point, ...]
    label: str = ""


@dataclass(frozen=True)
class ULayout:
    """Boxes of parts, lines, frames of cycles and steps; all coordinates are nonnegative."""

    boxes: Mapping[Part, Rectangle]
    routes: tuple[Route, ...]
    frames: tuple[tuple[str, Rectangle], ...]
    size: Point


def u_layout(shape: UShape, sizes: Mapping[Part, Point], captions: Mapping[str, str]) -> ULayout:
    """Lay out the stages; `sizes` gives width and height of each part, `captions` says what loops do."""
    return _ULayout(shape, sizes, captions).layout()


class _ULayout:
    def __init__(self, shape: UShape, sizes: Mapping[Part, Point], captions: Mapping[str, str]) -> None:
        self.shape, self.sizes, self.captions = shape, sizes, captions
        self.place = {p: (k, i) for k, s in enumerate(shape.stages) for i, p in enumerate(s.parts)}
        self.lanes = self._lanes()
        self.top = self._tops()
        self.left, self.right = self._columns()
        self.boxes = self._boxes()

    def stage(self, part: Part) -> Stage:
        return self.shape.stages[self.place[part][0]]

    def passes(self, flow: Flow) -> bool:
        """Whether a flow goes along the strip of the row of its target."""
        return self.place[flow.target][0] > self.place[flow.source][0] + 1

    def _lanes(self) -> dict[tuple[int, Part], int]:
        """(row, source) -> number of the lane; the strip of a row has one for each source."""
        lanes: dict[tuple[int, Part], int] = {}
        for flow in self.shape.flows:
            level = self.stage(flow.target).level
            if self.passes(flow) and (level, flow.source) not in lanes:
                lanes[level, flow.source] = sum(row == level for row, _ in lanes)
        return lanes

    def _tops(self) -> dict[int, float]:
        """y of each row, below its strip."""
        tops, y = {}, CAPTION
        for level in range(1 + max(s.level for s in self.shape.stages)):
            y += LANE * sum(row == level for row, _ in self.lanes)
            tops[level] = y
            tall = [self._height(s) for s in self.shape.stages if s.level == level]
            y += max(tall, default=0.0) + GAP_ROWS
        return tops

    def _height(self, stage: Stage) -> float:
        return sum(self.sizes[p][1] for p in stage.parts) + GAP_Y * (len(stage.parts) - 1)

    def _columns(self) -> tuple[list[float], list[float]]:
        left, right, x = [], [], 0.0
        for k, stage in enumerate(self.shape.stages):
            x += 0.0 if k == 0 else GAP_X
            changes = k > 0 and stage.loop != self.shape.stages[k - 1].loop
            x += 2 * INSIDE if changes else 0.0
            left.append(x)
            x += max((self.sizes[p][0] for p in stage.parts), default=0.0)
            right.append(x)
        return left, right

    def _boxes(self) -> dict[Part, Rectangle]:
        boxes = {}
        for k, stage in enumerate(self.shape.stages):
            y = self.top[stage.level]
            for part in stage.parts:
                width, height = self.sizes[part]
                boxes[part] = Rectangle((self.left[k] + self.right[k] - width) / 2, y, width, height)
                y += height + GAP_Y
        return boxes

    def layout(self) -> ULayout:
        frames = [
            (
                self.captions[loop],
                self._frame([k for k, s in enumerate(self.shape.stages) if s.loop == loop], 0),
            )
            for loop in self.shape.loops
        ]
        if self.shape.steps > 1:
            steps = f"\N{MULTIPLICATION SIGN} {self.shape.steps} steps, {self.shape.weights}"
            frames.insert(0, (steps, self._frame(list(range(1, len(self.shape.stages) - 1)), 1)))
        everything = [*(box for _, box in frames), *self.boxes.values()]
        size = self.right[-1], max(b.y + b.height for b in everything)
        routes = _labelled_once([self._route(f) for f in self.shape.flows])
        return ULayout(self.boxes, routes, tuple(frames), size)

    def _frame(self, columns: list[int], depth: int) -> Rectangle:
        levels = [self.shape.stages[k].level for k in columns]
        above = LANE * sum(row == min(levels) for row, _ in self.lanes)
        y0 = self.top[min(levels)] - above - INSIDE / 2
        low = max(b.y + b.height for p, b in self.boxes.items() if self.place[p][0] in columns)
        more = depth * CAPTION / 3
        x0, x1 = self.left[min(columns)] - INSIDE - more, self.right[max(columns)] + INSIDE + more
        return Rectangle(x0, y0 - more, x1 - x0, low + CAPTION * (depth + 1) - y0 + 2 * more)

    def _route(self, flow: Flow) -> Route:
        (a, i), (b, j) = self.place[flow.source], self.place[flow.target]
        start, end = self.boxes[flow.source], self.boxes[flow.target]
        if a == b and j == i + 1:
            x = start.centre[0]
            return Route("main", ((x, start.y + start.height), (x, end.y)))
        right = start.x + start.width
        if a == b:
            x, y0, y1 = self.right[a] + BULGE, _at(start, 0.85), _at(end, 0.15)
            return Route("edge", ((right, y0), (x, y0), (x, y1), (end.x + end.width, y1)))
        if not self.passes(flow):
            middle, y0, y1 = (self.right[a] + self.left[b]) / 2, _at(start, 0.6), _at(end, 0.65)
            return Route("main", ((right, y0), (middle, y0), (middle, y1), (end.x, y1)))
        level = self.stage(flow.target).level
        number = self.lanes[level, flow.source]
        count = sum(row == level for row, _ in self.lanes)
        lane = self.top[level] - LANE * (count - number) + LANE / 2
        shift = (number + 1) * (GAP_X / 2 - BULGE - 4) / (count + 1)
        out, into = self.right[a] + BULGE + shift, self.left[b] - BULGE - shift
        y0, y1 = _at(start, 0.3), _at(end, 0.3)
        points = ((right, y0), (out, y0), (out, lane), (into, lane), (into, y1), (end.x, y1))
        return Route("skip" if flow.carries else "edge", points, flow.carries)


def _at(box: Rectangle, part: float) -> float:
    return box.y + part * box.height


def _labelled_once(routes: Sequence[Route]) -> tuple[Route, ...]:
    """Lines that share a lane are labelled together, on the first of them."""
    seen: set[tuple[Point, str]] = set()
    found = []
    for route in sorted(routes, key=lambda r: r.points[-1]):
        key = (route.points[1], route.label)
        found.append(replace(route, label="") if key in seen else route)
        seen.add(key)
    return tuple(found)
