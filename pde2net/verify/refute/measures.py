"""By how much outputs violate a claim: positive beyond it, and infinite for what is not finite.

States and outputs are batches, of shape (images, ...), and what is measured has one number for each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pde2net.discretise.arrays import Array

Step = Callable[[Array], Array]
Measure = Callable[[Array, Array], Array]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)
PANELS = (4, 8, 4)
MANY = 40  # panels of what confirms a growth of the energy
COPIES = sum(PANELS) * len(NODES)  # of an input, for its energies


def inside(a: Array) -> tuple[int, ...]:
    """The axes of an image."""
    return tuple(range(1, a.ndim))


def norms(a: Array) -> Array:
    return np.asarray(np.sqrt((a * a).sum(axis=inside(a))))


def largest(a: Array) -> Array:
    return np.asarray(abs(a).max(axis=inside(a)))


def or_infinite(outputs: Array, values: Array) -> Array:
    """`values`, oo where the output is not finite."""
    return np.where(np.isfinite(outputs).all(axis=inside(outputs)), values, np.inf)


def growth(u0: Array, u1: Array) -> Array:
    """‖u1‖/‖u0‖ - 1."""
    return or_infinite(u1, norms(u1) / norms(u0) - 1)


def growth_beyond(constant: float) -> Measure:
    """‖u1‖/(C ‖u0‖) - 1."""
    return lambda u0, u1: (growth(u0, u1) + 1) / constant - 1


def slope(least: float) -> Measure:
    """<u1 - u0, u0>/‖u0‖²: of differences, the slope of F where a step adds F; less than `least` is none."""

    def measure(u0: Array, u1: Array) -> Array:
        along = ((u1 - u0) * u0).sum(axis=inside(u0)) / norms(u0) ** 2
        return np.where(np.isfinite(along) & (along > least), along, -np.inf)

    return measure


def leaves_range(includes_zero: bool, declared: tuple[float, float] | None = None) -> Measure:
    """By how much u1 leaves [min u0, max u0] (with 0 if it is included), relative to max |u0|.

    Of u0 with a declared range, by how much it leaves this.
    """

    def measure(u0: Array, u1: Array) -> Array:
        low, high = bounds(u0, includes_zero, declared)
        beyond = np.maximum(u1.max(axis=inside(u1)) - high, low - u1.min(axis=inside(u1)))
        return or_infinite(u1, beyond / largest(u0))

    return measure


def bounds(
    u0: Array, includes_zero: bool, declared: tuple[float, float] | None = None
) -> tuple[Array, Array]:
    if declared is not None:
        return (np.full(len(u0), declared[0]), np.full(len(u0), declared[1]))
    low, high = u0.min(axis=inside(u0)), u0.max(axis=inside(u0))
    return (np.minimum(low, 0.0), np.maximum(high, 0.0)) if includes_zero else (low, high)


def mean_change(u0: Array, u1: Array) -> Array:
    """|mean u1 - mean u0| relative to max |u0|."""
    means = (a.mean(axis=inside(a)) for a in (u1, u0))
    return or_infinite(u1, abs(next(means) - next(means)) / largest(u0))


def energies(u0: Array, u1: Array, step: Step, tau: float) -> tuple[Array, Array]:
    """(E(u0), E(u1)) - E(0); nan where the quadrature has not settled.

    E(b) - E(a) is the integral of <grad E, b - a> along the segment from a to b, and
    grad E(w) = (w - step(w))/tau what the step itself computes, so no formula of E is needed.
    """
    direction = u1 - u0
    segments = ((u0, direction), (u0, direction), (0 * u0, u0))
    parts = [(*segment, *quadrature(n)) for segment, n in zip(segments, PANELS, strict=True)]
    states = [a[:, None] + _upright(places, a) * way[:, None] for a, way, places, _ in parts]
    w = np.concatenate(states, 1)
    slopes = (w - step(w.reshape(-1, *u0.shape[1:])).reshape(w.shape)) / tau
    ends = np.cumsum([len(places) for _, _, places, _ in parts])[:-1]
    coarse, fine, before = (
        (found * way[:, None]).reshape(*found.shape[:2], -1).sum(axis=2) @ weights
        for found, (_, way, _, weights) in zip(np.split(slopes, ends, 1), parts, strict=True)
    )
    settled = np.isfinite(coarse + fine + before) & ~(abs(coarse - fine) > 0.01 * abs(fine))
    return np.where(settled, before, np.nan), np.where(settled, before + fine, np.nan)


def growth_along(u0: Array, u1: Array, step: Step, tau: float) -> float:
    """E(u1) - E(u0) of one input, on many panels: a pole beside the segment spoils few of them."""
    places, weights = quadrature(MANY)
    direction = u1 - u0
    states = u0 + _upright(places, np.empty((len(places), *u0.shape))) * direction
    slopes = ((states - step(states)) / tau * direction).reshape(len(places), -1).sum(axis=1)
    return float(slopes @ weights)


def quadrature(panels: int) -> tuple[Array, Array]:
    """Places in [0, 1] and weights of Gauss's formula on each of as many panels."""
    places = np.add.outer(np.arange(panels), (NODES + 1) / 2).ravel() / panels
    return places, np.tile(WEIGHTS, panels) / (2 * panels)


def _upright(line: Array, like: Array) -> Array:
    return line.reshape(-1, *(1,) * (like.ndim - 1))
