"""A validated networkx graph of nodes: construction, lookup and the rules that every graph obeys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import networkx as nx
import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.graph.nodes import (
    CHANNEL,
    PASS,
    Convolution,
    Field,
    Input,
    Node,
    Output,
    Pointwise,
    Previous,
    Repeat,
    State,
    TransposedConvolution,
    Trial,
    Tridiagonal,
    Weighted,
    expressions_of,
)
from pde2net.graph.rules import GraphError as GraphError
from pde2net.graph.rules import check

Graph: TypeAlias = nx.MultiDiGraph


def new_graph(
    architecture: str, semi: Semidiscrete | SemidiscreteSystem, values: Mapping[sp.Symbol, sp.Expr]
) -> Graph:
    """An empty graph for an equation or a system; `values` holds the value of each parameter that has one."""
    problem = semi.form.problem
    of_grid = {s for h in semi.spacing + semi.origin for s in h.free_symbols}
    found = {*problem.symbols, *of_grid, *values}.union(*(v.free_symbols for v in values.values()))
    return nx.MultiDiGraph(
        architecture=architecture,
        parameters=tuple(sorted(found, key=str)),
        values=dict(values),
        dimension=len(semi.form.space),
        channels=problem.channels,
    )


def add(
    graph: Graph,
    name: str,
    node: Node,
    inputs: Mapping[str, tuple[str, int]],
    loop: str | None = None,
    level: int | None = None,
) -> str:
    """Add `node`; `inputs` maps each slot to (producer, port). Returns the name.

    loop   the loop whose body it is in, the innermost one; None for what is computed once
    level  the grid of a U-net that its output lives on, 0 the finest
    """
    if name in graph:
        raise GraphError(f'There are two nodes called "{name}".')
    graph.add_node(name, node=node, loop=loop, level=level)
    for slot, (producer, port) in inputs.items():
        if producer not in graph:
            raise GraphError(f'"{name}" takes its {slot} from "{producer}", which does not exist.')
        graph.add_edge(producer, name, slot=slot, port=port)
    return name


def node_of(graph: Graph, name: str) -> Node:
    found: Node = graph.nodes[name]["node"]
    return found


def sources(graph: Graph, name: str) -> dict[str, tuple[str, int]]:
    """slot -> (producer, port) of a node, in the order in which they were added."""
    return {data["slot"]: (producer, data["port"]) for producer, _, data in graph.in_edges(name, data=True)}


def channel_name(name: str) -> str:
    """That of an unknown, u, or u of another array: "rhs_u"."""
    *_, owner, local = name.split(".")
    return owner if local == CHANNEL else f"{local}_{owner}"


def is_data(graph: Graph, name: str) -> bool:
    """Whether a node is computed from known data alone, once for the whole network."""
    data = graph.nodes[name]
    return data["loop"] is None and not isinstance(data["node"], Input | Output | Repeat)


def in_order(graph: Graph) -> Iterator[str]:
    """Names such that producers come first; the order of insertion where there is a choice."""
    position = {name: i for i, name in enumerate(graph)}
    order: Iterator[str] = nx.lexicographical_topological_sort(graph, key=position.__getitem__)
    return order


def loops(graph: Graph) -> list[str]:
    """The Repeat nodes, each before those in its body: the cycles of a network, and their blocks."""
    found = [n for n, data in graph.nodes(data=True) if isinstance(data["node"], Repeat)]
    return sorted(found, key=lambda name: graph.nodes[name]["loop"] is not None)


def repeats(graph: Graph) -> list[Repeat]:
    """The nodes of `loops`."""
    found: list[Repeat] = [graph.nodes[name]["node"] for name in loops(graph)]
    return found


def depth(graph: Graph) -> int:
    """How many blocks the network has."""
    return math.prod(repeat.count for repeat in repeats(graph))


def shortened(graph: Graph, count: int) -> Graph:
    """The first passes of the outermost Repeat alone."""
    first, *_ = loops(graph)
    repeat: Repeat = graph.nodes[first]["node"]
    tables = tuple((symbol, values[:count]) for symbol, values in repeat.tables)
    found: Graph = graph.copy()
    found.nodes[first]["node"] = replace(repeat, count=count, tables=tables)
    return found


def passes_of(graph: Graph, name: str) -> list[dict[sp.Symbol, sp.Expr]]:
    """The weights of a node of a block or a cycle, for each time that it is computed."""
    found: list[dict[sp.Symbol, sp.Expr]] = [{}]
    for loop, repeat in zip(loops(graph), repeats(graph), strict=True):
        found = [weights | repeat.weights(k) for weights in found for k in range(repeat.count)]
        if name in body(graph, loop):
            break
    return found


def body(graph: Graph, repeat: str) -> list[str]:
    """The nodes of the body of a Repeat and of other loops in it, its variables aside, in order."""

    def owner(name: str) -> str | None:
        loop: str | None = graph.nodes[name]["loop"]
        while loop is not None and not isinstance(node_of(graph, loop), Repeat):
            loop = graph.nodes[loop]["loop"]
        return loop

    variables = {n for n in graph if graph.nodes[n]["loop"] == repeat and is_variable(graph, n)}
    inner = {n for n in graph if isinstance(node_of(graph, n), Repeat)}
    return [n for n in in_order(graph) if owner(n) == repeat and n not in variables | inner]


def is_variable(graph: Graph, name: str) -> bool:
    """Whether a node is a variable of its loop."""
    return isinstance(node_of(graph, name), State | Previous | Trial)


def is_carried(graph: Graph, name: str) -> bool:
    """Whether a node is a variable of a Repeat, a state of the network."""
    loop = graph.nodes[name]["loop"]
    return is_variable(graph, name) and loop is not None and isinstance(node_of(graph, loop), Repeat)


def block(graph: Graph) -> list[str]:
    """The nodes of the block that a network repeats, in order of computation."""
    return body(graph, loops(graph)[-1])


def cycle(graph: Graph) -> list[str]:
    """The nodes that are computed once per cycle of blocks, in order of computation."""
    found = loops(graph)
    return body(graph, found[0]) if len(found) > 1 else []


def variable(graph: Graph, loop: str) -> str:
    """The State of a loop."""
    inside: list[str] = [n for n in graph if graph.nodes[n]["loop"] == loop]
    return next(n for n in inside if isinstance(node_of(graph, n), State))


def fields(graph: Graph) -> tuple[sp.Symbol, ...]:
    """Symbols of the known fields, sorted by name."""
    found = [d["node"].symbol for _, d in graph.nodes(data=True) if isinstance(d["node"], Field)]
    return tuple(sorted(found, key=lambda s: s.name))


def fields_of(graph: Graph, name: str) -> dict[str, sp.Symbol]:
    """The nodes of those that a node is computed from."""
    found = {n: graph.nodes[n]["node"] for n in nx.ancestors(graph, name)}
    return {n: node.symbol for n, node in sorted(found.items()) if isinstance(node, Field)}


def banks_of(graph: Graph) -> list[Bank]:
    """The distinct operators K."""
    nodes = (data["node"] for _, data in graph.nodes(data=True))
    return list(dict.fromkeys(n.bank for n in nodes if isinstance(n, Convolution)))


def parameters(graph: Graph) -> tuple[sp.Symbol, ...]:
    """Free symbols of all nodes that are not fed by an edge, sorted by name."""
    found: set[sp.Symbol] = set()
    for name, data in graph.nodes(data=True):
        node = data["node"]
        if isinstance(node, Weighted):
            slots = set(sources(graph, name)) if isinstance(node, Pointwise) else set()
            expressions = (*expressions_of(node), *((node.scale,) if isinstance(node, Tridiagonal) else ()))
            own = {s for s, _ in node.weights}
            found |= {s for e in expressions for s in e.free_symbols if s.name not in slots} - own
        elif isinstance(node, Repeat):
            values = [v for _, table in node.tables for v in table] + [now for _, now in node.clock]
            found |= {s for value in values for s in value.free_symbols} - {PASS}
        elif isinstance(node, Convolution | TransposedConvolution):
            found |= node.bank.symbols
        else:
            of_node: set[Any] = set()
            for value in vars(node).values():
                entries = value if isinstance(value, tuple) else (value,)
                of_node |= {s for e in entries if isinstance(e, sp.Expr) for s in e.free_symbols}
            found |= of_node - {getattr(node, "symbol", None)}
    return tuple(sorted(found, key=lambda s: s.name))


def validate(graph: Graph) -> Graph:
    """`graph` if it obeys the rules of grammar/network.ebnf; otherwise GraphError that names one."""
    check(graph)
    return graph
