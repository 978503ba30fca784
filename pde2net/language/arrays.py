"""Exact arrays that a declaration has beside numbers: filters, a value per filter, slopes of splines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.exact import exact

MOST = 10**7  # entries


@dataclass(frozen=True)
class Array:
    """Rational entries in the order of their rows."""

    shape: tuple[int, ...]
    entries: tuple[sp.Expr, ...]

    def nested(self, shape: Sequence[int] | None = None, start: int = 0) -> Any:
        """Lists of lists, down to the entries."""
        shape = self.shape if shape is None else shape
        if not shape:
            return self.entries[start]
        size = math.prod(shape[1:])
        return [self.nested(shape[1:], start + k * size) for k in range(shape[0])]


def array(value: Any, what: str) -> Array:
    """`value`, nested lists or an array of NumPy or torch, as exact numbers; decimals are those written.

    Raises DeclarationError for rows of different lengths and for what is no finite number.
    """
    for convert in ("detach", "cpu", "tolist"):
        value = getattr(value, convert)() if hasattr(value, convert) else value
    shape = _shape(value, what)
    if math.prod(shape) > MOST:
        raise DeclarationError(f"{what}: more than {MOST} entries.")
    return Array(shape, tuple(_number(e, what) for e in _flat(value)))


def _shape(value: Any, what: str) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        return ()
    inner = {_shape(e, what) for e in value}
    if len(inner) != 1:
        raise DeclarationError(f"{what}: rows have different lengths, or there is none.")
    return (len(value), *inner.pop())


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for entry in value:
            yield from _flat(entry)
    else:
        yield value


def _number(entry: Any, what: str) -> sp.Expr:
    number = exact(entry, what)
    if not number.is_Rational:
        raise DeclarationError(f"The entries of {what} must be rational numbers or decimals, not {number}.")
    return number
