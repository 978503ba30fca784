"""Layered layout of an outline from left to right (Sugiyama, Tagawa and Toda, 1981).

Columns are topological layers. Nodes of blocks form the lower band, in frames; nodes that depend on
data alone form the band above it. Long edges pass the columns between through invisible nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pde2net.graph.outline import ELLIPSIS, Outline

GAP_X, GAP_Y, EDGE_HEIGHT = 44.0, 20.0, 16.0
BRANCH, FRAME_INSIDE, FRAME_OUTSIDE = 12.0, 46.0, 30.0
HEADROOM, LANE, CAPTION = 24.0, 26.0, 20.0
FRAME_APART = 24.0
PLUS_RADIUS = 15.0
SWEEPS = 10

Point = tuple[float, float]
# A node of the graph, or the part of the edge (producer, consumer) that passes a column.
Item = str | tuple[str, str, int]


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
class Layout:
    """Where everything goes; all coordinates are nonnegative.

    boxes   name -> rectangle
    routes  (producer, consumer, points): from side to side, level along every second piece
    arcs    (producer, skip node, x where it branches off, y of the way around the block)
    frames  caption, rectangle
    """

    boxes: Mapping[str, Rectangle]
    routes: tuple[tuple[str, str, tuple[Point, ...]], ...]
    arcs: tuple[tuple[str, str, float, float], ...]
    frames: tuple[tuple[str, Rectangle], ...]
    size: tuple[float, float]


def layered(shown: Outline, sizes: Mapping[str, tuple[float, float]], skips: Sequence[str]) -> Layout:
    """Lay out `shown`; `sizes` gives width and height of each node, `skips` the skip connections."""
    arcs = [(a, b) for a, b in shown.edges if b in skips and _enters(shown, a, b)]
    edges = [e for e in shown.edges if e not in arcs]
    column = _columns(shown, [*edges, *arcs])
    chains = {(a, b): _chain(a, b, column) for a, b in edges}
    place: dict[Item, int] = {}
    place.update(column)
    place |= {item: item[2] for chain in chains.values() for item in chain if not isinstance(item, str)}
    pairs = [pair for chain in chains.values() for pair in pairwise(chain)]
    height = {i: sizes[i][1] if isinstance(i, str) else EDGE_HEIGHT for i in place}

    upper = {i for i in place if (i if isinstance(i, str) else i[0]) in shown.sides}
    y_lower = _heights([i for i in place if i not in upper], place, pairs, height)
    y_upper = _heights([i for i in place if i in upper], place, pairs, height)
    shift = HEADROOM + (_bottom(y_upper, height) + 2 * GAP_Y if upper else 0.0)
    y = y_upper | {i: value + shift for i, value in y_lower.items()}
    lane = _bottom({i: y[i] for i in y_lower}, height) + LANE

    bottom = lane + CAPTION + GAP_Y
    spans = [[column[n] for n in frame.names] for frame in shown.frames]
    starts, ends = {min(s) for s in spans}, {max(s) for s in spans}
    left, right = _verticals(place, sizes, starts, ends)
    boxes = {
        n: Rectangle((left[c] + right[c] - sizes[n][0]) / 2, y[n] - sizes[n][1] / 2, *sizes[n])
        for n, c in column.items()
    }
    frames = []
    for frame, span in zip(shown.frames, spans, strict=True):
        x0, x1 = left[min(span)] - FRAME_INSIDE, right[max(span)] + FRAME_OUTSIDE
        frames.append((frame.caption, Rectangle(x0, shift - HEADROOM, x1 - x0, bottom - shift + HEADROOM)))
    branch = {c: left[c] - FRAME_INSIDE + BRANCH for c in starts}
    entry = {frame.names[0]: branch[min(span)] for frame, span in zip(shown.frames, spans, strict=True)}
    of = {n: entry[frame.names[0]] for frame in shown.frames for n in frame.names}
    sides = {n: (b.x, b.x + b.width) for n, b in boxes.items()}
    sides |= {n: (boxes[n].centre[0] - PLUS_RADIUS, boxes[n].centre[0] + PLUS_RADIUS) for n in skips}
    routes = tuple(
        (a, b, _points(chain, column[a], sides, y, left, right, branch)) for (a, b), chain in chains.items()
    )
    return Layout(
        boxes,
        _spread(routes, boxes, skips),
        tuple((a, b, of[b], lane) for a, b in arcs),
        tuple(frames),
        (max(right.values()), bottom),
    )


def _enters(shown: Outline, producer: str, skip: str) -> bool:
    """The edge brings the state into the block of `skip`."""
    inside = next(set(frame.names) for frame in shown.frames if skip in frame.names)
    return producer not in inside and producer not in shown.sides


def _columns(shown: Outline, edges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Blocks one after the other, each node as early as possible; side nodes as late as possible."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for a, b in edges:
        before.setdefault(b, []).append(a)
        after.setdefault(a, []).append(b)
    column = {shown.start: 0}
    last = 0
    for number, frame in enumerate(shown.frames):
        if number and shown.elided:
            last += 1
            column[ELLIPSIS] = last
        first = last + 1
        for name in frame.names:
            column[name] = max([first, *(column[p] + 1 for p in before.get(name, ()) if p in column)])
        last = max(column[name] for name in frame.names)
    column[shown.end] = last + 1
    for name in reversed(shown.sides):
        column[name] = min((column[c] for c in after.get(name, ())), default=1) - 1
    lowest = min(column.values())
    return {name: c - lowest for name, c in column.items()}


def _chain(producer: str, consumer: str, column: Mapping[str, int]) -> list[Item]:
    between = range(column[producer] + 1, column[consumer])
    return [producer, *((producer, consumer, c) for c in between), consumer]


def _heights(
    items: Sequence[Item],
    column: Mapping[Item, int],
    pairs: Sequence[tuple[Item, Item]],
    height: Mapping[Item, float],
) -> dict[Item, float]:
    """y of the centres, from 0 down: neighbours level where possible, few crossings, no overlaps."""
    if not items:
        return {}
    here = set(items)
    near: dict[Item, dict[int, list[Item]]] = {i: {-1: [], 1: []} for i in items}
    for a, b in pairs:
        if a in here and b in here:
            near[b][-1].append(a)
            near[a][1].append(b)
    rows: dict[int, list[Item]] = {}
    for item in items:
        rows.setdefault(column[item], []).append(item)
    y: dict[Item, float] = {i: float(k) * GAP_Y for row in rows.values() for k, i in enumerate(row)}
    for sweep in range(2 * SWEEPS):
        sides = [-1, 1] if sweep >= 2 * SWEEPS - 2 else [-1] if sweep % 2 == 0 else [1]
        for c in sorted(rows, reverse=sweep % 2 == 1):
            wish = {i: _mean([y[n] for s in sides for n in near[i][s]], y[i]) for i in rows[c]}
            if sweep < SWEEPS:
                rows[c].sort(key=lambda i: wish[i])
            y |= _separate(rows[c], wish, height)
    top = min(y[i] - height[i] / 2 for i in items)
    return {i: value - top for i, value in y.items()}


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _separate(
    row: Sequence[Item], wish: Mapping[Item, float], height: Mapping[Item, float]
) -> dict[Item, float]:
    """The positions nearest to `wish` in least squares that keep the order and the gaps.

    Isotonic regression of wish minus offset by pooling adjacent violators.
    """
    offsets, at = [], 0.0
    for k, item in enumerate(row):
        at += (height[row[k - 1]] + height[item]) / 2 + GAP_Y if k else 0.0
        offsets.append(at)
    pools: list[tuple[float, int]] = []
    for item, offset in zip(row, offsets, strict=True):
        mean, count = wish[item] - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    levels = [mean for mean, count in pools for _ in range(count)]
    return {i: level + offset for i, level, offset in zip(row, levels, offsets, strict=True)}


def _bottom(y: Mapping[Item, float], height: Mapping[Item, float]) -> float:
    return max(value + height[i] / 2 for i, value in y.items())


def _verticals(
    place: Mapping[Item, int], sizes: Mapping[str, tuple[float, float]], starts: set[int], ends: set[int]
) -> tuple[dict[int, float], dict[int, float]]:
    """x of the left and right side of each column."""
    left: dict[int, float] = {}
    right: dict[int, float] = {}
    x = 0.0
    for c in range(max(place.values()) + 1):
        if c in starts:
            before = FRAME_OUTSIDE + FRAME_INSIDE + (FRAME_APART if c - 1 in ends else 0.0)
        else:
            before = 2 * FRAME_OUTSIDE if c - 1 in ends else GAP_X
        x += before if c else 0.0
        widths = [sizes[i][0] for i, k in place.items() if k == c and isinstance(i, str)]
        left[c], right[c] = x, x + max(widths, default=0.0)
        x = right[c]
    return left, right


def _points(
    chain: Sequence[Item],
    start: int,
    sides: Mapping[str, tuple[float, float]],
    y: Mapping[Item, float],
    left: Mapping[int, float],
    right: Mapping[int, float],
    branch: Mapping[int, float],
) -> tuple[Point, ...]:
    """Pairs of points of equal height: along each column, then a curve to the next pair."""
    points: list[Point] = []
    for c, item in enumerate(chain, start):
        x0 = sides[str(item)][1] if c == start else left[c]
        x1 = sides[str(item)][0] if item == chain[-1] else branch.get(c + 1, right[c])
        points += [(x0, y[item]), (x1, y[item])]
    return tuple(points)


def _spread(
    routes: Sequence[tuple[str, str, tuple[Point, ...]]], boxes: Mapping[str, Rectangle], skips: Sequence[str]
) -> tuple[tuple[str, str, tuple[Point, ...]], ...]:
    """Move the ends of edges that arrive at the same box apart, in the order of where they come from."""
    arriving: dict[str, list[tuple[float, str]]] = {}
    for a, b, points in routes:
        if b not in skips:
            arriving.setdefault(b, []).append((points[-3][1], a))
    moved = []
    for a, b, points in routes:
        others = sorted(arriving.get(b, ()))
        if len(others) > 1:
            step = min(12.0, (boxes[b].height - 12) / (len(others) - 1))
            at = others.index((points[-3][1], a)) - (len(others) - 1) / 2
            target = points[-1][1] + at * step
            points = (*points[:-2], *((x, target) for x, _ in points[-2:]))
        moved.append((a, b, points))
    return tuple(moved)
