"""The rules of grammar/network.ebnf: graphs that obey them, and for each rule one that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
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
    blocks,
    fields,
    in_order,
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
    return network_of(problem, sp.Rational(1, 5), steps).graph


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
    return network_of(problem, sp.Rational(1, 99), steps, p2n.Grid(gradient="staggered")).graph


# -- graphs that are built ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [perona_malik, rich])
def test_blocks_form_a_stack(make: Callable[[int], Graph]) -> None:
    """Each block reads the state of the one before and data only; its skip is the next state."""
    graph = make(4)
    rows = blocks(graph)
    assert len(rows) == 4
    state = "input"
    for row in rows:
        outside = {p for name in row for p, _ in sources(graph, name).values() if p not in row}
        assert {p for p in outside if graph.nodes[p]["block"] is not None} <= {state}
        data_only = outside - {state}
        assert "input" not in data_only | set().union(*(nx.ancestors(graph, p) for p in data_only))
        (state,) = (name for name in row if node_of(graph, name).role == "skip")
        assert all(state in nx.descendants(graph, name) for name in row if name != state)
    assert sources(graph, "output") == {"u": (state, 0)}


@pytest.mark.parametrize("make", [perona_malik, rich])
def test_every_later_block_names_the_node_whose_weights_it_shares(make: Callable[[int], Graph]) -> None:
    graph = make(3)
    first, *later = blocks(graph)
    assert all(graph.nodes[name]["shares"] is None for name in first)
    for row in later:
        twins = {name: graph.nodes[name]["shares"] for name in row}
        assert sorted(twins.values()) == sorted(first)
        assert all(node_of(graph, name) == node_of(graph, twin) for name, twin in twins.items())


def test_transposed_convolutions_take_their_weights_from_the_convolution_of_their_block() -> None:
    graph = rich()
    for row in blocks(graph):
        banks = [node_of(graph, n).bank for n in row if isinstance(node_of(graph, n), Convolution)]
        adjoints = [
            node_of(graph, n).bank for n in row if isinstance(node_of(graph, n), TransposedConvolution)
        ]
        assert len(adjoints) == 3
        assert all(bank in banks for bank in adjoints)


def test_what_depends_on_data_alone_is_computed_once() -> None:
    small, large = rich(1), rich(5)
    outside = [n for n in large if large.nodes[n]["block"] is None]
    assert outside == [n for n in small if small.nodes[n]["block"] is None]
    assert {type(node_of(large, n)) for n in outside} >= {Field, Pointwise, EdgeMean, Input, Output}


def test_order_fields_and_parameters() -> None:
    graph = rich()
    position = {name: i for i, name in enumerate(in_order(graph))}
    assert all(position[a] < position[b] for a, b in graph.edges())
    assert [s.name for s in fields(graph)] == ["f"]
    assert [s.name for s in parameters(graph)] == ["lambda", "tau"]
    h = sp.Symbol("h", positive=True)
    spaced = network_of(diffusion(lambda s2: 1 / (1 + s2)), sp.Symbol("tau", positive=True), 1, p2n.Grid(h))
    assert [s.name for s in parameters(spaced.graph)] == ["h", "tau"]


# -- graphs that break one rule each --------------------------------------------------------------


def cycle(graph: Graph) -> None:
    graph.add_edge("block1.skip", "block1.K", slot="again", port=0)


def second_input(graph: Graph) -> None:
    add(graph, "input2", Input(sp.Symbol("v")), {})


def no_output(graph: Graph) -> None:
    graph.remove_node("output")


def second_output(graph: Graph) -> None:
    add(graph, "output2", Output(), {"u": ("block1.skip", 0)})


def slot_fed_twice(graph: Graph) -> None:
    graph.add_edge("input", "block1.skip", slot="u", port=0)


def change(graph: Graph, consumer: str, slot: str, **changes: Any) -> None:
    """Let another output, of another node perhaps, feed a slot."""
    producer, key, data = next(
        (p, k, d) for p, _, k, d in graph.in_edges(consumer, keys=True, data=True) if d["slot"] == slot
    )
    graph.remove_edge(producer, consumer, key)
    graph.add_edge(changes.pop("producer", producer), consumer, **(data | changes))


def port_out_of_range(graph: Graph) -> None:
    change(graph, "block1.flux", "u_x", port=2)


def negative_port(graph: Graph) -> None:
    change(graph, "block1.flux", "u_x", port=-1)


def half_an_adjoint(graph: Graph) -> None:
    key = next(k for k, d in graph["block1.flux"]["block1.KT"].items() if d["slot"] == "p1")
    graph.remove_edge("block1.flux", "block1.KT", key)


def foreign_adjoint(graph: Graph) -> None:
    bank: Bank = node_of(graph, "block1.KT").bank
    ((weight, difference),) = bank.rows[0]
    other = Bank((((2 * weight, difference),), bank.rows[1]))
    for k in (1, 2, 3):
        graph.nodes[f"block{k}.KT"]["node"] = TransposedConvolution(other)


def convolution_of_another_block(graph: Graph) -> None:
    """The bank exists in the graph, but no longer in the block of the transposed convolution."""
    graph.nodes["block3.K"]["block"] = 1


def other_operation_shared(graph: Graph) -> None:
    node = node_of(graph, "block2.flux")
    assert isinstance(node, Pointwise)
    graph.nodes["block2.flux"]["node"] = replace(node, expressions=tuple(2 * e for e in node.expressions))


def other_node_shared(graph: Graph) -> None:
    graph.nodes["block2.flux"]["shares"] = "block1.K"


def no_skip(graph: Graph) -> None:
    for k in (1, 2, 3):
        skip = graph.nodes[f"block{k}.skip"]
        skip["node"] = Pointwise(skip["node"].expressions, "activation")


def two_skips(graph: Graph) -> None:
    add(graph, "again", Pointwise((sp.Symbol("u"),), "skip"), {"u": ("block1.skip", 0)}, block=1)


def unknown_slot(graph: Graph) -> None:
    graph.add_edge("input", "block1.K", slot="extra", port=0)


def unused_slot(graph: Graph) -> None:
    graph.add_edge("block1.K", "block1.skip", slot="u_x", port=0)


def unfed_slot(graph: Graph) -> None:
    graph.remove_edge("input", "block1.K")


def unfed_symbol(graph: Graph) -> None:
    graph.remove_edge("input", "block1.skip")


def unfed_adjoint(graph: Graph) -> None:
    graph.remove_edge("block1.KT", "block1.skip")


def unknown_node_shared(graph: Graph) -> None:
    graph.nodes["block2.flux"]["shares"] = "block7.flux"


def later_node_shared(graph: Graph) -> None:
    graph.nodes["block2.flux"]["shares"] = "block3.flux"


def own_node_shared(graph: Graph) -> None:
    graph.nodes["block2.flux"]["shares"] = "block2.flux"


def layer_of_another_block(graph: Graph) -> None:
    change(graph, "block2.skip", "_a1", producer="block1.KT")


def output_of_an_earlier_block(graph: Graph) -> None:
    change(graph, "output", "u", producer="block2.skip")


def data_that_depend_on_the_state(graph: Graph) -> None:
    add(graph, "mean", EdgeMean(0, "reflecting"), {"a": ("input", 0)})


def missing_block(graph: Graph) -> None:
    for name in list(graph):
        if graph.nodes[name]["block"] == 2:
            graph.nodes[name]["block"] = 3


BROKEN = [
    (cycle, "no cycles"),
    (unknown_slot, 'no slot "extra"'),
    (unused_slot, 'no slot "u_x"'),
    (unfed_slot, 'feeds the slot "u" of "block1.K"'),
    (unfed_symbol, 'feeds the slot "u" of "block1.skip"'),
    (unfed_adjoint, 'feeds the slot "_a1" of "block1.skip"'),
    (unknown_node_shared, "does not exist"),
    (later_node_shared, "in no earlier block"),
    (own_node_shared, "in no earlier block"),
    (layer_of_another_block, "a block reads"),
    (output_of_an_earlier_block, "state after the last block"),
    (data_that_depend_on_the_state, "depend on data alone"),
    (missing_block, "numbered 0, 1, 2"),
    (second_input, "exactly one input"),
    (no_output, "exactly one output"),
    (second_output, "exactly one output"),
    (slot_fed_twice, "fed twice"),
    (port_out_of_range, 'output 2 of "block1.K"'),
    (negative_port, 'output -1 of "block1.K"'),
    (half_an_adjoint, 'feeds the slot "p1"'),
    (foreign_adjoint, "adjoint of a convolution"),
    (convolution_of_another_block, "adjoint of a convolution"),
    (other_operation_shared, "another operation"),
    (other_node_shared, "another operation"),
    (no_skip, "exactly one skip"),
    (two_skips, "exactly one skip"),
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
