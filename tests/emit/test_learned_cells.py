"""Learned operators in recurrent cells: module against interpreter, norms, gradients, certificates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from support import equation, lam, uncertified, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.errors import DeclarationError, EquationError
from pde2net.graph.draw import to_svg
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json
from pde2net.verify.certificate import Status

R = sp.Rational
K, M = p2n.LinearOperator("K", 4, 3), p2n.LinearOperator("M", 2, 2)
SHAPES = {1: (13,), 2: (7, 9), 3: (4, 5, 4)}
TIGHT = {"linear_tol": R(1, 10**13)}
SOLVERS = {
    "Kacanov": p2n.Implicit(3, 2, solver=p2n.Kacanov(iterations=3, **TIGHT)),
    "Newton": p2n.Implicit(R(1, 4), 2, solver=p2n.Newton(iterations=3, **TIGHT)),
    "Picard": p2n.Implicit(R(1, 30), 2, solver=p2n.FixedPoint(iterations=5)),
    "Crank-Nicolson": p2n.Theta(R(1, 4), 2, solver=p2n.Kacanov(tol=R(1, 10**11), **TIGHT)),
}


def charbonnier(q: sp.Expr) -> sp.Expr:
    return q / sp.sqrt(1 + q**2 / lam**2)


def learned(dim: int, more: sp.Expr = sp.S.Zero, **options: Any) -> p2n.Problem:
    rhs = -K.adjoint(charbonnier(K(unknown(dim)))) + more
    return p2n.Problem(equation(rhs, dim), **{"parameters": {lam: R(1, 5)}, **options})


@pytest.mark.parametrize("scheme", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize(
    ("dim", "boundary", "channels"),
    [(1, "periodic", 1), (2, "reflecting", 1), (2, "dirichlet", 1), (3, "reflecting", 1)],
)
def test_module_is_the_interpreted_graph(scheme: Any, dim: int, boundary: str, channels: int) -> None:
    u = unknown(dim)
    more = -M.adjoint(M(u)) / 3 + laplacian(u) / 10 - u / 7
    network = uncertified(learned(dim, more, boundary=boundary), scheme, trainable=[K, "M"])
    module = network.module().double()
    weights = {name: module.state_dict()[f"cell.{name}"].numpy() for name in "KM"}
    image = np.random.default_rng(0).normal(size=SHAPES[dim])
    expected = Interpreter(network.graph, filters=weights)(image)
    found = module(torch.from_numpy(image)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert to_json(from_json(to_json(network.looped))) == to_json(network.looped)
    assert "learned filters" in to_svg(network.looped, "x")


def test_several_channels() -> None:
    scheme = p2n.Implicit(3, 2, solver=p2n.Kacanov(iterations=3, **TIGHT))
    network = uncertified(learned(2, channels=3), scheme, trainable=[K])
    module = network.module().double()
    image = np.random.default_rng(1).normal(size=(3, 7, 8))
    expected = Interpreter(network.graph, filters={"K": module.state_dict()["cell.K"].numpy()})(image)
    found = module(torch.from_numpy(image)[None])[0].detach().numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)


def test_a_step_is_the_solution_of_its_equation() -> None:
    """v - u + tau K^T Phi(K v) = 0 with a convolution of PyTorch and its transpose by autograd."""
    network = uncertified(
        learned(2),
        p2n.Implicit(5, 1, solver=p2n.Kacanov(tol=R(1, 10**11), max_iterations=500)),
        trainable=[K],
    )
    module = network.module().double()
    u = torch.rand(1, 1, 9, 8, dtype=torch.float64)
    v = module(u).detach().requires_grad_()
    weight = module.state_dict()["cell.K"]
    response = torch.nn.functional.conv2d(v, weight)
    energy = (0.2**2 * (torch.sqrt(1 + response**2 / 0.2**2) - 1)).sum()
    (gradient,) = torch.autograd.grad(energy, v)
    torch.testing.assert_close(v.detach() + 5 * gradient, u, rtol=0, atol=1e-8)


def test_implicit_gradients_of_filters_are_those_of_unrolling() -> None:
    u = torch.rand(1, 1, 7, 6, dtype=torch.float64)
    found = []
    for solver in (p2n.Kacanov(tol=R(1, 10**12), gradients="implicit"), p2n.Kacanov(iterations=80, **TIGHT)):
        torch.manual_seed(3)
        module = uncertified(learned(2), p2n.Implicit(2, 1, solver=solver), trainable=[K]).module().double()
        (module(u) ** 2).sum().backward()
        (parameter,) = module.parameters()
        found.append(parameter.grad)
    torch.testing.assert_close(found[0], found[1], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shared", [True, False])
def test_no_weights_make_implicit_steps_grow(shared: bool) -> None:
    """Proved for every tau, whatever the weights are."""
    network = p2n.compile(learned(2), p2n.Implicit(10, 3), trainable=[K], shared=shared)
    claims = network.certificate.claims
    assert claims["l2_stability"].status == Status.PROVED
    assert claims["l2_stability"].limit == sp.oo
    module = network.module().double()
    for size in (0.1, 1.0, 30.0):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(size * torch.randn_like(parameter))
            u = torch.randn(2, 1, 9, 9, dtype=torch.float64)
            v = module(u)
        assert (v.flatten(1).norm(dim=1) <= u.flatten(1).norm(dim=1) * (1 + 1e-9)).all()
    assert p2n.recheck(network.certificate.to_json()) == network.certificate


def test_an_energy_is_that_of_one_step() -> None:
    """A single Picard iteration is an explicit step; with filters of its own each has another energy."""
    scheme = p2n.Implicit(R(1, 30), 2, solver=p2n.FixedPoint(iterations=1))
    for shared, status in ((True, Status.PROVED_IF), (False, Status.UNKNOWN)):
        claims = p2n.compile(learned(2), scheme, trainable=[K], shared=shared).certificate.claims
        assert claims["energy_decay"].status == status


def test_picard_iterations_need_a_small_step() -> None:
    claims = p2n.verify(learned(2), p2n.Implicit(R(1, 30), 2, solver=p2n.FixedPoint(iterations=5))).claims
    assert claims["solver_convergence"].status == Status.PROVED_IF
    norm = sp.Symbol("normK", positive=True)
    assert sp.simplify(claims["solver_convergence"].limit * norm**2).is_number


def test_what_filters_do_not_go_with_is_said() -> None:
    for scheme in (
        p2n.Implicit(1, solver=p2n.Kacanov(preconditioner="diagonal")),
        p2n.Implicit(1, solver=p2n.Kacanov(preconditioner="multigrid")),
    ):
        with pytest.raises(DeclarationError, match='preconditioner="none"'):
            p2n.verify(learned(2), scheme)
    with pytest.raises(DeclarationError, match="coarse grids"):
        p2n.verify(learned(2), p2n.Multigrid(1))
    with pytest.raises(EquationError, match="AOS needs"):
        p2n.verify(learned(2), p2n.AOS(1))
    with pytest.raises(DeclarationError, match="alpha = None with a learned operator"):
        p2n.compile(learned(2), p2n.DuFortFrankel(R(1, 10)))
