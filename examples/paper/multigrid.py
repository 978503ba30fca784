"""Full approximation cycles against a standard U-net: inpainting and ROF-type regularisation, 1D and 2D.

- Inpainting: (1 - c) div(g(s²) grad u) + c (f - u) = 0, s = |grad u|, with trained weights of a mixture g;
  the target is the image that f is, known in the cells of the mask c.
- Regularisation: div(g(s²) grad u) + beta (f - u) = 0, g = 1/sqrt(s² + epsilon²), with beta and epsilon
  trained; the target is the solution of this equation for the values to start from, by many cycles.

Cycles have the parameters of their equation, fewer than the smallest U-net: at an equal number of them there
is nothing to compare. Sizes are numbers of cycles, and channels. All is in double precision.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import sympy as sp
import torch
from common import (
    TEST_SEED,
    Cell,
    Data,
    Lengths,
    Pairs,
    alive,
    arguments,
    noisy,
    operations_per_image,
    patches,
    pick,
    run,
    seconds_per_image,
    train,
)
from networks import RATES
from torch import Tensor, nn

import pde2net as p2n
from pde2net import div, grad, norm2

AXES = sp.symbols("x y", real=True)
t = sp.Symbol("t", real=True)
beta, epsilon = sp.symbols("beta epsilon", positive=True)
START = {beta: 4, epsilon: 0.01}
WEIGHTS = [sp.Symbol(f"w{j}", nonnegative=True) for j in range(6)]
SCALES = [sp.Rational(1, 2 ** (j + 1)) for j in range(6)]  # of the slopes in g
KNOWN = {1: 0.1, 2: 0.2}  # of the cells
NOISE = 0.1
TASKS = ("inpainting", "regularisation")
FULL = {1: Lengths(1_000, 200, 500, 25, 8, 50), 2: Lengths(300, 60, 120, 6, 6, 60)}
QUICK = {1: Lengths(20, 5, 5, 10, 1, 0.3), 2: Lengths(4, 2, 2, 2, 1, 0.3)}


class Filled(nn.Module):
    """A network of u and c whose results are f where that is known."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, u: Tensor, f: Tensor, c: Tensor) -> Tensor:
        found: Tensor = self.module(torch.cat((u, c), 1))[:, :1]
        return c * f + (1 - c) * found


class Plain(nn.Module):
    """A network of f alone."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, u: Tensor, f: Tensor) -> Tensor:
        found: Tensor = self.module(f)
        return found


def cycles(task: str, dimension: int, count: int, tol: float | None = None) -> nn.Module:
    """The steady state by so many V-cycles, from the data on."""
    axes = AXES[:dimension]
    u, f, c = sp.Function("u")(*axes, t), sp.Function("f")(*axes), sp.Function("c")(*axes)
    s2 = norm2(grad(u))
    if task == "inpainting":
        g = p2n.diffusivities.mixture(s2, weights=WEIGHTS, scales=SCALES, kernel="charbonnier")
        rhs, start = c * (f - u) + (1 - c) * div(g * grad(u)), dict.fromkeys(WEIGHTS, 1)
    else:
        g = p2n.diffusivities.regularised_tv(s2, epsilon)
        rhs, start = div(g * grad(u)) + beta * (f - u), START
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters=start)
    scheme = p2n.Multigrid(tau=sp.oo, pre=2, post=2, cycles=count, tol=tol)
    return p2n.compile(problem, scheme, trainable=list(start), on_unstable="ignore").module()


def unet(task: str, dimension: int, channels: int) -> nn.Module:
    filled = task == "inpainting"

    def make() -> nn.Module:
        module = p2n.learn.baselines.unet(dimension, channels, image_channels=1 + filled)
        return Filled(module) if filled else Plain(module)

    image = torch.rand(8, 1, *[64] * dimension)
    return alive(make, image, image, *[torch.zeros_like(image)] * filled)


def made(task: str, dimension: int, network: str, size: int) -> nn.Module:
    return (cycles if network == "multigrid" else unet)(task, dimension, size).double()


@lru_cache(maxsize=4)
def data(task: str, dimension: int, lengths: Lengths, seed: int) -> Data:
    def pairs(split: str, count: int, start: int) -> Pairs:
        if dimension == 1:
            clean = p2n.learn.signals(count, 256, seed=start).double()
        else:
            clean = patches(split, count, 64, start).double()
        if task == "inpainting":
            generator = torch.Generator().manual_seed(start)
            c = (torch.rand(clean.shape, generator=generator) < KNOWN[dimension]).double()
            return Pairs(c * clean, clean, {"f": c * clean, "c": c})
        f = noisy(clean, NOISE, start)
        return Pairs(f, solution(dimension, f), {"f": f})

    return Data(
        pairs("train", lengths.train, 2 * seed),
        pairs("validation", lengths.validation, 2 * seed + 1),
        pairs("test", lengths.test, TEST_SEED),
    )


def solution(dimension: int, f: Tensor) -> Tensor:
    """What regularisation has to find."""
    module = cycles("regularisation", dimension, 60, tol=1e-6).double()
    with torch.no_grad():
        return torch.cat([module(part, f=part) for part in f.split(50)])


def work(task: str, dimension: int, network: str, size: int, lengths: Lengths, seed: int, budget: str) -> Any:
    module, given = made(task, dimension, network, size), data(task, dimension, lengths, seed)
    row = train(module, given, budget, lengths, RATES[network], seed)
    few = given.test.first(20)
    work = {"seconds": seconds_per_image(module, few), "operations": operations_per_image(module, few)}
    return row | {f"{what} per image": value for what, value in work.items()}


def cells(quick: bool) -> list[Cell]:
    lengths, found = QUICK if quick else FULL, []
    pairs = [("multigrid", k) for k in pick(quick, (2, 1, 4), (1,))]
    pairs += [("unet", k) for k in pick(quick, (4, 1, 8, 2, 16), (1,))]
    for network, size in pairs:
        for task in TASKS:
            for dimension in (1, 2):
                own = partial(work, task, dimension, network, size, lengths[dimension])
                found.append(Cell(network, size, own, {"task": f"{task}, {dimension}D"}))
    return found


if __name__ == "__main__":
    run("multigrid", cells, arguments(__doc__))
