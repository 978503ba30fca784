"""Extensions of an array beyond its border along one axis, for floats and exact objects alike."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pde2net.language.arrays import Array as Exact

Array = NDArray[Any]


@dataclass(frozen=True)
class Extension:
    """Values beyond the border are `factor` times those inside: of the other end, or mirrored.

    edge  mirrored about the last half-point, for entries that live there and are 0 on the border; else about
          the border, half a cell beyond the last entry
    """

    wraps: bool
    factor: int
    edge: bool = False


EVEN = Extension(False, 1)


def floats(exact: Exact) -> Array:
    """An exact array in floating point."""
    return np.array([float(e) for e in exact.entries]).reshape(exact.shape)


def take(array: Array, axis: int, start: int, stop: int) -> Array:
    """array[start:stop] along `axis`."""
    index: list[slice] = [slice(None)] * array.ndim
    index[axis] = slice(start, stop)
    return array[tuple(index)]


def extend(array: Array, axis: int, left: int, right: int, kind: Extension) -> Array:
    """`array` with `left` and `right` more entries along `axis`; both at most its length if mirrored."""
    if kind.factor == 0:
        return np.pad(array, [(left, right) if a == axis else (0, 0) for a in range(array.ndim)])
    index, factors = _continued(array.shape[axis], left, right, kind)
    wide: Array = array.take(index, axis)
    return wide if factors is None else wide * along(factors, axis, array.ndim)


@functools.lru_cache(maxsize=1024)
def _continued(n: int, left: int, right: int, kind: Extension) -> tuple[Array, Array | None]:
    """Which of n entries stands at -left, ..., n + right - 1, and what it is multiplied by if not by 1."""
    i = np.arange(-left, n + right)
    inside = (i >= 0) & (i < n)
    if kind.wraps:
        index = i % n
    else:
        index = np.where(i < 0, -1 - kind.edge - i, np.where(inside, i, 2 * n - 1 - kind.edge - i))
    factors = np.where(inside, 1, kind.factor)
    if kind.edge:
        factors[(index < 0) | (index == n - 1)] = 0
    return np.maximum(index, 0), None if (factors == 1).all() else factors


def along(line: Array, axis: int, dimensions: int) -> Array:
    """A line of numbers as an array of length 1 along all axes but one."""
    shape = [1] * dimensions
    shape[axis] = -1
    return line.reshape(shape)
