"""Keeps gradients finite where a function ends: roots at 0, quotients that overflow, branches not taken.

Automatic differentiation multiplies what it finds on the way, so that 0 times oo is nan where the derivative
exists: of sqrt(s2) u_x at u_x = 0, or of exp(-c/s2) where s2 underflows. Values stay what they are.
"""

from __future__ import annotations

from collections.abc import Set

import sympy as sp

from pde2net.emit.tree import Function

VANISHES = 10_000  # exp(-x) is 0 from here on, in double precision too


class away_from_zero(sp.Function):  # type: ignore[misc]  # noqa: N801  named as the emitted function
    """max(x, tiny**power), tiny the smallest normal number of the type of x."""

    nargs = 2


AWAY_FROM_ZERO = Function(
    "away_from_zero",
    ("x: Tensor", "power: float"),
    "Tensor",
    "x >= 0, kept so far from 0 that the derivative of the power that follows does not overflow.",
    ["return x.clamp_min(torch.finfo(x.dtype).tiny ** power)"],
)


def with_ends(expression: sp.Expr, tensors: Set[str]) -> sp.Expr:
    """The expression with its ends lifted; `tensors` are the names of what is differentiated."""
    if not _moves(expression, tensors) or not expression.args:
        return expression
    if isinstance(expression, sp.exp):
        lifted = _falling(expression, tensors)
        if lifted is not None:
            return lifted
    inner = [with_ends(a, tensors) if isinstance(a, sp.Expr) else a for a in expression.args]
    if isinstance(expression, sp.Piecewise):
        inner = [sp.Tuple(with_ends(value, tensors), condition) for value, condition in expression.args]
        return sp.Piecewise(*inner, evaluate=False)
    if expression.is_Pow and _ends(expression, tensors):
        return away_from_zero(inner[0], _power(expression.exp)) ** expression.exp
    return expression if inner == list(expression.args) else expression.func(*inner)


def _moves(expression: sp.Expr, tensors: Set[str]) -> bool:
    return any(s.name in tensors for s in expression.free_symbols)


def _ends(power: sp.Pow, tensors: Set[str]) -> bool:
    """Whether b**p has no derivative at b = 0, which b may reach from above."""
    b, p = power.base, power.exp
    if not p.is_Rational or not _moves(b, tensors) or not b.is_nonnegative or b.is_positive:
        return False
    return bool(p.is_negative or (p < 1 and not p.is_Integer))


def _power(p: sp.Rational) -> sp.Rational:
    """tiny**power, where the derivative of b**p is at most 1/tiny."""
    return 1 / (1 - p) if p < 0 else sp.S.One


def _falling(expression: sp.exp, tensors: Set[str]) -> sp.Expr | None:
    """exp(-c/b**n) with b kept where the exponent is at most VANISHES; None for other exponents."""
    argument = expression.args[0]
    scale, rest = argument.as_independent(
        *(s for s in argument.free_symbols if s.name in tensors), as_Add=False
    )
    if not (rest.is_Pow and rest.exp.is_Rational and rest.exp.is_negative and (-scale).is_positive):
        return None
    b, n = rest.base, -rest.exp
    if not b.is_nonnegative or (b.is_positive and not b.is_Symbol):  # a symbol may be tiny all the same
        return None
    floor = (-scale / VANISHES) ** (1 / n)
    return sp.exp(scale / sp.Max(with_ends(b, tensors), floor, evaluate=False) ** n)
