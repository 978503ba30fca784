"""The graph of a network without loops over blocks and cycles: all blocks, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import networkx as nx
import sympy as sp

from pde2net.graph.network import Graph, body, in_order, is_variable, loops, node_of, sources
from pde2net.graph.nodes import Node, Repeat, State, Weighted

Source = tuple[str, int]


def unrolled(graph: Graph) -> Graph:
    """A copy for every pass of each Repeat, which computes the same numbers.

    Nodes have, besides `loop` and `level`, the attributes

    block   the residual block or implicit step they belong to (0, 1, ...), None for what several use
    cycle   the cycle of blocks that they are computed once for, None for all others
    shares  the name of the node whose weights they use: that of the first block or cycle
    """
    return _Unrolling(graph).whole()


class _Unrolling:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.view: Graph = nx.MultiDiGraph(**graph.graph)
        self.inner = loops(graph)[-1]
        self.blocks = 0

    def whole(self) -> Graph:
        known: dict[str, Source] = {}
        scope: dict[sp.Symbol, sp.Expr] = {}
        for name in in_order(self.graph):
            if self.graph.nodes[name]["loop"] is None:
                known[name] = self.visit(name, known, scope)
        return self.view

    def visit(self, name: str, known: Mapping[str, Source], scope: Mapping[sp.Symbol, sp.Expr]) -> Source:
        """The output of a node outside of the loops, or of all passes of a Repeat."""
        node = node_of(self.graph, name)
        if not isinstance(node, Repeat):
            self.add(name, name, known, scope)
            return name, 0
        fed = sources(self.graph, name)
        state = previous = self.seen(fed["start"], known)
        variables = [
            (n, type(node_of(self.graph, n)))
            for n in self.graph
            if self.graph.nodes[n]["loop"] == name and is_variable(self.graph, n)
        ]
        for number in range(node.count):
            now = {**scope, **node.weights(number)}
            inside = {**known, **{n: state if kind is State else previous for n, kind in variables}}
            state, previous = self.once(name, number, fed["next"], inside, now), state
        return state

    def once(
        self,
        loop: str,
        number: int,
        end: Source,
        known: dict[str, Source],
        scope: Mapping[sp.Symbol, sp.Expr],
    ) -> Source:
        """One pass: a block, or what a cycle computes once and its blocks."""
        kind = "block" if loop == self.inner else "cycle"
        if kind == "block":
            number, self.blocks = self.blocks, self.blocks + 1
        names = {n: f"{kind}{number + 1}.{_local(n)}" for n in body(self.graph, loop)}
        known |= {n: (new, 0) for n, new in names.items()}
        for name, new in names.items():
            inside = self.graph.nodes[name]["loop"]
            self.add(name, new, known, scope, loop=names.get(inside), **{kind: number})
            if number:
                self.view.nodes[new]["shares"] = f"{kind}1.{_local(name)}"
        if loop != self.inner:
            known[self.inner] = self.visit(self.inner, known, scope)
        return self.seen(end, known)

    def add(
        self,
        name: str,
        new: str,
        known: Mapping[str, Source],
        scope: Mapping[sp.Symbol, sp.Expr],
        loop: str | None = None,
        block: int | None = None,
        cycle: int | None = None,
    ) -> None:
        data = self.graph.nodes[name]
        node = _bound(data["node"], scope)
        places = {"block": block, "cycle": cycle, "loop": loop, "shares": None, "level": data["level"]}
        self.view.add_node(new, node=node, **places)
        for slot, source in sources(self.graph, name).items():
            producer, port = self.seen(source, known)
            self.view.add_edge(producer, new, slot=slot, port=port)

    @staticmethod
    def seen(source: Source, known: Mapping[str, Source]) -> Source:
        """Where an output is found: variables of a Repeat are outputs of other nodes."""
        producer, port = source
        found, first = known[producer]
        return found, first + port


def _local(name: str) -> str:
    """The name of a node in its block or cycle."""
    return name.partition(".")[2]


def _bound(node: Node, scope: Mapping[sp.Symbol, sp.Expr]) -> Node:
    """The node with the values of its weights."""
    if not isinstance(node, Weighted):
        return node
    return replace(node, weights=tuple((s, value.xreplace(dict(scope))) for s, value in node.weights))
