"""Steady states: one of them, in the range of what pulls, with masks too; against systems that are solved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.build import explicit_steps
from pde2net.graph.interpret import Interpreter
from pde2net.verify.certificate import Status

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
c, f = (sp.Function(n)(x, y) for n in "cf")
b = sp.Symbol("b", positive=True)
STEADY = p2n.Implicit(tau=sp.oo, solver=p2n.Newton(tol=1e-8))
MASK, PLATE = (1 - c) * laplacian(u) + c * (f - u), -(1 - c) * laplacian(laplacian(u)) + c * (f - u)


def made(rhs: Any, scheme: Any = STEADY, grid: Any = None, **options: Any) -> Any:
    bounds = {c: (0, 1)} if sp.sympify(rhs).has(c) else {}
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), bounds=bounds, **options)
    return p2n.compile(problem, scheme, grid, on_unstable="ignore")


def claims(rhs: Any, **options: Any) -> Any:
    return made(rhs, **options).certificate.claims


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize(("rhs", "bounded"), [(MASK, True), (PLATE, False)])
def test_one_steady_state_beyond_a_mask(rhs: Any, bounded: bool, boundary: str) -> None:
    network = made(rhs, boundary=boundary)
    found = network.certificate.claims
    assert found["well_posed"].status == Status.PROVED
    assert (found["maximum_principle"].status == Status.PROVED) == bounded
    p2n.recheck(network.certificate.to_json())
    random, step = np.random.default_rng(0), Interpreter(explicit_steps(network.semidiscrete, sp.S.One, 1))
    for known in (0.1, 0.5):
        mask, data = (random.random((5, 6)) < known) * random.random((5, 6)).round(1), random.random((5, 6))
        mask[0, 0] = max(mask[0, 0], 0.5)
        fields = {"c": mask, "f": data}
        start = step(np.zeros((5, 6)), fields).ravel()
        units = np.eye(30).reshape(30, 5, 6)
        matrix = np.stack([(step(e, fields) - e).ravel() - start for e in units], axis=1)
        assert np.linalg.matrix_rank(matrix) == 30
        state = np.linalg.solve(matrix, -start)
        low, high = data[mask > 0].min(), data[mask > 0].max()
        low = min(low, 0.0) if boundary == "dirichlet" else low
        assert not bounded or low - 1e-9 <= state.min() <= state.max() <= high + 1e-9


@pytest.mark.parametrize(
    ("rhs", "options"),
    [
        (MASK, {"grid": p2n.Grid(gradient="central")}),  # the checkerboard has no slopes
        ((1 - 2 * c) * laplacian(u) + c * (f - u), {}),  # backward where c > 1/2
        ((1 - c) * laplacian(u) + c * (1 - c) * (f - u), {}),  # nothing acts where c = 1
        ((1 - c) * div(grad(u) / (1 + norm2(grad(u)))) + c * (f - u), {}),
        (laplacian(u) * (2 - c) + (c - 1) * (u - f) * 2 - (f - u), {}),  # may push
    ],
)
def test_what_is_not_unique_or_not_known(rhs: Any, options: Any) -> None:
    found = claims(rhs, **options)
    assert found["well_posed"].status in (Status.UNKNOWN, Status.REFUTED)
    assert found["maximum_principle"].status == Status.UNKNOWN


@pytest.mark.parametrize(
    "g", [1 / (1 + norm2(grad(u))), 1 / sp.sqrt(1 + norm2(grad(u))), sp.exp(-norm2(grad(u)))]
)
def test_every_state_lies_near_the_range_of_the_data(g: Any) -> None:
    """max f + max|F(v)|/b bounds any v whatever, and so what an iteration is left with."""
    network = made(div(g * grad(u)) + R(1, 5) * (f - u))
    claim = network.certificate.claims["maximum_principle"]
    assert claim.status == Status.PROVED and "max|F(v)|/(1/5) beyond" in claim.reason
    p2n.recheck(network.certificate.to_json())
    random, step = np.random.default_rng(0), Interpreter(explicit_steps(network.semidiscrete, sp.S.One, 1))
    for size in (0.1, 1.0, 30.0):
        v, data = size * random.normal(size=(6, 7)), random.random((6, 7))
        beyond = 5 * abs(step(v, {"f": data}) - v).max()
        assert data.min() - beyond - 1e-9 <= v.min() <= v.max() <= data.max() + beyond + 1e-9


@pytest.mark.parametrize(
    "rhs",
    [laplacian(u) - b * (f - u), -laplacian(u) + b * (f - u), laplacian(laplacian(u)) * -1 + b * (f - u)],
)
def test_states_that_leave_it(rhs: Any) -> None:
    network = made(
        rhs, parameters={b: R(1, 5)}, scheme=p2n.Implicit(tau=sp.oo, solver=p2n.Newton(iterations=2))
    )
    assert network.certificate.claims["maximum_principle"].status != Status.PROVED


@pytest.mark.parametrize("scheme", [STEADY, p2n.Implicit(tau=sp.oo), p2n.Multigrid(tau=sp.oo, cycles=1)])
def test_where_u0_lies_says_nothing_of_where_iterations_end(scheme: Any) -> None:
    """Weights u >= 0 hold on [0, 1], which a state with a residual may have left."""
    problem = p2n.Problem(sp.Eq(u.diff(t), div(u * grad(u)) + f - u), bounds={u: (0, 1), f: (0, 1)})
    found = p2n.verify(problem, scheme).claims
    assert not any(h.name == "declared range" for claim in found.values() for h in claim.hypotheses)
    assert found["maximum_principle"].status != Status.PROVED
