"""Factors of a step or cycle for an eigenvalue of the frozen operator, of each kind of network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net.scheme.method import Update
from pde2net.scheme.stack import ALPHA, PREVIOUS, RATE, START, START_RATE, Stack, U
from pde2net.verify.stages import pace, stage_weights

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Amplification:
    """The factor of one mode.

    of      the factor for z = tau nu, nu an eigenvalue
    unit    what it is a factor of: step, cycle
    axis    how it is written, with {} for z
    linear  whether it falls with z, so that bounds of nu bound it
    """

    of: Callable[[Array], Array]
    unit: str
    axis: str
    linear: bool = False


def amplification(update: Update, tau: float, number: Callable[[sp.Expr], float]) -> Amplification | None:
    """None for networks whose factors are not drawn."""
    if not isinstance(update, Stack):
        return None
    c = pace(update)
    if c is not None:
        size = float(c) / (1 + tau * number(update.implicit))
        name = ("τ" if c == 1 else f"{c} τ") + ("" if update.implicit == 0 else "/(1 + τ b)")
        return Amplification(lambda z: 1 - size * z, "step", f"1 - {name} {{}}", linear=True)
    if update.repeated and update.uses(PREVIOUS) and ALPHA in update.values:
        return Amplification(
            _radius(tau * number(update.values[ALPHA])), "step", "largest |zero| of the companion matrix"
        )
    return Amplification(_stages(update, number), "cycle", "P(τ {})")


def _stages(stack: Stack, number: Callable[[sp.Expr], float]) -> Callable[[Array], Array]:
    """P by the recursion over the stages."""
    rows = [{s: number(w) for s, w in row.items()} for row in stage_weights(stack)]

    def polynomial(z: Array) -> Array:
        now = before = np.ones_like(z)
        for w in rows:
            new = (w[U] - z * w[RATE]) * now + w[PREVIOUS] * before + w[START] - z * w[START_RATE]
            now, before = new, now
        return now

    return polynomial


def _radius(tau_alpha: float) -> Callable[[Array], Array]:
    a = 4 * tau_alpha / (1 + 2 * tau_alpha)

    def radius(z: Array) -> Array:
        half = a * (1 - z / (2 * tau_alpha)) / 2
        root = np.sqrt((half**2 + (1 - a)).astype(complex))
        return np.asarray(np.maximum(abs(half + root), abs(half - root)))

    return radius
