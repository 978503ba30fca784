"""Trains a denoiser of learned filters for a minute of one core: python benchmarks/denoise.py PATH_OF_BSD_NPZ

The network: five explicit steps of u_t = -K^T (g(K u) * K u) + beta (f - u), f the noisy image, with filters
of 5 x 5, a mixture of Gaussians for the g of each, and the condition of stability kept by parametrisation.
The archive has `train` (400, 180, 180) and `test` (68, 321, 481), grey images as uint8: those on which TNRD,
DnCNN and WCRR-NN were measured. Noise is unclipped, sigma 25/255, PSNR that of the whole image.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sympy as sp
import torch
import torch.nn.functional as F

import pde2net as p2n

SIGMA = sp.Rational(25, 255)
FILTERS, SIZE, GAUSSIANS, BLOCKS = 24, 5, 6, 5


@dataclass(frozen=True)
class Choices:
    """What was found with images 381 to 400 of the training set, on which neighbours do within 0.05 dB.

    seconds  processor time of training, one thread
    patch, batch  of training
    rate     of Adam; it falls to 0 as a cosine of the time that is spent
    widest   Gaussian, in standard deviations of the noise in a response
    ratio    of the scales of neighbouring Gaussians
    weight   the sum of the weights of Gaussians to start from
    beta     the weight of the data to start from
    """

    seconds: float = 60.0
    patch: int = 48
    batch: int = 4
    rate: float = 0.005
    widest: float = 8.0
    ratio: float = 2.0
    weight: float = 0.5
    beta: float = 0.1


def network(choices: Choices) -> p2n.Network:
    """The declaration, with values to start from."""
    x, y, t = sp.symbols("x y t", real=True)
    u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)
    K = p2n.LinearOperator("K", out_channels=FILTERS, kernel_size=SIZE, border="continued", zero_mean=True)
    weights = [K.parameter(f"w{j}", nonnegative=True) for j in range(GAUSSIANS)]
    beta = sp.Symbol("beta", positive=True)
    noise = sp.nsimplify(max(p2n.learn.noise(K, SIGMA)), rational=True).limit_denominator(10**6)
    widest, ratio = sp.nsimplify(choices.widest), sp.nsimplify(choices.ratio)
    scales = [noise * widest / ratio**j for j in range(GAUSSIANS)]
    g = p2n.diffusivities.mixture(K(u) ** 2, weights=weights, scales=scales, kernel="exponential")
    values = {w: [choices.weight / GAUSSIANS] * FILTERS for w in weights}
    problem = p2n.Problem(
        sp.Eq(u.diff(t), -K.adjoint(g * K(u)) + beta * (f - u)), parameters={beta: choices.beta, **values}
    )
    scheme = p2n.Explicit(tau=None, steps=BLOCKS, fidelity="implicit")
    return p2n.compile(problem, scheme, trainable=[K, *weights, beta, "tau"], shared=False, keep_stable=True)


def noisy(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    return images + float(SIGMA) * torch.randn(images.shape, generator=generator)


def patches(images: torch.Tensor, choices: Choices, generator: torch.Generator) -> torch.Tensor:
    """Patches at random places, turned and mirrored."""
    count, _, height, width = images.shape
    found = []
    for _ in range(choices.batch):
        index = int(torch.randint(count, (), generator=generator))
        top = int(torch.randint(height - choices.patch + 1, (), generator=generator))
        left = int(torch.randint(width - choices.patch + 1, (), generator=generator))
        found.append(images[index, :, top : top + choices.patch, left : left + choices.patch])
    batch = torch.stack(found)
    turns = int(torch.randint(8, (), generator=generator))
    batch = torch.rot90(batch, turns % 4, (2, 3))
    return batch.flip(3) if turns >= 4 else batch


def train(module: torch.nn.Module, images: torch.Tensor, choices: Choices) -> int:
    """Adam on mean squared errors, until the time is spent; the number of steps."""
    generator = torch.Generator().manual_seed(1)
    optimiser = torch.optim.Adam(module.parameters(), lr=choices.rate, betas=(0.9, 0.99))
    start, steps = time.process_time(), 0
    while (spent := (time.process_time() - start) / choices.seconds) < 1:
        for group in optimiser.param_groups:
            group["lr"] = choices.rate * (1 + math.cos(math.pi * spent)) / 2
        clean = patches(images, choices, generator)
        given = noisy(clean, generator)
        optimiser.zero_grad()
        F.mse_loss(module(given, f=given), clean).backward()
        optimiser.step()
        steps += 1
    return steps


def psnr(module: torch.nn.Module, images: torch.Tensor, given: torch.Tensor) -> float:
    """The mean over images, data range 1."""
    values = []
    with torch.no_grad():
        for clean, image in zip(images, given, strict=True):
            error = module(image[None], f=image[None])[0] - clean
            values.append(-10 * math.log10(float(error.square().mean())))
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="bsd.npz")
    parser.add_argument("--seconds", type=float, default=Choices.seconds)
    arguments = parser.parse_args()
    choices = Choices(seconds=arguments.seconds)
    torch.set_num_threads(1)
    data = np.load(arguments.path)
    training, test = (torch.from_numpy(data[k]).float().div(255).unsqueeze(1) for k in ("train", "test"))
    given = noisy(test, torch.Generator().manual_seed(0))
    start = time.process_time()
    compiled = network(choices)
    torch.manual_seed(0)
    module = compiled.module()
    print(f"compiled in {time.process_time() - start:.1f} s; {choices}")
    steps = train(module, training[:380], choices)
    print(f"{steps} steps; parameters {sum(p.numel() for p in module.parameters())}")
    chosen = training[380:]
    value = psnr(module, chosen, noisy(chosen, torch.Generator().manual_seed(2)))
    print(f"PSNR, images 381 to 400: {value:.2f}")
    print(f"PSNR, every sixth test image: {psnr(module, test[::6], given[::6]):.2f}")


if __name__ == "__main__":
    main()
