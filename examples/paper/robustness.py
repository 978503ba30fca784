"""How much networks that denoise enlarge a perturbation of their data, against the proved bound.

Ascent of ‖N(f + d) - N(f)‖/‖d‖ on the sphere ‖d‖ = eps, by projected gradients from random starts.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from common import SIGMA, Cell, Lengths, alive, arguments, run, signals, train
from networks import RATES, SIZE, diffusion
from torch import Tensor, nn

import pde2net as p2n

CHANNELS, BLOCKS = 8, 6
BOUNDED = ("monotone", "nonmonotone, data term", "monotone, data term")
STANDARD = ("residual", "unet")
NETWORKS = ("monotone", "residual", "nonmonotone, data term", "unet", "monotone, data term", "nonmonotone")
LIPSCHITZ = 3
EPS = (0.01, 0.1, 1.0)  # norms of perturbations over that of the noise
FULL, QUICK = Lengths(10_000, 1_000, 1_000, 32, 8, 40), Lengths(160, 40, 40, 20, 2, 1)
ATTACKED, STEPS, STARTS = 50, 60, 3


class WithData(nn.Module):
    """A network whose data f are its input."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, u: Tensor) -> Tensor:
        found: Tensor = self.module(u, f=u)
        return found


def made(name: str) -> nn.Module:
    explicit = p2n.Explicit(tau=None, steps=BLOCKS)
    with_data = p2n.Explicit(tau=None, steps=BLOCKS, fidelity="implicit")
    if name == "residual":
        return p2n.learn.baselines.residual(1, CHANNELS, BLOCKS, SIZE)
    if name == "unet":
        return alive(lambda: p2n.learn.baselines.unet(1, 4), torch.rand(8, 1, 64))
    if name == "monotone":
        return diffusion(CHANNELS, explicit, "Charbonnier").module()
    if name == "monotone, data term":
        return WithData(diffusion(CHANNELS, with_data, "Charbonnier", data_term=True).module())
    if name == "nonmonotone, data term":
        network = diffusion(CHANNELS, with_data, "exponential", data_term=True, lipschitz=LIPSCHITZ)
        return WithData(network.module())
    return diffusion(CHANNELS, explicit, "exponential").module()


def bound(module: nn.Module) -> float | None:
    """The constant in the data that is proved for the trained weights; None where there is none."""
    if isinstance(module, p2n.learn.baselines.Residual | p2n.learn.baselines.UNet):
        return None
    certificate = p2n.learn.certify(module.module if isinstance(module, WithData) else module)
    claim = certificate.claims["lipschitz_in_data"]
    return float(claim.factor) if str(claim.status) == "proved" else None


def growth(module: nn.Module, f: Tensor, eps: float, steps: int, starts: int, seed: int) -> Tensor:
    """The largest quotient found for each signal."""
    generator = torch.Generator().manual_seed(seed)
    size = eps * SIGMA * f.shape[-1] ** 0.5
    with torch.no_grad():
        base = module(f)
    best = torch.zeros(len(f), dtype=f.dtype)

    def scaled(d: Tensor) -> Tensor:
        return size * d / d.flatten(1).norm(dim=1).clamp_min(1e-30).view(-1, 1, 1)

    for _ in range(starts):
        d = scaled(torch.randn(f.shape, generator=generator, dtype=f.dtype))
        for step in range(steps):
            d.requires_grad_(True)
            grown = (module(f + d) - base).flatten(1).norm(dim=1) / size
            best = torch.maximum(best, grown.detach())
            (gradient,) = torch.autograd.grad(grown.clamp_min(1e-30).log().sum(), d)
            d = scaled((d + (1 - step / steps) * scaled(gradient)).detach())
    return best


def work(name: str, lengths: Lengths, attack: tuple[int, int, int], seed: int, budget: str) -> dict[str, Any]:
    module = made(name)
    data = signals(lengths, seed)
    rate = RATES[name] if name in RATES else RATES["diffusion"]
    row = train(module, data, budget, lengths, rate, seed)
    count, steps, starts = attack
    proved = bound(module)
    row |= {} if proved is None else {"bound": proved}
    module.double().eval()
    f = data.test.first(count).inputs.double()
    for eps in EPS:
        found = growth(module, f, eps, steps, starts, seed)
        row |= {f"largest growth, {eps}": float(found.max()), f"mean growth, {eps}": float(found.mean())}
    return row


def cells(quick: bool) -> list[Cell]:
    lengths, attack = (QUICK, (5, 10, 1)) if quick else (FULL, (ATTACKED, STEPS, STARTS))
    return [Cell(name, CHANNELS, partial(work, name, lengths, attack)) for name in NETWORKS]


if __name__ == "__main__":
    run("robustness", cells, arguments(__doc__))
