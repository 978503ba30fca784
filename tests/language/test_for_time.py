"""`for_time`: the time is reached exactly, with as little as the limit of the step allows."""

import math
from fractions import Fraction

import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from support import diffusion, equation, h, lam, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.language.exact import exact
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import TAU, Z

HEAT = p2n.Problem(equation(laplacian(unknown(2)), 2))
PM = diffusion(lambda s2: 1 / (1 + s2 / lam**2), 2, parameters={lam: 0.1})
positive = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=1000)
TIMES = [sp.Rational(1, 1000), 0.1, sp.Rational(1, 4), 1, 2.4, 100, sp.pi, 2000]


def rational(value):
    return sp.Rational(value.numerator, value.denominator)


def time_of(scheme):
    """The time of the network, from its update."""
    update = update_of(scheme, sp.Integer(2))
    return sp.simplify(update.time.subs(TAU, scheme.tau) * update.cycles)


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize(
    "make",
    [
        lambda T: p2n.Explicit.for_time(T, HEAT),
        lambda T: p2n.DuFortFrankel.for_time(T, HEAT),
        lambda T: p2n.DuFortFrankel.for_time(T, steps=3),
        lambda T: p2n.FSI.for_time(T, HEAT),
        lambda T: p2n.FSI.for_time(T, HEAT, cycles=7, freeze="step"),
        lambda T: p2n.FED.for_time(T, limit=0.25, cycles=3),
        lambda T: p2n.RKL.for_time(T, HEAT, p2n.Grid(2), steps=5),
        lambda T: p2n.RKL.for_time(T, HEAT, order=2),
    ],
)
def test_the_time_is_reached_exactly(time, make):
    scheme = make(time)
    assert sp.simplify(time_of(scheme) - exact(time, "T")) == 0
    assert sp.simplify(scheme.duration(scheme.tau) - time_of(scheme)) == 0


@pytest.mark.parametrize("kind", [p2n.Implicit, p2n.Theta, p2n.AOS, p2n.Multigrid])
def test_schemes_without_a_limit_take_the_steps_they_are_given(kind):
    scheme = kind.for_time(2.4, steps=7)
    assert scheme.tau == sp.Rational(12, 35) and scheme.steps == 7
    assert kind.for_time(5) == kind(tau=5, steps=1)


@given(positive, positive, st.integers(1, 20))
def test_no_shorter_cycle_would_do(time, limit, cycles):
    time, limit = rational(time), rational(limit)
    for kind in (p2n.FSI, p2n.FED):
        scheme = kind.for_time(time, limit=limit, cycles=cycles)
        n = scheme.cycle_length
        assert scheme.tau <= limit and cycles * scheme.tau * n * (n + 1) == 3 * time
        assert n == 1 or cycles * limit * (n - 1) * n / 3 < time


@given(positive, positive, st.integers(1, 20))
def test_no_fewer_stages_or_steps_would_do(time, limit, steps):
    time, limit = rational(time), rational(limit)
    for order, reach, least in ((1, lambda s: (s * s + s) / 2, 1), (2, lambda s: (s * s + s - 2) / 4, 3)):
        scheme = p2n.RKL.for_time(time, limit=limit, order=order, steps=steps)
        assert scheme.tau * steps == time and scheme.tau <= limit * reach(sp.Integer(scheme.stages))
        assert scheme.stages == least or scheme.tau > limit * reach(sp.Integer(scheme.stages - 1))
    explicit = p2n.Explicit.for_time(time, limit=limit)
    assert explicit.tau <= limit and (explicit.steps == 1 or limit * (explicit.steps - 1) < time)
    damped = p2n.DuFortFrankel.for_time(time, limit=limit)
    assert (damped.tau, damped.steps) == (explicit.tau, explicit.steps)


@given(positive, positive, st.integers(1, 6))
def test_the_polynomial_of_a_cycle_is_stable_at_the_limit(time, limit, cycles):
    """|P(tau mu)| <= 1 for mu up to 2/limit, sampled."""
    time, limit = min(rational(time), 20 * rational(limit)), rational(limit)
    for scheme in (
        p2n.FSI.for_time(time, limit=limit, cycles=cycles),
        p2n.RKL.for_time(time, limit=limit, steps=cycles),
        p2n.RKL.for_time(time, limit=limit, order=2, steps=cycles),
    ):
        stages = update_of(scheme).amplification()
        for k in range(9):
            z = scheme.tau * 2 / limit * sp.Rational(k, 8)
            assert abs(stages.as_expr().subs(Z, z)) <= 1


@pytest.mark.parametrize(
    "problem,grid",
    [
        (HEAT, p2n.Grid()),
        (HEAT, p2n.Grid(sp.Rational(1, 3))),
        (HEAT, p2n.Grid({"x": 1, "y": 2})),
        (PM, p2n.Grid()),
    ],
)
def test_the_networks_are_proved_to_be_stable(problem, grid):
    for kind, options in (
        (p2n.Explicit, {}),
        (p2n.DuFortFrankel, {}),
        (p2n.FSI, {"cycles": 2}),
        (p2n.FED, {"cycles": 2}),
    ):
        assert p2n.verify(problem, kind.for_time(3, problem, grid, **options), grid).stable
    for order in (1, 2):
        scheme = p2n.RKL.for_time(3, problem, grid, order=order, steps=2)
        assert p2n.verify(problem, scheme, grid).claims["frozen_stability"].status == "proved"


def test_the_limit_of_a_problem_is_the_proved_step():
    assert p2n.Explicit.for_time(1, HEAT).tau == sp.Rational(1, 4)
    assert p2n.Explicit.for_time(1, HEAT, p2n.Grid(2)).steps == 1
    f = sp.Function("f")(*unknown(2).args[:2])
    fidelity = p2n.Problem(equation(laplacian(unknown(2)) + f - unknown(2), 2))
    assert p2n.Explicit.for_time(2, fidelity).tau == sp.Rational(2, 9)


def test_fsi_takes_a_sixth_of_the_steps_of_the_explicit_scheme():
    explicit = p2n.Explicit.for_time(100, PM)
    scheme = p2n.FSI.for_time(100, PM, cycles=3)
    assert explicit.steps == 400 and scheme.cycles * scheme.cycle_length == 60


def test_a_damped_scheme_takes_the_alpha_that_it_is_given():
    assert p2n.DuFortFrankel.for_time(1, alpha=4) == p2n.DuFortFrankel(sp.Rational(1, 8), 4, 8)
    assert p2n.DuFortFrankel.for_time(1, HEAT, alpha=4).steps == 8
    assert p2n.DuFortFrankel.for_time(1, HEAT, steps=1, alpha=4) == p2n.DuFortFrankel(1, 4, 1)
    with pytest.raises(p2n.DeclarationError, match="at least 2"):
        p2n.DuFortFrankel.for_time(1, HEAT, alpha=1)


def test_irrational_limits_stay_exact():
    scheme = p2n.FSI.for_time(sp.sqrt(2), limit=sp.sqrt(2) / 4)
    assert scheme.cycle_length == 3 and sp.simplify(scheme.tau - sp.sqrt(2) / 4) == 0


@pytest.mark.parametrize("kind", [p2n.Explicit, p2n.FSI, p2n.FED, p2n.RKL, p2n.DuFortFrankel])
@pytest.mark.parametrize(
    "arguments,options,words",
    [
        ((1,), {}, "needs the largest stable explicit step"),
        ((1, HEAT), {"limit": 1}, "either problem and grid"),
        ((0,), {"limit": 1}, "stopping time must be positive"),
        ((-1,), {"limit": 1}, "stopping time must be positive"),
        ((math.nan,), {"limit": 1}, "stopping time must be finite"),
        ((sp.oo,), {"limit": 1}, "stopping time must be finite"),
        (("1",), {"limit": 1}, "stopping time must be a number"),
        ((h,), {"limit": 1}, "stopping time must be a number, not h: give h a value"),
        ((1,), {"limit": 0}, "limit of the step must be positive"),
        ((1,), {"limit": h**2}, "limit of the step must be a number, not h"),
        ((1, HEAT, p2n.Grid(h)), {}, "step is h.*2/4.* needs a number: give h a value"),
        ((1, 3), {}, "problem must be a Problem"),
        ((1, HEAT, 3), {}, "grid must be a Grid"),
        ((1,), {"limit": 1, "tau": 1}, "chooses tau; leave it out"),
        ((1,), {"limit": 1, "freezee": 1}, "no option"),
    ],
)
def test_what_cannot_be_counted_is_refused_in_words(kind, arguments, options, words):
    with pytest.raises(p2n.DeclarationError, match=words):
        kind.for_time(*arguments, **options)


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda: p2n.Explicit.for_time(1, limit=1, steps=3), "chooses steps"),
        (lambda: p2n.FSI.for_time(1, limit=1, cycle_length=3), "chooses cycle_length"),
        (lambda: p2n.FSI.for_time(1, limit=1, cycles=0), "number of cycles must be at least 1"),
        (lambda: p2n.FED.for_time(1, limit=1, freeze="never"), "freeze"),
        (lambda: p2n.RKL.for_time(1, limit=1, order=3), "order of RKL must be 1 or 2"),
        (lambda: p2n.RKL.for_time(1, limit=1, steps=0), "number of steps must be at least 1"),
        (lambda: p2n.RKL.for_time(1, limit=1, stages=5), "chooses stages"),
        (lambda: p2n.Implicit.for_time(1, steps=1.5), "whole number"),
        (lambda: p2n.Multigrid.for_time(1, steps=2, level=3), 'Did you mean "levels"'),
        (lambda: p2n.AOS.for_time(h, steps=2), "give h a value"),
        (lambda: p2n.AOS.for_time(3, 2), "steps=2"),
    ],
)
def test_options_are_checked(make, words):
    with pytest.raises(p2n.DeclarationError, match=words):
        make()


def test_no_limit_is_no_scheme():
    backward = p2n.Problem(equation(-laplacian(unknown(2)), 2))
    with pytest.raises(p2n.StabilityError, match="none is proved"):
        p2n.FSI.for_time(1, backward)


@pytest.mark.parametrize(
    "scheme,time,tau,count",
    [
        (p2n.Explicit(1, 9), 5, 1, 5),
        (p2n.Explicit(1, 9), sp.Rational(11, 2), 1, 6),
        (p2n.FSI(1, 5, 9), 25, 1, 3),
        (p2n.RKL(1, 4, 3, 9), 5, 4, 2),
        (p2n.Implicit(1, 9), 5, 2, 3),
    ],
)
def test_lasting_changes_step_and_count_only(scheme, time, tau, count):
    found = scheme.lasting(sp.sympify(time), sp.sympify(tau))
    assert found.repeats == count and found.tau <= tau and found.duration(found.tau) == time
    assert found.lasting(sp.sympify(time), found.tau) == found
