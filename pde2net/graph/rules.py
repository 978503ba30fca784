"""The rules R1 to R14 of grammar/network.ebnf; the message names what a graph breaks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import networkx as nx

from pde2net.errors import Pde2NetError
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Field,
    Filter,
    Input,
    Node,
    Output,
    Pointwise,
    State,
    TransposedConvolution,
    TransposedFilter,
    Trial,
    Weighted,
)
from pde2net.graph.slots import COARSENS, VARIABLES, slots_of

ENDS = ("skip", "iterate")


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
        rules.shares(name)
    rules.adjoints()
    rules.blocks()
    for name in graph:
        rules.loops(name)
        for slot, producer in rules.fed[name].items():
            rules.reads(name, slot, producer)


def alike(a: Node, b: Node) -> bool:
    """Whether two nodes are the same operation, up to the weights of their stages."""
    if isinstance(a, Weighted) and isinstance(b, Weighted):
        return replace(a, weights=()) == replace(b, weights=())
    return a == b


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
        # Names of arrays; a free symbol of any other name is a parameter.
        self.arrays = {
            n.symbol.name for n in self.nodes.values() if isinstance(n, Input | Field | Coordinate)
        }
        for name, slots in self.fed.items():
            self.arrays |= set(slots) if isinstance(self.nodes[name], Pointwise) else set()
        self.count, self.cycles = self.numbers("block"), self.numbers("cycle")
        # The state after k blocks; state 0 is the input.
        self.states = {name: 0 for name, node in self.nodes.items() if isinstance(node, Input)}

    def place(self, name: str, kind: str) -> Any:
        return self.graph.nodes[name].get(kind)

    def numbers(self, kind: str) -> int:
        """R7. How many blocks or cycles there are."""
        found = {self.place(name, kind) for name in self.graph} - {None}
        if found != set(range(len(found))):
            raise GraphError(f"The {kind}s of a network are numbered 0, 1, 2, ..., not {sorted(found)}.")
        return len(found)

    # -- edges -------------------------------------------------------------------------------------

    def slots(self, name: str) -> None:
        """R3. Every slot that a node takes is fed, once, and no other."""
        slots = sorted(d["slot"] for *_, d in self.graph.in_edges(name, data=True))
        if len(set(slots)) != len(slots):
            raise GraphError(f'"{name}" has a slot that is fed twice: {slots}.')
        node = self.nodes[name]
        takes = slots_of(node)
        needed = takes.needed
        if isinstance(node, Pointwise):
            needed = (needed | (takes.optional & self.arrays)) - {s.name for s in self.graph.graph["values"]}
        if missing := sorted(needed - set(slots)):
            raise GraphError(f'Nothing feeds the slot "{missing[0]}" of "{name}".')
        if extra := sorted(set(slots) - takes.needed - takes.optional):
            raise GraphError(f'"{name}" has no slot "{extra[0]}".')

    def ports(self, name: str) -> None:
        """R4. Every port exists."""
        for producer, _, data in self.graph.in_edges(name, data=True):
            if not 0 <= data["port"] < width(self.nodes[producer]):
                raise GraphError(f'"{name}" takes output {data["port"]} of "{producer}", which has fewer.')

    # -- weights -----------------------------------------------------------------------------------

    def shares(self, name: str) -> None:
        """R6. Weights are those of a node of an earlier block or cycle, which is the same operation."""
        first = self.graph.nodes[name]["shares"]
        if first is None:
            return
        if first not in self.nodes:
            raise GraphError(f'"{name}" shares weights with "{first}", which does not exist.')
        if not alike(self.nodes[first], self.nodes[name]):
            raise GraphError(f'"{name}" shares weights with "{first}" but is another operation.')
        kind = "block" if self.place(name, "cycle") is None else "cycle"
        own, other = self.place(name, kind), self.place(first, kind)
        if own is None or other is None or not other < own:
            raise GraphError(f'"{name}" shares weights with "{first}", which is in no earlier {kind}.')

    def adjoints(self) -> None:
        """R5. Transposed convolutions have the weights of a convolution of their block or cycle."""
        banks = {
            (self.place(n, "block"), self.place(n, "cycle"), node.bank)
            for n, node in self.nodes.items()
            if isinstance(node, Convolution)
        }
        for n, node in self.nodes.items():
            place = self.place(n, "block"), self.place(n, "cycle")
            if isinstance(node, TransposedConvolution) and (*place, node.bank) not in banks:
                raise GraphError(f'"{n}" must be the adjoint of a convolution of its block.')
            if isinstance(node, TransposedFilter) and not self.has_filter(place, node):
                raise GraphError(f'"{n}" must be the adjoint of a filter of its block.')

    def has_filter(self, place: tuple[Any, Any], adjoint: TransposedFilter) -> bool:
        """Whether a block or its cycle has the filter that `adjoint` is the transpose of."""
        wanted = (adjoint.operator, adjoint.out_channels, adjoint.kernel_size, adjoint.boundary)
        return any(
            isinstance(node, Filter)
            and (node.operator, node.out_channels, node.kernel_size, node.boundary) == wanted
            and (self.place(n, "block"), self.place(n, "cycle")) == place
            for n, node in self.nodes.items()
        )

    # -- blocks and cycles -------------------------------------------------------------------------

    def blocks(self) -> None:
        """R7, R8. Each block ends in one state; equally many blocks belong to each cycle."""
        for name, node in self.nodes.items():
            block = self.place(name, "block")
            if block is None or node.role not in ENDS:
                continue
            if block + 1 in self.states.values():
                raise GraphError("A residual block ends in exactly one skip connection; this one has two.")
            self.states[name] = block + 1
        if len(self.states) != self.count + 1:
            raise GraphError("A residual block ends in exactly one skip connection; one has none.")
        if self.cycles and self.count % self.cycles:
            raise GraphError(f"{self.count} blocks cannot be {self.cycles} cycles of one length.")

    def readable(self, block: int) -> Iterator[int]:
        """The states that a block may read: the one before, that before it, the start of the cycle."""
        length = self.count // self.cycles if self.cycles else 0
        start = block - block % length if length else 0
        yield block
        yield max(block - 1, start)
        if length:
            yield start

    def reads(self, name: str, slot: str, producer: str) -> None:
        """R9 to R11. An edge brings data, what is of the same place, or a state that is carried there."""
        block, cycle = self.place(name, "block"), self.place(name, "cycle")
        state = self.states.get(producer)
        other = self.place(producer, "block"), self.place(producer, "cycle")
        if isinstance(self.nodes[name], Output):
            if state != self.count:
                raise GraphError("The output is the state after the last block.")
        elif block is not None:
            length = self.count // self.cycles if self.cycles else 1
            near = other == (block, None) or (self.cycles and other == (None, block // length))
            known = other == (None, None) and state is None
            if not (near or known or state in set(self.readable(block))):
                raise GraphError(
                    f'"{name}" may not read "{producer}": a block reads data, its cycle, earlier states.'
                )
        elif cycle is not None:
            start = cycle * (self.count // self.cycles)
            known = other == (None, None) and state is None
            if not (known or other == (None, cycle) or state == start):
                raise GraphError(
                    f'"{name}" may not read "{producer}": what is computed once per cycle reads its start.'
                )
        elif other != (None, None) or state is not None:
            raise GraphError(
                f'"{name}" may not read "{producer}": outside of the blocks, nodes depend on data alone.'
            )
        self.levels(name, slot, producer)

    def levels(self, name: str, slot: str, producer: str) -> None:
        """R14. Only restriction and prolongation change the grid; what has no level lives on the finest."""
        if slot == "operator" or isinstance(self.nodes[name], Output):
            return
        level, other = self.place(name, "level") or 0, self.place(producer, "level") or 0
        if level != other + COARSENS.get(type(self.nodes[name]), 0):
            raise GraphError(f'"{name}" on grid {level} cannot read "{producer}" on grid {other}.')

    # -- loops -------------------------------------------------------------------------------------

    def loops(self, name: str) -> None:
        """R12, R13. Bodies have the variables of their loop, and nobody else reads what depends on them."""
        loop = self.place(name, "loop")
        if loop is not None and type(self.nodes.get(loop)) not in VARIABLES:
            raise GraphError(f'"{name}" is in the body of "{loop}", which is no loop.')
        if loop is not None and self.place(loop, "block") != self.place(name, "block"):
            raise GraphError(f'"{name}" is in the body of "{loop}" but in another block.')
        if isinstance(self.nodes[name], State | Trial) and loop is None:
            raise GraphError(f'"{name}" is the variable of no loop.')
        if type(self.nodes[name]) in VARIABLES:
            inside = [type(n) for m, n in self.nodes.items() if self.place(m, "loop") == name]
            for kind in (State, Trial):
                if inside.count(kind) != VARIABLES[type(self.nodes[name])].count(kind):
                    raise GraphError(f'The body of "{name}" needs its own variable: one {kind.__name__}.')
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
