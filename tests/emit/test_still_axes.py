"""Equations that diffuse along some of their axes: lines of an image are problems of their own."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net.graph.interpret import Interpreter

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
LINE, PLANE = sp.Function("u")(x, t), sp.Function("u")(x, y, t)
TURNED = sp.Function("u")(y, x, t)  # whose second axis is the one along which something flows
SCHEMES = {
    "explicit": p2n.Explicit(R(1, 5), 3),
    "FSI": p2n.FSI(R(1, 5), cycle_length=3, cycles=1),
    "Du Fort-Frankel": p2n.DuFortFrankel(R(1, 5), steps=3),
    "Kacanov": p2n.Implicit(R(1, 2), 2, solver=p2n.Kacanov(tol=R(1, 10**10))),
    "AOS": p2n.AOS(R(1, 2), 2),
}


def rates(u):
    slope = u.diff(x)
    return {
        "linear": slope.diff(x),
        "Perona-Malik": sp.Derivative(slope / (1 + slope**2), x),
        "with a reaction": slope.diff(x) - u / 3,
    }


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("rate", rates(LINE))
@pytest.mark.parametrize("unknown", [PLANE, TURNED], ids=["first axis", "second axis"])
def test_lines_are_alone(unknown, rate, scheme):
    image = np.random.default_rng(0).normal(size=(7, 5))
    image = image if unknown == PLANE else image.T
    made = uncertified(p2n.Problem(sp.Eq(unknown.diff(t), rates(unknown)[rate])), SCHEMES[scheme])
    found = made.module().double()(torch.from_numpy(image.copy())[None, None])[0, 0].numpy()
    np.testing.assert_allclose(found, Interpreter(made.graph)(image), rtol=0, atol=1e-9)
    if scheme == "AOS":  # the mean of a line that is solved with twice the step, and of one that is not
        return
    alone = uncertified(p2n.Problem(sp.Eq(LINE.diff(t), rates(LINE)[rate])), SCHEMES[scheme])
    lines = (image if unknown == PLANE else image.T).T
    expected = np.stack([Interpreter(alone.graph)(line) for line in lines]).T
    np.testing.assert_allclose(found if unknown == PLANE else found.T, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_kernels_and_gradients(boundary):
    problem = p2n.Problem(sp.Eq(PLANE.diff(t), rates(PLANE)["Perona-Malik"]), boundary)
    made = uncertified(problem, p2n.Explicit(R(1, 5), 3))
    image = torch.rand(2, 1, 8, 6, dtype=torch.float64, requires_grad=True)
    results = [made.module(backend=backend).double()(image) for backend in ("torch", "numba")]
    torch.testing.assert_close(*results, rtol=0, atol=1e-12)
    slopes = [torch.autograd.grad((r**2).sum(), image)[0] for r in results]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-12)
