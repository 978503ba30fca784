"""Coefficients of position in every scheme, border and dimension: the module is the interpreter."""

import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net import div, grad
from pde2net.graph.interpret import Interpreter

AXES, t = sp.symbols("x y z", real=True), sp.Symbol("t", real=True)
SHAPES = {1: (7,), 2: (5, 6), 3: (4, 3, 5)}
SCHEMES = (
    p2n.Explicit(sp.Rational(1, 99), 2),
    p2n.FSI(sp.Rational(1, 99), 2),
    p2n.AOS(1, 2),
    p2n.Implicit(1, 1, p2n.Kacanov(iterations=1, linear_iterations=5, preconditioner="diagonal")),
    p2n.Implicit(1, 1, p2n.Newton(iterations=1, linear_iterations=5)),
    p2n.Multigrid(1, 1, cycles=1, levels=2),
)
CASES = [(d, k, b) for d in SHAPES for k in range(d) for b in ("reflecting", "periodic", "dirichlet")]


@pytest.mark.parametrize(
    "scheme", SCHEMES, ids=lambda s: f"{s.label} {getattr(s, 'solver', '') and s.solver.label}"
)
@pytest.mark.parametrize("dim,axis,border", CASES)
def test_coefficients_of_one_coordinate(scheme, dim, axis, border):
    """A coefficient that is a coordinate itself, one that is a function of it, and a reaction."""
    space, a = AXES[:dim], AXES[axis]
    u = sp.Function("u")(*space, t)
    for weight in (a, 1 / (1 + a**2)):
        problem = p2n.Problem(sp.Eq(u.diff(t), div(weight * grad(u)) - a * u), boundary=border)
        network = uncertified(problem, scheme, p2n.Grid(origin=1))
        image = (
            torch.linspace(0, 4, 2 * sp.prod(SHAPES[dim]), dtype=torch.float64)
            .sin()
            .reshape(2, 1, *SHAPES[dim])
        )
        out = network.module().double()(image)
        run = Interpreter(network.graph, {})
        for k in range(2):
            wanted = torch.tensor(run(image[k, 0].numpy(), {}))
            torch.testing.assert_close(out[k, 0], wanted, rtol=1e-9, atol=1e-11)
