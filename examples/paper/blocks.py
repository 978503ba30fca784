"""Diffusion blocks against residual blocks: denoising of signals, error over the number of parameters.

A diffusion block u - tau K^T Phi(K u) has one bank of filters where a residual block has two. Between them
stands the symmetric block u - K^T relu(K u + b).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from common import Cell, Lengths, arguments, pick, run, signals, train
from networks import RATES, SIZE, WIDE, Symmetric, diffusion
from torch import nn

import pde2net as p2n

BLOCKS = 6
NETWORKS = ("diffusion", "residual", "residual, equal parameters", "symmetric")
FULL, QUICK = Lengths(10_000, 1_000, 1_000, 32, 8, 40), Lengths(160, 40, 40, 20, 2, 1)


def equal_parameters(channels: int) -> nn.Module:
    """A residual network with as many parameters as the diffusion network of so many channels."""
    own = sum(p.numel() for p in made("diffusion", channels).parameters())
    return p2n.learn.baselines.residual(1, blocks=BLOCKS, kernel_size=SIZE, parameters=own)


def made(network: str, channels: int) -> nn.Module:
    if network == "diffusion":
        return diffusion(channels, p2n.Explicit(tau=None, steps=BLOCKS)).module()
    if network == "symmetric":
        return Symmetric(channels, BLOCKS)
    if network == "residual":
        return p2n.learn.baselines.residual(1, channels, BLOCKS, SIZE)
    return equal_parameters(channels)


def work(network: str, channels: int, lengths: Lengths, seed: int, budget: str) -> dict[str, Any]:
    module = made(network, channels)
    wide = isinstance(module, p2n.learn.baselines.Residual) and module.blocks[0].inner.out_channels >= WIDE
    rate = RATES["wide residual" if wide else network.split(",")[0]]
    return train(module, signals(lengths, seed), budget, lengths, rate, seed)


def cells(quick: bool) -> list[Cell]:
    lengths = QUICK if quick else FULL
    sizes = pick(quick, (8, 4, 16, 2, 32), (2,))
    return [Cell(n, c, partial(work, n, c, lengths)) for c in sizes for n in NETWORKS]


if __name__ == "__main__":
    run("blocks", cells, arguments(__doc__))
