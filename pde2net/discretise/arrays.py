"""Extensions of an array beyond its border along one axis, for floats and exact objects alike."""

from __future__ import annotations

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
    n = array.shape[axis]
    if kind in (ODD_EDGE, EVEN_EDGE):
        sign = -1 if kind == ODD_EDGE else 1
        array = np.concatenate([take(array, axis, 0, n - 1), 0 * take(array, axis, n - 1, n)], axis=axis)
        before = (
            np.concatenate(
                [sign * flip(take(array, axis, 0, left - 1), axis), 0 * take(array, axis, 0, 1)],
                axis=axis,
            )
            if left
            else take(array, axis, 0, 0)
        )
        after = sign * flip(take(array, axis, n - 1 - right, n - 1), axis)
        return np.concatenate([before, array, after], axis=axis)
    first, last = take(array, axis, 0, left), take(array, axis, n - right, n)
    if kind == WRAP:
        before = take(array, axis, n - left, n)
        after = take(array, axis, 0, right)
    elif kind == ZERO:
        before, after = 0 * first, 0 * last
    else:
        sign = 1 if kind == EVEN else -1
        before, after = sign * flip(first, axis), sign * flip(last, axis)
    return np.concatenate([before, array, after], axis=axis)


def replicate(array: Array, axis: int, width: int) -> Array:
    """`array` with its border values repeated `width` times on both sides."""
    n = array.shape[axis]
    first, last = take(array, axis, 0, 1), take(array, axis, n - 1, n)
    return np.concatenate([first] * width + [array] + [last] * width, axis=axis)


def flip(array: Array, axis: int) -> Array:
    return np.flip(array, axis)
