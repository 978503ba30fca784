"""The emitted bound of ‖K‖: above the norm of every matrix, close to it, differentiable."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from pde2net.emit.spectral_bound import bound_functions
from pde2net.emit.tree import Source, render
from tests.discretise.test_filters import dense


def emitted(dimension: int) -> Callable[[torch.Tensor], torch.Tensor]:
    imports = [
        "from __future__ import annotations",
        "import math",
        "import torch",
        "import torch.nn.functional as F",
        "from torch import Tensor",
    ]
    space: dict[str, Any] = {}
    exec(render(Source("x", imports, (), bound_functions(dimension))), space)
    found: Callable[[torch.Tensor], torch.Tensor] = space["norm_bound"]
    return found


def sampled(weight: torch.Tensor, count: int) -> float:
    """The largest singular value over a grid of angles: a lower bound of the norm on large grids."""
    axes = tuple(range(2, weight.dim()))
    spectrum = torch.fft.fftn(weight.double(), s=[count] * len(axes), dim=axes).flatten(2).permute(2, 0, 1)
    return float(torch.linalg.matrix_norm(spectrum, 2).max())


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((1, 1, 2), 4096),
        ((8, 1, 5), 4096),
        ((3, 16, 7), 1024),
        ((64, 64, 7), 128),
        ((6, 1, 5, 5), 128),
        ((16, 3, 7, 7), 96),
        ((3, 8, 4, 4), 96),
        ((2, 2, 1, 1), 4),
        ((4, 1, 3, 3, 3), 40),
        ((3, 2, 2, 2, 2), 32),
    ],
)
def test_bound_exceeds_the_norm_by_five_percent_at_most(shape: tuple[int, ...], count: int) -> None:
    torch.manual_seed(0)
    bound = emitted(len(shape) - 2)
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        weight = torch.randn(shape, dtype=dtype)
        room = 1.01 if shape[1] == 1 and len(shape) < 5 else 1.05
        room += 8 * torch.finfo(dtype).eps * math.prod(shape) ** 0.5
        assert 1 <= float(bound(weight)) / sampled(weight, count) <= room


@pytest.mark.parametrize("shape", [(5, 1, 4), (4, 1, 3, 3), (1, 3, 3, 3), (5, 2, 3, 3), (3, 1, 2, 2, 2)])
def test_bounds_of_a_batch_are_those_of_its_banks(shape: tuple[int, ...]) -> None:
    bound = emitted(len(shape) - 2)
    banks = torch.randn(2, 3, *shape, dtype=torch.float64) * torch.logspace(-30, 30, 3).view(
        -1, *[1] * len(shape)
    )
    banks[0, 1] = 0
    found = bound(banks)
    assert found.shape == (2, 3)
    for k, row in enumerate(banks):
        for j, bank in enumerate(row):
            torch.testing.assert_close(found[k, j], bound(bank), rtol=1e-12, atol=0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_bound_holds_for_dense_matrices(boundary: str, channels: int) -> None:
    rng = np.random.default_rng(1)
    for dimension, n in ((1, 31), (2, 7)):
        bound = emitted(dimension)
        for size in (2, 3, 5):
            shape = (2, channels, *[size] * dimension)
            weights = rng.normal(size=shape) * rng.choice([0, 1], size=shape)
            for cells in range(size, n, 4):
                norm = np.linalg.norm(dense(weights, (cells,) * dimension, (boundary,) * dimension), 2)
                assert norm <= float(bound(torch.from_numpy(weights)))


def test_bound_holds_between_the_angles() -> None:
    """Filters whose symbol is a peak halfway between two angles: there the margin is needed."""
    bound = emitted(1)
    for size in (2, 3, 5, 8):
        count = 12 * (size - 1)
        angle = np.pi / count
        j = np.arange(size) - (size - 1) / 2
        weight = torch.from_numpy(np.cos(angle * j)).view(1, 1, size)
        fine = max(sampled(weight, 5040), float(abs(np.exp(1j * angle * j) @ weight.view(-1).numpy())))
        assert fine <= float(bound(weight)) <= 1.05 * fine


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e30, -3.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_weights_have_a_finite_bound_and_gradient(value: float, dtype: torch.dtype) -> None:
    weight = torch.full((4, 2, 3, 3), value, dtype=dtype, requires_grad=True)
    bound = emitted(2)(weight)
    bound.backward()
    bound = bound.detach()
    norm = abs(value) * 9 * np.sqrt(8)
    assert max(norm, 1e-9) <= float(bound) <= max(1.05 * norm, 1e-9)
    assert weight.grad is not None and bool(weight.grad.isfinite().all())


@pytest.mark.parametrize("shape", [(3, 2, 3, 3), (3, 1, 3, 3), (2, 3, 1, 3, 3), (4, 1, 5)])
def test_gradient_is_that_of_the_bound(shape: tuple[int, ...]) -> None:
    torch.manual_seed(3)
    weight = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    bound = emitted(1 if len(shape) == 3 else 2)
    assert torch.autograd.gradcheck(bound, (weight,))
    assert torch.autograd.gradgradcheck(bound, (weight,))


@pytest.mark.parametrize("seed", range(5))
def test_bound_holds_at_random_angles(seed: int) -> None:
    """Banks of all sizes: each symbol is below at angles that no grid has, and close somewhere."""
    rng = np.random.default_rng(seed)
    for dimension, channels in ((1, 1), (2, 1), (2, 3)):
        size, filters = int(rng.integers(2, 8)), int(rng.integers(1, 9))
        weight = rng.normal(size=(filters, channels, *[size] * dimension)) ** 3
        angles = rng.uniform(0, 2 * np.pi, (4000, dimension))
        places = np.stack(np.meshgrid(*[np.arange(size)] * dimension, indexing="ij"))
        waves = np.exp(1j * angles @ places.reshape(dimension, -1))
        symbols = np.einsum("fcs,as->afc", weight.reshape(filters, channels, -1), waves)
        norms = np.linalg.norm(symbols, 2, axis=(1, 2))
        bound = float(emitted(dimension)(torch.from_numpy(weight)))
        assert 0.9 * bound <= norms.max() <= bound
