"""Layered layout of nested frames from left to right (Sugiyama, Tagawa and Toda, 1981).

Every frame is laid out by itself and is then one box of the frame around it. Columns are topological
layers; long edges pass the columns between through invisible places. Edges cross a border at ports, one
for each producer and, in front of a plus, each state.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pde2net.graph.draw.columns import EDGE_HEIGHT, Item, Link, Passing, Place, chain, columns, heights
from pde2net.graph.draw.outline import CARRIED, NOW, Edge, Group, Outline

GAP_X = 44.0
BRANCH, FRAME_INSIDE, FRAME_OUTSIDE = 12.0, 46.0, 30.0
HEADROOM, LANE, CAPTION = 24.0, 26.0, 40.0
PLUS_RADIUS, APART = 15.0, 9.0

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
    """The way back from the result of a loop to its variable, both the lowest points of boxes."""

    result: Point
    variable: Point
    lane: float
    label: str


@dataclass(frozen=True)
class Layout:
    """Where everything goes; all coordinates are nonnegative.

    boxes    name -> rectangle
    routes   edge -> points: from side to side, level along every second piece
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
            loops=tuple(
                replace(w, result=point(w.result), variable=point(w.variable), lane=w.lane + dy)
                for w in self.loops
            ),
            frames=tuple((caption, box(b)) for caption, b in self.frames),
        )


def layered(shown: Outline, sizes: Mapping[str, Point]) -> Layout:
    """Lay out `shown`; `sizes` gives width and height of each node."""
    return _Frame(shown.root, shown, sizes).layout()


class _Frame:
    def __init__(self, group: Group, shown: Outline, sizes: Mapping[str, Point]) -> None:
        self.group, self.pluses, self.root = group, shown.pluses, group is shown.root
        names = set(group.names())
        self.edges = [e for e in shown.edges if e.producer in names or e.consumer in names]
        self.inner = {m: _Frame(m, shown, sizes).layout() for m in group.members if isinstance(m, Group)}
        self.sizes: dict[Item, Point] = {m: p.size for m, p in self.inner.items()}
        self.sizes |= {m: sizes[m] for m in group.members if isinstance(m, str)}
        self.member: dict[str, str | Group] = {}
        for m in group.members:
            self.member |= dict.fromkeys(m.names() if isinstance(m, Group) else [m], m)
        # Arcs to pluses further left take higher lanes, so that none crosses another.
        order = {m: k for k, m in enumerate(group.members)}
        self.arcs = [e for e in self.edges if e.skip and e.consumer in order]
        self.arcs.sort(key=lambda e: (order[e.consumer], CARRIED.index(e.skip)))
        self.links = self._links()
        self.column = columns(group, list(self.links.values()), self.root)

    def _links(self) -> dict[Edge, Link]:
        links = {}
        for edge in self.edges:
            source: Item = self.member.get(edge.producer, ("in", edge.producer, ""))
            target: Item = self.member.get(edge.consumer, ("out", edge.producer, ""))
            if source == target or edge in self.arcs:
                continue
            leaves = (
                self.inner[source].exits[edge] - self.sizes[source][1] / 2 if source in self.inner else 0.0
            )
            enters = (
                self.inner[target].entries[edge] - self.sizes[target][1] / 2 if target in self.inner else 0.0
            )
            links[edge] = Link(source, target, leaves, enters, edge.skip in ("", NOW))
        return links

    def layout(self) -> Layout:
        tall = {i: self.sizes[i][1] if i in self.sizes else EDGE_HEIGHT for i in self.column}
        y = heights(self.column, list(dict.fromkeys(self.links.values())), tall)
        top = 0.0 if self.root else HEADROOM
        y = {i: value + top for i, value in y.items()}
        low = max(
            (value + (EDGE_HEIGHT if isinstance(i, Passing) else tall[i]) / 2 for i, value in y.items())
        )
        left, right = self._verticals()
        box = {}
        for item, (w, h) in self.sizes.items():
            middle = (left[self.column[item]] + right[self.column[item]]) / 2
            box[item] = Rectangle(middle - w / 2, y[item] - h / 2, w, h)
        inner = [p.moved(box[m].x, box[m].y) for m, p in self.inner.items()]
        boxes = {n: b for n, b in box.items() if isinstance(n, str)}
        for p in inner:
            boxes |= p.boxes
        pieces = {
            link: self._points(link, y, left, right, box) for link in dict.fromkeys(self.links.values())
        }
        pieces = _spread(pieces, box, self.pluses)
        routes = {e: points for p in inner for e, points in p.routes.items()}
        for edge, link in self.links.items():
            routes[edge] = self._joined(edge, link, pieces[link], inner)
        entries = {e: y[k.source] for e, k in self.links.items() if isinstance(k.source, tuple)}
        exits = {e: y[k.target] for e, k in self.links.items() if isinstance(k.target, tuple)}
        arcs = {e: a for p in inner for e, a in p.arcs.items()}
        for edge, arc in self._arcs(boxes, low).items():
            mixed = next((v for e, v in entries.items() if e.producer == edge.producer), None)
            entries[edge] = mixed if mixed is not None and edge.skip == NOW else arc.lane
            routes[edge] = ((0.0, entries[edge]), (BRANCH, entries[edge]))
            arcs[edge] = arc
        low += LANE * len(self.arcs)
        loops = [w for p in inner for w in p.loops]
        if self.group.feedback is not None:
            low += LANE
            back = self.group.feedback
            ends = [(b.centre[0], b.y + b.height) for b in (boxes[back.result], boxes[back.variable])]
            loops.append(Loop(ends[0], ends[1], low, back.label))
        size = (
            right[max(right)] + (0.0 if self.root else FRAME_OUTSIDE),
            low + (0.0 if self.root else CAPTION),
        )
        own = [] if self.root else [(self.group.caption, Rectangle(0.0, 0.0, *size))]
        frames = (*own, *(f for p in inner for f in p.frames))
        return Layout(size, boxes, routes, arcs, tuple(loops), frames, entries, exits)

    def _arcs(self, boxes: Mapping[str, Rectangle], low: float) -> dict[Edge, Arc]:
        several = len({e.skip for e in self.arcs}) > 1
        found = {}
        for k, edge in enumerate(self.arcs):
            same = [e for e in self.arcs if e.consumer == edge.consumer]
            dx = (same.index(edge) - (len(same) - 1) / 2) * APART
            x, centre = boxes[edge.consumer].centre
            target = x + dx, centre + math.sqrt(PLUS_RADIUS**2 - dx**2)
            found[edge] = Arc(low + LANE * (k + 1), target, edge.skip if several else "")
        return found

    def _verticals(self) -> tuple[dict[int, float], dict[int, float]]:
        """x of the left and right side of each column; ports are on the borders."""
        widths: dict[int, float] = {}
        for item, c in self.column.items():
            if not isinstance(item, tuple):
                widths[c] = max(widths.get(c, 0.0), self.sizes[item][0])
        left, right = ({}, {}) if self.root else ({0: 0.0}, {0: BRANCH})
        x = 0.0 if self.root else FRAME_INSIDE
        for c in sorted(widths):
            left[c], right[c] = x, x + widths[c]
            x = right[c] + GAP_X
        return left, right

    def _points(
        self,
        link: Link,
        y: Mapping[Place, float],
        left: Mapping[int, float],
        right: Mapping[int, float],
        box: Mapping[Item, Rectangle],
    ) -> tuple[Point, ...]:
        """Pairs of points of equal height: along each column, then a curve to the next pair."""
        places = chain(link, self.column)
        border = right[max(right)] + FRAME_OUTSIDE
        points: list[Point] = []
        for place in places:
            c = place.column if isinstance(place, Passing) else self.column[place]
            x0, x1, at = left.get(c, border), right.get(c, border), y[place]
            if place is places[0]:
                at += link.leaves
                x0 = self._side(link.source, box, 1) if link.source in box else 0.0
            if place is places[-1]:
                at += link.enters
                x1 = self._side(link.target, box, -1) if link.target in box else border
            points += [(x0, at), (x1, at)]
        return tuple(points)

    def _side(self, item: Item, box: Mapping[Item, Rectangle], side: int) -> float:
        """x of the right (1) or left (-1) end of an item."""
        half = PLUS_RADIUS if item in self.pluses else box[item].width / 2
        return box[item].centre[0] + side * half

    def _joined(
        self, edge: Edge, link: Link, points: tuple[Point, ...], inner: Sequence[Layout]
    ) -> tuple[Point, ...]:
        """The piece in this frame with those in inner frames."""
        members = dict(zip(self.inner, inner, strict=True))
        if isinstance(link.source, Group):
            points = (*members[link.source].routes[edge][:-1], *points[1:])
        if isinstance(link.target, Group):
            points = (*points[:-1], *members[link.target].routes[edge][1:])
        return points


def _spread(
    pieces: Mapping[Link, tuple[Point, ...]], box: Mapping[Item, Rectangle], pluses: Sequence[str]
) -> dict[Link, tuple[Point, ...]]:
    """Move the ends of links that arrive at the same box apart, in the order of where they come from."""
    arriving: dict[Item, list[tuple[float, int, Link]]] = {}
    for k, (link, points) in enumerate(pieces.items()):
        if isinstance(link.target, str) and link.target not in pluses:
            arriving.setdefault(link.target, []).append((points[-3][1], k, link))
    moved = dict(pieces)
    for target, entries in arriving.items():
        step = min(12.0, (box[target].height - 12) / max(len(entries) - 1, 1))
        for place, (_, _, link) in enumerate(sorted(entries, key=lambda e: e[:2])):
            *rest, (x0, y0), (x1, _) = pieces[link]
            y1 = y0 + (place - (len(entries) - 1) / 2) * step
            moved[link] = (*rest, (x0, y1), (x1, y1))
    return moved
