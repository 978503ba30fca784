"""Schemes and solvers as plain data: their name and the options, expressions as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from typing import Any

import sympy as sp

from pde2net.language.expressions import to_text
from pde2net.language.schemes import SCHEMES, Scheme
from pde2net.language.solvers import SOLVERS, Solver

# The options that are expressions; all others are whole numbers or words.
EXPRESSIONS = ("tau", "alpha", "theta", "damping", "tol", "linear_tol")


def scheme_expressions(scheme: Scheme | Solver) -> Iterator[sp.Expr]:
    """The expressions in the options of a scheme and of its solver."""
    for _, value in _options(scheme):
        if isinstance(value, sp.Basic):
            yield value
        elif isinstance(value, Solver):
            yield from scheme_expressions(value)


def scheme_to_data(scheme: Scheme | Solver) -> dict[str, Any]:
    """{"name": ..., option: value, ...}."""
    data: dict[str, Any] = {"name": scheme.label}
    for name, value in _options(scheme):
        if isinstance(value, Solver):
            value = scheme_to_data(value)
        data[name] = to_text(value) if isinstance(value, sp.Basic) else value
    return data


def scheme_from_data(data: Mapping[str, Any], read: Callable[[str], Any]) -> Scheme:
    """The scheme that `scheme_to_data` wrote. Raises ValueError, TypeError or DeclarationError otherwise."""
    scheme: Scheme = _from_data(data, SCHEMES, read)
    return scheme


def _from_data(data: Mapping[str, Any], kinds: Mapping[str, Any], read: Callable[[str], Any]) -> Any:
    options = dict(data)
    name = options.pop("name")
    if name not in kinds:
        raise ValueError(f"there is no scheme {name!r}")
    for key, value in options.items():
        if key == "solver":
            options[key] = _from_data(value, SOLVERS, read)
        elif key in EXPRESSIONS and value is not None:
            options[key] = read(value)
    found = kinds[name](**options)
    if scheme_to_data(found) != dict(data):
        raise ValueError(f"these are not the options of the scheme {name!r}")
    return found


def _options(scheme: Scheme | Solver) -> list[tuple[str, Any]]:
    return [(f.name, getattr(scheme, f.name)) for f in fields(scheme)]


def options_text(scheme: Scheme | Solver) -> str:
    """All options but tau, as in "cycle_length = 5, cycles = 2, freeze = cycle"."""
    parts = []
    for name, value in _options(scheme):
        if isinstance(value, Solver):
            parts.append(f"{name} = {value.label} ({options_text(value)})")
        elif name != "tau" and value is not None:
            parts.append(f"{name} = {value}")
    return ", ".join(parts)
