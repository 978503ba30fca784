"""What modules with kernels print of tables and functions of lines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import TextWrapper

from pde2net.emit.kernels.engine import CELLS, HEAD, exponentials
from pde2net.emit.kernels.lines import Line
from pde2net.emit.kernels.tables import Table, Trip
from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition, Function
from pde2net.emit.words import calls
from pde2net.program.extents import Extent

MIRRORED = (3, 4)
ROWS = TextWrapper(96, initial_indent=" " * 12, subsequent_indent=" " * 12)


def functions_of_lines(lines: Sequence[Line]) -> list[Definition]:
    """The functions, that which calls them by number, and what they need."""
    body = []
    for k, line in enumerate(lines):
        body.append(f"{'if' if k == 0 else 'elif'} number == {k}:")
        body.append(f"    {_called(line)}")
    arguments = ["number", "n", "p", "where", "memory", "at"]
    call = Function("call", arguments, "None", "Make one line.", body, ["@inner"])
    return library([*(line.text for line in lines), call])


def called_after(text: str, operator: str, prefix: str) -> str:
    """A text whose operator of torch is called after all of it: others of that name compute the same."""
    return text.replace(operator, f"{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:16]}")


def library(functions: Sequence[Definition]) -> list[Definition]:
    """Functions of lines, after what they need."""
    before = [d for text in (HEAD, CELLS) for d in parse(text)]
    return [*before, *(exponentials() if any(calls("exp", d) for d in functions) else []), *functions]


def tables(made: Sequence[Table], lines: Sequence[Line]) -> list[str]:
    """The constant TABLES."""
    names = [line.name for line in lines]
    return ["TABLES = [", *(text for table in made for text in _table(table, names)), "]"]


def limits(trips: Sequence[Trip], lines: Sequence[Line]) -> list[str]:
    """How many arrays passes are handed, and how many lines functions."""
    handed = max(len(of) for trip in trips for of in (trip.given, trip.results))
    return [f"HANDED = {handed}", f"MOST = {max(len(f.groups) + f.writes for f in lines)}"]


def sizes_of(extent: Extent, dimension: int) -> str:
    """Channels of an array, and how much wider it is than the image."""
    return tuple_of([extent.channels, *extent.wide[-dimension:]])


def smallest(made: Sequence[Table], dimension: int) -> list[int]:
    """Cells along each axis, of which each beyond the border that is read mirrors one."""
    least = []
    for axis in {1: [2], 2: [0, 2], 3: [0, 1, 2]}[dimension]:
        sizes = [1]
        for table in made:
            for ring in table.rings:
                low, high, rule = ring[2 + 2 * axis], ring[3 + 2 * axis], ring[8 + axis]
                if rule % 8 in MIRRORED:
                    sizes += [low, high + rule // 8]
        least.append(max(sizes))
    return least


def _table(table: Table, names: Sequence[str]) -> list[str]:
    lines = ["    ("]
    for name in ("turns", "reads", "writes", "copies", "stores", "rings"):
        rows = getattr(table, name)
        if not rows:
            lines.append(f"        np.empty((0, 5), np.int64),  # {name}")
            continue
        lines += [f"        np.array([  # {name}"]
        if name == "turns":
            notes = (names[row[0]] if row[0] >= 0 else "load" for row in rows)
            lines += [f"            {tuple_of(row)},  # {n}" for row, n in zip(rows, notes, strict=True)]
        else:
            lines += ROWS.wrap(" ".join(f"{_packed(row)}," for row in rows))
        lines += ["        ], np.int64),"]
    lines += [f"        {tuple_of(tuple_of(s) for s in table.sums)},  # sums"]
    return [*lines, f"        {table.wraps},  # wraps", "    ),"]


def numbered(arrays: Sequence[str], first: int) -> dict[str, int]:
    """Their places, from `first` on."""
    return {a: first + k for k, a in enumerate(dict.fromkeys(arrays))}


def _called(line: Line) -> str:
    reads = [f"memory[at[{k}] : at[{k}] + n{f' + {s}' if s else ''}]" for k, s in enumerate(line.span)]
    first = len(reads)
    writes = [f"memory[at[{first + k}] : at[{first + k}] + n]" for k in range(line.writes)]
    return f"{line.name}({', '.join(['n', 'p', *(['where'] if line.located else []), *reads, *writes])})"


def tuple_of(entries: Iterable[object]) -> str:
    """A tuple as text."""
    found = [str(e) for e in entries]
    return f"({', '.join(found)}{',' if len(found) == 1 else ''})"


def _packed(row: Sequence[int]) -> str:
    """A tuple without spaces, which is kept on one line."""
    return tuple_of(row).replace(" ", "")


def range_of(numbers: Sequence[int]) -> str:
    """A tuple; as a range where it is a long one."""
    first, last = (numbers[0], numbers[-1] + 1) if numbers else (0, 0)
    long = len(numbers) > 4 and list(numbers) == list(range(first, last))
    return f"tuple(range({first}, {last}))" if long else tuple_of(numbers)


def listed(name: str, entries: Iterable[object]) -> list[str]:
    """A constant with a line for each entry."""
    found = [str(e) for e in entries]
    if not found:
        return [f"{name} = ()"]
    return [f"{name} = (", *(f"    {e}," for e in found), ")"]


def equal(entries: Sequence[str]) -> Iterator[str]:
    """Entries of a tuple; many equal ones as one expression."""
    for entry, own in groupby(entries):
        count = len(list(own))
        yield entry if count == 1 else f"*({entry},) * {count}"
