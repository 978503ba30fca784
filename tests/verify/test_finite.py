"""Whether networks evaluate to numbers, decided node by node; claims rest on it."""

import numpy as np
import pytest
import sympy as sp

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.verify import evaluation
from pde2net.verify.finite import require_finite, require_finite_until
from pde2net.verify.ranges import UndecidedError

x, y, t = sp.symbols("x y t", real=True)
u, v = sp.Function("u")(x, t), sp.Function("u")(x, y, t)
p, q, f = sp.symbols("p q f", real=True)
lam = sp.Symbol("lambda", positive=True)
S, S1 = p**2 + q**2, norm2(grad(u))
R = sp.Rational

FINITE = [
    p / (1 + S / lam**2),
    p * sp.exp(-S),
    sp.Piecewise((1, sp.Eq(S, 0)), (1 - sp.exp(-1 / S**4), True)),
    sp.Piecewise((1, sp.Eq(p**2, 0)), (1 - sp.exp(-1 / p**8), True)),
    sp.Piecewise((1, sp.Eq(p**2, 0)), (sp.tanh(sp.Abs(p)) / sp.Abs(p), True)),
    sp.Piecewise((sp.atan(sp.Abs(p)) / sp.Abs(p), p**2 > 0), (1, True)),
    sp.Piecewise((1, sp.Eq(sp.Abs(p), 0)), (sp.sin(p) / p, True)),
    sp.Min(1, 1 / sp.sqrt(S)),
    1 / (1 + 1 / S),
    sp.exp(-1 / S),
    S ** R(1, 3),
    1 / (2 + sp.sin(p)),
    1 / (p**2 - 2 * p + 2),
    sp.log(1 + S),
    sp.sqrt(sp.Abs(p)),
    sp.Piecewise((1, S < 1), (1 / S, True)),
    sp.Piecewise((1, p < 1), (1 / p, True)),
    sp.acos(sp.tanh(p)),
]
OPEN = [
    *(1 / (1 - S), sp.sin(1 / S), (S - 1) ** R(1, 3), 1 / S, 1 / p, sp.tan(p), sp.atan(sp.tan(p))),
    *(sp.log(p), sp.sqrt(p), (S**2 - 1) / (S - 1), sp.sin(S) / S, sp.acos(sp.Integer(2)), p**p, sp.asin(p)),
    *(sp.Min(1, 1 / p), sp.Min(1, 1 / sp.Max(p, 0)), 1 / (p + f), p / S, sp.Integer(0) ** p, sp.exp(1 / S)),
    sp.Piecewise((1, S < 1), (1 / (S - 2), True)),
    sp.Piecewise((0, sp.Eq(p**2, 0)), (0, sp.Eq(q**2, 0)), (1 / (1 + p**2 - q**2), True)),
    sp.Piecewise((1, sp.Eq(p**2, 0)), (sp.atan(sp.Abs(q)) / sp.Abs(q), True)),
    sp.Piecewise((1, p**2 >= 0), (1, p**2 > 0), (1 / p, True)) + 1 / p,
    1 / S - 1 / (2 * S),
]
PLACES = (-2, -1, R(-1, 2), 0, R(1, 2), 1, sp.sqrt(2), 2)


@pytest.mark.parametrize("expression", FINITE, ids=str)
def test_expressions_with_values_everywhere(expression):
    require_finite(expression)
    function = sp.lambdify((p, q, lam), expression, "numpy")
    with np.errstate(all="ignore"):
        values = [function(np.float64(a), np.float64(b), 1.0) for a in PLACES for b in PLACES]
    assert np.isfinite(np.array(values, float)).all()


@pytest.mark.parametrize("expression", OPEN, ids=str)
def test_expressions_without_a_value_somewhere_are_left_open(expression):
    with pytest.raises(UndecidedError):
        require_finite(expression)


@pytest.mark.parametrize(
    "c",
    [
        *(sp.Integer(0) ** (1 - t), sp.atan(1 / (t - R(11, 10))), (t - R(1, 3)) / sp.Abs(t - R(1, 3))),
        *(1 / (1 - t), sp.log(1 - t), sp.tan(2 * t)),
    ],
    ids=str,
)
def test_coefficients_of_time_are_continuous_to_the_last_step_or_nothing_is_claimed(c):
    with pytest.raises(UndecidedError):
        require_finite_until(c, t, R(5, 4))
    problem = p2n.Problem(sp.Eq(u.diff(t), (1 + c) * laplacian(u) / 8))
    try:
        claims = p2n.verify(problem, p2n.Explicit(R(1, 4), 6)).claims
    except p2n.Pde2NetError:
        return
    for name in ("l2_stability", "maximum_principle", "nonexpansive", "frozen_stability"):
        assert str(claims[name].status) not in ("proved", "proved if", "linearised"), name


@pytest.mark.parametrize(
    "g", [1 / (1 - S1), (1 + sp.sin(1 / S1)) / 2, (S1 - 1) ** R(1, 3), (S1**2 - 1) / (S1 - 1)]
)
@pytest.mark.parametrize("scheme", [p2n.Explicit(R(1, 5), 1), p2n.FSI(R(1, 5), 3), p2n.Implicit(R(1, 5), 1)])
def test_nothing_is_claimed_of_a_network_without_values(g, scheme):
    try:
        claims = p2n.verify(p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u)))), scheme).claims
    except p2n.Pde2NetError:
        return
    assert not [c.name for c in claims.values() if str(c.status) in ("proved", "proved if", "linearised")]


def test_values_that_need_those_of_parameters_say_so():
    a = sp.Symbol("a", real=True)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (a + S1))), parameters={a: 2})
    claim = p2n.verify(problem, p2n.Explicit(R(1, 5), 1)).claims["l2_stability"]
    assert str(claim.status) == "proved"
    assert "at the values of a" in claim.hypotheses[-2].how


@pytest.mark.parametrize("rhs", [-laplacian(u), div((S1 - 1) * grad(u)), div((1 - 2 / (1 + S1)) * grad(u))])
@pytest.mark.parametrize(
    "scheme",
    [
        *(p2n.Implicit(R(1, 2), 1), p2n.AOS(R(1, 2), 1), p2n.Theta(R(1, 2), 1)),
        *(
            p2n.Implicit(R(1, 2), 1, p2n.Newton(iterations=2)),
            p2n.Implicit(R(1, 2), 1, p2n.Kacanov(iterations=2)),
        ),
    ],
)
def test_no_mean_is_kept_by_systems_that_may_be_singular(rhs, scheme):
    try:
        claims = p2n.verify(p2n.Problem(sp.Eq(u.diff(t), rhs)), scheme).claims
    except p2n.Pde2NetError:
        return
    assert str(claims["mean_preservation"].status) not in ("proved", "proved if")


NONNEGATIVE = sp.Function("D", nonnegative=True)(x, y)


@pytest.mark.parametrize("g", [NONNEGATIVE, norm2(grad(v)), NONNEGATIVE * norm2(grad(v)), v**2], ids=str)
@pytest.mark.parametrize("scheme", [p2n.Implicit(5, 1), p2n.Theta(5, 1), p2n.AOS(5, 1)])
def test_implicit_steps_need_no_upper_bound(g, scheme):
    linear = not g.has(v)
    claims = p2n.verify(p2n.Problem(sp.Eq(v.diff(t), div(g * grad(v)))), scheme).claims
    if linear or not isinstance(scheme, p2n.Theta):
        assert str(claims["l2_stability"].status) == "proved"
    if isinstance(scheme, p2n.AOS):
        assert str(claims["maximum_principle"].status) == "proved"


def test_a_field_of_any_sign_is_no_diffusivity():
    field = sp.Function("D")(x, y)
    claims = p2n.verify(p2n.Problem(sp.Eq(v.diff(t), div(field * grad(v)))), p2n.AOS(5, 1)).claims
    assert str(claims["l2_stability"].status) not in ("proved", "proved if")


def test_explicit_steps_still_need_one():
    claims = p2n.verify(
        p2n.Problem(sp.Eq(v.diff(t), div(NONNEGATIVE * grad(v)))), p2n.Explicit(R(1, 5), 1)
    ).claims
    assert str(claims["l2_stability"].status) not in ("proved", "proved if")
    assert "D is not bounded" in claims["l2_stability"].reason


@pytest.mark.parametrize(
    "scheme",
    [lambda n: p2n.Explicit(R(1, 10), n), lambda n: p2n.FSI(R(1, 10), 3, n), lambda n: p2n.Implicit(1, n)],
)
def test_times_are_not_looked_at_one_by_one(scheme, monkeypatch):
    """What has a value at all times is decided once, however many steps there are."""
    calls, plain = [], evaluation._decide
    monkeypatch.setattr(evaluation, "_decide", lambda *given: calls.append(given) or plain(*given))
    problem = p2n.Problem(sp.Eq(v.diff(t), (1 + sp.exp(-t)) * laplacian(v)))
    counts = []
    for steps in (2, 2000):
        calls.clear()
        claims = p2n.verify(problem, scheme(steps)).claims
        assert claims["mean_preservation"].status == "proved"
        counts.append(len(calls))
    assert counts[0] == counts[1]


def test_a_pole_between_the_times_of_a_network_is_none():
    """1/(t - 1/20) has values at all multiples of 1/10, and none in between."""
    problem = p2n.Problem(sp.Eq(v.diff(t), laplacian(v) * (1 + 1 / (t - R(1, 20)) ** 2)))
    assert p2n.verify(problem, p2n.Explicit(R(1, 10), 3)).claims["mean_preservation"].status == "proved"
    with pytest.raises(p2n.EquationError, match="no value at t = 1/20"):
        p2n.verify(problem, p2n.Explicit(R(1, 20), 3))
