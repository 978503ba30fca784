"""The polynomial P of a cycle: u+ = P(tau B) u, and up to where |P| <= 1 (docs/theory.md, section 4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import sympy as sp

from pde2net.language.schemes import FED, FSI, RKL, Scheme
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import Stack, Z
from pde2net.verify.ranges import UndecidedError

DIGITS = 12  # decimals of a limit beyond the one in closed form


@dataclass(frozen=True)
class Polynomial:
    """P with P(0) = 1, |P| <= 1 on [0, reach], and monotone beyond.

    text  its closed form
    """

    poly: sp.Poly
    reach: sp.Rational
    text: str

    def bounded(self, z: sp.Rational) -> bool:
        """Whether |P| <= 1 on [0, z]: beyond `reach` it is enough to look at z itself."""
        return bool(z <= self.reach or abs(self.poly.eval(z)) <= 1)

    def limit(self, z: sp.Expr) -> sp.Rational:
        """`reach`, or, if z is a number beyond it, the largest one of 12 decimals that is allowed."""
        if not z.is_number or not z.is_extended_real or sp.Le(z, self.reach) == sp.true:
            return self.reach
        low, unit = self.reach, sp.Rational(1, 10**DIGITS)
        if not self.bounded(low + unit):
            return low
        high = 2 * low
        while self.bounded(high):
            low, high = high, 2 * high
        while high - low > unit:
            middle = sp.floor((low + high) / (2 * unit)) * unit
            low, high = (middle, high) if self.bounded(middle) else (low, middle)
        return low


@cache
def polynomial(scheme: Scheme) -> Polynomial:
    """That of a cycle of FSI, FED or RKL. Raises UndecidedError if what is emitted differs from it."""
    update = update_of(scheme)
    if isinstance(scheme, FSI | FED):
        found = _dirichlet(scheme.cycle_length)
    elif isinstance(scheme, RKL):
        found = _legendre(scheme.order, scheme.stages)
    else:
        raise TypeError(f"{scheme.label} has no polynomial in closed form")
    if not isinstance(update, Stack) or update.amplification().set_domain("QQ") != found.poly:
        raise UndecidedError("the polynomial of a cycle is not the one in closed form")
    return found


def _dirichlet(n: int) -> Polynomial:
    """(1 + 2 sum T_k(1 - z))/(2 n + 1), with n zeros in (0, 2)."""
    x, one = sp.Poly(1 - Z, Z, domain="QQ"), sp.Poly(1, Z, domain="QQ")
    before, now, total = one, x, one
    for _ in range(n):
        total += 2 * now
        before, now = now, 2 * x * now - before
    text = f"(1 + 2 sum T_k(1 - z))/(2 n + 1), n = {n}"
    return Polynomial(total * sp.Rational(1, 2 * n + 1), sp.Integer(2), text)


def _legendre(order: int, s: int) -> Polynomial:
    """P_s(1 - w z), or 1 - b + b P_s(1 - w z), with s zeros of P_s in (0, 2/w)."""
    w = sp.Rational(2, s * s + s) if order == 1 else sp.Rational(4, s * s + s - 2)
    x, one = sp.Poly(1 - w * Z, Z, domain="QQ"), sp.Poly(1, Z, domain="QQ")
    before, now = one, x
    for j in range(2, s + 1):
        before, now = now, sp.Rational(2 * j - 1, j) * x * now - sp.Rational(j - 1, j) * before
    if order == 1:
        return Polynomial(now, 2 / w, f"P_s(1 - {w} z), s = {s}")
    b = sp.Rational(s * s + s - 2, 2 * s * (s + 1))
    return Polynomial(b * now + (1 - b) * one, 2 / w, f"{1 - b} + {b} P_s(1 - {w} z), s = {s}")
