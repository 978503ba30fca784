"""Explicit(fidelity="implicit"): proximal steps for a data term, against their formula."""

import numpy as np
import pytest
import sympy as sp
import torch
from support import beta, equation, unknown, x

import pde2net as p2n
from pde2net import laplacian

u1 = unknown(1)
f = sp.Function("f")
R = sp.Rational
PROBLEM = p2n.Problem(equation(laplacian(u1) + beta * (f(x) - u1), 1), parameters={beta: 3})


def rate(u, data, weight):
    d = np.diff(u)
    return np.append(d, 0) - np.insert(d, 0, 0) + weight * (data - u)


def step(u, data, tau, weight):
    """(u - tau A u + tau b f)/(1 + tau b)."""
    return (u + tau * (rate(u, data, weight) + weight * u)) / (1 + tau * weight)


def random(seed, n=12):
    return np.random.default_rng(seed).normal(size=n)


def run(module, u, data):
    made = module.double()
    with torch.no_grad():
        return made(*(torch.tensor(u)[None, None],), f=torch.tensor(data)[None, None])[0, 0].numpy()


@pytest.mark.parametrize("tau", [R(1, 7), R(1, 2)])
def test_a_step_is_proximal(tau):
    network = p2n.compile(PROBLEM, p2n.Explicit(tau, 3, "implicit"))
    u, data = random(0), random(1)
    expected = u
    for _ in range(3):
        expected = step(expected, data, float(tau), 3)
    assert np.allclose(run(network.module(), u, data), expected, atol=1e-13)


def test_the_weight_may_be_trained_and_its_step_moves_with_it():
    network = p2n.compile(PROBLEM, p2n.Explicit(R(1, 2), 1, "implicit"), trainable=[beta], keep_stable=True)
    module = network.module().double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(0.7)
    weight = 3 * np.exp(0.7)
    u, data = random(2), random(3)
    assert np.allclose(run(module, u, data), step(u, data, 0.5, weight), atol=1e-12)
    assert set(network.certificate.training.kept) >= {"frozen_stability", "nonexpansive", "maximum_principle"}


def test_limits_do_not_see_the_weight():
    claims = p2n.verify(PROBLEM, p2n.Explicit(None, 1, "implicit")).claims
    assert claims["frozen_stability"].limit == R(1, 2) == claims["maximum_principle"].limit
    assert claims["energy_decay"].limit == R(1, 2) == claims["nonexpansive"].limit
    explicit = p2n.verify(PROBLEM, p2n.Explicit(None, 1)).claims
    assert explicit["frozen_stability"].limit == R(2, 7)


def test_factors_are_those_of_the_shorter_step():
    claims = p2n.verify(PROBLEM, p2n.Explicit(R(1, 4), 1, "implicit")).claims
    assert claims["nonexpansive"].factor == R(4, 7)  # 1/(1 + tau beta)


def test_the_leading_error_has_the_weight():
    claim = p2n.verify(PROBLEM, p2n.Explicit(R(1, 4), 1, "implicit")).claims["consistency"]
    figures = {k: v for h in claim.hypotheses for k, v in h.figures.items()}
    tau = sp.Symbol("tau", positive=True)
    u_t, u_tt = (sp.Symbol(f"u_{k * 't'}", real=True) for k in (1, 2))
    assert sp.expand(figures["leading error in tau"] - tau * (beta * u_t + u_tt / 2)) == 0


@pytest.mark.parametrize("tau", [None, R(1, 3)])
def test_certificates_hold_when_they_are_rechecked(tau):
    network = p2n.compile(PROBLEM, p2n.Explicit(tau, 2, "implicit"))
    p2n.recheck(network.certificate.to_json(), source=network.source())


def test_texts_have_the_option(tmp_path):
    text = p2n.verify(PROBLEM, p2n.Explicit(R(1, 3), 2, "implicit")).declaration.to_text()
    assert "fidelity = implicit" in text
    (tmp_path / "p.pde").write_text(text)
    assert p2n.load(tmp_path / "p.pde").scheme == p2n.Explicit(R(1, 3), 2, "implicit")


def test_a_stopping_time_takes_the_limit_of_the_scheme():
    implicit = p2n.Explicit.for_time(2, PROBLEM, fidelity="implicit")
    assert implicit == p2n.Explicit(R(1, 2), 4, "implicit")
    assert p2n.Explicit.for_time(2, PROBLEM) == p2n.Explicit(R(2, 7), 7)


@pytest.mark.parametrize(
    "right,words",
    [
        (laplacian(u1), "the equation has none"),
        (laplacian(u1) - u1**3, "not linear in u"),
        (laplacian(u1) + f(x) * (1 - u1), "depends on"),
        (laplacian(u1) + x * (f(x) - u1), "depends on x"),
        (laplacian(u1) + 2 * u1, "not known to be nonnegative"),
        (laplacian(u1) + sp.Symbol("c", real=True) * (f(x) - u1), "not known to be nonnegative"),
        (laplacian(u1) + f(x), "contains no u"),
    ],
)
def test_other_reactions_are_refused(right, words):
    with pytest.raises(p2n.DeclarationError, match=words):
        p2n.verify(p2n.Problem(equation(right, 1)), p2n.Explicit(R(1, 10), 1, "implicit"))


def test_other_words_and_systems_are_refused():
    with pytest.raises(p2n.DeclarationError, match="fidelity"):
        p2n.Explicit(1, 1, "proximal")
    with pytest.raises(p2n.DeclarationError):
        p2n.FSI(tau=1, fidelity="implicit")
    v = sp.Function("v")(*u1.args)
    system = p2n.Problem([equation(laplacian(u1) - u1, 1), sp.Eq(v.diff(u1.args[-1]), laplacian(v) - v)])
    with pytest.raises(p2n.DeclarationError, match="systems"):
        p2n.verify(system, p2n.Explicit(R(1, 10), 1, "implicit"))


def test_nonlinear_steps_beyond_the_explicit_limit():
    """beta = 10: the explicit fidelity is limited to 1/7, the proximal one to 1/2."""
    slope = u1.diff(x)
    problem = p2n.Problem(equation((slope / sp.sqrt(1 + slope**2)).diff(x) + 10 * (f(x) - u1), 1))
    network = p2n.compile(problem, p2n.Explicit(R(1, 2), 30, "implicit"))
    u, data = random(4), random(5)
    assert abs(run(network.module(), u, data)).max() <= max(abs(u).max(), abs(data).max()) + 1e-12
