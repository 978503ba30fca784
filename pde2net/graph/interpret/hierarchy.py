"""The nested grids of multigrid in NumPy: cells, distances, restriction and prolongation.

Positions are in cells of the finest grid, whose centres are 0, 1, ... A grid joins `stride` cells along each
axis; the last cell holds what is left, `rest` of them, and its centre is the mean of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pde2net.discretise.arrays import Array, Extension, along, extend
from pde2net.language.borders import Border

ASPECT = 1.25  # cells at most this much longer than the shortest are joined


@dataclass(frozen=True)
class Axis:
    """The cells of a grid along one axis of `cells` cells of the finest one."""

    cells: int
    stride: int
    border: Border

    def __post_init__(self) -> None:
        self.border.require_plain("Nested grids")

    @property
    def size(self) -> int:
        return -(-self.cells // self.stride)

    @property
    def rest(self) -> int:
        return self.cells - (self.size - 1) * self.stride

    @property
    def coarser(self) -> Axis:
        return Axis(self.cells, 2 * self.stride, self.border)

    @cached_property
    def centres(self) -> Array:
        centres = self.stride * np.arange(self.size) + (self.stride - 1) / 2
        centres[-1] = self.cells - (self.rest + 1) / 2
        return centres

    @cached_property
    def volumes(self) -> Array:
        volumes = np.ones(self.size)
        volumes[-1] = self.rest / self.stride
        return volumes

    def extended(self, margin: int) -> Array:
        """The centres, and `margin` more on both sides, the nearest one spacing of the finest grid away."""
        beyond = self.stride * np.arange(margin)
        return np.concatenate([-1 - beyond[::-1], self.centres, self.cells + beyond])

    def distances(self, margin: int, half: bool) -> Array:
        """Of the centres i and i + 1, or half that of i - 1 and i + 1, for every i; `stride` at borders."""
        q = self.extended(margin)
        found = np.full(len(q), float(self.stride))
        if self.border.even:
            return found
        if self.border.wraps:
            q = np.concatenate([q[-1:] - self.cells, q, q[:1] + self.cells])
            return np.diff(q)[1:] if half else (q[2:] - q[:-2]) / 2
        if half:
            found[:-1] = np.diff(q)
        else:
            found[1:-1] = (q[2:] - q[:-2]) / 2
        return found

    def near_zero(self) -> Array:
        """What a second difference has more of u at a cell, since zeros are nearer than the next cells."""
        found = np.zeros(self.size)
        if self.border.zero:
            found[0] += 1 - self.stride / (self.centres[0] + 1)
            found[-1] += 1 - self.stride / (self.cells - self.centres[-1])
        return found

    def neighbours(self) -> tuple[Array, Array]:
        """Positions where values are known beside the centres, and the cell of each, -1 for zero."""
        cells = np.arange(self.size)
        if self.border.wraps:
            outer = [self.centres[-1] - self.cells], [self.centres[0] + self.cells]
            ends = [self.size - 1], [0]
        elif self.border.zero:
            outer, ends = ([-1.0], [float(self.cells)]), ([-1], [-1])
        else:
            outer, ends = ([-np.inf], [np.inf]), ([0], [self.size - 1])
        return np.concatenate([outer[0], self.centres, outer[1]]), np.concatenate([ends[0], cells, ends[1]])


@dataclass(frozen=True)
class Cells:
    """A grid of cells; arrays have `trailing` more axes, those of channels and images."""

    axes: tuple[Axis, ...]
    trailing: int = 0

    def widened(self, margin: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an array of one channel and image, with more cells on both sides of each axis."""
        sizes = (a.size + 2 * m for a, m in zip(self.axes, margin, strict=True))
        return (*sizes, *(1,) * self.trailing)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.widened((0,) * len(self.axes))

    @cached_property
    def volumes(self) -> Array:
        total = np.ones(self.shape)
        for i, axis in enumerate(self.axes):
            total = total * along(axis.volumes, i, total.ndim)
        return total

    def areas(self, axis: int) -> Array:
        """The areas of the faces across an axis."""
        result: Array = self.volumes / along(self.axes[axis].volumes, axis, self.volumes.ndim)
        return result

    def coarser(self, spacing: tuple[float, ...], smallest: tuple[int, ...], least: float) -> Cells | None:
        """The next grid, None if no axis can be coarsened: last cells are `least` of a whole one or more."""
        lengths = [a.stride * h for a, h in zip(self.axes, spacing, strict=True)]
        free = [
            a.coarser.size >= max(2, s) and a.coarser.rest >= least * a.coarser.stride
            for a, s in zip(self.axes, smallest, strict=True)
        ]
        shortest = min((h for a, h in zip(self.axes, lengths, strict=True) if a.size > 1), default=0.0)
        chosen = [f and h <= ASPECT * shortest for f, h in zip(free, lengths, strict=True)]
        if not any(chosen):
            return None
        joined = (a.coarser if c else a for a, c in zip(self.axes, chosen, strict=True))
        return Cells(tuple(joined), self.trailing)


def total(array: Array, fine: Cells, coarse: Cells) -> Array:
    """Sums over the cells that a coarse cell joins."""
    for i, (a, b) in enumerate(zip(fine.axes, coarse.axes, strict=True)):
        if a.stride != b.stride:
            array = np.add.reduceat(array, np.arange(0, a.size, 2), axis=i)
    return array


def mean(array: Array, weights: Array, fine: Cells, coarse: Cells) -> Array:
    """The weighted mean over the cells that a coarse cell joins."""
    result: Array = total(weights * array, fine, coarse) / total(weights, fine, coarse)
    return result


def spread(array: Array, fine: Cells, coarse: Cells) -> Array:
    """(1, 2, 1)/4 along the coarsened axes, so that the mean of two cells is (1, 3, 3, 1)/8."""
    for i, (a, b) in enumerate(zip(fine.axes, coarse.axes, strict=True)):
        if a.stride == b.stride:
            continue
        wide, n = extend(array, i, 1, 1, Extension(a.border.wraps, a.border.factor)), array.shape[i]
        left, right = (np.take(wide, np.arange(s, s + n), axis=i) for s in (0, 2))
        array = (left + 2 * array + right) / 4
    return array


def prolongated(array: Array, coarse: Cells, fine: Cells) -> Array:
    """Linear interpolation between the centres of the coarse cells, along each axis."""
    for i, (a, b) in enumerate(zip(fine.axes, coarse.axes, strict=True)):
        if a.stride != b.stride:
            array = np.moveaxis(np.tensordot(_interpolation(b, a), array, axes=(1, i)), 0, i)
    return array


def _interpolation(coarse: Axis, fine: Axis) -> Array:
    """The matrix of linear interpolation along one axis."""
    q, cells = coarse.neighbours()
    matrix = np.zeros((fine.size, coarse.size))
    for row, p in enumerate(fine.centres):
        j = min(int(np.searchsorted(q, p, side="right")) - 1, len(q) - 2)
        t = 1.0 if np.isinf(q[j]) else (p - q[j]) / (q[j + 1] - q[j])
        for cell, weight in ((cells[j], 1 - t), (cells[j + 1], t)):
            if cell >= 0:
                matrix[row, cell] += weight
    return matrix
