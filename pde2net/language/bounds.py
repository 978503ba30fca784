"""What is known of the values of a field or an unknown: an interval, from declared bounds and its sign."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import DeclarationError, suggestion
from pde2net.language.exact import exact

Interval = tuple[sp.Expr, sp.Expr]
LINE: Interval = (-sp.oo, sp.oo)


def checked_bounds(
    given: Mapping[Any, Any] | None,
    fields: Iterable[AppliedUndef],
    unknowns: Iterable[AppliedUndef],
    domain: AppliedUndef | None = None,
    values: Mapping[sp.Symbol, sp.Expr] = MappingProxyType({}),
) -> Mapping[str, Interval]:
    """{name of a field or an unknown: (lower, upper)}, sorted by name, from what a problem was given.

    Parameters in them have their `values`. Raises DeclarationError for what is neither, and for pairs that
    are no interval.
    """
    if not isinstance(given or {}, Mapping):
        raise DeclarationError(f"bounds maps fields and unknowns to pairs, {{c: (0, 1)}}, not {given!r}.")
    known = {str(f.func): f for f in (*unknowns, *fields)}
    found: dict[str, Interval] = {}
    for key, pair in (given or {}).items():
        name = str(key.func if isinstance(key, AppliedUndef) else key)
        if domain is not None and name == str(domain.func):
            raise DeclarationError(f"{name} is the domain, whose values are 0 and 1: it takes no bounds.")
        if name not in known:
            raise DeclarationError(f'The equation has no field "{name}".{suggestion(name, known)}')
        if isinstance(key, AppliedUndef) and key != known[name]:
            raise DeclarationError(
                f'"{name}" is declared with other arguments or assumptions than in the equation.'
            )
        if name in found:
            raise DeclarationError(f'"{name}" has two entries in bounds.')
        found[name] = interval_of(name, pair, values)
        lower, upper = within(found[name], known[name])
        if (
            not lower <= upper
            or (known[name].is_positive and upper <= 0)
            or (known[name].is_negative and lower >= 0)
        ):
            raise DeclarationError(f"No value of {name} lies in [{lower}, {upper}], its bounds and its sign.")
    return MappingProxyType({name: found[name] for name in sorted(found)})


def interval_of(name: str, pair: Any, values: Mapping[sp.Symbol, sp.Expr]) -> Interval:
    """The ends as exact numbers, parameters at their values.

    Raises DeclarationError for what is no interval.
    """
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise DeclarationError(f"The bounds of {name} are a pair (lower, upper), not {pair!r}.")
    lower, upper = (_end(name, end, values) for end in pair)
    if not lower < upper:
        raise DeclarationError(f"The lower bound of {name} must be below the upper one: ({lower}, {upper}).")
    return lower, upper


def _end(name: str, value: Any, values: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    if value in (sp.oo, -sp.oo) or (isinstance(value, float) and value in (float("inf"), -float("inf"))):
        return sp.sympify(sp.oo if value > 0 else -sp.oo)
    found = exact(value, f"A bound of {name}").xreplace(dict(values))
    if not found.is_number:
        raise DeclarationError(
            f"The bounds of {name} are numbers, oo, or made of parameters of the equation that have a value, "
            f"not {found}. Without a value measure {name} in units of {_unit(found)}: write "
            f"{_unit(found)}*{name} for it in the equation, with {name} in [0, 1], say."
        )
    return found


def _unit(end: sp.Expr) -> sp.Expr:
    """An end without its number."""
    return end.as_coeff_Mul()[1]


def within(interval: Interval, field: Any) -> Interval:
    """An interval and the sign of a field."""
    lower, upper = interval
    return (
        sp.Max(lower, 0) if field.is_nonnegative else lower,
        sp.Min(upper, 0) if field.is_nonpositive else upper,
    )


def sign(interval: Interval) -> dict[str, bool]:
    """The assumptions of SymPy that follow from an interval."""
    lower, upper = interval
    if lower >= 0:
        return {"positive": True} if lower > 0 else {"nonnegative": True}
    if upper <= 0:
        return {"negative": True} if upper < 0 else {"nonpositive": True}
    return {}


def written(interval: Interval) -> str:
    """[0, 3]"""
    lower, upper = interval
    return f"[{lower}, {upper}]"
