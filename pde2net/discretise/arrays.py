"""Extensions of an array beyond its border along one axis, for floats and exact objects alike."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# How values continue beyond the border. "odd edge" is antisymmetric about the border half-point of
# an axis whose last entry lives on the right border and is 0; "odd cell" about the border itself.
# "even edge" is symmetric about that half-point.
EVEN, WRAP, ZERO, ODD_EDGE, ODD_CELL = "even", "wrap", "zero", "odd edge", "odd cell"
EVEN_EDGE = "even edge"


def take(array: Array, axis: int, start: int, stop: int) -> Array:
    """array[start:stop] along `axis`."""
    index: list[slice] = [slice(None)] * array.ndim
    index[axis] = slice(start, stop)
    return array[tuple(index)]


def extend(array: Array, axis: int, left: int, right: int, kind: str) -> Array:
    """`array` with `left` and `right` more entries along `axis`; both at most its length."""
    index, factors = _continued(array.shape[axis], left, right, kind)
    wide: Array = array.take(index, axis)
    return wide if factors is None else wide * along(factors, axis, array.ndim)


@functools.lru_cache(maxsize=1024)
def _continued(n: int, left: int, right: int, kind: str) -> tuple[Array, Array | None]:
    """Which of n entries stands at -left, ..., n + right - 1, and what it is multiplied by if not by 1."""
    i = np.arange(-left, n + right)
    inside = (i >= 0) & (i < n)
    if kind == WRAP:
        return i % n, None
    if kind == ZERO:
        return np.where(inside, i, 0), inside.astype(int)
    edge = int(kind in (ODD_EDGE, EVEN_EDGE))
    index = np.where(i < 0, -1 - edge - i, np.where(inside, i, 2 * n - 1 - edge - i))
    factors = np.where(inside, 1, -1 if kind in (ODD_EDGE, ODD_CELL) else 1)
    if edge:
        factors[(index < 0) | (index == n - 1)] = 0
    return np.maximum(index, 0), None if (factors == 1).all() else factors


def along(line: Array, axis: int, dimensions: int) -> Array:
    """A line of numbers as an array of length 1 along all axes but one."""
    shape = [1] * dimensions
    shape[axis] = -1
    return line.reshape(shape)


def replicate(array: Array, axis: int, width: int) -> Array:
    """`array` with its border values repeated `width` times on both sides."""
    n = array.shape[axis]
    first, last = take(array, axis, 0, 1), take(array, axis, n - 1, n)
    return np.concatenate([first] * width + [array] + [last] * width, axis=axis)
