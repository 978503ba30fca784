"""Suprema over frequencies: a grid, then finer grids around the best points. Sampled, not proved."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from pde2net.verify.fourier.model import Floats

# Points per axis of the first grid and of the refinements, by dimension.
POINTS = {1: 257, 2: 41, 3: 11}
REFINED = {1: 33, 2: 9, 3: 5}
PEAKS = 4
ROUNDS = 12
SMALLEST = 1e-4  # frequencies closer to 0 are left out: there A of the steady state is 0


def supremum(
    value: Callable[[Floats], Floats],
    dimension: int,
    coarse: tuple[int, ...],
    even: bool,
    high: bool = False,
) -> float:
    """The largest value found over low frequencies, |theta_i| <= pi/2 for the coarsened axes.

    high      over the high frequencies instead: some coarsened |theta_i| >= pi/2
    even      the value is even in each frequency by itself: theta_i >= 0 suffices; otherwise only
              theta_0 >= 0 is used, which complex conjugation allows
    """
    if dimension not in POINTS:
        raise ValueError(f"Fourier analysis covers one to three dimensions, not {dimension}.")
    reach = [np.pi if high or axis not in coarse else np.pi / 2 for axis in range(dimension)]
    lowest = [0.0 if even or axis == 0 else -r for axis, r in enumerate(reach)]

    def evaluate(centres: Floats, half: Floats, points: int) -> tuple[Floats, Floats]:
        """Frequencies around each centre, and the values there, of shape (centres, points^d)."""
        lines = np.meshgrid(*[np.linspace(-1, 1, points)] * dimension, indexing="ij")
        around = np.stack(lines, axis=-1).reshape(-1, dimension) * half
        theta = np.clip(centres[:, None] + around, lowest, reach)
        keep = np.abs(theta).max(axis=-1) >= SMALLEST
        if high:
            keep &= np.abs(theta[..., list(coarse)]).max(axis=-1) >= np.pi / 2 - 1e-12
        found = np.full(keep.shape, -np.inf)
        found[keep] = value(theta[keep])
        return theta, found

    half = np.array([(r - b) / 2 for b, r in zip(lowest, reach, strict=True)])
    theta, values = evaluate((np.array(lowest) + half)[None], half, POINTS[dimension])
    best = float(values.max())
    width = 2 * half / (POINTS[dimension] - 1)
    peaks = theta[0, np.argsort(values[0])[::-1][:PEAKS]]
    for _ in range(ROUNDS):
        theta, values = evaluate(peaks, width, REFINED[dimension])
        peaks, best = theta[np.arange(len(peaks)), values.argmax(axis=1)], max(best, float(values.max()))
        width = width / 2
    return best


def harmonics(dimension: int) -> list[tuple[int, ...]]:
    """Which axes are shifted by pi: all 0/1 vectors."""
    return list(itertools.product((0, 1), repeat=dimension))
