"""Piecewise smooth signals for experiments in one dimension."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pde2net.language.exact import count as checked

if TYPE_CHECKING:
    from torch import Tensor

MOST = 8  # pieces


def signals(count: int, length: int, seed: int = 0) -> Tensor:
    """Piecewise smooth signals in [0, 1], float32 of shape (count, 1, length); a longer list begins alike.

    Each has 2 to 8 pieces with jumps between, at least 2 % of its length apart; on a piece it is a quadratic
    polynomial plus a wave of at most two periods; then it is scaled to the range [0, 1].

    Raises DeclarationError for what is no count.
    """
    import torch

    count, length = checked(count, "The number of signals"), checked(length, "The length of a signal")
    random = np.random.default_rng(seed).random((count, 1 + MOST + 6 * MOST))
    pieces = 2 + np.floor(random[:, :1] * (MOST - 1))
    widths = np.where(np.arange(MOST) < pieces, 0.02 * MOST + random[:, 1 : MOST + 1], 0)
    ends = np.cumsum(widths / widths.sum(1, keepdims=True), axis=1)
    place = (np.arange(length) + 0.5) / length
    piece = (place[None, :, None] > ends[:, None, :]).sum(2).clip(max=MOST - 1)
    numbers = random[:, MOST + 1 :].reshape(count, MOST, 6)
    level, slope, bend, height, periods, phase = np.moveaxis(
        np.take_along_axis(numbers, piece[:, :, None], axis=1), 2, 0
    )
    s = place - 0.5
    values = level + 0.8 * (slope - 0.5) * s + 1.6 * (bend - 0.5) * s**2
    values += 0.15 * height * np.sin(2 * np.pi * (2 * periods * s + phase))
    low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
    scaled = (values - low) / np.maximum(high - low, 1e-12)
    return torch.from_numpy(scaled.astype(np.float32)).unsqueeze(1)
