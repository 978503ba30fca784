"""Schemes of one's own: what is stated of them is decided, and what cannot be is not claimed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import diffusion, equation, uncertified, unknown, x

import pde2net as p2n
from pde2net import laplacian
from pde2net.extend import (
    PREVIOUS,
    RATE,
    START,
    STEP,
    TAU,
    Method,
    OwnScheme,
    Polynomial,
    Stack,
    U,
    Z,
    register_diffusivity,
    register_scheme,
)
from pde2net.graph.interpret import Interpreter
from pde2net.language import diffusivities
from pde2net.language.schemes import SCHEMES
from pde2net.language.text.build import read
from pde2net.scheme.polynomial import stays_bounded
from pde2net.scheme.registry import METHODS

R = sp.Rational
B = sp.Symbol("_b", real=True)
HEAT = p2n.Problem(equation(laplacian(unknown(1)), 1))
HALF = R(1, 2)
HEUN = Stack(U + TAU * RATE, B * STEP + (1 - B) * START, ({B: sp.S.One}, {B: HALF}), TAU, order=2)


@dataclass(frozen=True)
class Own(OwnScheme):
    label: ClassVar[str] = "own"


@pytest.fixture
def registered() -> Iterator[Any]:
    """Registers Own with a stack and a polynomial for one test."""

    def register(stack: Stack, poly: sp.Expr | None = None, reach: Any = 2, known: bool = False) -> None:
        METHODS.pop(Own, None)
        SCHEMES.pop("own", None)

        def stated(scheme: Own) -> Polynomial:
            return Polynomial(sp.Poly(poly, Z, domain="QQ"), sp.Rational(reach), "stated", known)

        def update(scheme: Own, _: Any) -> Stack:
            return stack if stack.repeated else replace(stack, cycles=scheme.steps)

        register_scheme(Method(Own, update, None, None if poly is None else stated))

    yield register
    METHODS.pop(Own, None)
    SCHEMES.pop("own", None)


def statuses(problem: p2n.Problem, tau: Any, steps: int = 2) -> dict[str, str]:
    found = p2n.verify(problem, Own(tau, steps)).claims
    return {name: str(claim.status) for name, claim in found.items()}


def test_heun_is_like_any_other_scheme(registered: Any) -> None:
    """Its limit is that of 1 - z + z²/2, from both sides; network, text and certificate go round."""
    registered(HEUN, 1 - Z + Z**2 / 2)
    for tau, expected in ((HALF, "proved"), (HALF + R(1, 10**9), "unknown"), (R(3, 5), "refuted")):
        claims = p2n.verify(HEAT, Own(tau, 40)).claims
        assert str(claims["l2_stability"].status) == expected
        assert claims["l2_stability"].limit == HALF
    assert p2n.verify(HEAT, Own(None, 3)).tau == HALF
    network = p2n.compile(HEAT, Own(R(2, 5), 3))
    u0 = np.random.default_rng(0).normal(size=9)
    v = u0
    one = Interpreter(uncertified(HEAT, p2n.Explicit(R(2, 5))).looped)
    for _ in range(3):
        v = (v + one(one(v))) / 2
    assert np.allclose(network.module()(torch.tensor(u0)[None, None])[0, 0].numpy(), v, rtol=0, atol=1e-14)
    certificate = network.certificate
    assert certificate.claims["consistency"].reason.startswith("Truncation error O(tau**2 + h**2)")
    assert p2n.recheck(certificate.to_json()).claims == certificate.claims
    assert "own(tau = 2/5, steps = 3)" in certificate.declaration.to_text()
    assert "weights" not in network.source() or "self.b = (1, 0.5,)" in network.source()


def test_the_order_is_the_slope_of_the_error(registered: Any) -> None:
    registered(HEUN, 1 - Z + Z**2 / 2)
    mode = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    exact = np.exp(-4 * np.sin(np.pi / 16) ** 2 * 4) * mode
    errors = [
        abs(Interpreter(uncertified(HEAT, Own(R(4, n), n)).looped)(mode) - exact).max() for n in (16, 32, 64)
    ]
    assert all(abs(np.log2(a / b) - 2) < 0.1 for a, b in itertools.pairwise(errors))


TWICE = replace(HEUN, step=U + 2 * TAU * RATE)
EULER = Stack(U + TAU * RATE, STEP, ({},), TAU)
FALSE = {
    "a reach that is too long": (HEUN, 1 - Z + Z**2 / 2, 3, False, R(7, 10), ("l2_stability",)),
    "a bound that is called known": (HEUN, 1 - Z + Z**2 / 2, 100, True, R(20), ("l2_stability",)),
    "another polynomial": (HEUN, 1 - Z / 2, 4, True, R(9, 10), ("l2_stability", "frozen_stability")),
    "a time that is not covered": (TWICE, 1 - 2 * Z + 2 * Z**2, 1, False, R(1, 8), ("consistency",)),
    "an order that it does not have": (
        replace(HEUN, stages=({B: sp.S.One}, {B: R(2, 3)}), time=R(4, 3) * TAU),
        1 - R(4, 3) * Z + R(2, 3) * Z**2,
        1,
        False,
        R(1, 8),
        ("consistency",),
    ),
    "steps of another size": (
        replace(EULER, step=U + 2 * TAU * RATE, repeated=True),
        1 - 2 * Z,
        1,
        True,
        R(1, 8),
        ("consistency",),
    ),
    "an earlier state": (
        Stack(U + TAU * RATE, 2 * STEP - PREVIOUS, ({},) * 2, 2 * TAU, repeated=True),
        1 - 2 * Z,
        1,
        True,
        R(1, 8),
        ("l2_stability", "consistency"),
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_what_is_false_is_not_proved(registered: Any, name: str) -> None:
    stack, poly, reach, known, tau, claims = FALSE[name]
    registered(stack, poly, reach, known)
    found = statuses(HEAT, tau)
    assert all(found[claim] in ("unknown", "refuted") for claim in claims), found


W = sp.Symbol("_w", real=True)
REFUSED = {
    "states that do not sum to 1": replace(EULER, step=2 * U + TAU * RATE),
    "states that sum to 1 over a cycle": Stack(U + TAU * RATE, W * STEP, ({W: R(2)}, {W: HALF}), 2 * TAU),
    "a time that goes backward": replace(EULER, step=U - 3 * TAU * RATE, time=-3 * TAU),
    "stages that go backward": replace(EULER, step=U - 3 * TAU * RATE, time=3 * TAU),
    "no time": replace(EULER, time=sp.S.Zero),
    "nothing": replace(EULER, step=U),
    "a weight called tau": replace(EULER, stages=({TAU: sp.S.One},)),
    "a weight called as a value": replace(EULER, stages=({sp.Symbol("g"): sp.S.One},)),
    "a weight called float": replace(EULER, stages=({sp.Symbol("_float"): sp.S.One},)),
    "a weight that is nearly 1": Stack(U + W * TAU * RATE, STEP, ({W: sp.sqrt(1 + R(1, 10**7))},), TAU),
    "a weight in floating point": Stack(U + W * TAU * RATE, STEP, ({W: 1.5},), R(3, 2) * TAU),
    "a factor in floating point": replace(EULER, step=U + 1.5 * TAU * RATE, time=R(3, 2) * TAU),
    "half steps that are steps of the network": Stack(
        U + TAU * RATE / 2, STEP, ({},) * 2, TAU, repeated=True
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_stacks_of_which_nothing_can_be_derived_are_refused(registered: Any, name: str) -> None:
    registered(REFUSED[name], 1 - Z)
    with pytest.raises(p2n.DeclarationError):
        p2n.verify(HEAT, Own(R(1, 8), 2))


def test_choices_that_certificates_cannot_store_are_refused() -> None:
    def made(name: str, base: type = OwnScheme, label: Any = "made", **options: Any) -> type:
        types = {"label": ClassVar[str], **dict.fromkeys(options, Any)}
        return dataclass(frozen=True)(
            type(name, (base,), {"label": label, "__annotations__": types, **options})
        )

    wrong = [
        made("Hidden", w=field(default=1, compare=False)),
        made("Taken", label="EXPLICIT"),
        made("Marked", label="a(b)"),
        made("Explicit", p2n.Explicit),
        type("Plain", (OwnScheme,), {"label": "plain"}),
        OwnScheme,
    ]
    for choice in wrong:
        with pytest.raises(p2n.DeclarationError):
            register_scheme(Method(choice, lambda scheme, _: EULER))
    with pytest.raises(p2n.DeclarationError):
        register_scheme("explicit")  # type: ignore[arg-type]  # on purpose


@pytest.mark.parametrize("tau", [R(-1, 10), 0.2, 0, float("nan"), "1/8"])
def test_steps_that_nobody_checked_are_refused(registered: Any, tau: Any) -> None:
    registered(EULER, 1 - Z)
    scheme = Own(R(1, 8), 2)
    object.__setattr__(scheme, "tau", tau)
    with pytest.raises(p2n.DeclarationError):
        p2n.verify(HEAT, scheme)


def test_steps_reach_the_time_that_is_asked_for(registered: Any) -> None:
    """A cycle covers 2 tau: a source of 1 raises the values by the time, stage by stage without weights."""
    registered(replace(EULER, stages=({}, {}), time=2 * TAU), (1 - Z) ** 2)
    u = unknown(1)
    scheme = Own.for_time(3, steps=12)
    module = uncertified(p2n.Problem(equation(laplacian(u) + 1, 1)), scheme).module().double()
    assert scheme.tau == R(1, 8) and scheme.duration(scheme.tau) == 3
    assert torch.allclose(module(torch.zeros(1, 1, 9).double()), torch.full((1, 1, 9), 3.0).double())


@pytest.mark.parametrize("name", ["_a", "_g", "_s2", "_mu", "_t", "_w", "_x"])
def test_weights_may_be_called_as_values_of_the_network(registered: Any, name: str) -> None:
    w = sp.Symbol(name, real=True)
    registered(replace(HEUN, skip=w * STEP + (1 - w) * START, stages=({w: sp.S.One}, {w: HALF})))
    problem = diffusion(lambda s2: 1 / (1 + s2), 2)
    network = uncertified(problem, Own(R(1, 8), 2))
    u0 = np.random.default_rng(1).normal(size=(5, 6))
    found = network.module().double()(torch.from_numpy(u0)[None, None])[0, 0].detach().numpy()
    np.testing.assert_allclose(found, Interpreter(network.graph)(u0), rtol=0, atol=1e-13)


@pytest.mark.parametrize("reach", [sp.oo, sp.sqrt(5), 0, -1])
def test_reaches_are_positive_and_rational(reach: Any) -> None:
    with pytest.raises(p2n.DeclarationError):
        Polynomial(sp.Poly(1 - Z, Z), reach, "1 - z")


@pytest.mark.parametrize("stated", [None, 1 - Z + Z**2 / 2])
def test_the_largest_step_of_what_is_not_proved_is_refused(registered: Any, stated: Any) -> None:
    registered(HEUN, stated, 50)
    with pytest.raises(p2n.StabilityError, match="none is proved"):
        p2n.verify(HEAT, Own(None, 2))


@st.composite
def stacks(draw: Any) -> tuple[Stack, Polynomial]:
    """Random stages, most of them affine and forward in time; what is stated of them is true, or nearly."""
    size = st.sampled_from([R(k, 4) for k in range(-4, 9)])
    count = draw(st.integers(1, 3))
    stages = tuple({B: draw(size), W: draw(size)} for _ in range(count))
    other = draw(st.sampled_from([START, PREVIOUS, U]))
    left = 1 - B if draw(st.integers(0, 9)) else B
    stack = Stack(U + W * TAU * RATE, B * STEP + left * other, stages, TAU)
    poly = stack.amplification().set_domain("QQ")
    time = -poly.nth(1) + draw(st.sampled_from([0, 0, 0, R(1, 4)]))
    reach = draw(st.sampled_from([R(1, 2), 1, 2, 3]))
    return replace(stack, time=time * TAU), Polynomial(poly, reach, "stated", draw(st.booleans()))


DATA = sp.Function("f")(x)
MODELS = [laplacian(unknown(1)), laplacian(unknown(1)) + (DATA - unknown(1)) / 2]
MODELS.append(p2n.div(p2n.grad(unknown(1)) / (1 + p2n.norm2(p2n.grad(unknown(1))))))


@given(stacks(), st.sampled_from(MODELS), st.sampled_from([R(1, 16), R(1, 4), R(1, 2)]))
def test_nothing_that_is_proved_of_a_random_stack_is_false(
    drawn: Any, rhs: sp.Expr, tau: sp.Rational
) -> None:
    """Norms, differences and energies of inputs that excite all modes, through the network."""
    stack, stated = drawn
    METHODS.pop(Own, None)
    SCHEMES.pop("own", None)
    register_scheme(Method(Own, lambda s, _: replace(stack, cycles=s.steps), None, lambda _: stated))
    try:
        network = p2n.compile(p2n.Problem(equation(rhs, 1)), Own(tau, 3), on_unstable="ignore")
    except p2n.DeclarationError:
        return
    finally:
        METHODS.pop(Own, None)
        SCHEMES.pop("own", None)
    claims = network.certificate.claims
    fields = {"f": np.zeros(8)} if rhs.has(DATA) else {}
    run = Interpreter(network.graph)
    rng = np.random.default_rng(0)
    for u0 in ((-1.0) ** np.arange(8), rng.normal(size=8), np.ones(8), np.eye(8)[3], 30 * rng.normal(size=8)):
        u1, zero = run(u0, fields), run(0 * u0, fields)
        if claims["l2_stability"].status == "proved":
            assert np.linalg.norm(u1) <= np.linalg.norm(u0) * (1 + 1e-12)
        for name in ("nonexpansive", "well_posed"):
            if claims[name].status == "proved" and claims[name].factor is not None:
                growth = max(1.0, float(claims[name].factor)) ** (3 * len(stack.stages))
                assert np.linalg.norm(u1 - zero) <= growth * np.linalg.norm(u0) * (1 + 1e-12)
        if claims["mean_preservation"].status == "proved":
            assert u1.mean() == pytest.approx(u0.mean(), abs=1e-12)
        if claims["energy_decay"].status == "proved" and rhs == MODELS[0]:
            assert (np.diff(u1) ** 2).sum() <= (np.diff(u0) ** 2).sum() * (1 + 1e-12)


def test_growing_modes_need_the_coefficients_of_the_exponential(registered: Any) -> None:
    """1 - 3 z/2 + ... with a second coefficient above p1²/2: growth by exp(p1 x) is no bound."""
    growing = p2n.Problem(equation(laplacian(unknown(1)) + unknown(1), 1))
    registered(HEUN, 1 - Z + Z**2 / 2)
    assert statuses(growing, R(1, 8))["frozen_stability"] == "linearised"
    steep = replace(HEUN, stages=({B: R(3, 2)}, {B: R(3, 4)}), time=R(15, 8) * TAU, order=1)
    registered(steep, 1 - R(15, 8) * Z + R(9, 8) * Z**2, 1)
    assert statuses(HEAT, R(1, 8))["frozen_stability"] == "proved"
    fast = replace(HEUN, stages=({B: R(3, 2)}, {B: R(3, 2)}), time=R(3, 2) * TAU, order=1)
    registered(fast, 1 - R(3, 2) * Z + R(9, 4) * Z**2, R(1, 2))
    assert statuses(growing, R(1, 16))["frozen_stability"] == "unknown"


@pytest.mark.parametrize(
    "changes",
    [
        {"step": U**2 + TAU * RATE},
        {"step": U + TAU * RATE + 1},
        {"step": U + sp.Symbol("_c") * RATE},
        {"stages": ({B: sp.S.One}, {})},
        {"stages": ()},
        {"order": 3},
        {"cycles": 0},
        {"repeated": True},
    ],
    ids=str,
)
def test_what_is_no_linear_combination_is_no_stack(changes: dict[str, Any]) -> None:
    with pytest.raises(p2n.DeclarationError):
        replace(HEUN, **changes)


def test_products_are_derived(registered: Any) -> None:
    registered(replace(HEUN, product=1 - Z / 100), 1 - Z / 100, 200, True)
    with pytest.raises(p2n.DeclarationError, match="derived from its stages"):
        p2n.verify(HEAT, Own(R(9, 10)))


def test_polynomials_of_other_domains_are_those_of_rationals() -> None:
    stated = Polynomial(sp.Poly((1 - Z) ** 2, Z), sp.Integer(2), "(1 - z)^2")
    assert stated.poly == sp.Poly((1 - Z) ** 2, Z, domain="QQ") and stated.poly.domain == sp.QQ


def test_only_schemes_with_a_name_of_their_own_are_registered(registered: Any) -> None:
    with pytest.raises(p2n.DeclarationError, match="no scheme that is known"):
        p2n.verify(HEAT, Own(R(1, 5)))
    registered(HEUN, 1 - Z + Z**2 / 2)
    for choice in (Own, p2n.FSI, int, "own"):
        with pytest.raises(p2n.DeclarationError):
            register_scheme(Method(choice, lambda scheme, _: HEUN))  # type: ignore[arg-type]  # on purpose


coefficient = st.integers(-12, 12)


@given(st.lists(coefficient, min_size=1, max_size=5), st.integers(1, 40))
def test_bounds_are_decided_as_sampled(numerators: list[int], end: int) -> None:
    """Polynomials with P(0) = 1: decided exactly, against values on a fine grid."""
    poly = sp.Poly([*(R(n, 6) for n in numerators), 1], Z, domain="QQ")
    z = R(end, 8)
    values = np.polyval([float(c) for c in poly.all_coeffs()], np.linspace(0, float(z), 2001))
    largest = abs(values).max()
    if stays_bounded(poly, z):
        assert largest <= 1 + 1e-9
    else:
        assert largest > 1 - 1e-3


@pytest.mark.parametrize("s", [1, 2, 3, 8])
def test_polynomials_that_touch_the_bound_are_bounded(s: int) -> None:
    """T_s(1 - z) is 1 or -1 at s + 1 places of [0, 2], and larger beyond."""
    poly = sp.Poly(sp.chebyshevt(s, 1 - Z), Z, domain="QQ")
    assert stays_bounded(poly, sp.Integer(2)) and not stays_bounded(poly, 2 + R(1, 10**9))


def test_diffusivities_join_the_table() -> None:
    def own_diffusivity(s2: sp.Expr, lam: sp.Expr) -> sp.Expr:
        return 1 / (1 + s2 / lam**2) ** 2

    try:
        assert register_diffusivity(own_diffusivity) is own_diffusivity
        problem = diffusion(lambda s2: diffusivities.own_diffusivity(s2, R(1, 2)))
        assert p2n.verify(problem, p2n.Explicit(R(1, 2))).claims["l2_stability"].limit == R(1, 2)
        with pytest.raises(p2n.DeclarationError, match="already"):
            register_diffusivity(own_diffusivity)
        text = "unknown u(x, t)\nequation u_t = div(own_diffusivity(|u_x|^2, 1/2) * grad u)\n"
        assert read(text, "text")[0] == problem
    finally:
        del diffusivities.own_diffusivity
    for wrong in (lambda s2: x, lambda: 1, lambda s2: "g"):
        wrong.__name__ = "wrong"
        with pytest.raises(p2n.DeclarationError, match="must return"):
            register_diffusivity(wrong)


# -- Runge, Kutta and Chebyshev -----------------------------------------------------------------


@pytest.mark.parametrize(("order", "s"), [(1, 1), (1, 2), (1, 5), (1, 12), (2, 2), (2, 3), (2, 9), (2, 20)])
@pytest.mark.parametrize("damping", [None, R(1, 1000), sp.Integer(3)])
def test_rkc_is_a_damped_chebyshev_polynomial(order: int, s: int, damping: Any) -> None:
    """P = a + b T_s(w0 - w1 z) from SymPy's polynomials; bounded up to its reach, which is decided too."""
    scheme = p2n.RKC(order, 1, s, damping=damping)
    w0 = 1 + (damping or (R(1, 20) if order == 1 else R(2, 13))) / sp.Integer(s) ** 2
    v = sp.Symbol("v")
    t, d, dd = (sp.diff(sp.chebyshevt(s, v), v, k).subs(v, w0) for k in range(3))
    b, w1 = (1 / t, t / d) if order == 1 else (dd / d**2, d / dd)
    expected = 1 - b * t + b * sp.chebyshevt(s, w0 - w1 * Z)
    method = METHODS[p2n.RKC]
    stack, found = method.update(scheme, None), method.polynomial(scheme)  # type: ignore[misc]  # it has one
    assert sp.expand(stack.amplification().as_expr() - expected) == 0  # type: ignore[union-attr]
    assert found.poly == sp.Poly(expected, Z, domain="QQ") and found.reach == 2 * w0 / w1
    assert stays_bounded(found.poly, found.reach)
    assert -found.poly.nth(1) == 1 and (order == 1 or found.poly.nth(2) == HALF)
    growth = [(-1) ** k * found.poly.nth(k) * sp.factorial(k) for k in range(s + 1)]
    assert all(0 <= c <= 1 for c in growth)


@pytest.mark.parametrize("order", [1, 2])
def test_rkc_takes_the_fewest_stages(order: int) -> None:
    limit = R(1, 4)
    for time in (R(1, 5), 1, 30):
        scheme = p2n.RKC.for_time(time, limit=limit, order=order)
        reach = [
            METHODS[p2n.RKC].polynomial(replace(scheme, stages=s)).reach
            for s in range(order, scheme.stages + 1)
        ]  # type: ignore[misc]  # it has one
        assert scheme.tau <= limit * reach[-1] / 2
        assert all(scheme.tau > limit * r / 2 for r in reach[:-1])
    with pytest.raises(p2n.DeclarationError, match="take more steps"):
        p2n.RKC.for_time(10**9, limit=limit, order=order)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: p2n.RKC(3, 1, 4), "must be 1 or 2"),
        (lambda: p2n.RKC(2, 1, 1), "at least 2 stages"),
        (lambda: p2n.RKC(1, 1, 3, damping=sp.sqrt(2)), "rational"),
        (lambda: p2n.RKC(1, 1, 3, damping=-1), "damping"),
        (lambda: p2n.RKC(1, 1, 3, freeze="cycle"), "freeze"),
    ],
)
def test_options_of_rkc_are_checked(call: Any, message: str) -> None:
    with pytest.raises(p2n.DeclarationError, match=message):
        call()
