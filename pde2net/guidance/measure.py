"""How long a network takes; the only part of guidance that imports torch."""

from __future__ import annotations

import inspect
import time
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pde2net.network import Network

RUNS, ENOUGH = 5, 4.0  # runs at most, seconds after which no further run begins


def seconds(network: Network, shape: tuple[int, ...]) -> tuple[float, str]:
    """The fastest of a few runs on one image of noise in [0, 1], in float32 on the CPU.

    Also what the network warned about, such as a tolerance that was not reached. Known fields are noise
    too, a domain is the whole image.
    """
    import torch

    module = network.module().float()
    parameters = inspect.signature(module.forward).parameters.values()
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    generator = torch.Generator().manual_seed(0)
    u, *data = (torch.rand((1, 1, *shape), generator=generator) for _ in range(1 + len(keywords)))
    known = dict(zip(keywords, data, strict=True))
    domain = network.semidiscrete.form.problem.domain
    known |= {} if domain is None else {str(domain.func): torch.ones_like(u)}
    taken: list[float] = []
    with torch.no_grad(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(RUNS):
            start = time.perf_counter()
            module(u, **known)
            taken.append(time.perf_counter() - start)
            if sum(taken) > ENOUGH:
                break
    return min(taken), f"On noise: {said[0].message}." if said else ""
