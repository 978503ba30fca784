"""How long a network takes; the only part of guidance that imports torch."""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pde2net.network import Network

RUNS, ENOUGH = 5, 4.0  # runs at most, seconds after which no further run begins


def seconds(network: Network, shape: tuple[int, ...]) -> tuple[float, str]:
    """The fastest of a few runs on one image of noise, in float32 on the CPU.

    Also what the network warned about, such as a tolerance that was not reached. Known fields are noise too.
    """
    import torch

    from pde2net.emit.noise import noise

    module = network.module().float()
    u, given = noise(network.semidiscrete.form.problem, shape)
    taken: list[float] = []
    with torch.no_grad(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(RUNS):
            start = time.perf_counter()
            module(u, **given)
            taken.append(time.perf_counter() - start)
            if sum(taken) > ENOUGH:
                break
    return min(taken), f"On noise: {said[0].message}." if said else ""
