"""What of a graph is shown: blocks that do the same appear once, long stacks as first and last.

The shown nodes form a tree of frames: cycles hold what is computed once per cycle and a block, blocks hold
loops, loops hold linear solves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, Union

from pde2net.graph.labels import condition, iteration
from pde2net.graph.network import Graph, blocks, cycles, in_order, node_of
from pde2net.graph.nodes import Input, Iterate, LinearSolve, Output, State, Trial
from pde2net.graph.repeats import NOW, RATE_AT_START, Repeats, repeats

ELLIPSIS = "..."


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

    edges   the name ELLIPSIS stands for the blocks between the first and the last if those are left out
    pluses  the nodes that are drawn as a plus: explicit steps and skip connections
    elided  how many blocks ELLIPSIS stands for
    """

    root: Group
    edges: tuple[Edge, ...]
    pluses: tuple[str, ...]
    elided: int


def outline(graph: Graph) -> Outline:
    """One frame if all blocks share their weights and wiring, otherwise the first and the last."""
    rows, once = blocks(graph), cycles(graph)
    found = repeats(graph)
    elided = len(rows) - 2 if found is None else 0
    groups: list[Member] = []
    if found is None:
        total = len(rows)
        groups += [*_first(graph, once), _group(graph, f"block 1 of {total}", rows[0])]
        groups += [ELLIPSIS] * bool(elided)
        groups += [*_last(graph, once), _group(graph, f"block {total} of {total}", rows[-1])]
    else:
        times = f"\N{MULTIPLICATION SIGN} {found.length}, shared weights"
        groups += [_group(graph, "once per cycle", names) for names in once[:1]]
        groups += [_group(graph, times if found.length > 1 else "one block", names) for names in rows[:1]]
        if found.cycles > 1:
            groups = [Group(f"\N{MULTIPLICATION SIGN} {found.cycles} cycles", tuple(groups))]
    outside = [
        n for n in in_order(graph) if graph.nodes[n]["block"] is None and graph.nodes[n]["cycle"] is None
    ]
    last = [n for n in outside if isinstance(node_of(graph, n), Output)]
    root = Group("", (*(n for n in outside if n not in last), *groups, *last))
    visible = set(root.names())
    pluses = tuple(n for n in root.names() if n != ELLIPSIS and _is_plus(graph, n))
    edges = dict.fromkeys(_edges(graph, visible, found, set(rows[0]) if rows else set()))
    return Outline(root, tuple(edges), pluses, elided)


def _first(graph: Graph, once: list[list[str]]) -> list[Group]:
    return [_group(graph, f"once, in cycle 1 of {len(once)}", once[0])] if once else []


def _last(graph: Graph, once: list[list[str]]) -> list[Group]:
    total = len(once)
    return [_group(graph, f"once, in cycle {total} of {total}", once[-1])] if total > 1 else []


def _group(graph: Graph, caption: str, names: list[str]) -> Group:
    return Group(caption, _members(graph, names, None))


def _members(graph: Graph, names: list[str], loop: str | None) -> tuple[Member, ...]:
    """The nodes of the body of `loop`; a loop in it is a frame of its own, with its result as last node."""
    members: list[Member] = []
    for name in names:
        if graph.nodes[name].get("loop") != loop:
            continue
        node = node_of(graph, name)
        if isinstance(node, Iterate | LinearSolve):
            body = _members(graph, names, name)
            (variable,) = (n for n in body if isinstance(n, str) and _is_variable(graph, n))
            rest = tuple(m for m in body if m != variable)
            feedback = Feedback(name, variable, condition(graph, name))
            members.append(Group(iteration(node), (variable, *rest, name), feedback))
        else:
            members.append(name)
    return tuple(members)


def _is_variable(graph: Graph, name: str) -> bool:
    return isinstance(node_of(graph, name), State | Trial)


def _is_plus(graph: Graph, name: str) -> bool:
    return node_of(graph, name).role in ("skip", "step") and graph.nodes[name].get("loop") is None


def _edges(graph: Graph, visible: set[str], found: Repeats | None, first: set[str]) -> Iterator[Edge]:
    for producer, consumer, data in graph.edges(data=True):
        if consumer not in visible:
            if found is None and producer in first:
                yield Edge(producer, ELLIPSIS)
            continue
        if isinstance(node_of(graph, consumer), Iterate) and data["slot"] in ("start", "rhs"):
            continue
        source = producer
        if graph.nodes[producer].get("loop") == consumer and producer not in visible:
            continue  # the body of an operator on all grids, which is one box
        if producer not in visible:
            source = ELLIPSIS if found is None else graph.nodes[producer]["shares"]
        yield Edge(source, consumer, _skip(graph, producer, consumer, data["slot"], found))


def _skip(graph: Graph, producer: str, consumer: str, slot: str, found: Repeats | None) -> str:
    """What an edge carries past the layers of a block, to a plus."""
    block = graph.nodes[consumer]["block"]
    if not _is_plus(graph, consumer) or graph.nodes[producer]["block"] == block:
        return ""
    if graph.nodes[producer]["cycle"] is not None:
        return RATE_AT_START
    if graph.nodes[producer]["block"] is None and not isinstance(node_of(graph, producer), Input):
        return ""
    return NOW if found is None else found.states[consumer, slot]
