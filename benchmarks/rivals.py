"""Measures denoisers that others wrote, and those that the package ships: python benchmarks/rivals.py BSD_NPZ

Protocol: benchmarks/denoisers.py. Parameters of total variation and non-local means are those with the best
PSNR on training images 381 to 400, for each level of noise. A row is written to docs/denoising/results.json
as soon as it is measured; rows that are there are kept, so that a run goes on where it stopped. To measure
one again, delete it. BM3D is that of its authors, `pip install bm3d`, free for non-commercial research.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from protocol import Denoiser, add, claimed, images, measured, psnr, rows
from torch import Tensor

import pde2net as p2n

LEVELS = (25, 15, 50)
MODELS = {"t1": "bounded_by_data", "t3": "averaged"}
Made = tuple[Denoiser, dict[str, Any]]  # a denoiser and what its row says of it


def of_arrays(function: Callable[[np.ndarray, float], np.ndarray]) -> Denoiser:
    """A function of grey images as one of batches with one image."""

    def denoise(u: Tensor, sigma: float) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(function(u[0, 0].double().numpy(), sigma)))[None, None]

    return denoise


def total_variation(weight: float) -> Denoiser:
    from skimage.restoration import denoise_tv_chambolle

    return of_arrays(lambda v, s: denoise_tv_chambolle(v, weight=weight * s, eps=1e-5, max_num_iter=500))


def non_local_means(h: float, size: int, distance: int) -> Denoiser:
    from skimage.restoration import denoise_nl_means

    options = {"patch_size": size, "patch_distance": distance, "fast_mode": True}
    return of_arrays(lambda v, s: denoise_nl_means(v, h=h * s, sigma=s, **options))


# The families, with the values among which parameters are chosen; weight and h in units of sigma.
TUNED: dict[str, tuple[Callable[..., Denoiser], dict[str, Sequence[float]]]] = {
    "TV": (total_variation, {"weight": (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9, 1.0)}),
    "non-local means": (
        non_local_means,
        {"h": (0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "size": (3, 5, 7), "distance": (5, 7, 11)},
    ),
}


def tuned(name: str, level: int, path: Path) -> Made:
    """The member of a family with the best mean PSNR on training images 381 to 400."""
    make, grid = TUNED[name]
    clean = images(path)[0][380:]
    noisy = clean + level / 255 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1))
    best: tuple[float, dict[str, float]] = (-np.inf, {})
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        denoise = make(**chosen)
        results = [denoise(v[None], level / 255)[0] for v in noisy]
        mean = float(np.mean([psnr(r, c) for r, c in zip(results, clean, strict=True)]))
        best = max(best, (mean, chosen), key=lambda pair: pair[0])
    units = {"weight": " sigma", "h": " sigma"}
    note = ", ".join(f"{k} {v}{units.get(k, ' pixels')}" for k, v in best[1].items())
    return make(**best[1]), {"note": f"scikit-image; {note}, chosen on training images"}


def bm3d(level: int, path: Path) -> Made:
    try:
        from bm3d import bm3d as function
    except ImportError as error:
        raise SystemExit(
            "BM3D is not installed: pip install bm3d (free for non-commercial research)"
        ) from error
    return of_arrays(function), {"note": "package bm3d of its authors"}


def shipped(name: str, level: int, path: Path) -> Made:
    denoiser = p2n.models.denoiser(name)
    row = {
        "data": "photographs that the package may redistribute",
        "parameters": sum(p.numel() for p in denoiser.parameters()),
        **claimed(denoiser.certificate.claims[MODELS[name]]),
        "note": f'p2n.models.denoiser("{name}"), one network for all levels',
    }
    return lambda u, sigma: denoiser(u, sigma), row


METHODS: dict[str, Callable[[int, Path], Made]] = {
    "pde2net t1": lambda level, path: shipped("t1", level, path),
    "pde2net t3": lambda level, path: shipped("t3", level, path),
    "TV": lambda level, path: tuned("TV", level, path),
    "non-local means": lambda level, path: tuned("non-local means", level, path),
    "BM3D": bm3d,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="bsd.npz")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--sigma", type=int, nargs="+", default=LEVELS, choices=LEVELS)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for level, name in itertools.product(arguments.sigma, arguments.methods):
        if any((r["sigma"], r["name"]) == (level, name) for r in rows()):
            continue
        denoise, about = METHODS[name](level, arguments.path)
        add(level, name, {**about, **measured(denoise, level, arguments.path)})
        print(level, name, next(r["psnr"] for r in rows() if (r["sigma"], r["name"]) == (level, name)))


if __name__ == "__main__":
    main()
