"""Rearrangement by SymPy's polynomials, kept away from what they cannot digest."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.verify.ranges.record import UndecidedError

LONGEST = 120  # operations
LARGEST = 40  # numerator or denominator of an exponent


def require_small(expression: sp.Expr) -> None:
    """Raise UndecidedError for what no person would write: SymPy's algebra would take forever."""
    powers = [p.exp for p in expression.atoms(sp.Pow) if p.exp.is_Rational]
    if sp.count_ops(expression) > LONGEST or any(max(abs(e.p), e.q) > LARGEST for e in powers):
        raise UndecidedError(f"{expression} is too large for the exact search")


def abstracted(expression: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """Replace long rationals inside exponentials by positive symbols, and the table back.

    As coefficients they are harmless, but an exponential exp(p/q x) is a p-th power of exp(x/q).
    """
    numbers: dict[sp.Symbol, sp.Expr] = {}
    for exponential in sorted(expression.atoms(sp.exp), key=str):
        for number in sorted(exponential.atoms(sp.Rational), key=str):
            if max(abs(number.p), number.q) > 20 and abs(number) not in numbers.values():
                symbol = sp.Dummy(f"number{len(numbers)}", positive=True)
                numbers[symbol] = abs(number)
    table = {v: k for k, v in numbers.items()} | {-v: -k for k, v in numbers.items()}
    return expression.xreplace(table), numbers


def rearranged(expression: sp.Expr, *steps: Callable[[sp.Expr], sp.Expr]) -> sp.Expr:
    """The steps (factor, cancel, together, ...) one after another. Raises UndecidedError if too large."""
    require_small(expression)
    form, numbers = abstracted(expression)
    for step in steps:
        form = step(form)
    return form.xreplace(numbers)
