"""Linear systems of cells that are preconditioned by their diagonal or by a multigrid cycle."""

import itertools
from functools import partial

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import BOUNDARIES, EQUATIONS, SHAPES, VALUES, declared, fidelity, inputs_of, tensors
from emit.test_unet import charbonnier, heat
from support import equation, lam, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian
from pde2net.graph.draw import to_svg, to_text
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import node_of
from pde2net.graph.nodes import LinearSolve
from pde2net.graph.serialise import from_json, to_json
from pde2net.language.solvers import PRECONDITIONERS

NOT_ELLIPTIC = {"porous medium", "reaction", "of position"}


def implicit(solver, preconditioner, tau=0.05, **options):
    return p2n.Implicit(tau, solver=solver(preconditioner=preconditioner, **options))


def rows(seed, gradients, dims):
    """Every elliptic equation with both solvers; borders, stencils and dimensions in turn."""
    choices = list(itertools.product(BOUNDARIES, gradients, (2, 4), dims))
    names = [n for n in EQUATIONS if n not in NOT_ELLIPTIC]
    return [
        (name, solver, *choices[(11 * k + 7 * j + seed) % len(choices)])
        for k, name in enumerate(names)
        for j, solver in enumerate((p2n.Kacanov, p2n.Newton))
    ]


CASES = [("diagonal", *row) for row in rows(0, ("forward", "central", "staggered"), (2, 3))]
# The solvers take turns with the equations.
CYCLES = [row for k, row in enumerate(rows(1, ("forward", "staggered"), (2, 3, 1))) if k % 4 in (0, 3)]
CASES += [("multigrid", *row) for row in CYCLES]


@pytest.mark.parametrize("preconditioner,name,solver,boundary,gradient,order,dim", CASES)
def test_module_equals_the_interpreter(preconditioner, name, solver, boundary, gradient, order, dim):
    """Solves that are cut short show the preconditioner, tight ones that the system is the same."""
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)

    def network(kind, **options):
        return uncertified(problem, implicit(solver, kind, iterations=2, **options), grid)

    try:
        short = network(preconditioner, tau=0.5, linear_iterations=2)
    except p2n.EquationError as error:
        assert "zero gradient" in str(error)
        return
    u0, fields = inputs_of(short, SHAPES[dim], batch=1)
    known = {k: v[0, 0] for k, v in fields.items()}
    got = short.module().double()(torch.from_numpy(u0), **tensors(fields)).detach().numpy()[0, 0]
    want = Interpreter(short.graph)(u0[0, 0], known)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-8 * max(1, abs(want).max()))
    tight, plain = (
        Interpreter(network(kind, linear_tol=1e-12).graph)(u0[0, 0], known)
        for kind in (preconditioner, "none")
    )
    np.testing.assert_allclose(tight, plain, rtol=0, atol=1e-7, err_msg="the system is another one")


def test_rows_of_different_size_need_fewer_iterations():
    """A coefficient that varies from 1 to 10^5."""
    u, f = unknown(2), sp.Function("f")(x, y)
    problem = p2n.Problem(equation(div(sp.exp(12 * f) * grad(u)), 2))
    rng = np.random.default_rng(0)
    u0, fields = rng.normal(size=(24, 24)), {"f": rng.uniform(size=(24, 24))}

    def solved(**options):
        scheme = p2n.Implicit(0.01, solver=p2n.Kacanov(iterations=1, **options))
        return Interpreter(uncertified(problem, scheme).graph)(u0, fields)

    exact = solved(linear_iterations=5000, linear_tol=1e-13)
    plain, scaled = (
        abs(solved(linear_iterations=40, preconditioner=p) - exact).max() for p in ("none", "diagonal")
    )
    assert scaled < plain / 10


def error_after(count, problem, shape, preconditioner, tau=100, grid=None, fields=None, solver=p2n.Kacanov):
    """The error of `count` Krylov iterations for noise, relative to the solution."""

    def solved(kind, **options):
        scheme = implicit(solver, kind, tau=tau, iterations=1, **options)
        module = uncertified(problem, scheme, grid).module().double()
        u0 = torch.from_numpy(np.random.default_rng(2).normal(size=(1, 1, *shape)))
        known = tensors({k: v[None, None] for k, v in (fields or {}).items()})
        return module(u0, **known).detach()

    exact = solved("multigrid", linear_tol=1e-13)
    short = solved(preconditioner, linear_iterations=count)
    return float((short - exact).norm() / exact.norm())


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_iterations_do_not_grow_with_the_image_or_the_step(boundary):
    for problem in (heat(boundary=boundary), charbonnier(boundary=boundary)):
        for tau, shape in ((100, (32, 32)), (100, (128, 128)), (10000, (97, 101)), (100, (63, 50))):
            assert error_after(12, problem, shape, "multigrid", tau) < 1e-3
    assert error_after(12, heat(boundary=boundary), (128, 128), "none") > 0.1


def test_cycles_help_in_three_dimensions_for_terms_of_order_four_and_for_unequal_rows():
    assert error_after(8, heat(3), (16, 17, 20), "multigrid") < 1e-4
    u, f, c = unknown(2), sp.Function("f")(x, y), sp.Function("c")(x, y)
    assert error_after(14, p2n.Problem(equation(-laplacian(laplacian(u)), 2)), (45, 64), "multigrid") < 1e-3
    assert error_after(8, heat(), (32, 48), "multigrid", grid=p2n.Grid({x: 1, y: 5})) < 1e-4
    rng = np.random.default_rng(1)
    known = {"f": rng.uniform(size=(60, 64)), "c": (rng.uniform(size=(60, 64)) < 0.1).astype(float)}
    mask = p2n.Problem(equation((1 - c) * laplacian(u) - c * (u - f), 2))
    for solver in (p2n.Kacanov, p2n.Newton):
        assert error_after(8, mask, (60, 64), "multigrid", fields=known, solver=solver) < 1e-3


def test_steady_states():
    problem = p2n.Problem(equation(fidelity(2), 2), parameters=VALUES)
    known = {"f": np.random.default_rng(1).uniform(size=(30, 33))}
    u0 = np.zeros((30, 33))
    plain, cycles = (
        Interpreter(uncertified(problem, implicit(p2n.Kacanov, kind, tau=sp.oo, tol=1e-10)).graph)(u0, known)
        for kind in ("none", "multigrid")
    )
    np.testing.assert_allclose(cycles, plain, rtol=0, atol=1e-8)


@pytest.mark.parametrize("solver", [p2n.Kacanov, p2n.Newton])
def test_the_smallest_images_and_batches(solver):
    options = {"tau": 20, "iterations": 3, "linear_tol": 1e-12}
    module, plain = (
        uncertified(charbonnier(), implicit(solver, kind, **options)).module().double()
        for kind in ("multigrid", "none")
    )
    rng = np.random.default_rng(5)
    for shape in ((2, 2), (2, 3), (3, 5), (2, 40)):
        u0 = torch.from_numpy(rng.normal(size=(3, 1, *shape)) * np.array([1, 10, 0]).reshape(3, 1, 1, 1))
        torch.testing.assert_close(module(u0), plain(u0), rtol=0, atol=1e-7)
    single = module.float()(torch.from_numpy(rng.normal(size=(1, 1, 20, 17))).float())
    assert single.dtype == torch.float32 and single.isfinite().all()


def test_solvers_of_one_divergence_on_a_line_need_no_preconditioner():
    problem = charbonnier(1)
    sources = {kind: uncertified(problem, implicit(p2n.Kacanov, kind)).source() for kind in PRECONDITIONERS}
    assert len(set(sources.values())) == 1


@pytest.mark.parametrize("preconditioner", ["diagonal", "multigrid"])
@pytest.mark.parametrize("solver", [p2n.Kacanov, p2n.Newton])
def test_graphs_survive_their_text(solver, preconditioner):
    graph = uncertified(charbonnier(), implicit(solver, preconditioner, tol=1e-6)).looped
    back = from_json(to_json(graph))
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    solves = [n for n in map(partial(node_of, back), back) if isinstance(n, LinearSolve)]
    assert [n.preconditioner for n in solves] == [preconditioner]
    assert to_svg(graph) and to_text(graph)


def test_other_preconditioners_are_refused():
    with pytest.raises(p2n.DeclarationError, match='no preconditioner="jacobi"'):
        p2n.Kacanov(preconditioner="jacobi")
    with pytest.raises(p2n.EquationError, match='preconditioner="diagonal"'):
        uncertified(charbonnier(), implicit(p2n.Kacanov, "multigrid"), p2n.Grid(1, gradient="central"))


CUT = {"tau": 2, "iterations": 2, "linear_tol": 1e-14}


@pytest.mark.parametrize(
    "solver,preconditioner,options",
    [
        (p2n.Kacanov, "diagonal", CUT),
        (p2n.Kacanov, "multigrid", CUT),
        (p2n.Newton, "multigrid", CUT | {"iterations": 1}),
        (p2n.Kacanov, "multigrid", CUT | {"linear_iterations": 2}),
        (p2n.Kacanov, "multigrid", {"tau": 0.2, "tol": 1e-10, "gradients": "implicit"}),
    ],
)
def test_gradients_match_finite_differences(solver, preconditioner, options):
    scheme = implicit(solver, preconditioner, **options)
    module = uncertified(charbonnier(), scheme, trainable=[lam]).module().double()
    u0 = torch.randn(1, 1, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(module, (u0.clone().requires_grad_(),), eps=1e-6, atol=1e-5)
    (parameter,) = module.parameters()

    def loss(value):
        with torch.no_grad():
            parameter.fill_(value)
        return module(u0).square().sum()

    loss(0.4).backward()
    slope = (loss(0.4 + 1e-5) - loss(0.4 - 1e-5)).item() / 2e-5
    assert abs(parameter.grad.item() - slope) < 1e-5 * abs(slope)


def test_the_source_shares_one_set_of_parameters():
    scheme = p2n.Implicit(2, steps=2, solver=p2n.Kacanov(iterations=2, preconditioner="multigrid"))
    source = uncertified(charbonnier(), scheme).source()
    for word in ("class MultigridCycle", "conjugate_gradients(", "restrict(", "prolong("):
        assert word in source
    assert all(len(line) <= 112 for line in source.splitlines())
    own = uncertified(charbonnier(), scheme, trainable=[lam], shared=False).module()
    assert [n for n, _ in own.named_parameters()] == [f"cells.{k}.operator.lambda_" for k in range(2)]
