"""Passes as tables of whole numbers, which one loop over rows follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import sympy as sp

from pde2net.emit.kernels.lines import Line, line
from pde2net.program.kernels import Rule, Stage
from pde2net.program.names import Namer
from pde2net.program.passes import Journey, Leg
from pde2net.program.schedule import Turn

T = TypeVar("T")
Row = tuple[int, ...]
LOAD = -1
AXES = 3  # of all arrays: images have lines of one row, signals one row of one line


@dataclass(frozen=True)
class Table:
    """A pass.

    turns   see the text of `sweep` in engine.py
    reads   ring, row and line and first column relative to what is made, channel (-1: that which is made)
    writes  ring (-1: a line for sums), channel, sum (-1: none), copies of it: from, to; what of it is 0
            before it is made, as it is read one cell back: 0 nothing, 1 a row, 2 a line
    copies  rings that have the same array by another rule
    stores  ring, array in memory, cells beyond the image, how many rows it is behind
    rings   rows, channels, cells beyond the image at both ends of each axis, rules of each axis, 1 if all
            lines of a row are in the same place
    sums    parts of derivatives: number of the pass, line of numbers relative to the first, column, factor
    """

    turns: tuple[Row, ...]
    reads: tuple[Row, ...]
    writes: tuple[Row, ...]
    copies: tuple[Row, ...]
    stores: tuple[Row, ...]
    rings: tuple[Row, ...]
    sums: tuple[tuple[int, int, int, float], ...]
    wraps: bool


@dataclass(frozen=True)
class Trip:
    """A table, the first line of its numbers, and the arrays in memory that it reads and writes."""

    table: int
    line: int
    given: tuple[int, ...]
    results: tuple[int, ...]


@dataclass
class Tables:
    """The tables of a network, and the functions of lines that they call."""

    journey: Journey
    columns: Sequence[sp.Symbol]
    tables: dict[Table, int] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=dict)
    lines: dict[tuple[Stage, tuple[tuple[int, ...], ...]], Line] = field(default_factory=dict)

    def trips(self, legs: Sequence[Leg], arrays: Mapping[str, int]) -> tuple[Trip, ...]:
        """`arrays` are the places of arrays in memory."""
        return tuple(self.trip(leg, arrays) for leg in legs)

    def trip(self, leg: Leg, arrays: Mapping[str, int]) -> Trip:
        first = leg.first or leg
        if id(first) not in self.made:
            table = _Table(self, first).made()
            self.made[id(first)] = self.tables.setdefault(table, len(self.tables))
        given, results = (tuple(arrays[a] for a in own) for own in (leg.given, leg.results))
        return Trip(self.made[id(first)], leg.line, given, results)

    def of(self, stage: Stage, groups: tuple[tuple[int, ...], ...]) -> tuple[int, Line]:
        """A function of lines, and its number."""
        key = stage, groups
        if key not in self.lines:
            names = frozenset(known.name for known in self.lines.values())
            self.lines[key] = line(stage, groups, self.columns, Namer(names))
        return list(self.lines).index(key), self.lines[key]


class _Table:
    def __init__(self, tables: Tables, leg: Leg) -> None:
        self.tables, self.leg, self.first = tables, leg, leg.line
        self.flat = tables.journey.flat
        self.reads: list[Row] = []
        self.writes: list[Row] = []
        self.copies: list[Row] = []
        self.stores: list[Row] = []
        self.sums: list[tuple[int, int, int, float]] = []
        self.terms, self.numbers = self.flat.terms_of_totals, 0

    def made(self) -> Table:
        turns = tuple(self.turn(turn) for turn in self.leg.made.turns)
        rings = tuple(self.ring(i) for i in range(len(self.leg.made.rings)))
        return Table(
            turns,
            tuple(self.reads),
            tuple(self.writes),
            tuple(self.copies),
            tuple(self.stores),
            rings,
            tuple(self.sums),
            self.leg.made.wraps,
        )

    def ring(self, number: int) -> Row:
        ring = self.leg.made.rings[number]
        ends = lifted(ring.beyond, (0, 0))
        return (
            ring.rows,
            self.flat.extents[ring.array].channels,
            *(n for pair in ends for n in pair),
            *(code(r) for r in lifted(ring.rules, None)),
            int(bool(ring.carried)),
        )

    def turn(self, turn: Turn) -> Row:
        rings = self.leg.made.rings
        number, channels, summed, line_, apart = LOAD, 0, 0, 0, 0
        frame: tuple[int, ...] = (0, 0, 0)
        reads, writes = len(self.reads), len(self.writes)
        if turn.call is None:
            ring = turn.writes[0][0]
            line_ = self.leg.given.index(rings[ring].array)
            channels = self.flat.extents[rings[ring].array].channels
            self.write(turn.writes[0], -1, -1)
        else:
            stage, line_ = turn.call.stage, turn.call.line - self.first
            number, function = self.tables.of(stage, self.groups(turn))
            for group, first in zip(function.groups, function.first, strict=True):
                read = stage.reads[group[0]][1]
                offset = lifted(read.offset, 0)
                channel = -1 if read.channel is None else read.channel
                self.reads.append((turn.reads[group[0]], *offset[:2], first, channel))
            for write, own in zip(stage.writes, turn.writes, strict=True):
                total = -1
                if write.total:
                    total = self.total(turn.call.arrays[write.value])
                self.write(own, -1 if write.channel is None else write.channel, total)
            channels, summed = stage.channels, int(stage.summed)
            dead = not all(turn.writes)
            for kept in turn.carried:
                if kept is not None:
                    self.write([kept], -1, -1, 1 + int(bool(rings[kept].carried)))
            frame = lifted(stage.wide, 0)
            apart = int(function.located or summed or dead or stage.totals or bool(turn.carried))
            if summed:
                channels = max(self.flat.extents[turn.call.arrays[r.value]].channels for _, r in stage.reads)
        own_rings = [r for own in turn.writes for r in own]
        store = len(self.stores)
        for name, ring in self.leg.made.results.items():
            if ring in own_rings:
                wide = lifted(self.flat.extents[name].wide, 0)
                self.stores.append((ring, self.leg.results.index(name), *wide, turn.lag))
        above = max((rings[r].beyond[0][0] for r in own_rings), default=0)
        below = max((rings[r].beyond[0][1] for r in own_rings), default=0)
        region = lifted(turn.region.beyond, (0, 0))
        return (
            *(number, turn.lag, line_, channels, summed),
            *turn.region.more,
            *(n for pair in region for n in pair),
            *(above, below),
            *(reads, len(self.reads), writes, len(self.writes), store, len(self.stores), apart, *frame),
        )

    def groups(self, turn: Turn) -> tuple[tuple[int, ...], ...]:
        """The reads of one row, line and channel of one ring."""
        assert turn.call is not None
        found: dict[object, list[int]] = {}
        for i, ((_, read), ring) in enumerate(zip(turn.call.stage.reads, turn.reads, strict=True)):
            found.setdefault((ring, read.offset[:-1], read.channel), []).append(i)
        return tuple(map(tuple, found.values()))

    def write(self, rings: Sequence[int], channel: int, total: int, zero: int = 0) -> None:
        start = len(self.copies)
        self.copies += [(ring,) for ring in rings[1:]]
        self.writes.append((rings[0] if rings else -1, channel, total, start, len(self.copies), zero))

    def total(self, name: str) -> int:
        for line_, symbol, factor in self.terms[name]:
            column = list(self.tables.columns).index(symbol)
            self.sums.append((self.numbers, line_ - self.first, column, float(factor)))
        self.numbers += 1
        return self.numbers - 1


def lifted(values: Sequence[T], one: T) -> tuple[T, ...]:
    """By three axes, of images and volumes."""
    first, *rest = values
    return (first, *[one] * (AXES - len(values)), *rest)


def code(rule: Rule | None) -> int:
    """0 none, 1 wraps, 2 zero, 3 mirrored, 4 mirrored with the other sign, 5 repeated; 8 more: at a cell."""
    if rule is None:
        return 0
    if rule.repeats:
        return 5
    kind = 1 if rule.wraps else {0: 2, 1: 3, -1: 4}[rule.factor]
    return kind + 8 * rule.edge
