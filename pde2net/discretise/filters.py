"""K u and K^T p of a learned filter bank, for NumPy arrays with channels as their last axis.

(K u)_o[i] = sum_c sum_j W[o, c, j] u_c[i + j], j from -left to right along each axis: reflecting axes have
those i whose windows lie on the grid, periodic ones wrap, zero-Dirichlet ones continue u by 0, and those
called "continued" by its mirror image, times the parity of a channel (docs/theory.md, section 8).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pde2net.discretise.arrays import Array, Extension, extend, floats, take
from pde2net.errors import DeclarationError
from pde2net.language.arrays import Array as Exact
from pde2net.language.borders import BORDERS
from pde2net.language.linear_operator import Chain, LinearOperator

Parity = tuple[tuple[int, ...], ...]  # 1 or -1 per channel and axis: even or odd


CONTINUED = "continued"


def response(weights: Array, u: Array, boundary: Sequence[str], inner: Parity = ()) -> Array:
    """K u, (*n, channels) -> (*m, filters): m = n - size + 1 along reflecting axes, n along others."""
    wide = u
    for axis, (kind, size) in enumerate(zip(boundary, weights.shape[2:], strict=True)):
        signs = np.array([c[axis] for c in inner])
        wide = _continued(wide, axis, kind, (size - 1) // 2, size // 2, signs)
    total: Any = 0
    for offset, part in _windows(wide.shape, weights.shape[2:]):
        total = total + wide[part] @ _tap(weights, offset).T
    return np.asarray(total)


def adjoint(weights: Array, p: Array, boundary: Sequence[str], inner: Parity = ()) -> Array:
    """K^T p, the transpose of `response`."""
    cells = [m + size - 1 for m, size in zip(p.shape, weights.shape[2:], strict=False)]
    wide = np.zeros((*cells, *p.shape[len(cells) : -1], weights.shape[1]), dtype=p.dtype)
    for offset, part in _windows(wide.shape, weights.shape[2:]):
        wide[part] = wide[part] + p @ _tap(weights, offset)
    for axis, (kind, size) in enumerate(zip(boundary, weights.shape[2:], strict=True)):
        wide = _folded(wide, axis, kind, (size - 1) // 2, size // 2, np.array([c[axis] for c in inner]))
    return wide


def summed(u: Array, dimension: int, scale: int) -> Array:
    """Sums over blocks of `scale` cells along each of the first axes."""
    for axis in range(dimension if scale > 1 else 0):
        shape = (*u.shape[:axis], u.shape[axis] // scale, scale, *u.shape[axis + 1 :])
        u = u.reshape(shape).sum(axis=axis + 1)
    return u


def spread(p: Array, dimension: int, scale: int) -> Array:
    """The transpose of `summed`."""
    for axis in range(dimension if scale > 1 else 0):
        p = np.repeat(p, scale, axis)
    return p


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


def _continued(u: Array, axis: int, kind: str, left: int, right: int, signs: Array) -> Array:
    if kind == CONTINUED:
        beyond = take(u, axis, 0, left), take(u, axis, u.shape[axis] - right, u.shape[axis])
        first, last = (np.flip(part, axis) * signs for part in beyond)
        return np.concatenate((first, u, last), axis)
    border = BORDERS[kind]
    border.require_plain("Learned filters")
    return u if border.even else extend(u, axis, left, right, Extension(border.wraps, border.factor))


def _folded(wide: Array, axis: int, kind: str, left: int, right: int, signs: Array) -> Array:
    """The transpose of `_continued`."""
    if kind == CONTINUED:
        n = wide.shape[axis] - left - right
        folded = take(wide, axis, left, left + n).copy()
        first, last = take(wide, axis, 0, left), take(wide, axis, left + n, left + n + right)
        ends = [slice(None)] * wide.ndim
        ends[axis] = slice(0, left)
        folded[tuple(ends)] += np.flip(first, axis) * signs
        ends[axis] = slice(n - right, n)
        folded[tuple(ends)] += np.flip(last, axis) * signs
        return folded
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


def parities(operator: LinearOperator, inner: Parity, given: Exact | None) -> Parity:
    """Which filters of a continued operator are even (1) or odd (-1) along each axis.

    That of given weights is the one in which they are largest; else that of the first cosines, and in turn.
    """
    dimension = len(inner[0])
    if given is not None:
        choices = list(itertools.product((1, -1), repeat=dimension))
        sizes = [
            (_symmetric(floats(given), (choice,) * operator.out_channels, inner) ** 2).sum(
                axis=tuple(range(1, dimension + 2))
            )
            for choice in choices
        ]
        return tuple(choices[int(k)] for k in np.argmax(sizes, axis=0))
    waves = cosines(operator.kernel_size, dimension)
    found = [tuple(1 - 2 * (k % 2) for k in wave) for wave in waves[: operator.out_channels]]
    rest = list(itertools.product((1, -1), repeat=dimension))
    return tuple(found) + tuple(rest[k % len(rest)] for k in range(operator.out_channels - len(found)))


def continued(
    chains: Iterable[Chain], even: Parity, given: Mapping[str, Exact]
) -> dict[LinearOperator, tuple[Parity, Parity]]:
    """Parities of the channels that each operator is applied to, and of its filters; () where none is.

    even   those of the channels of u
    given  filters that are given, by the name of their operator

    Raises DeclarationError for an operator that is applied both to channels that are even and to odd ones:
    its filters would have to be both.
    """
    found: dict[LinearOperator, tuple[Parity, Parity]] = {}
    for chain in chains:
        inner = even
        for k in chain.operators:
            plain = k.border != CONTINUED
            pair: tuple[Parity, Parity] = (
                ((), ()) if plain else (inner, parities(k, inner, given.get(k.name)))
            )
            if found.setdefault(k, pair) != pair:
                raise DeclarationError(
                    f"{k} is applied to even channels and to odd ones, whose mirror images differ in sign: "
                    "declare an operator for each."
                )
            inner = pair[1]
    return found


def cosines(size: int, dimension: int) -> list[tuple[int, ...]]:
    """The frequencies of the discrete cosine transform of a kernel but 0, low ones first."""
    waves = itertools.product(range(size), repeat=dimension)
    return sorted((w for w in waves if any(w)), key=lambda w: (sum(k * k for k in w), w))


def shaped(weights: Array, parity: Parity, inner: Parity, zero_mean: bool) -> Array:
    """The filters that weights stand for: their even or odd parts, without their means."""
    found = _symmetric(weights, parity, inner) if parity else weights
    if not zero_mean:
        return found
    axes = tuple(range(2, weights.ndim))
    count = math.prod(weights.shape[2:])
    means = found.sum(axis=axes, keepdims=True) / count
    result: Array = found - means
    return result


def _symmetric(weights: Array, parity: Parity, inner: Parity) -> Array:
    """The part of each filter o and channel c that is even or odd, as the product of both parities says."""
    found = weights
    for axis in range(weights.ndim - 2):
        signs = np.array([[o[axis] * c[axis] for c in inner] for o in parity])
        signs = signs.reshape(*signs.shape, *([1] * (weights.ndim - 2)))
        found = (found + signs * np.flip(found, axis + 2)) / 2
    return found
