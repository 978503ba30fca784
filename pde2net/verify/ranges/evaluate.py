"""Compiles a SymPy expression in one or several variables to a function from intervals to intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import itemgetter
from typing import Any, TypeAlias

import sympy as sp
from flint import arb, fmpq

from pde2net.verify.ranges import intervals as iv
from pde2net.verify.ranges.intervals import Interval
from pde2net.verify.ranges.record import UndecidedError

Image = Callable[[Any], Interval]  # of an interval, or of as many as there are variables
Variables: TypeAlias = sp.Symbol | tuple[sp.Symbol, ...]


def image(expression: sp.Expr, variable: Variables) -> Image:
    """f with f(X) a superset of {expression(x): x in X}. Raises UndecidedError for unknown functions.

    X is an interval, or a tuple of them if `variable` is one.
    """
    if expression == variable:
        return lambda x: x
    if isinstance(variable, tuple) and expression in variable:
        return itemgetter(variable.index(expression))
    constant = _constant(expression)
    if constant is not None:
        return lambda x: constant
    if expression.is_Symbol:
        raise UndecidedError(f"ball arithmetic needs a number for {expression}; give it a value")
    if isinstance(expression, sp.Piecewise):
        return _piecewise(expression, variable)
    arguments = [image(a, variable) for a in expression.args]
    if expression.is_Add:
        return _folded(arguments, lambda a, b: a + b)
    if expression.is_Mul:
        return _folded(arguments, lambda a, b: a * b)
    if isinstance(expression, sp.Min):
        return _folded(arguments, lambda a, b: Interval(iv.least((a.lo, b.lo)), iv.least((a.hi, b.hi))))
    if isinstance(expression, sp.Max):
        return _folded(arguments, lambda a, b: Interval(iv.greatest((a.lo, b.lo)), iv.greatest((a.hi, b.hi))))
    if isinstance(expression, sp.exp):
        return _then(iv.exponential, arguments[0])
    if expression.is_Pow:
        return _power(expression.base, expression.exp, variable)
    known = iv.FUNCTIONS.get(expression.func)
    if known is None:
        raise UndecidedError(f"the function {expression.func.__name__} is not known to ball arithmetic")
    return _then(known, arguments[0])


def number(expression: sp.Expr) -> Interval:
    """A certified enclosure of a real number."""
    return image(expression, sp.Dummy())(iv.point(arb(1)))


def _constant(expression: sp.Expr) -> Interval | None:
    if expression.is_Rational:
        return iv.point(arb(fmpq(int(expression.p), int(expression.q))))
    if expression in (sp.oo, -sp.oo):
        end = iv.INFINITY if expression == sp.oo else iv.MINUS_INFINITY
        return Interval(end, end)
    if expression == sp.pi:
        return iv.point(arb.pi())
    if expression == sp.E:
        return iv.point(arb(1).exp())
    if isinstance(expression, sp.ComplexRootOf) and expression.is_real:
        return _root(expression)
    if expression.is_Atom and not expression.is_Symbol:
        raise UndecidedError(f"{expression} is not a real number")
    return None


def _root(root: sp.ComplexRootOf) -> Interval:
    interval = root._get_interval().refine_size(sp.Rational(1, 10**25))
    low, high = sp.Rational(interval.a), sp.Rational(interval.b)
    return Interval(number(low).lo, number(high).hi)


def _then(f: Image, argument: Image) -> Image:
    return lambda x: f(argument(x))


def _folded(arguments: Sequence[Image], combine: Callable[[Interval, Interval], Interval]) -> Image:
    return lambda x: reduce(combine, [a(x) for a in arguments])


def _power(base: sp.Expr, exponent: sp.Expr, variable: Variables) -> Image:
    if not exponent.is_Rational:
        rate = image(exponent * sp.log(base), variable)
        return lambda x: iv.exponential(rate(x))
    inner = image(base, variable)
    if not exponent.is_Integer:
        return lambda x: iv.real_power(inner(x), exponent)
    n = int(exponent)
    if n > 0:
        return lambda x: inner(x).power(n)
    return lambda x: inner(x).power(-n).reciprocal()


def _piecewise(expression: sp.Piecewise, variable: Variables) -> Image:
    """The hull of the pieces that an interval may meet; UndecidedError where none applies."""
    pieces = [(image(body, variable), _condition(test, variable)) for body, test in expression.args]

    def hull(x: Interval) -> Interval:
        found: Interval | None = None
        for body, test in pieces:
            holds = test(x)
            if holds is False:
                continue
            value = body(x)
            found = value if found is None else found.hull(value)
            if holds:
                return found
        raise UndecidedError(f"{expression} has no value on a part of the half-line")

    return hull


def _condition(test: sp.Basic, variable: Variables) -> Callable[[Interval], bool | None]:
    """Whether a condition holds on all (True), none (False) or perhaps some (None) of an interval."""
    if test in (sp.true, sp.false):
        return lambda x: bool(test)
    if isinstance(test, sp.And | sp.Or | sp.Not):
        parts = [_condition(a, variable) for a in test.args]
        return lambda x: _logic(test, [p(x) for p in parts])
    if not isinstance(test, sp.Ge | sp.Gt | sp.Le | sp.Lt | sp.Eq | sp.Ne):
        raise UndecidedError(f"the condition {test} is not a comparison")
    difference = image(test.lhs - test.rhs, variable)

    def decide(x: Interval) -> bool | None:
        d = difference(x)
        if isinstance(test, sp.Eq | sp.Ne):
            apart = d.lo > 0 or d.hi < 0
            same = d.lo == d.hi == 0
            return None if not (apart or same) else isinstance(test, sp.Ne) == apart
        if isinstance(test, sp.Le | sp.Lt):
            d = -d
        strict = isinstance(test, sp.Gt | sp.Lt)
        if d.lo > 0 or (not strict and d.lo >= 0):
            return True
        if d.hi < 0 or (strict and d.hi <= 0):
            return False
        return None

    return decide


def _logic(test: sp.Basic, parts: list[bool | None]) -> bool | None:
    if isinstance(test, sp.Not):
        return None if parts[0] is None else not parts[0]
    decisive = isinstance(test, sp.Or)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive
