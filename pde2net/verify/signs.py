"""Signs of expressions for all values of their symbols, decided by SymPy or as ranges; never by samples."""

from __future__ import annotations

import sympy as sp

from pde2net.normalise.radial import as_function_of_square
from pde2net.normalise.terms import SQUARED
from pde2net.verify.ranges import UndecidedError, half_line
from pde2net.verify.ranges.parts import through_one_part

SECONDS = 2.0


def positive(expression: sp.Expr) -> bool:
    """Whether it is known to be above 0."""
    return _known(expression, "is_positive")


def nonnegative(expression: sp.Expr) -> bool:
    """Whether it is known to be at least 0."""
    return _known(expression, "is_nonnegative")


def _known(expression: sp.Expr, question: str) -> bool:
    answer = getattr(expression, question)
    if answer is None and expression.free_symbols:
        answer = any(getattr(lower, question) for lower in _infima(expression))
    return bool(answer)


def _infima(expression: sp.Expr) -> list[sp.Expr]:
    """The infimum over the one variable that the expression has, or that it is a function of."""
    variables = tuple(s for s in expression.free_symbols if s.is_positive is None or s.name.startswith("_"))
    variables = variables or tuple(expression.free_symbols)
    try:
        if len(variables) == 1:
            return [_infimum(expression, variables[0])]
        radial = as_function_of_square(expression, tuple(sorted(variables, key=str)))
        if radial is not None:
            return [_infimum(radial, SQUARED)]
        composed = through_one_part(expression, variables)
        return [] if composed is None else [_infimum(*composed)]
    except UndecidedError:
        return []


def _infimum(expression: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    s = sp.Dummy("s", nonnegative=True)
    found = half_line(expression.xreplace({variable: s}), s, SECONDS).lower
    if variable.is_nonnegative:
        return found
    return sp.Min(found, half_line(expression.xreplace({variable: -s}), s, SECONDS).lower)
