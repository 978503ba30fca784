"""Coefficients that contain t: values against formulas, orders, thresholds, texts, refusals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import sympy as sp
import torch
from support import RNG, equation, lam, t, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.errors import EquationError
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json
from pde2net.language.text.build import read
from pde2net.verify.certificate import Status

FIFTH = sp.Rational(1, 5)


def shrinking(dim: int = 2) -> p2n.Problem:
    """Perona-Malik diffusion with the contrast lambda exp(-t), and a fidelity term of weight 1/(1 + t)."""
    u = unknown(dim)
    f = sp.Function("f")(*u.args[:-1])
    g = 1 / (1 + norm2(grad(u)) / (lam * sp.exp(-t)) ** 2)
    return p2n.Problem(equation(div(g * grad(u)) + (f - u) / (1 + t), dim), parameters={lam: 0.5})


def heat(c: sp.Expr, **options: object) -> p2n.Problem:
    return p2n.Problem(equation(c * unknown(1).diff(x, 2), 1), **options)


def numpy_shrinking(u: np.ndarray, f: np.ndarray, tau: float, steps: int) -> np.ndarray:
    """Explicit steps with forward differences and reflecting borders."""
    for k in range(steps):
        now, rate = k * tau, np.zeros_like(u)
        slopes = [np.diff(u, axis=a, append=np.take(u, [-1], a)) for a in range(u.ndim)]
        g = 1 / (1 + sum(p**2 for p in slopes) / (0.5 * math.exp(-now)) ** 2)
        for a, p in enumerate(slopes):
            flux = g * p
            rate += np.diff(flux, axis=a, prepend=0 * np.take(flux, [0], a))
        u = u + tau * (rate + (f - u) / (1 + now))
    return u


@pytest.mark.parametrize("options", [{}, {"trainable": ["tau"]}, {"trainable": ["tau"], "shared": False}])
def test_blocks_know_their_time(options):
    network = uncertified(shrinking(), p2n.Explicit(FIFTH, 4), **options)
    u, f = RNG.random((2, 6, 7))
    expected = numpy_shrinking(u, f, 0.2, 4)
    assert np.allclose(Interpreter(network.graph)(u, {"f": f}), expected, rtol=0, atol=1e-13)
    assert np.allclose(Interpreter(from_json(to_json(network.looped)))(u, {"f": f}), expected, atol=1e-13)
    arrays = [torch.tensor(a)[None, None] for a in (u, f)]
    found = network.module()(arrays[0], f=arrays[1])
    assert np.allclose(found.detach().numpy()[0, 0], expected, rtol=0, atol=1e-13)


def test_the_gradient_of_tau_sees_the_times():
    """Two cells, u_1 - u_0 = d: each step multiplies d by 1 - 2 tau (1 + k tau)."""
    module = uncertified(heat(1 + t), p2n.Explicit(FIFTH, 3), trainable=["tau"]).module()
    d = module(torch.tensor([[[0.0, 1.0]]], dtype=torch.float64)).diff().sum()
    d.backward()
    tau = sp.Symbol("tau")
    formula = sp.prod(1 - 2 * tau * (1 + k * tau) for k in range(3))
    assert math.isclose(d.item(), formula.subs(tau, 0.2), rel_tol=1e-12)
    (parameter,) = module.parameters()
    assert math.isclose(float(parameter.grad), sp.diff(formula, tau).subs(tau, 0.2), rel_tol=1e-12)


CLOCKS = [
    sp.Max(0, 1 - t),
    sp.Min(1, t),
    sp.Abs(t - 1),
    sp.sqrt(1 + t),
    sp.Piecewise((1, t < sp.Rational(1, 2)), (sp.Rational(1, 4), True)),
    sp.erf(t),
    sp.asinh(t) / 3,
    2**-t,
    sp.sign(t),
    sp.Piecewise((sp.Rational(1, 10), t < sp.Rational(1, 2)), (sp.Rational(1, 3), True)),
    sp.tanh(t),
]


@pytest.mark.parametrize("trainable", [(), ("tau",)])
@pytest.mark.parametrize("c", CLOCKS, ids=str)
def test_functions_of_the_time_alone(c, trainable):
    network = uncertified(heat(c), p2n.Explicit(FIFTH, 4), trainable=trainable)
    u = RNG.random(6)
    expected = u
    for k in range(4):
        flux = float(c.subs(t, sp.Rational(k, 5))) * np.diff(expected)
        expected = expected + 0.2 * np.diff(flux, prepend=0, append=0)
    found = network.module()(torch.tensor(u)[None, None]).detach().numpy()[0, 0]
    assert np.allclose(found, expected, rtol=0, atol=1e-13)


def test_sources_of_the_time_alone():
    network = uncertified(p2n.Problem(equation(unknown(1).diff(x, 2) + t**2, 1)), p2n.Explicit(FIFTH, 4))
    found = network.module()(torch.zeros(1, 1, 3, dtype=torch.float64))
    assert np.allclose(found.numpy(), 0.2 * 0.04 * (1 + 4 + 9), rtol=0, atol=1e-13)


def test_the_source_has_a_formula_for_the_time():
    source = uncertified(shrinking(), p2n.Explicit(FIFTH, 50)).source()
    assert "for k in range(self.steps):" in source
    assert "k * self.block.tau" in source
    assert "math.exp(" in source


def test_the_order_in_time_is_one():
    """u_t = c(t) u_xx on the lowest mode of a grid: the exact factor is exp(-mu int c)."""
    n, c = 8, 1 / (1 + t)
    mode = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    mu = 4 * math.sin(math.pi / (2 * n)) ** 2
    errors = []
    for steps in (20, 40, 80):
        network = uncertified(heat(c), p2n.Explicit(sp.Rational(4, steps), steps))
        found = Interpreter(network.graph)(mode)
        errors.append(abs(found[0] / mode[0] - math.exp(-mu * math.log(5))))
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(0.9 < s < 1.1 for s in slopes)


def test_a_threshold_from_both_sides():
    """c = 1 + t, four steps: the last block has 1 + 3 tau, and tau (1 + 3 tau) = 1/2 at 0.2743."""
    below = p2n.verify(heat(1 + t), p2n.Explicit(sp.Rational(24, 100), 4))
    claim = below.claims["l2_stability"]
    assert claim.status == Status.PROVED
    assert claim.limit is None  # it would be one for other final times
    for tau in (sp.Rational(3, 4), sp.Rational(9, 10)):
        above = p2n.verify(heat(1 + t), p2n.Explicit(tau, 4)).claims["l2_stability"]
        assert above.status == Status.REFUTED
        u = np.array(above.witness["u0"])
        v = u.copy()
        for k in range(4):
            flux = (1 + k * float(tau)) * np.diff(v)
            v = v + float(tau) * np.diff(flux, prepend=0, append=0)
        assert np.linalg.norm(v) > np.linalg.norm(u)


@pytest.mark.parametrize(
    ("c", "limit"),
    [
        (sp.exp(-t), sp.Rational(1, 2)),
        (2 - sp.exp(-t), sp.Rational(1, 4)),
        (1 / (1 + t) + 1, sp.Rational(1, 4)),
    ],
)
def test_limits_for_all_times(c, limit):
    claim = p2n.verify(heat(c), p2n.Explicit(sp.Rational(1, 10), 3)).claims["l2_stability"]
    assert claim.status == Status.PROVED
    assert claim.limit == limit


def test_a_shrinking_contrast_does_not_change_the_limit():
    problem = shrinking(1)
    u = problem.unknown
    g = 1 / (1 + norm2(grad(u)) / (lam * sp.exp(-t)) ** 2)
    alone = p2n.Problem(equation(div(g * grad(u)), 1), parameters={lam: 0.5})
    claims = p2n.verify(alone, p2n.Explicit(None, 3)).claims
    assert claims["l2_stability"].limit == claims["maximum_principle"].limit == sp.Rational(1, 2)
    assert claims["energy_decay"].status == Status.NOT_APPLICABLE
    assert claims["consistency"].reason.startswith("Truncation error O(tau + h**2)")
    assert alone.energy is None


def test_fidelity_weights_bound_the_step():
    """The largest diagonal entry is 2 + beta(0) = 3."""
    u, f = unknown(1), sp.Function("f")(x)
    problem = p2n.Problem(equation(u.diff(x, 2) + sp.exp(-t) * (f - u), 1))
    claims = p2n.verify(problem, p2n.Explicit(FIFTH, 3)).claims
    assert claims["maximum_principle"].limit == sp.Rational(1, 3)
    assert claims["frozen_stability"].limit == sp.Rational(2, 5)


@pytest.mark.parametrize(
    "c",
    [
        sp.cos(t),
        1 - t,
        sp.sin(t),
        t - 1,
        sp.exp(-t) - sp.Rational(1, 2),
        sp.Piecewise((1, t < 1), (-1, True)),
    ],
)
def test_backward_times_are_never_proved(c):
    """Each is negative at some time of ten steps of 2/5."""
    claims = p2n.verify(heat(c), p2n.Explicit(sp.Rational(2, 5), 10)).claims
    for name in ("l2_stability", "nonexpansive", "maximum_principle", "frozen_stability"):
        assert claims[name].status in (Status.REFUTED, Status.UNKNOWN)


@pytest.mark.parametrize("sign", [1, -1])
def test_jumps_in_time_are_seen(sign):
    """c is 1 but for a short while, in which it is far too large (or backward)."""
    c = sp.Piecewise((20 * sign, (t > 1) & (t < sp.Rational(3, 2))), (1, True))
    claim = p2n.verify(heat(c), p2n.Explicit(FIFTH, 10)).claims["l2_stability"]
    assert claim.status in (Status.REFUTED, Status.UNKNOWN)


def test_texts_survive():
    text = (
        "unknown   u(x, y, t)\nparameter lambda > 0 = 0.1\nlet       c(s) = lambda * exp(-s)\n"
        "equation  u_t = div(1/(1 + |grad u|^2/c(t)^2) * grad u) - t * u\n"
        "scheme    explicit(tau = 1/5, steps = 3)\n"
    )
    problem = read(text, "t.pde")[0]
    assert problem.depends_on_time
    assert read(problem.to_text(), "t.pde")[0] == problem


def test_certificates_survive():
    certificate = p2n.verify(heat(sp.exp(-t)), p2n.Explicit(FIFTH, 2))
    assert p2n.Certificate.from_json(certificate.to_json()).claims == certificate.claims


def test_what_is_refused_is_said():
    u, f = unknown(2), sp.Function("f")(x, y)
    for rhs in (div((1 + t * f) * grad(u)), (1 + x**2 * t) * div(grad(u)), div(grad(u)) / t):
        with pytest.raises(EquationError, match="t"):
            p2n.verify(p2n.Problem(equation(rhs, 2)), p2n.Explicit(FIFTH))
