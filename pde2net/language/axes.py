"""Options with one entry per axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError, suggestion


def per_axis(value: Any, axes: tuple[sp.Symbol, ...], what: str) -> dict[sp.Symbol, Any]:
    """One entry per axis, from a single value or a mapping keyed by axis symbol or name."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(axes, value)
    by_name = {str(key): entry for key, entry in value.items()}
    names = [axis.name for axis in axes]
    for name in by_name:
        if name not in names:
            raise DeclarationError(f'{what} names the axis "{name}".{suggestion(name, names)}')
    for name in names:
        if name not in by_name:
            raise DeclarationError(f'{what} has no entry for the axis "{name}".')
    return {axis: by_name[axis.name] for axis in axes}
