"""Whether an expression has a finite real value for all values of its symbols (docs/theory.md, 4.18).

It is walked as it is evaluated. As in floating point, 1/0 is oo for what is +0 there, and Min(1, oo) = 1;
what is 0/0, oo - oo or complex anywhere has no value. Every operation is continuous where it has one, but
for Piecewise and sign.
"""

from __future__ import annotations

import sympy as sp

from pde2net.graph.nodes import S2
from pde2net.language.tensors import projection
from pde2net.verify.ranges import UndecidedError
from pde2net.verify.signs import nonnegative, positive

FINITE, PLUS, MINUS = "finite", "+oo", "-oo"  # a real number; or that or oo; or that or -oo
_TOTAL = (sp.sin, sp.cos, sp.exp, sp.atan, sp.sinh, sp.cosh, sp.tanh, sp.asinh, sp.erf, sp.sign, projection)
_BOUNDED = (sp.atan, sp.tanh, sp.erf, sp.sign)


def require_finite(expression: sp.Expr) -> None:
    """Raise UndecidedError, in words, unless `expression` has a finite real value for all its symbols."""
    if _kind(expression) != FINITE:
        raise UndecidedError(f"{expression} is not known to be finite everywhere")


def require_finite_until(expression: sp.Expr, time: sp.Symbol, end: sp.Expr) -> None:
    """The same for all times 0 <= t <= end: then it is continuous there, but for Piecewise and sign."""
    s = sp.Dummy("s", nonnegative=True)
    for t in (end * s / (1 + s), end / (1 + s)) if end.is_finite else (s,):
        require_finite(expression.xreplace({time: t}))


def _kind(e: sp.Expr) -> str:
    """What values e takes. Raises UndecidedError where it may have none."""
    if e.is_Number or e.is_NumberSymbol:
        if e.is_finite and e.is_real:
            return FINITE
        raise UndecidedError(f"{e} is no finite number")
    if e.is_Symbol:
        return FINITE
    if isinstance(e, sp.Piecewise):
        return _pieces(e)
    kinds = [_kind(a) for a in e.args]
    if e.is_Pow:
        return _power(e, *kinds)
    if e.is_Mul:
        return _product(e, kinds)
    if e.is_Add:
        return _joined(kinds, e)
    if isinstance(e, sp.Min | sp.Max):
        return _extremum(e, kinds)
    return _function(e, kinds[0])


def _joined(kinds: list[str], e: sp.Expr) -> str:
    ends = set(kinds) - {FINITE}
    if len(ends) > 1:
        raise UndecidedError(f"{e} may be oo - oo")
    return ends.pop() if ends else FINITE


def _extremum(e: sp.Expr, kinds: list[str]) -> str:
    """A minimum is finite if nothing in it is -oo and something is finite."""
    allowed = PLUS if isinstance(e, sp.Min) else MINUS
    if FINITE in kinds and set(kinds) <= {FINITE, allowed}:
        return FINITE
    return _joined(kinds, e)


def _product(e: sp.Expr, kinds: list[str]) -> str:
    infinite = [k for k in kinds if k != FINITE]
    if not infinite:
        return FINITE
    rest = [a for a, k in zip(e.args, kinds, strict=True) if k == FINITE]
    if len(infinite) == 1 and all(positive(a) for a in rest):
        return infinite[0]
    if len(infinite) == 1 and all(positive(a) or positive(-a) for a in rest):
        odd = sum(not positive(a) for a in rest) % 2
        return {PLUS: MINUS, MINUS: PLUS}[infinite[0]] if odd else infinite[0]
    raise UndecidedError(f"{e} may be 0 times oo")


def _power(e: sp.Pow, base: str, exponent: str) -> str:
    b, p = e.base, e.exp
    if exponent != FINITE:
        return _exponential(e, exponent) if b == sp.E else _no_value(e)
    if p.is_Integer and p.is_nonnegative:
        return base if base == FINITE else PLUS if p % 2 == 0 else base
    if base == FINITE:
        if positive(b) or (p.is_Integer and positive(-b)) or (p.is_Integer and b.is_nonzero):
            return FINITE
        if positive(p) and nonnegative(b):
            return FINITE
        if positive(-p) and _starts_at_plus_zero(b):
            return PLUS
    elif base == PLUS and positive(b):  # 1/oo = 0
        return PLUS if positive(p) else FINITE if positive(-p) else _no_value(e)
    return _no_value(e)


def _no_value(e: sp.Expr) -> str:
    doubt = "stays where the function is defined"
    if e.is_Pow:
        doubt = "vanishes somewhere" if e.exp.is_Integer else "is positive everywhere"
    raise UndecidedError(f"{e} may have no value: whether {e.args[0]} {doubt} is not known")


def _starts_at_plus_zero(b: sp.Expr) -> bool:
    """Nonnegative, and +0 in floating point where it vanishes: squares, moduli, their sums and products."""
    if b.is_positive:
        return True
    if b.is_Add or b.is_Mul:
        return all(_starts_at_plus_zero(a) for a in b.args)
    if b.is_Pow:
        even = b.exp.is_Integer and b.exp.is_even and b.exp.is_positive and b.base.is_real
        return bool(even or (b.exp.is_positive and _starts_at_plus_zero(b.base)))
    return isinstance(b, sp.Abs) or bool(b.is_Symbol and b.is_nonnegative and b.name.startswith(S2.name))


def _exponential(e: sp.Expr, kind: str) -> str:
    return FINITE if kind in (FINITE, MINUS) else PLUS


def _function(e: sp.Expr, kind: str) -> str:
    a = e.args[0]
    if isinstance(e, sp.exp):
        return _exponential(e, kind)
    if isinstance(e, sp.Abs):
        return FINITE if kind == FINITE else PLUS
    if isinstance(e, _BOUNDED) or (isinstance(e, _TOTAL) and kind == FINITE):
        return FINITE
    if kind == FINITE:
        if isinstance(e, sp.log) and positive(a):
            return FINITE
        if isinstance(e, sp.asin | sp.acos) and nonnegative(1 - a) and nonnegative(1 + a):
            return FINITE
        if isinstance(e, sp.tan) and positive(sp.cos(a)):
            return FINITE
    return _no_value(e)


def _pieces(e: sp.Piecewise) -> str:
    """Each piece where its condition holds and none before it does."""
    kinds, before = [], list[sp.Basic]()
    for value, condition in e.args:
        for side in (s for r in condition.atoms(sp.core.relational.Relational) for s in r.args):
            _kind(side)
        inside = _within(value, [*before, condition])
        if inside is not None:
            kinds.append(_kind(inside))
        before.append(sp.Not(condition))
    return _joined(kinds, e)


def _within(value: sp.Expr, conditions: list[sp.Basic]) -> sp.Expr | None:
    """`value` with what conditions say put into its symbols; None where they contradict each other."""
    for k, condition in enumerate(conditions):
        if condition == sp.false:
            return None
        for relation in condition.args if isinstance(condition, sp.And) else (condition,):
            found = _put(relation)
            if found is not None:
                old, new = found
                value = value.subs(old, new)
                rest = [c.subs(old, new) for c in conditions[k + 1 :]]
                conditions = [*conditions[: k + 1], *rest]
    return value


def _vanishing(part: sp.Expr) -> sp.Expr:
    """What vanishes where `part` does: u_x for u_x^2 and |u_x|."""
    while isinstance(part, sp.Abs) or (part.is_Pow and part.base.free_symbols and part.exp.is_positive):
        part = part.args[0]
    return part


def _put(relation: sp.Basic) -> tuple[sp.Expr, sp.Expr] | None:
    """(part, what it is): a number, or a new symbol of known sign, for part = 0, part > number, ..."""
    if not isinstance(relation, sp.core.relational.Relational):
        return None
    part, level = relation.lhs, relation.rhs
    if not level.is_number:
        return None
    above = isinstance(relation, sp.Gt | sp.Ge)
    strict = isinstance(relation, sp.Gt | sp.Lt)
    if level == 0 and (isinstance(relation, sp.Eq | sp.Ne) or (above and strict and nonnegative(part))):
        part = _vanishing(part)
    if isinstance(relation, sp.Eq):
        return part, level
    if isinstance(relation, sp.Ne) or part != relation.lhs:
        if level != 0:
            return None
        return part, sp.Dummy("p", **{"positive" if nonnegative(part) else "nonzero": True})
    distance = sp.Dummy("d", **{"positive" if strict else "nonnegative": True})
    return part, level + distance if above else level - distance
