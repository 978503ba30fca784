"""Interval arithmetic with certified rounding, on endpoints that Arb computes.

Endpoints may be infinite: an interval [a, oo] stands for all real numbers from a on. Unlike a ball an
interval keeps an exact endpoint 0, so exp(-s) >= 0 stays true however large s is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sympy as sp
from flint import arb

from pde2net.verify.ranges.record import UndecidedError

INFINITY, MINUS_INFINITY = arb.pos_inf(), arb.neg_inf()
ZERO, ONE = arb(0), arb(1)


class UndefinedError(UndecidedError):
    """An operation that is not defined everywhere on its interval; smaller intervals may do."""


@dataclass(frozen=True)
class Interval:
    """All real numbers from lo to hi; both are exact, or infinite."""

    lo: arb
    hi: arb

    def __add__(self, other: Interval) -> Interval:
        return Interval((self.lo + other.lo).lower(), (self.hi + other.hi).upper())

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __mul__(self, other: Interval) -> Interval:
        products = [_product(a, b) for a in (self.lo, self.hi) for b in (other.lo, other.hi)]
        return Interval(least(p.lower() for p in products), greatest(p.upper() for p in products))

    def reciprocal(self) -> Interval:
        """1/x; one-sided if 0 is an endpoint."""
        if self.lo < 0 < self.hi or self.lo == self.hi == 0:
            raise UndefinedError("a pole")
        low = MINUS_INFINITY if self.hi == 0 else _inverse(self.hi).lower()
        high = INFINITY if self.lo == 0 else _inverse(self.lo).upper()
        return Interval(low, high)

    def meet(self, other: Interval) -> Interval:
        return Interval(greatest((self.lo, other.lo)), least((self.hi, other.hi)))

    def hull(self, other: Interval) -> Interval:
        return Interval(least((self.lo, other.lo)), greatest((self.hi, other.hi)))

    def rising(self, f: Callable[[arb], arb]) -> Interval:
        """The image under an increasing function."""
        return Interval(f(self.lo).lower(), f(self.hi).upper())

    def power(self, n: int) -> Interval:
        """x**n for n >= 1."""
        if n % 2:
            return self.rising(lambda a: a if _infinite(a) else a**n)
        a = self.magnitude()
        return Interval((a.lo**n).lower(), INFINITY if _infinite(a.hi) else (a.hi**n).upper())

    def magnitude(self) -> Interval:
        """|x|."""
        if self.lo >= 0:
            return self
        if self.hi <= 0:
            return -self
        return Interval(ZERO, greatest((-self.lo, self.hi)))


EVERYTHING = Interval(MINUS_INFINITY, INFINITY)


def least(values: Iterable[arb]) -> arb:
    return _best(values, lambda a, b: a < b)


def greatest(values: Iterable[arb]) -> arb:
    return _best(values, lambda a, b: a > b)


def _best(values: Iterable[arb], better: Callable[[arb, arb], bool]) -> arb:
    found: arb | None = None
    for value in values:
        if value.is_nan():
            raise UndefinedError("an undefined value")
        found = value if found is None or better(value, found) else found
    if found is None:
        raise ValueError("no values")
    return found


def point(value: arb) -> Interval:
    """The smallest interval around a ball."""
    return Interval(value.lower(), value.upper())


def _infinite(a: arb) -> bool:
    return not a.is_finite()


def _product(a: arb, b: arb) -> arb:
    """0 times oo is 0: the infinite endpoint stands for large numbers, not for one of its own."""
    return ZERO if a == 0 or b == 0 else a * b


def _inverse(a: arb) -> arb:
    return ZERO if _infinite(a) else 1 / a


def real_power(base: Interval, exponent: sp.Rational) -> Interval:
    """base**(p/q) of what is nonnegative; a negative part of the base has no real power."""
    if base.lo < 0:
        raise UndefinedError("a root of a negative number")
    p, q = abs(int(exponent.p)), int(exponent.q)

    def power(a: arb) -> arb:
        return a if _infinite(a) or a == 0 else a.root(q) ** p

    found = base.rising(power)
    return found if exponent > 0 else found.reciprocal()


def exponential(x: Interval) -> Interval:
    return x.rising(lambda a: (ZERO if a < 0 else INFINITY) if _infinite(a) else a.exp())


def logarithm(x: Interval) -> Interval:
    if x.lo < 0:
        raise UndefinedError("a logarithm of a negative number")
    return x.rising(lambda a: MINUS_INFINITY if a == 0 else INFINITY if _infinite(a) else a.log())


def _saturating(f: Callable[[arb], arb], end: arb) -> Callable[[Interval], Interval]:
    """An increasing odd function with the limits -end and end."""
    range_ = Interval(-end, end)  # rounding must not leave it
    return lambda x: range_.meet(x.rising(lambda a: (-end if a < 0 else end) if _infinite(a) else f(a)))


def _unbounded(f: Callable[[arb], arb]) -> Callable[[Interval], Interval]:
    """An increasing odd function without bounds."""
    return lambda x: x.rising(lambda a: a if _infinite(a) else f(a))


def _wave(f: Callable[[arb], arb]) -> Callable[[Interval], Interval]:
    """sine or cosine, by ball arithmetic, within [-1, 1]."""

    def image(x: Interval) -> Interval:
        whole = Interval(-ONE, ONE)
        if _infinite(x.lo) or _infinite(x.hi):
            return whole
        return whole.meet(point(f(x.lo.union(x.hi))))

    return image


FUNCTIONS: dict[type, Callable[[Interval], Interval]] = {
    sp.exp: exponential,
    sp.log: logarithm,
    sp.sin: _wave(lambda a: a.sin()),
    sp.cos: _wave(lambda a: a.cos()),
    sp.tanh: _saturating(lambda a: a.tanh(), ONE),
    sp.atan: _saturating(lambda a: a.atan(), (arb.pi() / 2).upper()),
    sp.erf: _saturating(lambda a: a.erf(), ONE),
    sp.sinh: _unbounded(lambda a: a.sinh()),
    sp.asinh: _unbounded(lambda a: a.asinh()),
    sp.cosh: lambda x: x.magnitude().rising(lambda a: a if _infinite(a) else a.cosh()),
    sp.Abs: Interval.magnitude,
    sp.sign: lambda x: x.rising(lambda a: ONE if a > 0 else -ONE if a < 0 else ZERO),
}
