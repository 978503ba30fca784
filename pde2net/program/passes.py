"""A network as passes over memory, some steps in each, and its vector-Jacobian product likewise.

Arrays between passes are in memory. A pass backward makes the states of its steps again, from those arrays.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from pde2net.errors import EmissionError
from pde2net.program.carry import carried
from pde2net.program.differentiate import differentiate
from pde2net.program.extents import Extent
from pde2net.program.flatten import Call, Flat, flatten, made_by, read_by
from pde2net.program.guard import guard
from pde2net.program.inline import inlined
from pde2net.program.kernels import Stage, position, size
from pde2net.program.lower import everywhere
from pde2net.program.merge import merge
from pde2net.program.records import Function
from pde2net.program.schedule import Pass, schedule
from pde2net.program.separate import separated


@dataclass(frozen=True)
class Leg:
    """A pass, the arrays that it is given, and those that it leaves in memory.

    calls  what it consists of, with arrays and lines of numbers of the first leg that does the same
    first  that leg, None for itself
    line   the first line of its numbers
    wide   how much wider than the image its results are
    """

    calls: tuple[Call, ...]
    given: tuple[str, ...]
    results: tuple[str, ...]
    line: int
    wide: tuple[tuple[int, ...], ...]
    first: Leg | None = None

    @cached_property
    def made(self) -> Pass:
        """Its turns, with the arrays of the first leg that does the same."""
        if self.first is not None:
            return self.first.made
        return schedule(self.calls, self.given, dict(zip(self.results, self.wide, strict=True)))


@dataclass(frozen=True)
class Journey:
    """The passes of a network.

    flat      its calls
    given     the arrays that the network is given
    forward   the passes that make its result
    keeping   those that make it where derivatives are asked for
    backward  those that make the derivatives, () if there are none; `why` says why
    kept      what they read of the arrays that `keeping` leaves in memory
    """

    flat: Flat
    given: tuple[str, ...]
    forward: tuple[Leg, ...]
    keeping: tuple[Leg, ...] = ()
    backward: tuple[Leg, ...] = ()
    kept: tuple[str, ...] = ()
    why: str = ""


def journey(
    function: Function,
    dimension: int,
    channels: int,
    symbols: Sequence[sp.Symbol],
    weights: Collection[sp.Symbol],
    values: Mapping[sp.Symbol, sp.Expr],
    steps: tuple[int, int],
    rows: bool = True,
) -> Journey:
    """Where passes go by `rows`, stages that can are one loop.

    `steps` of the innermost loop in a pass, and in one of those that keep what derivatives need.
    `values` are those of symbols, for the widths of Gaussians.
    Derivatives are those by the parameters of the function, by `symbols`, and by these `weights` of loops.
    Raises EmissionError as `fuse` does, where there is no program for the function itself.
    """
    given = {v: Extent((0,) * dimension, channels) for v, _ in function.parameters}
    wanted = {*symbols, *weights}

    def flat(whole: Function, by: Sequence[sp.Symbol]) -> Flat:
        extents = {v: given.get(v, Extent((0,) * dimension, channels)) for v, _ in whole.parameters}
        for each in (separated(values), guard, merge):
            whole = everywhere(whole, each)
        made = flatten(whole, extents, by)
        made = replace(made, totals={k: v for k, v in made.totals.items() if k[1] in wanted})
        made = _with_wanted_totals(_lifted(made) if dimension == 1 and rows else made)
        return carried(inlined(made)) if rows else inlined(made)

    try:
        backward = differentiate(function, symbols)
        both = replace(backward, results=(*function.results, *backward.results))
        return _Planner(flat(both, symbols), len(given)).journey(*steps)
    except EmissionError as error:
        why = str(error)
    return replace(_Planner(flat(function, ()), len(given)).journey(steps[0], 0), why=why)


def single(function: Function, given: Mapping[str, Extent], values: Mapping[sp.Symbol, sp.Expr]) -> Journey:
    """One pass that makes the results of a function without loops from its parameters, which are `given`.

    Raises EmissionError as `fuse` does.
    """
    made = flatten(merge(separated(values)(function)), given)
    if len(next(iter(given.values())).wide) == 1:
        made = _lifted(made)
    if not made.calls:
        raise EmissionError(f'"{function.name}" computes nothing.')
    planner = _Planner(carried(inlined(made)), len(given))
    legs = planner.legs([list(range(len(planner.flat.calls)))], list(planner.flat.results))
    return Journey(planner.flat, planner.flat.parameters, legs)


class _Planner:
    """`count` of the parameters are those of the network, others are cotangents."""

    def __init__(self, flat: Flat, count: int) -> None:
        self.flat, self.count = flat, count
        self.maker = {a: i for i, call in enumerate(flat.calls) for a in made_by(call)}
        self.depth = max(map(len, flat.places))
        self.result = flat.results[0]
        self.known: dict[object, Leg] = {}
        self.totals = flat.terms_of_totals

    def journey(self, steps: int, keeping: int) -> Journey:
        ahead = self.needed([self.result], ())
        forward = self.legs(self.chunks(ahead, steps), [self.result])
        totals = [name for terms in self.flat.totals.values() for _, name in terms]
        cotangents = [r for r in self.flat.results[1:] if r]
        if not keeping or not (cotangents or totals):
            return Journey(self.flat, self.flat.parameters[: self.count], forward)
        parts = self.chunks(ahead, keeping)
        legs = self.legs(parts, [self.result])
        known = {*self.flat.parameters, *(a for leg in legs for a in leg.results)}
        places = {self.flat.calls[i].line: k for k, part in enumerate(parts) for i in part}
        back = self.legs(self.products([*cotangents, *totals], known, places), cotangents)
        read = {a for leg in back for a in leg.given}
        kept = dict.fromkeys(a for leg in legs for a in leg.results if a in read)
        return Journey(self.flat, self.flat.parameters[: self.count], forward, legs, back, tuple(kept))

    def needed(self, arrays: Sequence[str], known: Collection[str]) -> list[int]:
        """The calls that make arrays from what is known, in order."""
        found, open_ = set[int](), [a for a in arrays if a not in known]
        while open_:
            number = self.maker.get(open_.pop())
            if number is not None and number not in found:
                found.add(number)
                open_ += [a for a in read_by(self.flat.calls[number]) if a not in known]
        return sorted(found)

    def chunks(self, calls: Sequence[int], steps: int) -> list[list[int]]:
        """Passes of the innermost loop, at most `steps` each, and as many in all chunks as can be."""
        inner = [n for n in calls if len(self.flat.places[self.flat.calls[n].line]) == self.depth]
        count = len({self.flat.calls[n].line for n in inner})
        most = -(-count // max(1, -(-count // steps)))
        chunks, lines = [list[int]()], set[int]()
        for number in calls:
            line = self.flat.calls[number].line
            if len(lines) == most and line not in lines:
                chunks.append([])
                lines = set()
            lines |= {line} if len(self.flat.places[line]) == self.depth else set()
            chunks[-1].append(number)
        return chunks

    def products(self, arrays: Sequence[str], known: set[str], places: dict[int, int]) -> Iterator[list[int]]:
        """Passes backward: calls that depend on cotangents, and those that make again what they read."""
        parts, last = list[list[int]](), None
        for number in self.dependent(self.needed(arrays, ()), arrays):
            line = self.flat.calls[number].line
            part = places.get(line, last)
            if not parts or (part != last and len(self.flat.places[line]) == self.depth):
                parts.append([])
                last = part
            parts[-1].append(number)
        for part_ in parts:
            own = {a for i in part_ for a in made_by(self.flat.calls[i])}
            asked = [a for i in part_ for a in read_by(self.flat.calls[i]) if a not in own]
            yield sorted({*self.needed(asked, known), *part_})
            known = known | own

    def dependent(self, calls: Sequence[int], arrays: Sequence[str]) -> list[int]:
        """Those that read cotangents, or what is made of them, and those that make `arrays`."""
        moving, found = set(self.flat.parameters[self.count :]), []
        for number in calls:
            made = made_by(self.flat.calls[number])
            if moving.intersection(read_by(self.flat.calls[number])) or set(made).intersection(arrays):
                moving.update(made_by(self.flat.calls[number]))
                found.append(number)
        return found

    def legs(self, parts: Iterator[list[int]] | list[list[int]], results: Sequence[str]) -> tuple[Leg, ...]:
        """A pass for each part, that leaves what later ones read."""
        parts, legs, wanted = list(parts), list[Leg](), dict.fromkeys(results)
        for part in reversed(parts):
            calls = [self.flat.calls[i] for i in part]
            made = dict.fromkeys(a for call in calls for a in made_by(call))
            own = tuple(a for a in made if a in wanted)
            taken = tuple(dict.fromkeys(a for call in calls for a in read_by(call) if a not in made))
            wanted |= dict.fromkeys(taken)
            legs.append(self.leg(calls, taken, own))
        return tuple(reversed(legs))

    def leg(self, calls: Sequence[Call], given: tuple[str, ...], results: tuple[str, ...]) -> Leg:
        """A pass; a second one that does the same is not scheduled again."""
        line = min(call.line for call in calls)
        numbers = {a: k for k, a in enumerate(given)}
        key = list[object]()
        for call in calls:
            for a in made_by(call):
                numbers[a] = len(numbers)
            totals = ((k, term) for k, a in enumerate(made_by(call)) for term in self.totals.get(a, ()))
            sums = [(k, at - line, symbol, factor) for k, (at, symbol, factor) in totals]
            arrays = [numbers[a] for a in (*read_by(call), *made_by(call))]
            key.append((id(call.stage), call.line - line, tuple(arrays), tuple(sums)))
        extents = tuple(self.flat.extents[a] for a in (*given, *results))
        whole = (tuple(key), tuple(numbers[r] for r in results), extents)
        if whole in self.known:
            first = self.known[whole]
            return replace(first, given=given, results=results, line=line, first=first)
        wide = tuple(self.flat.extents[a].wide for a in results)
        self.known[whole] = Leg(tuple(calls), given, results, line, wide)
        return self.known[whole]


def _with_wanted_totals(flat: Flat) -> Flat:
    """Stages that make no number which nobody asks for, or which is 0."""
    wanted = {name for terms in flat.totals.values() for _, name in terms}
    none, same = set[str](), dict[object, Stage]()
    calls = []
    for call in flat.calls:
        stage = call.stage
        if stage.totals:
            zero = {w.value for w in stage.writes if w.total and dict(stage.body).get(w.symbol) == 0}
            none |= {call.arrays[v] for v in zero}
            asked = {v for v, a in call.arrays.items() if a in wanted} - zero
            kept = tuple(w for w in stage.writes if not w.total or w.value in asked)
            key = id(stage), kept
            if key not in same:
                same[key] = stage if len(kept) == len(stage.writes) else stage.only(kept)
            stage = same[key]
        if stage.writes:
            calls.append(replace(call, stage=stage))
    totals = {key: tuple(t for t in terms if t[1] not in none) for key, terms in flat.totals.items()}
    return replace(flat, calls=tuple(calls), totals={key: terms for key, terms in totals.items() if terms})


def _lifted(flat: Flat) -> Flat:
    """The same with one row: rows of a signal would be cells."""
    moved = {position(0): position(1), size(0): size(1)}
    known: dict[int, Stage] = {}

    def lifted(stage: Stage) -> Stage:
        if id(stage) not in known:
            reads = tuple(
                (s, replace(r, offset=(0, *r.offset), rules=(None, *r.rules))) for s, r in stage.reads
            )
            body = tuple((s, e.xreplace(moved)) for s, e in stage.body)
            known[id(stage)] = replace(stage, reads=reads, body=body, wide=(0, *stage.wide))
        return known[id(stage)]

    extents = {a: replace(e, wide=(0, *e.wide)) for a, e in flat.extents.items()}
    calls = tuple(replace(call, stage=lifted(call.stage)) for call in flat.calls)
    return replace(flat, calls=calls, extents=extents)
