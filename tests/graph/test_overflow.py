"""Networks of functions whose exponentials overflow have the values of these functions."""

import mpmath
import numpy as np
import pytest
import sympy as sp
import torch
from support import diffusion, equation, uncertified, unknown

import pde2net as p2n
from pde2net import div, grad
from pde2net.graph.interpret import Interpreter
from pde2net.graph.overflow import accurate, hidden, stable

S = sp.Symbol("S", nonnegative=True)
X = sp.Symbol("X", real=True)
exp = sp.exp
WRITTEN = [
    exp(S) / (1 + exp(S)),
    (exp(S) - 1) / (exp(S) + 1),
    sp.sinh(S) / sp.cosh(S),
    sp.log(1 + exp(S)) / (1 + S),
    1 / sp.cosh(S),
    1 / (1 + exp(S - 3)),
    exp(-S) * sp.cosh(S),
    exp(2 * S / 3) / (1 + exp(S / 2)) ** 2,
    2**S / (1 + 2**S),
    exp(X) / (1 + exp(X)),
    1 / (1 + exp(-X)),
    X * sp.tanh(X) * sp.cosh(X) / (1 + sp.cosh(X)),
    sp.log(1 + exp(X)),
    sp.log(sp.cosh(X)) / (1 + X**2),
]
LEFT = [
    exp(-S),
    exp(-(S**4)),
    sp.cosh(sp.sin(X)) / (1 + sp.cosh(sp.sin(X))),
    exp(-1 / S),
    1 / (1 + S),
    sp.tanh(S),
]
HOPELESS = [
    sp.cos(exp(S)),
    exp(exp(S)) / (1 + exp(exp(S))),
    exp(X) / (1 + exp(X**2)),
    sp.log(1 + S * exp(S) + exp(S**2)),
]


@pytest.mark.parametrize("e", WRITTEN, ids=str)
def test_the_same_function_is_written_with_exponentials_that_fall(e):
    found = stable(e, {S, X})
    assert found != e and hidden(found, {S, X}) is None
    (s,) = e.free_symbols
    was, now = (sp.lambdify(s, f, "mpmath") for f in (e, found))
    places = [0, 1e-3, 0.5, 2, 7, 40, 900, 3e4]
    plain = sp.lambdify(s, accurate(found), "numpy")
    for place in [*places, *([-p for p in places] if s == X else [])]:
        with mpmath.workdps(60):
            want = was(mpmath.mpf(place))
            assert mpmath.almosteq(now(mpmath.mpf(place)), want, 1e-30, 1e-50)
        with np.errstate(all="ignore"):
            assert float(plain(np.float64(place))) == pytest.approx(float(want), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("e", LEFT, ids=str)
def test_what_does_not_overflow_is_left_alone(e):
    assert stable(e, {S, X}) == e and hidden(e, {S, X}) is None


@pytest.mark.parametrize("e", HOPELESS, ids=str)
def test_what_cannot_be_written_so_is_found(e):
    assert hidden(stable(e, {S, X}), {S, X})


def test_small_differences_keep_their_digits():
    for e in (sp.log(1 + S) / S, (1 - exp(-S)) / S, (exp(S) - 1) / S + 3):
        found = sp.lambdify(S, accurate(e), "numpy")
        want = float(e.subs(S, sp.Rational(1, 10**12)).evalf(40))
        assert float(found(np.float64(1e-12))) == pytest.approx(want, rel=1e-15)


DIFFUSIVITIES = [
    lambda s: exp(s) / (1 + exp(s)),
    lambda s: 1 / sp.cosh(s),
    lambda s: exp(-s) * sp.cosh(s),
    lambda s: sp.Piecewise((sp.log(1 + s) / s, s > 0), (1, True)),
    lambda s: sp.Piecewise(((1 - exp(-s)) / s, s > 0), (1, True)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("g", DIFFUSIVITIES)
def test_networks_have_finite_values_and_gradients_on_images_of_any_range(g, dtype):
    network = uncertified(diffusion(g, 2), p2n.Explicit(sp.Rational(1, 8), 2))
    module, run = network.module().to(dtype), Interpreter(network.graph)
    noise = np.random.default_rng(0).normal(size=(5, 6))
    for scale in (1e-9, 1e-3, 1.0, 30.0, 255.0, 1e5):
        u = torch.tensor(scale * noise, dtype=dtype)[None, None].requires_grad_()
        out = module(u)
        out.sum().backward()
        assert u.grad.isfinite().all()
        found = out[0, 0].detach().numpy()
        np.testing.assert_allclose(found, run(u[0, 0].detach().numpy()), rtol=0, atol=2e-6 * scale)
        assert np.linalg.norm(found) <= np.linalg.norm(u.detach()) * (1 + 1e-6)


def claims(g):
    u = unknown(1)
    problem = p2n.Problem(equation(div(g(u.diff(u.args[0]) ** 2) * grad(u)), 1))
    return p2n.verify(problem, p2n.Explicit(sp.Rational(1, 8))).claims


@pytest.mark.parametrize("g", [lambda s: 2 + sp.cos(exp(s)), lambda s: s**40 / (1 + s**40)])
def test_overflow_on_the_way_refutes_nothing_and_hides_nothing(g):
    """Both lie between 0 and 3, for which the step is stable; the first has no value in floating point."""
    found = claims(g)
    assert all(c.status != p2n.Status.REFUTED or c.name == "nonexpansive" for c in found.values())
    if g(S).has(exp):
        assert found["mean_preservation"].status == p2n.Status.UNKNOWN


def test_constants_beyond_floating_point_are_refused_in_words():
    lam = sp.Symbol("lambda", positive=True)
    for big, values in ((exp(1000), {}), (exp(lam), {lam: 1000})):
        network = uncertified(
            diffusion(lambda s, b=big: b / (b + s), 2, parameters=values), p2n.Explicit(0.1)
        )
        with pytest.raises(p2n.EmissionError, match=r"1.97E\+434 is too large"):
            network.module()


def test_large_numbers_are_those_of_floating_point():
    lam = sp.Symbol("lambda", positive=True)
    for value in (300, 10**10, sp.Rational(1, 10**10)):
        problem = diffusion(lambda s: 1 / (1 + (s / lam**2) ** 4), 2, parameters={lam: value})
        network = uncertified(problem, p2n.Explicit(sp.Rational(1, 5)))
        u = torch.rand(1, 1, 6, 7, dtype=torch.float64)
        found = network.module().double()(u)[0, 0].detach().numpy()
        np.testing.assert_allclose(found, Interpreter(network.graph)(u[0, 0].numpy()), atol=1e-12)
    problem = p2n.Problem(equation(10**30 * p2n.laplacian(unknown(2)), 2))
    network = uncertified(
        problem, p2n.Explicit(sp.Rational(1, 10**31)), p2n.Grid(spacing=sp.Rational(1, 10**20))
    )
    assert network.module()(torch.rand(1, 1, 4, 4)).shape == (1, 1, 4, 4)
