"""Where the parts of a U-net go: columns are visits of levels in order of computation, rows are levels.

An encoder descends, a decoder ascends. What a level hands to a later visit of itself runs level, in a strip
above the boxes of its row; everything else crosses rows between columns. What is too wide for a page breaks
into bands, one below the other; lines go to later bands around the right and the left side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pde2net.graph.draw.bands import GAP_X, INSIDE, SIDE, Frame, advances, bands_of, frames_of, gap
from pde2net.graph.draw.places import Point, Rectangle
from pde2net.graph.draw.rows import LESS, TRIES, WIRE
from pde2net.graph.draw.ushape import Flow, Part, Stage, UShape

GAP_Y, GAP_ROWS = 24.0, 34.0
LANE, CAPTION = 22.0, 34.0
BULGE = 14.0
EDGE = 10.0  # from a side of the picture to lines between bands
STRIP = 17.0  # from a line between bands to the next one: there are labels


@dataclass(frozen=True)
class Route:
    """A line from box to box: `kind` "main" from one visit to the next, "skip" or "edge"; corners of it.

    at  where the label is, on which `points` is level
    """

    kind: str
    points: tuple[Point, ...]
    label: str = ""
    at: Point = (0.0, 0.0)


@dataclass(frozen=True)
class ULayout:
    """Boxes of parts, lines, frames of cycles and steps; all coordinates are nonnegative."""

    boxes: Mapping[Part, Rectangle]
    routes: tuple[Route, ...]
    frames: tuple[tuple[str, Rectangle], ...]
    size: Point


def u_layout(
    shape: UShape, sizes: Mapping[Part, Point], captions: Mapping[str, str], available: float
) -> ULayout:
    """Lay out the stages, about as wide as `available` at most.

    `sizes` gives width and height of each part, `captions` says what loops do.
    """
    tried = []
    for k in range(TRIES):
        tried.append(_ULayout(shape, sizes, captions, available - k * LESS).layout())
        if tried[-1].size[0] <= available:
            break
    return min(tried, key=lambda layout: layout.size[0])


class _ULayout:
    def __init__(
        self, shape: UShape, sizes: Mapping[Part, Point], captions: Mapping[str, str], available: float
    ) -> None:
        self.shape, self.sizes = shape, sizes
        self.place = {p: (k, i) for k, s in enumerate(shape.stages) for i, p in enumerate(s.parts)}
        self.frames = frames_of(shape, captions)
        self.band = bands_of(shape, sizes, self.frames, available)
        self.turning = self._turning()
        self.outside = self._outside()
        self.lanes = self._lanes()
        self.left, self.right = self._columns()
        self.top, self.strip = self._tops()
        self.boxes = self._boxes()

    def stage(self, part: Part) -> Stage:
        return self.shape.stages[self.place[part][0]]

    def band_of(self, part: Part) -> int:
        return self.band[self.place[part][0]]

    def passes(self, flow: Flow) -> bool:
        """Whether a flow goes along the strip of the row of its target."""
        return self.place[flow.target][0] > self.place[flow.source][0] + 1

    def turns(self, flow: Flow) -> bool:
        """Whether a flow goes to another band."""
        return self.band_of(flow.source) != self.band_of(flow.target)

    def _ends(self, band: int) -> tuple[int, int]:
        """The first and the last stage of a band."""
        own = [k for k, b in enumerate(self.band) if b == band]
        return min(own), max(own)

    def _turning(self) -> list[tuple[int, Part]]:
        """What goes to another band: (target band, source)."""
        found = dict.fromkeys((self.band_of(f.target), f.source) for f in self.shape.flows if self.turns(f))
        return sorted(found, key=lambda pair: (pair[0], self.place[pair[1]]))

    def _outside(self) -> dict[tuple[int, Part], int]:
        """The place of what turns on the right, 0 next to the columns; lines differ that pass each other."""
        found: dict[tuple[int, Part], int] = {}
        for band, source in self.turning:
            near = [
                place
                for (other, part), place in found.items()
                if self.band_of(part) < band and self.band_of(source) < other
            ]
            found[band, source] = next(k for k in range(len(near) + 1) if k not in near)
        return found

    def _entering(self, band: int) -> int:
        """How many lines come to a band."""
        return sum(b == band for b, _ in self.turning)

    def _lanes(self) -> dict[tuple[int, int, Part], int]:
        """(band, row, source) -> number of the lane; the strip of a row has one for each source."""
        lanes: dict[tuple[int, int, Part], int] = {}

        def add(band: int, level: int, source: Part) -> None:
            if (band, level, source) not in lanes:
                lanes[band, level, source] = sum(key[:2] == (band, level) for key in lanes)

        for flow in self.shape.flows:
            a, b = self.band_of(flow.source), self.band_of(flow.target)
            if not self.turns(flow):
                if self.passes(flow):
                    add(b, self.stage(flow.target).level, flow.source)
                continue
            if self.place[flow.source][0] != self._ends(a)[1]:
                add(a, self.stage(flow.source).level, flow.source)
            if self.place[flow.target][0] != self._ends(b)[0]:
                add(b, self.stage(flow.target).level, flow.source)
        return lanes

    def _columns(self) -> tuple[list[float], list[float]]:
        several = max(self.band) > 0
        entering = max(map(self._entering, self.band))
        start = SIDE + WIRE * entering if several else 0.0
        left, right = [], []
        for band in range(max(self.band) + 1):
            first, last = self._ends(band)
            x = start
            wide = advances(self.shape, self.sizes, first, last + 1)
            for k, advance in enumerate(wide, first):
                left.append(x + (gap(self.shape, k) if k > first else 0.0))
                x += advance
                right.append(x)
        return left, right

    def _tops(self) -> tuple[dict[tuple[int, int], float], dict[int, float]]:
        """y of each row of each band, below its strip; y of the lines to each band, above it."""
        tops: dict[tuple[int, int], float] = {}
        strips: dict[int, float] = {}
        y = 0.0
        for band in range(max(self.band) + 1):
            own = [s for k, s in enumerate(self.shape.stages) if self.band[k] == band]
            strips[band] = y
            y += CAPTION + STRIP * self._entering(band)
            for level in range(min(s.level for s in own), 1 + max(s.level for s in own)):
                y += LANE * sum(key[:2] == (band, level) for key in self.lanes)
                tops[band, level] = y
                tall = [self._height(s) for s in own if s.level == level]
                y += max(tall, default=0.0) + GAP_ROWS
            y += CAPTION * len(self.frames)
        return tops, strips

    def _height(self, stage: Stage) -> float:
        return sum(self.sizes[p][1] for p in stage.parts) + GAP_Y * (len(stage.parts) - 1)

    def _boxes(self) -> dict[Part, Rectangle]:
        boxes = {}
        for k, stage in enumerate(self.shape.stages):
            y = self.top[self.band[k], stage.level]
            for part in stage.parts:
                width, height = self.sizes[part]
                boxes[part] = Rectangle((self.left[k] + self.right[k] - width) / 2, y, width, height)
                y += height + GAP_Y
        return boxes

    def _width(self) -> float:
        several = max(self.band) > 0
        outside = SIDE + WIRE * max(self.outside.values()) + EDGE if several else 0.0
        return max(self.right) + outside

    def layout(self) -> ULayout:
        frames = [(f.caption, self._frame(f)) for f in self.frames]
        everything = [*(box for _, box in frames), *self.boxes.values()]
        size = (
            max(self._width(), *(b.x + b.width for b in everything)),
            max(b.y + b.height for b in everything),
        )
        routes = _labelled_once([self._route(f) for f in self.shape.flows])
        return ULayout(self.boxes, routes, tuple(frames), size)

    def _frame(self, frame: Frame) -> Rectangle:
        """Around the columns, or, if it consists of bands, with the lines beside these."""
        columns = range(frame.first, frame.end)
        band = self.band[frame.first]
        highest = min(self.shape.stages[k].level for k in columns if self.band[k] == band)
        above = LANE * sum(key[:2] == (band, highest) for key in self.lanes)
        more = frame.depth * CAPTION / 3
        y0 = self.top[band, highest] - above - INSIDE / 2 - more
        low = max(b.y + b.height for p, b in self.boxes.items() if self.place[p][0] in columns)
        y1 = low + CAPTION * (frame.depth + 1) + more
        if len({self.band[k] for k in columns}) > 1:
            x0, x1 = EDGE / 2 * (1 - frame.depth), self._width() - EDGE / 2 * (1 - frame.depth)
        else:
            x0 = self.left[frame.first] - INSIDE - more
            x1 = self.right[frame.end - 1] + INSIDE + more
        return Rectangle(x0, y0, x1 - x0, y1 - y0)

    def _route(self, flow: Flow) -> Route:
        (a, i), (b, j) = self.place[flow.source], self.place[flow.target]
        start, end = self.boxes[flow.source], self.boxes[flow.target]
        right = start.x + start.width
        if a == b and j == i + 1:
            x = start.centre[0]
            return Route("main", ((x, start.y + start.height), (x, end.y)))
        if a == b:
            x, y0, y1 = self.right[a] + BULGE, _at(start, 0.85), _at(end, 0.15)
            return Route("edge", ((right, y0), (x, y0), (x, y1), (end.x + end.width, y1)))
        if self.turns(flow):
            return self._turn(flow)
        if not self.passes(flow):
            middle, y0, y1 = (self.right[a] + self.left[b]) / 2, _at(start, 0.6), _at(end, 0.65)
            return Route("main", ((right, y0), (middle, y0), (middle, y1), (end.x, y1)))
        lane, shift = self._lane(self.band[b], self.stage(flow.target).level, flow.source)
        out, into = self.right[a] + BULGE + shift, self.left[b] - BULGE - shift
        y0, y1 = _at(start, 0.3), _at(end, 0.3)
        points = ((right, y0), (out, y0), (out, lane), (into, lane), (into, y1), (end.x, y1))
        kind = "skip" if flow.carries else "edge"
        return Route(kind, points, flow.carries, ((out + into) / 2, lane - 5))

    def _lane(self, band: int, level: int, source: Part) -> tuple[float, float]:
        """y of a lane, and how far from the columns lines go to it."""
        number = self.lanes[band, level, source]
        count = sum(key[:2] == (band, level) for key in self.lanes)
        lane = self.top[band, level] - LANE * (count - number) + LANE / 2
        return lane, (number + 1) * (GAP_X / 2 - BULGE - 4) / (count + 1)

    def _turn(self, flow: Flow) -> Route:
        """To another band: out at the right side, back above that band, in from the left side."""
        a, b = self.place[flow.source][0], self.place[flow.target][0]
        start, end = self.boxes[flow.source], self.boxes[flow.target]
        band = self.band[b]
        number = [part for other, part in self.turning if other == band].index(flow.source)
        strip = self.strip[band] + STRIP * (number + 1)
        into_side = EDGE + WIRE * (self._entering(band) - 1 - number)
        out_side = max(self.right) + SIDE + WIRE * self.outside[band, flow.source]
        points = [(start.x + start.width, _at(start, 0.3))]
        key = self.band[a], self.stage(flow.source).level, flow.source
        if key in self.lanes and a != self._ends(self.band[a])[1]:
            lane, shift = self._lane(*key)
            out = self.right[a] + BULGE + shift
            points += [(out, points[-1][1]), (out, lane)]
        points += [(out_side, points[-1][1]), (out_side, strip), (into_side, strip)]
        key = band, self.stage(flow.target).level, flow.source
        y1 = _at(end, 0.3)
        if b != self._ends(band)[0]:
            lane, shift = self._lane(*key)
            into = self.left[b] - BULGE - shift
            points += [(into_side, lane), (into, lane), (into, y1)]
        else:
            points += [(into_side, y1)]
        points.append((end.x, y1))
        kind = "skip" if flow.carries else "main" if b == a + 1 else "edge"
        return Route(kind, tuple(points), flow.carries, ((out_side + into_side) / 2, strip - 3))


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
