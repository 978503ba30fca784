"""Adds nodes to a graph where a builder is: in the bodies of loops, on a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.graph.network import Graph, add, is_data
from pde2net.graph.nodes import (
    S2,
    Node,
    Pointwise,
    Repeat,
    State,
    Weighted,
    expressions_of,
    with_expressions,
)
from pde2net.graph.overflow import stable
from pde2net.normalise.form import DivergenceForm, SystemForm

Source = tuple[str, int]


class NodeBuilder:
    """Adds nodes to one graph; those that depend on data alone are added once, outside of all loops.

    graph   what nodes are added to
    form    the divergence form of the equation, or those of a system
    known   the nodes of known data, by name
    loop    the innermost loop that nodes are in, `block` the innermost Repeat
    part    what the names of the body of that begin with, and `inside` what follows
    level   the grid of a U-net that nodes live on
    clock   the time t, a weight of the nodes that contain it
    """

    form: Any

    def __init__(self, graph: Graph, form: DivergenceForm | SystemForm) -> None:
        self.graph, self.form = graph, form
        self.known: dict[str, Source] = {}
        self.loop: str | None = None
        self.block: str | None = None
        self.part = ""
        self.inside = ""
        self.level: int | None = None
        self.clock: sp.Symbol | None = form.problem.time if form.problem.depends_on_time else None

    def join(self, other: NodeBuilder) -> None:
        """From now on, nodes are added where `other` adds them, which has added some of the known data."""
        self.loop, self.block, self.part, self.inside = other.loop, other.block, other.part, other.inside
        self.known = other.known

    @contextmanager
    def repeated(self, name: str, part: str, start: Source) -> Iterator[Source]:
        """Nodes are in the body of the Repeat `name`, and called after `part`; its State is yielded."""
        saved = self.loop, self.block, self.part
        self.loop = self.block = self.full(name)
        self.part = f"{part}."
        yield self.node("state", State(), {"start": start})
        self.loop, self.block, self.part = saved

    def steps(self, count: int, now: sp.Expr, step: Callable[[Source], Source], start: Source) -> Source:
        """As many steps, which are taken at the time `now`."""
        with self.repeated("steps", "block", start) as state:
            end = step(state)
        clock = () if self.clock is None else ((self.clock, now),)
        return self.node("steps", Repeat(count, clock=clock), {"start": start, "next": end})

    @contextmanager
    def within(self, loop: str | None, inside: str = "") -> Iterator[None]:
        """Nodes are in the body of `loop`; `inside` comes before their names."""
        saved = self.loop, self.inside
        self.loop, self.inside = loop, inside
        yield
        self.loop, self.inside = saved

    def node(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        """Add a node where the builder is; of `inputs`, expressions are fed with what occurs in them."""
        if isinstance(node, Weighted) and self.clock is not None and self.reads_clock(node):
            node = replace(node, weights=(*node.weights, (self.clock, self.clock)))
        return self._added(self.full(name), node, inputs, self.loop)

    def _added(self, name: str, node: Node, inputs: Mapping[str, Source], loop: str | None) -> Source:
        if isinstance(node, Weighted):
            node = with_expressions(node, lambda e: _stable(e, inputs, self.clock))
        if isinstance(node, Pointwise):
            inputs = _fed(node.expressions, inputs)
        return add(self.graph, name, node, inputs, loop=loop, level=self.level), 0

    def reads_clock(self, node: Node) -> bool:
        """Whether expressions of a node contain the time."""
        if self.clock is None or not isinstance(node, Weighted):
            return False
        return any(self.clock in e.free_symbols for e in expressions_of(node))

    def full(self, name: str) -> str:
        """The name of a node where the builder is."""
        return f"{self.part}{self.inside}{name}"

    def once(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        """Add a node unless it is there; those that depend on data alone live outside of all loops."""
        if isinstance(node, Pointwise):
            inputs = _fed(node.expressions, inputs)
        known = all(is_data(self.graph, producer) for producer, _ in inputs.values())
        if known and not self.reads_clock(node):
            return self.outside(name, node, inputs)
        return self.here(name, node, inputs)

    def here(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        """Add a node where the builder is, unless it is there."""
        full = self.full(name)
        return (full, 0) if full in self.graph else self.node(name, node, inputs)

    def arrays(
        self,
        name: str,
        expressions: Sequence[sp.Expr],
        inputs: Mapping[str, Source],
        add: Callable[[str, Node, Mapping[str, Source]], Source] | None = None,
    ) -> tuple[Source | sp.Expr, ...]:
        """The expressions: outputs of one node, which `add` adds, where inputs occur, else constants."""
        varying = [e for e in dict.fromkeys(expressions) if _fed([e], inputs)]
        if not varying:
            return tuple(expressions)
        node = Pointwise(tuple(varying), "coefficient")
        made, _ = (add or self.once)(name, node, inputs)
        return tuple((made, varying.index(e)) if e in varying else e for e in expressions)

    def outside(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        if name not in self.known:
            self.known[name] = self._added(name, node, inputs, None)
        return self.known[name]


def _fed(expressions: Sequence[sp.Expr], inputs: Mapping[str, Source]) -> dict[str, Source]:
    """The inputs whose symbols occur in `expressions`."""
    names = {s.name for e in expressions for s in e.free_symbols}
    return {slot: source for slot, source in inputs.items() if slot in names}


def _stable(expression: sp.Expr, inputs: Mapping[str, Source], clock: sp.Symbol | None) -> sp.Expr:
    """By exponentials that do not overflow; squares and times are not negative."""
    slots = {s for s in expression.free_symbols if s.name in inputs or s == clock}
    signed = (s for s in slots if s == clock or s.name.startswith(S2.name))
    own = {s: sp.Symbol(s.name, nonnegative=True) for s in signed}
    found = stable(expression.xreplace(own), {own.get(s, s) for s in slots})
    return found.xreplace({new: old for old, new in own.items()})
