"""Explicit, Du Fort-Frankel, FSI and FED networks of equal depth.

A cycle of FSI or FED is as long as the network. Blocks share their weights or have their own, and the
extrapolation of FSI and the factors of FED are those of the scheme or trained. Stability is kept where a
condition is known: not for cycles of blocks that differ, nor for trained weights of a scheme.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import sympy as sp
from common import Cell, Lengths, arguments, pick, run, signals, train
from networks import RATES, diffusion

import pde2net as p2n

CHANNELS = 4
TAU = sp.Rational(1, 2)  # filters start with norm 1, for which 2 is the limit
FULL, QUICK = Lengths(10_000, 1_000, 1_000, 32, 3, 20), Lengths(80, 20, 40, 20, 1, 0.5)
TABLES = {"FSI": "extrapolation", "FED": "factors"}


def scheme(name: str, depth: int) -> Any:
    if name in TABLES:
        return {"FSI": p2n.FSI, "FED": p2n.FED}[name](tau=TAU, cycle_length=depth, freeze="step")
    return {"explicit": p2n.Explicit, "Du Fort-Frankel": p2n.DuFortFrankel}[name](tau=TAU, steps=depth)


def work(name: str, shared: bool, trained: bool, depth: int, lengths: Lengths, seed: int, budget: str) -> Any:
    keep = name not in TABLES or (shared and not trained)
    tables = [TABLES[name]] if trained else []
    network = diffusion(CHANNELS, scheme(name, depth), tables=tables, shared=shared, keep_stable=keep)
    return train(network.module(), signals(lengths, seed), budget, lengths, RATES["diffusion"], seed)


def cells(quick: bool) -> list[Cell]:
    lengths, found = QUICK if quick else FULL, []
    for depth in pick(quick, (8, 4, 16, 2, 32), (2,)):
        for name in ("explicit", "Du Fort-Frankel", "FSI", "FED"):
            for shared in (True, False):
                for trained in (False, True) if name in TABLES else (False,):
                    words = [name, "shared" if shared else "unshared", *["trained"] * trained]
                    made = partial(work, name, shared, trained, depth, lengths)
                    found.append(Cell(", ".join(words), depth, made))
    return found


if __name__ == "__main__":
    run("schemes", cells, arguments(__doc__))
