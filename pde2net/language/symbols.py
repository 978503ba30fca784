"""Symbols that are no plain parameters: those with a value per filter, and those given at the call."""

from __future__ import annotations

from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError


class FilterParameter(sp.Symbol):  # type: ignore[misc]  # SymPy has no types
    """A parameter of an operator K, `owner`, with a value for each channel of K(u)."""

    __slots__ = ("owner",)
    owner: str

    def __new__(cls, name: str, owner: str, **assumptions: bool) -> FilterParameter:
        if not isinstance(name, str):
            raise DeclarationError(f"The name of a parameter of {owner} is a text, not {name!r}.")
        cls._sanitize(assumptions, cls)
        found: FilterParameter = sp.Symbol.__xnew__(cls, name, **(assumptions or {"real": True}))
        found.owner = owner
        return found

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.owner)

    def __getnewargs_ex__(self) -> tuple[tuple[str, str], dict[str, bool]]:
        return (self.name, self.owner), self._assumptions_orig


class Input(sp.Symbol):  # type: ignore[misc]  # SymPy has no types
    """A number that the network is given at each call, one for all images or one per image.

    p2n.Input("sigma", positive=True) stands in an equation like a parameter, and the module is called with
    module(u0, sigma=0.1). Its sign is checked there. What is proved holds for every value that it may have.
    """

    __slots__ = ()

    def __new__(cls, name: str, **assumptions: bool) -> Input:
        if not isinstance(name, str):
            raise DeclarationError(f"The name of an input is a text, not {name!r}.")
        cls._sanitize(assumptions, cls)
        found: Input = sp.Symbol.__xnew__(cls, name, **(assumptions or {"real": True}))
        return found


class Edge(sp.Symbol):  # type: ignore[misc]  # SymPy has no types
    """1 in the outermost cells of one side of an axis, 0 in all others.

    axis  of the grid
    last  whether the side is the upper one
    """

    __slots__ = ("axis", "last")
    axis: int
    last: bool

    def __new__(cls, name: str, axis: int, last: bool) -> Edge:
        found: Edge = sp.Symbol.__xnew__(cls, name, nonnegative=True)
        found.axis, found.last = axis, last
        return found

    def _hashable_content(self) -> tuple[Any, ...]:
        return (*super()._hashable_content(), self.axis, self.last)

    def __getnewargs_ex__(self) -> tuple[tuple[str, int, bool], dict[str, bool]]:
        return (self.name, self.axis, self.last), {}


class Domain(sp.Symbol):  # type: ignore[misc]  # SymPy has no types
    """The known field that is 1 in the domain of an equation and 0 outside."""

    __slots__ = ()

    def __new__(cls, name: str) -> Domain:
        found: Domain = sp.Symbol.__xnew__(cls, name, nonnegative=True)
        return found

    def __getnewargs_ex__(self) -> tuple[tuple[str], dict[str, bool]]:
        return (self.name,), {}


def edge(axis: sp.Symbol, place: int, last: bool) -> Edge:
    """Of the axis at this place."""
    return Edge(f"{axis}_{'last' if last else 'first'}", place, last)


def per_filter(expression: sp.Basic) -> set[sp.Symbol]:
    """The parameters of filters in an expression."""
    return {s for s in expression.free_symbols if isinstance(s, FilterParameter)}
