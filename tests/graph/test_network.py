"""The rules of grammar/network.ebnf: graphs that obey them, and for each rule one that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import networkx as nx
import pytest
import sympy as sp
from support import diffusion, equation, network_of, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.discretise.operators import Bank
from pde2net.graph.network import (
    Graph,
    GraphError,
    add,
    block,
    depth,
    fields,
    in_order,
    loops,
    node_of,
    parameters,
    sources,
    validate,
)
from pde2net.graph.nodes import (
    Convolution,
    EdgeMean,
    Field,
    Input,
    Output,
    Pointwise,
    TransposedConvolution,
)

u = unknown(2)
lam = sp.Symbol("lambda", positive=True)


def perona_malik(steps: int = 3) -> Graph:
    problem = diffusion(lambda s2: 1 / (1 + s2 / lam**2), 2, parameters={lam: 1})
    return network_of(problem, sp.Rational(1, 5), steps).looped


def rich(steps: int = 3) -> Graph:
    """Two first-order terms and a second-order one, on a staggered, padded grid, with data."""
    f = sp.Function("f")(x, y)
    rhs = (
        div(grad(u) / (1 + norm2(grad(u)) / lam**2))
        + f * div(sp.exp(-(x**2)) * grad(u))
        - laplacian(laplacian(u))
        + y * (f - u)
    )
    problem = p2n.Problem(equation(rhs, 2), boundary={x: "dirichlet", y: "reflecting"})
    return network_of(problem, sp.Rational(1, 99), steps, p2n.Grid(gradient="staggered")).looped


# -- graphs that are built ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [perona_malik, rich])
def test_a_network_is_one_block_and_how_often(make: Callable[[int], Graph]) -> None:
    """Its block reads the state and data only, and ends in the skip."""
    graph = make(4)
    assert loops(graph) == ["steps"] and depth(graph) == 4
    row = block(graph)
    outside = {p for name in row for p, _ in sources(graph, name).values() if p not in row}
    assert {p for p in outside if graph.nodes[p]["loop"] is not None} == {"block.state"}
    data = outside - {"block.state"}
    assert "input" not in data | set().union(*(nx.ancestors(graph, p) for p in data))
    assert all("block.skip" in nx.descendants(graph, name) for name in row if name != "block.skip")
    assert sources(graph, "steps") == {"start": ("input", 0), "next": ("block.skip", 0)}
    assert sources(graph, "output") == {"u": ("steps", 0)}
    assert len(make(20_000)) == len(graph)


def test_transposed_convolutions_take_their_weights_from_the_convolution_of_their_block() -> None:
    graph = rich()
    nodes = [node_of(graph, n) for n in block(graph)]
    banks = [node.bank for node in nodes if isinstance(node, Convolution)]
    adjoints = [node.bank for node in nodes if isinstance(node, TransposedConvolution)]
    assert len(adjoints) == 3
    assert all(bank in banks for bank in adjoints)


def test_what_depends_on_data_alone_is_computed_once() -> None:
    small, large = rich(1), rich(5)
    outside = [n for n in large if large.nodes[n]["loop"] is None]
    assert outside == [n for n in small if small.nodes[n]["loop"] is None]
    assert {type(node_of(large, n)) for n in outside} >= {Field, Pointwise, EdgeMean, Input, Output}


def test_order_fields_and_parameters() -> None:
    graph = rich()
    position = {name: i for i, name in enumerate(in_order(graph))}
    assert all(position[a] < position[b] for a, b in graph.edges())
    assert [s.name for s in fields(graph)] == ["f"]
    assert [s.name for s in parameters(graph)] == ["lambda", "tau"]
    h = sp.Symbol("h", positive=True)
    spaced = network_of(diffusion(lambda s2: 1 / (1 + s2)), sp.Symbol("tau", positive=True), 1, p2n.Grid(h))
    assert [s.name for s in parameters(spaced.looped)] == ["h", "tau"]


# -- graphs that break one rule each --------------------------------------------------------------


def cycle(graph: Graph) -> None:
    graph.add_edge("block.skip", "block.K", slot="again", port=0)


def second_input(graph: Graph) -> None:
    add(graph, "input2", Input(sp.Symbol("v")), {})


def no_output(graph: Graph) -> None:
    graph.remove_node("output")


def second_output(graph: Graph) -> None:
    add(graph, "output2", Output(), {"u": ("block.skip", 0)})


def slot_fed_twice(graph: Graph) -> None:
    graph.add_edge("block.state", "block.skip", slot="u", port=0)


def change(graph: Graph, consumer: str, slot: str, **changes: Any) -> None:
    """Let another output, of another node perhaps, feed a slot."""
    producer, key, data = next(
        (p, k, d) for p, _, k, d in graph.in_edges(consumer, keys=True, data=True) if d["slot"] == slot
    )
    graph.remove_edge(producer, consumer, key)
    graph.add_edge(changes.pop("producer", producer), consumer, **(data | changes))


def port_out_of_range(graph: Graph) -> None:
    change(graph, "block.flux", "u_x", port=2)


def negative_port(graph: Graph) -> None:
    change(graph, "block.flux", "u_x", port=-1)


def half_an_adjoint(graph: Graph) -> None:
    key = next(k for k, d in graph["block.flux"]["block.KT"].items() if d["slot"] == "p1")
    graph.remove_edge("block.flux", "block.KT", key)


def foreign_adjoint(graph: Graph) -> None:
    bank: Bank = node_of(graph, "block.KT").bank
    ((weight, difference),) = bank.rows[0]
    other = Bank((((2 * weight, difference),), bank.rows[1]))
    graph.nodes["block.KT"]["node"] = TransposedConvolution(other)


def unknown_slot(graph: Graph) -> None:
    graph.add_edge("block.state", "block.K", slot="extra", port=0)


def unused_slot(graph: Graph) -> None:
    graph.add_edge("block.K", "block.skip", slot="u_x", port=0)


def unfed_slot(graph: Graph) -> None:
    graph.remove_edge("block.state", "block.K")


def unfed_symbol(graph: Graph) -> None:
    graph.remove_edge("block.state", "block.skip")


def unfed_adjoint(graph: Graph) -> None:
    graph.remove_edge("block.KT", "block.skip")


def output_of_a_block(graph: Graph) -> None:
    change(graph, "output", "u", producer="block.skip")


def output_of_the_input(graph: Graph) -> None:
    change(graph, "output", "u", producer="input")


def convolution_outside_of_the_block(graph: Graph) -> None:
    """The bank exists in the graph, but no longer in the block of the transposed convolution."""
    add(graph, "f", Field(sp.Symbol("f", real=True)), {})
    change(graph, "block.K", "u", producer="f")
    graph.nodes["block.K"]["loop"] = None


def data_that_depend_on_the_state(graph: Graph) -> None:
    add(graph, "mean", EdgeMean(0, "reflecting"), {"a": ("input", 0)})


BROKEN = [
    (cycle, "no cycles"),
    (unknown_slot, 'no slot "extra"'),
    (unused_slot, 'no slot "u_x"'),
    (unfed_slot, 'feeds the slot "u" of "block.K"'),
    (unfed_symbol, 'feeds the slot "u" of "block.skip"'),
    (unfed_adjoint, 'feeds the slot "_a1" of "block.skip"'),
    (output_of_a_block, "a loop that it is not in"),
    (output_of_the_input, 'may not read "input"'),
    (convolution_outside_of_the_block, "adjoint of a convolution of its block"),
    (data_that_depend_on_the_state, "depend on data alone"),
    (second_input, "exactly one input"),
    (no_output, "exactly one output"),
    (second_output, "exactly one output"),
    (slot_fed_twice, "fed twice"),
    (port_out_of_range, 'output 2 of "block.K"'),
    (negative_port, 'output -1 of "block.K"'),
    (half_an_adjoint, 'feeds the slot "p1"'),
    (foreign_adjoint, "adjoint of a convolution"),
]


@pytest.mark.parametrize(("break_it", "message"), BROKEN, ids=[f.__name__ for f, _ in BROKEN])
def test_validation_names_the_broken_rule(break_it: Callable[[Graph], None], message: str) -> None:
    graph = perona_malik()
    assert validate(graph) is graph
    break_it(graph)
    with pytest.raises(GraphError, match=message):
        validate(graph)


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [("input", {}, "two nodes"), ("new", {"u": ("nowhere", 0)}, "does not exist")],
)
def test_construction_refuses_doubles_and_loose_ends(name: str, inputs: Any, message: str) -> None:
    graph = perona_malik(1)
    with pytest.raises(GraphError, match=message):
        add(graph, name, Output(), inputs)
