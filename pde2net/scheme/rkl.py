"""Runge-Kutta-Legendre super-steps of s stages (Meyer, Balsara, Aslam, J. Comput. Phys. 257, 2014).

Order 1, equations (15)-(17): y_j = mu_j y_{j-1} + nu_j y_{j-2} + kappa_j tau F(y_{j-1}), with
mu_j = (2 j - 1)/j, nu_j = (1 - j)/j, kappa_j = mu_j w, w = 2/(s^2 + s), and y_{-1} = y_0: P_s(1 - w z).

Order 2, (21)-(24): y_j = mu_j y_{j-1} + nu_j y_{j-2} + (1 - mu_j - nu_j) y_0 + kappa_j tau F(y_{j-1})
+ gamma_j tau F(y_0), w = 4/(s^2 + s - 2), b_j = (j^2 + j - 2)/(2 j (j + 1)), b_0 = b_1 = b_2 = 1/3:
1 - b_s + b_s P_s(1 - w z).
"""

from __future__ import annotations

import sympy as sp

from pde2net.language.schemes import RKL
from pde2net.scheme.method import Method, counted, staged
from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, STEP, TAU, Stack, U, Z

MU, NU, KAPPA, GAMMA = sp.symbols("_mu _nu _kappa _gamma", real=True)


def stack(scheme: RKL) -> Stack:
    s = scheme.stages
    if scheme.order == 1:
        skip = MU * U + NU * PREVIOUS + KAPPA * TAU * RATE
        stages = [_first(j, s) for j in range(1, s + 1)]
    else:
        skip = MU * U + NU * PREVIOUS + (1 - MU - NU) * START + TAU * (KAPPA * RATE + GAMMA * START_RATE)
        stages = [_second(j, s) for j in range(1, s + 1)]
    return Stack(skip, STEP, tuple(stages), TAU, cycles=scheme.steps, order=scheme.order)


def _first(j: int, s: int) -> dict[sp.Symbol, sp.Expr]:
    mu = sp.Rational(2 * j - 1, j)
    return {MU: mu, NU: sp.Rational(1 - j, j), KAPPA: mu * sp.Rational(2, s * s + s)}


def _second(j: int, s: int) -> dict[sp.Symbol, sp.Expr]:
    w = sp.Rational(4, s * s + s - 2)
    if j == 1:
        return {MU: sp.S.One, NU: sp.S.Zero, KAPPA: _b(1) * w, GAMMA: sp.S.Zero}
    mu = sp.Rational(2 * j - 1, j) * _b(j) / _b(j - 1)
    nu = -sp.Rational(j - 1, j) * _b(j) / _b(j - 2)
    return {MU: mu, NU: nu, KAPPA: mu * w, GAMMA: -(1 - _b(j - 1)) * mu * w}


def _b(j: int) -> sp.Rational:
    return sp.Rational(1, 3) if j <= 2 else sp.Rational(j * j + j - 2, 2 * j * (j + 1))


def words(scheme: RKL, update: Stack, tau: sp.Expr, reaction: bool) -> str:
    s = scheme.stages
    if scheme.order == 1:
        stage = f"y_j = mu_j y_(j-1) + nu_j y_(j-2) + mu_j {sp.Rational(2, s * s + s)} tau F(y_(j-1))"
        weights = "mu_j = (2 j - 1)/j, nu_j = (1 - j)/j"
    else:
        stage, weights = SECOND, "weights of Meyer, Balsara, Aslam 2014, (21) to (24)"
    return staged(scheme, tau, super_step(scheme.order, scheme.steps, s, stage, weights), reaction)


SECOND = (
    "y_j = mu_j y_(j-1) + nu_j y_(j-2) + (1 - mu_j - nu_j) y_0 + tau (kappa_j F(y_(j-1)) + gamma_j F(y_0))"
)


def super_step(order: int, steps: int, stages: int, stage: str, weights: str) -> str:
    """The words of a step of several stages."""
    made = f"{counted(steps)} of {counted(stages, 'stage')}"
    return f"order {order}, {made}: {stage}, {weights}, from y_0 = u to u <- y_{stages}"


def polynomial(scheme: RKL) -> Polynomial:
    """P_s(1 - w z), or 1 - b + b P_s(1 - w z), with s zeros of P_s in (0, 2/w): monotone beyond."""
    order, s = scheme.order, scheme.stages
    w = sp.Rational(2, s * s + s) if order == 1 else sp.Rational(4, s * s + s - 2)
    legendre = sp.legendre_poly(s, Z, polys=True).set_domain("QQ")
    now, one = legendre.compose(sp.Poly(1 - w * Z, Z, domain="QQ")), sp.Poly(1, Z, domain="QQ")
    if order == 1:
        return Polynomial(now, 2 / w, f"P_s(1 - {w} z), s = {s}", known=True)
    b = sp.Rational(s * s + s - 2, 2 * s * (s + 1))
    return Polynomial(b * now + (1 - b) * one, 2 / w, f"{1 - b} + {b} P_s(1 - {w} z), s = {s}", known=True)


METHOD = Method(RKL, lambda scheme, _: stack(scheme), words, polynomial)
