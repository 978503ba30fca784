"""Values of what operators have beside plain parameters: filters, numbers per filter, slopes of splines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError, EquationError
from pde2net.language.arrays import Array, array
from pde2net.language.assumptions import check_value
from pde2net.language.linear_operator import LinearOperator, Response
from pde2net.language.spline import Spline, SplineFlux
from pde2net.language.symbols import FilterParameter, Input
from pde2net.language.traversal import atoms

Shapes = Mapping[str, tuple[int, ...]]


def channels_of(rhs: sp.Basic, channels: int) -> dict[LinearOperator, int]:
    """How many channels each operator is applied to: those of u, or of the operator inside.

    Raises EquationError for one that is applied to several things.
    """
    found: dict[LinearOperator, int] = {}
    for response in sorted(atoms(rhs, Response), key=str):
        inside = response.operand
        count = inside.operator.out_channels if isinstance(inside, Response) else channels
        if found.setdefault(response.operator, count) != count:
            raise EquationError(
                f"{response.operator} is applied to {found[response.operator]} and to {count} channels; its "
                "filters have one number of them."
            )
    return found


def split(given: Mapping[Any, Any], things: Mapping[str, Any]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The entries for plain parameters, and by their names those for the learned `things`."""
    plain: dict[Any, Any] = {}
    learned: dict[str, Any] = {}
    for key, value in given.items():
        name = str(key)
        thing = things.get(name)
        if thing is None:
            plain[key] = value
            continue
        same = key == thing
        if isinstance(key, Spline):
            same = isinstance(thing, SplineFlux) and key(sp.Symbol("s")).options == thing.options
        if not isinstance(key, str) and not same:
            raise DeclarationError(f'"{name}" is declared otherwise in the equation; use the same object.')
        learned[name] = value
    return plain, learned


def checked(name: str, thing: Any, value: Any, sizes: Mapping[str, LinearOperator], shape: Any) -> Array:
    """The exact values of one learned thing. Raises DeclarationError where they do not fit."""
    what = f"The values of {name}"
    if isinstance(thing, Input):
        lead = f"{name} is an input, given when the network is called:"
        raise DeclarationError(f"{lead} module(u0, {name}=...).")
    if isinstance(thing, FilterParameter):
        return _per_filter(name, thing, value, sizes[thing.owner])
    found = array(value, what)
    if isinstance(thing, SplineFlux):
        return _slopes(name, thing, found)
    if found.shape != shape:
        raise DeclarationError(
            f"The filters of {name} have the shape {shape}, (out_channels, channels, *size), not "
            f"{found.shape}."
        )
    return found


def _per_filter(name: str, symbol: sp.Symbol, value: Any, owner: LinearOperator) -> Array:
    count = owner.out_channels
    found = array(value, f"The values of {name}")
    if found.shape == ():
        found = Array((count,), found.entries * count)
    if found.shape != (count,):
        raise DeclarationError(
            f"{name} needs {count} values, one for each of the {count} filters of {owner}, or one number for "
            f"all, not an array of the shape {found.shape}."
        )
    for entry in dict.fromkeys(found.entries):
        check_value(symbol, entry)
    return found


def _slopes(name: str, flux: SplineFlux, found: Array) -> Array:
    shape = (flux.rows, flux.pieces + 1)
    if found.shape == shape[1:]:
        found = Array(shape, found.entries * flux.rows)
    if found.shape != shape:
        raise DeclarationError(
            f"The slopes of {name} have the shape {shape}: for each of {shape[0]} fluxes those of "
            f"{flux.pieces} pieces from 0 on and the one beyond, not {found.shape}."
        )
    if not all(flux.lower <= e <= flux.upper for e in found.entries):
        raise DeclarationError(f"The slopes of {name} lie in [{flux.lower}, {flux.upper}], as declared.")
    for row in found.nested():
        heights = [sp.S.Zero]
        for slope in row[:-1]:
            heights.append(heights[-1] + slope)
        if min(heights) < 0 or row[-1] < 0:
            raise DeclarationError(
                f"{name}(s) has to have the sign of s, so that the diffusivity is not negative: the slopes "
                f"from 0 up to any knot sum to 0 or more, and the last one is not negative; {row} do not."
            )
    return found
