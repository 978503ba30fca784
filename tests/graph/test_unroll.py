"""The graph of all blocks: its wiring, and that it computes what the graph with loops computes."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import sympy as sp
from drawn_graphs import CELLS, GRAPHS, STACKS, U_NETS, graph_of
from support import diffusion, equation, lam, uncertified, unknown

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import Graph, block, depth, fields, is_carried, loops, node_of, repeats, sources
from pde2net.graph.nodes import Repeat, Weighted
from pde2net.graph.unroll import unrolled

u = unknown(2)
t = sp.Symbol("t", real=True)


def rows(view: Graph, kind: str = "block") -> list[list[str]]:
    """The names of each block or cycle."""
    numbers = sorted({d[kind] for _, d in view.nodes(data=True)} - {None})
    assert numbers == list(range(len(numbers)))
    return [[n for n in view if view.nodes[n][kind] == k] for k in numbers]


def end(view: Graph, row: list[str]) -> str:
    (found,) = (n for n in row if node_of(view, n).role in ("skip", "iterate"))
    return found


@pytest.mark.parametrize("name", [*GRAPHS, *STACKS, *CELLS, *U_NETS])
def test_all_blocks_are_there_and_are_copies_of_the_one(name: str) -> None:
    graph = graph_of(name)
    view = unrolled(graph)
    found = rows(view)
    assert nx.is_directed_acyclic_graph(view) and len(found) == depth(graph)
    one = [n.partition(".")[2] for n in block(graph)]
    for k, row in enumerate(found):
        assert sorted(row) == sorted(f"block{k + 1}.{n}" for n in one)
        assert [view.nodes[n]["shares"] for n in row] == [n if k else None for n in found[0]]
    for _, data in view.nodes(data=True):
        assert not isinstance(data["node"], Repeat)
        if isinstance(data["node"], Weighted):
            assert all(s not in v.free_symbols for s, v in data["node"].weights)
    assert sources(view, "output") == {"u": (end(view, found[-1]), 0)}


@pytest.mark.parametrize("name", STACKS)
def test_blocks_read_the_states_that_their_formulas_name(name: str) -> None:
    """u is the state after the block before, u- the one before that, both those of the start at first."""
    graph = graph_of(name)
    view = unrolled(graph)
    found, length = rows(view), repeats(graph)[-1].count
    states = ["input", *(end(view, row) for row in found)]
    carried = {"u": lambda k: k, "u_previous": lambda k: max(k - 1, k - k % length)}
    carried["u_start"] = lambda k: k - k % length
    read = 0
    for k, row in enumerate(found):
        for n in row:
            for slot, (producer, _) in sources(view, n).items():
                if producer in states:
                    assert producer == states[carried[slot](k)]
                    read += 1
                elif view.nodes[producer]["cycle"] is not None:
                    assert view.nodes[producer]["cycle"] == k // length
    assert read >= 2 * len(found)


def test_weights_are_those_of_the_block() -> None:
    view = unrolled(graph_of("fsi"))
    a = sp.Symbol("_a", positive=True)
    for k, row in enumerate(rows(view)):
        stage = k % 5
        assert dict(node_of(view, end(view, row)).weights) == {a: sp.Rational(4 * stage + 2, 2 * stage + 3)}


TIMED = p2n.Problem(
    equation(div(sp.exp(-t) * grad(u) / (1 + norm2(grad(u)) / lam**2)) + sp.sin(t) * u / 10, 2),
    parameters={lam: sp.Rational(1, 2)},
)
SYSTEM = p2n.Problem(
    [
        equation(div(grad(u) / (1 + norm2(grad(u)))) - u * sp.Function("w")(*u.args), 2),
        sp.Eq(sp.Function("w")(*u.args).diff(t), laplacian(sp.Function("w")(*u.args)) / 2 + sp.cos(t) * u),
    ]
)
FIFTH = sp.Rational(1, 5)
SCHEMES = [
    p2n.Explicit(FIFTH, 4),
    p2n.DuFortFrankel(FIFTH, alpha=2, steps=4),
    p2n.FSI(FIFTH, 3, 2),
    p2n.FED(FIFTH, 3, 2, freeze="step"),
    p2n.RKL(2, FIFTH, 3, 2),
    p2n.Implicit(FIFTH, 2, p2n.FixedPoint(iterations=2, anderson=1)),
    p2n.Implicit(FIFTH, 2, p2n.Newton(iterations=2, preconditioner="none")),
    p2n.Theta(FIFTH, 2, solver=p2n.Kacanov(iterations=2, preconditioner="none")),
    p2n.AOS(FIFTH, 2),
]


@pytest.mark.parametrize("scheme", [*SCHEMES, p2n.Multigrid(FIFTH, 2, levels=2)], ids=lambda s: s.label)
@pytest.mark.parametrize("problem", [TIMED, SYSTEM, diffusion(lambda s: 1 / (1 + s), 2)], ids=repr)
def test_both_graphs_compute_the_same_bits(scheme: p2n.Scheme, problem: p2n.Problem) -> None:
    if problem is SYSTEM and isinstance(scheme, p2n.Multigrid):
        with pytest.raises(p2n.DeclarationError, match="takes one equation"):
            uncertified(problem, scheme)
        return
    network = uncertified(problem, scheme)
    rng = np.random.default_rng(0)
    u0 = rng.normal(size=(2, 6, 7) if problem is SYSTEM else (6, 7))
    expected = Interpreter(network.looped)(u0)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(Interpreter(network.graph)(u0), expected)


@pytest.mark.parametrize("name", ["several_terms", "inpainting", "rkl2"])
def test_known_data_are_computed_once(name: str) -> None:
    graph = graph_of(name)
    view = unrolled(graph)
    outside = [n for n in graph if graph.nodes[n]["loop"] is None and n not in loops(graph)]
    assert [n for n in view if view.nodes[n]["block"] is None and view.nodes[n]["cycle"] is None] == outside
    assert not any(is_carried(graph, n) for n in outside)
    assert fields(view) == fields(graph)
