"""The polynomial P of a cycle, u+ = P(tau B) u, and up to where |P| <= 1 (docs/theory.md, section 4.9)."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.scheme.stack import Z

DIGITS = 12  # decimals of a limit beyond the one in closed form


@dataclass(frozen=True)
class Polynomial:
    """P with P(0) = 1 and |P| <= 1 on [0, reach].

    text   its closed form
    known  whether the bound is a theorem, with P monotone beyond `reach`; else it is decided exactly
    """

    poly: sp.Poly
    reach: sp.Rational
    text: str
    known: bool = False

    def __post_init__(self) -> None:
        reach = sp.sympify(self.reach)
        if not isinstance(self.poly, sp.Poly) or self.poly.gens != (Z,):
            raise DeclarationError("The polynomial of a cycle is a Poly in Z.")
        if not reach.is_Rational or reach <= 0:
            raise DeclarationError(f"The reach of a polynomial is positive and rational, not {self.reach}.")
        object.__setattr__(self, "reach", reach)
        if all(c.is_Rational for c in self.poly.all_coeffs()):
            object.__setattr__(self, "poly", self.poly.set_domain(sp.QQ))

    def bounded(self, z: sp.Rational) -> bool:
        """Whether |P| <= 1 on [0, z]: where that is known up to `reach`, it is enough to look at z itself."""
        if self.known:
            return bool(z <= self.reach or abs(self.poly.eval(z)) <= 1)
        return stays_bounded(self.poly, z)

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


def stays_bounded(poly: sp.Poly, z: sp.Rational) -> bool:
    """Whether |P| <= 1 on [0, z], exactly: 1 - P² is not negative at 0 and changes its sign nowhere between.

    It changes it at its zeros of odd multiplicity, which Sturm's theorem counts.
    """
    left = 1 - poly**2
    if z <= 0 or left.is_zero:
        return bool(z == 0 or left.is_zero)
    inner = sp.Poly(1, Z, domain="QQ")
    for factor, multiplicity in left.sqf_list()[1]:
        inner *= factor if multiplicity % 2 else 1
    for end in (sp.S.Zero, z):
        line = sp.Poly(Z - end, Z, domain="QQ")
        while inner.eval(end) == 0:
            inner = inner.quo(line)
    if inner.degree() > 0 and inner.count_roots(0, z):
        return False
    places = (z * sp.Rational(k, 2 * left.degree() + 3) for k in range(1, 2 * left.degree() + 3))
    return bool(next(value for value in map(left.eval, places) if value != 0) > 0)
