"""A denoiser of pde2net in iterations that DeepInverse wrote: they give what loops written here give."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import pde2net as p2n


def imported() -> Any:
    """DeepInverse, or a skip.

    It imports torchvision. A build of that for GPUs does not load its operators beside PyTorch for CPUs, and
    stops since "nms" is missing, which nothing here calls: then it is declared.
    """
    try:
        return pytest.importorskip("deepinv")
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    for name in ("nms", "qnms"):
        OPERATORS.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return pytest.importorskip("deepinv")


OPERATORS = torch.library.Library("torchvision", "FRAGMENT")
deepinv = imported()

SIGMA, ROUNDS = 0.05, 4


@pytest.fixture(scope="module")
def denoiser() -> p2n.models.Denoiser:
    return p2n.models.denoiser("t3")


def test_forward_backward_iteration_with_missing_pixels(denoiser: p2n.models.Denoiser) -> None:
    mask = (torch.rand(1, 1, 24, 20) < 0.5).float()
    y = mask * torch.rand(1, 1, 24, 20)
    model = deepinv.optim.PGD(
        data_fidelity=deepinv.optim.L2(),
        prior=deepinv.optim.PnP(denoiser=denoiser),
        stepsize=1.5,
        sigma_denoiser=SIGMA,
        max_iter=ROUNDS,
    )
    with torch.no_grad():
        found = model(y, deepinv.physics.Inpainting((1, 24, 20), mask=mask))
        x = y  # A^T y
        for _ in range(ROUNDS):
            x = denoiser(x - 1.5 * mask * (mask * x - y), SIGMA)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-5)


def test_colours_behind_a_proximal_step(denoiser: p2n.models.Denoiser) -> None:
    """HQS: the resolvent of the data term, then the denoiser; each colour by itself."""
    clean = torch.rand(2, 3, 16, 18)
    noisy = clean + 0.1 * torch.randn_like(clean)
    model = deepinv.optim.HQS(
        data_fidelity=deepinv.optim.L2(),
        prior=deepinv.optim.PnP(denoiser=denoiser),
        stepsize=2.0,
        sigma_denoiser=SIGMA,
        max_iter=ROUNDS,
    )
    with torch.no_grad():
        found = model(noisy, deepinv.physics.Denoising(deepinv.physics.GaussianNoise(0.1)))
        x = noisy
        for _ in range(ROUNDS):
            x = denoiser((x + 2.0 * noisy) / 3.0, SIGMA)
    torch.testing.assert_close(found, x, rtol=0, atol=1e-5)
