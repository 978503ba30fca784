"""The level of noise in an image."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from pde2net.errors import DeclarationError

NORMAL = 0.6744897501960817  # the median of |X| for a standard normal X
SECOND = math.sqrt(6.0)  # the norm of (1, -2, 1)
SHORTEST = 3  # cells along an axis, for second differences


def estimated(channels: Tensor) -> float:
    """The standard deviation of white Gaussian noise, from channels of shape (channels, *spatial).

    The median of |d|, divided by that of a normal variable of the same variance, where d are second
    differences along all axes, one after the other: they remove what is smooth, and few cells are at corners.
    (Donoho, Johnstone, Biometrika 81, 1994, take wavelets; Immerkaer, CVIU 64, 1996, these and their mean.)
    Axes of fewer than three cells are left out; cells at which d is 0 because the image was clipped or is
    constant are not counted.
    """
    levels = []
    for channel in channels.double():
        found, axes = channel, [k for k, n in enumerate(channel.shape) if n >= SHORTEST]
        for axis in axes:
            found = found.diff(n=2, dim=axis)
        sizes = found.abs().flatten()
        sizes = sizes[sizes > 0]
        if axes and len(sizes):
            levels.append(float(sizes.median()) / (NORMAL * SECOND ** len(axes)))
    return sum(levels) / len(levels) if levels else 0.0


def level(sigma: Any, channels: Tensor) -> float:
    """The given level, or the estimated one. Raises DeclarationError where there is none."""
    if sigma == "estimate":
        found = estimated(channels)
        if not found > 0:
            raise DeclarationError("No noise is seen in the image; say how much there is: sigma=0.1.")
        return found
    if isinstance(sigma, str | bool) or not isinstance(sigma, int | float) or not 0 < float(sigma) < math.inf:
        raise DeclarationError(f'sigma is "estimate", or the standard deviation of the noise, not {sigma!r}.')
    return float(sigma)


def crossing(times: list[float], values: list[float], target: float) -> float:
    """The time at which values, linear in between, reach the target first; the last time if they never do."""
    for (t, a), (s, b) in pairwise(zip(times, values, strict=True)):
        if b >= target:
            return t + (s - t) * (target - a) / (b - a)
    return times[-1]


def quantile(values: Tensor, share: float) -> float:
    """The value that this share of all lies below; of a part of them, if they are many."""
    flat = values.flatten()
    return torch.quantile(flat[:: max(len(flat) // 1_000_000, 1)], share).item()
