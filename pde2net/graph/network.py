"""A validated networkx graph of nodes: construction, lookup and the rules that every graph obeys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import networkx as nx
import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.graph.nodes import (
    CHANNEL,
    Convolution,
    Field,
    Input,
    Node,
    Output,
    Pointwise,
    TransposedConvolution,
    Tridiagonal,
    Weighted,
    expressions_of,
)
from pde2net.graph.rules import GraphError as GraphError
from pde2net.graph.rules import check

Graph: TypeAlias = nx.MultiDiGraph


def new_graph(
    architecture: str, values: Mapping[sp.Symbol, sp.Expr], dimension: int, channels: int = 1
) -> Graph:
    """An empty graph; `values` holds the value of each parameter that has one, u has `channels`."""
    return nx.MultiDiGraph(
        architecture=architecture, values=dict(values), dimension=dimension, channels=channels
    )


def add(
    graph: Graph,
    name: str,
    node: Node,
    inputs: Mapping[str, tuple[str, int]],
    block: int | None = None,
    cycle: int | None = None,
    loop: str | None = None,
    shares: str | None = None,
    level: int | None = None,
) -> str:
    """Add `node`; `inputs` maps each slot to (producer, port). Returns the name.

    block   the residual block it belongs to (0, 1, ...), None for what several blocks use
    cycle   the cycle of blocks that it is computed once for, None for all others
    loop    the Iterate or LinearSolve node whose State or Trial it depends on, the innermost one
    shares  the name of the node whose weights this one uses
    level   the grid of a U-net that its output lives on, 0 the finest
    """
    if name in graph:
        raise GraphError(f'There are two nodes called "{name}".')
    graph.add_node(name, node=node, block=block, cycle=cycle, loop=loop, shares=shares, level=level)
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
    return data["block"] is None and data["cycle"] is None and not isinstance(data["node"], Input | Output)


def in_order(graph: Graph) -> Iterator[str]:
    """Names such that producers come first; the order of insertion where there is a choice."""
    position = {name: i for i, name in enumerate(graph)}
    order: Iterator[str] = nx.lexicographical_topological_sort(graph, key=position.__getitem__)
    return order


def blocks(graph: Graph) -> list[list[str]]:
    """The node names of each block, in order of computation."""
    return _grouped(graph, "block")


def cycles(graph: Graph) -> list[list[str]]:
    """The names of the nodes that are computed once per cycle of blocks, in order of computation."""
    return _grouped(graph, "cycle")


def _grouped(graph: Graph, key: str) -> list[list[str]]:
    rows: dict[int, list[str]] = {}
    for name in in_order(graph):
        index = graph.nodes[name][key]
        if index is not None:
            rows.setdefault(index, []).append(name)
    return [rows[k] for k in sorted(rows)]


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
            found |= {s for _, value in node.weights for s in value.free_symbols}
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
