"""The level of noise in an image."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from pde2net.errors import DeclarationError
from pde2net.language.exact import positive_number

SHORTEST = 3  # cells along an axis, for second differences
BLOCK = 256  # cells, about
SMOOTHEST = 0.25  # the quantile of all blocks that counts
LARGEST = 1 << 16  # cells of the noise that is compared with


def estimated(channels: Tensor) -> float:
    """The standard deviation of white Gaussian noise, from channels of shape (channels, *spatial).

    Second differences along all axes, one after the other, remove what is smooth (Immerkaer, CVIU 64, 1996);
    the median of their moduli hardly sees edges (Donoho, Johnstone, Biometrika 81, 1994). It is taken in
    blocks of about 256 cells, of which the smoother ones count, since texture looks like noise: the lower
    quartile, relative to that of noise of level 1. Cells where all is equal, as after clipping, do not count.
    """
    levels = [_smooth(channel.double()) for channel in channels]
    shape = channels.shape[1:]
    part = tuple(min(n, max(int(LARGEST ** (1 / len(shape))), SHORTEST)) for n in shape)
    noise = torch.randn(part, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    of_one = _smooth(noise)
    return sum(levels) / len(levels) / of_one if of_one else 0.0


def _smooth(channel: Tensor) -> float:
    """The lower quartile, over blocks, of medians of the moduli of second differences."""
    axes = [k for k, n in enumerate(channel.shape) if n >= SHORTEST]
    if not axes:
        return 0.0
    for axis in axes:
        channel = channel.diff(n=2, dim=axis)
    blocks = channel.abs()
    side = round(BLOCK ** (1 / len(axes)))
    for axis in axes:
        blocks = blocks.unfold(axis, min(side, blocks.shape[axis]), min(side, blocks.shape[axis]))
    cells = torch.where(blocks > 0, blocks, torch.nan).flatten(channel.dim())
    medians = cells.nanmedian(-1).values
    medians = medians[medians > 0]
    return quantile(medians, SMOOTHEST) if len(medians) else 0.0


def level(sigma: Any, channels: Tensor) -> float:
    """The given level, or the estimated one. Raises DeclarationError where there is none."""
    if isinstance(sigma, str) and sigma == "estimate":
        found = estimated(channels)
        if not found > 0:
            raise DeclarationError("No noise is seen in the image; say how much there is: sigma=0.1.")
        return found
    if isinstance(sigma, str):
        raise DeclarationError(f'sigma is "estimate", or the standard deviation of the noise, not "{sigma}".')
    return positive_number(sigma, "sigma, the level of the noise,")


def crossing(times: list[float], values: list[float], target: float) -> float | None:
    """The time at which values, linear in between, reach the target first; None if they never do."""
    for (t, a), (s, b) in pairwise(zip(times, values, strict=True)):
        if b >= target:
            return t + (s - t) * (target - a) / (b - a)
    return None


def quantile(values: Tensor, share: float) -> float:
    """The value that this share of all lies below; of a part of them, if they are many."""
    flat = values.flatten()
    return torch.quantile(flat[:: max(len(flat) // 1_000_000, 1)], share).item()
