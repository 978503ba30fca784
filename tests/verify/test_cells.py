"""Claims about implicit, theta and AOS schemes: against other formulas, and attacked through the network."""

import numpy as np
import pytest
import sympy as sp
from cell_support import (
    HALF,
    HEAT,
    HEAT2,
    QUARTER,
    UNIT,
    beta,
    charbonnier,
    claims,
    f,
    inputs,
    interpreted,
    kappa,
    module,
    one_claim,
    problem,
    rational,
    status,
    u1,
)
from support import diffusion, tau, unknown, x

import pde2net as p2n
from pde2net import AOS, Implicit, Kacanov, Newton, Theta, laplacian

# -- what is proved of solves that are exact or bounded -------------------------------------------

EXACT = {
    "Kacanov, few iterations": (charbonnier(), Implicit(100, 1, Kacanov(iterations=3))),
    "Kacanov, nonmonotone flux": (rational(), Implicit(20, 2, Kacanov(iterations=2))),
    "Kacanov to a tolerance": (rational(), Implicit(7, 1, Kacanov(tol=1e-3))),
    "periodic": (rational(boundary="periodic"), Implicit(50, 1, Kacanov(iterations=1))),
    "open": (rational(boundary="dirichlet"), Implicit(50, 1, Kacanov(iterations=2))),
    "damping": (problem(laplacian(u1) - 2 * u1), Implicit(3, 1, Kacanov(iterations=1))),
    "theta within its limit": (rational(), Theta(1, 1, HALF, Kacanov(iterations=3))),
    "AOS": (rational(2), AOS(50, 2)),
    "conjugate gradients": (
        charbonnier(2),
        Implicit(30, 1, Kacanov(iterations=2, linear_iterations=4, preconditioner="none")),
    ),
    "scaled by the diagonal": (
        charbonnier(2),
        Implicit(30, 2, Kacanov(iterations=1, linear_iterations=1, preconditioner="diagonal")),
    ),
    "one cycle": (rational(2), Implicit(300, 1, Kacanov(iterations=2, linear_iterations=1))),
    "a damped reaction": (
        problem(laplacian(unknown(2)) - 2 * unknown(2), 2),
        Implicit(3, 1, Kacanov(iterations=1, linear_iterations=2)),
    ),
    "Crank-Nicolson": (HEAT2, Theta(100, 2, HALF, Kacanov(iterations=1, linear_iterations=2))),
    "theta at its limit": (HEAT2, Theta(HALF, 2, QUARTER, Kacanov(iterations=1, linear_iterations=1))),
    "fourth order": (problem(-u1.diff(x, 4)), Implicit(9, 1, Kacanov(iterations=1))),
}


@pytest.mark.parametrize("name", EXACT)
def test_proved_claims_survive_an_attack_through_the_network(name):
    declared, scheme = EXACT[name]
    found = claims(declared, scheme)
    assert found["l2_stability"].status == found["frozen_stability"].status == "proved"
    run = module(declared, scheme)
    zero = name in ("open", "damping", "a damped reaction")  # the range includes it
    for u in inputs(len(declared.space)):
        v = run(u)
        assert np.linalg.norm(v) <= np.linalg.norm(u) * (1 + 1e-12)
        if found["maximum_principle"].status == "proved":
            low, high = (min(u.min(), 0), max(u.max(), 0)) if zero else (u.min(), u.max())
            assert v.max() <= high + 1e-12 * abs(u).max() and v.min() >= low - 1e-12 * abs(u).max()
        if found["mean_preservation"].status == "proved":
            assert abs(v.mean() - u.mean()) <= 1e-12 * abs(u).max()


def energy(u, g_integral):
    return sum(g_integral(np.diff(u, axis=a) ** 2).sum() for a in range(u.ndim)) / 2


@pytest.mark.parametrize(
    "declared,psi",
    [
        (charbonnier(), lambda s: 2 * 0.16 * np.sqrt(1 + s / 0.16)),
        (rational(), lambda s: 0.16 * np.log1p(s / 0.16)),
    ],
)
@pytest.mark.parametrize("count", [1, 4])
def test_energies_decay_by_majorisation(declared, psi, count):
    scheme = Implicit(10, 1, Kacanov(iterations=count))
    claim = claims(declared, scheme)["energy_decay"]
    assert claim.status == "proved" and "Majorisation" in claim.theorem
    run = module(declared, scheme)
    for u in inputs():
        v = run(u)
        assert energy(v, psi) + ((v - u) ** 2).sum() / 20 <= energy(u, psi) * (1 + 1e-12) + 1e-12


def test_energy_needs_a_diffusivity_that_does_not_increase():
    rising = diffusion(lambda s: (1 + s) / (2 + s))
    assert status(rising, Implicit(10, 1, Kacanov(iterations=1)), "energy_decay") != "proved"


def test_linear_energies_and_lipschitz_constants_follow_the_stability_function():
    """R(z) = (1 - (1 - theta) z)/(1 + theta z) on a periodic grid, from the symbol 4 sin²."""
    for theta, step in ((1, 7), (HALF, 7), (QUARTER, 1), (QUARTER, 3)):
        found = claims(HEAT, Theta(step, 1, theta, Kacanov(iterations=1)))
        z = step * 4 * np.sin(np.linspace(0, np.pi / 2, 1001)) ** 2
        largest = abs((1 - (1 - float(theta)) * z) / (1 + float(theta) * z)).max()
        stable = largest <= 1 + 1e-12
        for name in ("l2_stability", "nonexpansive", "energy_decay", "frozen_stability"):
            assert str(found[name].status) == ("proved" if stable else "refuted")
        assert abs(float(found["well_posed"].factor) - largest) < 1e-9
    fidelity = problem(laplacian(u1) + beta * (f(x) - u1), parameters={beta: 3})
    claim = claims(fidelity, Implicit(2, 1, Kacanov(iterations=1)))["nonexpansive"]
    assert claim.status == "proved" and claim.factor == sp.Rational(1, 7)


@pytest.mark.parametrize("theta,limit", [(QUARTER, 1), (sp.Rational(2, 5), sp.Rational(5, 2))])
def test_theta_below_one_half_has_a_sharp_limit(theta, limit):
    solver = Kacanov(iterations=1)
    for step, wanted in ((limit, "proved"), (limit * sp.Rational(21, 20), "refuted")):
        for name in ("l2_stability", "frozen_stability"):
            claim = one_claim(HEAT, Theta(step, 1, theta, solver), name)
            assert claim.limit == limit and str(claim.status) == wanted
    assert p2n.compile(HEAT, Theta(None, 1, theta), UNIT).certificate.tau == limit


def test_the_maximum_principle_keeps_a_limit_below_theta_one():
    for theta, limit in ((HALF, 1), (QUARTER, sp.Rational(2, 3))):
        claim = claims(HEAT, Theta(tau, 1, theta, Kacanov(iterations=1)))["maximum_principle"]
        assert claim.status == "proved if" and claim.limit == limit
    assert status(HEAT, Theta(2, 1, HALF, Kacanov(iterations=1)), "maximum_principle") == "refuted"


def test_every_step_is_stable_so_there_is_no_largest_one():
    for scheme in (Implicit(None), Theta(None, 1, 1), AOS(None)):
        with pytest.raises(p2n.DeclarationError, match="every tau is stable"):
            p2n.verify(HEAT, scheme, UNIT)
    assert p2n.verify(rational(), Theta(None, 1, HALF), UNIT).tau == 1


# -- truncated conjugate gradients ----------------------------------------------------------------


@pytest.mark.parametrize("iterations", [1, 2, 3, 7])
def test_norms_of_conjugate_gradients_stay_below_those_of_the_input(iterations):
    scheme = Implicit(40, 1, Kacanov(iterations=2, linear_iterations=iterations, linear_tol=1e-12))
    declared = rational(2)
    run = interpreted(declared, scheme)
    for u in inputs(2):
        assert np.linalg.norm(run(u)) <= np.linalg.norm(u) * (1 + 1e-12)


def test_truncation_is_not_passed_over():
    coarse = Implicit(40, 1, Kacanov(iterations=1, linear_iterations=2))
    found = claims(HEAT2, coarse)
    assert found["l2_stability"].status == found["frozen_stability"].status == "proved"
    for name in ("maximum_principle", "nonexpansive", "well_posed"):
        assert found[name].status in ("unknown", "refuted"), name
    for preconditioner in ("none", "diagonal", "multigrid"):
        scheme = Implicit(4, 1, Kacanov(iterations=1, linear_iterations=1, preconditioner=preconditioner))
        found = claims(charbonnier(2), scheme)
        for name in ("l2_stability", "mean_preservation", "energy_decay"):
            assert found[name].status == "proved", (preconditioner, name)
    found = claims(HEAT2, Implicit(4, 1, Newton(iterations=1)))
    assert found["l2_stability"].status != "proved" and found["frozen_stability"].status == "linearised"


def test_krylov_factor_bounds_the_error_of_conjugate_gradients():
    step = 3
    plain = Kacanov(iterations=1, preconditioner="none")
    claim = claims(HEAT2, Implicit(step, 1, plain))["solver_convergence"]
    assert claim.status == "proved" and abs(float(claim.factor) - (5 - 1) / (5 + 1)) < 1e-12
    n = 8
    K = np.diff(np.eye(n), axis=0)
    A = np.kron(K.T @ K, np.eye(n)) + np.kron(np.eye(n), K.T @ K)
    M, u = np.eye(n * n) + step * A, np.random.default_rng(0).normal(size=(n, n))
    exact = np.linalg.solve(M, u.ravel())
    for k in (2, 4, 8):
        cut = Kacanov(iterations=1, linear_iterations=k, linear_tol=1e-14, preconditioner="none")
        e = interpreted(HEAT2, Implicit(step, 1, cut))(u).ravel() - exact
        assert e @ M @ e <= (2 * float(claim.factor) ** k) ** 2 * (exact @ M @ exact)


# -- a tolerance makes the number of iterations depend on the input -------------------------------


def test_with_a_tolerance_the_output_jumps_so_nothing_is_said_of_distances():
    declared, scheme = HEAT, Implicit(1, 1, Kacanov(tol=1e-2))
    found = claims(declared, scheme)
    assert found["nonexpansive"].status == found["well_posed"].status == "unknown"
    assert found["l2_stability"].status == found["mean_preservation"].status == "proved"
    run, wave = module(declared, scheme), np.cos(np.pi * (np.arange(9) + 0.5) / 9)
    low, high = 0.0, 1.0  # between them lies an input where one more iteration sets in
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if np.array_equal(run(1 + middle * wave), 1 + middle * wave) else (low, middle)
        )
    a, b = 1 + low * wave, 1 + high * wave
    assert np.linalg.norm(run(a) - run(b)) > 1e6 * np.linalg.norm(a - b) > 0
    assert status(declared, Implicit(1, 1, Kacanov(iterations=1)), "nonexpansive") == "proved"


# -- reactions ------------------------------------------------------------------------------------


def test_reactions_that_are_lagged_prove_nothing():
    cubic = problem(laplacian(u1) - u1**3)
    found = claims(cubic, Implicit(5, 1, Kacanov(iterations=3)))
    assert all(found[n].status not in ("proved", "proved if") for n in ("l2_stability", "maximum_principle"))
    growth = claims(
        problem(laplacian(u1) + kappa * u1, parameters={kappa: 2}), Implicit(1, 1, Kacanov(iterations=2))
    )
    assert growth["l2_stability"].status == "not applicable"
    assert growth["frozen_stability"].status == growth["solver_convergence"].status == "unknown"


def test_fidelity_terms():
    declared = problem(laplacian(u1) + 2 * (f(x) - u1))
    found = claims(declared, Implicit(4, 1, Kacanov(iterations=1)))
    assert found["l2_stability"].status == "not applicable"
    for name in ("maximum_principle", "frozen_stability", "energy_decay", "nonexpansive", "well_posed"):
        assert found[name].status == "proved", name
    import torch

    net = p2n.compile(declared, Implicit(4, 1, Kacanov(iterations=1)), UNIT).module().double()
    rng = np.random.default_rng(0)
    for _ in range(50):
        u, data = (torch.from_numpy(rng.normal(size=(1, 1, 12)) * rng.uniform(0.1, 9)) for _ in "uf")
        v = net(u, f=data)
        assert v.max() <= max(u.max(), data.max()) + 1e-12 and v.min() >= min(u.min(), data.min()) - 1e-12


def test_prefactors_that_vary_are_not_symmetric():
    c = sp.Function("c", nonnegative=True)(x)
    declared = problem(c * laplacian(u1))
    assert status(declared, Implicit(1, 1, Kacanov(iterations=1)), "l2_stability") == "unknown"
