"""How results depend on the data: limits, constants, and what is claimed is run."""

import functools

import numpy as np
import pytest
import sympy as sp
import torch
from support import beta, equation, lam, tau, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.verify.certificate import CLAIMS
from pde2net.verify.compositions import averaged_with_data, composed, whole

u1, u2 = unknown(1), unknown(2)
f, R = sp.Function("f"), sp.Rational
f1, f2 = f(x), f(x, y)
s = u1.diff(x)
CHARBONNIER = (s / sp.sqrt(1 + s**2 / lam**2)).diff(x)
RATIONAL = (s / (1 + s**2 / lam**2)).diff(x)  # inf Phi' = -1/8, ‖K‖² = 4
HEAT = laplacian(u1)
DATA = ("bounded_by_data", "lipschitz_in_data", "averaged")


@functools.cache
def network(rhs, scheme, dim=1):
    found = rhs.free_symbols - set(u2.args) - {x, y}
    values = {p: R(1, 2) for p in found if p != tau}
    return p2n.compile(p2n.Problem(equation(rhs, dim), parameters=values), scheme, on_unstable="ignore")


def claims(rhs, scheme, dim=1):
    return p2n.verify(p2n.Problem(equation(rhs, dim)), scheme).claims


def explicit(step, steps=1, fidelity="explicit"):
    return p2n.Explicit(step, steps, fidelity)


def run(made, field):
    """f -> N(f), with u0 = f."""
    module = made.module().double()
    names = [str(g.func) for g in made.certificate.declaration.problem.fields]
    return lambda u: module(u[None, None], **dict.fromkeys(names, (u if field else 0 * u)[None, None]))[0, 0]


def inputs(seed, n=9):
    rng = np.random.default_rng(seed)
    waves = [np.cos(np.pi * k * (np.arange(n) + 0.5) / n) for k in (n - 1, n // 2)]
    found = [rng.normal(size=n), *waves, (-1.0) ** np.arange(n), np.where(np.arange(n) < n // 2, 0.0, 1.0)]
    return [torch.tensor(a * v) for v in found for a in (0.01, 0.2, 1.0, 20.0)]


def jacobians(made):
    N = run(made, True)
    return [torch.autograd.functional.jacobian(N, u) for u in inputs(1)]


# -- the names -------------------------------------------------------------------------------------


def test_three_claims_stand_after_the_nine():
    assert CLAIMS[9:] == DATA and len(CLAIMS) == 12


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fidelity,limit", [("explicit", 2 / (4 + 2 * beta)), ("implicit", R(1, 2))])
def test_bounds_by_the_data(fidelity, limit):
    claim = claims(CHARBONNIER + beta * (f1 - u1), explicit(tau, 3, fidelity))["bounded_by_data"]
    assert claim.status == "proved if" and sp.simplify(claim.condition.rhs - limit) == 0


def test_linear_equations_are_filters_of_the_data():
    """With u0 = f, tau (rho + b) <= 2 is enough: sharper than for states that are no functions of f."""
    found = claims(HEAT + 2 * (f1 - u1), explicit(tau, 3))
    assert found["bounded_by_data"].limit == R(1, 3) == found["lipschitz_in_data"].limit
    assert found["lipschitz_in_data"].factor == 1


@pytest.mark.parametrize("fidelity,limit", [("explicit", R(4, 15)), ("implicit", R(4, 7))])
def test_constants_of_fluxes_that_are_not_monotone(fidelity, limit):
    """rho' = 4, rho_m = 1/2, b = 2: C = 4/3."""
    claim = claims(RATIONAL + 2 * (f1 - u1), explicit(tau, 3, fidelity))["lipschitz_in_data"]
    assert claim.factor == R(4, 3) and claim.limit == limit


def test_weak_data_have_the_constant_of_all_steps():
    claim = claims(RATIONAL + (f1 - u1) / 4, explicit(R(1, 4), 2))["lipschitz_in_data"]
    q = 1 + R(1, 4) * R(1, 4)  # 1 - tau (b - rho_m)
    assert claim.factor == q**2 + R(1, 16) * (1 + q) and claim.limit == sp.oo


def test_without_a_data_term_the_data_are_the_input():
    found = claims(HEAT, explicit(R(1, 5), 4))
    assert found["bounded_by_data"].limit == R(1, 2)
    assert found["lipschitz_in_data"].factor == 1
    a = R(2, 5)  # tau rho'/2
    assert found["averaged"].factor == 1 / (1 + 1 / (4 * a / (1 - a)))


def test_growth_without_a_data_term_is_that_of_all_steps():
    """Twice the factor of well_posed would be (1 + tau rho_m)²."""
    claim = claims(RATIONAL, explicit(R(1, 5), 2))["lipschitz_in_data"]
    assert claim.status == "proved" and claim.factor == R(121, 100)


def test_steps_at_the_limit_are_not_averaged():
    found = claims(HEAT, explicit(R(1, 2), 3))["averaged"]
    assert found.status == "unknown" and "nonexpansive" in found.reason
    found = claims(HEAT, explicit(tau, 3))["averaged"]
    assert found.status == "proved if" and found.condition == sp.Lt(tau, R(1, 2))
    # With data they are, with 1 - w.
    found = claims(CHARBONNIER + 2 * (f1 - u1), explicit(R(1, 4), 3))["averaged"]
    assert found.status == "proved" and found.factor == R(1, 2)


@pytest.mark.parametrize(
    "rhs",
    [
        HEAT + x * (f1 - u1),
        HEAT + f1,
        HEAT + (f1**2 - u1),
        f1 * HEAT + (1 - f1) * (f1 - u1),
        HEAT + f1 * (f1 - u1),
        HEAT - beta * (f1 - u1),
    ],
)
def test_other_reactions_are_not_followed(rhs):
    found = claims(rhs, explicit(R(1, 10), 2))
    for name in DATA:
        assert found[name].status == "unknown" and "is not b (f - u)" in found[name].reason, name


# -- compositions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("a,w,n", [("1/3", "1/5", 1), ("1/3", "1/5", 7), ("1", "1/9", 4), ("0", "1/2", 3)])
def test_averages_with_data(a, w, n):
    a, w = R(a), R(w)
    alpha = sp.S.Zero
    for _ in range(n):
        alpha = (1 - w) * (1 if a == 1 else (a + alpha - 2 * a * alpha) / (1 - a * alpha))
    found = averaged_with_data(a, w, n)
    assert alpha <= found <= alpha * (1 + R(1, 10**5)) and found <= 1 - w


def test_long_numbers_are_rounded_up():
    exact = R(9, 10) ** 2000
    assert exact < whole(R(9, 10), 2000) <= exact * (1 + R(2, 10**5))
    assert len(str(whole(R(9, 10), 2000))) < 200
    assert whole(sp.Integer(1), 10**9) == 1 and whole(sp.Integer(3), 100) == sp.oo
    q, b = R(99, 100), R(1, 100)
    assert composed(q, b, 10**6) <= 1 + R(1, 10**5)
    assert composed(q, b, 3) == 1


# -- what is proved holds when it is run -----------------------------------------------------------

RUN = [
    (CHARBONNIER + 2 * (f1 - u1), explicit(R(1, 4), 4)),
    (CHARBONNIER + 2 * (f1 - u1), explicit(R(1, 2), 4, "implicit")),
    (CHARBONNIER + (f1 - u1) / 3, explicit(R(1, 5), 9)),
    (RATIONAL + 2 * (f1 - u1), explicit(R(1, 5), 6)),
    (RATIONAL + 2 * (f1 - u1), explicit(R(1, 2), 6, "implicit")),
    (RATIONAL + (f1 - u1) / 4, explicit(R(1, 4), 5)),
    (RATIONAL, explicit(R(1, 4), 3)),
    (CHARBONNIER - u1 / 3, explicit(R(1, 4), 3)),
    (HEAT + 2 * (f1 - u1), explicit(R(1, 3), 3)),
    (HEAT + (f1 - u1) / 4, p2n.FSI(R(2, 5), 5, 2)),
    (HEAT + (f1 - u1) / 4, p2n.RKL(2, 1, 5, 2)),
    (HEAT + (f1 - u1) / 4, p2n.DuFortFrankel(R(1, 4), 2, 4)),
    (HEAT + (f1 - u1) / 4, p2n.AOS(3, 2)),
    (CHARBONNIER + (f1 - u1) / 4, p2n.AOS(3, 2)),
    (HEAT + (f1 - u1) / 4, p2n.Implicit(3, 2, p2n.Kacanov(iterations=1))),
    (HEAT + (f1 - u1) / 4, p2n.Theta(1, 2, R(1, 2), p2n.Kacanov(iterations=1))),
    (RATIONAL + (f1 - u1) / 4, p2n.Implicit(5, 2, p2n.Kacanov(iterations=3))),
    (RATIONAL + (f1 - u1) / 4, p2n.Implicit(sp.oo, 1, p2n.Kacanov(iterations=3))),
    (HEAT + (f1 - u1) / 4, p2n.Implicit(sp.oo, 1, p2n.Kacanov(iterations=2))),
    (CHARBONNIER, p2n.FSI(R(1, 2), 4, 1, "step")),
]


@pytest.mark.parametrize("rhs,scheme", RUN, ids=[f"{i}" for i in range(len(RUN))])
def test_what_is_proved_holds(rhs, scheme):
    made = network(rhs, scheme)
    found, N = made.certificate.claims, run(made, True)
    assert any(found[name].status == "proved" for name in DATA)
    if found["bounded_by_data"].status == "proved":
        assert all(N(u).norm() <= u.norm() * (1 + 1e-12) for u in inputs(0))
    jac = jacobians(made)
    if found["lipschitz_in_data"].status == "proved":
        bound = float(found["lipschitz_in_data"].factor)
        assert all(torch.linalg.matrix_norm(J, 2) <= bound * (1 + 1e-10) for J in jac)
    if found["averaged"].status == "proved":
        alpha = float(found["averaged"].factor)
        rest = [(J - (1 - alpha) * torch.eye(len(J), dtype=J.dtype)) / alpha for J in jac]
        assert all(torch.linalg.matrix_norm(J, 2) <= 1 + 1e-10 for J in rest)


# -- refutations -----------------------------------------------------------------------------------


def test_steps_beyond_the_limits_are_refuted_by_data():
    made = network(RATIONAL + 2 * (f1 - u1), explicit(R(3, 4), 2))
    found, N = made.certificate.claims, run(made, True)
    assert [found[name].status for name in DATA] == ["refuted"] * 3
    u = torch.tensor(found["bounded_by_data"].witness["u0"])
    assert N(u).norm() > u.norm()
    for name, constant in (("lipschitz_in_data", 4 / 3), ("averaged", 1)):
        witness = found[name].witness
        u, v = torch.tensor(witness["u0"]), torch.tensor(witness["v0"])
        assert (N(u) - N(v)).norm() > constant * (u - v).norm()
        assert witness["fields"]["f"] == witness["u0"]


def test_data_of_a_declared_sign_are_not_searched():
    """Inputs of the search have any sign."""
    g = sp.Function("g", nonnegative=True)(x)
    problem = p2n.Problem(equation(RATIONAL + 2 * (g - u1), 1))
    certificate = p2n.verify(problem, explicit(R(3, 4), 2))
    assert [certificate.claims[name].status for name in DATA] == ["unknown"] * 3
    p2n.recheck(certificate.to_json())


def test_what_expands_is_not_averaged():
    found = claims(RATIONAL, explicit(R(1, 4), 2))
    assert found["averaged"].status == "refuted"
    assert found["averaged"].witness == found["nonexpansive"].witness


# -- cells and U-nets ------------------------------------------------------------------------------


def test_steady_states_are_bounded_by_their_data():
    """Total variation in 2D, whose systems conjugate gradients leave unsolved."""
    flux = div(grad(u2) / sp.sqrt(norm2(grad(u2)) + R(1, 100)))
    scheme = p2n.Implicit(sp.oo, 1, p2n.Kacanov(iterations=3, linear_iterations=4))
    found = claims(flux + 6 * (f2 - u2), scheme, 2)
    assert found["bounded_by_data"].status == "proved"
    assert found["lipschitz_in_data"].status == "unknown"
    assert "‖residual‖/6" in found["lipschitz_in_data"].reason
    module = network(flux + 6 * (f2 - u2), scheme, 2).module().double()
    for k in range(4):
        data = torch.randn(1, 1, 6, 7, dtype=torch.float64) * 10.0 ** (k - 2)
        assert module(data, f=data).norm() <= data.norm() * (1 + 1e-12)


def test_truncated_cycles_claim_nothing_but_say_what_is_known():
    found = claims(HEAT + (f1 - u1) / 4, p2n.Multigrid(sp.oo, tol=R(1, 10**5), cycles=20))
    for name in DATA:
        assert found[name].status == "unknown"
        assert "the constant of exact solutions is 1" in found[name].reason


def test_solved_linear_steps_are_averaged():
    found = claims(HEAT + (f1 - u1) / 4, p2n.Implicit(3, 3, p2n.Kacanov(iterations=1)))
    assert found["averaged"].factor == R(3, 4) and found["lipschitz_in_data"].factor == 1
    assert claims(HEAT, p2n.AOS(3, 1))["averaged"].factor == R(1, 2)


def test_systems():
    v = sp.Function("v")(*u1.args)
    t = u1.args[-1]
    pair = [equation(HEAT - u1, 1), sp.Eq(v.diff(t), laplacian(v) + (f1 - v))]
    found = p2n.verify(p2n.Problem(pair), explicit(R(1, 10), 2)).claims
    assert found["bounded_by_data"].status == "proved"
    coupled = [equation(HEAT - v, 1), sp.Eq(v.diff(t), laplacian(v))]
    found = p2n.verify(p2n.Problem(coupled), explicit(R(1, 10), 2)).claims
    assert all(found[name].status == "unknown" for name in DATA)


# -- training --------------------------------------------------------------------------------------

K = p2n.LinearOperator("K", 3, 3)


def trained(rhs, scheme, trainable, **values):
    problem = p2n.Problem(equation(rhs, 1), parameters=values.pop("parameters", {}))
    return p2n.compile(problem, scheme, trainable=trainable, keep_stable=True, **values)


@pytest.mark.parametrize("step", [None, R(1, 10)])
def test_bounds_by_the_data_are_kept(step):
    rhs = -K.adjoint(K(u1) / (1 + K(u1) ** 2)) + beta * (f1 - u1)
    made = trained(rhs, explicit(step, 4, "implicit"), [K], parameters={beta: 2}, shared=False)
    assert made.certificate.claims["bounded_by_data"].status == "proved"
    assert "bounded_by_data" in made.certificate.training.kept
    module = made.module().double()
    for scale in (0.1, 1.0, 10.0):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.copy_(scale * torch.randn(parameter.shape, dtype=torch.float64))
        for u in inputs(2):
            out = module(u[None, None], f=u[None, None])
            assert out.norm() <= u.norm() * (1 + 1e-9)


def test_factors_that_training_changes_are_not_kept():
    """alpha = 1/(1 + tau b) for the b and the tau to start from alone."""
    rhs = -K.adjoint(K(u1) / sp.sqrt(1 + K(u1) ** 2)) + beta * (f1 - u1)
    fixed = trained(rhs, explicit(R(1, 10), 3, "implicit"), [K], parameters={beta: 1})
    assert fixed.certificate.claims["averaged"].factor == R(10, 11)
    assert "averaged" in fixed.certificate.training.kept
    for step, parameters in ((R(1, 10), [K, beta]), (None, [K])):
        moving = trained(rhs, explicit(step, 3, "implicit"), parameters, parameters={beta: 1})
        assert "averaged" not in moving.certificate.training.kept
        assert "lipschitz_in_data" in moving.certificate.training.kept
    nonexpansive = trained(HEAT + beta * (f1 - u1), explicit(None, 3), [beta], parameters={beta: 1})
    assert nonexpansive.certificate.claims["nonexpansive"].factor == 1


def test_blocks_of_their_own_are_no_filter():
    """Each block has a b of its own: N is no function of one operator."""
    made = trained(HEAT + beta * (f1 - u1), explicit(None, 3), [beta], parameters={beta: 1}, shared=False)
    assert "bounded_by_data" not in made.certificate.training.kept
    implicit = trained(
        HEAT + beta * (f1 - u1), explicit(None, 3, "implicit"), [beta], parameters={beta: 1}, shared=False
    )
    assert "bounded_by_data" in implicit.certificate.training.kept
