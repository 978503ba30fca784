"""Many adversarial inputs and weights against what is kept, and many splines against balls (long)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from flint import arb
from learned_models import MODELS, norms, weights, wild

import pde2net as p2n

pytestmark = pytest.mark.long
SETS, IMAGES, ASCENTS = (
    10,
    1000,
    8,
)  # of weights, of inputs for each, of steps of both
PARTS = 500  # of a piece of a spline, a ball each


def ascended(values: list[torch.Tensor], ratio: torch.Tensor, rates: list[float]) -> list[torch.Tensor]:
    """Each moved along its gradient by a part of its own size."""
    found = torch.autograd.grad(ratio, values)
    return [
        (v + rate * v.norm() * slope / slope.norm().clamp(min=1e-30)).detach()
        for v, slope, rate in zip(values, found, rates, strict=True)
    ]


@pytest.mark.parametrize("name", ["mixture", "spline", "per filter"])
def test_no_input_and_no_weights_raise_the_norm(name: str) -> None:
    model = MODELS[name](2, border="continued", zero_mean=True)
    values = {n: a.tolist() for n, a in weights(model, 0).items() if n not in ("K", "phi")}
    problem = p2n.Problem(model.problem.equation, parameters=values)
    scheme = p2n.Explicit(tau=None, steps=3)
    options: dict[str, Any] = {"trainable": list(model.shapes), "shared": False, "keep_stable": True}
    network = p2n.compile(problem, scheme, **options)
    assert network.certificate.claims["l2_stability"].status == "proved"
    largest = 0.0
    for seed in range(SETS):
        module = wild(network.module().double(), 10.0 ** (seed % 3 - 1), seed)
        parameters = [p for p in module.parameters() if p.numel()]
        v = torch.randn(IMAGES, 1, 7, 7, dtype=torch.float64) * 10.0 ** (seed % 4 - 2)
        for _ in range(ASCENTS):
            v = v.requires_grad_()
            ratios = norms(module(v)) / norms(v)
            largest = max(largest, float(ratios.detach().max()))
            (v,) = ascended([v], ratios.sum(), [0.3])
            used = [p for p in parameters if p.requires_grad]
            slopes = torch.autograd.grad((norms(module(v)) / norms(v)).sum(), used, allow_unused=True)
            with torch.no_grad():
                for p, slope in zip(used, slopes, strict=True):
                    if slope is not None:
                        p += 0.1 * p.norm() * slope / slope.norm().clamp(min=1e-30)
    assert 0.9 < largest <= 1 + 1e-9


def test_bounds_at_knots_are_those_of_balls() -> None:
    """sup and inf of phi(s)/s over 1 000 splines, with slopes as they are kept in [-1, 2]."""
    problem = MODELS["spline"](1).problem
    source = p2n.compile(problem, p2n.Explicit(tau=None), trainable=["K", "phi"], keep_stable=True).source()
    space: dict[str, Any] = {}
    exec(source, space)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        raw = torch.tensor(rng.normal(0.5, 2, (1, 6)))
        kept = space["signed_slopes"](raw, -1.0, 2.0)[0].tolist()
        heights = np.concatenate([[0.0], np.cumsum(kept[:-1]) / 5]).tolist()  # knots at 0, 1/5, ..., 1
        known = [kept[0], *(5 * heights[j] / j for j in range(1, 6)), kept[-1]]
        assert min(known) >= -1e-12 and max(known) <= 2 + 1e-12
        balls = [arb(kept[0])]
        for j in range(1, 6):  # phi/s = slope + (phi_j - slope s_j) r with r = 1/s, which ends at 0
            start, end = 5 / (j + 1) if j < 5 else 0.0, 5 / j
            parts = [
                arb(start + (end - start) * (k + 0.5) / PARTS, (end - start) / PARTS) for k in range(PARTS)
            ]
            balls += [kept[j] + (arb(heights[j]) - arb(kept[j]) * j / 5) * r for r in parts]
        low, high = min(float(b.lower()) for b in balls), max(float(b.upper()) for b in balls)
        assert low <= min(known) + 1e-12 and min(known) - low < 0.02
        assert high >= max(known) - 1e-12 and high - max(known) < 0.02
