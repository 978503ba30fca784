"""Systems of equations: one network whose channels are the unknowns, against NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from support import RNG, t, uncertified, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.discretise.semidiscretise import semidiscretise_system
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json
from pde2net.language.declaration import Declaration
from pde2net.language.text.build import read
from pde2net.normalise.recognise import recognise_system
from pde2net.scheme.registry import update_of

U, V, W = (sp.Function(n)(x, y, t) for n in "uvw")


def gray_scott(**options: object) -> p2n.Problem:
    feed, kill = sp.Rational(37, 1000), sp.Rational(6, 100)
    return p2n.Problem(
        [
            sp.Eq(U.diff(t), sp.Rational(16, 100) * laplacian(U) - U * V**2 + feed * (1 - U)),
            sp.Eq(V.diff(t), sp.Rational(8, 100) * laplacian(V) + U * V**2 - (feed + kill) * V),
        ],
        **options,
    )


def guided(**options: object) -> p2n.Problem:
    """Each diffusivity depends on the other unknown, w is by itself; no reactions."""
    f = sp.Function("f")(x, y)
    return p2n.Problem(
        [
            sp.Eq(U.diff(t), div(grad(U) / (1 + V**2 + norm2(grad(V))))),
            sp.Eq(V.diff(t), 2 * div(sp.exp(-(U**2)) * grad(V) / (1 + norm2(grad(V))))),
            sp.Eq(W.diff(t), div(grad(W) / (1 + f**2))),
        ],
        **options,
    )


def alike(**options: object) -> p2n.Problem:
    """One diffusivity, or one tensor, for several unknowns: it is computed once."""
    g = 1 / (1 + norm2(grad(U)) + norm2(grad(V)))
    tensor = p2n.tensor(grad(p2n.smooth(U, 1)), g, 1)
    flux = tensor * grad(W)
    return p2n.Problem(
        [sp.Eq(U.diff(t), div(g * grad(U))), sp.Eq(V.diff(t), div(g * grad(V))), sp.Eq(W.diff(t), div(flux))],
        **options,
    )


def interpreter(problem: p2n.Problem, scheme: Any, grid: p2n.Grid | None = None) -> Interpreter:
    semi = semidiscretise_system(recognise_system(problem), grid or p2n.Grid())
    return Interpreter(build(semi, scheme.tau, update_of(scheme, getattr(scheme, "alpha", None))))


def lap(w: np.ndarray) -> np.ndarray:
    return sum(np.roll(w, s, a) for s in (1, -1) for a in (0, 1)) - 4 * w


def test_gray_scott_is_that_of_numpy() -> None:
    state = RNG.uniform(size=(2, 9, 8))
    network = uncertified(gray_scott(boundary="periodic"), p2n.Explicit(tau=0.5, steps=3))
    u, v = state
    for _ in range(3):
        r = u * v * v
        u, v = u + 0.5 * (0.16 * lap(u) - r + 0.037 * (1 - u)), v + 0.5 * (0.08 * lap(v) + r - 0.097 * v)
    np.testing.assert_allclose(Interpreter(network.graph)(state), np.stack([u, v]), rtol=0, atol=1e-14)
    batch = torch.from_numpy(np.stack([state, state[::-1].copy()]))
    out = network.module().double()(batch)
    np.testing.assert_allclose(out[0].numpy(), np.stack([u, v]), rtol=0, atol=1e-14)
    assert out.shape == batch.shape
    with pytest.raises(ValueError, match=r"\(batch, 2, x, y\)"):
        network.module()(batch[:, :1])


SCHEMES = [
    p2n.Explicit(tau=sp.Rational(1, 20), steps=3),
    p2n.FSI(tau=sp.Rational(1, 20), cycle_length=3, cycles=2),
    p2n.FSI(tau=sp.Rational(1, 20), cycle_length=3, cycles=1, freeze="step"),
    p2n.FED(tau=sp.Rational(1, 20), cycle_length=3, cycles=2),
    p2n.RKL(order=2, tau=sp.Rational(1, 4), stages=4, steps=2),
    p2n.DuFortFrankel(tau=sp.Rational(1, 4), alpha=4, steps=3),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
@pytest.mark.parametrize("gradient", ["forward", "staggered"])
@pytest.mark.parametrize("make", [gray_scott, guided, alike])
def test_modules_agree_with_the_interpreter(
    scheme: object, gradient: str, make: Callable[..., p2n.Problem]
) -> None:
    problem = make(boundary={x: "dirichlet", y: "reflecting"})
    network = uncertified(problem, scheme, p2n.Grid(gradient=gradient))
    state, f = RNG.normal(size=(problem.channels, 6, 5)), RNG.normal(size=(6, 5))
    given = {"f": f} if problem.fields else {}
    tensors = {n: torch.from_numpy(a)[None, None] for n, a in given.items()}
    out = network.module().double()(torch.from_numpy(state)[None], **tensors)[0].numpy()
    want = Interpreter(network.graph)(state, given)
    np.testing.assert_allclose(out, want, rtol=0, atol=1e-11 * max(1.0, abs(want).max()))
    back = from_json(to_json(network.looped))
    np.testing.assert_array_equal(Interpreter(back)(state, given), want)


def test_rkl_of_a_system_converges_with_order_two() -> None:
    """Rotation of two unknowns with diffusion: u_t = u_xx + v, v_t = v_xx - u, on one cosine mode."""
    a, b = (sp.Function(n)(x, t) for n in "ab")
    problem = p2n.Problem([sp.Eq(a.diff(t), a.diff(x, 2) + b), sp.Eq(b.diff(t), b.diff(x, 2) - a)])
    mode = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    decay = 4 * np.sin(np.pi / 16) ** 2
    errors = []
    for steps in (4, 8, 16):
        run = interpreter(problem, p2n.RKL(order=2, tau=sp.Rational(1, steps), stages=4, steps=steps))
        got = run(np.stack([mode, 0 * mode]))
        exact = np.exp(-decay) * np.stack([np.cos(1) * mode, -np.sin(1) * mode])
        errors.append(abs(got - exact).max())
    slopes = np.log2(np.divide(errors[:-1], errors[1:]))
    assert (abs(slopes - 2) < 0.15).all()


def test_diffusion_without_reactions_is_proved_and_sharp() -> None:
    """The limit is that of the strongest diffusion, 2: tau <= 1/(4 * 2)."""
    network = p2n.compile(guided(), p2n.Explicit(tau=None, steps=2))
    claims = network.certificate.claims
    assert claims["l2_stability"].status == "proved" and claims["l2_stability"].limit == sp.Rational(1, 8)
    for name in ("mean_preservation", "maximum_principle"):
        assert claims[name].status == "proved", name
    for name in ("nonexpansive", "energy_decay", "well_posed"):
        assert claims[name].status == "unknown", name
    run = Interpreter(network.graph)
    for scale in (0.01, 1.0, 100.0):
        for _ in range(20):
            u0, f = scale * RNG.normal(size=(3, 7, 6)), RNG.normal(size=(7, 6))
            u1 = run(u0, {"f": f})
            assert np.linalg.norm(u1) <= np.linalg.norm(u0) * (1 + 1e-12)
            assert (u1.min((1, 2)) >= u0.min((1, 2)) - 1e-9).all()
            assert (u1.max((1, 2)) <= u0.max((1, 2)) + 1e-9).all()
            np.testing.assert_allclose(u1.sum((1, 2)), u0.sum((1, 2)), atol=1e-9 * scale)
    beyond = p2n.verify(guided(), p2n.Explicit(tau=sp.Rational(14, 100)))
    claim = beyond.claims["l2_stability"]
    assert claim.status == "refuted" and claim.witness is not None
    u0 = np.array(claim.witness["u0"])
    fields = {n: np.array(v) for n, v in claim.witness["fields"].items()}
    u1 = interpreter(guided(), p2n.Explicit(tau=sp.Rational(14, 100)))(u0, fields)
    assert np.linalg.norm(u1) > np.linalg.norm(u0)


def test_reactions_are_left_out_in_words() -> None:
    claims = p2n.verify(gray_scott(), p2n.Explicit(tau=None)).claims
    assert claims["l2_stability"].status == "not applicable"
    assert claims["frozen_stability"].status == "linearised"
    assert claims["frozen_stability"].limit == sp.Rational(25, 16)
    assert "reactions left out" in claims["frozen_stability"].reason
    assert claims["consistency"].status == "proved"
    for name in ("nonexpansive", "energy_decay", "well_posed", "maximum_principle"):
        assert claims[name].status == "unknown"


def test_unstable_diffusion_is_refused() -> None:
    with pytest.raises(p2n.StabilityError, match="25/16"):
        p2n.compile(gray_scott(), p2n.Explicit(tau=sp.Rational(9, 4), steps=2))


def test_cross_reactions_that_pull_are_not_called_a_maximum_principle() -> None:
    """u_t = lap u + v - u leaves the range of u."""
    problem = p2n.Problem([sp.Eq(U.diff(t), laplacian(U) + V - U), sp.Eq(V.diff(t), laplacian(V))])
    assert p2n.verify(problem, p2n.Explicit(tau=0.1)).claims["maximum_principle"].status == "unknown"


def test_uncoupled_equations_keep_their_claims() -> None:
    problem = p2n.Problem(
        [sp.Eq(U.diff(t), laplacian(U)), sp.Eq(V.diff(t), div(grad(V) / sp.sqrt(1 + norm2(grad(V)))) - V)]
    )
    claims = p2n.verify(problem, p2n.FSI(tau=sp.Rational(1, 5), cycle_length=4)).claims
    assert claims["l2_stability"].status == "proved"
    explicit = p2n.verify(problem, p2n.Explicit(tau=sp.Rational(1, 5))).claims
    for name in ("l2_stability", "nonexpansive", "energy_decay", "well_posed", "maximum_principle"):
        assert explicit[name].status == "proved", name
    assert explicit["mean_preservation"].status == "not applicable"


def test_coupled_diffusivities_are_not_proved_over_the_stages_of_a_cycle() -> None:
    for scheme in SCHEMES[1:]:
        assert p2n.verify(guided(), scheme).claims["l2_stability"].status == "unknown"


def test_refusals() -> None:
    steps = p2n.Explicit(tau=0.1)
    v1 = sp.Function("v")(x, t)
    for equations, words in (
        ([], "at least one"),
        ([sp.Eq(U.diff(t), laplacian(U)), sp.Eq(U.diff(t), laplacian(U))], "two equations for u"),
        ([sp.Eq(U.diff(t), laplacian(U)), sp.Eq(v1.diff(t), v1.diff(x, 2))], "same variables"),
    ):
        with pytest.raises(p2n.EquationError, match=words):
            p2n.Problem(equations)
    with pytest.raises(p2n.DeclarationError, match="leave channels out"):
        gray_scott(channels=3)
    cross = p2n.Problem([sp.Eq(U.diff(t), laplacian(V)), sp.Eq(V.diff(t), laplacian(V))])
    with pytest.raises(p2n.EquationError, match="known data"):
        p2n.verify(cross, steps)
    with pytest.raises(p2n.DeclarationError, match="one equation"):
        p2n.verify(gray_scott(), p2n.Multigrid(tau=1, steps=1))
    with pytest.raises(p2n.DeclarationError, match="one equation"):
        p2n.advise(gray_scott(), 1)


def test_declarations_and_text_round_trip() -> None:
    for problem in (gray_scott(boundary="periodic"), guided()):
        assert read(problem.to_text(), "text")[0] == problem
        declaration = Declaration(problem, p2n.Explicit(tau=sp.Rational(1, 10)), p2n.Grid())
        assert Declaration.from_data(declaration.to_data()) == declaration
        certificate = p2n.verify(problem, p2n.Explicit(tau=sp.Rational(1, 10)))
        assert p2n.Certificate.from_json(certificate.to_json()).to_json() == certificate.to_json()
    assert gray_scott().energy is None


@pytest.mark.parametrize(
    "text,words",
    [
        ("unknown u(x, t)\nunknown v(y, t)\n", "all unknowns depend"),
        ("unknown u(x, t)\nunknown v(x, t)\nequation u_t = laplacian u\n", "no equation v_t"),
        ("unknown u(x, t)\nequation u_t = laplacian u\nequation u_t = laplacian u\n", "second equation"),
        ("unknown u(x, t)\nunknown v(x, t)\nequation laplacian(u) = 0\n", "u_t or v_t"),
    ],
)
def test_text_errors(text: str, words: str) -> None:
    with pytest.raises(p2n.TextError, match=words):
        read(text, "text")
