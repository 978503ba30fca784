"""Runs a counterexample again and measures the violation that was reported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pde2net.discretise.arrays import Array
from pde2net.graph.interpret import Interpreter

MEANS = 1e-9


def excess(
    claim: str, witness: Mapping[str, Any], network: Interpreter, step: Interpreter, tau: float
) -> float:
    """By how much the witness violates the claim, written down a second time."""
    u0 = np.asarray(witness["u0"], dtype=float)
    fields = {name: np.asarray(v, dtype=float) for name, v in witness.get("fields", {}).items()}
    with np.errstate(all="ignore"):
        u1 = network(u0, fields)
        if not np.isfinite(u1).all():
            return float("inf")
        if "v0" in witness:
            v0 = np.asarray(witness["v0"], dtype=float)
            return float(np.linalg.norm(network(v0, fields) - u1) / np.linalg.norm(v0 - u0) - 1)
        if claim == "energy_decay":
            before = _energy(u0, lambda w: step(w, fields), tau)
            after = _energy(u1, lambda w: step(w, fields), tau)
            return (after - before) / max(abs(before), abs(after), float(np.finfo(float).tiny))
    size = float(abs(u0).max())
    if claim == "maximum_principle":
        low, high = witness["extremum"]["range"]
        if low > u0.min() or high < u0.max():
            return -1.0
        value = float(u1[tuple(witness["extremum"]["index"])])
        if value != witness["extremum"]["value"]:
            return -1.0
        return max(value - high, low - value) / size
    if claim == "mean_preservation":
        return float(abs(u1.mean() - u0.mean())) / size
    return float(np.linalg.norm(u1) / np.linalg.norm(u0) - 1)


def _energy(u: Array, step: Any, tau: float, points: int = 400) -> float:
    """E(u) - E(0) by the midpoint rule along the ray to u."""
    total = 0.0
    for k in range(points):
        w = (k + 0.5) / points * u
        total += float(((w - step(w)) / tau * u).sum()) / points
    return total
