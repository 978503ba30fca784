"""The polynomial of a cycle, once it was checked to be that of the stages and to be bounded."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp

from pde2net.language.schemes import Scheme
from pde2net.scheme.method import Method
from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.registry import OWN, method_of, update_of
from pde2net.scheme.stack import PREVIOUS, TAU, Stack
from pde2net.verify.ranges import UndecidedError


def polynomial(scheme: Scheme) -> Polynomial:
    """That of a cycle of a scheme that has one.

    Raises UndecidedError if what is emitted differs from it, or if it is larger than 1 somewhere on
    [0, reach]: that is decided exactly where docs/theory.md does not derive it.
    """
    return _polynomial(scheme, method_of(scheme))


@cache
def _polynomial(scheme: Scheme, method: Method) -> Polynomial:
    update = update_of(scheme)
    if method.polynomial is None or not isinstance(update, Stack):
        raise UndecidedError(f"the polynomial of a cycle of {scheme.label} is not stated")
    found = method.polynomial(scheme)
    if exact(update) != found.poly:
        raise UndecidedError("the polynomial of a cycle is not the one in closed form")
    if method.choice not in OWN:
        found = replace(found, known=False)
        if not found.bounded(found.reach):
            raise UndecidedError(f"the polynomial of a cycle exceeds 1 on [0, {found.reach}]")
    return found


def exact(stack: Stack) -> sp.Poly:
    """P of a cycle, from its stages. Raises UndecidedError unless its coefficients are rational numbers."""
    found = stack.amplification()
    if not all(c.is_Rational for c in found.coeffs()):
        raise UndecidedError("the polynomial of a cycle has coefficients that are no rational numbers")
    return found.set_domain("QQ")


def coefficients(stack: Stack) -> tuple[sp.Rational, sp.Rational]:
    """(p1, p2) of P = 1 - p1 z + p2 z² - ...: a cycle covers the time p1 tau, of order 2 if p2 = p1²/2.

    Runge-Kutta methods have order 2 if sum b = 1 and sum b c = 1/2, which P says. Raises UndecidedError if
    the stack is stated to cover another time, or to have an order that it does not have.
    """
    alone = stack.repeated and not stack.uses(PREVIOUS)
    poly = exact(replace(stack, stages=stack.stages[:1]) if alone else stack)
    one, p1, p2 = poly.nth(0), -poly.nth(1), poly.nth(2)
    covered = sp.simplify(stack.time / TAU) / (len(stack.stages) if alone else 1)
    if one != 1 or covered != p1:
        raise UndecidedError("a cycle does not cover the time that is stated for it")
    if stack.order == 2 and 2 * p2 != p1**2:
        raise UndecidedError("the stages are not of the order in time that is stated for them")
    return p1, p2


def like_exponential(scheme: Scheme) -> bool:
    """Whether 1 <= P(-x) <= exp(p1 x) for x >= 0, so that growing modes grow, and by no more.

    Derived for some schemes (docs/theory.md, 4.9); of others no coefficient of P(-x) may be negative or
    larger than that of the exponential.
    """
    if type(scheme) in OWN:
        return True
    poly = polynomial(scheme).poly
    p1 = -poly.nth(1)
    return all(0 <= (-1) ** k * poly.nth(k) <= p1**k / sp.factorial(k) for k in range(poly.degree() + 1))
