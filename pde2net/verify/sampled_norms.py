"""Enclosures of norms of filters that are given, from samples of their symbol with all rounding bounded.

For W(theta) = sum_j W_j exp(i <j, theta>), ‖K‖ <= sup ‖W(theta)‖ (docs/theory.md, 8 and 8.8).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import Any

import numpy as np
from flint import arb, fmpq
from numpy.typing import NDArray

from pde2net.verify.ranges.intervals import Interval

Floats = NDArray[np.float64]
UNIT = 2.0**-53
UP = 1 + 1e-9  # more than the rounding of the few operations on bounds themselves
FINEST, COARSEST = 128, 8  # angles per axis and cell of the kernel
WORK = 3e7  # entries of the samples of all filters
CHUNK = 4e6


@dataclass(frozen=True)
class Inexact:
    """Filters (filters, channels, *size) as floats, with a bound of the error of each entry."""

    values: Floats
    errors: Floats

    @classmethod
    def of(cls, exact: NDArray[Any]) -> Inexact:
        """Of exact fractions; each is rounded once."""
        values = exact.astype(np.float64)
        return cls(values, UP * UNIT * np.abs(values) + 1e-300)

    def scaled(self, roots: Sequence[Interval]) -> Inexact:
        """Filter o times a number in roots[o]."""
        shape = (-1, *[1] * (self.values.ndim - 1))
        middle = np.array([float(((r.lo + r.hi) / 2).mid()) for r in roots]).reshape(shape)
        radius = np.array([float((r.hi - r.lo).upper()) for r in roots]).reshape(shape)
        radius = UP * (radius + 4 * UNIT * middle)
        errors = self.errors * (middle + radius) + np.abs(self.values) * (radius + 2 * UNIT * middle)
        return Inexact(self.values * middle, UP * errors + 1e-300)

    def after(self, inner: Inexact) -> Inexact:
        """The filters of K2 K1, K2 these and K1 `inner`.

        W[o, c, j + i] is the sum of W2[o, m, j] W1[m, c, i].
        """
        size, own = inner.values.shape[2:], self.values.shape[2:]
        total = tuple(a + b - 1 for a, b in zip(size, own, strict=True))
        shape = (self.values.shape[0], inner.values.shape[1], *total)
        values, errors, sizes = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        terms = self.values.shape[1] * math.prod(own) + 2
        first, first_errors = inner.values, inner.errors
        for offset in itertools.product(*map(range, own)):
            place = (slice(None), slice(None), *(slice(o, o + n) for o, n in zip(offset, size, strict=True)))
            tap: tuple[EllipsisType | int, ...] = (..., *offset)
            w, e = self.values[tap], self.errors[tap]
            values[place] += np.tensordot(w, first, 1)
            sizes[place] += np.tensordot(np.abs(w), np.abs(first), 1)
            errors[place] += np.tensordot(np.abs(w) + e, first_errors, 1) + np.tensordot(e, np.abs(first), 1)
        return Inexact(values, UP * (errors + 2 * terms * UNIT * sizes) + 1e-300)


def enclosed(filters: Inexact) -> Interval:
    """Of sup ‖W(theta)‖ over all theta.

    The largest sample over `count` angles per axis is a lower bound; times 1/cos(pi (size - 1)/(2 count)) per
    axis it is an upper one (Ehlich, Zeller, Math. Z. 86, 1964).
    """
    outer, channels, *size = filters.values.shape
    axes, reach = len(size), max(size) - 1
    _, power = math.frexp(float(np.abs(filters.values).max()))
    filters = Inexact(np.ldexp(filters.values, -power), np.ldexp(filters.errors, -power) + 1e-300)
    room = (2 * WORK / (outer * channels)) ** (1 / axes)
    count = 1 if reach == 0 else reach * int(min(FINEST, max(COARSEST, room // reach)))
    low, high = _largest_squares(filters, count)
    angle = arb.pi() * fmpq(reach, 2 * count)
    edge = angle.cos() ** axes
    unit = arb(2) ** power
    return Interval((unit * arb(max(low, 0.0)).sqrt()).lower(), (unit * arb(high).sqrt() / edge).upper())


def _largest_squares(filters: Inexact, count: int) -> tuple[float, float]:
    """Bounds of the largest ‖W(theta)‖² over the angles 2 pi k/count, half of them along the last axis.

    W(-theta) is the conjugate of W(theta).
    """
    outer, channels, *size = filters.values.shape
    axes = len(size)
    sums = np.abs(filters.values).sum(tuple(range(2, axes + 2)))
    wrong = filters.errors.sum(tuple(range(2, axes + 2))) + 4 * axes * (max(size) + 4) * UNIT * sums
    waves = [_waves(n, count) for n in size]
    waves[-1] = waves[-1][: count // 2 + 1]
    rank = min(outer, channels)
    # Of the Gram matrix of the smaller side: entries of rounded factors, and of their products.
    a, e = (sums, UP * wrong) if channels <= outer else (sums.T, UP * wrong.T)
    gram_wrong = 2 * a.T @ e + e.T @ e + 4 * (len(a) + 4) * UNIT * (a.T @ a)
    spread = UP * float(np.linalg.norm(gram_wrong)) + 1e-300
    largest, at = -1.0, np.zeros((rank, rank), dtype=complex)
    step = max(1, int(CHUNK / (outer * channels * count ** max(axes - 1, 0))))
    grams = []
    for start in range(0, len(waves[0]), step):
        symbol: NDArray[Any] = filters.values
        for w in (waves[0][start : start + step], *waves[1:]):
            symbol = np.tensordot(symbol, w, (2, 1))
        matrices = np.moveaxis(symbol.reshape(outer, channels, -1), -1, 0)
        matrices = matrices if channels <= outer else matrices.swapaxes(1, 2)
        gram = np.conj(matrices).swapaxes(1, 2) @ matrices
        values = gram[:, 0, 0].real if rank == 1 else np.linalg.eigvalsh(gram)[:, -1]
        if values.max() > largest:
            largest, at = float(values.max()), gram[int(values.argmax())]
        if rank > 1:
            grams.append(gram)
    rounding = 8 * (rank + 3) * rank * UNIT
    if rank == 1:
        return largest - spread, largest + spread
    bound = largest * (1 + 1e-9) + 1e-300
    for gram in grams:  # a Cholesky factorisation that succeeds proves it (Rump, BIT 46, 2006)
        np.linalg.cholesky(bound * np.eye(rank) - gram)
    vector = np.linalg.eigh(at)[1][:, -1]
    quotient = float((np.conj(vector) @ at @ vector).real / (np.conj(vector) @ vector).real)
    return quotient - rounding * bound - spread, bound * (1 + 2 * rounding) + spread


def _waves(size: int, count: int) -> NDArray[np.complex128]:
    """exp(2 pi i k j/count), (count, size), each part within 8 units of rounding."""
    turns = [(arb(2) * fmpq(k, count)) for k in range(count)]
    circle = np.array([complex(float(t.cos_pi().mid()), float(t.sin_pi().mid())) for t in turns])
    return circle[np.outer(np.arange(count), np.arange(size)) % count]
