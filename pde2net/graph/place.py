"""Adds nodes to a graph where a builder is: in a block or a cycle, in the body of a loop, on a grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import sympy as sp

from pde2net.graph.coupling import S2
from pde2net.graph.network import Graph, add, is_data
from pde2net.graph.nodes import Node, Pointwise, Weighted, expressions_of
from pde2net.graph.overflow import stable
from pde2net.language.problem import Problem

Source = tuple[str, int]
Clock = tuple[sp.Symbol, sp.Expr] | None  # t and its value


def clock_of(problem: Problem, now: sp.Expr) -> Clock:
    """The time `now` for problems whose coefficients contain it."""
    return (problem.time, now) if problem.depends_on_time else None


class NodeBuilder:
    """Adds nodes to one graph; those that depend on data alone are added once, outside of blocks.

    Nodes belong to the current `block` or `cycle`, which is also the prefix of their names; those of later
    ones share the weights of the first. `level` is the grid of a U-net that they live on. `clock` is the
    time of the current block, a weight of the nodes that contain it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.known: dict[str, Source] = {}
        self.place: tuple[str, int] | None = None
        self.loop: str | None = None
        self.inside = ""
        self.level: int | None = None
        self.clock: Clock = None

    def join(self, other: NodeBuilder) -> None:
        """From now on, nodes are added where `other` adds them, which has added some of the known data."""
        self.place, self.loop, self.inside, self.known = other.place, other.loop, other.inside, other.known
        self.clock = other.clock

    def enter(self, kind: str, index: int, clock: Clock = None) -> None:
        """From now on, nodes belong to the block or cycle `index`, which is evaluated at the time `clock`."""
        self.place, self.clock = (kind, index), clock

    @contextmanager
    def within(self, loop: str | None, inside: str = "") -> Iterator[None]:
        """Nodes are in the body of `loop`; `inside` comes before their names."""
        saved = self.loop, self.inside
        self.loop, self.inside = loop, inside
        yield
        self.loop, self.inside = saved

    def node(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        """Add a node where the builder is; weights are shared with the first block or cycle."""
        if isinstance(node, Pointwise):
            node = replace(node, expressions=tuple(_stable(e, inputs) for e in node.expressions))
        if self.place is None:
            return add(self.graph, name, node, inputs), 0
        if isinstance(node, Weighted) and self.clock is not None and self.reads_clock(node):
            node = replace(node, weights=(*node.weights, self.clock))
        kind, index = self.place
        full = self.full(name)
        shares = f"{kind}1.{self.inside}{name}" if index > 0 else None
        place = {kind: index}
        name = add(self.graph, full, node, inputs, loop=self.loop, shares=shares, level=self.level, **place)
        return name, 0

    def reads_clock(self, node: Node) -> bool:
        """Whether expressions of a node contain the time."""
        if self.clock is None or not isinstance(node, Weighted):
            return False
        return any(self.clock[0] in e.free_symbols for e in expressions_of(node))

    def full(self, name: str) -> str:
        """The name of a node of the current block."""
        if self.place is None:
            return name
        kind, index = self.place
        return f"{kind}{index + 1}.{self.inside}{name}"

    def once(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        """Add a node unless this block has it; data-only nodes live outside of the blocks."""
        known = all(is_data(self.graph, producer) for producer, _ in inputs.values())
        if known and not self.reads_clock(node):
            return self.outside(name, node, inputs)
        full = self.full(name)
        return (full, 0) if full in self.graph else self.node(name, node, inputs)

    def outside(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        if name not in self.known:
            saved, self.place = self.place, None
            self.known[name] = self.node(name, node, inputs)
            self.place = saved
        return self.known[name]

    @staticmethod
    def needed(expressions: Sequence[sp.Expr], inputs: Mapping[str, Source]) -> dict[str, Source]:
        """The inputs whose symbols occur in `expressions`."""
        names = {s.name for e in expressions for s in e.free_symbols}
        return {slot: source for slot, source in inputs.items() if slot in names}


def _stable(expression: sp.Expr, inputs: Mapping[str, Source]) -> sp.Expr:
    slots = {s for s in expression.free_symbols if s.name in inputs}
    own = {s: sp.Symbol(s.name, nonnegative=True) for s in slots if s.name.startswith(S2.name)}
    found = stable(expression.xreplace(own), {own.get(s, s) for s in slots})
    return found.xreplace({new: old for old, new in own.items()})
