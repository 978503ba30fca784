"""Exponentials that overflow in floating point where the expression that contains them does not.

exp(s)/(1 + exp(s)) is below 1, but oo/oo for s = 800. It is written with exp(-s) instead, which underflows
to the right value: the same function, and the one that is evaluated. What cannot be written so is found
by `hidden`. Powers are left alone: they overflow for states that are no images.
"""

from __future__ import annotations

import math
from collections.abc import Set

import sympy as sp
from sympy.codegen.cfunctions import expm1, log1p

_W = sp.Dummy("w", positive=True)
_GROWING = (sp.exp, sp.sinh, sp.cosh)
_SATURATING = (sp.atan, sp.tanh, sp.erf, sp.sign)
_BOUNDED = (*_SATURATING, sp.sin, sp.cos)
_ANY = "any"  # +oo or -oo


class _HiddenError(Exception):
    """A part that is oo/oo, oo - oo or the like."""


def hidden(expression: sp.Expr, variables: Set[sp.Symbol]) -> str | None:
    """The first part that has no value in floating point where an exponential of `variables` overflows."""
    try:
        _kind(expression, variables)
    except _HiddenError as found:
        return str(found)
    return None


def stable(expression: sp.Expr, variables: Set[sp.Symbol]) -> sp.Expr:
    """The same function of `variables`, by exponentials that do not overflow where this can be done.

    Derivatives of 1/cosh(s) are oo/oo too, so all that overflow are written anew.
    """
    if not _overflows(expression, variables):
        return expression
    plain = expression.replace(sp.cosh, lambda a: (sp.exp(a) + sp.exp(-a)) / 2)
    plain = plain.replace(sp.sinh, lambda a: (sp.exp(a) - sp.exp(-a)) / 2)
    found = [e for e in _exponentials(plain) if _argument(e).free_symbols & variables]
    argument, powers = _common(found, variables)
    if argument is None:
        return expression
    growing = _in_terms_of(plain, powers, 1 / _W)
    if argument.is_nonnegative:
        written = growing.xreplace({_W: sp.exp(-argument), sp.log(_W): -argument})
    else:
        small = _in_terms_of(plain, powers, _W)
        below, above = sp.Min(argument, 0), -sp.Max(argument, 0)
        written = sp.Piecewise(
            (small.xreplace({sp.log(_W): below, _W: sp.exp(below)}), argument <= 0),
            (growing.xreplace({sp.log(_W): above, _W: sp.exp(above)}), True),
        )
    if not _overflows(written, variables):
        return written
    return expression if hidden(expression, variables) is None or hidden(written, variables) else written


def accurate(expression: sp.Expr) -> sp.Expr:
    """The same with log1p and expm1, which keep all digits of log(1 + s) and exp(s) - 1 for small s."""

    def shifted(e: sp.Expr) -> sp.Expr:
        """c exp(a) - c + ... with c expm1(a)."""
        for term in e.args:
            c, power = term.as_coeff_Mul()
            if isinstance(power, sp.exp) and -c in e.args and not _singular(power.args[0]):
                return sp.Add(e - term + c, c * expm1(power.args[0]), evaluate=False)
        return e

    if not expression.has(sp.log, sp.exp):
        return expression
    found = expression.replace(lambda e: e.is_Add, shifted)
    return found.replace(
        lambda e: isinstance(e, sp.log) and e.args[0].is_Add and sp.S.One in e.args[0].args,
        lambda e: log1p(e.args[0] - 1),
    )


def _singular(a: sp.Expr) -> bool:
    """Whether it has a pole somewhere: exp(-1/s) - 1 is -1 where it begins."""
    return any(p.exp.is_negative and not p.base.is_positive for p in a.atoms(sp.Pow))


def _overflows(expression: sp.Expr, variables: Set[sp.Symbol]) -> bool:
    try:
        return any(_growing(e, variables) for e in _exponentials(expression))
    except _HiddenError:
        return True


def _exponentials(expression: sp.Expr) -> list[sp.Expr]:
    return sorted((e for e in sp.preorder_traversal(expression) if _is_exponential(e)), key=str)


def _is_exponential(e: sp.Basic) -> bool:
    return isinstance(e, _GROWING) or bool(e.is_Pow and e.base.is_number and e.exp.free_symbols)


def _argument(e: sp.Expr) -> sp.Expr:
    """x of exp(x), sinh(x), cosh(x), b^x."""
    return e.exp * sp.log(e.base) if e.is_Pow else e.args[0]


def _common(
    found: list[sp.Expr], variables: Set[sp.Symbol]
) -> tuple[sp.Expr | None, dict[sp.Expr, tuple[sp.Expr, int]]]:
    """x and, for every exponential, (c, n) with the value c exp(n x); None if there is no such x."""
    split = {e: sp.expand(_argument(e)).as_independent(*variables, as_Add=True) for e in found}
    first = next((part for _, part in split.values()), sp.S.Zero)
    if first == 0:
        return None, {}
    ratios = {e: sp.cancel(part / first) for e, (_, part) in split.items()}
    if not all(r.is_Rational for r in ratios.values()):
        return None, {}
    divisor = sp.Rational(
        math.gcd(*(int(r.p) for r in ratios.values())), math.lcm(*(int(r.q) for r in ratios.values()))
    )
    x = first * divisor
    sign = -1 if (-x).is_nonnegative else 1
    return sign * x, {e: (sp.exp(split[e][0]), int(sign * r / divisor)) for e, r in ratios.items()}


def _in_terms_of(plain: sp.Expr, powers: dict[sp.Expr, tuple[sp.Expr, int]], base: sp.Expr) -> sp.Expr:
    """`plain` with c base^n for the exponentials, brought to lowest terms in w, also in logarithms."""

    def reduced(e: sp.Expr) -> sp.Expr:
        return sp.cancel(sp.together(e)) if e.has(_W) else e

    def logarithm(e: sp.Expr) -> sp.Expr:
        """log(w^k q(w)) = k log(w) + log(q(w)) with q(0) neither 0 nor oo."""
        argument = reduced(e.args[0])
        if not argument.is_rational_function(_W):
            return e
        top, bottom = (sp.Poly(p, _W) for p in sp.fraction(argument))
        order = [min(m[0] for m in p.monoms()) for p in (top, bottom)]
        rest = sp.cancel(argument * _W ** (order[1] - order[0]))
        return (order[0] - order[1]) * sp.log(_W) + sp.log(rest)

    written = plain.xreplace({e: c * base**n for e, (c, n) in powers.items()})
    written = written.replace(lambda e: isinstance(e, sp.log) and e.has(_W), logarithm)
    logs = sp.Dummy("l", real=True)
    return reduced(written.xreplace({sp.log(_W): logs})).xreplace({logs: sp.log(_W)})


def _kind(e: sp.Expr, variables: Set[sp.Symbol]) -> str:
    """Whether its value in floating point may be infinite through exponentials: "", "+", "-" or _ANY."""
    if not _exponentials(e):
        return ""
    if _is_exponential(e):
        return _growing(e, variables)
    if isinstance(e, sp.Piecewise):
        return _joined({_kind(value, variables) for value, _ in e.args})
    kinds = [_kind(a, variables) for a in e.args]
    if not any(kinds):
        return ""
    if e.is_Add:
        if {*kinds} - {""} not in ({"+"}, {"-"}) and sum(map(bool, kinds)) > 1:
            raise _HiddenError(e)
        return next(k for k in kinds if k)
    if e.is_Mul:
        return _product(e, kinds)
    if e.is_Pow:
        return _power(e, *kinds)
    if isinstance(e, sp.Min | sp.Max):
        kept = "-" if isinstance(e, sp.Min) else "+"
        return _joined({k for k in kinds if k in (kept, _ANY)})
    if isinstance(e, _SATURATING):
        return ""
    if isinstance(e, sp.Abs):
        return "+"
    raise _HiddenError(e)


def _joined(kinds: Set[str]) -> str:
    ends = set(kinds) - {""}
    return "" if not ends else ends.pop() if len(ends) == 1 else _ANY


def _growing(e: sp.Expr, variables: Set[sp.Symbol]) -> str:
    a = _argument(e)
    kind = _kind(a, variables)
    both = isinstance(e, sp.sinh | sp.cosh)
    if _below(a, variables) and not kind.strip("-") and not (both and not _below(-a, variables)):
        return ""
    if kind == "-" and not both:
        return ""
    return _ANY if isinstance(e, sp.sinh) else "+"


def _below(a: sp.Expr, variables: Set[sp.Symbol]) -> bool:
    """Whether it is known to be bounded from above."""
    if not a.free_symbols & variables or isinstance(a, _BOUNDED) or _nonnegative(-a):
        return True
    if a.is_Add:
        return all(_below(b, variables) for b in a.args)
    if a.is_Mul:
        number, rest = a.as_coeff_Mul()
        if number.is_positive and number != 1:
            return _below(rest, variables)
        if number.is_negative:
            if rest.is_Add or isinstance(rest, sp.Max):
                return (all if rest.is_Add else any)(_below(-b, variables) for b in rest.args)
            return isinstance(rest, _BOUNDED)
        return all(isinstance(b, _BOUNDED) or not b.free_symbols & variables for b in a.args)
    if isinstance(a, sp.Min):
        return any(_below(b, variables) for b in a.args)
    return isinstance(a, sp.Max) and all(_below(b, variables) for b in a.args)


def _nonnegative(a: sp.Expr) -> bool:
    """Whether it is at least 0 where it has a value; 1/s^2 has none at 0."""
    if a.is_Pow and a.exp.is_negative:
        return _nonnegative(1 / a)
    return bool(a.is_nonnegative) or (a.is_Mul and all(map(_nonnegative, a.args)))


def _product(e: sp.Mul, kinds: list[str]) -> str:
    """Infinite times what neither vanishes nor underflows."""
    sign = 1
    for factor, kind in zip(e.args, kinds, strict=True):
        if kind:
            sign *= {"+": 1, "-": -1, _ANY: 0}[kind]
        elif _exponentials(factor) or not (factor.is_positive or factor.is_negative):
            raise _HiddenError(e)
        else:
            sign *= 1 if factor.is_positive else -1
    return {1: "+", -1: "-", 0: _ANY}[sign]


def _power(e: sp.Pow, base: str, exponent: str) -> str:
    if exponent or not (e.exp.is_positive or e.exp.is_negative):
        raise _HiddenError(e)
    if e.exp.is_negative:
        return ""
    return "+" if base == "+" or e.exp.is_even else base
