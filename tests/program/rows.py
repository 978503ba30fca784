"""A pass over memory in NumPy, row by row, with rings of as many rows as the schedule says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from program.stages import compiled, numbers

from pde2net.program.flatten import Call, Flat
from pde2net.program.kernels import ZERO, Carried, Rule, position, size
from pde2net.program.schedule import Ends, Pass, Turn

Array = NDArray[Any]


class Rows:
    """Makes the rows `band` of the results of a pass, and its sums over cells."""

    def __init__(
        self,
        made: Pass,
        flat: Flat,
        arrays: Mapping[str, Array],
        values: Mapping[sp.Symbol, Any],
        shape: Sequence[int],
        band: Ends,
    ) -> None:
        self.made, self.arrays, self.values, self.shape, self.band = made, arrays, values, shape, band
        self.flat, channels = flat, {n: e.channels for n, e in flat.extents.items()}
        self.store = []
        for ring in made.rings:
            sizes = [n + a + b for n, (a, b) in zip(shape[1:], ring.beyond[1:], strict=True)]
            self.store.append(np.full((ring.rows, channels[ring.array], *sizes), np.nan))
        self.results = {r: np.full((channels[r], *shape), np.nan) for r in made.results}
        self.sums: dict[str, float] = {}
        self.known: dict[int, dict[sp.Symbol, float]] = {}
        self.before: dict[tuple[int, sp.Symbol], Array] = {}

    def run(self) -> None:
        spans = [self.span(turn) for turn in self.made.turns]
        early = min(s + t.lag - self.above(t) for t, (s, _) in zip(self.made.turns, spans, strict=True))
        late = max(e + t.lag + self.below(t) for t, (_, e) in zip(self.made.turns, spans, strict=True))
        for now in range(early, late):
            for turn, span in zip(self.made.turns, spans, strict=True):
                self.turn(turn, now - turn.lag, span)

    def span(self, turn: Turn) -> Ends:
        """The rows that are made."""
        (a, b), (before, after), (above, below) = self.band, turn.region.more, turn.region.beyond[0]
        if self.made.wraps:
            return a - before, b + after
        return max(a - before, -above), min(b + after, self.shape[0] + below)

    def rings(self, turn: Turn) -> list[int]:
        return [ring for own in turn.writes for ring in own]

    def above(self, turn: Turn) -> int:
        return max((self.made.rings[r].beyond[0][0] for r in self.rings(turn)), default=0)

    def below(self, turn: Turn) -> int:
        return max((self.made.rings[r].beyond[0][1] for r in self.rings(turn)), default=0)

    def turn(self, turn: Turn, row: int, span: Ends) -> None:
        if span[0] <= row < span[1]:
            for rings, value in zip(turn.writes, self.row(turn, row), strict=True):
                for ring in rings:
                    self.keep(ring, row, value, turn)
        if not self.made.wraps and not (span[0] <= row < span[1] and 0 <= row < self.shape[0]):
            for ring in self.rings(turn):
                self.beyond(ring, row)
        for name, ring in self.made.results.items():
            if ring in self.rings(turn) and self.band[0] <= row < self.band[1]:
                whole = self.store[ring][row % self.made.rings[ring].rows]
                inner = tuple(
                    slice(low, low + n)
                    for (low, _), n in zip(self.made.rings[ring].beyond[1:], self.shape[1:], strict=True)
                )
                self.results[name][:, row] = whole[(slice(None), *inner)]

    def numbers(self, call: Call) -> dict[sp.Symbol, float]:
        if id(call) not in self.known:
            self.known[id(call)] = numbers(call, self.flat, self.values)
        return self.known[id(call)]

    # -- what is made --------------------------------------------------------------------------------

    def row(self, turn: Turn, row: int) -> list[Array]:
        if turn.call is None:
            array = self.arrays[self.made.rings[turn.writes[0][0]].array]
            n = self.shape[0]
            return [array[:, row % n if self.made.wraps else row + (array.shape[1] - n) // 2]]
        stage, ends = turn.call.stage, turn.region.beyond[1:]
        values: dict[sp.Symbol, Any] = dict(self.numbers(turn.call))
        values |= {size(axis): n for axis, n in enumerate(self.shape)}
        values[position(0)] = row % self.shape[0] if self.made.wraps else row
        for axis, (low, high) in enumerate(ends, 1):
            line = np.arange(-low, self.shape[axis] + high, dtype=float)
            values[position(axis)] = line.reshape([-1 if a == axis else 1 for a in range(1, len(ends) + 1)])
        for (symbol, read), ring in zip(stage.reads, turn.reads, strict=True):
            own = self.made.rings[ring]
            place = tuple(
                slice(first - low + d, first + n + high + d)
                for (first, _), (low, high), d, n in zip(
                    own.beyond[1:], ends, read.offset[1:], self.shape[1:], strict=True
                )
            )
            found = self.store[ring][(row + read.offset[0]) % own.rows][(slice(None), *place)]
            values[symbol] = found if read.channel is None else found[read.channel : read.channel + 1]
        full = (stage.channels, *(n + a + b for n, (a, b) in zip(self.shape[1:], ends, strict=True)))
        for symbol, expression in stage.body:
            used, function = compiled(expression)
            value = function(*(values[s] for s in used))
            values[symbol] = np.broadcast_to(value, np.broadcast_shapes(np.shape(value), full))
            for carried in stage.carried:
                if carried.source == symbol:
                    values[carried.symbol] = self.one_back(turn, carried, values[symbol])
        return [self.written(turn, k, values[w.symbol], row) for k, w in enumerate(stage.writes)]

    def one_back(self, turn: Turn, carried: Carried, value: Array) -> Array:
        """What a stage made one cell before."""
        key, first = (id(turn), carried.symbol), 0.0 if carried.rule == ZERO else np.nan
        if carried.axis == 0:
            before = self.before.get(key, np.full_like(value, first))
            self.before[key] = value.copy()  # not a view of a ring
            return before
        lines = np.moveaxis(value, carried.axis, 0)
        return np.moveaxis(np.concatenate([np.full_like(lines[:1], first), lines[:-1]]), 0, carried.axis)

    def written(self, turn: Turn, number: int, value: Array, row: int) -> Array:
        assert turn.call is not None
        write = turn.call.stage.writes[number]
        if turn.call.stage.summed:
            value = value.sum(axis=0, keepdims=True)
        if write.total:
            (a, b), n, wide = self.band, self.shape[0], turn.call.stage.wide
            m = 0 if self.made.wraps else wide[0]
            if (a if a else -m) <= row < (b if b < n else n + m):
                name, ends = turn.call.arrays[write.value], turn.region.beyond[1:]
                frame = tuple(
                    slice(low - m, low + n + m)
                    for (low, _), m, n in zip(ends, wide[1:], self.shape[1:], strict=True)
                )
                own = value[(slice(None), *frame)]
                self.sums[name] = self.sums.get(name, 0.0) + float(own.sum())
        return value

    def keep(self, number: int, row: int, value: Array, turn: Turn) -> None:
        """Store a row, and what is beyond the border of it."""
        ring, ends = self.made.rings[number], turn.region.beyond[1:]
        write = next(k for k, own in enumerate(turn.writes) if number in own)
        channel = None if turn.call is None else turn.call.stage.writes[write].channel
        place = [
            slice(first - low, first + n + high)
            for (first, _), (low, high), n in zip(ring.beyond[1:], ends, self.shape[1:], strict=True)
        ]
        if turn.call is None:  # what is loaded has all cells there are, also those that nobody reads
            cut = [
                (v - n) // 2 - low
                for v, n, (low, _) in zip(value.shape[1:], self.shape[1:], ends, strict=True)
            ]
            value = value[
                (slice(None), *(slice(c, c + s.stop - s.start) for c, s in zip(cut, place, strict=True)))
            ]
        line = self.store[number][row % ring.rows]
        channels = slice(None) if channel is None else slice(channel, channel + 1)
        line[(channels, *place)] = value
        for axis, (n, ends_, rule) in enumerate(
            zip(self.shape[1:], ring.beyond[1:], ring.rules[1:], strict=True), 1
        ):
            if rule is not None:
                continue_line(np.moveaxis(line, axis, 0), n, ends_, rule)
        rule, n = ring.rules[0], self.shape[0]
        if rule is None or self.made.wraps:
            return
        if rule.edge and row == n - 1:
            line[...] = 0
        for virtual in range(-ring.beyond[0][0], 0):
            original = 0 if rule.repeats else -1 - rule.edge - virtual
            if original == row and rule.factor:
                self.store[number][virtual % ring.rows] = rule.factor * line
            elif original < 0 and row == 0:
                self.store[number][virtual % ring.rows] = 0

    def beyond(self, number: int, row: int) -> None:
        """A row beyond the image."""
        ring, n = self.made.rings[number], self.shape[0]
        rule, (above, below) = ring.rules[0], ring.beyond[0]
        if rule is None:
            return
        if rule.factor == 0 and (-above <= row < 0 or n <= row < n + below):
            self.store[number][row % ring.rows] = 0
        elif n <= row < n + below:
            original = n - 1 if rule.repeats else 2 * n - 1 - rule.edge - row
            self.store[number][row % ring.rows] = rule.factor * self.store[number][original % ring.rows]


def continue_line(lines: Array, n: int, ends: Ends, rule: Rule) -> None:
    """Cells beyond the border along the first axis, of which the image begins after `ends[0]`."""
    low, high = ends
    if rule.edge:
        lines[low + n - 1] = 0
    for at in [*range(-low, 0), *range(n, n + high)]:
        if rule.wraps:
            lines[low + at] = rule.factor * lines[low + at % n]
        elif rule.repeats:
            lines[low + at] = lines[low + min(max(at, 0), n - 1)]
        else:
            original = -1 - rule.edge - at if at < 0 else 2 * n - 1 - rule.edge - at
            lines[low + at] = rule.factor * lines[low + original] if original >= 0 and rule.factor else 0
