"""K u and K^T p of a learned filter bank, for NumPy arrays with channels as their last axis.

(K u)_o[i] = sum_c sum_j W[o, c, j] u_c[i + j], j from -left to right along each axis: reflecting axes have
those i whose windows lie on the grid, periodic ones wrap, zero-Dirichlet ones continue u by 0
(docs/theory.md, section 8).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pde2net.discretise.arrays import Array, Extension, extend
from pde2net.language.borders import BORDERS


def response(weights: Array, u: Array, boundary: Sequence[str]) -> Array:
    """K u, (*n, channels) -> (*m, filters): m = n - size + 1 along reflecting axes, n along others."""
    wide = u
    for axis, (kind, size) in enumerate(zip(boundary, weights.shape[2:], strict=True)):
        wide = _continued(wide, axis, kind, (size - 1) // 2, size // 2)
    total: Any = 0
    for offset, part in _windows(wide.shape, weights.shape[2:]):
        total = total + wide[part] @ _tap(weights, offset).T
    return np.asarray(total)


def adjoint(weights: Array, p: Array, boundary: Sequence[str]) -> Array:
    """K^T p, the transpose of `response`."""
    cells = [m + size - 1 for m, size in zip(p.shape, weights.shape[2:], strict=False)]
    wide = np.zeros((*cells, *p.shape[len(cells) : -1], weights.shape[1]), dtype=p.dtype)
    for offset, part in _windows(wide.shape, weights.shape[2:]):
        wide[part] = wide[part] + p @ _tap(weights, offset)
    for axis, (kind, size) in enumerate(zip(boundary, weights.shape[2:], strict=True)):
        wide = _folded(wide, axis, kind, (size - 1) // 2, size // 2)
    return wide


def _tap(weights: Array, offset: tuple[int, ...]) -> Array:
    """The matrix (filters, channels) of one cell of the kernel."""
    found: Array = weights.transpose(*range(2, weights.ndim), 0, 1)[offset]
    return found


def _windows(
    shape: Sequence[int], sizes: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """The taps of a kernel, and the cells that each of them sees."""
    for offset in itertools.product(*map(range, sizes)):
        yield (
            offset,
            tuple(slice(o, o + n - size + 1) for o, n, size in zip(offset, shape, sizes, strict=False)),
        )


def _continued(u: Array, axis: int, kind: str, left: int, right: int) -> Array:
    border = BORDERS[kind]
    border.require_plain("Learned filters")
    return u if border.even else extend(u, axis, left, right, Extension(border.wraps, border.factor))


def _folded(wide: Array, axis: int, kind: str, left: int, right: int) -> Array:
    """The transpose of `_continued`."""
    if BORDERS[kind].even:
        return wide
    n = wide.shape[axis] - left - right
    lines = np.moveaxis(wide, axis, 0)
    out = lines[left : left + n].copy()
    if BORDERS[kind].wraps:
        for i in (*range(left), *range(left + n, left + n + right)):
            out[(i - left) % n] = out[(i - left) % n] + lines[i]
    found: Array = np.moveaxis(out, 0, axis)
    return found
