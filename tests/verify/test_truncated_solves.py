"""What truncated linear solves keep: against dense matrices, and at the limits of the claims."""

import numpy as np
import pytest
import sympy as sp
from cell_support import HALF, HEAT2, QUARTER, charbonnier, claims, inputs, interpreted, one_claim
from hypothesis import given, settings
from hypothesis import strategies as st
from support import h, tau

import pde2net as p2n
from pde2net import Implicit, Kacanov, Newton, Theta
from pde2net.graph.interpret.solve import nearest


def system(rng, n, size, closed):
    """I + size K^T G K with weights of very different size; without `closed`, a damping too."""
    K = np.diff(np.eye(n), axis=0)
    return np.eye(n) + size * (K.T @ np.diag(10 ** rng.uniform(-3, 0, n - 1)) @ K) + (not closed) * np.eye(n)


def combined(M, f, directions, closed):
    """`nearest` of a batch of one."""
    columns = [d[:, None] for d in directions]
    return nearest(lambda w: M @ w, f[:, None], columns, 1, closed)[:, 0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9), st.sampled_from([0.1, 10, 1e4]), st.booleans())
def test_the_nearest_combination_adds_no_error_and_no_norm(seed, n, size, closed):
    rng = np.random.default_rng(seed)
    M, f, x, v = system(rng, n, size, closed), *rng.normal(size=(3, n))
    exact = np.linalg.solve(M, f)
    y = combined(M, f, [x, v], closed)

    def error(w):
        return np.sqrt((w - exact) @ M @ (w - exact))

    for w in (x, v, 0 * x, x - v, exact * 0 + f.mean() * closed):
        assert error(y) <= error(w) * (1 + 1e-7) + 1e-9
    assert np.linalg.norm(y) <= np.linalg.norm(f) * (1 + 1e-9)
    assert abs(f @ y - y @ M @ y) <= 1e-7 * (f @ f)
    if closed:
        assert abs(y.mean() - f.mean()) < 1e-12 * np.linalg.norm(f)
        assert np.linalg.norm(y - y.mean()) <= np.linalg.norm(f - f.mean()) * (1 + 1e-9)
    again = combined(M, f, [exact, v], closed)
    assert error(again) <= 1e-6 * np.linalg.norm(f)


def test_it_keeps_the_solution_of_an_indefinite_system():
    M, f = np.diag([-3.0, 0.5, 2.0]), np.array([1.0, 2.0, -4.0])
    exact = f / np.diag(M)
    assert np.linalg.norm(exact) < np.linalg.norm(combined(M, f, [exact, f], False)) * 1.0001
    np.testing.assert_allclose(combined(M, f, [exact, f], False), exact, rtol=1e-9)


CUT = [
    Kacanov(iterations=1, linear_iterations=1, preconditioner="none"),
    Kacanov(iterations=2, linear_iterations=2, preconditioner="diagonal"),
    Kacanov(iterations=1, linear_iterations=1),
    Kacanov(tol=1e-2, linear_iterations=2, max_iterations=2),
]


@pytest.mark.filterwarnings("ignore::pde2net.errors.ConvergenceWarning")
@pytest.mark.parametrize("solver", CUT, ids=str)
def test_linear_theta_steps_keep_norm_and_energy_up_to_the_sharp_limit(solver):
    """E(u) = 1/2 sum |K u|² and the norm, for one theta below one half, at its limit, and for two above."""
    for theta, step in ((QUARTER, HALF), (HALF, 60), (sp.Rational(3, 4), 7)):
        found = claims(HEAT2, Theta(step, 1, theta, solver))
        for name in ("l2_stability", "energy_decay", "mean_preservation", "frozen_stability"):
            assert found[name].status == "proved", (theta, name)
        run = interpreted(HEAT2, Theta(step, 1, theta, solver))
        for u in inputs(2):
            v = run(u)
            energies = [sum((np.diff(w, axis=a) ** 2).sum() for a in (0, 1)) for w in (u, v)]
            assert energies[1] <= energies[0] * (1 + 1e-9) + 1e-12
            assert np.linalg.norm(v) <= np.linalg.norm(u) * (1 + 1e-9)
            assert abs(v.mean() - u.mean()) <= 1e-12 * max(1, abs(u).max())
    beyond = one_claim(HEAT2, Theta(HALF * sp.Rational(21, 20), 1, QUARTER, solver), "l2_stability")
    assert beyond.status != "proved" and beyond.limit == HALF


@pytest.mark.parametrize("preconditioner", ["none", "diagonal", "multigrid"])
def test_energies_of_nonlinear_steps_decay_however_early_a_solve_is_cut(preconditioner):
    declared = charbonnier(2)
    for count in (1, 3):
        solver = Kacanov(iterations=count, linear_iterations=1, preconditioner=preconditioner)
        assert claims(declared, Implicit(30, 1, solver))["energy_decay"].status == "proved"
        run = interpreted(declared, Implicit(30, 1, solver))
        for u in inputs(2):
            values = [
                sum((0.32 * np.sqrt(1 + np.diff(w, axis=a) ** 2 / 0.16)).sum() for a in (0, 1))
                for w in (u, run(u))
            ]
            assert values[1] <= values[0] * (1 + 1e-12) + 1e-12


def test_convergence_of_conjugate_gradients_has_the_limit_of_the_emitted_iterations():
    """2 ((sqrt(kappa) - 1)/(sqrt(kappa) + 1))^k < 1 with kappa = 1 + 8 tau."""
    for k in (1, 7, 200):
        q = 2 ** (-1 / k)
        wanted = (((1 + q) / (1 - q)) ** 2 - 1) / 8
        solver = Kacanov(iterations=1, linear_iterations=k, preconditioner="none")
        claim = one_claim(HEAT2, Implicit(1, 1, solver), "solver_convergence")
        assert 0 <= wanted - float(claim.limit) < 1e-3
        for step, status in (("0.999", "proved"), ("1.001", "unknown")):
            step = sp.Rational(step) * claim.limit
            found = one_claim(HEAT2, Implicit(step, 1, solver), "solver_convergence")
            assert str(found.status) == status, (k, step)
            if status == "proved":
                assert 2 * float(found.factor) ** k < 1
    plain = Kacanov(preconditioner="none")
    claim = one_claim(HEAT2, Implicit(tau, 1, plain), "solver_convergence", p2n.Grid(spacing=h))
    assert claim.status == "proved if" and claim.condition.rhs == claim.limit
    for solver in (Kacanov(), Kacanov(preconditioner="diagonal"), Newton()):
        assert one_claim(HEAT2, Implicit(1, 1, solver), "solver_convergence").status == "unknown"
