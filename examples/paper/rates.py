"""Learning rates of Adam, with the seed 0: in shorter trainings for the networks of blocks.py."""

from __future__ import annotations

from functools import partial
from typing import Any

import blocks
import multigrid
from common import Cell, Lengths, arguments, pick, run, signals, train

FULL, QUICK = Lengths(4_000, 400, 400, 32, 6, 0), Lengths(80, 20, 40, 20, 1, 0)
DENOISING = ("diffusion", "symmetric", "residual")


def of_blocks(network: str, channels: int, rate: float, lengths: Lengths, seed: int, budget: str) -> Any:
    return train(blocks.made(network, channels), signals(lengths, seed), budget, lengths, rate, seed)


def of_multigrid(
    network: str, size: int, task: str, rate: float, lengths: Lengths, seed: int, budget: str
) -> Any:
    data = multigrid.data(task, 1, lengths, seed)
    return train(multigrid.made(task, 1, network, size), data, budget, lengths, rate, seed)


def cells(quick: bool) -> list[Cell]:
    lengths = QUICK if quick else FULL
    tried = pick(quick, (0.001, 0.003, 0.01, 0.03), (0.01,))
    found = [
        Cell(network, channels, partial(of_blocks, network, channels, rate, lengths), {"rate": rate})
        for channels in pick(quick, (8, 32), (2,))
        for network in DENOISING
        for rate in tried
    ]
    lengths = (multigrid.QUICK if quick else multigrid.FULL)[1]
    for network, size in pick(quick, (("unet", 4), ("unet", 16), ("multigrid", 2)), (("unet", 1),)):
        for task in multigrid.TASKS:
            for rate in tried:
                work = partial(of_multigrid, network, size, task, rate, lengths)
                found.append(Cell(network, size, work, {"task": f"{task}, 1D", "rate": rate}))
    return found


if __name__ == "__main__":
    options = arguments(__doc__)
    options.seeds = 1
    run("rates", cells, options, budgets=("steps",))
