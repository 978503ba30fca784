"""Rules for stacks with earlier states, recurrent cells and U-nets, each with a graph that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from drawn_graphs import GRAPHS, NESTED, U_NETS, graph_of
from test_network import change

from pde2net.graph.network import Graph, GraphError, add, blocks, node_of, validate
from pde2net.graph.nodes import Iterate, Pointwise, SquaredAdjoint, State, Trial, Tridiagonal
from pde2net.graph.slots import SLOTS, kinds, slots_of


def test_every_kind_of_node_has_a_row() -> None:
    assert set(SLOTS) == set(kinds())


@pytest.mark.parametrize("name", [*GRAPHS, *NESTED, *U_NETS])
def test_graphs_that_are_built_are_valid(name: str) -> None:
    graph = graph_of(name)
    assert validate(graph) is graph
    for node in graph:
        slots = {d["slot"] for *_, d in graph.in_edges(node, data=True)}
        takes = slots_of(node_of(graph, node))
        assert takes.needed <= slots <= takes.needed | takes.optional


def edges(graph: Graph) -> Iterator[tuple[str, str, int]]:
    yield from graph.edges(keys=True)


@pytest.mark.parametrize(
    "name", ["perona_malik", "several_terms", "fsi", "rkl2", "kacanov", "newton", "aos", "v"]
)
def test_no_edge_can_be_left_out(name: str) -> None:
    """Each slot is needed; what may be absent is what tolerances are relative to, and zero weights."""
    graph = graph_of(name)
    first = [set(blocks(graph)[0]), {n for n in graph if graph.nodes[n]["block"] is None}]
    for producer, consumer, key in list(edges(graph)):
        data = graph[producer][consumer][key]
        if data["slot"] in slots_of(node_of(graph, consumer)).optional and not isinstance(
            node_of(graph, consumer), Pointwise
        ):
            assert isinstance(node_of(graph, consumer), Iterate | SquaredAdjoint | Tridiagonal)
            continue
        if not any(consumer in group for group in first):
            continue
        graph.remove_edge(producer, consumer, key)
        try:
            with pytest.raises(GraphError, match=f'slot "{data["slot"]}" of "{consumer}"'):
                validate(graph)
        finally:
            graph.add_edge(producer, consumer, key, **data)


def other_state(graph: Graph) -> None:
    change(graph, "block10.skip", "u_previous", producer="block7.skip")


def state_before_the_cycle(graph: Graph) -> None:
    change(graph, "block6.skip", "u_previous", producer="block4.skip")


def frozen_in_another_cycle(graph: Graph) -> None:
    change(graph, "block6.flux", "_g_x", producer="cycle1.g")


def cycle_in_the_middle(graph: Graph) -> None:
    change(graph, "cycle2.K", "u", producer="block4.skip")


def uneven_cycles(graph: Graph) -> None:
    for name in [n for n in graph if graph.nodes[n]["block"] == 9]:
        graph.remove_node(name)
    add(graph, "last", node_of(graph, "output"), {"u": ("block9.skip", 0)})
    graph.remove_node("output")


def weights_of_a_block_in_a_cycle(graph: Graph) -> None:
    graph.nodes["cycle2.K"]["shares"] = "block1.K"
    graph.nodes["cycle1.K"]["node"] = graph.nodes["block1.K"]["node"]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (other_state, "earlier states"),
        (state_before_the_cycle, "earlier states"),
        (frozen_in_another_cycle, "earlier states"),
        (cycle_in_the_middle, "once per cycle"),
        (uneven_cycles, "cycles of one length"),
        (weights_of_a_block_in_a_cycle, "no earlier cycle"),
    ],
)
def test_cycles_keep_to_themselves(break_it: Callable[[Graph], None], message: str) -> None:
    graph = graph_of("fsi").copy()
    break_it(graph)
    with pytest.raises(GraphError, match=message):
        validate(graph)


def no_loop(graph: Graph) -> None:
    graph.nodes["block1.K"]["loop"] = "block1.g"


def loop_of_another_block(graph: Graph) -> None:
    graph.nodes["block1.K"]["loop"] = "block2.skip"


def second_variable(graph: Graph) -> None:
    add(graph, "again", State(), {"start": ("input", 0)}, block=0, loop="block1.skip")


def no_variable(graph: Graph) -> None:
    graph.nodes["block1.product.x"]["loop"] = "block1.skip"


def variable_of_nothing(graph: Graph) -> None:
    add(graph, "trial", Trial(), {}, block=0)


def read_from_outside(graph: Graph) -> None:
    change(graph, "block1.residual.residual", "u", producer="block1.product.x")


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (no_loop, "is no loop"),
        (loop_of_another_block, "another block"),
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
    for name in ("block1.level2.encoder", "block1.level1.restricted_u", "block1.level2.prolongation"):
        graph = graph_of("v").copy()
        graph.nodes[name]["level"] += 1
        with pytest.raises(GraphError, match="on grid"):
            validate(graph)
