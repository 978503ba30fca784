"""Exact suprema and infima over [0, oo): right where they are decided, undecided elsewhere."""

import math

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import eps, lam

from pde2net import diffusivities
from pde2net.normalise.terms import SQUARED
from pde2net.verify.ranges import UndecidedError, balls, flux_slope, half_line, smt

s = SQUARED
a = sp.Symbol("a", positive=True)
VALUES = {lam: sp.Rational(7, 10), eps: sp.Rational(3, 10), a: sp.Rational(19, 10)}
oo = sp.oo

TABLE = [
    # expression, infimum, supremum
    (sp.Integer(3), 3, 3),
    (s, 0, oo),
    (1 / (1 + s / lam**2), 0, 1),
    (1 / sp.sqrt(1 + s / lam**2), 0, 1),
    (sp.exp(-s / (2 * lam**2)), 0, 1),
    (1 / sp.sqrt(s + eps**2), 0, 1 / eps),
    (1 / sp.sqrt(s), 0, oo),
    (a / (1 + s) ** 2, 0, a),
    ((1 + 2 * s) / (1 + s), 1, 2),
    (s * sp.exp(-s), 0, sp.exp(-1)),
    ((s + 3) / (s**2 + 2), 0, (3 + sp.sqrt(11)) / 4),
    (2 * s / (1 + s**2), 0, 1),
    (s / (1 + s) ** 3, 0, sp.Rational(4, 27)),
    (1 + sp.exp(-s), 1, 2),
    (diffusivities.weickert(s, lam), 0, 1),
    (sp.Piecewise((5, sp.Eq(s, 0)), (1 / (1 + s), True)), 0, 5),
    (-1 / (1 + s), -1, 0),
    (1 / (1 + s) - sp.Rational(1, 2), -sp.Rational(1, 2), sp.Rational(1, 2)),
    ((s - 1) ** 2 * sp.exp(-s), 0, 1),
    (1 / (1 + (s - 2) ** 2), 0, 1),
]


@pytest.mark.parametrize("expression,lower,upper", TABLE, ids=[str(row[0])[:40] for row in TABLE])
def test_range_over_the_half_line(expression, lower, upper):
    found = half_line(expression, s)
    for have, want in ((found.lower, lower), (found.upper, upper)):
        want = sp.sympify(want).subs(VALUES)
        have = have.subs(VALUES)
        assert have == want or abs(float(have - want)) < 1e-12


FLUX_SLOPES = [
    # diffusivity g, range of g + 2 s2 g'
    (sp.Integer(1), 1, 1),
    (1 / (1 + s / lam**2), -sp.Rational(1, 8), 1),
    (1 / sp.sqrt(1 + s / lam**2), 0, 1),
    (sp.exp(-s / (2 * lam**2)), -2 * sp.exp(-sp.Rational(3, 2)), 1),
    (1 / sp.sqrt(s + eps**2), 0, 1 / eps),
    (1 + s, 1, oo),
]


@pytest.mark.parametrize("g,lower,upper", FLUX_SLOPES, ids=[str(row[0]) for row in FLUX_SLOPES])
def test_range_of_the_flux_slope(g, lower, upper):
    found = flux_slope(g, s)
    for have, want in ((found.lower, lower), (found.upper, upper)):
        want, have = sp.sympify(want).subs(VALUES), have.subs(VALUES)
        assert have == want or abs(float(have - want)) < 1e-12


UNDECIDED = [
    sp.sin(s),
    sp.Abs(s - 1),
    sp.Piecewise((1, s < 1), (0, True)),
    sp.Max(1 - s, 0),
    1 / (s - 1),
    1 / (s - 1) ** 2,
    sp.tanh(s - 1),
    sp.log(s),
    2 * sp.exp(-s) - sp.exp(-2 * s),
    sp.exp(1 / (s - 2)),
    sp.exp(-s) + sp.cos(s),
    sp.Symbol("k", real=True) / (1 + s),
    s**50 / (1 + s**60),
    (s + sp.Symbol("k", real=True)) / (1 + s**2),
    sp.exp(s * sp.exp(-s)) * sp.exp(-(s**3)) * (s - 1),
]


@pytest.mark.parametrize("expression", UNDECIDED, ids=str)
def test_what_is_not_decided_is_said_to_be_so(expression):
    """Deciding some of these would be welcome, but then rightly: never a range that a sample leaves."""
    try:
        found = half_line(expression, s)
    except UndecidedError as error:
        assert len(str(error)) > 10
        return
    values = {k: sp.Rational(-3, 2) for k in expression.free_symbols - {s}}
    with np.errstate(all="ignore"):
        samples = [
            complex(expression.subs(values).subs(s, sp.Float(10.0**k))) for k in np.linspace(-6, 6, 201)
        ]
    for value in samples:
        if math.isfinite(value.real):
            assert abs(value.imag) < 1e-9
            assert (
                float(found.lower.subs(values)) - 1e-9 <= value.real <= float(found.upper.subs(values)) + 1e-9
            )


positive, weak = sp.Symbol("s", positive=True), sp.Symbol("k", nonnegative=True)

BALLS = [
    # attained at a point that is tried, so that the bound of its box is no larger than the value there
    (-((positive - sp.Rational(5, 2)) ** 2), -oo, 0),
    (sp.Piecewise((1, positive < 1), (5, positive < 2), (0, True)), 0, 5),
    # the derivative has one sign, and the function a jump at a pole inside of atan
    (sp.tanh((positive**2 - 9) / (positive - 3) ** 2), -1, 1),
    (sp.atan((positive**2 - 10000) / (positive - 100) ** 2), -sp.pi / 2, sp.pi / 2),
    # kinks far out, where the tail begins before them
    (sp.exp(-positive) * sp.Abs(positive - 10), 0, 10),
    (sp.Abs(positive - 50) / (1 + positive), 0, 50),
    # a base without a sign of its own at first sight
    (1 / (positive**2 - positive + 1), 0, sp.Rational(4, 3)),
    (positive / (1 - sp.exp(-positive)), 1, oo),
]


@pytest.mark.parametrize("expression,lower,upper", BALLS, ids=[str(row[0]) for row in BALLS])
def test_balls_never_lie_inside_of_the_range(expression, lower, upper):
    try:
        found = balls.enclose(expression, positive)
    except UndecidedError:
        return
    assert found.lower <= lower and found.upper >= upper


def test_bumps_far_out_are_found():
    for place, width in ((1000, 1), (10**6, 10**6)):
        found = half_line(1 / (1 + s) + 2 * sp.exp(-width * ((s - place) ** 2)), s)
        assert found.upper >= 2 + sp.Rational(1, place + 1)


def test_a_value_of_its_own_at_zero_counts():
    assert half_line(0**s + 1 / (1 + s), s).upper == 2


def test_nested_roots_are_different_numbers():
    """One name for both roots would leave s = 2.618... as the only point to be checked."""
    nested = 1 + sp.sqrt(1 + sp.sqrt(positive))
    assert not smt.holds(sp.Le(nested, sp.Rational(27, 10)), positive)
    assert smt.holds(sp.Ge(nested, 2), positive)


def test_a_limit_that_a_parameter_may_spoil_is_not_called_attained():
    found = half_line(weak * s / (1 + weak * s), s)
    assert (found.lower, found.upper) == (0, 1) and not found.upper_tight


small = st.integers(-4, 4)


@settings(max_examples=15)
@given(
    st.lists(small, min_size=1, max_size=4),
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.integers(0, 2),
)
def test_a_decided_range_contains_every_sample_and_is_approached(top, bottom, decay):
    numerator = sum(c * s**k for k, c in enumerate(top))
    denominator = 1 + sum(c * s**k for k, c in enumerate(bottom))
    expression = numerator / denominator * sp.exp(-decay * s)
    assume(s in expression.free_symbols)
    try:
        found = half_line(expression, s)
    except UndecidedError:
        assume(False)
    function = sp.lambdify(s, expression, "numpy")
    points = np.concatenate([[0.0], np.logspace(-8, 8 if not decay else 2, 4001)])
    values = function(points) * np.ones_like(points)
    lower, upper = float(found.lower), float(found.upper)
    scale = 1 + abs(values).max()
    assert values.min() >= lower - 1e-12 * scale and values.max() <= upper + 1e-12 * scale
    for bound, place in ((lower, found.lower_at), (upper, found.upper_at)):
        if not math.isfinite(bound):
            assert abs(values).max() > 1e3
            continue
        at = float(function(np.float64(min(float(place), 1e9 if not decay else 300.0))))
        assert abs(at - bound) <= 1e-6 * scale


@settings(max_examples=5)
@given(st.integers(1, 5), st.integers(1, 9))
def test_parameters_scale_out(power, number):
    """The range of g(s/lambda^2) is that of g, and a factor scales it."""
    g = lambda v: v / (1 + v) ** (power + 1)  # noqa: E731  a formula
    plain, with_parameter = half_line(g(s), s), half_line(number * g(s / lam**2), s)
    assert sp.simplify(with_parameter.upper - number * plain.upper) == 0
    want = sp.Rational(power**power, (power + 1) ** (power + 1))
    assert plain.upper == want and plain.upper_at == sp.Rational(1, power)
    assert sp.simplify(with_parameter.upper_at / lam**2 - plain.upper_at) == 0
