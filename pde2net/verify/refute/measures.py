"""By how much an output violates a claim: positive beyond it, and infinite for what is not finite."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pde2net.discretise.arrays import Array

Step = Callable[[Array], Array]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


def growth(u0: Array, u1: Array) -> float:
    """‖u1‖/‖u0‖ - 1."""
    if not np.isfinite(u1).all():
        return float("inf")
    return float(np.linalg.norm(u1) / np.linalg.norm(u0) - 1)


def leaves_range(includes_zero: bool) -> Callable[[Array, Array], float]:
    """By how much u1 leaves [min u0, max u0] (with 0 if it is included), relative to max |u0|."""

    def measure(u0: Array, u1: Array) -> float:
        if not np.isfinite(u1).all():
            return float("inf")
        low, high = bounds(u0, includes_zero)
        return float(max(u1.max() - high, low - u1.min()) / abs(u0).max())

    return measure


def bounds(u0: Array, includes_zero: bool) -> tuple[float, float]:
    low, high = float(u0.min()), float(u0.max())
    return (min(low, 0.0), max(high, 0.0)) if includes_zero else (low, high)


def mean_change(u0: Array, u1: Array) -> float:
    """|mean u1 - mean u0| relative to max |u0|."""
    if not np.isfinite(u1).all():
        return float("inf")
    return float(abs(u1.mean() - u0.mean()) / abs(u0).max())


def energy_difference(start: Array, end: Array, step: Step, tau: float, panels: int) -> float:
    """E(end) - E(start), the integral of <grad E, end - start> along the segment.

    grad E(w) = (w - step(w))/tau is what the step itself computes, so no formula of E is needed.
    """
    direction = end - start
    total = 0.0
    for panel in range(panels):
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            w = start + (panel + (node + 1) / 2) / panels * direction
            total += weight / (2 * panels) * float(((w - step(w)) / tau * direction).sum())
    return total


def energies(u0: Array, u1: Array, step: Step, tau: float) -> tuple[float, float] | None:
    """(E(u0), E(u1)) - E(0); None where the quadrature has not settled."""
    if not np.isfinite(u1).all():
        return None
    zero = np.zeros_like(u0)
    changes = [energy_difference(u0, u1, step, tau, panels) for panels in (4, 8)]
    before = energy_difference(zero, u0, step, tau, 8)
    if not np.isfinite([*changes, before]).all() or abs(changes[0] - changes[1]) > 0.01 * abs(changes[1]):
        return None
    return before, before + changes[1]
