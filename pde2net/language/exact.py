"""Numbers become exact where they enter: the decimal that was written is the rational that is meant."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError, suggestion
from pde2net.language.traversal import atoms

Number = int | float | str | sp.Expr


def exact(value: Any, what: str) -> sp.Expr:
    """`value` as an exact SymPy expression; 0.1 becomes 1/10, symbols stay.

    Raises DeclarationError if it is not a finite real number or expression.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | sp.Expr):
        item = getattr(value, "item", None)
        if isinstance(value, bool) or item is None or getattr(value, "ndim", 0) != 0:
            raise DeclarationError(
                f"{what} must be a number or a SymPy expression, not {value!r} ({type(value).__name__})."
            )
        value = item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise DeclarationError(f"{what} must be finite, not {value}.")
        return sp.Rational(repr(float(value)))
    expression = sp.sympify(value)
    require_short(expression, what)
    if expression.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise DeclarationError(f"{what} must be finite, not {expression}.")
    if expression.is_real is False:
        raise DeclarationError(f"{what} must be real, not {expression}.")
    return rationalise(expression)


def require_short(expression: sp.Basic, what: str) -> None:
    """Refuse numbers of thousands of digits, which SymPy cannot print, and would look for factors of."""
    for number in expression.atoms(sp.Rational):
        if max(abs(int(number.p)), int(number.q)).bit_length() > MOST_BITS:
            raise DeclarationError(f"{what} has a number of more than {MOST_BITS} bits.")


def rationalise(expression: sp.Basic) -> sp.Basic:
    """Replace every Float by the rational with the same shortest decimal."""
    floats = atoms(expression, sp.Float)
    if not floats:
        return expression
    return expression.xreplace({f: decimal(f) for f in floats})


def decimal(number: sp.Float) -> sp.Rational:
    value = float(number)
    if not math.isfinite(value):
        raise DeclarationError(f"{number} is not a finite number.")
    return sp.Rational(repr(value))


def at(expression: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """The expression at these values; nan where it has none, also where SymPy refuses to compare 1/0."""
    try:
        return expression.subs(values)
    except (ValueError, TypeError):
        return sp.nan


def positive(value: Any, what: str) -> sp.Expr:
    """An exact expression that is known to be positive."""
    expression = exact(value, what)
    if expression.is_positive:
        return expression
    if expression.is_nonpositive:
        raise DeclarationError(f"{what} must be positive, not {expression}.")
    names = sorted(str(s) for s in expression.free_symbols)
    lead = f"{what} = {expression} is not known to be positive; declare its symbols so:"
    raise DeclarationError(f'{lead} sp.symbols("{", ".join(names)}", positive=True).').spelt(
        f"{lead} {', '.join(f'parameter {name} > 0' for name in names)}."
    )


def positive_number(value: Any, what: str) -> float:
    """A positive number, of Python, NumPy or torch. Raises DeclarationError for anything else."""
    expression = positive(value, what)
    if not expression.is_number:
        raise DeclarationError(f"{what} must be a number, not {expression}.")
    number = float(expression)
    if not 0 < number < math.inf:
        raise DeclarationError(f"{what} is beyond the numbers of floating point.")
    return number


LARGEST = 10**6
MOST_BITS = 10_000


def count(value: Any, what: str) -> int:
    """A whole number from 1 to LARGEST."""
    if isinstance(value, sp.Integer):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise DeclarationError(f"{what} must be a whole number, not {value!r}.")
    if value < 1:
        raise DeclarationError(f"{what} must be at least 1, not {value}.")
    if value > LARGEST:
        raise DeclarationError(f"{what} must be at most {LARGEST}, not {value}.")
    return value


def identifier(name: Any, what: str) -> str:
    """`name`, if it is one. Raises DeclarationError, saying of what it is."""
    if not isinstance(name, str) or not re.fullmatch(r"[^\W\d]\w*", name):
        raise DeclarationError(f'The name of {what} consists of letters, digits and "_", not {name!r}.')
    return name


def word(value: Any, choices: Sequence[str], what: str) -> str:
    """One of the words that an option may have."""
    if value not in choices:
        raise DeclarationError(f'There is no {what}="{value}".{suggestion(str(value), choices)}')
    return str(value)


def chosen(record: object, **values: Any) -> None:
    """Set the options of a frozen record while it is made."""
    for name, value in values.items():
        object.__setattr__(record, name, value)
