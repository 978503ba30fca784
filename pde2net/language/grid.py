"""The grid and the choice of difference stencils."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError, options, suggestion
from pde2net.language.exact import chosen, exact, positive

GRADIENTS = ("forward", "central", "staggered")
ORDERS = (2, 4)


@options
class Grid:
    """A Cartesian grid: cell i of an axis lies at `origin + i * spacing`.

    spacing   a positive number, expression or symbol, or one per axis: {x: 1, y: 2}
    order     2 or 4, the order of accuracy of the stencils at the point where they live
    gradient  where first differences live:
              "forward"    half-points, collected at index i: (u[i+1] - u[i])/h, and of order 4
                           (u[i-1] - 27 u[i] + 27 u[i+1] - u[i+2])/(24 h)
              "central"    cells: (u[i+1] - u[i-1])/(2 h), and of order 4
                           (u[i-2] - 8 u[i-1] + 8 u[i+1] - u[i+2])/(12 h)
              "staggered"  half-points, with the diffusivity of an edge the mean over its two cells
    origin    coordinate of the first cell (default 0), or one per axis; it matters only for
              equations that contain the coordinates

    Raises DeclarationError for a spacing that is not known to be positive or an unknown choice.
    """

    spacing: Any = 1
    order: int = 2
    gradient: str = "forward"
    origin: Any = 0

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise DeclarationError(f"The order must be 2 or 4, not {self.order!r}.")
        if self.gradient not in GRADIENTS:
            hint = suggestion(str(self.gradient), GRADIENTS)
            raise DeclarationError(f'There is no gradient "{self.gradient}".{hint}')
        chosen(
            self,
            spacing=_entries(self.spacing, positive, "The spacing"),
            order=int(self.order),
            origin=_entries(self.origin, exact, "The origin"),
        )

    def spacings(self, space: tuple[sp.Symbol, ...]) -> tuple[sp.Expr, ...]:
        """The spacing along each axis of `space`."""
        return tuple(per_axis(self.spacing, space, "spacing").values())

    def origins(self, space: tuple[sp.Symbol, ...]) -> tuple[sp.Expr, ...]:
        """The coordinate of the first cell along each axis of `space`."""
        return tuple(per_axis(self.origin, space, "origin").values())

    def __reduce__(self) -> tuple[Any, ...]:
        spacing, origin = (dict(v) if isinstance(v, Mapping) else v for v in (self.spacing, self.origin))
        return Grid, (spacing, self.order, self.gradient, origin)

    def __hash__(self) -> int:
        return hash((_key(self.spacing), self.order, self.gradient, _key(self.origin)))


def _entries(value: Any, read: Any, what: str) -> Any:
    if isinstance(value, Mapping):
        return MappingProxyType({axis: read(entry, what) for axis, entry in value.items()})
    if isinstance(value, tuple | list):
        named = ", ".join(f"{axis}: {entry}" for axis, entry in zip("xyz", value, strict=False))
        raise DeclarationError(
            f"{what} is one for all axes, or one per axis by name, as in {{{named}}}, not {value!r}."
        )
    return read(value, what)


def _key(value: Any) -> Any:
    return tuple(value.items()) if isinstance(value, Mapping) else value


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
