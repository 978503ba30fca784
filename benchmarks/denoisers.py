"""Trains and measures certified denoisers: python benchmarks/denoisers.py PATH_OF_BSD_NPZ TIER [--sigma 25]

The archive has `train` (400, 180, 180) and `test` (68, 321, 481), grey images as uint8, those on which TNRD,
DnCNN and WCRR-NN were measured. Training sees images 1 to 380, the best epoch is chosen by 381 to 400. Noise
is unclipped, PSNR that of the whole image with range 1, averaged over the 68.

Sigma 25 is trained from the start, 15 and 50 from the weights for 25. A training goes on where it stopped;
its folder is runs/TIER-SIGMA. What is measured goes to docs/denoising/results.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from protocol import add, claimed, images, measured
from tiers import TIERS, train

import pde2net as p2n

RUNS = Path("runs")


def trained(name: str, level: int, path: Path) -> torch.nn.Module:
    tier = TIERS[name]
    torch.manual_seed(0)
    module = tier.make("numba" if tier.claim else "torch")
    epochs, rate = tier.epochs, tier.rate
    if level != 25:
        p2n.learn.load(module, RUNS / f"{name}-25" / "best.safetensors")
        epochs, rate = tier.tuning, rate / 4
    training, _ = images(path)
    noise = p2n.learn.Noise(level / 255)
    folder = RUNS / f"{name}-{level}"
    return train(tier, module, training[:380], training[380:], noise, folder, epochs, rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="bsd.npz")
    parser.add_argument("tier", choices=TIERS)
    parser.add_argument("--sigma", type=int, default=25, choices=(15, 25, 50))
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    name, level = arguments.tier, arguments.sigma
    tier, module = TIERS[name], trained(name, level, arguments.path).eval()

    def denoise(u: torch.Tensor, sigma: float) -> torch.Tensor:
        known = {"f": u, "sigma": sigma}
        return module(u, **{field: known[field] for field in tier.fields})

    row = measured(denoise, level, arguments.path)
    about = {"data": "images 1 to 380", "parameters": sum(p.numel() for p in module.parameters())}
    if tier.claim:
        about |= claimed(p2n.learn.certify(module).claims[tier.claim])
    add(level, tier.title, {**about, **row})
    print(json.dumps({**row, **about}))


if __name__ == "__main__":
    main()
