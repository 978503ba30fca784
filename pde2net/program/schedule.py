"""When the rows of a pass are made, and how many of each array are kept: a pass over memory for many stages.

Rows are the cells with one index along the first axis. In turn t a call makes row t - lag of its arrays.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.program.flatten import Call
from pde2net.program.kernels import Carried, Read, Rule, Rules

Ends = tuple[int, int]  # at the lower and at the upper end of an axis


@dataclass(frozen=True)
class Region:
    """The cells of an array that are made.

    more    rows before and after those of the results
    beyond  cells beyond the image, by axis
    """

    more: Ends
    beyond: tuple[Ends, ...]

    def __or__(self, other: Region) -> Region:
        beyond = tuple(_largest(a, b) for a, b in zip(self.beyond, other.beyond, strict=True))
        return Region(_largest(self.more, other.more), beyond)

    def read(self, read: Read) -> Region:
        """The cells that are read for these: `more` is cut at the image, where there is a rule."""
        moved = [_moved(ends, d) for ends, d in zip(self.beyond, read.offset, strict=True)]
        return Region(_moved(self.more, read.offset[0]), tuple(moved))

    def before(self, carried: Carried) -> Region:
        """With the cells that are made for what is carried on from them."""
        axis, rule = carried.axis, carried.rule
        beyond = list(self.beyond)
        if rule is None or (rule.wraps and axis):
            beyond[axis] = beyond[axis][0] + 1, beyond[axis][1]
        return Region((self.more[0] + (axis == 0), self.more[1]), tuple(beyond))

    def inside(self, rules: Rules) -> Region:
        """What is no continuation."""
        return replace(
            self,
            beyond=tuple(
                (0, 0) if r is not None else ends for r, ends in zip(rules, self.beyond, strict=True)
            ),
        )


@dataclass(frozen=True)
class Ring:
    """The rows of an array that are there at a time.

    rows    their number
    rules   how the array goes on beyond the border, by axis
    beyond  how far, or how far it is made beyond the image where it has no rule, by axis
    lag     of the rows that are made
    carried  along which axis it is read one cell back by the stage that makes it, which has one row of it, or
             one line; None for all that is read by others
    """

    array: str
    rows: int
    rules: Rules
    beyond: tuple[Ends, ...]
    lag: int
    carried: int | None = None


@dataclass(frozen=True)
class Turn:
    """What is done for one row.

    call    None to load a row of an array that is handed in
    lag     how many rows it is behind
    reads   the rings of the reads of the stage, in their order
    writes  those of each write of the stage, none for a sum
    carried  those of what is carried on, None for a number
    """

    call: Call | None
    lag: int
    reads: tuple[int, ...]
    writes: tuple[tuple[int, ...], ...]
    region: Region
    carried: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class Pass:
    """Turns in order, and their rings.

    results  the rings of the results, which have their values as they are
    wraps    whether the first axis is periodic: rows outside of the image are made as those inside
    """

    turns: tuple[Turn, ...]
    rings: tuple[Ring, ...]
    results: Mapping[str, int]
    wraps: bool


def schedule(calls: Sequence[Call], given: Collection[str], results: Mapping[str, tuple[int, ...]]) -> Pass:
    """The pass that makes `results` from the arrays that are `given`, and all sums over cells.

    Results are made as far beyond the image as they say, by axis.
    """
    plain: Rules = (None,) * len(calls[0].stage.wide)
    variants = _variants([*((r, plain) for r in results), *((a, r.rules) for a, r in _reads(calls))])
    wraps = any(r.rules[0] is not None and r.rules[0].wraps for _, r in _reads(calls))
    regions = _regions(calls, results)
    rings = _Rings(variants)
    turns = []
    for array in given:
        if array in regions:
            writes = rings.of(array)
            rings.made(writes, 0, regions[array])
            turns.append(Turn(None, 0, (), (writes,), regions[array]))
    for call in calls:
        region = _union(_made(call, regions).values())
        if region is None:
            continue
        reads = [(rings.find(call.arrays[r.value], r.rules), r) for _, r in call.stage.reads]
        lag = max((rings.lag(ring, read, region) for ring, read in reads), default=0)
        for ring, read in reads:
            rings.take(ring, read, region, lag)
        own = tuple(() if w.total else rings.of(call.arrays[w.value]) for w in call.stage.writes)
        for writes in own:
            rings.made(writes, lag, region)
        kept = tuple(rings.carried(call.arrays[c.value], c.axis, lag, region) for c in call.stage.carried)
        turns.append(Turn(call, lag, tuple(ring for ring, _ in reads), own, region, kept))
    return Pass(tuple(turns), rings.all(wraps), {r: rings.find(r, plain) for r in results}, wraps)


class _Rings:
    """Rings while they grow."""

    def __init__(self, variants: Mapping[str, Sequence[Rules]]) -> None:
        self.keys = [(array, rules) for array, own in variants.items() for rules in own]
        self.rows = [1] * len(self.keys)
        self.lags = [0] * len(self.keys)
        self.beyond = [((0, 0),) * len(rules) for _, rules in self.keys]
        self.axes: dict[int, int] = {}

    def of(self, array: str) -> tuple[int, ...]:
        """All rings of an array."""
        return tuple(i for i, (name, _) in enumerate(self.keys) if name == array)

    def find(self, array: str, rules: Rules) -> int:
        """The ring from which an array is read by these rules."""
        return next(i for i in self.of(array) if unified(rules, self.keys[i][1]) == self.keys[i][1])

    def lag(self, ring: int, read: Read, region: Region) -> int:
        """The least of a stage that reads."""
        return self.lags[ring] + _behind(read.offset[0], self.keys[ring][1][0], region.beyond[0][0])

    def take(self, ring: int, read: Read, region: Region, lag: int) -> None:
        """What a stage with this lag reads has to be there."""
        self.rows[ring] = max(self.rows[ring], lag - self.lags[ring] - read.offset[0] + 1)
        self.beyond[ring] = _largest_each(self.beyond[ring], region.read(read).beyond)

    def made(self, writes: Sequence[int], lag: int, region: Region) -> None:
        for ring in writes:
            self.lags[ring] = lag
            self.beyond[ring] = _largest_each(self.beyond[ring], region.beyond)

    def carried(self, array: str, axis: int, lag: int, region: Region) -> int | None:
        """The ring of what is carried on along an axis; along the last one it is a number."""
        if axis == len(region.beyond) - 1:
            return None
        self.axes[len(self.keys)] = axis
        self.keys.append((array, (None,) * len(region.beyond)))
        self.rows.append(1)
        self.lags.append(lag)
        self.beyond.append(region.beyond)
        return len(self.keys) - 1

    def all(self, wraps: bool) -> tuple[Ring, ...]:
        found = []
        for number, (array, rules) in enumerate(self.keys):
            beyond = self.beyond[number]
            least = 1 if wraps else _copied(rules[0], *beyond[0])
            rows, lag, axis = max(self.rows[number], least), self.lags[number], self.axes.get(number)
            found.append(Ring(array, rows, rules, beyond, lag, axis))
        return tuple(found)


def _reads(calls: Sequence[Call]) -> Iterator[tuple[str, Read]]:
    return ((call.arrays[read.value], read) for call in calls for _, read in call.stage.reads)


def _variants(asked: Sequence[tuple[str, Rules]]) -> dict[str, list[Rules]]:
    """The fewest rules for each array by which all can read it."""
    found: dict[str, list[Rules]] = {}
    for array, rules in asked:
        own = found.setdefault(array, [])
        both = [unified(rules, other) for other in own]
        number = next((i for i, rule in enumerate(both) if rule is not None), None)
        if number is None:
            own.append(rules)
        else:
            own[number] = both[number] or rules
    return found


def unified(a: Rules, b: Rules) -> Rules | None:
    """The rules by which both can be read. A border that is a cell is 0 by its rule alone."""
    for one, other in zip(a, b, strict=True):
        known = one or other
        if one != other and ((one and other) or (known is not None and known.edge)):
            return None
    return tuple(one or other for one, other in zip(a, b, strict=True))


def _regions(calls: Sequence[Call], results: Mapping[str, tuple[int, ...]]) -> dict[str, Region]:
    """Of all arrays that are read, from the last call to the first."""
    found = {r: _framed(wide) for r, wide in results.items()}
    for call in reversed(calls):
        regions = _made(call, found)
        for symbol, read in call.stage.reads:
            region = _union(regions[v] for v in call.stage.users.get(symbol, ()) if v in regions)
            if region is not None:
                array, asked = call.arrays[read.value], region.read(read).inside(read.rules)
                found[array] = found.get(array, asked) | asked
    return found


def _made(call: Call, known: Mapping[str, Region]) -> dict[sp.Symbol, Region]:
    """The cells in which values of a call are asked for; none if nobody reads any.

    Sums are over all cells that there are, and what is carried on is made one cell before its readers.
    """
    found: dict[sp.Symbol, Region] = {}
    for write in call.stage.writes:
        own = _framed(call.stage.wide) if write.total else known.get(call.arrays[write.value])
        if own is not None:
            found[write.symbol] = found.get(write.symbol, own) | own
    readers = dict(found)
    for carried in call.stage.carried:
        users = call.stage.users.get(carried.symbol, frozenset())
        region = _union(readers[v] for v in users if v in readers)
        if region is not None:
            own = region | region.before(carried)
            found[carried.source] = found.get(carried.source, own) | own
    return found


def _union(regions: Iterable[Region]) -> Region | None:
    found = list(regions)
    return functools.reduce(operator.or_, found) if found else None


def _framed(wide: tuple[int, ...]) -> Region:
    """An image and cells beyond it."""
    return Region((wide[0], wide[0]), tuple((m, m) for m in wide))


def _behind(offset: int, rule: Rule | None, first: int) -> int:
    """How many rows a stage, whose first is -first, has to be behind the array that it reads."""
    if rule is None or rule.wraps or rule.factor == 0 or first - offset <= 0:
        return offset
    return max(offset, first if rule.repeats else 2 * first - offset - 1 - rule.edge)


def _copied(rule: Rule | None, above: int, below: int) -> int:
    """The rows that a ring needs so that those beyond the border can be copied from their originals."""
    if rule is None or rule.factor == 0:
        return 1
    if rule.repeats:
        return max(above, below) + 1
    return max(2 * above - rule.edge if above else 1, 2 * below + rule.edge if below else 1)


def _moved(ends: Ends, offset: int) -> Ends:
    return max(ends[0] - offset, 0), max(ends[1] + offset, 0)


def _largest(a: Ends, b: Ends) -> Ends:
    return max(a[0], b[0]), max(a[1], b[1])


def _largest_each(a: Sequence[Ends], b: Sequence[Ends]) -> tuple[Ends, ...]:
    return tuple(_largest(one, other) for one, other in zip(a, b, strict=True))
