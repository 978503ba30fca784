"""Vector-valued images: channels with a common diffusivity, against NumPy, in every kind of network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
import torch
from support import RNG, diffusion, lam, norm2, t, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import laplacian
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json
from pde2net.language.text.build import read


def perona_malik(channels: int = 3, **options: object) -> p2n.Problem:
    return diffusion(
        lambda s2: 1 / (1 + s2 / lam**2), dim=2, channels=channels, parameters={lam: 0.5}, **options
    )


def fourth_order() -> p2n.Problem:
    u = unknown(2)
    q = laplacian(u)
    rhs = -laplacian(q / (1 + norm2(q) / lam**2))
    return p2n.Problem(sp.Eq(u.diff(t), rhs), channels=2, parameters={lam: 0.5})


def numpy_step(u: np.ndarray, tau: float, contrast: float) -> np.ndarray:
    """An explicit step on a periodic grid, all channels with one diffusivity."""
    slopes = [np.roll(u, -1, axis) - u for axis in (1, 2)]
    g = 1 / (1 + sum((p**2).sum(0) for p in slopes) / contrast**2)
    return u + tau * sum(g * p - np.roll(g * p, 1, axis) for p, axis in zip(slopes, (1, 2), strict=True))


SCHEMES = [
    p2n.Explicit(tau=sp.Rational(1, 5), steps=3),
    p2n.FSI(tau=sp.Rational(1, 5), cycle_length=3, cycles=2),
    p2n.FSI(tau=sp.Rational(1, 5), cycle_length=3, cycles=2, freeze="step"),
    p2n.FED(tau=sp.Rational(1, 5), cycle_length=3, cycles=2),
    p2n.RKL(order=2, tau=1, stages=5, steps=2),
    p2n.DuFortFrankel(tau=1, alpha=2, steps=3),
    p2n.AOS(tau=2, steps=2),
    p2n.Implicit(tau=1, steps=2, solver=p2n.FixedPoint(iterations=4)),
    p2n.Implicit(tau=2, steps=1, solver=p2n.Kacanov(iterations=3, linear_tol=1e-12)),
    p2n.Implicit(
        tau=2, steps=1, solver=p2n.Kacanov(iterations=3, preconditioner="diagonal", linear_tol=1e-12)
    ),
]


def test_steps_are_those_of_numpy() -> None:
    problem = perona_malik(boundary="periodic")
    u0 = RNG.normal(size=(3, 7, 6))
    network = uncertified(problem, p2n.Explicit(tau=sp.Rational(1, 5), steps=2))
    want = numpy_step(numpy_step(u0, 0.2, 0.5), 0.2, 0.5)
    np.testing.assert_allclose(Interpreter(network.graph)(u0), want, rtol=0, atol=1e-13)
    out = network.module().double()(torch.from_numpy(u0)[None]).numpy()[0]
    np.testing.assert_allclose(out, want, rtol=0, atol=1e-13)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
@pytest.mark.parametrize("gradient", ["forward", "staggered"])
def test_modules_agree_with_the_interpreter(scheme: object, gradient: str) -> None:
    problem = perona_malik(boundary={x: "reflecting", y: "dirichlet"})
    network = uncertified(problem, scheme, p2n.Grid(gradient=gradient))
    u0 = RNG.normal(size=(3, 6, 5))
    out = network.module().double()(torch.from_numpy(np.stack([u0, 2 * u0]))).detach().numpy()
    np.testing.assert_allclose(out[0], Interpreter(network.graph)(u0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(out[1], Interpreter(network.graph)(2 * u0), rtol=0, atol=1e-9)
    back = from_json(to_json(network.looped))
    np.testing.assert_array_equal(Interpreter(back)(u0), Interpreter(network.graph)(u0))


def test_one_nonzero_channel_evolves_like_a_scalar_image() -> None:
    u0 = RNG.normal(size=(6, 7))
    scheme = p2n.Explicit(tau=sp.Rational(1, 5), steps=2)
    many = Interpreter(uncertified(perona_malik(), scheme).graph)(np.stack([0 * u0, u0, 0 * u0]))
    one = Interpreter(uncertified(perona_malik(1), scheme).graph)(u0)
    np.testing.assert_allclose(many, np.stack([0 * u0, one, 0 * u0]), rtol=0, atol=1e-13)


def test_results_do_not_depend_on_rotations_of_the_channels() -> None:
    """|grad u| over all channels is invariant under orthogonal maps of the channels."""
    rotation, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    u0 = RNG.normal(size=(3, 5, 6))
    run = Interpreter(uncertified(perona_malik(), SCHEMES[0]).graph)
    np.testing.assert_allclose(
        run(np.tensordot(rotation, u0, 1)), np.tensordot(rotation, run(u0), 1), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(
    "make,limit", [(perona_malik, sp.Rational(1, 4)), (fourth_order, sp.Rational(1, 32))]
)
def test_limits_are_those_of_one_channel_and_sharp(make: Callable[..., p2n.Problem], limit: sp.Expr) -> None:
    problem = make()
    below = p2n.verify(problem, p2n.Explicit(tau=limit, steps=1))
    assert below.claims["l2_stability"].status == "proved" and below.claims["l2_stability"].limit == limit
    above = p2n.verify(problem, p2n.Explicit(tau=limit * sp.Rational(21, 20), steps=1))
    witness = above.claims["l2_stability"].witness
    assert above.claims["l2_stability"].status == "refuted" and witness is not None
    u0 = np.array(witness["u0"])
    assert u0.shape[0] == problem.channels and u0.ndim == 3
    u1 = Interpreter(uncertified(problem, p2n.Explicit(tau=limit * sp.Rational(21, 20))).graph)(u0)
    assert np.linalg.norm(u1) > np.linalg.norm(u0)
    for certificate in (below, above):
        p2n.recheck(certificate.to_json())


def test_fields_have_one_channel_or_all() -> None:
    u, f = unknown(2), sp.Function("f")(x, y)
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u) + (f - u) / 2), channels=2)
    module = uncertified(problem, p2n.Explicit(tau=sp.Rational(1, 5))).module().double()
    u0, common = torch.rand(2, 2, 4, 5).double(), torch.rand(1, 1, 4, 5).double()
    torch.testing.assert_close(module(u0, f=common), module(u0, f=common.expand(2, 2, 4, 5)))
    with pytest.raises(ValueError, match="agree"):
        module(u0, f=torch.rand(1, 3, 4, 5).double())
    with pytest.raises(ValueError, match=r"\(batch, 2, x, y\)"):
        module(u0[:, :1], f=common)


@pytest.mark.parametrize("channels", [0, 1.0, "three", True])
def test_channels_are_counted(channels: object) -> None:
    with pytest.raises(p2n.DeclarationError, match="number of channels"):
        perona_malik(channels)


def test_fluxes_without_a_norm_do_not_couple_channels() -> None:
    u = unknown(1)
    flux = u.diff(x) / (1 + sp.Abs(u.diff(x)) ** 3 + u.diff(x))
    with pytest.raises(p2n.EquationError, match="squared norm"):
        p2n.verify(p2n.Problem(sp.Eq(u.diff(t), sp.Derivative(flux, x)), channels=2), p2n.Explicit(tau=1))


def test_text_round_trip() -> None:
    problem = perona_malik()
    assert "channels  3" in problem.to_text()
    assert read(problem.to_text(), "text")[0] == problem
    with pytest.raises(p2n.Pde2NetError, match="1 to"):
        read("unknown u(x, t)\nchannels 0\nequation u_t = laplacian u", "text")


def test_energy_decays_over_all_channels() -> None:
    """E = 1/2 sum Psi(sum_c |grad u_c|^2): proved up to the limit, and measured."""
    problem = perona_malik()
    scheme = p2n.Explicit(tau=sp.Rational(1, 4))
    assert p2n.verify(problem, scheme).claims["energy_decay"].status == "proved"
    run = Interpreter(uncertified(problem, scheme).graph)

    def energy(u: np.ndarray) -> float:
        slopes = [np.diff(u, axis=a, append=np.take(u, [-1], axis=a)) for a in (1, 2)]
        return float(np.log1p(sum((p**2).sum(0) for p in slopes) / 0.25).sum())

    for scale in (0.1, 1.0, 10.0):
        u = scale * RNG.normal(size=(3, 9, 8))
        assert energy(run(u)) <= energy(u)
