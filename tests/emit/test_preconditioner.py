"""Linear systems of cells that are preconditioned by their diagonal or by a multigrid cycle."""

import itertools

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import BOUNDARIES, EQUATIONS, SHAPES, declared, inputs_of, tensors
from emit.test_unet import charbonnier, compiled
from support import equation, unknown, x, y

import pde2net as p2n
from pde2net import div, grad
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import node_of
from pde2net.graph.nodes import LinearSolve
from pde2net.graph.serialise import from_json, to_json

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
CASES += [("multigrid", *row) for row in rows(1, ("forward", "staggered"), (2, 3, 1))]


@pytest.mark.parametrize("preconditioner,name,solver,boundary,gradient,order,dim", CASES)
def test_module_equals_the_interpreter(preconditioner, name, solver, boundary, gradient, order, dim):
    """Solves that are cut short show the preconditioner, tight ones that the system is the same."""
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)

    def network(kind, **options):
        return compiled(problem, implicit(solver, kind, iterations=2, **options), grid)

    try:
        short = network(preconditioner, tau=0.5, linear_iterations=2)
    except p2n.EquationError as error:
        assert "zero gradient" in str(error)
        return
    u0, fields = inputs_of(short, SHAPES[dim], batch=1)
    known = {k: v[0, 0] for k, v in fields.items()}
    tight = network(preconditioner, linear_tol=1e-12)
    for one in (short, tight):
        got = one.module().double()(torch.from_numpy(u0), **tensors(fields)).detach().numpy()[0, 0]
        want = Interpreter(one.graph)(u0[0, 0], known)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-8 * max(1, abs(want).max()))
    other = Interpreter(network("none", linear_tol=1e-12).graph)(u0[0, 0], known)
    np.testing.assert_allclose(want, other, rtol=0, atol=1e-7, err_msg="the system is another one")


def test_rows_of_different_size_need_fewer_iterations():
    """A coefficient that varies from 1 to 10^5."""
    u, f = unknown(2), sp.Function("f")(x, y)
    problem = p2n.Problem(equation(div(sp.exp(12 * f) * grad(u)), 2))
    rng = np.random.default_rng(0)
    u0, fields = rng.normal(size=(24, 24)), {"f": rng.uniform(size=(24, 24))}

    def solved(**options):
        scheme = p2n.Implicit(0.01, solver=p2n.Kacanov(iterations=1, **options))
        return Interpreter(compiled(problem, scheme).graph)(u0, fields)

    exact = solved(linear_iterations=5000, linear_tol=1e-13)
    plain, scaled = (
        abs(solved(linear_iterations=40, preconditioner=p) - exact).max() for p in ("none", "diagonal")
    )
    assert scaled < plain / 10


def test_graphs_survive_their_text():
    graph = compiled(charbonnier(), implicit(p2n.Newton, tol=1e-6)).graph
    back = from_json(to_json(graph))
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    assert any(
        isinstance(n := node_of(back, m), LinearSolve) and n.preconditioner == "diagonal" for m in back
    )


def test_other_preconditioners_are_refused():
    with pytest.raises(p2n.DeclarationError, match='no preconditioner="multigrid"'):
        p2n.Kacanov(preconditioner="multigrid")


def test_gradients_pass_through_scaled_systems():
    module = (
        compiled(charbonnier(), implicit(p2n.Kacanov, tau=2, iterations=2, linear_tol=1e-14))
        .module()
        .double()
    )
    u0 = torch.randn(1, 1, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(module, (u0.requires_grad_(),), eps=1e-6, atol=1e-5)
