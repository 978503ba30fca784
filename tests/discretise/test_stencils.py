"""Stencils: exact on polynomials, of the order they claim, with the norm they claim."""

import numpy as np
import pytest
import sympy as sp
from support import TAPS

from pde2net.discretise.stencils import central, derive, half_point, second

STENCILS = [
    (make(order), derivative, order, half)
    for make, derivative, half in ((half_point, 1, True), (central, 1, False), (second, 2, False))
    for order in (2, 4)
]
IDS = [f"{'half-point' if row[3] else 'cell'} d^{row[1]} order {row[2]}" for row in STENCILS]


@pytest.mark.parametrize("stencil,derivative,order,half", STENCILS, ids=IDS)
def test_weights_are_those_of_the_textbooks(stencil, derivative, order, half):
    offsets, weights = TAPS[derivative, order, half]
    assert stencil.offsets == offsets
    assert all(isinstance(w, sp.Rational) for w in stencil.weights)
    np.testing.assert_allclose([float(w) for w in stencil.weights], weights, rtol=0, atol=1e-16)
    assert (stencil.derivative, stencil.order, stencil.half) == (derivative, order, half)


@pytest.mark.parametrize("stencil,derivative,order,half", STENCILS, ids=IDS)
def test_exact_on_polynomials_up_to_the_order_and_no_further(stencil, derivative, order, half):
    """The m-th derivative of s^k at the point of the stencil, in rationals, at spacing 2/3."""
    h = sp.Rational(2, 3)
    s = sp.Symbol("s")
    at = sp.Rational(3, 7)
    point = at + (h / 2 if half else 0)

    def error(degree):
        value = sum(w * (at + o * h) ** degree for o, w in zip(stencil.offsets, stencil.weights, strict=True))
        return value / h**derivative - sp.diff(s**degree, s, derivative).subs(s, point)

    for degree in range(derivative + order):
        assert error(degree) == 0
    assert error(derivative + order) != 0


@pytest.mark.parametrize("stencil,derivative,order,half", STENCILS, ids=IDS)
def test_order_by_slope(stencil, derivative, order, half):
    """On exp(sin): the error falls with the power `order` of the spacing, within 0.1."""
    s = sp.Symbol("s")
    function = sp.exp(sp.sin(s))
    exact = sp.lambdify(s, sp.diff(function, s, derivative), "mpmath")
    value = sp.lambdify(s, function, "mpmath")
    sizes = [sp.Rational(1, 2**k) for k in (4, 5, 6, 7)]
    errors = []
    for h in sizes:
        point = sp.Rational(1, 3) + (h / 2 if half else 0)
        terms = zip(stencil.offsets, stencil.weights, strict=True)
        total = sum(w * sp.Float(str(value(sp.Float(sp.Rational(1, 3) + o * h, 40))), 40) for o, w in terms)
        errors.append(abs(float(total / h**derivative - sp.Float(str(exact(sp.Float(point, 40))), 40))))
    slope = np.polyfit(np.log([float(h) for h in sizes]), np.log(errors), 1)[0]
    assert abs(slope - order) < 0.1


@pytest.mark.parametrize("stencil,derivative,order,half", STENCILS, ids=IDS)
def test_the_adjoint_on_the_line_is_the_mirror_image(stencil, derivative, order, half):
    mirrored = stencil.mirrored
    assert dict(zip(mirrored.offsets, mirrored.weights, strict=True)) == {
        -o: w for o, w in zip(stencil.offsets, stencil.weights, strict=True)
    }
    assert list(mirrored.offsets) == sorted(mirrored.offsets)
    assert mirrored.mirrored == stencil
    assert (mirrored.left, mirrored.right) == (stencil.right, stencil.left)


NORMS = [4, sp.Rational(49, 9), 1, None, 16, sp.Rational(256, 9)]


@pytest.mark.parametrize("row,norm", list(zip(STENCILS, NORMS, strict=True)), ids=IDS)
def test_squared_norms(row, norm):
    """Against the table of docs, and against the symbol on a fine grid of frequencies."""
    stencil = row[0]
    if norm is not None:
        assert sp.simplify(stencil.squared_norm - norm) == 0
    theta = np.linspace(0, np.pi, 200_001)
    symbol = sum(
        float(w) * np.exp(1j * o * theta) for o, w in zip(stencil.offsets, stencil.weights, strict=True)
    )
    largest = (abs(symbol) ** 2).max()
    assert largest <= float(stencil.squared_norm) * (1 + 1e-14)
    assert largest >= float(stencil.squared_norm) * (1 - 1e-9)
    c = stencil.squared_symbol
    values = np.polyval([float(k) for k in c.all_coeffs()], np.cos(theta))
    np.testing.assert_allclose(values, abs(symbol) ** 2, atol=1e-12)


@pytest.mark.parametrize("order", [2, 4])
def test_central_differences_do_not_see_the_checkerboard_and_half_point_ones_do(order):
    for stencil, seen in ((central(order), False), (half_point(order), True)):
        value = sum(w * sp.S.NegativeOne**o for o, w in zip(stencil.offsets, stencil.weights, strict=True))
        assert (value != 0) == seen


def test_derive_drops_offsets_of_weight_zero():
    assert derive((-1, 0, 1), 1, False, 2).offsets == (-1, 1)
    assert derive((0, 1, 2), 1, False, 2).weights == (sp.Rational(-3, 2), 2, sp.Rational(-1, 2))
