"""The graphs of U-nets, and their nested grids."""

import numpy as np
import pytest
import sympy as sp
from support import diffusion, equation, lam, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import build, relaxation
from pde2net.graph.interpret import Interpreter, hierarchy
from pde2net.graph.interpret.hierarchy import Axis, Cells
from pde2net.graph.network import node_of, sources
from pde2net.graph.nodes import (
    Bottleneck,
    Convolution,
    Cycle,
    Operator,
    Prolongation,
    Restriction,
    Smooth,
    TransposedConvolution,
)
from pde2net.graph.serialise import from_json, to_json
from pde2net.language.borders import BORDERS
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of

CHARBONNIER = diffusion(lambda s: 1 / sp.sqrt(1 + s / lam**2), 2, parameters={lam: 0.4})


def semi_of(problem, grid=None):
    return semidiscretise(recognise(problem), grid or p2n.Grid(1))


def graph_of(scheme, problem=CHARBONNIER):
    return build(semi_of(problem), scheme.tau, update_of(scheme))


def kinds(graph, kind):
    return [n for n in graph if isinstance(node_of(graph, n), kind)]


def test_one_operator_serves_all_grids():
    graph = graph_of(p2n.Multigrid(20, levels=4, pre=2, post=1))
    (operator,) = kinds(graph, Operator)
    for kind in (Smooth, Restriction, Prolongation, Cycle, Bottleneck):
        for name in kinds(graph, kind):
            assert sources(graph, name)["operator"] == (operator, 0)
    for name in [*kinds(graph, Convolution), *kinds(graph, TransposedConvolution)]:
        assert graph.nodes[name]["loop"] == operator


def test_levels_form_a_u():
    graph = graph_of(p2n.Multigrid(20, levels=4, pre=2, post=1))
    path = [n for n in graph if n.startswith("block.level")]
    level = {n: graph.nodes[n]["level"] for n in path}
    for k in range(3):
        assert level[f"block.level{k + 1}.encoder"] == level[f"block.level{k + 1}.decoder"] == k
        assert level[f"block.level{k + 1}.restricted_u"] == k + 1
        assert level[f"block.level{k + 1}.prolongation"] == k
    assert level["block.level4.bottleneck"] == 3
    sweeps = {n.rpartition(".")[2]: node_of(graph, n).sweeps for n in kinds(graph, Smooth)}
    assert (sweeps["encoder"], sweeps["decoder"]) == (2, 1)


def test_a_w_cycle_repeats_the_inner_cycles():
    for cycle, repeat in (("V", 1), ("W", 2)):
        graph = graph_of(p2n.Multigrid(20, levels=4, cycle=cycle))
        found = [node_of(graph, f"block.level{k}.cycle").repeat for k in (1, 2, 3)]
        assert found == [1, repeat, repeat]


@pytest.mark.parametrize("cycle", ["V", "W", "FMG"])
@pytest.mark.parametrize("tol", [None, 1e-5])
@pytest.mark.filterwarnings("ignore:multigrid. residual")
def test_graphs_survive_their_text(cycle, tol):
    u = unknown(2)
    f = sp.Function("f")(*u.args[:2])
    beta = sp.Symbol("beta", positive=True)
    problem = p2n.Problem(
        equation(laplacian(u) - laplacian(laplacian(u)) + beta * (f - u), 2), parameters={beta: 2}
    )
    scheme = p2n.Multigrid(3, levels=3, steps=2, cycle=cycle, tol=tol, cycles=4, smoother="chebyshev")
    graph = build(semi_of(problem), scheme.tau, update_of(scheme))
    back = from_json(to_json(graph))
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    rng = np.random.default_rng(0)
    u0, fields = rng.normal(size=(9, 11)), {"f": rng.normal(size=(9, 11))}
    np.testing.assert_array_equal(Interpreter(back)(u0, fields), Interpreter(graph)(u0, fields))


# -- grids -----------------------------------------------------------------------------------------


def axes_of(cells, boundary):
    axis = Axis(cells, 1, BORDERS[boundary])
    while axis.size > 1:
        yield axis
        axis = axis.coarser


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("cells", [2, 3, 5, 8, 13, 31, 64, 65])
def test_cells_fill_the_axis(cells, boundary):
    for axis in axes_of(cells, boundary):
        assert np.isclose(axis.volumes.sum() * axis.stride, cells)
        fine = np.arange(cells)
        means = [fine[k : k + axis.stride].mean() for k in range(0, cells, axis.stride)]
        np.testing.assert_allclose(axis.centres, means)


@pytest.mark.parametrize("shape", [(8, 8), (13, 7), (5, 6, 9)])
def test_means_are_preserved_and_prolongation_is_linear(shape):
    rng = np.random.default_rng(0)
    cells = Cells(tuple(Axis(n, 1, BORDERS["reflecting"]) for n in shape))
    u = rng.normal(size=shape)
    mean = u.mean()
    while (coarse := cells.coarser((1.0,) * len(shape), (2,) * len(shape), 0.0)) is not None:
        u = hierarchy.mean(u, cells.volumes, cells, coarse)
        assert np.isclose((u * coarse.volumes).sum() / coarse.volumes.sum(), mean)
        lines = [a.centres for a in coarse.axes]
        grids = np.meshgrid(*lines, indexing="ij")
        found = hierarchy.prolongated(1 + grids[0] - 2 * grids[-1], coarse, cells)
        fine = np.meshgrid(*(a.centres for a in cells.axes), indexing="ij")
        inside = tuple(
            (f.centres >= c.centres[0]) & (f.centres <= c.centres[-1])
            for f, c in zip(cells.axes, coarse.axes, strict=True)
        )
        want = 1 + fine[0] - 2 * fine[-1]
        np.testing.assert_allclose(found[np.ix_(*inside)], want[np.ix_(*inside)], atol=1e-12)
        cells = coarse


def test_long_cells_are_joined_later():
    cells = Cells((Axis(32, 1, BORDERS["periodic"]), Axis(32, 1, BORDERS["periodic"])))
    shapes = [cells.shape]
    while (next_ := cells.coarser((1.0, 4.0), (2, 2), 0.0)) is not None:
        cells = next_
        shapes.append(cells.shape)
    assert shapes == [(32, 32), (16, 32), (8, 32), (4, 16), (2, 8), (2, 4)]


def test_dampings_are_the_textbook_ones():
    """Trottenberg, Oosterlee, Schüller: 2/3, 4/5, 6/7 in one, two and three dimensions."""
    for dim, omega in ((1, "2/3"), (2, "4/5"), (3, "6/7")):
        problem = p2n.Problem(equation(laplacian(unknown(dim)), dim))
        assert relaxation.damping(semi_of(problem)) == sp.Rational(omega)
    u = unknown(2)
    fourth = semi_of(p2n.Problem(equation(-laplacian(laplacian(u)), 2)))
    assert relaxation.largest(fourth) == sp.Rational(8, 3)


def test_the_diagonal_is_that_of_the_matrix():
    """Slot "diagonal" of the operator against N applied to unit vectors, coarse grids included."""
    u = unknown(1)
    for boundary in ("reflecting", "periodic", "dirichlet"):
        problem = p2n.Problem(equation(laplacian(u), 1), boundary=boundary)
        graph = graph_of(p2n.Multigrid(3, levels=3), problem)
        run = Interpreter(graph)
        seen = []
        original = run.step

        def step(name, node, inputs, computed, original=original, seen=seen):
            found = original(name, node, inputs, computed)
            if isinstance(node, Operator):
                seen.append(found[0])
            return found

        run.step = step
        run(np.random.default_rng(0).normal(size=13))
        for grid in seen[0].grids:
            n = grid.cells.shape[0]
            (columns,) = grid(np.eye(n), "value")
            (diagonal,) = grid(np.zeros((n, 1)), "diagonal")
            np.testing.assert_allclose(diagonal[:, 0], np.diag(columns), atol=1e-12)
            volumes = grid.cells.volumes
            np.testing.assert_allclose(volumes * columns, (volumes * columns).T, atol=1e-12)
