"""What nodes and their values are called, in pictures and in the terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pde2net.discretise.operators import Bank
from pde2net.graph.draw.formulas import greek, subscript
from pde2net.graph.network import Graph, body, channel_name, is_carried, loops, node_of, sources
from pde2net.graph.nodes import (
    Channel,
    Convolution,
    Filter,
    Input,
    Iterate,
    LinearSolve,
    Pointwise,
    State,
    TransposedFilter,
    Trial,
    Tridiagonal,
)

# The letters of the variables of loops.
VARIABLE = {State: "v", Trial: "w"}
# What gives its inputs names of its own.
NAMING = Pointwise | Iterate | LinearSolve | Tridiagonal


@dataclass(frozen=True)
class Label:
    """A heading and lines of formulas below it."""

    heading: str
    lines: tuple[str, ...] = ()


def short(name: str) -> str:
    """The name within its block."""
    return name.rpartition(".")[2]


def names_of(graph: Graph, name: str, port: int) -> list[str]:
    """What the consumers of an output call it; the name of the node where they give it none of their own."""
    node = node_of(graph, name)
    if isinstance(node, Input | State | Trial):
        inner = not isinstance(node, Input) and not is_carried(graph, name)
        return [VARIABLE[type(node)] if inner else greek(state_name(graph))]
    if isinstance(node, Channel):
        return [greek(channel_name(name))]
    slots = [
        data["slot"]
        for _, consumer, data in graph.out_edges(name, data=True)
        if data["port"] == port and isinstance(node_of(graph, consumer), NAMING)
    ]
    own = {slot.strip("_") for slot in sources(graph, name)}
    shown = [f"new {s}" if s.strip("_") in own else "next v" if s == "next" else greek(s) for s in slots]
    several = isinstance(node, Pointwise) and len(node.expressions) > 1
    if shown:
        return list(dict.fromkeys(shown))
    *_, owner, local = f".{name}".split(".")
    index = subscript(port + 1) if several else ""
    return [greek(local) + index + (f"_{greek(owner)}" if owner in unknowns(graph) else "")]


def unknowns(graph: Graph) -> set[str]:
    """The names of the unknowns of a system, which are parts of those of its nodes."""
    channels = (name for name, data in graph.nodes(data=True) if isinstance(data["node"], Channel))
    return {name.split(".")[-2] for name in channels if "." in name}


def response(graph: Graph, source: tuple[str, int]) -> str:
    """What a filter is applied to: the state, or the response of another one."""
    inner = isinstance(node_of(graph, source[0]), Filter)
    return greek(names_of(graph, *source)[0]) if inner else state_name(graph)


def adjoint_symbol(graph: Graph, name: str) -> str:
    """-K^T Phi, the contribution of a term to the rate."""
    node = node_of(graph, name)
    if isinstance(node, TransposedFilter):
        inner = any(isinstance(node_of(graph, n), TransposedFilter) for n in graph.predecessors(name))
        return f"d_{node.operator}{'_' + short(name).split('_of_')[1].split('_')[0] if inner else ''}"
    return f"d{of_term(graph, name)}"


def of_term(graph: Graph, name: str) -> str:
    """The index of the term that a node such as flux2, K2T or flux_cell belongs to; "" if there is one.

    In a system the unknown is an index, too.
    """
    *_, owner, local = f".{name}".split(".")
    index = re.sub(r"^d?(flux|K)|T$", "", local)
    return "".join(subscript(c) for c in index) + (f"_{greek(owner)}" if owner in unknowns(graph) else "")


def forward_name(graph: Graph, name: str, bank: Bank) -> str:
    """The convolution of the same block whose adjoint `name` is."""
    for rows in (body(graph, loop) for loop in reversed(loops(graph))):
        if name in rows:
            return next((greek(short(n)) for n in rows if node_of(graph, n) == Convolution(bank)), "K")
    return "K"


def state_name(graph: Graph) -> str:
    """That of the state, as it was declared."""
    found = (d["node"].symbol.name for _, d in graph.nodes(data=True) if isinstance(d["node"], Input))
    return next(found, "u")
