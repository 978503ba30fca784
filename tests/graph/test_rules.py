"""Rules for stacks with earlier states, recurrent cells and U-nets, each with a graph that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from drawn_graphs import GRAPHS, NESTED, U_NETS, graph_of
from test_network import change

from pde2net.graph.network import Graph, GraphError, add, node_of, parameters, validate
from pde2net.graph.nodes import (
    Coordinate,
    Field,
    Input,
    Iterate,
    Node,
    Pointwise,
    Previous,
    SquaredAdjoint,
    State,
    Trial,
    Tridiagonal,
)


def test_all_nodes_but_those_that_bring_values_in_take_slots() -> None:
    bare = {k for k in Node.kinds() if not k.takes and not {"needed", "optional"} & set(vars(k))}
    assert bare == {Coordinate, Field, Input, Trial}


@pytest.mark.parametrize("name", [*GRAPHS, *NESTED, *U_NETS])
def test_graphs_that_are_built_are_valid(name: str) -> None:
    graph = graph_of(name)
    assert validate(graph) is graph
    stored = {symbol.name for symbol in parameters(graph)}
    for node in graph:
        slots = {d["slot"] for *_, d in graph.in_edges(node, data=True)}
        takes = node_of(graph, node)
        assert takes.needed - stored <= slots <= takes.needed | takes.optional


def edges(graph: Graph) -> Iterator[tuple[str, str, int]]:
    yield from graph.edges(keys=True)


@pytest.mark.parametrize(
    "name", ["perona_malik", "several_terms", "fsi", "rkl2", "kacanov", "newton", "aos", "v"]
)
def test_no_edge_can_be_left_out(name: str) -> None:
    """Each slot is needed; what may be absent is what tolerances are relative to, and zero weights."""
    graph = graph_of(name)
    for producer, consumer, key in list(edges(graph)):
        data = graph[producer][consumer][key]
        if data["slot"] in node_of(graph, consumer).optional and not isinstance(
            node_of(graph, consumer), Pointwise
        ):
            assert isinstance(node_of(graph, consumer), Iterate | SquaredAdjoint | Tridiagonal)
            continue
        graph.remove_edge(producer, consumer, key)
        try:
            with pytest.raises(GraphError, match=f'slot "{data["slot"]}" of "{consumer}"'):
                validate(graph)
        finally:
            graph.add_edge(producer, consumer, key, **data)


def end_of_a_block(graph: Graph) -> None:
    change(graph, "cycles", "next", producer="block.skip")


def cycle_from_its_blocks(graph: Graph) -> None:
    change(graph, "cycle.K", "u", producer="block.skip")


def start_of_the_cycles(graph: Graph) -> None:
    change(graph, "cycles", "start", producer="cycle.K")


def input_in_a_block(graph: Graph) -> None:
    change(graph, "block.K", "u", producer="input")


def table_of_another_length(graph: Graph) -> None:
    repeat = node_of(graph, "cycle.steps")
    graph.nodes["cycle.steps"]["node"] = replace(repeat, count=repeat.count + 1)


def no_passes(graph: Graph) -> None:
    graph.nodes["cycles"]["node"] = replace(node_of(graph, "cycles"), count=0)


def no_table(graph: Graph) -> None:
    graph.nodes["cycle.steps"]["node"] = replace(node_of(graph, "cycle.steps"), tables=())


def two_previous_states(graph: Graph) -> None:
    add(graph, "block.again", Previous(), {"start": ("cycle.state", 0)}, loop="cycle.steps")


def previous_of_nothing(graph: Graph) -> None:
    add(graph, "before", Previous(), {"start": ("input", 0)})


def cycle_in_a_block(graph: Graph) -> None:
    graph.nodes["cycles"]["loop"] = "cycle.steps"


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (end_of_a_block, "a loop that it is not in"),
        (cycle_from_its_blocks, "no cycles"),
        (start_of_the_cycles, "depend on data alone"),
        (input_in_a_block, "reads the state of its loop"),
        (table_of_another_length, "5 values of _a for 6 passes"),
        (no_passes, "0 times"),
        (no_table, "no loop around it has"),
        (two_previous_states, "two previous states"),
        (previous_of_nothing, "of no Repeat"),
        (cycle_in_a_block, "in no loop, or in the cycle|no loop|loop that it is not in"),
    ],
)
def test_cycles_keep_to_themselves(break_it: Callable[[Graph], None], message: str) -> None:
    graph = graph_of("fsi").copy()
    break_it(graph)
    with pytest.raises(GraphError, match=message):
        validate(graph)


def no_loop(graph: Graph) -> None:
    graph.nodes["block.K"]["loop"] = "block.g"


def second_variable(graph: Graph) -> None:
    add(graph, "again", State(), {"start": ("block.state", 0)}, loop="block.skip")


def no_variable(graph: Graph) -> None:
    graph.nodes["block.product.x"]["loop"] = "block.skip"


def variable_of_nothing(graph: Graph) -> None:
    add(graph, "trial", Trial(), {})


def read_from_outside(graph: Graph) -> None:
    change(graph, "block.residual.residual", "u", producer="block.product.x")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (no_loop, "is no loop"),
        (second_variable, "one State"),
        (no_variable, "one (State|Trial)"),
        (variable_of_nothing, "variable of no loop"),
        (read_from_outside, "a loop that it is not in"),
    ],
)
def test_bodies_of_loops_have_one_variable_that_stays_inside(
    break_it: Callable[[Graph], None], message: str
) -> None:
    graph = graph_of("kacanov").copy()
    break_it(graph)
    with pytest.raises(GraphError, match=message):
        validate(graph)


def test_only_restriction_and_prolongation_change_the_grid() -> None:
    for name in ("block.level2.encoder", "block.level1.restricted_u", "block.level2.prolongation"):
        graph = graph_of("v").copy()
        graph.nodes[name]["level"] += 1
        with pytest.raises(GraphError, match="on grid"):
            validate(graph)
