"""Layered layout of nested frames from left to right (Sugiyama, Tagawa and Toda, 1981).

Every frame is laid out by itself and is then one box of the frame around it. Columns are topological
layers; long edges pass the columns between through invisible places. Edges cross a border at ports, one
for each producer and row. What is too wide breaks into rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pde2net.graph.draw.columns import (
    EDGE_HEIGHT,
    Item,
    Link,
    Passing,
    Place,
    chain,
    column_of,
    columns,
    heights,
)
from pde2net.graph.draw.outline import CARRIED, NOW, Edge, Group, Outline
from pde2net.graph.draw.places import PLUS_RADIUS, Arc, Layout, Loop, Point, Rectangle
from pde2net.graph.draw.rows import CURVE, GAP_X, LESS, TRIES, WIRE, columns_broken, in_rows
from pde2net.graph.draw.style import HEADING_WIDTH, LINE

BRANCH, FRAME_INSIDE, FRAME_OUTSIDE = 12.0, 46.0, 30.0
HEADROOM, LANE, CAPTION = 24.0, 26.0, 40.0
BETWEEN = 22.0  # from a row to the lines that go to the next one, and from them on
APART = 9.0
LABEL = LINE * HEADING_WIDTH  # the width of a character
BESIDE_BRANCH = 8.0  # from where states branch off to the lines that turn
BESIDE = 500.0  # as much of the width as nodes take before frames get rows of their own


def layered(shown: Outline, sizes: Mapping[str, Point], available: float) -> Layout:
    """Lay out `shown`, about as wide as `available` at most; `sizes` gives width and height of each node."""
    tried = []
    for k in range(TRIES):
        tried.append(_Frame(shown.root, shown, sizes, available - k * LESS).layout())
        if tried[-1].size[0] <= available:
            break
    return min(tried, key=lambda layout: layout.size[0])


@dataclass(frozen=True)
class _Sides:
    """x of the sides of columns and of the right border, y of the lines between rows, what turns there."""

    left: Mapping[int, float]
    right: Mapping[int, float]
    border: float
    strips: Mapping[int, float]
    turns: Mapping[int, list[Passing]]


class _Frame:
    def __init__(self, group: Group, shown: Outline, sizes: Mapping[str, Point], available: float) -> None:
        self.group, self.pluses, self.root = group, shown.pluses, group is shown.root
        names = set(group.names())
        self.edges = [e for e in shown.edges if e.producer in names or e.consumer in names]
        self.member: dict[str, str | Group] = {}
        for m in group.members:
            self.member |= dict.fromkeys(m.names() if isinstance(m, Group) else [m], m)
        # Arcs to pluses further left take higher lanes, so that none crosses another.
        order = {m: k for k, m in enumerate(group.members)}
        self.arcs = [e for e in self.edges if e.skip and e.consumer in order]
        self.arcs.sort(key=lambda e: (order[e.consumer], CARRIED.index(e.skip)))
        self.inner: dict[Group, Layout] = {}
        self.sizes: dict[Item, Point] = {m: sizes[m] for m in group.members if isinstance(m, str)}
        column = columns(group, list(self._links().values()), self.root)
        own = available if self.root else available - FRAME_INSIDE - FRAME_OUTSIDE
        inside = own - self._beside(column) if self.root else own
        frames = [m for m in group.members if isinstance(m, Group)]
        self.inner = {m: _Frame(m, shown, sizes, inside).layout() for m in frames}
        self.sizes |= {m: p.size for m, p in self.inner.items()}
        links = self._links()
        whole = min((column[e.consumer] for e in self.arcs), default=None)
        starts = columns_broken(column, list(links.values()), self._widths(column), own, whole)
        self.rows, self.links = in_rows(column, links, starts)
        self.column = self.rows.column

    def _beside(self, column: Mapping[Item, int]) -> float:
        """How much the columns of nodes take beside those of frames, if that leaves these enough."""
        frames = {column[m] for m in self.group.members if isinstance(m, Group)}
        taken = sum(w + GAP_X for c, w in self._widths(column).items() if c not in frames)
        return taken if taken < BESIDE else 0.0

    def _widths(self, column: Mapping[Item, int]) -> dict[int, float]:
        widths: dict[int, float] = {}
        for item, c in column.items():
            if not isinstance(item, tuple):
                widths[c] = max(widths.get(c, 0.0), self.sizes.get(item, (0.0, 0.0))[0])
        return widths

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
        links = list(dict.fromkeys(self.links.values()))
        y = heights(self.column, links, tall, self.rows.row)
        turns = self._turns(links, y)
        y, strips, low = self._stacked(y, tall, turns)
        left, right, border = self._verticals(turns)
        box = {}
        for item, (w, h) in self.sizes.items():
            middle = (left[self.column[item]] + right[self.column[item]]) / 2
            box[item] = Rectangle(middle - w / 2, y[item] - h / 2, w, h)
        inner = [p.moved(box[m].x, box[m].y) for m, p in self.inner.items()]
        boxes = {n: b for n, b in box.items() if isinstance(n, str)}
        for p in inner:
            boxes |= p.boxes
        sides = _Sides(left, right, border, strips, turns)
        pieces = {link: self._points(link, y, sides, box) for link in links}
        pieces = _spread(pieces, box, self.pluses)
        routes = {e: points for p in inner for e, points in p.routes.items()}
        for edge, link in self.links.items():
            routes[edge] = self._joined(edge, link, pieces[link], inner)
        entries = {e: y[k.source] for e, k in self.links.items() if isinstance(k.source, tuple)}
        exits = {e: y[k.target] for e, k in self.links.items() if isinstance(k.target, tuple)}
        arcs = {e: a for p in inner for e, a in p.arcs.items()}
        for edge, arc in self._arcs(boxes, low).items():
            mixed = max((v for e, v in entries.items() if e.producer == edge.producer), default=None)
            entries[edge] = mixed if mixed is not None and edge.skip == NOW else arc.lane
            routes[edge] = ((0.0, entries[edge]), (BRANCH, entries[edge]))
            arcs[edge] = arc
        low += LANE * len(self.arcs)
        loops = [w for p in inner for w in p.loops]
        if self.group.feedback is not None:
            low += LANE
            loops.append(self._loop(boxes, low, strips))
        size = border, low + (0.0 if self.root else CAPTION)
        own = [] if self.root else [(self.group.caption, Rectangle(0.0, 0.0, *size))]
        frames = (*own, *(f for p in inner for f in p.frames))
        return Layout(size, boxes, routes, arcs, tuple(loops), frames, entries, exits)

    def _turns(self, links: Sequence[Link], y: Mapping[Place, float]) -> dict[int, list[Passing]]:
        """What goes on in the next row, for each row, from the uppermost at its border to the lowest."""
        found: dict[int, dict[Passing, None]] = {r: {} for r in sorted(set(self.rows.row.values()))}
        for link in links:
            for place in chain(link, self.column)[1:-1]:
                if isinstance(place, Passing):
                    r = self.rows.row[place.column]
                    if place.column == self.rows.last(r):
                        found[r][place] = None
        return {r: sorted(places, key=lambda p: y[p]) for r, places in found.items()}

    def _stacked(
        self, y: Mapping[Place, float], tall: Mapping[Item, float], turns: Mapping[int, Sequence[Passing]]
    ) -> tuple[dict[Place, float], dict[int, float], float]:
        """Rows below each other, the y of the first line between a row and the next, the lowest y."""
        at = 0.0 if self.root else HEADROOM
        placed: dict[Place, float] = {}
        strips: dict[int, float] = {}
        for r in turns:
            own = {p: v + at for p, v in y.items() if self.rows.row[column_of(p, self.column)] == r}
            placed |= own
            at = max(v + (EDGE_HEIGHT if isinstance(p, Passing) else tall[p]) / 2 for p, v in own.items())
            if r + 1 in turns:
                strips[r] = at + BETWEEN
                at = strips[r] + WIRE * (len(turns[r]) + (r == 0 and self._goes_around())) + BETWEEN
        return placed, strips, at

    def _goes_around(self) -> bool:
        """Whether the way back of a loop passes rows."""
        return self.group.feedback is not None and len(set(self.rows.row.values())) > 1

    def _loop(self, boxes: Mapping[str, Rectangle], lane: float, strips: Mapping[int, float]) -> Loop:
        """Back below the row, or around the rows into the space below the first one."""
        back = self.group.feedback
        assert back is not None
        result, variable = boxes[back.result], boxes[back.variable]
        (x0, y0), (x1, y1) = ((b.centre[0], b.y + b.height) for b in (result, variable))
        if not self._goes_around():
            return Loop(((x0, y0), (x0, lane), (x1, lane), (x1, y1)), (x1 + 24, lane - 6), back.label)
        x, strip = BRANCH + BESIDE_BRANCH, strips[0]
        corners = ((x0, y0), (x0, lane), (x, lane), (x, strip), (x1, strip), (x1, y1))
        fits = x + 24 + len(back.label) * LABEL < x0
        return Loop(corners, (x + 24 if fits else x0 + 12, lane - 6), back.label)

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

    def _verticals(
        self, turns: Mapping[int, Sequence[Passing]]
    ) -> tuple[dict[int, float], dict[int, float], float]:
        """x of the left and right side of each column, and of the right border."""
        widths = self._widths(self.column)
        left: dict[int, float] = {}
        right: dict[int, float] = {}
        border = 0.0
        for r in turns:
            first, last = self.rows.first(r), self.rows.last(r)
            around = WIRE * self._goes_around()
            entering = WIRE * len(turns[r - 1]) if r else 0.0
            left[first] = 0.0
            right[first] = (0.0 if self.root else BRANCH) + around + entering
            right[first] += BESIDE_BRANCH if around + entering and not self.root else 0.0
            x = right[first] + (0.0 if self.root and not entering else FRAME_INSIDE - BRANCH)
            for c in range(first + 1, last):
                left[c], right[c] = x, x + widths[c]
                x = right[c] + GAP_X
            left[last] = right[last - 1] + (0.0 if self.root and not turns[r] else CURVE)
            right[last] = left[last] + WIRE * len(turns[r])
            border = max(border, right[last])
        if not self.root:
            border += FRAME_OUTSIDE - CURVE if not any(turns.values()) else FRAME_OUTSIDE / 2
        return left, right, border

    def _points(
        self, link: Link, y: Mapping[Place, float], sides: _Sides, box: Mapping[Item, Rectangle]
    ) -> tuple[Point, ...]:
        """Pairs of points of equal height: along each column, then a curve or a way to the next pair."""
        places = chain(link, self.column)
        points: list[Point] = []
        for place in places:
            c, at = column_of(place, self.column), y[place]
            x0, x1 = sides.left[c], sides.right[c]
            if isinstance(place, tuple) and place[0] == "out":
                x0, x1 = min(x0, sides.border), sides.border
            if place is places[0]:
                at += link.leaves
                x0 = self._side(link.source, box, 1) if link.source in box else 0.0
            if place is places[-1]:
                at += link.enters
                x1 = self._side(link.target, box, -1) if link.target in box else sides.border
            r = self.rows.row[c]
            if isinstance(place, Passing) and c == self.rows.last(r):
                k = len(sides.turns[r]) - 1 - sides.turns[r].index(place)  # the uppermost goes furthest
                strip = sides.strips[r] + WIRE * (k + (r == 0 and self._goes_around()))
                out = x0 + WIRE * (k + 1)
                after = replace(place, column=c + 1)
                entering = sorted((replace(p, column=c + 1) for p in sides.turns[r]), key=lambda p: y[p])
                into = sides.right[c + 1] - WIRE * (entering.index(after) + 1)
                points += [(x0, at), (out, at), (out, strip), (into, strip)]
            elif isinstance(place, Passing) and c == self.rows.first(r):
                points += [(points[-1][0], at), (x1, at)]
            else:
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
