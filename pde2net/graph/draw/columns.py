"""Columns and heights of the items of one frame: nodes, inner frames, ports, and links that pass by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, Union

from pde2net.graph.draw.outline import Group

GAP_Y, EDGE_HEIGHT = 20.0, 16.0
SWEEPS = 10
EMPTY = 1.5 * GAP_Y  # the highest strip of a row in which nothing is

# A node, an inner frame, or a port ("in" or "out", producer, row) on the border.
Item: TypeAlias = Union[str, Group, tuple[str, str, str]]  # noqa: UP007 (a forward reference)


@dataclass(frozen=True)
class Link:
    """From item to item; its ends are `leaves` and `enters` below their centres.

    pulls  whether it draws the items that it joins to one height
    """

    source: Item
    target: Item
    leaves: float = 0.0
    enters: float = 0.0
    pulls: bool = True


@dataclass(frozen=True)
class Passing:
    """The part of all links from one end of an item that passes a column."""

    source: Item
    leaves: float
    column: int


Place: TypeAlias = Item | Passing


def columns(group: Group, links: Sequence[Link], root: bool) -> dict[Item, int]:
    """Each item as early as possible, in the root what is known as late as possible; ports at the borders.

    The variable of a loop comes before all else.
    """
    before: dict[Item, list[Item]] = {}
    after: dict[Item, list[Item]] = {}
    for link in links:
        before.setdefault(link.target, []).append(link.source)
        after.setdefault(link.source, []).append(link.target)
    column: dict[Item, int] = {i: 0 for i in before | after if isinstance(i, tuple) and i[0] == "in"}
    for member in group.members:
        first = 1 if group.feedback is None or member == group.feedback.variable else 2
        column[member] = max([first, *(column[p] + 1 for p in before.get(member, ()))])
    if root:
        moving: set[Item] = {m for m in group.members if isinstance(m, Group)}
        for member in group.members:
            if member in moving or any(p in moving for p in before.get(member, ())):
                moving.add(member)
        for member in reversed(group.members):
            if member not in moving and after.get(member):
                column[member] = min(column[c] for c in after[member]) - 1
        lowest = min(column.values())
        column = {i: c - lowest for i, c in column.items()}
    last = max(column.values(), default=0) + 1
    return column | {i: last for i in before if isinstance(i, tuple) and i[0] == "out"}


def chain(link: Link, column: Mapping[Item, int]) -> list[Place]:
    """What a link passes: its source, a place in each column between, its target."""
    between = range(column[link.source] + 1, column[link.target])
    return [link.source, *(Passing(link.source, link.leaves, c) for c in between), link.target]


def heights(
    column: Mapping[Item, int], links: Sequence[Link], tall: Mapping[Item, float], row: Mapping[int, int]
) -> dict[Place, float]:
    """y of the centres, in each row from 0 down: links level where possible, few crossings, no overlaps.

    row  that of each column; rows know nothing of each other
    """
    rows: dict[int, list[Place]] = {}
    for item, c in column.items():
        rows.setdefault(c, []).append(item)
    near: dict[Place, dict[int, list[tuple[Place, float]]]] = {}
    for link in links:
        places = chain(link, column)
        for place in places[1:-1]:
            if isinstance(place, Passing) and place not in rows.setdefault(place.column, []):
                rows[place.column].append(place)
        for k, (a, b) in enumerate(pairwise(places) if link.pulls else ()):
            if row[column_of(a, column)] != row[column_of(b, column)]:
                continue
            shift = (link.leaves if k == 0 else 0.0) - (link.enters if k == len(places) - 2 else 0.0)
            near.setdefault(b, {-1: [], 1: []})[-1].append((a, shift))
            near.setdefault(a, {-1: [], 1: []})[1].append((b, -shift))
    height = {p: EDGE_HEIGHT if isinstance(p, Passing) else tall[p] for row in rows.values() for p in row}
    y: dict[Place, float] = {p: k * GAP_Y for row in rows.values() for k, p in enumerate(row)}
    for sweep in range(2 * SWEEPS):
        sides = [-1, 1] if sweep >= 2 * SWEEPS - 2 else [-1] if sweep % 2 == 0 else [1]
        for c in sorted(rows, reverse=sweep % 2 == 1):
            wish = {
                p: _mean([y[n] + d for s in sides for n, d in near.get(p, {}).get(s, ())], y[p])
                for p in rows[c]
            }
            if sweep < SWEEPS:
                rows[c].sort(key=lambda p: wish[p])
            y |= _separate(rows[c], wish, height)
    found: dict[Place, float] = {}
    for r in set(row.values()):
        own = {p: value for p, value in y.items() if row[column_of(p, column)] == r}
        found |= _closed(own, height)
    return {p: found[p] for p in y}


def _closed(y: Mapping[Place, float], height: Mapping[Place, float]) -> dict[Place, float]:
    """From 0 down, without what is empty from side to side."""
    closed: dict[Place, float] = {}
    low, shift = -math.inf, 0.0
    for place in sorted(y, key=lambda p: y[p] - height[p] / 2):
        top = y[place] - height[place] / 2
        if not closed:
            shift = -top
        elif top > low + EMPTY:
            shift -= top - low - EMPTY
        low = max(low, y[place] + height[place] / 2)
        closed[place] = y[place] + shift
    return closed


def column_of(place: Place, column: Mapping[Item, int]) -> int:
    """The column of an item, or of what passes it."""
    return place.column if isinstance(place, Passing) else column[place]


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default


def _separate(
    row: Sequence[Place], wish: Mapping[Place, float], height: Mapping[Place, float]
) -> dict[Place, float]:
    """The positions nearest to `wish` in least squares that keep the order and the gaps.

    Isotonic regression of wish minus offset by pooling adjacent violators.
    """
    offsets, at = [], 0.0
    for k, place in enumerate(row):
        at += (height[row[k - 1]] + height[place]) / 2 + GAP_Y if k else 0.0
        offsets.append(at)
    pools: list[tuple[float, int]] = []
    for place, offset in zip(row, offsets, strict=True):
        mean, count = wish[place] - offset, 1
        while pools and pools[-1][0] > mean:
            other, size = pools.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        pools.append((mean, count))
    levels = [mean for mean, count in pools for _ in range(count)]
    return {p: level + offset for p, level, offset in zip(row, levels, offsets, strict=True)}
