"""How multigrid cycles contract for holes of different shapes, and what the default implicit cell costs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator

import numpy as np
import sympy as sp
import torch
from schemes import HEAT

import pde2net as p2n
from pde2net import laplacian

x, y, z, t = sp.symbols("x y z t", real=True)
Mask = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
CYCLES = {
    "V(1,1)": {},
    "V(2,2)": {"pre": 2, "post": 2},
    "V(1,1), red-black": {"smoother": "red-black"},
    "W(1,1)": {"cycle": "W"},
    "V(2,2), order 4": {"pre": 2, "post": 2},
    "V(3,3), order 4": {"pre": 3, "post": 3},
}


def shapes(*size: int) -> Iterator[tuple[str, Mask]]:
    """Masks, 1 where the image is known."""
    index, n = np.indices(size), min(size)
    middle = np.all([(size[i] // 4 <= k) & (k < size[i] - size[i] // 4) for i, k in enumerate(index)], axis=0)
    border = np.any([(k == 0) | (k == size[i] - 1) for i, k in enumerate(index)], axis=0)
    yield "block inside", 1.0 - middle
    yield "first quarter", 1.0 * (index[0] >= size[0] // 4)
    yield "half", 1.0 * (index[-1] < size[-1] // 2)
    yield "border known", 1.0 * border
    yield "stripes of 5", (index[-1] // 5) % 2.0
    yield "checkerboard of 8", (index // 8).sum(axis=0) % 2.0
    yield "checkerboard of 3", (index // 3).sum(axis=0) % 2.0
    yield "10 % at random", 1.0 * (np.random.default_rng(n).uniform(size=size) < 0.1)


def factor(mask: Mask, order: int, options: dict[str, object]) -> float:
    """Of the residual per cycle; the solution is zero."""
    axes = (x, y, z)[: mask.ndim]
    u, c = sp.Function("u")(*axes, t), sp.Function("c")(*axes)
    rate = laplacian(u) if order == 2 else -laplacian(laplacian(u))
    problem = p2n.Problem(sp.Eq(u.diff(t), (1 - c) * rate - c * u))
    key = (mask.ndim, order, str(options))
    if key not in NETWORKS:
        scheme = p2n.Multigrid(sp.oo, **options)
        NETWORKS[key] = p2n.compile(problem, scheme, p2n.Grid(), on_unstable="ignore").module().double()
    network, found = NETWORKS[key], []
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=mask.shape))[None, None]
    for network.cycles in (4, 8):
        found.append(network.residuals(noise, c=torch.from_numpy(mask)[None, None]).item())
    return float((found[1] / found[0]) ** (1 / 4)) if found[0] > 1e-12 else 0.0


NETWORKS: dict[tuple[int, int, str], torch.nn.Module] = {}


def contraction() -> list[str]:
    """The largest factor of each shape over sizes, for the mask and its complement."""
    lines = [f"| cells | unknown | {' | '.join(CYCLES)} |", "| --- " * (2 + len(CYCLES)) + "|"]
    for title, sizes in (
        ("1D, 64, 60, 37, 33", [(64,), (60,), (37,), (33,)]),
        ("2D, 64², 45 x 61", [(64, 64), (45, 61)]),
        ("3D, 16³, 13 x 16 x 11", [(16, 16, 16), (13, 16, 11)]),
    ):
        masks: dict[str, list[Mask]] = {}
        for size in sizes:
            for name, mask in shapes(*size):
                masks.setdefault(name, []).append(mask)
                masks.setdefault(f"the rest of {name}", []).append(1 - mask)
        for name, all_sizes in masks.items():
            if not all(mask.any() for mask in all_sizes):
                continue
            row = []
            for cycle, options in CYCLES.items():
                order = 4 if "order" in cycle else 2
                row.append(f"{max(factor(mask, order, options) for mask in all_sizes):.2f}")
            lines.append(f"| {title} | {name} | {' | '.join(row)} |")
    return lines


def default_cell() -> list[str]:
    """Seconds over pixels."""
    lines = ["| size | relative residual | seconds | microseconds per pixel |", "| --- " * 4 + "|"]
    network = p2n.compile(HEAT, p2n.Implicit(tau=100_000, steps=1), p2n.Grid()).module().double()
    for n in (128, 256, 512, 1024):
        image = torch.from_numpy(np.random.default_rng(4).uniform(size=(1, 1, n, n)))
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("error")
            seconds = []
            for _ in range(3):
                start = time.perf_counter()
                network(image)
                seconds.append(time.perf_counter() - start)
            left = network.residuals(image).item()
        best = min(seconds)
        lines.append(f"| {n}² | {left:.1e} | {best:.3f} | {best / n**2 * 1e6:.2f} |")
    return lines
