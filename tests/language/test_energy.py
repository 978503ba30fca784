"""Gradient flows: variational derivatives against known ones and against discrete energies."""

import numpy as np
import pytest
import sympy as sp
from support import beta, lam, t, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, gradient_flow, laplacian, norm2
from pde2net.graph.interpret import Interpreter

u, v = unknown(2), unknown(1)
f = sp.Function("f")(x, y)
s2 = norm2(grad(u))


@pytest.mark.parametrize(
    "density,rhs",
    [
        (s2 / 2, laplacian(u)),
        (lam**2 * sp.log(1 + s2 / lam**2) / 2, div(grad(u) / (1 + s2 / lam**2))),
        (sp.sqrt(1 + s2), div(grad(u) / sp.sqrt(1 + s2))),
        (beta * (u - f) ** 2 / 2 + s2 / 2, laplacian(u) + beta * (f - u)),
        (f * s2 / 2, div(f * grad(u))),
        (laplacian(u) ** 2 / 2, -laplacian(laplacian(u))),
        (u.diff(x) ** 4 / 4 - sp.cos(u), sp.Derivative(u.diff(x) ** 3, x) - sp.sin(u)),
        (v.diff(x, 2) ** 2 / 2 + v.diff(x) ** 2, 2 * v.diff(x, 2) - v.diff(x, 4)),
    ],
)
def test_known_variational_derivatives(density, rhs):
    state = v if density.has(v) else u
    found = gradient_flow(density, state)
    assert found.lhs == state.diff(t)
    assert sp.simplify((found.rhs - rhs).doit()) == 0


def test_the_flow_descends_the_discrete_energy():
    """The network's rate is minus the gradient of sum W(D u), by central differences."""
    problem = p2n.Problem(gradient_flow(sp.sqrt(1 + s2 / lam**2) * lam**2, u), parameters={lam: 0.5})
    u0 = np.random.default_rng(0).normal(size=(5, 6))
    step = Interpreter(uncertified(problem, p2n.Explicit(1)).graph)

    def energy(w):
        dx, dy = (np.diff(w, axis=a, append=np.take(w, [-1], axis=a)) for a in (0, 1))
        return (0.25 * np.sqrt(1 + (dx**2 + dy**2) / 0.25)).sum()

    rate, h = step(u0) - u0, 1e-6
    for index in np.ndindex(u0.shape):
        e = np.zeros_like(u0)
        e[index] = h
        assert rate[index] == pytest.approx(-(energy(u0 + e) - energy(u0 - e)) / (2 * h), abs=1e-7)


@pytest.mark.parametrize(
    "density,state,words",
    [
        (grad(u), u, "scalar"),
        (f**2, u, "does not contain"),
        (u.diff(t) ** 2, u, "derivative in time"),
        (sp.Derivative(u**2, x), u, r"\.doit\(\)"),
        (s2, f, "does not depend on t"),
        (s2, x, "takes the unknown"),
    ],
)
def test_what_is_no_energy_is_refused(density, state, words):
    with pytest.raises(p2n.EquationError, match=words):
        gradient_flow(density, state)


@pytest.mark.parametrize(
    "rhs",
    [
        laplacian(u),
        div(grad(u) / (1 + s2 / lam**2)) + beta * (f - u),
        div(grad(u) / sp.sqrt(1 + s2 / lam**2)),
        div(sp.exp(-s2 / lam**2) * grad(u)) - u**3 + u,
        div(f * grad(u)),
        2 * u.diff(x, 2) + 3 * u.diff(y, 2),
        sp.Derivative(u.diff(x) ** 3, x) + sp.Derivative(sp.tanh(u.diff(y)), y),
        -laplacian(laplacian(u) / (1 + laplacian(u) ** 2)),
        -v.diff(x, 4) + v.diff(x, 2) - v,
    ],
)
def test_energies_are_recovered(rhs):
    state = v if rhs.has(v) else u
    problem = p2n.Problem(sp.Eq(state.diff(t), rhs))
    energy = problem.energy
    assert energy is not None and not energy.has(sp.Integral)
    assert sp.simplify((gradient_flow(energy, state).rhs - rhs).doit()) == 0


NONE = [div(u * grad(u)), f * laplacian(u), sp.Derivative(u.diff(x) * s2, x) + u.diff(y, 2)]


@pytest.mark.parametrize("rhs", NONE)
def test_other_equations_have_none(rhs):
    assert p2n.Problem(sp.Eq(u.diff(t), rhs)).energy is None
