"""The rules R1 to R12 of grammar/network.ebnf; the message names what a graph breaks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import networkx as nx

from pde2net.errors import Pde2NetError
from pde2net.graph.nodes import (
    Convolution,
    Filter,
    Input,
    Node,
    Output,
    Pointwise,
    Previous,
    Repeat,
    State,
    TransposedConvolution,
    TransposedFilter,
    Trial,
    Weighted,
)

ADJOINTS: dict[type[Node], type[Node]] = {TransposedConvolution: Convolution, TransposedFilter: Filter}


class GraphError(Pde2NetError):
    """A graph that breaks a rule of grammar/network.ebnf."""


def check(graph: nx.MultiDiGraph) -> None:
    """Raises GraphError that names the broken rule."""
    if not nx.is_directed_acyclic_graph(graph):
        raise GraphError("A network has no cycles; loops go back by themselves, from their result.")
    for kind in (Input, Output):
        if sum(isinstance(d["node"], kind) for _, d in graph.nodes(data=True)) != 1:
            raise GraphError(f"A network has exactly one {kind.__name__.lower()}.")
    rules = _Rules(graph)
    for name in graph:
        rules.slots(name)
        rules.ports(name)
    for name in graph:
        rules.loops(name)
    rules.adjoints()
    for name in graph:
        rules.weights(name)
        rules.repeats(name)
        for slot, producer in rules.fed[name].items():
            rules.reads(name, slot, producer)


def width(node: Node) -> int:
    """How many arrays a node returns."""
    if isinstance(node, Convolution):
        return len(node.bank.operations)
    return len(node.expressions) if isinstance(node, Pointwise) else 1


class _Rules:
    def __init__(self, graph: nx.MultiDiGraph) -> None:
        self.graph = graph
        self.nodes: dict[str, Any] = {name: data["node"] for name, data in graph.nodes(data=True)}
        self.fed = {n: {d["slot"]: p for p, _, d in graph.in_edges(n, data=True)} for n in graph}
        self.parameters = {s.name for s in graph.graph["parameters"]}

    def place(self, name: str, kind: str) -> Any:
        return self.graph.nodes[name].get(kind)

    # -- edges -------------------------------------------------------------------------------------

    def slots(self, name: str) -> None:
        """R3. Every slot that a node takes is fed, once, and no other."""
        slots = sorted(d["slot"] for *_, d in self.graph.in_edges(name, data=True))
        if len(set(slots)) != len(slots):
            raise GraphError(f'"{name}" has a slot that is fed twice: {slots}.')
        node = self.nodes[name]
        needed = node.needed
        if isinstance(node, Pointwise):
            needed = (needed | node.optional) - self.parameters
        if missing := sorted(needed - set(slots)):
            raise GraphError(f'Nothing feeds the slot "{missing[0]}" of "{name}".')
        if extra := sorted(set(slots) - node.needed - node.optional):
            raise GraphError(f'"{name}" has no slot "{extra[0]}".')

    def ports(self, name: str) -> None:
        """R4. Every port exists."""
        for producer, _, data in self.graph.in_edges(name, data=True):
            if not 0 <= data["port"] < width(self.nodes[producer]):
                raise GraphError(f'"{name}" takes output {data["port"]} of "{producer}", which has fewer.')

    # -- weights -----------------------------------------------------------------------------------

    def weights(self, name: str) -> None:
        """R6. The weights of a node are those of the loops around it."""
        node = self.nodes[name]
        if not isinstance(node, Weighted):
            return
        known: set[Any] = set()
        for loop in self.around(name):
            known |= self.nodes[loop].symbols if isinstance(self.nodes[loop], Repeat) else set()
        for symbol, value in node.weights:
            if value != symbol or symbol not in known:
                raise GraphError(f'"{name}" has the weight {symbol}, which no loop around it has.')

    def block(self, name: str) -> str | None:
        """The innermost Repeat around a node."""
        return next((loop for loop in self.around(name) if isinstance(self.nodes[loop], Repeat)), None)

    def adjoints(self) -> None:
        """R5. Transposed convolutions have the weights of a convolution of their block or cycle."""
        places = {n: (self.block(n), vars(node) | {"role": ""}) for n, node in self.nodes.items()}
        for transposed, forward in ADJOINTS.items():
            there = [places[n] for n, node in self.nodes.items() if isinstance(node, forward)]
            for n, node in self.nodes.items():
                if isinstance(node, transposed) and places[n] not in there:
                    raise GraphError(f'"{n}" must be the adjoint of a {forward.role} of its block.')

    # -- blocks and cycles -------------------------------------------------------------------------

    def repeats(self, name: str) -> None:
        """R7, R8. A Repeat is in no loop but one Repeat; tables have one value, or one for each pass."""
        node = self.nodes[name]
        if not isinstance(node, Repeat):
            return
        if len(list(self.around(name))) > 1 or any(
            not isinstance(self.nodes[o], Repeat) for o in self.around(name)
        ):
            raise GraphError(f'"{name}" repeats blocks: it is in no loop, or in the cycle of a network.')
        if node.count < 1:
            raise GraphError(f'"{name}" repeats its body {node.count} times.')
        for symbol, values in node.tables:
            if len(values) not in (1, node.count):
                raise GraphError(f'"{name}" has {len(values)} values of {symbol} for {node.count} passes.')

    def reads(self, name: str, slot: str, producer: str) -> None:
        """R9. Outside of loops nodes depend on data alone; the state goes through the outermost Repeat."""
        if self.place(name, "loop") is None:
            node, other = self.nodes[name], self.nodes[producer]
            if isinstance(node, Repeat):
                wrong = slot == "start" and not isinstance(other, Input)
            elif isinstance(node, Output):
                wrong = not isinstance(other, Repeat)
            else:
                wrong = isinstance(other, Input | Repeat)
            if wrong:
                raise GraphError(
                    f'"{name}" may not read "{producer}": outside of the blocks, nodes depend on data alone.'
                )
        elif isinstance(self.nodes[producer], Input) and not self.starts(name, slot):
            raise GraphError(f'"{name}" may not read "{producer}": a block reads the state of its loop.')
        self.levels(name, slot, producer)

    def starts(self, name: str, slot: str) -> bool:
        """Whether an edge feeds the start of a variable of the outermost Repeat."""
        loop = self.place(name, "loop")
        return slot == "start" and isinstance(self.nodes[loop], Repeat) and self.place(loop, "loop") is None

    def levels(self, name: str, slot: str, producer: str) -> None:
        """R12. Only restriction and prolongation change the grid; what has no level lives on the finest."""
        if slot == "operator" or isinstance(self.nodes[name], Output):
            return
        level, other = self.place(name, "level") or 0, self.place(producer, "level") or 0
        if level != other + self.nodes[name].coarsens:
            raise GraphError(f'"{name}" on grid {level} cannot read "{producer}" on grid {other}.')

    # -- loops -------------------------------------------------------------------------------------

    def loops(self, name: str) -> None:
        """R10, R11. Bodies have the variables of their loop, and nobody else reads what depends on them."""
        loop = self.place(name, "loop")
        if loop is not None and not getattr(self.nodes.get(loop), "variables", ()):
            raise GraphError(f'"{name}" is in the body of "{loop}", which is no loop.')
        node = self.nodes[name]
        if isinstance(node, State | Trial) and loop is None:
            raise GraphError(f'"{name}" is the variable of no loop.')
        if isinstance(node, Previous) and not isinstance(self.nodes.get(loop), Repeat):
            raise GraphError(f'"{name}" is the previous state of no Repeat.')
        if node.variables:
            inside = [type(n) for m, n in self.nodes.items() if self.place(m, "loop") == name]
            for kind in (State, Trial):
                if inside.count(kind) != node.variables.count(kind):
                    raise GraphError(f'The body of "{name}" needs its own variable: one {kind.__name__}.')
            if inside.count(Previous) > 1:
                raise GraphError(f'The body of "{name}" has two previous states.')
        around = set(self.around(name)) | {name}
        for producer in self.fed[name].values():
            if self.place(producer, "loop") not in {None, *around}:
                raise GraphError(f'"{name}" reads "{producer}" in the body of a loop that it is not in.')

    def around(self, name: str) -> Iterator[str]:
        """The loops that a node is in, the innermost first."""
        loop = self.place(name, "loop")
        seen = {name}
        while loop is not None and loop not in seen:
            yield loop
            seen.add(loop)
            loop = self.place(loop, "loop") if loop in self.nodes else None
