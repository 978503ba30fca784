"""The records of kernels: stages, which make arrays from others in loops over cells. None of them is text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sympy as sp

from pde2net.discretise.arrays import Extension


@dataclass(frozen=True)
class Rule:
    """How an array goes on beyond the border of an axis.

    wraps, factor, edge  as of an Extension
    repeats              it is the value at the border that goes on
    """

    wraps: bool = False
    factor: int = 1
    edge: bool = False
    repeats: bool = False

    @classmethod
    def of(cls, kind: Extension) -> Rule:
        return cls(kind.wraps, kind.factor, kind.edge)


Rules = tuple[Rule | None, ...]  # by axis, None where nothing is read beyond the border
ZERO, REPEATED = Rule(factor=0), Rule(repeats=True)


@dataclass(frozen=True)
class Read:
    """The value of an array, `offset` cells further on.

    rules    how it goes on beyond the border
    channel  which one; None for that which is made
    """

    value: str
    offset: tuple[int, ...]
    rules: Rules
    channel: int | None = None


@dataclass(frozen=True)
class Write:
    """A value that a stage makes: of each channel, of one, or a number, the sum over all cells."""

    value: str
    symbol: sp.Symbol
    channel: int | None = None
    total: bool = False


@dataclass(frozen=True)
class Carried:
    """A value that a stage makes and reads one cell back along an axis; nobody else reads it.

    symbol, source  what is read, and what is made
    rule            ZERO if it is 0 before the first cell of the image; else it is made there too
    """

    symbol: sp.Symbol
    source: sp.Symbol
    value: str
    axis: int
    rule: Rule | None


@dataclass(frozen=True)
class Stage:
    """A loop over cells: body in order, each symbol = expression in reads, earlier ones, numbers, positions.

    channels  of what is made; the loop is over them too
    summed    whether the values are summed over all channels of what is read
    wide      how many cells beyond the image along each axis it may be asked for
    carried   what it reads of its own values
    """

    reads: tuple[tuple[sp.Symbol, Read], ...]
    body: tuple[tuple[sp.Symbol, sp.Expr], ...]
    writes: tuple[Write, ...]
    channels: int
    summed: bool = False
    wide: tuple[int, ...] = ()
    carried: tuple[Carried, ...] = ()

    @cached_property
    def numbers(self) -> frozenset[sp.Symbol]:
        """The symbols that stand for numbers, the same in all cells."""
        own = {s for s, _ in self.reads} | {s for s, _ in self.body} | {c.symbol for c in self.carried}
        own |= {of(axis) for axis in range(3) for of in (position, size)}
        return frozenset(set().union(*(e.free_symbols for _, e in self.body)) - own)

    @property
    def totals(self) -> bool:
        """Whether it makes sums over all cells, those of the image and `wide` more."""
        return any(w.total for w in self.writes)

    def only(self, writes: Iterable[Write]) -> Stage:
        """What makes some of the values, in an order that depends on these alone."""
        kept = tuple(writes)
        body, used = self.needed(w.symbol for w in kept)
        reads = tuple((s, r) for s, r in sorted(self.reads, key=str) if s in used)
        return replace(self, reads=reads, body=tuple(body.items()), writes=kept)

    def needed(self, symbols: Iterable[sp.Symbol]) -> tuple[dict[sp.Symbol, sp.Expr], set[sp.Symbol]]:
        """The part of the body that makes these, and all symbols in it."""
        wanted, known = tuple(symbols), dict(self.body)
        body: dict[sp.Symbol, sp.Expr] = {}

        def add(symbol: sp.Symbol) -> None:
            if symbol in known and symbol not in body:
                for part in sorted(known[symbol].free_symbols, key=str):
                    add(part)
                body[symbol] = known[symbol]

        for symbol in wanted:
            add(symbol)
        return body, set(wanted).union(*(e.free_symbols for e in body.values()))

    @cached_property
    def users(self) -> Mapping[sp.Symbol, frozenset[sp.Symbol]]:
        """Of what is read, and of what is carried on, the values that need it."""
        found: dict[sp.Symbol, set[sp.Symbol]] = {}
        for symbol in dict.fromkeys([*(w.symbol for w in self.writes), *(c.source for c in self.carried)]):
            for used in self.needed([symbol])[1]:
                found.setdefault(used, set()).add(symbol)
        return {used: frozenset(symbols) for used, symbols in found.items()}


def symbol_of(read: Read) -> sp.Symbol:
    """The symbol of what is read."""
    rules = [None if r is None else (r.wraps, r.factor, r.edge, r.repeats) for r in read.rules]
    channel = "" if read.channel is None else f" {read.channel}"
    return sp.Symbol(f"{read.value} at {read.offset} {rules}{channel}", real=True)


def position(axis: int) -> sp.Symbol:
    """The index of a cell along an axis, 0 for the first of the image."""
    return sp.Symbol(f"index along {axis}", integer=True)


def size(axis: int) -> sp.Symbol:
    """The number of cells of the image along an axis."""
    return sp.Symbol(f"cells along {axis}", integer=True)
