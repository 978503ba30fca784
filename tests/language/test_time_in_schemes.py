"""Coefficients that contain t in every scheme: modes against products of factors, orders, refusals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import sympy as sp
import torch
from support import equation, t, uncertified, unknown, x

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.errors import DeclarationError, EquationError
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json
from pde2net.scheme.registry import update_of
from pde2net.verify.certificate import Status

FIFTH, HALF = sp.Rational(1, 5), sp.Rational(1, 2)
CELLS = 8
MU = 4 * math.sin(math.pi / (2 * CELLS)) ** 2
MODE = np.cos(np.pi * (np.arange(CELLS) + 0.5) / CELLS)
C = 1 / (1 + t)
TIGHT = {"linear_tol": sp.Rational(1, 10**12)}


def c(now: float) -> float:
    return 1 / (1 + now)


def heat(coefficient: sp.Expr = C) -> p2n.Problem:
    return p2n.Problem(equation(coefficient * unknown(1).diff(x, 2), 1))


def implicit(tau: float, steps: int, theta: float = 1) -> float:
    """Every step with the coefficient at the time (k + theta) tau."""
    z = [tau * MU * c((k + theta) * tau) for k in range(steps)]
    return math.prod((1 - (1 - theta) * v) / (1 + theta * v) for v in z)


def by_cycles(scheme: p2n.FSI | p2n.FED | p2n.RKL) -> float:
    """Each cycle is a polynomial of A at one time: its start, or its middle for RKL of order 2."""
    stack = update_of(scheme)
    p = stack.amplification()
    length = float(scheme.span * scheme.tau)
    offset = 0.5 if getattr(scheme, "order", 1) == 2 else 0
    cycles = range(scheme.repeats)
    return math.prod(float(p.eval(float(scheme.tau) * MU * c((k + offset) * length))) for k in cycles)


def du_fort_frankel(tau: float, alpha: float, steps: int) -> float:
    a = 4 * tau * alpha / (1 + 2 * tau * alpha)
    now, before = 1.0, 1.0
    for k in range(steps):
        now, before = a * (now - c(k * tau) * MU * now / (2 * alpha)) + (1 - a) * before, now
    return now


NEWTON, KACANOV = p2n.Newton(tol=sp.Rational(1, 10**12), **TIGHT), p2n.Kacanov(iterations=1, **TIGHT)
CYCLES = {"tol": sp.Rational(1, 10**12), "cycles": 40}
FACTORS: list[tuple[p2n.Scheme, Callable[[], float]]] = [
    (p2n.Explicit(FIFTH, 4), lambda: math.prod(1 - 0.2 * MU * c(0.2 * k) for k in range(4))),
    (p2n.DuFortFrankel(1, alpha=2, steps=4), lambda: du_fort_frankel(1.0, 2.0, 4)),
    *((s, lambda s=s: by_cycles(s)) for s in (p2n.FSI(FIFTH, 4, 3), p2n.FED(FIFTH, 4, 3))),
    *((s, lambda s=s: by_cycles(s)) for s in (p2n.RKL(1, 2, 4, 3), p2n.RKL(2, 2, 4, 3))),
    (p2n.Implicit(2, 3, solver=KACANOV), lambda: implicit(2, 3)),
    (p2n.Implicit(2, 3, solver=NEWTON), lambda: implicit(2, 3)),
    (p2n.Implicit(FIFTH, 3, solver=p2n.FixedPoint(iterations=60)), lambda: implicit(0.2, 3)),
    (p2n.Implicit(2, 3, solver=p2n.Kacanov(preconditioner="diagonal", **TIGHT)), lambda: implicit(2, 3)),
    (p2n.Theta(2, 3, solver=KACANOV), lambda: implicit(2, 3, 0.5)),
    (p2n.Theta(2, 3, theta=sp.Rational(3, 4), solver=KACANOV), lambda: implicit(2, 3, 0.75)),
    (p2n.AOS(2, 3), lambda: implicit(2, 3)),
    (p2n.Multigrid(2, 3, **CYCLES), lambda: implicit(2, 3)),
    (p2n.Multigrid(2, 3, smoother="chebyshev", gradients="implicit", **CYCLES), lambda: implicit(2, 3)),
]
NAMES = [f"{scheme.label}{number}" for number, (scheme, _) in enumerate(FACTORS)]
SPLIT = [{}, {"trainable": ["tau"]}, {"trainable": ["tau"], "shared": False}]


@pytest.mark.parametrize("options", SPLIT, ids=["plain", "trained", "own"])
@pytest.mark.parametrize(("scheme", "factor"), FACTORS, ids=NAMES)
def test_modes_are_multiplied_by_the_factors_of_their_times(scheme, factor, options):
    several = isinstance(scheme, p2n.FSI | p2n.FED | p2n.RKL)
    if several and not options.get("shared", True):
        with pytest.raises(DeclarationError, match="time of a cycle"):
            p2n.compile(heat(), scheme, **options)
        return
    network = uncertified(heat(), scheme, **options)
    expected = factor() * MODE
    assert np.allclose(Interpreter(network.graph)(MODE), expected, rtol=0, atol=1e-9)
    assert np.allclose(Interpreter(from_json(to_json(network.looped)))(MODE), expected, rtol=0, atol=1e-9)
    found = network.module()(torch.tensor(MODE)[None, None]).detach().numpy()[0, 0]
    assert np.allclose(found, expected, rtol=0, atol=1e-9)


PLANE = [
    *(scheme for scheme, _ in FACTORS if not isinstance(scheme, p2n.Multigrid)),
    p2n.Multigrid(2, 3, smoother="chebyshev", cycles=2),
    p2n.Implicit(2, 2, solver=p2n.Kacanov(iterations=2, preconditioner="diagonal")),
    p2n.Implicit(2, 2, solver=p2n.Kacanov(iterations=2, preconditioner="multigrid")),
    p2n.Multigrid(2, 2, smoother="red-black", cycle="FMG"),
]


@pytest.mark.parametrize("scheme", PLANE, ids=lambda s: s.label)
def test_modules_are_their_interpreters_in_the_plane(scheme):
    """A nonlinear diffusivity and the weight of a fidelity term contain t."""
    u, f = unknown(2), sp.Function("f")(*unknown(2).args[:-1])
    g = 1 / (1 + norm2(grad(u)) * sp.exp(t))
    problem = p2n.Problem(equation(div(g * grad(u)) + C * (f - u), 2))
    network = uncertified(problem, scheme)
    rng = np.random.default_rng(5)
    image, field = rng.random((2, 9, 8))
    expected = Interpreter(network.graph)(image, {"f": field})
    arrays = [torch.tensor(a)[None, None] for a in (image, field)]
    found = network.module()(arrays[0], f=arrays[1]).detach().numpy()[0, 0]
    assert np.allclose(found, expected, rtol=0, atol=1e-9)
    still = uncertified(p2n.Problem(equation(div(grad(u) / (1 + norm2(grad(u)))) + f - u, 2)), scheme)
    assert not np.allclose(found, Interpreter(still.graph)(image, {"f": field}), atol=1e-6)


@pytest.mark.parametrize("preconditioner", ["diagonal", "multigrid"])
def test_preconditioners_know_the_time(preconditioner):
    """c(t) alone, whose diagonal is no known datum."""
    problem = p2n.Problem(equation(C * p2n.laplacian(unknown(2)), 2))
    solver = p2n.Kacanov(preconditioner=preconditioner, **TIGHT)
    plane = np.outer(MODE, np.ones(5))
    network = uncertified(problem, p2n.Implicit(2, 3, solver=solver))
    found = network.module()(torch.tensor(plane)[None, None]).detach().numpy()[0, 0]
    assert np.allclose(found, implicit(2, 3) * plane, rtol=0, atol=1e-8)
    assert np.allclose(Interpreter(network.graph)(plane), found, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("order", "make"),
    [
        (1, lambda n: p2n.FSI(sp.Rational(2, n) / 2, 2, n)),
        (1, lambda n: p2n.RKL(1, sp.Rational(4, n), 3, n)),
        (2, lambda n: p2n.RKL(2, sp.Rational(4, n), 3, n)),
        (1, lambda n: p2n.Implicit(sp.Rational(4, n), n, solver=KACANOV)),
        (2, lambda n: p2n.Theta(sp.Rational(4, n), n, solver=KACANOV)),
        (1, lambda n: p2n.AOS(sp.Rational(4, n), n)),
    ],
    ids=["FSI", "RKL1", "RKL2", "implicit", "Crank-Nicolson", "AOS"],
)
def test_orders_in_time(order, make):
    """The exact factor is exp(-mu int c) = (1 + T)^(-mu)."""
    errors = []
    for n in (8, 16, 32):
        scheme = make(n)
        time = float(scheme.duration(scheme.tau))
        found = Interpreter(uncertified(heat(), scheme).graph)(MODE)
        errors.append(abs(found[0] / MODE[0] - (1 + time) ** -MU))
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(order - 0.25 < s < order + 0.25 for s in slopes), slopes
    claim = p2n.verify(heat(), make(8)).claims["consistency"]
    assert f"O(tau{'' if order == 1 else '**2'} + h**2)" in claim.reason


CYCLIC = [p2n.FSI(FIFTH, 3, 4), p2n.RKL(2, 1, 4, 4)]
LONG = [p2n.Implicit(HALF, 6), p2n.Theta(HALF, 6), p2n.AOS(HALF, 6)]
BACKWARD = [sp.cos(2 * t), HALF - t, sp.Piecewise((1, t < 1), (-1, True))]


@pytest.mark.parametrize("scheme", [*CYCLIC, *LONG], ids=lambda s: s.label)
@pytest.mark.parametrize("coefficient", BACKWARD, ids=str)
def test_backward_times_are_never_proved(coefficient, scheme):
    """Each is negative at some of the times."""
    claims = p2n.verify(heat(coefficient), scheme).claims
    for name in ("l2_stability", "nonexpansive", "maximum_principle", "frozen_stability"):
        assert claims[name].status in (Status.REFUTED, Status.UNKNOWN)


def test_the_end_of_the_last_step_counts():
    """Implicit steps evaluate at tau, ..., 3 tau, explicit ones at 0, ..., 2 tau."""
    unit = p2n.Implicit(1, 3)
    for jump, statuses in ((3, (Status.REFUTED, Status.UNKNOWN)), (5, (Status.PROVED, Status.UNKNOWN))):
        coefficient = sp.Piecewise((1, t < jump), (-1, True))
        assert p2n.verify(heat(coefficient), unit).claims["l2_stability"].status in statuses
    for zero, status in ((3, Status.PROVED), (sp.Rational(29, 10), Status.REFUTED)):
        found = p2n.verify(heat((zero - t) * 10), unit).claims["l2_stability"].status
        assert found == status or (status == Status.REFUTED and found == Status.UNKNOWN)
    claim = p2n.verify(heat(sp.Rational(2, 5) - t), p2n.Explicit(FIFTH, 3)).claims["l2_stability"]
    assert claim.status == Status.PROVED
    assert "t <= 2/5" in claim.reason
    later = p2n.verify(heat(sp.Rational(2, 5) - t), p2n.Explicit(FIFTH, 4)).claims["l2_stability"]
    assert later.status != Status.PROVED


@pytest.mark.parametrize(("tau", "proved"), [("0.289", True), ("0.29", False)])
def test_thresholds_of_cycles_from_both_sides(tau, proved):
    """c = 1 + t, 3 cycles of length 2 tau: 4 tau (1 + 4 tau) <= 5/2 up to tau = 0.2896."""
    claim = p2n.verify(heat(1 + t), p2n.FSI(sp.Rational(tau), 2, 3)).claims["l2_stability"]
    assert (claim.status == Status.PROVED) == proved


def test_conditions_that_last_for_all_times_are_kept():
    k = sp.Symbol("k", positive=True)
    problem = p2n.Problem(equation(k * C * unknown(1).diff(x, 2), 1), parameters={k: 1})
    for scheme in (p2n.FSI(None, 3, 2), p2n.RKL(2, None, 4, 2), p2n.Explicit(None, 4)):
        module = uncertified(problem, scheme, trainable=[k], keep_stable=True, shared=False).module()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter += 3 * torch.rand(()).double()
        u = torch.randn(1, 1, 16, dtype=torch.float64)
        assert module(u).norm() <= u.norm()


def test_a_trained_step_changes_the_times():
    for scheme in (p2n.Explicit(FIFTH, 3), p2n.FSI(FIFTH, 3, 2)):
        with pytest.raises(DeclarationError, match="up to the time"):
            p2n.compile(heat(1 + t), scheme, trainable=["tau"], keep_stable=True)


def test_poles_at_later_steps_are_refused():
    pole = 1 / (1 - t / 2)
    with pytest.raises(EquationError, match="no value at t = 2, where step or cycle 5"):
        p2n.verify(heat(pole), p2n.Explicit(HALF, 6))
    with pytest.raises(EquationError, match="no value at t = 2, where step or cycle 2"):
        p2n.verify(heat(pole), p2n.Implicit(1, 3))
    with pytest.raises(EquationError, match="no value at t = 2"):
        p2n.verify(heat(sp.sqrt(1 - t)), p2n.AOS(1, 3))
    with pytest.raises(EquationError, match="no value at t = 2"):
        p2n.verify(heat(sp.acos(t)), p2n.AOS(1, 3))
    p2n.verify(heat(pole), p2n.Explicit(HALF, 4))


def test_a_steady_state_is_refused():
    for scheme in (p2n.Implicit(sp.oo), p2n.Multigrid(sp.oo)):
        with pytest.raises(DeclarationError, match="steady state"):
            p2n.verify(heat(), scheme)


def test_advice_ranks_all_kinds():
    advice = p2n.advise(heat(sp.exp(-t)), time=10)
    kinds = {type(row.scheme) for row in advice.rows}
    assert {p2n.Explicit, p2n.FSI, p2n.Implicit, p2n.Multigrid} <= kinds
