"""Claims about Du Fort-Frankel, FSI, FED and RKL: limits from both sides, against NumPy formulas."""

import functools

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from support import beta, diffusion, equation, h, tau, unknown, x

import pde2net as p2n
from pde2net import laplacian
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import Z
from pde2net.verify.case import Case
from pde2net.verify.certificate import CLAIMS
from pde2net.verify.claims import table
from pde2net.verify.facts import gather
from pde2net.verify.plan import planned
from pde2net.verify.polynomial import polynomial

u1, u2 = unknown(1), unknown(2)
f = sp.Function("f")
R = sp.Rational


def rational(s):
    return 1 / (1 + s)


def charbonnier(s):
    return 1 / sp.sqrt(1 + s)


HEAT, HEAT_2D = p2n.Problem(equation(laplacian(u1), 1)), p2n.Problem(equation(laplacian(u2), 2))
PERONA, CHARBONNIER = diffusion(rational), diffusion(charbonnier)
FIDELITY = p2n.Problem(equation(laplacian(u1) + 2 * (f(x) - u1), 1))
DAMPED = p2n.Problem(equation(laplacian(u1) - 2 * u1, 1))
TANH = p2n.Problem(equation(laplacian(u1) - sp.tanh(u1), 1))
GROWING = p2n.Problem(equation(laplacian(u1) + 3 * u1, 1))


@functools.cache
def claims(problem, scheme):
    return p2n.verify(problem, scheme).claims


@functools.cache
def facts_of(problem):
    semi = semidiscretise(recognise(problem), p2n.Grid())
    return semi, gather(semi)


def planned_for(problem, scheme):
    semi, facts = facts_of(problem)
    return planned(semi, scheme, facts)


def derived(problem, scheme, *names):
    """Claims without a search for counterexamples."""
    plan = planned_for(problem, scheme)
    case = Case(plan.semi, facts_of(problem)[1], scheme, plan.update, plan.tau, None)
    found = [table(case)[n](case) for n in names]
    return found[0] if len(found) == 1 else found


def status(problem, scheme, *names):
    found = claims(problem, scheme)
    return [str(found[n].status) for n in names]


# -- polynomials -------------------------------------------------------------------------------


def values(scheme, z):
    """P by the recursion of the stages, in NumPy."""
    now = before = np.ones_like(z)
    if isinstance(scheme, p2n.FED):
        n = scheme.cycle_length
        return np.prod(
            [1 - z / (2 * np.cos(np.pi * (2 * i + 1) / (4 * n + 2)) ** 2) for i in range(n)], axis=0
        )
    if isinstance(scheme, p2n.FSI):
        for k in range(scheme.cycle_length):
            a = (4 * k + 2) / (2 * k + 3)
            now, before = a * (1 - z) * now + (1 - a) * before, now
        return now
    s = scheme.stages
    w = 2 / (s * s + s) if scheme.order == 1 else 4 / (s * s + s - 2)
    legendre = np.polynomial.legendre.Legendre.basis(s)(1 - w * z)
    b = 1 if scheme.order == 1 else (s * s + s - 2) / (2 * s * (s + 1))
    return 1 - b + b * legendre


CYCLES = [
    *(p2n.FSI(1, n) for n in (1, 2, 5, 10, 25)),
    *(p2n.FED(1, n) for n in (2, 7)),
    *(p2n.RKL(1, 1, s) for s in (1, 2, 5, 12)),
    *(p2n.RKL(2, 1, s) for s in (3, 4, 9, 20)),
]


@pytest.mark.parametrize("scheme", CYCLES, ids=str)
def test_the_polynomial_is_bounded_up_to_its_reach_and_not_beyond_its_limit(scheme):
    found = polynomial(scheme)
    z = np.linspace(0, float(found.reach), 4001)
    assert abs(values(scheme, z)).max() <= 1 + 1e-12
    middle = sp.Rational(found.reach) / 3
    assert float(found.poly.eval(middle)) == pytest.approx(float(values(scheme, np.array(float(middle)))))
    exact = found.limit(10 * found.reach)
    assert exact == found.limit(found.reach + R(1, 10**13))  # whether or not the step is allowed
    assert found.limit(found.reach) == found.reach <= exact
    assert abs(values(scheme, np.linspace(0, float(exact), 4001))).max() <= 1 + 1e-9
    assert abs(found.poly.eval(exact)) <= 1 < abs(found.poly.eval(exact + R(1, 10**11)))


def test_the_limit_of_a_single_stage_is_three():
    assert polynomial(p2n.FSI(1, 1)).limit(R(29, 10)) == 3
    for step in (R(3, 4), R(4, 5)):
        assert claims(PERONA, p2n.FSI(step, 1))["l2_stability"].limit == R(3, 4)


@pytest.mark.parametrize("n", [2, 10, 50, 100])
def test_a_step_between_two_and_the_exact_limit_is_proved(n):
    """n = 10: P(2.05) = 0.64 (proved), n = 25: 30 (not)."""
    bound = (2 * n + 1) * np.cosh(np.linspace(0, 2, 200001) / 2) - np.cosh(
        (n + 0.5) * np.linspace(0, 2, 200001)
    )
    eta = np.linspace(0, 2, 200001)[np.nonzero(bound >= 0)[0][-1]]  # |D_n| <= 2 n + 1
    exact = 1 + np.cosh(eta)
    within, beyond = (R(str(round(exact * (1 + s * 1e-4), 8))) / 4 for s in (-1, 1))
    assert within > R(1, 2)
    claim = derived(HEAT, p2n.FSI(within, n), "l2_stability")
    assert claim.status == "proved"
    assert float(claim.limit) == pytest.approx(exact / 4, rel=2e-5)
    assert derived(HEAT, p2n.FSI(beyond, n), "l2_stability").status == "unknown"


def test_every_polynomial_is_that_of_the_network():
    for scheme in CYCLES:
        assert update_of(scheme).amplification().as_expr() == polynomial(scheme).poly.as_expr()
        assert polynomial(scheme).poly.eval(0) == 1
        assert polynomial(scheme).poly.gen == Z


# -- l2 and frozen stability -------------------------------------------------------------------


@pytest.mark.parametrize("freeze,expected", [("cycle", "proved"), ("step", "linearised")])
@pytest.mark.parametrize("kind", [p2n.FSI, p2n.FED])
def test_kept_diffusivities_are_proved(kind, freeze, expected):
    scheme = kind(R(1, 2), 10, freeze=freeze)
    l2, frozen = derived(PERONA, scheme, "l2_stability", "frozen_stability")
    assert (l2.status, frozen.status, l2.limit) == (expected, "proved", R(1, 2))
    symbolic = derived(PERONA, kind(tau, 10, freeze=freeze), "l2_stability")
    assert symbolic.condition == sp.Le(tau, R(1, 2))
    assert symbolic.status == ("proved if" if freeze == "cycle" else "linearised")


def test_a_long_cycle_beyond_the_limit_is_refuted():
    scheme = p2n.FSI(0.53, 25)
    found = claims(PERONA, scheme)
    for name in ("l2_stability", "frozen_stability"):
        assert found[name].status == "refuted"
        assert found[name].witness["excess"] > 0.1
    assert "coefficients kept" in found["frozen_stability"].witness["description"]
    assert claims(PERONA, p2n.FSI(0.53, 25, freeze="step"))["frozen_stability"].status == "refuted"


@pytest.mark.parametrize("order,stages", [(1, 2), (1, 6), (2, 3), (2, 8)])
def test_limits_of_rkl(order, stages):
    steps = stages**2 + stages if order == 1 else (stages**2 + stages - 2) / 2
    limit = R(steps) / 4
    for factor, expected in ((1, "proved"), (R(6, 5), "refuted")):
        scheme = p2n.RKL(order, factor * limit, stages)
        names = ("l2_stability", "nonexpansive", "energy_decay", "frozen_stability")
        if factor == 1:
            assert [str(c.status) for c in derived(HEAT, scheme, *names)] == ["proved"] * 4
            l2, frozen = derived(PERONA, scheme, "l2_stability", "frozen_stability")
            assert (l2.status, frozen.status) == ("linearised", "proved")
        else:
            assert status(HEAT, scheme, "l2_stability", "frozen_stability") == [expected] * 2


def test_damping_and_fidelity_shift_the_limit():
    assert derived(DAMPED, p2n.FSI(tau, 5), "l2_stability").limit == R(1, 3)
    assert derived(FIDELITY, p2n.FSI(tau, 5), "l2_stability").status == "not applicable"
    found = claims(FIDELITY, p2n.RKL(1, tau, 5))
    assert found["frozen_stability"].limit == found["nonexpansive"].limit == found["energy_decay"].limit == 5
    # b(u) changes with u: only with one stage per cycle is it kept
    assert derived(TANH, p2n.FSI(R(2, 5), 5), "l2_stability").status == "linearised"
    for claim in derived(TANH, p2n.FSI(R(3, 5), 1), "l2_stability", "nonexpansive"):
        assert claim.status == "proved"


def test_growth_by_a_reaction():
    """P(-3 tau) <= exp(3 T), and the zero of l² - a c l - (1 - a) beyond 1 is below 1 + 6 tau."""
    scheme = p2n.FSI(R(1, 4), 4)
    claim = derived(GROWING, scheme, "frozen_stability")
    assert claim.status == "linearised"
    assert values(scheme, np.array(-3 / 4)) <= float(claim.factor) == pytest.approx(np.exp(3 * 20 / 3 / 4))
    for step in (R(1, 10), R(1, 2), 4):
        alpha = 1.5
        claim = derived(GROWING, p2n.DuFortFrankel(step, R(3, 2)), "frozen_stability")
        a = 4 * float(step) * alpha / (1 + 2 * float(step) * alpha)
        c = 1 + 3 / (2 * alpha)
        assert (
            max(abs(np.roots([1, -a * c, a - 1])))
            <= float(claim.factor)
            == pytest.approx(1 + 6 * float(step))
        )


# -- Du Fort-Frankel ---------------------------------------------------------------------------


def test_du_fort_frankel_for_every_step():
    names = ("l2_stability", "maximum_principle", "frozen_stability")
    assert status(PERONA, p2n.DuFortFrankel(10, 1, 5), *names) == ["refuted", "refuted", "proved"]
    for claim in derived(PERONA, p2n.DuFortFrankel(R(1, 2), 1, 5), *names):
        assert claim.status == "proved"
    assert status(PERONA, p2n.DuFortFrankel(10, R(9, 10), 5), *names) == ["refuted"] * 3
    assert claims(PERONA, p2n.DuFortFrankel(10, 1, 5))["frozen_stability"].limit == sp.oo
    for claim in derived(CHARBONNIER, p2n.DuFortFrankel(R(1, 4), 2, 7), "nonexpansive", "energy_decay"):
        assert claim.status == "proved"
    claim = derived(HEAT_2D, p2n.DuFortFrankel(tau, 3), "l2_stability")
    assert claim.condition == sp.Le(tau, R(1, 6))


def test_alpha_decides_by_the_companion_matrix():
    """Spectral radius over all frequencies, for alpha around 1 = ‖K‖²/4."""
    nu = 4 * np.sin(np.linspace(0, np.pi, 401) / 2) ** 2
    for alpha in (R(1, 2), R(9, 10), 1, R(11, 10), 3):
        radius = 0.0
        for step in (0.1, 1.0, 30.0):
            a = 4 * step * float(alpha) / (1 + 2 * step * float(alpha))
            radius = max(
                radius, *(max(abs(np.roots([1, -a * (1 - n / (2 * float(alpha))), a - 1]))) for n in nu)
            )
        claim = derived(HEAT, p2n.DuFortFrankel(30, alpha), "frozen_stability")
        assert claim.status == ("proved" if radius <= 1 + 1e-9 else "unknown")


def test_the_witness_against_alpha_grows_beyond_any_stable_scheme():
    claim = claims(HEAT, p2n.DuFortFrankel(10, R(9, 10), 3))["frozen_stability"]
    now = before = u = np.array(claim.witness["u0"])
    n, a = u.size, 18 / 19
    a = 4 * 10 * 0.9 / (1 + 2 * 10 * 0.9)
    K = np.diff(np.eye(n), axis=0)
    for _ in range(claim.witness["steps"]):
        now, before = a * (now - K.T @ K @ now / 1.8) + (1 - a) * before, now
    grown = np.linalg.norm(now) / np.linalg.norm(u) / (2 * claim.witness["steps"] + 1) - 1
    assert claim.witness["excess"] == pytest.approx(grown, rel=1e-6)
    assert grown > 0


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-3, 1e3), st.floats(-1, 1), st.integers(1, 600))
def test_stable_modes_stay_below_two_k_plus_one(step_alpha, c, k):
    """|u^k| <= 2 k + 1 for |c| <= 1: what makes growth beyond it a refutation."""
    a = 4 * step_alpha / (1 + 2 * step_alpha)
    now = before = 1.0
    for _ in range(k):
        now, before = a * c * now + (1 - a) * before, now
    assert abs(now) <= (2 * k + 1) * (1 + 1e-9)


def test_the_step_and_alpha_that_none_asks_for():
    for problem, scheme, expected in (
        (diffusion(rational, 2), p2n.DuFortFrankel(None), R(1, 4)),
        (diffusion(rational, 2), p2n.FSI(None, 6), R(1, 4)),
        (diffusion(rational, 2), p2n.FED(None, 6), R(1, 4)),
        (PERONA, p2n.RKL(1, None, 4), 5),
        (PERONA, p2n.RKL(2, None, 4), R(9, 4)),
        (FIDELITY, p2n.DuFortFrankel(None), R(1, 3)),
        (FIDELITY, p2n.FSI(None, 3), R(1, 3)),
    ):
        assert planned_for(problem, scheme).tau == expected
    certificate = p2n.verify(HEAT, p2n.DuFortFrankel(None), p2n.Grid(spacing=h))
    assert certificate.tau == h**2 / 2
    assert certificate.stable


# -- the other claims --------------------------------------------------------------------------


def test_maximum_principles():
    assert status(HEAT, p2n.FSI(R(1, 2), 4), "maximum_principle") == ["unknown"]  # a box filter, in fact
    for scheme in (p2n.FED(R(3, 4), 1), p2n.RKL(1, R(1, 2), 1)):
        assert derived(HEAT, scheme, "maximum_principle").status == "proved"


def test_nothing_is_claimed_of_differences_under_nonlinear_cycles():
    found = p2n.verify(CHARBONNIER, p2n.FSI(R(1, 2), 4)).claims
    assert found["nonexpansive"].status in ("unknown", "refuted")
    assert found["energy_decay"].status in ("unknown", "refuted")
    assert found["well_posed"].status == "unknown"
    assert "start of a cycle" in found["well_posed"].reason
    stepwise = p2n.FSI(R(1, 2), 4, freeze="step")
    assert derived(CHARBONNIER, stepwise, "well_posed").status == "proved"


@pytest.mark.parametrize(
    "scheme",
    [p2n.DuFortFrankel(2, 1, 4), p2n.FSI(R(1, 2), 3), p2n.FED(R(1, 4), 3), p2n.RKL(2, R(1, 2), 3)],
    ids=str,
)
def test_the_lipschitz_factor_bounds_the_jacobian(scheme):
    """For the heat equation the factor of a cycle is at least the largest |P|, or companion power."""
    claim = derived(HEAT, scheme, "well_posed")
    mode = (-1.0) ** np.arange(41)
    run = p2n.compile(HEAT, scheme, on_unstable="ignore")
    from pde2net.graph.interpret import Interpreter

    out = Interpreter(run.graph)(mode)
    assert np.linalg.norm(out) <= float(claim.factor) * np.linalg.norm(mode)
    assert claim.factor >= 1


def test_the_mean_is_kept_by_all():
    for scheme in (p2n.DuFortFrankel(7, 1, 3), p2n.FSI(9, 4), p2n.FED(9, 3), p2n.RKL(1, 99, 3)):
        assert derived(PERONA, scheme, "mean_preservation").status == "proved"
    open_border = p2n.Problem(equation(laplacian(u1), 1), boundary="dirichlet")
    assert status(open_border, p2n.FED(R(1, 2), 3), "mean_preservation") == ["refuted"]


def test_every_claim_is_made_in_order():
    for scheme in (p2n.DuFortFrankel(tau, 1), p2n.FSI(tau, 2), p2n.FED(tau, 2), p2n.RKL(2, tau, 3)):
        found = claims(HEAT, scheme)
        assert tuple(found) == CLAIMS
        assert found["solver_convergence"].status == "not applicable"


# -- consistency -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [p2n.FSI(tau, 7), p2n.FED(tau, 4), p2n.RKL(1, tau, 6)], ids=str)
def test_the_leading_error_in_time(scheme):
    """(P(z) - exp(-T z))/T for small z, against the coefficient of u_tt."""
    figures = derived(HEAT, scheme, "consistency").hypotheses[0].figures
    leading = figures["leading error in tau"].subs(sp.Symbol("u_tt", real=True), 1).subs(tau, 1)
    time = float(update_of(scheme).time.subs(tau, 1))
    z = 1e-4 / time
    measured = (np.exp(-time * z) - values(scheme, np.array(z))) / time / z**2
    assert measured == pytest.approx(float(leading), rel=1e-3)


def test_words_about_consistency():
    reason = derived(HEAT, p2n.DuFortFrankel(tau, 2), "consistency").reason
    assert "O(tau**2 + h**2 + tau**2/h**2)" in reason
    assert "2*tau**2*u_tt" in reason
    assert "tau/h -> 0" in reason
    assert "O(tau**2 + h**2)" in derived(PERONA, p2n.RKL(2, 1, 4), "consistency").reason
    frozen = derived(PERONA, p2n.FSI(1, 4), "consistency")
    assert "O(tau + h**2)" in frozen.reason
    assert "leading error in tau" not in frozen.hypotheses[0].figures
    fourth = p2n.Problem(equation(-laplacian(laplacian(u1)), 1))
    assert "tau/h**2 -> 0" in derived(fourth, p2n.DuFortFrankel(1, 4), "consistency").reason


def test_beta_is_a_symbol():
    """Limits in parameters: tau <= 2/(4/h² + beta)."""
    problem = p2n.Problem(equation(laplacian(u1) - beta * u1, 1))
    claim = p2n.verify(problem, p2n.FED(tau, 3), p2n.Grid(spacing=h)).claims["l2_stability"]
    assert claim.status == "proved if"
    assert sp.simplify(claim.condition.rhs - 2 / (4 / h**2 + beta)) == 0
