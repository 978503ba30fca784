"""Small networks and data of tests of training."""

from __future__ import annotations

from typing import Any

import sympy as sp
import torch

import pde2net as p2n

t = sp.Symbol("t", real=True)
x = sp.Symbol("x", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, t)
f = sp.Function("f")(x)
K = p2n.LinearOperator("K", out_channels=4, kernel_size=5)
EXPLICIT = p2n.Explicit(tau=None, steps=2)


def network(scheme: Any = EXPLICIT, fidelity: bool = False, **options: Any) -> p2n.Network:
    rhs = -K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2)) + ((f - u) / 10 if fidelity else 0)
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters={lam: 0.1})
    chosen = {"trainable": [K, lam], "shared": False, "keep_stable": True, **options}
    return p2n.compile(problem, scheme, **chosen)


def module(seed: int = 1, **options: Any) -> torch.nn.Module:
    torch.manual_seed(seed)
    return network(**options).module()


def data(count: int = 24, length: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy signals, and clean ones."""
    clean = p2n.learn.signals(count, length, seed=5)
    generator = torch.Generator().manual_seed(2)
    return clean + 0.05 * torch.randn(clean.shape, generator=generator), clean


def weights(made: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in made.state_dict().items()}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
