"""Networks of certified denoisers and how they are trained, shared by scripts with different data.

All see the level of the noise as an input: scales of diffusivities are multiples of what the noise does to a
response. So sigma is the unit of grey values, and weights for one level are of use at others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sympy as sp
import torch

import pde2net as p2n

x, y, t = sp.symbols("x y t", real=True)
u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)
beta = sp.Symbol("beta", positive=True)
sigma = p2n.Input("sigma", positive=True)
FIELDS = {"f": "input", "sigma": "noise"}


@dataclass(frozen=True)
class Tier:
    """A kind of network and how it is trained.

    claim    what is proved for all weights
    make     the network
    batch    patches of `patch` x `patch` cells in a step
    steps    of an epoch
    epochs   of a training of one level of noise
    rate     of Adam, which falls to 0 as a cosine
    """

    claim: str
    make: Callable[[], p2n.Network]
    steps: int = 380
    epochs: int = 120
    patch: int = 64
    batch: int = 4
    rate: float = 0.005
    options: Mapping[str, Any] = field(default_factory=dict)


def explicit(
    filters: int,
    size: int,
    scales: Sequence[sp.Rational],
    blocks: int,
    kernel: str,
    weight: float,
    **kept: Any,
) -> Callable[[], p2n.Network]:
    """Explicit steps of u_t = -K^T (g(K u) * K u) + beta (f - u), the g of each filter a mixture of kernels.

    scales  of the kernels, in standard deviations of the noise in a response
    weight  the sum of the weights of the kernels to start from
    """

    def make() -> p2n.Network:
        K = p2n.LinearOperator("K", filters, size, border="continued", zero_mean=True)
        weights = [K.parameter(f"w{j}", nonnegative=True) for j in range(len(scales))]
        unit = sp.nsimplify(max(p2n.learn.noise(K, 1)), rational=True).limit_denominator(10**6)
        widths = [s * unit * sigma for s in scales]
        g = p2n.diffusivities.mixture(K(u) ** 2, weights=weights, scales=widths, kernel=kernel)
        start = {w: [weight / len(scales)] * filters for w in weights}
        problem = p2n.Problem(
            sp.Eq(u.diff(t), -K.adjoint(g * K(u)) + beta * (f - u)), parameters={beta: 0.1, **start}
        )
        scheme = p2n.Explicit(tau=None, steps=blocks, fidelity="implicit")
        trained = [K, *weights, beta, "tau"]
        return p2n.compile(problem, scheme, trainable=trained, shared=False, keep_stable=True, **kept)

    return make


def steady(filters: int, size: int, iterations: int, lipschitz: int) -> Callable[[], p2n.Network]:
    """The steady state of the same equation, whose constant in the data stays below `lipschitz`."""

    def make() -> p2n.Network:
        K = p2n.LinearOperator("K", filters, size, border="continued", zero_mean=True)
        weights = [K.parameter(f"w{j}", nonnegative=True) for j in range(4)]
        unit = sp.nsimplify(max(p2n.learn.noise(K, 1)), rational=True).limit_denominator(10**6)
        widths = [s * unit * sigma for s in OCTAVES[:4]]
        g = p2n.diffusivities.mixture(K(u) ** 2, weights=weights, scales=widths, kernel="exponential")
        start = {w: [0.125] * filters for w in weights}
        problem = p2n.Problem(
            sp.Eq(u.diff(t), -K.adjoint(g * K(u)) + beta * (f - u)), parameters={beta: 0.3, **start}
        )
        scheme = p2n.Implicit(tau=sp.oo, steps=1, solver=p2n.Descent(iterations=iterations))
        return p2n.compile(
            problem, scheme, trainable=[K, *weights, beta], keep_stable=True, lipschitz=lipschitz
        )

    return make


OCTAVES = [sp.Rational(8, 2**j) for j in range(6)]
TIERS = {
    "t1": Tier("bounded_by_data", explicit(24, 5, OCTAVES, 5, "exponential", 0.5)),
    "t1-large": Tier("bounded_by_data", explicit(48, 7, OCTAVES, 7, "exponential", 0.5), epochs=40),
    "t2": Tier("lipschitz_in_data", steady(24, 7, 30, 10), epochs=40, patch=48),
    "t3": Tier(
        "averaged",
        explicit(48, 5, OCTAVES[1:], 8, "charbonnier", 1.0, averaged=sp.Rational(99, 100)),
        epochs=60,
        patch=48,
    ),
}


def adam(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, betas=(0.9, 0.99))


def train(
    tier: Tier,
    module: torch.nn.Module,
    images: Sequence[torch.Tensor] | torch.Tensor,
    checks: Sequence[torch.Tensor] | torch.Tensor,
    noise: p2n.learn.Noise,
    folder: Path,
    epochs: int,
    rate: float,
) -> p2n.learn.History:
    """Goes on where a training in that folder stopped."""
    return p2n.learn.fit(
        module,
        noise,
        images,
        epochs,
        batch=tier.batch,
        lr=rate,
        optimizer=adam,
        scheduler="cosine",
        patch=tier.patch,
        patches=max(1, round(tier.steps * tier.batch / len(images))),
        flips=True,
        validation=(noise, checks),
        seed=1,
        checkpoint=folder,
        resume=True,
        fields=FIELDS,
        **tier.options,
    )
