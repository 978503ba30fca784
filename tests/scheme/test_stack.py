"""The polynomials and times of cycles, against the closed forms of the literature."""

import math

import numpy as np
import pytest
import sympy as sp

import pde2net as p2n
from pde2net.scheme.fed import leja
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import TAU, Z

LENGTHS = [1, 2, 3, 5, 10, 25]


def polynomial(scheme, alpha=None):
    return update_of(scheme, alpha).amplification()


@pytest.mark.parametrize("n", LENGTHS)
def test_a_cycle_of_fsi_is_the_chebyshev_quotient(n):
    """P(z) = T_{2n+1}-type kernel: ±1/(2n+1) at z = 2, and its slope at 0 is the cycle time."""
    p = polynomial(p2n.FSI(tau=1, cycle_length=n))
    assert p.degree() == n
    assert p.eval(0) == 1
    assert p.eval(2) == sp.Rational((-1) ** n, 2 * n + 1)
    assert -p.diff().eval(0) == sp.Rational(n * (n + 1), 3)
    for z in np.linspace(0.1, 1.9, 7):
        half = math.acos(1 - z) / 2  # sin((2n+1) x)/((2n+1) sin x) with cos 2x = 1 - z
        want = math.sin((2 * n + 1) * half) / ((2 * n + 1) * math.sin(half))
        assert float(p.eval(sp.Rational(float(z)))) == pytest.approx(want, abs=1e-9)


@pytest.mark.parametrize("n", LENGTHS)
def test_the_steps_of_fed_multiply_to_the_polynomial_of_fsi(n):
    stack = update_of(p2n.FED(tau=1, cycle_length=n))
    factors = [float(v) for w in stack.stages for v in w.values()]
    assert sum(factors) == pytest.approx(n * (n + 1) / 3)
    assert stack.time == TAU * sp.Rational(n * (n + 1), 3)
    for z in np.linspace(0, 2, 9):
        product = math.prod(1 - z * f for f in factors)
        assert product == pytest.approx(float(stack.amplification().eval(sp.Rational(float(z)))), abs=1e-9)


@pytest.mark.parametrize("n", [10, 50, 100, 200])
def test_the_order_of_fed_steps_keeps_partial_products_small(n):
    factors = [1 / (2 * math.cos(math.pi * (2 * i + 1) / (4 * n + 2)) ** 2) for i in leja(n)]
    assert sorted(leja(n)) == list(range(n))

    def growth(order):
        """By how much the steps to come, and those made, may amplify a rounding error."""
        z = np.linspace(0, 2, 2001)
        steps = [np.abs(1 - z * f) for f in order]
        return max(np.cumprod(steps, axis=0).max(), np.cumprod(steps[::-1], axis=0).max())

    assert growth(factors) < n**2 / 5
    assert n < 50 or min(growth(sorted(factors)), growth(sorted(factors)[::-1])) > 1e6 * growth(factors)


@pytest.mark.parametrize("s", [3, 4, 9])
@pytest.mark.parametrize("order", [1, 2])
def test_super_steps_are_shifted_legendre_polynomials(s, order):
    p = polynomial(p2n.RKL(order=order, tau=1, stages=s))
    if order == 1:
        want = sp.legendre(s, 1 - sp.Rational(2, s * s + s) * Z)
        assert p.eval(s * s + s) == (-1) ** s
    else:
        b = sp.Rational(s * s + s - 2, 2 * s * (s + 1))
        want = 1 - b + b * sp.legendre(s, 1 - sp.Rational(4, s * s + s - 2) * Z)
        assert p.coeff_monomial(Z**2) == sp.Rational(1, 2)
    assert sp.expand(p.as_expr() - want) == 0
    assert p.coeff_monomial(Z) == -1


def test_du_fort_frankel_starts_with_one_weighted_step():
    """From u^-1 = u^0 the first step is 1 - a z/(2 tau alpha)."""
    alpha, tau = sp.Rational(3, 4), sp.Rational(2, 5)
    stack = update_of(p2n.DuFortFrankel(tau=tau, alpha=alpha, steps=1), alpha)
    a = 4 * tau * alpha / (1 + 2 * tau * alpha)
    got = stack.amplification().as_expr().subs(TAU, tau)
    assert sp.simplify(got - (1 - a * Z / (2 * tau * alpha))) == 0


def test_orders_and_times():
    assert update_of(p2n.RKL(order=2, tau=1, stages=3)).order == 2
    assert update_of(p2n.Explicit(tau=1, steps=4)).time == 4 * TAU
    assert update_of(p2n.Theta(tau=1)).order == 2
    assert update_of(p2n.Theta(tau=1, theta=1)).order == 1
