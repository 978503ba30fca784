"""Activations of equal networks: ReLU, monotone and nonmonotone fluxes, mixtures and splines."""

from __future__ import annotations

from functools import partial
from typing import Any

from common import Cell, Lengths, arguments, pick, run, signals, train
from networks import FLUXES, RATES, Symmetric, diffusion

import pde2net as p2n

BLOCKS = 6
FULL, QUICK = Lengths(10_000, 1_000, 1_000, 32, 8, 40), Lengths(80, 20, 40, 20, 1, 0.5)
RELU = "ReLU"


def work(name: str, channels: int, lengths: Lengths, seed: int, budget: str) -> dict[str, Any]:
    if name == RELU:
        module, rate = Symmetric(channels, BLOCKS), RATES["symmetric"]
    else:
        module = diffusion(channels, p2n.Explicit(tau=None, steps=BLOCKS), name).module()
        rate = RATES["diffusion"]
    return train(module, signals(lengths, seed), budget, lengths, rate, seed)


def cells(quick: bool) -> list[Cell]:
    lengths = QUICK if quick else FULL
    sizes = pick(quick, (8,), (2,))
    return [Cell(name, c, partial(work, name, c, lengths)) for c in sizes for name in (RELU, *FLUXES)]


if __name__ == "__main__":
    run("activations", cells, arguments(__doc__))
