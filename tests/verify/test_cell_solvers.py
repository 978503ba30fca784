"""Convergence of the solvers of cells, and the order of what they leave."""

import numpy as np
import pytest
import sympy as sp
from cell_support import (
    HALF,
    HEAT,
    HEAT2,
    QUARTER,
    UNIT,
    charbonnier,
    claims,
    f,
    interpreted,
    one_claim,
    problem,
    rational,
    u1,
)
from support import h, tau, x

import pde2net as p2n
from pde2net import AOS, FixedPoint, Implicit, Kacanov, Newton, Theta, laplacian

# -- solvers --------------------------------------------------------------------------------------


def test_contraction_is_strict():
    for step, wanted in ((QUARTER - sp.Rational(1, 10**9), "proved"), (QUARTER, "unknown"), (1, "refuted")):
        claim = one_claim(HEAT, Implicit(step, 1, FixedPoint(iterations=4)), "solver_convergence")
        assert str(claim.status) == wanted
    assert one_claim(HEAT, Implicit(0.2, 1, FixedPoint()), "solver_convergence").factor == sp.Rational(4, 5)
    witness = claim.witness
    u = np.array(witness["u0"])
    run, one = interpreted(HEAT, Implicit(1, 1, FixedPoint(iterations=4))), interpreted(HEAT, p2n.Explicit(1))
    v = run(u)
    left = np.linalg.norm(v - u - (one(v) - v)) / np.linalg.norm(one(u) - u)
    assert abs(left - 1 - witness["excess"]) < 1e-9 * left and left > 2


def test_symbolic_steps_state_the_condition():
    claim = one_claim(HEAT, Implicit(tau, 1, FixedPoint()), "solver_convergence", p2n.Grid(spacing=h))
    assert claim.status == "proved if" and claim.condition == sp.Lt(tau, h**2 / 4)
    assert claims(HEAT, Implicit(tau), p2n.Grid(spacing=h))["l2_stability"].status == "proved"


@pytest.mark.parametrize("declared", [charbonnier(), rational()])
def test_local_factor_of_lagged_diffusivities(declared):
    step = 0.2 if declared == rational() else 5
    claim = one_claim(declared, Implicit(step, 1, Kacanov()), "solver_convergence")
    assert claim.status == "linearised" and claim.factor < 1
    sigma = 2 if "sqrt" not in str(declared.rhs) else 1
    z = 4 * step
    assert abs(float(claim.factor) - sigma * z / (1 + z)) < 1e-12
    n, rng = 12, np.random.default_rng(3)
    K = np.diff(np.eye(n), axis=0)
    g = (lambda s: 1 / (1 + s / 0.16)) if sigma == 2 else (lambda s: 1 / np.sqrt(1 + s / 0.16))
    for size in (0.1, 0.5, 2.0):
        rhs = size * rng.normal(size=n)

        def after(v, rhs=rhs):
            return np.linalg.solve(np.eye(n) + step * K.T @ np.diag(g((K @ v) ** 2)) @ K, rhs)

        v = rhs
        for _ in range(400):
            v = after(v)
        J = np.stack([(after(v + 1e-6 * e) - after(v - 1e-6 * e)) / 2e-6 for e in np.eye(n)], axis=1)
        assert abs(np.linalg.eigvals(J)).max() <= float(claim.factor) + 1e-6
    assert str(one_claim(rational(), Implicit(1, 1, Kacanov()), "solver_convergence").status) == "unknown"


def test_convergence_of_the_other_solvers():
    for solver in (Kacanov(), Newton()):
        exact = one_claim(HEAT, Implicit(9, 1, solver), "solver_convergence")
        assert exact.status == "proved" and exact.factor == 0
    newton = one_claim(charbonnier(), Implicit(9, 1, Newton()), "solver_convergence")
    assert newton.status == "linearised" and newton.factor == 0
    assert str(one_claim(rational(), Implicit(9, 1, Newton()), "solver_convergence").status) == "unknown"
    assert str(one_claim(HEAT2, AOS(3), "solver_convergence").status) == "not applicable"


def test_steady_states_have_no_claims_about_steps():
    declared = problem(laplacian(u1) + 2 * (f(x) - u1))
    found = claims(declared, Implicit(sp.oo))
    for name, claim in found.items():
        about = ("solver_convergence", "well_posed", "bounded_by_data", "maximum_principle")  # not of a step
        ended = ("lipschitz_in_data", "averaged")  # nor are these, but a tolerance ends the iterations
        wanted = "proved" if name in about else "unknown" if name in ended else "not applicable"
        assert str(claim.status) == wanted, name


# -- consistency ----------------------------------------------------------------------------------

SOLVED = [
    (Implicit, {}, Kacanov, 1),
    (Implicit, {}, Kacanov, 3),
    (Implicit, {}, Newton, 1),
    (Implicit, {}, FixedPoint, 2),
    (Theta, {"theta": HALF}, Kacanov, 1),
    (Theta, {"theta": HALF}, Kacanov, 2),
    (Theta, {"theta": HALF}, Newton, 1),
    (Theta, {"theta": HALF}, FixedPoint, 2),
    (Theta, {"theta": HALF}, FixedPoint, 3),
    (Theta, {"theta": sp.Rational(3, 4)}, FixedPoint, 3),
]


@pytest.mark.parametrize("scheme,options,solver,count", SOLVED)
def test_order_in_time_of_what_is_emitted(scheme, options, solver, count):
    """The local error of one step against the exact flow u' = F(u), by many small Runge-Kutta steps."""
    declared = charbonnier()
    u = 0.5 * np.cos(np.pi * (np.arange(8) + 0.5) / 8) + 0.1 * np.arange(8) % 0.3
    rate = interpreted(declared, p2n.Explicit(sp.Rational(1, 64)))

    def F(w):
        return 64 * (rate(w) - w)

    errors = []
    for step in (sp.Rational(1, 20), sp.Rational(1, 40), sp.Rational(1, 80)):
        v, dt = u, float(step) / 8
        for _ in range(8):
            k1 = F(v)
            k2 = F(v + dt / 2 * k1)
            k3 = F(v + dt / 2 * k2)
            v = v + dt / 6 * (k1 + 2 * k2 + 2 * k3 + F(v + dt * k3))
        made = scheme(step, 1, solver=solver(iterations=count), **options)
        errors.append((v - interpreted(declared, made)(u)) / float(step))
    claim = one_claim(declared, made, "consistency")
    figures = {k: v for e in claim.hypotheses for k, v in e.figures.items()}
    order = np.log2(np.linalg.norm(errors[1]) / np.linalg.norm(errors[2]))
    assert claim.status == "proved" and abs(order - int(figures["order in tau"])) < 0.15
    leading = figures.get("leading error in tau")
    if leading is not None and order < 1.5:  # against u_tt = F'(u) F(u), by differences
        utt = (F(u + 1e-5 * F(u)) - F(u - 1e-5 * F(u))) / 2e-5
        predicted = float(leading.coeff(sp.Symbol("u_tt", real=True)).subs(tau, 1 / 80)) * utt
        assert np.linalg.norm(errors[2] - predicted) < 0.2 * np.linalg.norm(predicted)


def test_what_a_tolerance_leaves_is_assumed_to_be_small():
    for scheme, assumed in (
        (Implicit(1, 1, Kacanov(iterations=2)), False),
        (Implicit(1, 1, Kacanov()), True),
    ):
        claim = one_claim(charbonnier(), scheme, "consistency")
        assert claim.status == "proved" and any(e.name == "solver" for e in claim.hypotheses) == assumed


def test_the_subject_names_iteration_and_systems():
    line = p2n.verify(charbonnier(2), Implicit(5, 1, Kacanov()), UNIT).subject["scheme"]
    assert line == (
        "implicit, tau = 5, 1 step, Kacanov iteration to 1e-06, at most 50 (a warning beyond), conjugate "
        "gradients to 1e-08, at most 30, preconditioner multigrid: v = u + tau F(v); F(u) = -K^T Phi(K u)"
    )
