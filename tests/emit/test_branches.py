"""Branches of numbers or trained parameters have the type of the state, and their own values."""

import numpy as np
import pytest
import sympy as sp
import torch
from support import RNG, equation, lam, uncertified, unknown

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.graph.interpret import Interpreter

R = sp.Rational
u = unknown(2)
J = p2n.structure_tensor(u, R(1, 2), 1)
STEP = p2n.Explicit(R(1, 10), 2)


def of_tensor(branches):
    """The condition is used again elsewhere in the tensor."""
    across = sp.Piecewise((branches[0], sp.Eq(p2n.coherence(J), 0)), (branches[1], True))
    return div(p2n.tensor(p2n.principal_direction(J), R(1, 10), across) * grad(u))


def of_slope(branches):
    return div(sp.Piecewise((branches[0], norm2(grad(u)) < R(1, 10)), (branches[1], True)) * grad(u))


@pytest.mark.parametrize("rhs", [of_tensor, of_slope])
@pytest.mark.parametrize("branches", [(R(1, 10), R(1, 3)), (R(1, 10), lam / 2), (lam / 3, lam / 2)], ids=str)
def test_values_and_types(rhs, branches):
    known = {lam: R(2, 3)} if branches[1].has(lam) else {}
    problem = p2n.Problem(equation(rhs(branches), 2), parameters=known)
    network = uncertified(problem, STEP, p2n.Grid(gradient="staggered"), list(known))
    image = np.where(np.arange(12)[:, None] < 6, 0.5, RNG.random((12, 9)))  # a half of it is flat
    want = Interpreter(network.graph)(image)
    for dtype, tol in ((torch.float64, 1e-13), (torch.float32, 1e-5)):
        found = network.module()(torch.as_tensor(image, dtype=dtype)[None, None])
        assert found.dtype == dtype
        np.testing.assert_allclose(found.detach().numpy()[0, 0], want, rtol=0, atol=tol)
