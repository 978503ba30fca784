"""Networks of every scheme: the module computes what the interpreter does, and both what the scheme says."""

import itertools
import warnings

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_module import BOUNDARIES, EQUATIONS, SHAPES, declared, inputs_of, tensors
from support import uncertified

import pde2net as p2n
from pde2net.graph.interpret import Interpreter

STACKS = [
    p2n.DuFortFrankel(tau=0.05, alpha=4, steps=3),
    p2n.FSI(tau=0.02, cycle_length=3, cycles=2),
    p2n.FSI(tau=0.02, cycle_length=3, freeze="step"),
    p2n.FED(tau=0.02, cycle_length=3, cycles=2),
    p2n.RKL(order=1, tau=0.05, stages=3),
    p2n.RKL(order=2, tau=0.05, stages=3, steps=2),
    p2n.RKC(order=2, tau=0.05, stages=3, steps=2),
]
CELLS = [
    p2n.Implicit(tau=0.01, steps=2, solver=p2n.FixedPoint(iterations=3)),
    p2n.Implicit(tau=0.01, solver=p2n.FixedPoint(tol=1e-10, anderson=3)),
    p2n.Implicit(tau=0.05, solver=p2n.Kacanov(iterations=2)),
    p2n.Implicit(tau=0.05, steps=2, solver=p2n.Kacanov(tol=1e-9)),
    p2n.Implicit(tau=0.05, solver=p2n.Newton(tol=1e-9)),
    p2n.Implicit(tau=0.05, solver=p2n.Newton(iterations=2)),
    p2n.Theta(tau=0.05, steps=2, solver=p2n.Kacanov(tol=1e-9)),
    p2n.AOS(tau=0.05, steps=2),
]
REFUSED = (p2n.EquationError, p2n.StabilityError)


def rows():
    """Every equation with every other scheme; dimensions, boundaries and stencils in turn."""
    choices = list(itertools.product(BOUNDARIES, ("forward", "central", "staggered"), (2, 4), (1, 2, 3)))
    return [
        (name, scheme, *choices[(11 * k + 17 * j) % len(choices)])
        for k, name in enumerate(EQUATIONS)
        for j, scheme in enumerate([*STACKS, *CELLS])
        if (k + j) % 2 == 0
    ]


def ident(value):
    return type(value).__name__ if isinstance(value, p2n.language.schemes.Scheme) else str(value)


def compiled(name, scheme, boundary, gradient, order, dim, **options):
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)
    return uncertified(problem, scheme, grid, **options)


def solved(run):
    """The result of a run, and whether it warned that a tolerance was not reached, or diverged."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return run(), any("residual" in str(w.message) for w in caught)
        except (RuntimeError, p2n.errors.ConvergenceError) as error:
            assert "residual" in str(error)
            return None, True


@pytest.mark.parametrize("name,scheme,boundary,gradient,order,dim", rows(), ids=ident)
def test_module_equals_the_interpreter(name, scheme, boundary, gradient, order, dim):
    try:
        network = compiled(name, scheme, boundary, gradient, order, dim)
    except REFUSED as error:
        assert "zero gradient" in str(error) or "AOS" in str(error)
        return
    u0, fields = inputs_of(network, SHAPES[dim], batch=1)
    module, run = network.module().double(), Interpreter(network.graph)
    got, failed = solved(lambda: module(torch.from_numpy(u0), **tensors(fields)).detach().numpy()[0, 0])
    want, also = solved(lambda: run(u0[0, 0], {k: v[0, 0] for k, v in fields.items()}))
    assert failed == also
    if not failed:
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-8 * max(1, abs(want).max()))


@pytest.mark.parametrize("kind", [p2n.AOS, p2n.Implicit, p2n.Multigrid])
def test_parameters_of_constant_diffusivities_have_values(kind):
    """A parameter that stands in a linear system alone is one of the network all the same."""
    a = sp.Symbol("a", positive=True)
    image = torch.linspace(0, 5, 30, dtype=torch.float64).sin().reshape(1, 1, 5, 6)
    x, y, t = sp.symbols("x y t", real=True)
    u = sp.Function("u")(x, y, t)

    def result(weight, parameters):
        problem = p2n.Problem(sp.Eq(u.diff(t), p2n.div(weight * p2n.grad(u))), parameters=parameters)
        return uncertified(problem, kind(1, 1), p2n.Grid()).module().double()(image)

    torch.testing.assert_close(result(a + a**2, {a: 2}), result(sp.Integer(6), {}), rtol=1e-12, atol=0)
