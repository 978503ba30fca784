"""Constants of maps that are composed step by step, as exact numbers, rounded up once they are long."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import sympy as sp

from pde2net.verify.theorems.stages import DIGITS, KEPT, above, rounded_up

LARGEST = 10**9  # beyond, a constant says nothing
SHORT = 10**12  # numbers that are written out


def whole(factor: sp.Expr, count: int) -> sp.Expr:
    """factor^count, rounded up where it is a long number."""
    return composed(factor, sp.S.Zero, count)


def composed(factor: sp.Expr, share: sp.Expr, count: int) -> sp.Expr:
    """q^n + s (1 + q + .. + q^(n-1)), or an upper bound: e_n of e_(k+1) = q e_k + s, e_0 = 1."""
    if factor.is_number and share.is_number:
        q, s = above(factor), above(share)
        found = _power(q, count) if s == 0 else _composed(q, s, count)
        found = rounded_up(found, DIGITS) if _long(found) else found
        return sp.Rational(found.numerator, found.denominator) if found <= LARGEST else sp.oo
    if share == 0:
        return factor**count
    return sp.Max(1, factor) ** count * (1 + count * share)


def _power(factor: Fraction, count: int) -> Fraction:
    """factor^count by squaring."""
    if count <= 1:
        return factor
    half = _power(factor, count // 2)
    found = half * half * (factor if count % 2 else 1)
    return rounded_up(found, KEPT) if _long(found) else found


def _long(number: Fraction) -> bool:
    return max(number.numerator, number.denominator) > SHORT


@cache
def _composed(factor: Fraction, share: Fraction, count: int) -> Fraction:
    """Numbers that are not written out are rounded up, which later ones only grow with."""
    now = Fraction(1)
    for _ in range(count):
        following = factor * now + share
        following = rounded_up(following, KEPT) if _long(following) else following
        if following == now or following > LARGEST:
            return following
        now = following
    return now


def averaged_with_data(a: sp.Expr, w: sp.Expr, count: int) -> sp.Expr:
    """alpha_n of n steps (1 - w) P + w f with an a-averaged P, numbers in [0, 1] (docs/theory.md, 4.22)."""
    found = _recursion(above(a), above(1 - w), count)
    return sp.Rational(found.numerator, found.denominator)


@cache
def _recursion(a: Fraction, rest: Fraction, count: int) -> Fraction:
    """alpha_n from alpha_0 = 0; rounded up, since it increases with alpha and a."""
    alpha = Fraction(0)
    for _ in range(count):
        following = rest if a >= 1 else rest * (a + alpha - 2 * a * alpha) / (1 - a * alpha)
        following = rounded_up(following, KEPT) if _long(following) else following
        if following == alpha:
            break
        alpha = following
    return min(rest, rounded_up(alpha, DIGITS) if _long(alpha) else alpha)
