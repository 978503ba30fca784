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
from torch import nn

import pde2net as p2n

x, y, t = sp.symbols("x y t", real=True)
u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)
beta = sp.Symbol("beta", positive=True)
sigma = p2n.Input("sigma", positive=True)
FIELDS = {"f": "input", "sigma": "noise"}


@dataclass(frozen=True)
class Tier:
    """A kind of network and how it is trained.

    title    what it is
    make     the network, by a backend
    claim    what is proved for all weights; "" for networks of others
    fields   what the network takes beside the image
    batch    patches of `patch` x `patch` cells in a step
    steps    of an epoch
    epochs   of a training of one level of noise
    tuning   epochs of another level, from those weights: about ten minutes
    rate     of Adam, which falls to 0 as a cosine
    """

    title: str
    make: Callable[[str], nn.Module]
    claim: str = ""
    fields: Mapping[str, str] = field(default_factory=lambda: FIELDS)
    steps: int = 380
    epochs: int = 60
    tuning: int = 10
    patch: int = 64
    batch: int = 4
    rate: float = 0.005


def explicit(
    filters: int,
    size: int,
    scales: Sequence[sp.Rational],
    blocks: int,
    kernel: str,
    weight: float,
    shared: bool = False,
    **kept: Any,
) -> Callable[[str], nn.Module]:
    """Explicit steps of u_t = -K^T (g(K u) * K u) + beta (f - u), the g of each filter a mixture of kernels.

    scales  of the kernels, in standard deviations of the noise in a response
    weight  the sum of the weights of the kernels to start from
    shared  whether all blocks have the same weights
    """

    def make(backend: str) -> nn.Module:
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
        made = p2n.compile(problem, scheme, trainable=trained, shared=shared, keep_stable=True, **kept)
        return made.module(backend)

    return make


def steady(filters: int, size: int, iterations: int, lipschitz: int) -> Callable[[str], nn.Module]:
    """The steady state of the same equation, whose constant in the data stays below `lipschitz`.

    Fluxes of Charbonnier kernels grow, and may smooth as much as they like; those of exponentials fall again,
    and their slopes are what the constant bounds: alone they divide noise by about 3 at most.
    """

    def make(backend: str) -> nn.Module:
        K = p2n.LinearOperator("K", filters, size, border="continued", zero_mean=True)
        unit = sp.nsimplify(max(p2n.learn.noise(K, 1)), rational=True).limit_denominator(10**6)
        kinds = (("charbonnier", "v", OCTAVES[1:], 1.0), ("exponential", "w", OCTAVES[2:4], 0.02))
        g, start = sp.S.Zero, {}
        for kernel, letter, scales, weight in kinds:
            weights = [K.parameter(f"{letter}{j}", nonnegative=True) for j in range(len(scales))]
            widths = [s * unit * sigma for s in scales]
            g += p2n.diffusivities.mixture(K(u) ** 2, weights=weights, scales=widths, kernel=kernel)
            start |= {w: [weight / len(scales)] * filters for w in weights}
        problem = p2n.Problem(
            sp.Eq(u.diff(t), -K.adjoint(g * K(u)) + beta * (f - u)), parameters={beta: 0.3, **start}
        )
        scheme = p2n.Implicit(tau=sp.oo, steps=1, solver=p2n.Descent(iterations=iterations))
        return p2n.compile(
            problem, scheme, trainable=[K, *start, beta], keep_stable=True, lipschitz=lipschitz
        ).module(backend)

    return make


OCTAVES = [sp.Rational(8, 2**j) for j in range(6)]
TIERS = {
    "t1": Tier(
        "T1: 5 steps, 24 filters of 5 x 5",
        explicit(24, 5, OCTAVES, 5, "exponential", 0.5),
        "bounded_by_data",
        epochs=100,
        tuning=45,
    ),
    "t1-large": Tier(
        "T1: 7 steps, 48 filters of 7 x 7",
        explicit(48, 7, OCTAVES, 7, "exponential", 0.5),
        "bounded_by_data",
        epochs=30,
        tuning=12,
    ),
    "t2": Tier(
        "T2: steady state, 32 filters of 7 x 7",
        steady(32, 7, 20, 10),
        "lipschitz_in_data",
        epochs=30,
        tuning=5,
        patch=48,
    ),
    "t3": Tier(
        "T3: 8 steps, 48 filters of 5 x 5, monotone",
        explicit(48, 5, OCTAVES[1:], 8, "charbonnier", 1.0, averaged=sp.Rational(99, 100)),
        "averaged",
        epochs=40,
        patch=48,
    ),
    "t3-shared": Tier(
        "T3: 20 steps of one block, 32 filters of 7 x 7, monotone",
        explicit(32, 7, OCTAVES[1:], 20, "charbonnier", 1.0, shared=True, averaged=sp.Rational(99, 100)),
        "averaged",
        epochs=45,
        patch=48,
    ),
    "dncnn": Tier(
        "like DnCNN, 8 layers",
        lambda backend: p2n.learn.baselines.dncnn(parameters=3730),
        fields={},
        rate=0.003,
    ),
}


def adam(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, betas=(0.9, 0.99))


def train(
    tier: Tier,
    module: nn.Module,
    images: Sequence[torch.Tensor] | torch.Tensor,
    checks: Sequence[torch.Tensor] | torch.Tensor,
    noise: p2n.learn.Noise,
    folder: Path,
    epochs: int,
    rate: float,
) -> nn.Module:
    """Goes on where a training in that folder stopped. The network that is returned is that of torch."""
    if not tier.claim:
        module.compile()  # shorter steps, after some minutes; certified networks have kernels
    p2n.learn.fit(
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
        fields=tier.fields,
    )
    plain = tier.make("torch")
    plain.load_state_dict(module.state_dict())
    return plain
