"""Optimisation where no pattern violates a claim: ascent of the violation on a small grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pde2net.discretise.arrays import Array

ITERATIONS = 40
CELLS = 27  # at most, since the gradient is taken by differences


def ascend(violation: Callable[[Array], Array], start: Array, late: Callable[[], bool]) -> Array:
    """An input with a larger violation than `start`, by steps along the gradient with a line search.

    `violation` takes a batch; `late` tells that there is no time for another step.
    """
    u, best = start, float(violation(start[None])[0])
    length = 0.3 * float(np.linalg.norm(u))
    for _ in range(ITERATIONS):
        if best > 1e-3 or length < 1e-9 * np.linalg.norm(u) or late():
            break
        width = 1e-6 * float(abs(u).max())
        above, below = np.split(violation(_neighbours(u, width)), 2)
        slope = ((above - below) / (2 * width)).reshape(u.shape)
        size = np.linalg.norm(slope)
        if not np.isfinite(size) or size == 0:
            break
        trial = u + length * slope / size
        value = float(violation(trial[None])[0])
        if value > best:
            u, best, length = trial, value, 1.5 * length
        else:
            length /= 3
    return u


def _neighbours(u: Array, width: float) -> Array:
    """u + width e and then u - width e for the unit vectors e of all entries."""
    shifts = width * np.eye(u.size).reshape(u.size, *u.shape)
    return np.concatenate([u + shifts, u - shifts])


def most_expanded(run: Callable[[Array], Array], states: Array) -> Array:
    """The directions in which the network, linearised at each state by differences, expands most."""
    widths = [1e-6 * max(float(abs(u).max()), 1e-12) for u in states]
    around = np.concatenate([_neighbours(u, width) for u, width in zip(states, widths, strict=True)])
    outputs = run(around).reshape(len(states), 2, states[0].size, -1)
    found = []
    for u, width, (above, below) in zip(states, widths, outputs, strict=True):
        jacobian = ((above - below) / (2 * width)).T
        finite = np.isfinite(jacobian).all()
        found.append(np.linalg.svd(jacobian)[2][0].reshape(u.shape) if finite else np.ones_like(u))
    return np.stack(found)
