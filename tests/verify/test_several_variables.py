"""Ranges over several variables: against independent extrema, and the certificates that rest on them."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.audit.exactly import NoOpinionError
from pde2net.audit.several import corners, inside
from pde2net.graph.interpret import Interpreter
from pde2net.verify.certificate import Status
from pde2net.verify.ranges import UndecidedError, half_line
from pde2net.verify.ranges.several import Domain, extrema

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u", real=True)(x, y, t)
D, L = sp.Function("D")(x, y), sp.Function("L", positive=True)(x, y)
S2 = sp.Symbol("s2", nonnegative=True)
V = sp.Symbol("v", real=True)
W = sp.Symbol("w", positive=True)
N = sp.Symbol("n", negative=True)
HALF, LINE, OPEN = Domain(sp.S.Zero, sp.oo), Domain(-sp.oo, sp.oo), Domain(sp.S.Zero, sp.oo, open=True)


def ask(expression, p):
    found = half_line(expression, p)
    return found.lower, found.upper


def box(lower, upper):
    return Domain(sp.sympify(lower), sp.sympify(upper))


@pytest.mark.parametrize(
    ("expression", "domains", "expected"),
    [
        (1 / (1 + S2 / W**2), {S2: HALF, W: OPEN}, (0, 1)),
        (sp.exp(-W * S2), {S2: HALF, W: box("1/2", 3)}, (0, 1)),
        (1 / (1 + 4 * S2 / (V**2 + sp.Rational(1, 100))), {S2: HALF, V: LINE}, (0, 1)),
        (V / (1 + S2 * (1 - V)), {S2: HALF, V: box(0, 1)}, (0, 1)),
        (1 / (1 + (S2 - W**2) / (W**2 * (1 + W**2))), {S2: HALF, W: box("1/10", 1)}, (0, 101)),
        (S2 * V + V**2, {S2: box(0, 2), V: box(0, 3)}, (0, 15)),
        (N / (1 - N) / (1 + S2 / N), {S2: box(-1, 0), N: Domain(-sp.oo, sp.S.Zero, open=True)}, (-1, 0)),
        (V / (1 + S2 + V**2), {S2: HALF, V: LINE}, (-sp.S.Half, sp.S.Half)),
    ],
)
def test_extrema(expression, domains, expected):
    assert extrema(expression, domains, ask) == tuple(map(sp.sympify, expected))
    intervals = {v: (own.lower, own.upper) for v, own in domains.items()}
    with contextlib.suppress(NoOpinionError):
        again = corners(expression, intervals)
        assert all(abs(float(a) - float(e)) < 1e-15 for a, e in zip(again, expected, strict=True))


@pytest.mark.parametrize(
    ("expression", "domains"),
    [
        (1 / (1 + S2 / V**2), {S2: HALF, V: LINE}),  # 0/0 at the origin
        (1 / (1 - V + S2), {S2: HALF, V: box(0, 1)}),  # a pole in a corner
        (1 / (V - S2), {S2: HALF, V: LINE}),  # poles inside, where the slope has one sign
        (sp.Piecewise((1, V > S2), (0, True)), {S2: HALF, V: LINE}),
        (sp.sqrt(V + S2), {S2: HALF, V: LINE}),
        (sp.log(V * S2), {S2: HALF, V: box(0, 1)}),
        (S2 * V / (1 + S2**2 + V**4), {S2: HALF, V: HALF}),  # both grow without end
        (W * S2 * V / (1 + S2**2 + V**4), {S2: HALF, V: HALF}),  # monotone in none, and with a parameter
    ],
)
def test_what_is_not_known(expression, domains):
    with pytest.raises(UndecidedError):
        extrema(expression, domains, ask)


X, Y, Z = sp.symbols("X Y Z", real=True)


@pytest.mark.parametrize(
    ("expression", "domains", "lower", "upper"),
    [
        (sp.exp(-((X - Y) ** 2)), {X: box(0, 1), Y: box(0, 1)}, sp.exp(-1), 1),
        (X**2 - X * Y + Y**2, {X: box(0, 1), Y: box(0, 1)}, 0, 1),
        ((X - Y) * (Y - Z) * (Z - X), {X: box(0, 1), Y: box(0, 1), Z: box(0, 1)}, "-1/4", "1/4"),
        (X * Y / (1 + X**2 + Y**2), {X: box(0, 3), Y: HALF}, 0, "3*sqrt(10)/20"),
        ((1 + X) / (1 + X**2 + X * Y), {X: HALF, Y: box(0, 2)}, 0, "(1 + sqrt(2))/2"),
        (X * Y * (1 - Y) * sp.exp(-X), {X: HALF, Y: box(0, 1)}, 0, sp.exp(-1) / 4),
        (X - 3 * X**2 * Y + Y**3, {X: box(0, 1), Y: box(0, 1)}, -1, "13/12"),
        ((2 + sp.sin(X * Y)) / (1 + X**2 + Y**2), {X: LINE, Y: LINE}, 0, 2),
        (sp.cos(X * Y), {X: box(0, 1), Y: box(-sp.pi, sp.pi)}, -1, 1),
    ],
)
def test_extremes_inside_of_a_box(expression, domains, lower, upper):
    """Bounds by parts of the box: beyond the extremes, and by little."""
    low, high = extrema(expression, domains, ask)
    lower, upper = map(sp.sympify, (lower, upper))
    assert low <= lower <= low + sp.Rational(1, 10**6) and high - sp.Rational(1, 10**5) <= upper <= high
    assert low.is_number and high.is_number


numbers = st.integers(min_value=-3, max_value=3)


@settings(max_examples=10, deadline=None)
@given(st.lists(numbers, min_size=6, max_size=6), st.sampled_from([sp.sin, sp.cos, sp.tanh, sp.exp]))
def test_bounds_by_parts_contain_all_values(c, wave):
    """Of functions that are monotone in no variable, against a lattice with more points."""
    inner = c[0] * X * Y + c[1] * X - c[2] * Y
    form = (c[3] + wave(inner) * (1 + c[4] * X * Y)) / (1 + (X - Y) ** 2) + c[5] * X * (1 - Y)
    for ends in ((0, 1), (-1, 2)):
        domains = {X: box(*ends), Y: box(*ends)}
        try:
            lower, upper = map(float, extrema(form, domains, ask))
        except UndecidedError:
            continue
        line = np.linspace(*ends, 401)
        values = sp.lambdify((X, Y), form + 0 * X * Y)(*np.meshgrid(line, line))
        size = 1 + max(abs(lower), abs(upper))
        assert lower <= np.min(values) + 1e-12 * size and np.max(values) <= upper + 1e-12 * size
        assert np.min(values) - lower <= 1e-3 * size and upper - np.max(values) <= 1e-3 * size


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=6, max_size=6), st.lists(st.integers(0, 3), min_size=3, max_size=3))
def test_bounds_contain_all_values(c, powers):
    """Of ratios of polynomials on a box, wherever they are answered; and they are attained or approached."""
    a, b, k = powers
    top = c[0] + c[1] * V**a + c[2] * S2 * V**b
    form = top / (1 + abs(c[3]) * S2 + abs(c[4]) * V**2 + abs(c[5]) * S2**k * V**2)
    domains = {S2: box(0, 4), V: box(-1, 2)}
    try:
        lower, upper = map(float, extrema(form, domains, ask))
    except UndecidedError:
        return
    values = sp.lambdify((S2, V), form)(*np.meshgrid(np.linspace(0, 4, 201), np.linspace(-1, 2, 301)))
    low, high = np.min(values), np.max(values)
    size = 1 + max(abs(lower), abs(upper))
    assert lower <= low + 1e-9 * size and high <= upper + 1e-9 * size
    assert low - lower <= 0.02 * size and upper - high <= 0.02 * size


def network(rhs, **options):
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), **options)
    return p2n.compile(problem, p2n.Explicit(tau=None, steps=2))


@pytest.mark.parametrize(
    ("rhs", "bounds", "limit"),
    [
        (div(grad(u) / (1 + norm2(grad(u)) / L**2)), {}, "1/4"),
        (div(sp.exp(-D * norm2(grad(u))) * grad(u)), {D: (0, 3)}, "1/4"),
        (div(grad(u) / (1 + 4 * norm2(grad(u)) / (u**2 + sp.Rational(1, 100)))), {}, "1/4"),
        (div(sp.Min(D, L) * grad(u)), {D: (0, 3), L: (1, 7)}, "1/12"),
        (div(D * grad(u) / (1 + norm2(grad(u)) / (D**2 + 1))), {D: (0, 3)}, "1/12"),
        (div((2 + sp.sin(3 * u * D)) * grad(u)), {u: (0, 1), D: (0, 2)}, "1/12"),
        (div(sp.exp(-((u - D) ** 2) * (1 + D)) * grad(u)), {u: (0, 1), D: (0, 1)}, "1/4"),
    ],
)
def test_diffusivities_of_several_variables(rhs, bounds, limit):
    made = network(rhs, bounds=bounds)
    for name in ("l2_stability", "maximum_principle"):
        claim = made.certificate.claims[name]
        assert claim.status == Status.PROVED and claim.limit == sp.sympify(limit)
    p2n.recheck(made.certificate.to_json())


def test_factors_that_a_diffusivity_reads_are_evaluated_with_it():
    """u² + 1/2 as a mean over two cells, over a sum with u² in one of them, would exceed every bound."""
    g = (u**2 + sp.S.Half) / (u**2 + sp.S.Half + norm2(grad(u)) / 100)
    made = network(div(g * grad(u)))
    assert made.certificate.claims["maximum_principle"].limit == sp.Rational(1, 4)
    for values in itertools.product((0.0, 1.0, 1000.0), repeat=4):
        u0 = np.array(values).reshape(2, 2)
        result = Interpreter(made.graph)(u0)
        assert u0.min() - 1e-9 <= result.min() and result.max() <= u0.max() + 1e-9


def test_bounds_by_parts_are_confirmed_by_a_lattice():
    """A certificate with a larger limit is refused, with points where the diffusivity is larger."""
    text = network(
        div((2 + sp.sin(3 * u * D)) * grad(u)), bounds={u: (0, 1), D: (0, 2)}
    ).certificate.to_json()
    p2n.recheck(text)
    assert text.count('"1/12"') > 2
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(text.replace('"1/12"', '"1/11"'))
    with pytest.raises(NoOpinionError):
        corners(sp.sin(3 * X * Y), {X: (sp.S.Zero, sp.S.One), Y: (sp.S.Zero, sp.Integer(2))})
    low, high = inside(sp.sin(3 * X * Y), {X: (sp.S.Zero, sp.S.One), Y: (sp.S.Zero, sp.Integer(2))})
    assert abs(low + 1) < 1e-6 and abs(high - 1) < 1e-6
    third = sp.sqrt(3) * V / (1 + S2 + 3 * V**2)  # attained on the lattice up to rounding, at V = 1/sqrt(3)
    low, high = inside(third.subs(V, V / sp.sqrt(3)), {S2: (sp.S.Zero, sp.oo), V: (-sp.oo, sp.oo)})
    assert abs(low + 0.5) < 1e-12 and abs(high - 0.5) < 1e-12
