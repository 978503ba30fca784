"""From a graph to functions: what each computes, what it is handed, and what it captures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations_with_replacement

import networkx as nx

from pde2net.graph.network import (
    Graph,
    channel_name,
    fields_of,
    in_order,
    is_data,
    is_variable,
    node_of,
    sources,
    variable,
)
from pde2net.graph.nodes import (
    Channel,
    Convolution,
    Coordinate,
    Field,
    Filter,
    Input,
    LinearSolve,
    Operator,
    Pointwise,
    SquaredAdjoint,
    State,
    TransposedConvolution,
    TransposedFilter,
)
from pde2net.program.records import Function, Given, Let, Line, Op, Squares

Source = tuple[str, int]
UPDATES = ("step", "skip", "rate", "residual", "right-hand side", "product")  # roles of whole rows


def value(source: Source) -> str:
    """What an output of a node is called."""
    name, port = source
    return f"{name}:{port}" if port else name


def local(name: str) -> str:
    """The name of a node without those of what it is in."""
    return name.rpartition(".")[2]


def function(
    graph: Graph,
    name: str,
    parameters: Iterable[Given],
    nodes: Iterable[str],
    results: Iterable[Source],
    axes: Sequence[str],
) -> Function:
    """The function that computes `nodes`, in this order."""
    return Function(name, tuple(parameters), lets(graph, nodes, axes), tuple(map(value, results)))


def lets(graph: Graph, nodes: Iterable[str], axes: Sequence[str]) -> tuple[Let, ...]:
    """The operations of nodes; variables of loops, fields and the input are handed to functions."""
    computed = (
        n for n in nodes if not (is_variable(graph, n) or isinstance(node_of(graph, n), Field | Input))
    )
    return tuple(_let(graph, n, axes) for n in computed)


def _let(graph: Graph, name: str, axes: Sequence[str]) -> Let:
    node = node_of(graph, name)
    fed = {s: value(v) for s, v in sources(graph, name).items() if graph.nodes[v[0]]["loop"] != name}
    op: Op = node
    if isinstance(node, LinearSolve):
        fed |= {f"captured{i}": value(v) for i, v in enumerate(captured(graph, product(graph, name)))}
        if node.preconditioner == "multigrid":
            cycle, _ = sources(graph, name)["preconditioner"]
            fed["preconditioner"] = value(sources(graph, cycle)["operator"])
    elif isinstance(node, Operator):
        fed = {"state": fed["state"]} | {f"known{i}": f for i, f in enumerate(fields_of(graph, name))}
    elif isinstance(node, Coordinate) and not (len(axes) > 1 and _needed_everywhere(name, graph)):
        op = Line(node)
    elif isinstance(node, SquaredAdjoint):
        known = {slot for slot, (producer, _) in sources(graph, name).items() if is_data(graph, producer)}
        op = Squares(node, frozenset(known))
        if not set(fed) - known:
            fed["image"] = _image(graph, name)
    wanted = wanted_names(graph, name, axes)
    return Let(tuple(value((name, i)) for i in range(len(wanted))), op, tuple(fed.items()), wanted)


def _image(graph: Graph, name: str) -> str:
    """The state of the loop that a node is in, or the input."""
    loop = graph.nodes[name]["loop"]
    return variable(graph, loop) if loop else next(n for n in graph if isinstance(node_of(graph, n), Input))


def inside(graph: Graph, loop: str) -> list[str]:
    """The nodes of the body of a loop, not of loops in it, in order."""
    return [n for n in in_order(graph) if graph.nodes[n]["loop"] == loop]


def needed(graph: Graph, wanted: Iterable[str], within: Collection[str]) -> list[str]:
    """Of the nodes `within`, those that `wanted` are computed from, in order."""
    ends = set(wanted)
    found = ends.union(*(nx.ancestors(graph, name) for name in ends))
    return [n for n in within if n in found]


def product(graph: Graph, system: str) -> list[str]:
    """The nodes of the product of a linear system."""
    end, _ = sources(graph, system)["product"]
    return needed(graph, [end], inside(graph, system))


def depending(graph: Graph, nodes: Sequence[str], on: type) -> list[str]:
    """Of `nodes`, in order, those that depend on a node of the type `on`."""
    found = {n for n in nodes if isinstance(node_of(graph, n), on)}
    for name in nodes:
        if any(producer in found for producer, _ in sources(graph, name).values()):
            found.add(name)
    return [n for n in nodes if n in found]


def captured(graph: Graph, nodes: Collection[str]) -> list[Source]:
    """What nodes take from others, in order of use."""
    used = (source for n in nodes for source in sources(graph, n).values())
    return list(dict.fromkeys(s for s in used if s[0] not in nodes))


def captured_name(graph: Graph, source: Source) -> str:
    """What a function would call a value that it is handed from the body of a loop."""
    name, port = source
    node = node_of(graph, name)
    if isinstance(node, State):
        return "v"
    if isinstance(node, Channel):
        return channel_name(name)
    return f"{local(name)}_{port}" if port else local(name)


# -- known data ------------------------------------------------------------------------------------


def data(graph: Graph, nodes: Iterable[str]) -> dict[Source, str]:
    """What nodes use of known data, computed once for the network, and what it would be called."""
    found: dict[Source, str] = {}
    for name in nodes:
        for slot, source in sources(graph, name).items():
            if is_data(graph, source[0]):
                bank = isinstance(node_of(graph, source[0]), Convolution)
                found.setdefault(source, slot if bank else local(source[0]))
    return found


def prelude(graph: Graph, used: Collection[Source], axes: Sequence[str]) -> Function:
    """What computes known data: a function of the input, for its shape, and of known fields."""
    names = {name for name, _ in used}
    wanted = names.union(*(nx.ancestors(graph, name) for name in names))
    nodes = [n for n in in_order(graph) if n in wanted]
    handed = [(n, "u") for n in graph if isinstance(node_of(graph, n), Input)]
    kinds = {n: node_of(graph, n) for n in nodes}
    handed += [(n, node.symbol.name) for n, node in kinds.items() if isinstance(node, Field)]
    return function(graph, "known", handed, nodes, used, axes)


def _needed_everywhere(name: str, graph: Graph) -> bool:
    """Whether something that looks at neighbours takes what is computed from coordinates alone."""
    for consumer in graph.successors(name):
        if not isinstance(node_of(graph, consumer), Pointwise):
            return True
        if _of_coordinates(consumer, graph) and _needed_everywhere(consumer, graph):
            return True
    return False


def _of_coordinates(name: str, graph: Graph) -> bool:
    node = node_of(graph, name)
    if isinstance(node, Pointwise):
        return all(_of_coordinates(producer, graph) for producer in graph.predecessors(name))
    return isinstance(node, Coordinate)


# -- names -----------------------------------------------------------------------------------------


def wanted_names(graph: Graph, name: str, axes: Sequence[str]) -> tuple[str, ...]:
    """What a reader would call the outputs of a node."""
    node, own = node_of(graph, name), local(name)
    if isinstance(node, Convolution):
        return _of_consumers(graph, name, len(node.bank.operations))
    if isinstance(node, Filter):
        (found,) = _of_consumers(graph, name, 1)
        return (own.removesuffix("filter") + "u" if found == f"{own}_0" else found,)
    if isinstance(node, Pointwise):
        if node.role in UPDATES:
            return (node.role if node.role in ("step", "rate") else own,)
        count = len(node.expressions)
        return (own,) if count == 1 else tuple(f"{own}_{s}" for s in _suffixes(axes, count, own))
    if isinstance(node, TransposedConvolution):
        return (f"{own}_flux",)
    if isinstance(node, TransposedFilter):
        return (f"{node.operator}T_flux",)
    if isinstance(node, Operator):
        return ("cycle",)
    return (channel_name(name) if isinstance(node, Channel) else own,)


def _of_consumers(graph: Graph, name: str, count: int) -> tuple[str, ...]:
    """The names under which consumers know the outputs of a convolution."""
    names = [f"{local(name)}_{i}" for i in range(count)]
    for _, consumer, edge in graph.out_edges(name, data=True):
        if isinstance(node_of(graph, consumer), Pointwise):
            names[edge["port"]] = edge["slot"]
    return tuple(f"{n}_cell" for n in names) if local(name) == "K_cell" else tuple(names)


def _suffixes(axes: Sequence[str], count: int, own: str) -> list[str]:
    """x, y for as many outputs as axes; xx, xy, yy for those of a diffusion tensor D; else numbers."""
    pairs = [a + b for a, b in combinations_with_replacement(axes, 2)]
    if count == len(axes):
        return list(axes)
    return pairs if count == len(pairs) and own.startswith("D") else [str(i) for i in range(count)]
