"""Arrays that are another one times a number are not made: who reads them reads that one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.program.flatten import Call, Flat, read_by
from pde2net.program.kernels import Read, Stage, Write, symbol_of


@dataclass(frozen=True)
class Multiple:
    """`factor` times an array, with the numbers of a line."""

    array: str
    factor: sp.Expr
    line: int


def inlined(flat: Flat) -> Flat:
    """The same without arrays that are multiples of others, where their readers have numbers of that line."""
    return _Inlining(flat).flat()


class _Inlining:
    def __init__(self, flat: Flat) -> None:
        self.made = flat
        self.known: dict[object, Stage] = {}
        self.same: dict[Stage, Stage] = {}

    def flat(self) -> Flat:
        multiples = {a: m for call in self.made.calls for a, m in self.multiples(call).items()}
        for call in self.made.calls:
            lines = {call.line} if call.stage.numbers else set()
            for array in read_by(call):
                of = multiples.get(array)
                if of is not None:
                    own = {of.line} if of.factor.free_symbols else set()
                    if len(lines | own) > 1 or of.array in multiples:
                        del multiples[array]
                    else:
                        lines |= own
        calls = (self.rewritten(call, multiples) for call in self.made.calls)
        return replace(self.made, calls=tuple(call for call in calls if call is not None))

    def multiples(self, call: Call) -> dict[str, Multiple]:
        """Those that a call makes."""
        stage, found = call.stage, dict[str, Multiple]()
        if stage.summed:
            return found
        for write in stage.writes:
            array = call.arrays[write.value]
            if write.total or write.channel is not None or array in self.made.results:
                continue
            of = _multiple(stage, write)
            if of is not None:
                read, factor = of
                source = call.arrays[read.value]
                if self.made.extents[source] == self.made.extents[array]:
                    found[array] = Multiple(source, factor, call.line)
        return found

    def rewritten(self, call: Call, multiples: Mapping[str, Multiple]) -> Call | None:
        """The call without what is not made; None if it makes nothing else."""
        stage = call.stage
        kept = tuple(w for w in stage.writes if call.arrays[w.value] not in multiples)
        used = {a: multiples[a] for a in read_by(call) if a in multiples}
        if not kept:
            return None
        if len(kept) == len(stage.writes) and not used:
            return call
        names = {array: value for value, array in call.arrays.items()}
        for of in used.values():
            if of.array not in names:
                names[of.array] = unused(of.array.rpartition("/")[0] or of.array, names.values())
        key = (
            id(stage),
            tuple(w.value for w in kept),
            tuple((v, names[used[a].array], used[a].factor) for v, a in call.arrays.items() if a in used),
        )
        if key not in self.known:
            made = stage.only(kept) if len(kept) < len(stage.writes) else stage
            own = ((v, used[a]) for v, a in call.arrays.items() if a in used)
            replaced = {v: (names[of.array], of.factor) for v, of in own}
            made = _read_through(made, replaced)
            self.known[key] = self.same.setdefault(made, made)
        made = self.known[key]
        lines = [call.line] if stage.numbers else [of.line for of in used.values() if of.factor.free_symbols]
        values = {**call.arrays, **{names[of.array]: of.array for of in used.values()}}
        asked = dict.fromkeys([*(r.value for _, r in made.reads), *(w.value for w in made.writes)])
        return Call(made, {v: values[v] for v in asked}, (*lines, call.line)[0])


def unused(name: str, taken: Collection[str]) -> str:
    """A name for a value that no other has."""
    return next(n for n in (name, *(f"{name}_{k}" for k in range(1, len(taken) + 2))) if n not in taken)


def _multiple(stage: Stage, write: Write) -> tuple[Read, sp.Expr] | None:
    """The read of which a value is a multiple, and the factor, which is the same in all cells."""
    body, used = stage.needed([write.symbol])
    reads = [(s, r) for s, r in stage.reads if s in used]
    if len(reads) != 1:
        return None
    (symbol, read), values = reads[0], dict[sp.Symbol, sp.Expr]()
    if any(read.offset) or any(read.rules) or read.channel is not None:
        return None
    for name, expression in body.items():
        values[name] = expression.xreplace(values)
    factor = sp.cancel(values.get(write.symbol, write.symbol) / symbol)
    return (read, factor) if factor.free_symbols <= stage.numbers else None


def _read_through(stage: Stage, replaced: Mapping[str, tuple[str, sp.Expr]]) -> Stage:
    reads: dict[Read, sp.Symbol] = {}
    values: dict[sp.Symbol, sp.Expr] = {}
    for symbol, read in stage.reads:
        name, factor = replaced.get(read.value, (read.value, sp.S.One))
        own = replace(read, value=name)
        reads.setdefault(own, symbol_of(own))
        values[symbol] = factor * reads[own]
    body = tuple((symbol, expression.xreplace(values)) for symbol, expression in stage.body)
    return replace(stage, reads=tuple((symbol, read) for read, symbol in reads.items()), body=body)
