"""The stages of residual stacks a second time, from the formulas of the papers, and their polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import flint

from pde2net.audit.exactly import CONTEXT, ONE, ZERO, NoOpinionError, Number
from pde2net.language.schemes import FED, FSI, RKL, SCHEMES, Scheme
from pde2net.language.stored import scheme_to_data
from pde2net.scheme.rkc import RKC

# Weights of u, u-, the start of the cycle, and in units of tau of F at u and at the start.
Row = tuple[Any, Any, Any, Any, Any]


def rows(scheme: Scheme) -> list[Row]:
    """Of FSI, RKL and RKC, as fractions (Hafner et al. 2016; Meyer et al. 2014, (15) to (24)).

    FED has the polynomial of FSI, so the rows of FSI stand for its cycle. Raises NoOpinionError for others.
    """
    if isinstance(scheme, FSI | FED):
        weights = [Fraction(4 * k + 2, 2 * k + 3) for k in range(scheme.cycle_length)]
        return [(a, 1 - a, 0, a, 0) for a in weights]
    if isinstance(scheme, RKC):
        return _chebyshev(scheme)
    if not isinstance(scheme, RKL):
        raise NoOpinionError(f"the stages of {scheme.label} schemes are not known here")
    s = scheme.stages
    if scheme.order == 1:
        w = Fraction(2, s * s + s)
        first = [Fraction(2 * j - 1, j) for j in range(1, s + 1)]
        return [(m, 1 - m, 0, m * w, 0) for m in first]
    w = Fraction(4, s * s + s - 2)
    b = [Fraction(1, 3)] * 3 + [Fraction(j * j + j - 2, 2 * j * (j + 1)) for j in range(3, s + 1)]
    found: list[Row] = [(1, 0, 0, b[1] * w, 0)]
    for j in range(2, s + 1):
        mu = Fraction(2 * j - 1, j) * b[j] / b[j - 1]
        nu = -Fraction(j - 1, j) * b[j] / b[j - 2]
        found.append((mu, nu, 1 - mu - nu, mu * w, -(1 - b[j - 1]) * mu * w))
    return found


def _chebyshev(scheme: RKC) -> list[Row]:
    """Of RKC (Verwer 1996; Sommeijer et al. 1998), from the Chebyshev polynomials and their derivatives."""
    s, order = scheme.stages, scheme.order
    given = Fraction(1, 20) if order == 1 else Fraction(2, 13)
    if scheme.damping is not None:
        given = Fraction(int(scheme.damping.p), int(scheme.damping.q))
    w0 = 1 + given / (s * s)
    at = flint.fmpq(w0.numerator, w0.denominator)

    def value(j: int, derivative: int) -> Fraction:
        poly = flint.fmpq_poly(flint.fmpz_poly.chebyshev_t(j))
        for _ in range(derivative):
            poly = poly.derivative()
        found = poly(at)
        return Fraction(int(found.p), int(found.q))

    if order == 1:
        b = [1 / value(j, 0) for j in range(s + 1)]
        w1 = value(s, 0) / value(s, 1)
    else:
        b = [value(max(j, 2), 2) / value(max(j, 2), 1) ** 2 for j in range(s + 1)]
        b[1] = 1 / w0
        w1 = value(s, 1) / value(s, 2)
    found: list[Row] = [(1, 0, 0, b[1] * w1, 0)]
    for j in range(2, s + 1):
        mu, nu, kappa = 2 * b[j] / b[j - 1] * w0, -b[j] / b[j - 2], 2 * b[j] / b[j - 1] * w1
        gamma = (b[j - 1] * value(j - 1, 0) - 1) * kappa
        found.append((mu, nu, 1 - mu - nu, kappa, gamma))
    return found


def fed_rows(scheme: FED) -> list[Row]:
    """The explicit steps of FED in units of tau, in any order (Grewenig, Weickert, Bruhn 2010)."""
    n = scheme.cycle_length
    angles = [CONTEXT.pi * (2 * i + 1) / (4 * n + 2) for i in range(n)]
    return [(ONE, ZERO, ZERO, 1 / (2 * CONTEXT.cos(angle) ** 2), ZERO) for angle in angles]


def polynomial(scheme: Scheme) -> flint.fmpq_poly:
    """P of a cycle, by recursion over its stages. Exact."""
    data = scheme_to_data(scheme)
    return _polynomial(scheme.label, tuple((k, v) for k, v in data.items() if k not in ("name", "tau")))


@cache
def _polynomial(label: str, options: tuple[tuple[str, Any], ...]) -> flint.fmpq_poly:
    z = flint.fmpq_poly([0, 1])
    now = before = flint.fmpq_poly([1])
    kind: Any = SCHEMES[label]
    for row in rows(kind(tau=1, **dict(options))):
        exact = [flint.fmpq(w.numerator, w.denominator) for w in map(Fraction, row)]
        u, previous, start, rate, start_rate = exact
        new = (u - rate * z) * now + previous * before + start - start_rate * z
        now, before = new, now
    return now


def bounded(p: flint.fmpq_poly, z: Fraction) -> bool:
    """Whether |P| <= 1 on [0, z]: at the ends, exactly, and at the zeros of P', which are isolated."""
    return _is_bounded(tuple(p.coeffs()), z)


@cache
def _is_bounded(coefficients: tuple[flint.fmpq, ...], z: Fraction) -> bool:
    p = flint.fmpq_poly(list(coefficients))
    ends = [p(flint.fmpq(0)), p(flint.fmpq(z.numerator, z.denominator))]
    if any(abs(end) > 1 for end in ends):
        return False
    with flint.ctx.workprec(128 + 12 * p.degree()):
        last, balls = flint.arb(z.numerator) / z.denominator, flint.arb_poly(p)
        for zero, _ in p.derivative().numer().complex_roots():
            inside = zero.imag.contains(0) and not (zero.real < 0 or zero.real > last)
            if inside and not abs(balls(zero.real)) < 1:
                return False
    return True


def confirm_factors(scheme: FED) -> bool:
    """Whether the inverses of FED's steps are n different zeros of the polynomial of FSI."""
    n, p = scheme.cycle_length, polynomial(scheme)
    with flint.ctx.workprec(128 + 12 * n):
        zeros = [2 * (flint.arb.pi() * (2 * i + 1) / (4 * n + 2)).cos() ** 2 for i in range(n)]
        values = [flint.arb_poly(p)(zero) for zero in zeros]
        vanish = all(v.contains(0) and v.rad() < 1e-20 for v in values)
        return vanish and not any(a.overlaps(b) for a, b in pairwise(zeros))


def lipschitz(table: Sequence[Row], tau: Number, low: Number, high: Number) -> Number:
    """The Lipschitz bound of a cycle whose F' lies in [low, high]."""

    def both(weight: Number, rate: Number) -> Number:
        return max(abs(weight - rate * tau * bound) for bound in (low, high))

    now = before = ONE
    for row in table:
        u, previous, start, rate, start_rate = (_number(w) for w in row)
        new = both(u, rate) * now + abs(previous) * before + both(start, start_rate)
        now, before = new, now
    return now


def _number(weight: Any) -> Number:
    return weight.numerator / (ONE * weight.denominator) if isinstance(weight, int | Fraction) else weight


def rounded_up(bound: Number) -> tuple[Number, ...]:
    """To six significant digits; both neighbours where the digits end there."""
    exponent = int(CONTEXT.floor(CONTEXT.log10(bound))) - 5
    unit = CONTEXT.mpf(10) ** exponent
    tiny = CONTEXT.mpf(10) ** -50
    found = {int(CONTEXT.ceil(bound / unit * (1 + sign * tiny))) for sign in (-1, 1)}
    return tuple(k * unit for k in sorted(found))
