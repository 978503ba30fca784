"""Domains of any shape: the cells in which a known field is 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import DeclarationError
from pde2net.language.traversal import atoms


def checked_domain(
    given: Any, places: Mapping[sp.Symbol, sp.Symbol], expressions: Iterable[sp.Expr]
) -> AppliedUndef | None:
    """The field in the coordinates of a problem; None for an image that is the domain.

    Raises DeclarationError for what is no field of its own.
    """
    if given is None:
        return None
    if not isinstance(given, AppliedUndef):
        raise DeclarationError(
            f'domain is a known field with the values 0 and 1, sp.Function("m")(x, y), not {given!r}.'
        )
    if given.is_positive or given.is_nonpositive:
        raise DeclarationError(f"The domain {given} has the values 0 and 1; declare no other sign of it.")
    names = {str(f.func) for e in expressions for f in atoms(e, AppliedUndef)}
    if str(given.func) in names:
        raise DeclarationError(
            f"{given.func} is the domain, in which it is 1: it stands neither in the equation nor in "
            "conditions at sides."
        )
    return given.xreplace(dict(places))
