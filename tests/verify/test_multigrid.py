"""Claims about U-nets: the factor of cycles, what is not claimed of truncated ones, and what is refuted."""

import dataclasses

import numpy as np
import pytest
import sympy as sp
from cell_support import HEAT, HEAT2, UNIT, charbonnier, f, interpreted, problem, rational
from support import x, y

import pde2net as p2n
from pde2net import Multigrid, laplacian
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of
from pde2net.verify.case import Case
from pde2net.verify.engine import instability
from pde2net.verify.facts import gather
from pde2net.verify.multigrid import CLAIMS


def claim(declared, scheme, name="solver_convergence", grid=UNIT):
    """One claim, without a search."""
    semi = semidiscretise(recognise(declared), grid)
    return CLAIMS[name](Case(semi, gather(semi), scheme, update_of(scheme), scheme.tau, None))


# Textbook factors of damped Jacobi for large steps (Trottenberg, Oosterlee, Schüller 2001, section 3.3).
@pytest.mark.parametrize("pre,post,factor", [(1, 0, 1 / 3), (1, 1, 1 / 9), (2, 1, 0.0787), (0, 2, 1 / 9)])
def test_textbook_factors(pre, post, factor):
    scheme = Multigrid(10**9, levels=2, pre=pre, post=post, damping=sp.Rational(2, 3))
    found = claim(HEAT, scheme)
    assert found.status == "linearised" and abs(float(found.factor) - factor) < 2e-4
    assert claim(HEAT, scheme, "frozen_stability").status == "proved"
    nonlinear = claim(charbonnier(), scheme, "frozen_stability")
    assert nonlinear.status == "linearised" and abs(float(nonlinear.factor) - factor) < 2e-4


@pytest.mark.parametrize(
    "scheme",
    [
        Multigrid(3, levels=2),
        Multigrid(50, levels=2, pre=2, post=2),
        Multigrid(50, levels=2, smoother="red-black"),
        Multigrid(50, levels=2, pre=2, post=1, smoother="chebyshev"),
    ],
)
def test_factors_predict_how_emitted_cycles_converge(scheme):
    """On a periodic grid, two grids only: the residual of the emitted cycle, cycle by cycle."""
    declared = p2n.Problem(HEAT2.equation, boundary="periodic")
    factor = float(claim(declared, scheme).factor)
    u = np.random.default_rng(0).normal(size=(16, 16))
    residuals = []
    for cycles in (4, 8):
        v = interpreted(declared, Multigrid(**{**options(scheme), "cycles": cycles}))(u)
        A = sum(2 * v - np.roll(v, 1, a) - np.roll(v, -1, a) for a in (0, 1))
        residuals.append(np.linalg.norm(v + float(scheme.tau) * A - u))
    observed = (residuals[1] / residuals[0]) ** 0.25
    assert observed < factor * 1.05 + 0.01  # the bottleneck is solved to a tenth only
    assert observed > factor / 3


def options(scheme):
    return {name: getattr(scheme, name) for name in ("tau", "levels", "pre", "post", "smoother", "damping")}


def test_the_worst_frozen_coefficient_and_grid_count():
    nonlinear, linear = claim(charbonnier(2), Multigrid(20)), claim(HEAT2, Multigrid(20))
    assert nonlinear.status == "linearised" and nonlinear.factor >= linear.factor
    assert claim(HEAT2, Multigrid(20, levels=2)).factor <= linear.factor


def test_smoothing_factors_stay_symbolic():
    """The symbol is 1 + tau (4/h²) sum sin²(theta/2); high is one |theta| >= pi/2."""
    tau, h = sp.symbols("tau h", positive=True)
    certificate = p2n.verify(HEAT2, Multigrid(tau), p2n.Grid(h))
    found = certificate.claims["solver_convergence"]
    text = found.reason.split("bounds, is ")[1].removesuffix(".")
    factor = sp.sympify(text, {"tau": tau, "h": h})
    theta = np.linspace(-np.pi, np.pi, 65)
    a, b = np.meshgrid(theta, theta)
    high = (abs(a) >= np.pi / 2 - 1e-9) | (abs(b) >= np.pi / 2 - 1e-9)
    for step, width in ((50.0, 1.0), (0.1, 1.0), (3.0, 0.5)):
        symbol = 1 + step * 4 / width**2 * (np.sin(a / 2) ** 2 + np.sin(b / 2) ** 2)
        want = abs(1 - 0.8 * symbol[high] / (1 + 4 * step / width**2)).max()
        assert float(factor.subs({tau: step, h: width})) == pytest.approx(want, rel=1e-12)
    assert found.status == "unknown" and p2n.recheck(certificate.to_json()) == certificate
    edited = certificate.to_json().replace("12*tau", "11*tau")
    with pytest.raises(p2n.RecheckError, match=r"solver_convergence\.reason"):
        p2n.recheck(edited)


def test_growth_that_truncation_explains_is_not_refused():
    certificate = p2n.verify(charbonnier(), Multigrid(50, levels=2, damping=1.9, cycles=3), UNIT)
    assert instability(certificate).name == "l2_stability"
    claims = dict(certificate.claims)
    l2 = claims["l2_stability"]
    claims["l2_stability"] = dataclasses.replace(l2, witness=l2.witness | {"excess": 1e-4})
    assert instability(dataclasses.replace(certificate, claims=claims)).name == "frozen_stability"
    claims["frozen_stability"] = dataclasses.replace(l2, status=p2n.Status.UNKNOWN)
    assert instability(dataclasses.replace(certificate, claims=claims)) is None


def test_a_cycle_that_does_not_contract_is_refuted():
    scheme = Multigrid(50, levels=2, damping=1.9, cycles=3)
    found = p2n.verify(charbonnier(), scheme, UNIT).claims
    assert found["solver_convergence"].status == "refuted" == found["l2_stability"].status
    assert found["frozen_stability"].status == "refuted" and found["consistency"].status == "unknown"
    u = np.array(found["solver_convergence"].witness["u0"])
    sizes = []
    for cycles in (4, 8):
        v = interpreted(charbonnier(), Multigrid(50, levels=2, damping=1.9, cycles=cycles))(u)
        c = np.diff(v, append=v[-1])
        flux = c / np.sqrt(1 + c**2 / 0.16)
        sizes.append(np.linalg.norm(v - 50 * (flux - np.roll(flux, 1) * (np.arange(v.size) > 0)) - u))
    excess = found["solver_convergence"].witness["excess"]
    assert abs(sizes[1] / sizes[0] - 1 - excess) < 1e-6 * excess and excess > 1
    with pytest.raises(p2n.StabilityError):
        p2n.compile(charbonnier(), scheme, UNIT)


def test_the_last_combination_keeps_what_cycles_would_not():
    scheme = Multigrid(50, levels=2, damping=1.9, cycles=3)
    found = p2n.verify(HEAT, scheme, UNIT).claims
    assert found["l2_stability"].status == "proved" and found["solver_convergence"].status == "unknown"
    p2n.compile(HEAT, scheme, UNIT)


def test_truncated_cycles_prove_nothing():
    found = p2n.verify(charbonnier(), Multigrid(5, cycles=2), UNIT).claims
    assert not [n for n, c in found.items() if str(c.status) == "proved" and n != "consistency"]
    assert any(h.name == "solver" for h in found["consistency"].hypotheses)
    assert found["mean_preservation"].status in ("refuted", "unknown")


def test_what_cannot_be_analysed_is_said_in_words():
    tau = sp.Symbol("tau", positive=True)
    weight = sp.Function("c", nonnegative=True)(x)
    for declared, scheme, grid, word in (
        (HEAT, Multigrid(tau), UNIT, "numbers"),
        (HEAT, Multigrid(5, levels=1), UNIT, "single grid"),
        (rational(), Multigrid(5), p2n.Grid(gradient="central"), "single grid"),
        (problem(weight * laplacian(HEAT.unknown)), Multigrid(5), UNIT, "prefactors"),
        (problem(laplacian(HEAT.unknown) + HEAT.unknown), Multigrid(5), UNIT, "nonincreasing"),
    ):
        found = claim(declared, scheme, grid=grid)
        assert found.status == "unknown" and word in found.reason.lower(), found.reason


def test_the_steady_state_has_a_factor_and_no_claims_about_steps():
    declared = problem(laplacian(HEAT2.unknown) + sp.Rational(1, 10) * (f(x, y) - HEAT2.unknown), 2)
    found = p2n.verify(declared, Multigrid(sp.oo, pre=2, post=2, cycles=3), UNIT).claims
    assert found["solver_convergence"].status == "linearised" and found["solver_convergence"].factor < 0.2
    assert found["well_posed"].status == "proved"  # of the solution, which cycles approach
    assert found["maximum_principle"].status == "proved"  # of whatever cycles end at, by its residual
    data = ("bounded_by_data", "lipschitz_in_data", "averaged")
    about = ("solver_convergence", "well_posed", "maximum_principle", *data)
    assert all(c.status == "not applicable" for n, c in found.items() if n not in about)
    assert all(found[n].status == "unknown" for n in data)


def test_the_interpreter_agrees_that_cycles_converge():
    """The nonlinear cycle of the acceptance tests: its factor is near the linearised one."""
    declared = charbonnier(2)
    factor = float(claim(declared, Multigrid(20, pre=2, post=2)).factor)
    semi = semidiscretise(recognise(declared), UNIT)
    u = np.random.default_rng(2).normal(size=(32, 32))
    one = interpreted(declared, p2n.Explicit(sp.Rational(1, 64)))
    norms = []
    for cycles in (2, 5):
        scheme = Multigrid(20, levels=4, pre=2, post=2, cycles=cycles)
        v = Interpreter(build(semi, scheme.tau, update_of(scheme)))(u)
        norms.append(np.linalg.norm(v - 20 * 64 * (one(v) - v) - u))
    assert (norms[1] / norms[0]) ** (1 / 3) < factor + 0.1
