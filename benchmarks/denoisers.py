"""Trains and measures certified denoisers.

    python benchmarks/denoisers.py PATH_OF_BSD_NPZ --tier t1 --sigma 25

The archive has `train` (400, 180, 180) and `test` (68, 321, 481), grey images as uint8, those on which TNRD,
DnCNN and WCRR-NN were measured. Training sees images 1 to 380, the best epoch is chosen by 381 to 400. Noise
is unclipped, PSNR that of the whole image with range 1, averaged over the 68.

A training is cut into epochs and goes on where it stopped; its folder is runs/TIER-SIGMA.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
import torch

import pde2net as p2n

x, y, t = sp.symbols("x y t", real=True)
u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)
beta = sp.Symbol("beta", positive=True)


@dataclass(frozen=True)
class Tier:
    """A kind of network and how it is trained.

    make     its network, for a level of the noise
    epochs   each with `patches` patches of each of the 380 images
    rate     of Adam, which falls to 0 as a cosine
    start    the tier (of sigma 25) whose weights training starts from, for other levels
    """

    make: Callable[[sp.Rational], p2n.Network]
    epochs: int
    patches: int = 4
    patch: int = 64
    batch: int = 4
    rate: float = 0.005
    options: dict[str, Any] = field(default_factory=dict)


def mixtures(filters: int, size: int, gaussians: int, blocks: int) -> Callable[[sp.Rational], p2n.Network]:
    """T1: explicit steps of u_t = -K^T (g(K u) * K u) + beta (f - u), bounded by the data.

    The g of each filter is a mixture of Gaussians, the widest of 8 standard deviations of the noise in a
    response, each half as wide as the one before.
    """

    def make(sigma: sp.Rational) -> p2n.Network:
        K = p2n.LinearOperator("K", filters, size, border="continued", zero_mean=True)
        weights = [K.parameter(f"w{j}", nonnegative=True) for j in range(gaussians)]
        noise = sp.nsimplify(max(p2n.learn.noise(K, sigma)), rational=True).limit_denominator(10**6)
        scales = [8 * noise / 2**j for j in range(gaussians)]
        g = p2n.diffusivities.mixture(K(u) ** 2, weights=weights, scales=scales, kernel="exponential")
        start = {w: [0.5 / gaussians] * filters for w in weights}
        problem = p2n.Problem(
            sp.Eq(u.diff(t), -K.adjoint(g * K(u)) + beta * (f - u)), parameters={beta: 0.1, **start}
        )
        scheme = p2n.Explicit(tau=None, steps=blocks, fidelity="implicit")
        return p2n.compile(
            problem, scheme, trainable=[K, *weights, beta, "tau"], shared=False, keep_stable=True
        )

    return make


TIERS = {
    "t1": Tier(mixtures(24, 5, 6, 5), epochs=200),
    "t1-large": Tier(mixtures(48, 7, 6, 7), epochs=120),
}


def images(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    data = np.load(path)
    training, test = (torch.from_numpy(data[k]).float().div(255).unsqueeze(1) for k in ("train", "test"))
    return training, test


def train(name: str, level: int, path: Path, threads: int) -> torch.nn.Module:
    torch.set_num_threads(threads)
    tier, sigma = TIERS[name], sp.Rational(level, 255)
    training, _ = images(path)
    torch.manual_seed(0)
    module = tier.make(sigma).module()
    noise = p2n.learn.Noise(float(sigma))
    p2n.learn.fit(
        module,
        noise,
        training[:380],
        tier.epochs,
        batch=tier.batch,
        lr=tier.rate,
        optimizer=adam,
        scheduler="cosine",
        patch=tier.patch,
        patches=tier.patches,
        flips=True,
        validation=(noise, training[380:]),
        seed=1,
        checkpoint=Path("runs") / f"{name}-{level}",
        resume=True,
        fields={"f": "input"},
        **tier.options,
    )
    return module


def adam(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, betas=(0.9, 0.99))


def measured(module: torch.nn.Module, level: int, path: Path) -> dict[str, float]:
    """PSNR on the test images: the mean, and seconds of processor time per image."""
    _, test = images(path)
    noise = level / 255 * torch.randn(test.shape, generator=torch.Generator().manual_seed(0))
    values, start = [], time.process_time()
    module.eval()
    with torch.no_grad():
        for clean, given in zip(test, test + noise, strict=True):
            error = module(given[None], f=given[None])[0] - clean
            values.append(-10 * math.log10(float(error.square().mean())))
    return {
        "psnr": sum(values) / len(values),
        "seconds": (time.process_time() - start) / len(values),
        "parameters": sum(p.numel() for p in module.parameters()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="bsd.npz")
    parser.add_argument("--tier", choices=TIERS, required=True)
    parser.add_argument("--sigma", type=int, default=25, choices=(15, 25, 50))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    module = train(arguments.tier, arguments.sigma, arguments.path, arguments.threads)
    print(json.dumps(measured(module, arguments.sigma, arguments.path)))


if __name__ == "__main__":
    main()
