"""Where the columns of a frame break into rows, one below the other, so that it is no wider than it may be.

Each row has two more columns, its borders: ports are there, and what goes on in the next row leaves and
enters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pde2net.graph.draw.columns import Item, Link
from pde2net.graph.draw.outline import Edge

GAP_X = 44.0
CURVE = 34.0  # from the border to the first column, and from the last column to where lines turn
WIRE = 9.0  # between lines that turn
# What turns takes room of its own: a picture that is too wide is made again for less, so many times.
TRIES, LESS = 12, 40.0


@dataclass(frozen=True)
class Rows:
    """Columns with borders, numbered through.

    column  of each item; ports are in the row of what they serve
    row     of each column
    """

    column: Mapping[Item, int]
    row: Mapping[int, int]

    def first(self, row: int) -> int:
        """The left border of a row."""
        return min(c for c, r in self.row.items() if r == row)

    def last(self, row: int) -> int:
        """The right border of a row."""
        return max(c for c, r in self.row.items() if r == row)


def broken(
    count: int,
    width: Callable[[int, int], float],
    crossing: Sequence[int],
    available: float,
    allowed: Callable[[int, int], bool],
) -> list[int]:
    """The numbers that begin a row: few rows, broken where few lines cross, of like widths.

    width      that of a row, from a number up to another one
    crossing   how many lines come to a number and those after it from those before it
    available  the greatest width, but for rows that cannot be broken
    allowed    whether numbers may make a row
    """
    best: dict[int, tuple[tuple[float, float, float], list[int]]] = {count: ((0.0, 0.0, 0.0), [])}
    for i in reversed(range(count)):
        choices: list[tuple[tuple[float, float, float], list[int]]] = []
        for j in range(i + 1, count + 1):
            if choices and width(i, j) > available:
                break
            if j in best and allowed(i, j):
                (number, lines, squares), starts = best[j]
                cost = (number + 1, lines + crossing[i], squares + width(i, j) ** 2)
                choices.append((cost, [i, *starts]))
        if choices:
            best[i] = min(choices)
    return best[0][1]


def columns_broken(
    column: Mapping[Item, int],
    links: Sequence[Link],
    widths: Mapping[int, float],
    available: float,
    whole: int | None,
) -> list[int]:
    """The columns that begin a row; from the column `whole` on there is but one row, if that is given."""
    order = sorted(widths)
    crossing = [_crossing(column, links, c) for c in order] + [0]

    def width(i: int, j: int) -> float:
        turning = CURVE + WIRE * crossing[j] if j < len(order) else 0.0
        return sum(widths[c] + GAP_X for c in order[i:j]) - GAP_X + WIRE * crossing[i] + turning

    def allowed(_: int, j: int) -> bool:
        return j == len(order) or whole is None or order[j] <= whole

    return [order[k] for k in broken(len(order), width, crossing, available, allowed)]


def _crossing(column: Mapping[Item, int], links: Sequence[Link], start: int) -> int:
    """How many lines come from the columns before `start`; those from ports do not."""
    found = {
        (link.source, link.leaves)
        for link in links
        if not _is_port(link.source) and not _is_port(link.target)
        if column[link.source] < start <= column[link.target]
    }
    return len(found)


def _is_port(item: Item) -> bool:
    return isinstance(item, tuple)


def in_rows(
    column: Mapping[Item, int], links: Mapping[Edge, Link], starts: Sequence[int]
) -> tuple[Rows, dict[Edge, Link]]:
    """The columns with borders, and the links with a port in each row that needs it."""
    rank = {c: k for k, c in enumerate(sorted({c for i, c in column.items() if not _is_port(i)}))}

    def row_of(item: Item) -> int:
        return 0 if _is_port(item) else sum(s <= column[item] for s in starts[1:])

    found: dict[Item, int] = {i: rank[c] + 1 + 2 * row_of(i) for i, c in column.items() if not _is_port(i)}
    row = {c: row_of(i) for i, c in found.items()}
    borders = {}
    for r in range(len(starts)):
        own = [c for c, k in row.items() if k == r]
        borders[r] = min(own) - 1, max(own) + 1
    row |= {c: r for r, both in borders.items() for c in both}

    def placed(port: Item, other: Item, side: int) -> Item:
        """A port in the row of `other`."""
        if not isinstance(port, tuple):
            return port
        named = (port[0], port[1], f"{row_of(other)}")
        found[named] = borders[row_of(other)][side]
        return named

    moved = {}
    for edge, link in links.items():
        ends = placed(link.source, link.target, 0), placed(link.target, link.source, 1)
        moved[edge] = replace(link, source=ends[0], target=ends[1])
    return Rows(found, row), moved
