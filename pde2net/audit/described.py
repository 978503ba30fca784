"""The line for people about a counterexample: it has to say what the input is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.verify.refute.candidates import candidates


def is_described(
    semi: Semidiscrete | SemidiscreteSystem, u0: Array, witness: Mapping[str, Any], says: str
) -> bool:
    """Whether the line names pattern, amplitude, size and violation as they are."""
    shown = "optimised input"
    if {"pattern", "amplitude"} & set(witness):
        pattern, amplitude = witness["pattern"], witness["amplitude"]
        if type(amplitude) not in (int, float) or not _follows(semi, u0, pattern, amplitude):
            return False
        shown = f"{pattern} of amplitude {amplitude:.3g}"
    size = " x ".join(map(str, u0.shape))
    return bool(witness["description"] == f"{shown} on {size} cells: {says} {witness['excess']:.3g}")


def _follows(semi: Semidiscrete | SemidiscreteSystem, u0: Array, pattern: Any, amplitude: float) -> bool:
    """Whether the input is a pattern of this name times `amplitude`."""
    images = (amplitude * c.on(u0.shape[-1]) for c in candidates(semi, (1.0,)) if c.name == pattern)
    return any(np.allclose(u0, image, rtol=1e-9, atol=1e-12 * abs(amplitude)) for image in images)
