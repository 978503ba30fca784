"""Multigrid for inpainting: cycles contract whatever the shape of the unknown region."""

import numpy as np
import pytest
import sympy as sp
import torch
from support import AXES, equation, uncertified, unknown

import pde2net as p2n
from pde2net import laplacian


def block(shape, *ranges):
    """Known but for a box."""
    mask = np.ones(shape)
    mask[tuple(slice(a, b) for a, b in ranges)] = 0
    return mask


def coarse(shape, size):
    return (np.indices(shape) // size).sum(axis=0) % 2.0


LINES = [block((n,), r) for n in (64, 37) for r in ((16, 48), (16, n), (0, n // 4), (8, 30), (1, n - 1))]
LINES += [block((33,), (16, 33)), block((60,), (30, 60)), 1 - block((48,), (20, 21)), coarse((64,), 8)]
IMAGES = [
    block((32, 32), (0, 8)),
    block((32, 32), (0, 32), (16, 32)),
    block((45, 32), (11, 33), (8, 24)),
    block((32, 32), (1, 31), (1, 31)),
    coarse((45, 45), 8),
    coarse((32, 32), 1),
    coarse((1, 33), 5) * np.ones((30, 1)),
    (np.random.default_rng(1).uniform(size=(37, 32)) < 0.1) * 1.0,
]
IMAGES += [1 - mask for mask in IMAGES[:3]]
VOLUMES = [block((12, 12, 12), (3, 9), (0, 12), (0, 6)), block((9, 12, 8), (0, 9), (0, 6), (0, 8))]


def factor(mask, rate=lambda u: laplacian(u), tau=sp.oo, boundary="reflecting", **options):
    """Of the error per cycle, the mean over four of them; the solution is zero."""
    dim = mask.ndim
    u, c = unknown(dim), sp.Function("c")(*AXES[:dim])
    problem = p2n.Problem(equation((1 - c) * rate(u) - c * u, dim), boundary=boundary)
    module = uncertified(problem, p2n.Multigrid(tau, cycles=4, **options)).module().double()
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=mask.shape))[None, None]
    known, sizes = torch.from_numpy(mask)[None, None], []
    for module.cycles in (4, 8):
        # After an infinite step there is nothing but the error; after a long one, nearly so.
        sizes.append(module.residuals(noise, c=known).item())
    return (sizes[1] / sizes[0]) ** (1 / 4) if sizes[0] > 1e-14 else 0.0


@pytest.mark.parametrize("masks", [LINES, IMAGES, VOLUMES], ids=["1D", "2D", "3D"])
def test_cycles_contract_for_every_shape_of_the_hole(masks):
    worst = max(factor(mask) for mask in masks)
    assert worst < 0.75


@pytest.mark.parametrize(
    "options",
    [
        {"smoother": "red-black"},
        {"smoother": "chebyshev", "pre": 0, "post": 2},
        {"cycle": "W"},
        {"cycle": "FMG", "pre": 2, "post": 2},
        {"tau": 1000},
        {"boundary": "dirichlet"},
        {"boundary": "periodic"},
    ],
    ids=str,
)
def test_so_do_other_cycles_smoothers_borders_and_long_steps(options):
    worst = max(factor(mask, **options) for mask in (*LINES[:3], *IMAGES[:3]))
    assert worst < 0.65


def test_terms_of_order_four_contract_as_well():
    worst = max(factor(m, lambda u: -laplacian(laplacian(u))) for m in (LINES[0], LINES[2], *IMAGES[:3]))
    assert worst < 0.9
