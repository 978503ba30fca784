"""Implicit steps of systems: residuals in NumPy, module against interpreter, claims, refusals."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from support import RNG, t, uncertified, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json
from tests.language.test_systems import gray_scott, guided, lap

R = sp.Rational
TIGHT = {"linear_tol": R(1, 10**13)}
SOLVED = {
    "Kacanov": p2n.Implicit(1, 2, solver=p2n.Kacanov(tol=R(1, 10**11), max_iterations=300, **TIGHT)),
    "preconditioned": p2n.Implicit(
        1, 2, solver=p2n.Kacanov(tol=R(1, 10**11), preconditioner="diagonal", max_iterations=300, **TIGHT)
    ),
    "Newton": p2n.Implicit(1, 2, solver=p2n.Newton(tol=R(1, 10**11), **TIGHT)),
    "scaled Newton": p2n.Implicit(
        1, 2, solver=p2n.Newton(tol=R(1, 10**11), preconditioner="diagonal", **TIGHT)
    ),
    "Picard": p2n.Implicit(
        R(1, 4), 2, solver=p2n.FixedPoint(tol=R(1, 10**11), max_iterations=500, anderson=3)
    ),
    "Crank-Nicolson": p2n.Theta(1, 2, solver=p2n.Newton(tol=R(1, 10**11), **TIGHT)),
}


def rate(state: np.ndarray) -> np.ndarray:
    u, v = state
    r = u * v * v
    return np.stack([0.16 * lap(u) - r + 0.037 * (1 - u), 0.08 * lap(v) + r - 0.097 * v])


@pytest.mark.parametrize("scheme", SOLVED.values(), ids=SOLVED)
def test_gray_scott_steps_solve_their_equation(scheme: Any) -> None:
    """v - theta tau F(v) = u + (1 - theta) tau F(u), with F in NumPy."""
    network = uncertified(gray_scott(boundary="periodic"), scheme)
    one = uncertified(gray_scott(boundary="periodic"), type(scheme)(scheme.tau, 1, solver=scheme.solver))
    u = RNG.uniform(size=(2, 9, 8))
    first, second = Interpreter(one.graph)(u), Interpreter(network.graph)(u)
    tau, theta = float(scheme.tau), float(getattr(scheme, "theta", 1))
    for before, after in ((u, first), (first, second)):
        residual = after - theta * tau * rate(after) - before - (1 - theta) * tau * rate(before)
        assert abs(residual).max() < 1e-9
    found = network.module()(torch.from_numpy(u)[None])[0].detach().numpy()
    np.testing.assert_allclose(found, second, rtol=0, atol=1e-9)


FIXED = {
    "Kacanov": p2n.Implicit(2, 2, solver=p2n.Kacanov(iterations=2, **TIGHT)),
    "preconditioned": p2n.Implicit(
        2, 2, solver=p2n.Kacanov(iterations=2, preconditioner="diagonal", **TIGHT)
    ),
    "Newton": p2n.Implicit(R(1, 5), 2, solver=p2n.Newton(iterations=2, **TIGHT)),
    "Picard": p2n.Implicit(R(1, 30), 2, solver=p2n.FixedPoint(iterations=3)),
    "theta": p2n.Theta(R(1, 5), 2, theta=R(2, 3), solver=p2n.Kacanov(iterations=2, **TIGHT)),
    "AOS": p2n.AOS(2, 2),
}


@pytest.mark.parametrize("scheme", FIXED.values(), ids=FIXED)
@pytest.mark.parametrize("gradient", ["forward", "staggered"])
@pytest.mark.parametrize("make", [gray_scott, guided])
def test_modules_agree_with_the_interpreter(scheme: Any, gradient: str, make: Any) -> None:
    problem = make(boundary={x: "dirichlet", y: "reflecting"})
    network = uncertified(problem, scheme, p2n.Grid(gradient=gradient))
    state, f = RNG.normal(size=(problem.channels, 6, 5)), RNG.normal(size=(6, 5))
    given = {"f": f} if problem.fields else {}
    tensors = {n: torch.from_numpy(a)[None, None] for n, a in given.items()}
    out = network.module().double()(torch.from_numpy(state)[None], **tensors)[0].numpy()
    want = Interpreter(network.graph)(state, given)
    np.testing.assert_allclose(out, want, rtol=0, atol=1e-9 * max(1.0, abs(want).max()))
    back = from_json(to_json(network.looped))
    np.testing.assert_allclose(Interpreter(back)(state, given), want, rtol=1e-12, atol=1e-13)


def nagumo(**options: Any) -> p2n.Problem:
    """FitzHugh-Nagumo: a diffusing potential and a slow variable without diffusion, in one dimension."""
    v, w = (sp.Function(n)(x, t) for n in "vw")
    return p2n.Problem(
        [
            sp.Eq(v.diff(t), v.diff(x, 2) + v - v**3 / 3 - w),
            sp.Eq(w.diff(t), R(8, 100) * (v + R(7, 10) - R(8, 10) * w)),
        ],
        **options,
    )


@pytest.mark.parametrize(
    "scheme", [p2n.AOS(R(1, 2), 3), p2n.Implicit(R(1, 4), 3, solver=p2n.Kacanov(tol=R(1, 10**12)))]
)
def test_equations_without_diffusion_are_solved_point_by_point(scheme: Any) -> None:
    network = uncertified(nagumo(), scheme)
    state = RNG.normal(size=(2, 12)) / 2
    want = Interpreter(network.graph)(state)
    out = network.module()(torch.from_numpy(state)[None])[0].detach().numpy()
    np.testing.assert_allclose(out, want, rtol=0, atol=1e-10)
    assert "conjugate_gradients" not in network.source()
    v, w = state
    tau = float(scheme.tau)
    for _ in range(3):
        a = np.eye(12) * 2 - np.eye(12, k=1) - np.eye(12, k=-1)
        a[0, 0] = a[-1, -1] = 1
        old, now = np.stack([v, w]), np.stack([v, w])
        for _ in range(1 if isinstance(scheme, p2n.AOS) else 80):
            right = old[0] + tau * (now[0] - now[0] ** 3 / 3 - now[1])
            v = np.linalg.solve(np.eye(12) + tau * a, right)
            w = (old[1] + 0.08 * tau * (now[0] + 0.7)) / (1 + 0.08 * tau * 0.8)
            now = np.stack([v, w])
    np.testing.assert_allclose(want, np.stack([v, w]), rtol=0, atol=1e-9)


def test_names_of_unknowns_do_not_meet_those_of_nodes() -> None:
    """The same equations under names that builders use give the same numbers."""
    state = RNG.normal(size=(2, 7))
    found = []
    for names in (("p", "q"), ("source", "rates"), ("rhs", "update"), ("skip", "v"), ("minus", "product")):
        a, b = (sp.Function(n)(x, t) for n in names)
        equations = [
            sp.Eq(a.diff(t), a.diff(x, 2) - a * b**2),
            sp.Eq(b.diff(t), div(grad(b) / (1 + a**2)) - b),
        ]
        for scheme in (FIXED["Newton"], FIXED["Picard"], FIXED["theta"], p2n.Explicit(R(1, 20), 2)):
            network = uncertified(p2n.Problem(equations), scheme)
            want = Interpreter(network.graph)(state)
            out = network.module()(torch.from_numpy(state)[None])[0].detach().numpy()
            np.testing.assert_allclose(out, want, rtol=0, atol=1e-9)
            found.append(want)
    for other in zip(found[::4], found[1::4], found[2::4], found[3::4], strict=True):
        for array, first in zip(other, found[:4], strict=True):
            np.testing.assert_allclose(array, first, rtol=0, atol=1e-12)


def test_implicit_diffusion_is_proved_for_every_step() -> None:
    """Diffusivities that depend on the other unknown: each new state is that of a step for some fields."""
    for scheme in (p2n.Implicit(50, 2), p2n.AOS(50, 2)):
        network = p2n.compile(guided(), scheme)
        claims = network.certificate.claims
        assert claims["l2_stability"].status == "proved" and claims["l2_stability"].limit == sp.oo
        run = Interpreter(network.graph)
        for scale in (0.1, 3.0):
            u, f = scale * RNG.normal(size=(3, 6, 5)), RNG.normal(size=(6, 5))
            assert np.linalg.norm(run(u, {"f": f})) <= np.linalg.norm(u) * (1 + 1e-9)
    assert claims["maximum_principle"].status == claims["mean_preservation"].status == "proved"
    for name in ("nonexpansive", "energy_decay", "well_posed", "solver_convergence"):
        assert claims[name].status == "unknown", name


@pytest.mark.parametrize("name", ["Newton", "Picard", "theta"])
def test_iterates_that_mix_unknowns_of_several_states_are_not_proved(name: str) -> None:
    claims = p2n.verify(guided(), FIXED[name]).claims
    for claim in ("l2_stability", "maximum_principle", "frozen_stability", "nonexpansive", "consistency"):
        assert claims[claim].status in ("unknown", "refuted"), claim


def test_uncoupled_equations_keep_their_claims() -> None:
    """Two independent equations in one network: solved together by conjugate gradients, or exactly."""
    u, v = (sp.Function(n)(x, y, t) for n in "uv")
    g = 1 / (1 + norm2(grad(u)))
    pair = p2n.Problem([sp.Eq(u.diff(t), div(g * grad(u))), sp.Eq(v.diff(t), laplacian(v))])
    alone = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))))
    for scheme in (p2n.Implicit(5, 2, solver=p2n.Kacanov(iterations=2)), p2n.AOS(5, 2)):
        both, one = p2n.verify(pair, scheme).claims, p2n.verify(alone, scheme).claims
        for name in ("l2_stability", "maximum_principle", "mean_preservation", "frozen_stability"):
            if one[name].status == "proved":
                assert both[name].status == "proved", name
            else:
                assert both[name].status in ("unknown", "refuted"), name


def test_joint_conjugate_gradients_are_not_called_exact() -> None:
    """One equation alone would be solved by elimination, the pair is not: its second has two terms."""
    u, v = (sp.Function(n)(x, t) for n in "uv")
    pair = p2n.Problem([sp.Eq(u.diff(t), u.diff(x, 2)), sp.Eq(v.diff(t), v.diff(x, 2) - v.diff(x, 4))])
    certificate = p2n.verify(pair, p2n.Implicit(3, 1))
    assert "conjugate gradients" in certificate.subject["scheme"]
    assert certificate.claims["maximum_principle"].status in ("unknown", "refuted")
    assert certificate.claims["nonexpansive"].status in ("unknown", "refuted")
    for name in ("l2_stability", "mean_preservation"):
        assert certificate.claims[name].status == "proved"


def test_the_order_of_a_coupled_implicit_scheme() -> None:
    """Rotation of two unknowns with diffusion, on one cosine mode; see the explicit schemes."""
    a, b = (sp.Function(n)(x, t) for n in "ab")
    problem = p2n.Problem([sp.Eq(a.diff(t), a.diff(x, 2) + b), sp.Eq(b.diff(t), b.diff(x, 2) - a)])
    mode = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    decay = 4 * np.sin(np.pi / 16) ** 2
    exact = np.exp(-decay) * np.stack([np.cos(1) * mode, -np.sin(1) * mode])
    solver = p2n.Kacanov(tol=R(1, 10**11), max_iterations=200)
    for order, kind in ((1, p2n.Implicit), (2, p2n.Theta)):
        errors = []
        for steps in (4, 8, 16):
            graph = uncertified(problem, kind(R(1, steps), steps, solver=solver)).graph
            errors.append(abs(Interpreter(graph)(np.stack([mode, 0 * mode])) - exact).max())
        slopes = [np.log2(p / q) for p, q in itertools.pairwise(errors)]
        assert all(abs(s - order) < 0.2 for s in slopes), slopes
        claim = p2n.verify(problem, kind(R(1, 8), 2, solver=solver)).claims["consistency"]
        assert f"O(tau{'' if order == 1 else '**2'} + h**2)" in claim.reason


def test_coefficients_of_systems_may_contain_t() -> None:
    """A decaying feed, at the end of each implicit step and at the start of explicit ones."""
    u, v = (sp.Function(n)(x, t) for n in "uv")
    problem = p2n.Problem(
        [sp.Eq(u.diff(t), sp.exp(-t) * (1 - u) - u * v), sp.Eq(v.diff(t), v.diff(x, 2) / (1 + t))]
    )
    state = RNG.uniform(size=(2, 7))

    def f(s: np.ndarray, now: float) -> np.ndarray:
        w = np.pad(s[1], 1, mode="edge")
        return np.stack([np.exp(-now) * (1 - s[0]) - s[0] * s[1], np.diff(w, 2) / (1 + now)])

    want = state
    for k in range(3):
        want = want + 0.1 * f(want, 0.1 * k)
    for scheme, end in (
        (p2n.Explicit(R(1, 10), 3), want),
        (p2n.Implicit(R(1, 2), 1, solver=p2n.Newton(tol=R(1, 10**12))), None),
    ):
        network = uncertified(problem, scheme)
        got = Interpreter(network.graph)(state)
        out = network.module()(torch.from_numpy(state)[None])[0].detach().numpy()
        np.testing.assert_allclose(out, got, rtol=0, atol=1e-10)
        expected = end if end is not None else state + 0.5 * f(got, 0.5)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-9)


def test_diffusion_in_time_is_proved_up_to_its_end() -> None:
    u, v = (sp.Function(n)(x, t) for n in "uv")
    problem = p2n.Problem([sp.Eq(u.diff(t), (1 + t) * u.diff(x, 2)), sp.Eq(v.diff(t), v.diff(x, 2))])
    for tau, proved in ((R(1, 4), True), (R(3, 10), False)):  # tau (1 + 3 tau) <= 1/2 up to 0.274
        claim = p2n.verify(problem, p2n.Explicit(tau, 4)).claims["l2_stability"]
        assert (claim.status == "proved") == proved
    with pytest.raises(p2n.EquationError, match="no value at t = 1/2"):
        bad = p2n.Problem([sp.Eq(u.diff(t), u.diff(x, 2) / (1 - 2 * t)), sp.Eq(v.diff(t), v.diff(x, 2))])
        p2n.verify(bad, p2n.Explicit(R(1, 4), 4))


def test_refusals() -> None:
    with pytest.raises(p2n.DeclarationError, match='not "multigrid"'):
        p2n.verify(gray_scott(), p2n.Implicit(1, solver=p2n.Kacanov(preconditioner="multigrid")))
    with pytest.raises(p2n.EquationError, match="steady state is not unique"):
        p2n.verify(guided(), p2n.Implicit(sp.oo))


@pytest.mark.parametrize("solver", [p2n.Kacanov(tol=1e-6), p2n.Newton(tol=1e-6)])
@pytest.mark.parametrize(
    ("reactions", "refused"),
    [
        (lambda u, v, f: (f, f - v), True),
        (lambda u, v, f: (f + v - u, u - v), True),
        (lambda u, v, f: (f + v - u, 2 * u - 2 * v + 1), True),
        (lambda u, v, f: (f + v - u, u - 2 * v), False),
        (lambda u, v, f: (f + v, -u), False),
        (lambda u, v, f: (f + v - u, u - v**3), False),
    ],
)
def test_steady_states_have_means(solver, reactions, refused) -> None:
    u, v, f = (sp.Function(n)(*a) for n, a in (("u", (x, t)), ("v", (x, t)), ("f", (x,))))
    sides = (w.diff(x, 2) + r for w, r in zip((u, v), reactions(u, v, f), strict=True))
    problem = p2n.Problem([sp.Eq(w.diff(t), side) for w, side in zip((u, v), sides, strict=True)])
    with pytest.raises(p2n.EquationError, match="not unique") if refused else contextlib.nullcontext():
        uncertified(problem, p2n.Implicit(sp.oo, solver=solver))
