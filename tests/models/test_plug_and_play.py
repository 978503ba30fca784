"""examples/plug_and_play.py: its operators, residuals that never rise, and total variation, beaten."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import pde2net as p2n

PATH = Path(__file__).parents[2] / "examples" / "plug_and_play.py"


@pytest.fixture(scope="module")
def example() -> Any:
    spec = importlib.util.spec_from_file_location("plug_and_play", PATH)
    assert spec is not None and spec.loader is not None
    module = sys.modules["plug_and_play"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def clean() -> torch.Tensor:
    return p2n.learn.photographs("test")["camera"][None, :, 90:138, 190:238].double()


@pytest.mark.parametrize("name", ["deblurring", "inpainting"])
def test_the_operator_and_its_proximal_step(example: Any, clean: torch.Tensor, name: str) -> None:
    """A is symmetric with ‖A‖ <= 1, and J x solves z - x + eta A^T (A z - y) = 0."""
    task = getattr(example, name)(clean)
    u, v = torch.randn_like(clean), torch.randn_like(clean)
    torch.testing.assert_close((task.A(u) * v).sum(), (u * task.A(v)).sum())
    for w in (u, torch.ones_like(u)):
        assert task.A(w).norm() <= w.norm() * (1 + 1e-12)
    z = task.proximal(u, 7.0)
    torch.testing.assert_close(z + 7.0 * task.A(task.A(z) - task.y), u, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["deblurring", "inpainting"])
def test_residuals_never_rise_and_total_variation_is_beaten(
    example: Any, clean: torch.Tensor, name: str
) -> None:
    task = getattr(example, name)(clean)
    x, residuals = example.plug_and_play(p2n.models.denoiser("t3"), task, 40)
    assert len(residuals) == 40 and residuals[-1] < residuals[0] / 50
    assert all(b <= a * (1 + 1e-12) for a, b in itertools.pairwise(residuals))
    best = max(
        example.psnr(example.total_variation(task, w * example.NOISE, 60), clean) for w in example.WEIGHTS
    )
    assert example.psnr(x, clean) > best


def test_residuals_never_rise_from_wild_starts(example: Any, clean: torch.Tensor) -> None:
    denoiser = p2n.models.denoiser("t3")
    task = example.inpainting(clean)
    x = 10 * torch.randn_like(clean)
    with torch.no_grad():
        before, last = x, float("inf")
        for _ in range(15):
            before, x = x, denoiser(task.proximal(x, task.eta), task.sigma)
            assert (x - before).norm() <= last * (1 + 1e-12)
            last = float((x - before).norm())
