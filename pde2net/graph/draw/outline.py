"""What of a graph is shown: everything once, in frames for what repeats.

The shown nodes form a tree of frames: cycles hold what is computed once per cycle and a block, blocks hold
loops, loops hold linear solves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, Union

from pde2net.graph.draw.labels import condition, iteration, weights
from pde2net.graph.network import (
    Graph,
    block,
    cycle,
    in_order,
    is_carried,
    is_variable,
    loops,
    node_of,
    repeats,
    sources,
)
from pde2net.graph.nodes import Iterate, LinearSolve, Output, Previous, Repeat

# The states that a block may read: of the block before it, of the one before that, of the start of the cycle.
NOW, PREVIOUS, START = "u", "u previous", "u at start of cycle"
RATE_AT_START = "rate at start of cycle"
CARRIED = (NOW, PREVIOUS, START, RATE_AT_START)


@dataclass(frozen=True)
class Feedback:
    """The way back of a loop: from its result to its variable."""

    result: str
    variable: str
    label: str


@dataclass(frozen=True)
class Group:
    """A frame: its members, nodes and other frames, in order of computation; the root has no caption."""

    caption: str
    members: tuple[Member, ...]
    feedback: Feedback | None = None

    def names(self) -> Iterator[str]:
        """All nodes in it."""
        for member in self.members:
            if isinstance(member, Group):
                yield from member.names()
            else:
                yield member

    def groups(self) -> Iterator[Group]:
        """All frames in it, outer ones first."""
        for member in self.members:
            if isinstance(member, Group):
                yield member
                yield from member.groups()


Member: TypeAlias = Union[str, Group]  # noqa: UP007 (a forward reference)


@dataclass(frozen=True)
class Edge:
    """An edge between shown nodes; `skip` says which state a skip carries past the layers, "" for others."""

    producer: str
    consumer: str
    skip: str = ""


@dataclass(frozen=True)
class Outline:
    """The shown part of a graph.

    pluses  the nodes that are drawn as a plus: explicit steps and skip connections
    """

    root: Group
    edges: tuple[Edge, ...]
    pluses: tuple[str, ...]


def outline(graph: Graph) -> Outline:
    """What a network repeats, once, in frames that say how often."""
    *outer, inner = loops(graph)
    *times_, length = (repeat.count for repeat in repeats(graph))
    times, once = math.prod(times_), cycle(graph)
    if length == 1 and not once:
        length, times = times, 1
    own = "shared weights" if times > 1 else weights(graph)  # blocks of a cycle are of one operator
    caption = f"\N{MULTIPLICATION SIGN} {length}, {own}" if length > 1 else "one block"
    groups: list[Member] = [Group("once per cycle", _members(graph, once, outer[0]))] if once else []
    groups.append(Group(caption, _members(graph, block(graph), inner)))
    if times > 1:
        every = "" if graph.graph.get("shared", True) else f", {weights(graph)}"
        groups = [Group(f"\N{MULTIPLICATION SIGN} {times} cycles{every}", tuple(groups))]
    outside = [n for n in in_order(graph) if graph.nodes[n]["loop"] is None and n not in (*outer, inner)]
    last = [n for n in outside if isinstance(node_of(graph, n), Output)]
    root = Group("", (*(n for n in outside if n not in last), *groups, *last))
    visible = set(root.names())
    pluses = tuple(n for n in root.names() if _is_plus(graph, n))
    place = {name: k for k, name in enumerate(graph)}
    edges = sorted(dict.fromkeys(_edges(graph, visible)), key=lambda e: place[e.producer])
    return Outline(root, tuple(edges), pluses)


def _members(graph: Graph, names: list[str], loop: str | None) -> tuple[Member, ...]:
    """The nodes of the body of `loop`; a loop in it is a frame of its own, with its result as last node."""
    members: list[Member] = []
    for name in names:
        if graph.nodes[name]["loop"] != loop:
            continue
        node = node_of(graph, name)
        if isinstance(node, Iterate | LinearSolve):
            body = _members(graph, names, name)
            (variable,) = (n for n in body if isinstance(n, str) and is_variable(graph, n))
            rest = tuple(m for m in body if m != variable)
            feedback = Feedback(name, variable, condition(graph, name))
            members.append(Group(iteration(node), (variable, *rest, name), feedback))
        else:
            members.append(name)
    return tuple(members)


def _is_plus(graph: Graph, name: str) -> bool:
    return node_of(graph, name).role in ("skip", "step") and graph.nodes[name]["loop"] in loops(graph)


def _edges(graph: Graph, visible: set[str]) -> Iterator[Edge]:
    for producer, consumer, data in graph.edges(data=True):
        if consumer not in visible:
            continue
        if isinstance(node_of(graph, consumer), Iterate) and data["slot"] in ("start", "rhs"):
            continue
        source = _shown(graph, producer)
        if graph.nodes[producer]["loop"] == consumer and source not in visible:
            continue  # the body of an operator on all grids, which is one box
        yield Edge(source, consumer, _skip(graph, producer, consumer))


def _shown(graph: Graph, name: str) -> str:
    """The node that stands for a state: the input, or the end of the block."""
    while is_carried(graph, name) or isinstance(node_of(graph, name), Repeat):
        slot = "next" if isinstance(node_of(graph, name), Repeat) else "start"
        name, _ = sources(graph, name)[slot]
    return name


def _skip(graph: Graph, producer: str, consumer: str) -> str:
    """What an edge carries past the layers of a block, to a plus."""
    inner, own = loops(graph)[-1], graph.nodes[producer]["loop"]
    if not _is_plus(graph, consumer) or own is None:
        return ""
    if not is_carried(graph, producer):
        return "" if own == inner else RATE_AT_START
    if own != inner:
        return START
    return PREVIOUS if isinstance(node_of(graph, producer), Previous) else NOW
