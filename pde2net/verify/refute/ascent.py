"""Optimisation where no pattern violates a claim: ascent of the violation on a small grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pde2net.discretise.arrays import Array

ITERATIONS = 40
CELLS = 27  # at most, since the gradient is taken by differences


def ascend(violation: Callable[[Array], float], start: Array, late: Callable[[], bool]) -> Array:
    """An input with a larger violation than `start`, by steps along the gradient with a line search.

    `late` tells that there is no time for another step.
    """
    u, best = start, violation(start)
    length = 0.3 * float(np.linalg.norm(u))
    for _ in range(ITERATIONS):
        if best > 1e-3 or length < 1e-9 * np.linalg.norm(u) or late():
            break
        slope = _gradient(violation, u)
        size = np.linalg.norm(slope)
        if not np.isfinite(size) or size == 0:
            break
        trial = u + length * slope / size
        value = violation(trial)
        if value > best:
            u, best, length = trial, value, 1.5 * length
        else:
            length /= 3
    return u


def _gradient(violation: Callable[[Array], float], u: Array) -> Array:
    width = 1e-6 * float(abs(u).max())
    slope = np.zeros_like(u)
    for index in np.ndindex(u.shape):
        shift = np.zeros_like(u)
        shift[index] = width
        slope[index] = (violation(u + shift) - violation(u - shift)) / (2 * width)
    return slope


def most_expanded(run: Callable[[Array], Array], u: Array) -> Array:
    """The direction in which the network, linearised at u by differences, expands most."""
    width = 1e-6 * max(float(abs(u).max()), 1e-12)
    columns = []
    for index in np.ndindex(u.shape):
        shift = np.zeros_like(u)
        shift[index] = width
        columns.append(((run(u + shift) - run(u - shift)) / (2 * width)).ravel())
    jacobian = np.stack(columns, axis=1)
    if not np.isfinite(jacobian).all():
        return np.ones_like(u)
    direction: Array = np.linalg.svd(jacobian)[2][0].reshape(u.shape)
    return direction
