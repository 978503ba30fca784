"""Learning rates of Adam for the networks of blocks.py, in shorter trainings with the seed 0."""

from __future__ import annotations

from functools import partial
from typing import Any

from blocks import made
from common import Cell, Lengths, arguments, pick, run, signals, train

FULL, QUICK = Lengths(4_000, 400, 400, 32, 6, 0), Lengths(80, 20, 40, 20, 1, 0)
NETWORKS = ("diffusion", "symmetric", "residual")


def work(network: str, channels: int, rate: float, lengths: Lengths, seed: int, budget: str) -> Any:
    return train(made(network, channels), signals(lengths, seed), budget, lengths, rate, seed)


def cells(quick: bool) -> list[Cell]:
    lengths = QUICK if quick else FULL
    return [
        Cell(network, channels, partial(work, network, channels, rate, lengths), {"rate": rate})
        for channels in pick(quick, (8, 32), (2,))
        for network in NETWORKS
        for rate in pick(quick, (0.001, 0.003, 0.01, 0.03), (0.01,))
    ]


if __name__ == "__main__":
    options = arguments(__doc__)
    options.seeds = 1
    run("rates", cells, options, budgets=("steps",))
