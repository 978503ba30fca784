"""Learned models that tests share: values per filter, mixtures, splines, chains, numbers of the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp
import torch

import pde2net as p2n

R = sp.Rational
x, y, z, t = sp.symbols("x y z t", real=True)
AXES = {1: (x,), 2: (x, y), 3: (x, y, z)}


@dataclass(frozen=True)
class Model:
    """An equation, the shapes of what it learns, and what it is given at the call."""

    problem: p2n.Problem
    shapes: dict[str, tuple[int, ...]]
    given: dict[str, float]


def unknown(dimension: int) -> Any:
    return sp.Function("u")(*AXES[dimension], t)


def per_filter(dimension: int = 2, boundary: str = "reflecting", **options: Any) -> Model:
    """A contrast for each filter."""
    u, K = unknown(dimension), p2n.LinearOperator("K", out_channels=3, kernel_size=3, **options)
    lam = K.parameter("lambda", positive=True)
    rhs = -K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2))
    return _model(u, rhs, boundary, {"K": (3, 1, *(3,) * dimension), "lambda": (3,)})


def mixture(dimension: int = 2, boundary: str = "reflecting", **options: Any) -> Model:
    u, K = unknown(dimension), p2n.LinearOperator("K", out_channels=4, kernel_size=3, **options)
    w = [K.parameter(f"w{j}", nonnegative=True) for j in range(2)]
    s = K.parameter("scale", positive=True)
    g = p2n.diffusivities.mixture(K(u) ** 2, weights=w, scales=[R(1, 5), s], kernel="exponential")
    shapes = {"K": (4, 1, *(3,) * dimension), "w0": (4,), "w1": (4,), "scale": (4,)}
    return _model(u, -K.adjoint(g * K(u)), boundary, shapes)


def spline(dimension: int = 2, boundary: str = "reflecting", **options: Any) -> Model:
    u, K = unknown(dimension), p2n.LinearOperator("K", out_channels=2, kernel_size=3, **options)
    phi = p2n.Spline("phi", knots=7, reach=R(1, 2), slopes=(-R(1, 10), 1), filters=K)
    shapes = {"K": (2, 1, *(3,) * dimension), "phi": (2, 4)}
    return _model(u, -K.adjoint(phi(K(u)) + K(u) / 4), boundary, shapes)


def chain(dimension: int = 2, boundary: str = "reflecting", **options: Any) -> Model:
    u, A = unknown(dimension), p2n.LinearOperator("A", out_channels=2, kernel_size=3, **options)
    B = p2n.LinearOperator("B", out_channels=3, kernel_size=3, border=options.get("border", "inside"))
    v, mu = B(A(u)), B.parameter("mu", positive=True)
    shapes = {"A": (2, 1, *(3,) * dimension), "B": (3, 2, *(3,) * dimension), "mu": (3,)}
    return _model(u, -A.adjoint(B.adjoint(v / sp.sqrt(1 + v**2 / mu**2)) + A(u)), boundary, shapes)


def noise(dimension: int = 2, boundary: str = "reflecting", **options: Any) -> Model:
    """The noise level is an input."""
    u, K = unknown(dimension), p2n.LinearOperator("K", out_channels=3, kernel_size=3, **options)
    sigma = p2n.Input("sigma", positive=True)
    rhs = -K.adjoint(K(u) / (1 + K(u) ** 2 / sigma**2))
    return _model(u, rhs, boundary, {"K": (3, 1, *(3,) * dimension)}, sigma=0.4)


MODELS: dict[str, Callable[..., Model]] = {
    "per filter": per_filter,
    "mixture": mixture,
    "spline": spline,
    "chain": chain,
    "noise": noise,
}


def _model(u: Any, rhs: Any, boundary: str, shapes: dict[str, tuple[int, ...]], **given: float) -> Model:
    return Model(p2n.Problem(sp.Eq(u.diff(t), rhs), boundary=boundary), shapes, given)


def weights(model: Model, seed: int, size: float = 0.5) -> dict[str, np.ndarray[Any, Any]]:
    """Values for everything that is learned: signed filters, positive numbers, slopes with phi(s) s >= 0."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in model.shapes.items():
        if name == "phi":
            found[name] = np.round(rng.uniform(0, 1, shape), 3)
        elif len(shape) == 1:
            found[name] = np.round(rng.uniform(0.2, 1, shape), 3)
        else:
            found[name] = np.round(size * rng.normal(size=shape), 3)
    return found


def with_values(model: Model, seed: int, size: float = 0.5) -> p2n.Problem:
    """The problem with values for everything that is learned."""
    problem = model.problem
    values = {name: array.tolist() for name, array in weights(model, seed, size).items()}
    return p2n.Problem(problem.equation, dict(problem.boundary), values)


def norms(v: torch.Tensor) -> torch.Tensor:
    return v.flatten(1).norm(dim=1)


def wild(module: torch.nn.Module, scale: float, seed: int) -> torch.nn.Module:
    """Every parameter far from where it started."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(scale * torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype))
    return module
