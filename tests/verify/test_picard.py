"""Claims about Picard iterates: their polynomials, and inputs that attack them."""

import numpy as np
import pytest
import sympy as sp
from cell_support import (
    HALF,
    HEAT,
    QUARTER,
    charbonnier,
    claims,
    inputs,
    kappa,
    module,
    one_claim,
    problem,
    rational,
    u1,
)
from support import tau

import pde2net as p2n
from pde2net import FixedPoint, Implicit, Theta, laplacian

# -- Picard ---------------------------------------------------------------------------------------


def picard(z, theta, count):
    """p_l(z) by its recursion."""
    p = np.ones_like(z)
    for _ in range(count):
        p = 1 - (1 - theta) * z - theta * z * p
    return p


@pytest.mark.parametrize("theta", [sp.Integer(1), HALF, QUARTER, sp.Rational(3, 4), sp.Rational(1, 10)])
def test_reach_of_picard_polynomials(theta):
    from pde2net.verify.theorems.picard import _reach

    for count in range(1, 10):
        reach = float(_reach(theta, count))
        z = np.linspace(0, reach, 4001)
        assert abs(picard(z, float(theta), count)).max() <= 1 + 1e-9
        if count % 2 or theta >= HALF:  # else it is a lower bound of the reach
            assert abs(picard(np.array([reach * (1 + 1e-6)]), float(theta), count))[0] > 1


@pytest.mark.parametrize(
    "count,limit", [(2, QUARTER), (3, 0.3383), (4, QUARTER), (5, 0.3037), (None, QUARTER)]
)
def test_picard_iterates_of_the_heat_equation(count, limit):
    solver = FixedPoint(iterations=count) if count else FixedPoint(tol=1e-4)
    claim = one_claim(HEAT, Implicit(tau, 1, solver), "l2_stability")
    assert claim.status == "proved if" and abs(float(claim.limit) - float(limit)) < 1e-3
    if count:
        for factor, wanted in ((1, "proved"), (sp.Rational(11, 10), "refuted")):
            scheme = Implicit(claim.limit * factor, 1, solver)
            for name in ("l2_stability", "frozen_stability", "nonexpansive"):
                assert str(one_claim(HEAT, scheme, name).status) == wanted


def test_one_picard_iteration_is_an_explicit_step():
    for theta in (1, HALF):
        found = claims(rational(), Theta(HALF, 2, theta, FixedPoint(iterations=1)))
        same = claims(rational(), p2n.Explicit(HALF, 2))
        for name in same:
            if name != "solver_convergence":
                assert found[name] == same[name] or found[name].status == "refuted", name


@pytest.mark.parametrize(
    "count,limit", [(2, QUARTER), (3, sp.Rational(1, 8)), (6, sp.Rational(1, 8)), (None, sp.Rational(1, 8))]
)
def test_nonlinear_picard_iterates_below_their_limit(count, limit):
    solver = FixedPoint(iterations=count) if count else FixedPoint(tol=1e-3)
    declared, scheme = rational(), Implicit(limit, 1, solver)
    claim = one_claim(declared, scheme, "l2_stability")
    assert claim.status == "proved" and claim.limit == limit
    run = module(declared, scheme)
    for u in inputs():
        assert np.linalg.norm(run(u)) <= np.linalg.norm(u) * (1 + 1e-12)


def test_picard_lipschitz_constant_and_growth():
    scheme = Implicit(QUARTER, 1, FixedPoint(iterations=3))
    claim = one_claim(charbonnier(), scheme, "well_posed")
    assert claim.status == "proved" and claim.factor == 4  # 1 + q + q² + q³, q = 1
    growing = problem(laplacian(u1) + kappa * u1, parameters={kappa: HALF})
    claim = one_claim(growing, Implicit(QUARTER / 2, 1, FixedPoint(iterations=2)), "frozen_stability")
    z = sp.Rational(1, 16)
    assert claim.status == "linearised" and claim.factor == 1 + z + z**2
    run = module(growing, Implicit(QUARTER / 2, 1, FixedPoint(iterations=2)))
    assert abs(run(np.ones(6))[0] - float(claim.factor)) < 1e-12


def test_acceleration_proves_the_mean_alone():
    scheme = Implicit(QUARTER / 2, 1, FixedPoint(iterations=5, anderson=2))
    found = p2n.verify(charbonnier(), scheme).claims
    assert found["mean_preservation"].status == "proved"
    assert found["solver_convergence"].status == "linearised"
    assert all(
        found[n].status != "proved" for n in ("l2_stability", "well_posed", "consistency", "frozen_stability")
    )
    run = module(charbonnier(), scheme)
    assert all(abs(run(u).mean() - u.mean()) < 1e-11 * abs(u).max() for u in inputs())
