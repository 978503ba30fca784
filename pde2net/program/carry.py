"""Two stages in one loop: what the second reads one cell back of what the first makes is carried on.

K^T at a cell reads fluxes there and one cell back along each axis, and nobody else reads these. So the loop
over cells that makes fluxes has all that the update needs, if it keeps a number for the cell before in the
line, a line for the one before in the plane, and a plane for the one before. A rule may say that the last
flux is 0: if that does not follow from how it is made, it is read as 0 there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.program.extents import Extent
from pde2net.program.flatten import Call, Flat, made_by, read_by
from pde2net.program.inline import unused
from pde2net.program.kernels import ZERO, Carried, Read, Rule, Stage, Write, position, size, symbol_of


def carried(flat: Flat) -> Flat:
    """The same with as few calls as can be."""
    return _Carrying(flat).flat()


@dataclass(frozen=True)
class Back:
    """How an array is read one cell back: along which axis, and what is before the first cell."""

    axis: int
    rule: Rule | None

    @property
    def begins_with_zero(self) -> bool:
        """Else the cell before the first one is made like others."""
        return self.rule is not None and not self.rule.wraps


Backs = Mapping[str, tuple[Back, ...]]
Part = tuple[Call, Backs]  # a call, and what is read one cell back of what it makes
READERS = 2  # at most, each of which makes again what it reads


class _Carrying:
    def __init__(self, flat: Flat) -> None:
        self.made = flat
        self.readers: dict[str, list[Call]] = {}
        for call in flat.calls:
            for array in read_by(call):
                self.readers.setdefault(array, []).append(call)
        self.place = {id(call): k for k, call in enumerate(flat.calls)}
        self.wanted = {*flat.results, *flat.terms_of_totals}
        self.parts: dict[int, list[Part]] = {}  # of calls that follow others in one loop
        self.vanished: set[str] = set()  # arrays that only these read
        self.masks: dict[str, frozenset[int]] = {}  # axes in whose last cell an array is read as 0
        self.known: dict[object, Stage] = {}
        self.same: dict[Stage, Stage] = {}

    def flat(self) -> Flat:
        gone = set[int]()
        for first in self.made.calls:
            if id(first) not in self.parts and self.spread(first):
                gone.add(id(first))
        calls = [call for call in self.made.calls if id(call) not in gone]
        merged = [self.followed(call) if id(call) in self.parts else call for call in calls]
        return replace(self.made, calls=tuple(self.with_sums(merged)))

    # -- what can be made in one loop --------------------------------------------------------------

    def spread(self, first: Call) -> bool:
        """Make a call a part of those that read what it makes one cell back, if all can have it."""
        found = {id(then): then for array in made_by(first) for then in self.readers.get(array, ())}
        plan = {key: self.backs(first, then) for key, then in found.items()}
        near = {array for backs in plan.values() for array, own in (backs or {}).items() if own}
        chosen = [key for key in plan if any(found[key] in self.readers[array] for array in near)]
        if not 1 <= len(chosen) <= READERS or near & self.wanted:
            return False
        others = [key for key in found if key not in chosen]
        kept = self.wanted.intersection(made_by(first))
        if (others or kept) and (
            len(chosen) > 1 or any(self.place[k] < self.place[chosen[0]] for k in others)
        ):
            return False
        for key in chosen:
            backs = plan[key]
            if backs is None or not self.compatible(found[key], first, backs):
                return False
        for key in chosen:
            self.parts.setdefault(key, []).append((first, plan[key] or {}))
        inside = (a for a in made_by(first) if {id(r) for r in self.readers.get(a, ())} <= {*chosen})
        self.vanished.update(array for array in inside if array not in self.wanted)
        return True

    def backs(self, first: Call, then: Call) -> Backs | None:
        """How the second call reads arrays of the first one; None if they stay two."""
        a, b = first.stage, then.stage
        if a.summed or b.summed or a.channels != b.channels or (a.totals and a.wide != b.wide):
            return None
        if any(w.channel is not None for w in a.writes):
            return None
        found = dict[str, tuple[Back, ...]]()
        for write in a.writes:
            array = first.arrays[write.value]
            reads = [r for _, r in b.reads if then.arrays[r.value] == array]
            backs = _backs(reads)
            if backs is None or any(a.wide[k.axis] or b.wide[k.axis] for k in backs if k.begins_with_zero):
                return None
            ends = {
                axis for r in reads for axis, rule in enumerate(r.rules) if rule is not None and rule.edge
            }
            self.masks[array] = self.masks.get(array, frozenset()) | {
                axis for axis in ends if not _ends_in_zero(a, write.value, axis)
            }
            found[array] = backs
        return found

    def compatible(self, then: Call, first: Call, backs: Backs) -> bool:
        """Whether all parts of a loop have numbers of one line, and are periodic along the same axes."""
        parts = [*self.parts.get(id(then), ()), (first, backs)]
        lines = {call.line for call in (then, *(call for call, _ in parts)) if call.stage.numbers}
        kinds = {(k.axis, _wraps(k.rule)) for _, own in parts for backs in own.values() for k in backs}
        around = [axis for axis, wraps in kinds if wraps]
        rules = [r.rules[axis] for call, _ in parts for _, r in call.stage.reads for axis in around]
        periodic = all(rule is None or rule.wraps for rule in rules)
        return len(lines) <= 1 and len({axis for axis, _ in kinds}) == len(kinds) and periodic

    # -- the loop ------------------------------------------------------------------------------------

    def followed(self, then: Call) -> Call:
        """A call with those that it follows."""
        parts = self.parts[id(then)]
        backs = {array: own for _, of in parts for array, own in of.items() if own}
        return self.together([*(first for first, _ in parts), then], backs)

    def with_sums(self, calls: Sequence[Call]) -> Iterator[Call]:
        """Sums over cells are made by the next call that reads the same and more."""
        waiting: list[Call] = []
        for call in calls:
            if all(w.total for w in call.stage.writes):
                waiting.append(call)
                continue
            own = [sums for sums in waiting if _is_part(sums, call)]
            waiting = [sums for sums in waiting if sums not in own]
            yield self.together([*own, call], {}) if own else call
        yield from waiting

    def together(self, calls: Sequence[Call], backs: Backs) -> Call:
        names = _names(calls)
        made = [array for call in calls for array in made_by(call) if array not in self.vanished]
        key = (
            *(id(call.stage) for call in calls),
            *(names[array] for call in calls for array in call.arrays.values()),
            *(self.made.extents.get(array) for call in calls for array in call.arrays.values()),
            *((names[array], own) for array, own in backs.items()),
            *(names[array] for array in made),
            *((names[a], self.masks[a]) for call in calls for a in made_by(call) if a in self.masks),
        )
        if key not in self.known:
            stage = _Merged(names, backs, self.made.extents, self.masks).stage(calls, made)
            self.known[key] = self.same.setdefault(stage, stage)
        line = next((call.line for call in reversed(calls) if call.stage.numbers), calls[-1].line)
        return Call(self.known[key], {names[a]: a for call in calls for a in call.arrays.values()}, line)


class _Merged:
    """Bodies one after the other, with names for arrays that all calls have in common."""

    def __init__(
        self,
        names: Mapping[str, str],
        backs: Backs,
        extents: Mapping[str, Extent],
        masks: Mapping[str, frozenset[int]],
    ) -> None:
        self.names, self.backs, self.extents, self.masks = names, backs, extents, masks
        self.reads: dict[Read, sp.Symbol] = {}
        self.body: dict[sp.Symbol, sp.Expr] = {}
        self.made: dict[str, sp.Symbol] = {}
        around = {back.axis for own in backs.values() for back in own if _wraps(back.rule)}
        self.around = {axis: Rule(wraps=True) for axis in around}

    def stage(self, calls: Sequence[Call], written: Collection[str]) -> Stage:
        writes, kept = list[Write](), list[Carried]()
        for call in calls:
            own: dict[sp.Symbol, sp.Symbol] = {}
            for carried in call.stage.carried:
                own[carried.symbol] = _one_back(self.names[call.arrays[carried.value]], carried.axis)
            for symbol, read in call.stage.reads:
                own[symbol] = self.read(call.arrays[read.value], read, call is not calls[-1])
            for symbol, expression in call.stage.body:
                own[symbol] = self.named(symbol, expression.xreplace(own))
            for write in call.stage.writes:
                array = call.arrays[write.value]
                self.made[array] = own[write.symbol]
                if array in written:
                    writes.append(replace(write, value=self.names[array], symbol=own[write.symbol]))
            for carried in call.stage.carried:
                value, symbol = self.names[call.arrays[carried.value]], own[carried.symbol]
                kept.append(replace(carried, symbol=symbol, source=own[carried.source], value=value))
        for array, backs in self.backs.items():
            for back in backs:
                value, rule = self.names[array], ZERO if back.begins_with_zero else back.rule
                kept.append(Carried(_one_back(value, back.axis), self.made[array], value, back.axis, rule))
        return replace(
            calls[-1].stage,
            reads=tuple((symbol, read) for read, symbol in self.reads.items()),
            body=tuple(self.body.items()),
            writes=tuple(writes),
            carried=tuple(dict.fromkeys(kept)),
        )

    def read(self, array: str, read: Read, first: bool) -> sp.Symbol:
        if array in self.made:
            if any(read.offset):
                return _one_back(self.names[array], read.offset.index(-1))
            edges = (axis for axis, rule in enumerate(read.rules) if rule is not None and rule.edge)
            return self.masked(array, [axis for axis in edges if axis in self.masks[array]])
        rules = read.rules
        if first:  # it is made before the first cell of periodic axes too
            ends = enumerate(zip(read.rules, self.extents[array].wide, strict=True))
            rules = tuple(rule or (None if wide else self.around.get(axis)) for axis, (rule, wide) in ends)
        new = replace(read, value=self.names[array], rules=rules)
        return self.reads.setdefault(new, symbol_of(new))

    def masked(self, array: str, axes: Sequence[int]) -> sp.Symbol:
        """What is 0 in the last cell of some axes."""
        if not axes:
            return self.made[array]
        last = sp.Or(*(sp.Eq(position(axis), size(axis) - 1) for axis in axes))
        inner = sp.Symbol(f"value of inner {self.names[array]}", real=True)
        return self.named(inner, sp.Piecewise((sp.S.Zero, last), (self.made[array], True)))

    def named(self, symbol: sp.Symbol, expression: sp.Expr) -> sp.Symbol:
        name, number = symbol, 0
        while self.body.get(name, expression) != expression:
            number += 1
            name = sp.Symbol(f"{symbol.name} {number}", real=True)
        self.body[name] = expression
        return name


def _backs(reads: Sequence[Read]) -> tuple[Back, ...] | None:
    """How an array is read one cell back, if it is read here and so, along any axis; None if otherwise."""
    found: dict[int, Back] = {}
    for read in reads:
        if read.channel is not None:
            return None
        if any(read.offset):
            axis = next(a for a, d in enumerate(read.offset) if d)
            rule = read.rules[axis]
            others = any(r is not None and r.edge for a, r in enumerate(read.rules) if a != axis)
            if sum(map(abs, read.offset)) != 1 or read.offset[axis] != -1 or others:
                return None
            if rule is not None and not (rule.wraps or rule.factor == 0 or rule.edge):
                return None
            if found.setdefault(axis, Back(axis, rule)).rule != rule:
                return None
    return tuple(found.values())


def _ends_in_zero(stage: Stage, value: str, axis: int) -> bool:
    """Whether a value is 0 in the last cell of an axis, as a rule with `edge` says, or need not be."""
    last = dict[sp.Symbol, sp.Expr]()
    for symbol, read in stage.reads:
        offset, rule = read.offset[axis], read.rules[axis]
        if offset == 0:
            if rule is not None and rule.edge:
                last[symbol] = sp.S.Zero
            continue
        if offset != 1 or rule is None or rule.wraps or rule.edge:
            return False
        here = (*read.offset[:axis], 0, *read.offset[axis + 1 :])
        same = [
            s for s, r in stage.reads if (r.value, r.channel, r.offset) == (read.value, read.channel, here)
        ]
        if rule.factor and not same:
            return False
        last[symbol] = (1 if rule.repeats else rule.factor) * same[0] if rule.factor else sp.S.Zero
    for symbol, expression in stage.body:
        last[symbol] = expression.xreplace(last)
    return all(last[w.symbol] == 0 for w in stage.writes if w.value == value)


def _names(calls: Sequence[Call]) -> dict[str, str]:
    """A value for each array."""
    found = dict[str, str]()
    for call in calls:
        for value, array in call.arrays.items():
            if array not in found:
                found[array] = unused(value, found.values())
    return found


def _one_back(value: str, axis: int) -> sp.Symbol:
    return sp.Symbol(f"{value} one cell back along {axis}", real=True)


def _is_part(sums: Call, call: Call) -> bool:
    """Whether sums over cells can be made by the loop of a call, which has all that they read."""
    a, b = sums.stage, call.stage
    if a.summed or b.summed or (a.channels, a.wide) != (b.channels, b.wide):
        return False
    if a.numbers and b.numbers and sums.line != call.line:
        return False
    read = {(call.arrays[r.value], r.offset, r.channel) for _, r in b.reads}
    return all((sums.arrays[r.value], r.offset, r.channel) in read for _, r in a.reads)


def _wraps(rule: Rule | None) -> bool:
    return rule is not None and rule.wraps
