"""What is shown of a U-net: stages, one per visit of a grid, each a stack of parts, and what flows between.

The graph is run with parts in place of arrays: cycles that are repeated on a coarse grid are shown as often
as they are done, the loop around all of them and the steps once. Grids below the fourth one are
shown together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from pde2net.graph.draw.labels import weights
from pde2net.graph.network import Graph, depth, in_order, node_of, sources
from pde2net.graph.nodes import (
    Coordinate,
    Cycle,
    Field,
    Input,
    Iterate,
    Operator,
    Output,
    Repeat,
    Smooth,
    State,
)

SOLUTION, RIGHT_HAND_SIDE = "solution", "right-hand side"
DEEPEST = 3


@dataclass(frozen=True)
class Part:
    """Nodes that are shown as one box; `number` tells apart what is done several times, `count` adds it up.

    below  whether it stands for all grids from the fourth one on
    """

    role: str
    names: tuple[str, ...]
    count: int
    number: int
    below: bool = False


@dataclass(frozen=True)
class Stage:
    """A visit of a grid; `loop` is the loop that it belongs to, if any."""

    level: int
    parts: tuple[Part, ...]
    loop: str | None


@dataclass(frozen=True)
class Flow:
    """Arrays that one part hands to another; `carries` is what a skip to the same grid carries, else ""."""

    source: Part
    target: Part
    carries: str


@dataclass(frozen=True)
class UShape:
    """Stages in order of computation; the first holds the input, the last the output.

    loops  the loops that stages belong to
    steps  how many times all but the first and the last stage is done
    grids  how many there are
    weights  whose those of the steps are
    """

    stages: tuple[Stage, ...]
    flows: tuple[Flow, ...]
    loops: tuple[str, ...]
    steps: int
    grids: int
    weights: str


@dataclass(frozen=True)
class _Run:
    """A node that was run: where, in which loop, with what from which earlier ones."""

    name: str
    level: int
    loop: str | None
    inputs: tuple[tuple[str, int], ...]


def is_u_shaped(graph: Graph) -> bool:
    """Whether the nodes of a graph lie on several grids."""
    return any(_level(graph, name) for name in graph)


def ushape(graph: Graph) -> UShape:
    """The stages of a graph whose nodes carry levels."""
    runs = _Runs(graph)
    runs.body(None, None)
    grids = 1 + max(_level(graph, n) for n in graph)
    stages, place = _stages(graph, runs.done, grids)
    flows = dict.fromkeys(_flows(runs.done, stages, place))
    shown = tuple(dict.fromkeys(s.loop for s in stages if s.loop is not None))
    return UShape(tuple(stages), tuple(flows), shown, depth(graph), grids, weights(graph))


def _level(graph: Graph, name: str) -> int:
    return int(graph.nodes[name].get("level") or 0)


class _Runs:
    """Runs a graph with numbers of runs in place of arrays."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.done: list[_Run] = []
        self.members: dict[str | None, list[str]] = {}
        for name in in_order(graph):
            self.members.setdefault(graph.nodes[name]["loop"], []).append(name)
        self.known: dict[str, int] = {}

    def body(self, loop: str | None, shown: str | None) -> None:
        """Run the nodes of a loop in order, `shown` the frame that they are drawn in."""
        for name in self.members.get(loop, ()):
            node = node_of(self.graph, name)
            if isinstance(node, Cycle):
                self.loop(name, node.repeat, shown)
            elif isinstance(node, Iterate | Repeat):
                self.loop(name, 1, name if isinstance(node, Iterate) else shown)
            elif not isinstance(node, State):
                self.run(name, shown)

    def loop(self, name: str, times: int, shown: str | None) -> None:
        fed = sources(self.graph, name)
        value = self.known[fed["start"][0]]
        for _ in range(times):
            for state in self.members.get(name, ()):
                if isinstance(node_of(self.graph, state), State):
                    self.known[state] = value
            self.body(name, shown)
            value = self.known[fed["next"][0]]
        self.known[name] = value

    def run(self, name: str, shown: str | None) -> None:
        inputs = [(slot, p) for slot, (p, _) in sources(self.graph, name).items() if slot != "operator"]
        if isinstance(node_of(self.graph, name), Operator):
            body = self.members.get(name, ())
            inputs += [(slot, p) for n in body for slot, (p, _) in sources(self.graph, n).items()]
            inputs = [(slot, p) for slot, p in inputs if p in self.known]
        fed = tuple((slot, self.known[p]) for slot, p in inputs)
        self.known[name] = len(self.done)
        self.done.append(_Run(name, _level(self.graph, name), shown, fed))


def _stages(
    graph: Graph, done: Sequence[_Run], grids: int
) -> tuple[list[Stage], dict[int, tuple[int, Part]]]:
    """The stages, and for each run the number of its stage and its part."""
    deep = DEEPEST if grids > DEEPEST + 1 else grids

    def visit(k: int) -> tuple[int, str | None, bool]:
        outside = done[k].loop is None and _is_known(graph, done[k].name)
        return min(done[k].level, deep), done[k].loop, outside

    stages: list[Stage] = []
    place: dict[int, tuple[int, Part]] = {}
    for (level, loop, _), group in groupby(range(len(done)), key=visit):
        numbers = list(group)
        parts = []
        for role, same in groupby(numbers, key=lambda k: "" if level == deep else _role(graph, done[k].name)):
            members = list(same)
            names = tuple(done[k].name for k in members)
            count = sum(_count(graph, n) for n in names)
            parts.append(Part(role, names, count, members[0], below=level == deep))
            place.update({k: (len(stages), parts[-1]) for k in members})
        stages.append(Stage(level, tuple(parts), loop))
    return stages, place


def _is_known(graph: Graph, name: str) -> bool:
    """Whether a node stands beside the U: the input, known data, the operator, the output."""
    return graph.nodes[name]["loop"] is None or isinstance(node_of(graph, name), Operator)


def _role(graph: Graph, name: str) -> str:
    """What tells the parts of a stage apart; what is computed from data alone belongs to the operator."""
    node = node_of(graph, name)
    if isinstance(node, Input | Output | Field | Coordinate):
        return f"{node.role} {name}"
    return "operator" if _is_known(graph, name) else node.role


def _count(graph: Graph, name: str) -> int:
    node = node_of(graph, name)
    return node.sweeps if isinstance(node, Smooth) else 1


def _flows(
    done: Sequence[_Run], stages: Sequence[Stage], place: Mapping[int, tuple[int, Part]]
) -> Iterator[Flow]:
    for k, run in enumerate(done):
        m, target = place[k]
        right = next((p for slot, p in run.inputs if slot == "rhs"), None)
        for slot, producer in run.inputs:
            if slot != "rhs" and producer == right:  # one arrow for what is both
                continue
            n, source = place[producer]
            level = stages[n].level == stages[m].level and m > n + 1
            if source != target:
                carries = RIGHT_HAND_SIDE if slot == "rhs" else SOLUTION
                yield Flow(source, target, carries if level else "")
