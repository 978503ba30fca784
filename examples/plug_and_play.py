"""Plug and play: a certified denoiser restores photographs that are blurred, or lack half of their pixels.

    python examples/plug_and_play.py            camera, 512 x 512: some minutes
    python examples/plug_and_play.py --quick    64 x 64 of it, in float64

The iteration is x <- N(J(x)): N the shipped denoiser "t3" with a fixed sigma, J the proximal step of the data
term eta/2 ‖A x - y‖², J = (I + eta A^T A)^-1 (. + eta A^T y). N is averaged with 99/100, which is proved for
its weights, and J, a resolvent, with 1/2. So N J is averaged, and nonexpansive: ‖x_(k+1) - x_k‖ never rises,
whatever the photograph, and x_k converges if N J has a fixed point.

Sigma and eta were chosen on other photographs, coins and flower. The rival is total variation, the minimiser
of w TV(x) + ‖A x - y‖²/2 by FISTA, with the weight w that is best for the very photograph that is restored.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import pde2net as p2n

NOISE = 2 / 255
BLUR = 1.6  # standard deviation of the Gaussian, in cells
KNOWN = 0.5  # share of the pixels


@dataclass(frozen=True)
class Task:
    """An operator A = A^T with ‖A‖ <= 1, its data, and how it is solved.

    A          the operator
    proximal   J for data y and a weight eta
    start      x_0, or that of `rough` iterations with ten times sigma, whose last is x_0
    sigma, eta, steps  of the iteration
    """

    name: str
    y: Tensor
    A: Callable[[Tensor], Tensor]
    proximal: Callable[[Tensor, float], Tensor]
    start: Tensor
    sigma: float
    eta: float
    steps: int
    rough: int = 0


def deblurring(clean: Tensor) -> Task:
    """A Gaussian, with periodic borders."""
    symbol = gaussian(clean.shape[-2], clean)[:, None] * gaussian(clean.shape[-1], clean)
    symbol = symbol[:, : clean.shape[-1] // 2 + 1]

    def filtered(u: Tensor, factor: Tensor) -> Tensor:
        return torch.fft.irfft2(factor * torch.fft.rfft2(u), s=u.shape[-2:])

    def A(u: Tensor) -> Tensor:
        return filtered(u, symbol)

    y = A(clean) + NOISE * noise(clean)
    return Task(
        "deblurring",
        y,
        A,
        lambda x, eta: filtered(x + eta * A(y), 1 / (1 + eta * symbol**2)),
        y,
        sigma=3 / 255,
        eta=50,
        steps=60,
    )


def gaussian(size: int, like: Tensor) -> Tensor:
    """The symbol of a Gaussian along an axis, sampled, with sum 1."""
    places = torch.arange(size).to(like)
    weights = torch.exp(-(torch.minimum(places, size - places) ** 2) / (2 * BLUR**2))
    return torch.fft.fft(weights / weights.sum()).real


def inpainting(clean: Tensor) -> Task:
    """Pixels that are known, at random; the others start from their mean."""
    known = (torch.rand(clean.shape, generator=torch.Generator().manual_seed(1)) < KNOWN).to(clean)
    y = known * (clean + NOISE * noise(clean))
    return Task(
        "inpainting",
        y,
        lambda u: known * u,
        lambda x, eta: (x + eta * y) / (1 + eta * known),
        y + (1 - known) * y.sum() / known.sum(),
        sigma=1 / 255,
        eta=100,
        steps=80,
        rough=20,
    )


def noise(clean: Tensor) -> Tensor:
    return torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(clean)


def plug_and_play(denoiser: p2n.models.Denoiser, task: Task, steps: int) -> tuple[Tensor, list[float]]:
    """The last iterate, and ‖x_(k+1) - x_k‖ of all."""
    x, residuals = task.start, []
    with torch.no_grad():
        for _ in range(task.rough):
            x = denoiser(task.proximal(x, task.eta), 10 * task.sigma)
        for _ in range(steps):
            before, x = x, denoiser(task.proximal(x, task.eta), task.sigma)
            residuals.append(float((x - before).norm()))
    return x, residuals


def total_variation(task: Task, weight: float, steps: int) -> Tensor:
    """FISTA with the step 1 <= 1/‖A^T A‖."""
    from skimage.restoration import denoise_tv_chambolle

    x = z = task.start
    t = 1.0
    for _ in range(steps):
        v = (z - task.A(task.A(z) - task.y))[0, 0].double().numpy()
        smooth = denoise_tv_chambolle(v, weight=weight, eps=1e-6, max_num_iter=60)
        before, x = x, torch.from_numpy(smooth)[None, None].to(x)
        t_before, t = t, (1 + math.sqrt(1 + 4 * t * t)) / 2
        z = x + (t_before - 1) / t * (x - before)
    return x


def psnr(result: Tensor, clean: Tensor) -> float:
    return -10 * math.log10(float((result - clean).square().mean()))


@dataclass(frozen=True)
class Row:
    """What is printed of a task: PSNRs, whether residuals never rose, and iterations."""

    task: str
    start: float
    variation: float
    ours: float
    monotone: bool
    steps: int


WEIGHTS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)  # of total variation, times NOISE


def measured(clean: Tensor, make: Callable[[Tensor], Task], steps: int | None, fista: int) -> Row:
    task = make(clean)
    denoiser = p2n.models.denoiser("t3")
    count = steps or task.steps
    x, residuals = plug_and_play(denoiser, task, count)
    rounding = torch.finfo(clean.dtype).eps * float(clean.norm())
    rises = [b > a * (1 + 1e-6) + rounding for a, b in itertools.pairwise(residuals)]
    best = max(psnr(total_variation(task, w * NOISE, fista), clean) for w in WEIGHTS)
    return Row(task.name, psnr(task.start, clean), best, psnr(x, clean), not any(rises), count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="64 x 64 pixels in float64, few iterations")
    quick = parser.parse_args().quick
    clean = p2n.learn.photographs("test")["camera"][None]
    if quick:
        clean = clean[..., 90:154, 190:254].double()
    print(f"{'':12}{'start':>8}{'TV':>8}{'t3':>8}   residuals never rise")
    for make in (deblurring, inpainting):
        row = measured(clean, make, 40 if quick else None, 60 if quick else 200)
        monotone = f"{'yes' if row.monotone else 'no'}, {row.steps} iterations"
        print(f"{row.task:12}{row.start:8.2f}{row.variation:8.2f}{row.ours:8.2f}   {monotone}")
    print("PSNR in dB")


if __name__ == "__main__":
    main()
