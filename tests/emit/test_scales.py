"""Implicit modules for images of every size of values, and for calls that torch.vmap puts together."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
import torch

import pde2net as p2n

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
HEAT = p2n.Problem(sp.Eq(u.diff(t), p2n.div(p2n.grad(u))))
SCHEMES = {
    "conjugate gradients": p2n.Implicit(tau=2, steps=1, solver=p2n.Kacanov(iterations=1)),
    "BiCGStab, on the coarsest grid": p2n.Multigrid(tau=2, cycles=1),
}


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e20, 1e30])
@pytest.mark.parametrize("name", SCHEMES)
def test_linear_networks_are_homogeneous(name: str, size: float) -> None:
    """N(s u) = s N(u), N'(s u)^T p = N'(u)^T p and N'(u)^T (s p) = s N'(u)^T p, in float32."""
    module = p2n.compile(HEAT, SCHEMES[name]).module().float()
    given = torch.rand(2, 1, 12, 10)

    def results(u0: torch.Tensor, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        u0 = u0.clone().requires_grad_(True)
        found = module(u0)
        (pulled,) = torch.autograd.grad(found, u0, p)
        return found.detach(), pulled

    wanted, gradient = results(given, given)
    found, same = results(size * given, given)
    _, pulled = results(given, size * given)
    torch.testing.assert_close(found / size, wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(same, gradient, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(pulled / size, gradient, rtol=1e-5, atol=1e-6)


CURVED = p2n.Problem(sp.Eq(u.diff(t), p2n.div(p2n.grad(u) / sp.sqrt(1 + p2n.norm2(p2n.grad(u))))))
CELLS = {
    "linear": (HEAT, p2n.Implicit(tau=1, steps=1)),
    "theta": (HEAT, p2n.Theta(tau=sp.Rational(1, 4), steps=1, theta=sp.Rational(1, 2))),
    "Kacanov": (CURVED, p2n.Implicit(tau=1, steps=1)),
    "Newton": (CURVED, p2n.Implicit(tau=1, steps=1, solver=p2n.Newton())),
    "fixed point": (CURVED, p2n.Implicit(tau=sp.Rational(1, 16), steps=1, solver=p2n.FixedPoint())),
    "cycles to a tolerance": (CURVED, p2n.Multigrid(tau=1, cycles=20, tol=1e-6)),
    "missed": (CURVED, p2n.Implicit(tau=1, steps=1, solver=p2n.Kacanov(tol=1e-12, max_iterations=1))),
}


@pytest.mark.filterwarnings("ignore")  # that a tolerance is missed
@pytest.mark.parametrize("name", CELLS)
def test_calls_that_are_put_together_are_those_alone(name: str) -> None:
    problem, scheme = CELLS[name]
    made: Any = p2n.compile(problem, scheme, on_unstable="ignore").module().double()
    images = torch.rand(2, 3, 1, 6, 7, dtype=torch.float64)
    alone = torch.stack([made(each) for each in images])
    torch.testing.assert_close(torch.vmap(made)(images), alone)
