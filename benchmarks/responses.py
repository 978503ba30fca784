"""Learned filters: kernels for K^T phi(K u) against the torch module; tables for peers.py."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp
import torch
import torch.nn.functional as F
from implicit import solve
from timing import alternate

import pde2net as p2n

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
BLOCKS, IMAGES = 8, (8, 1, 128, 128)


def perona_malik(K: p2n.LinearOperator) -> tuple[sp.Expr, list[Any]]:
    contrast = K.parameter("lambda", positive=True)
    return K(u) / (1 + K(u) ** 2 / contrast**2), [contrast]


def octaves(K: p2n.LinearOperator) -> tuple[sp.Expr, list[Any]]:
    weights = [K.parameter(f"w{j}", nonnegative=True) for j in range(6)]
    scales = [R(1, 2**j) for j in range(6)]
    g = p2n.diffusivities.mixture(K(u) ** 2, weights=weights, scales=scales, kernel="exponential")
    return g * K(u), weights


def spline(K: p2n.LinearOperator) -> tuple[sp.Expr, list[Any]]:
    phi = p2n.Spline("phi", knots=31, reach=R(1, 2), slopes=(0, 1), filters=K)
    return phi(K(u)), [phi]


ACTIVATIONS = {"Perona-Malik": perona_malik, "six exponentials": octaves, "spline, 31 knots": spline}
CASES = [
    ("Perona-Malik", 16, 5),
    ("six exponentials", 16, 5),
    ("spline, 31 knots", 16, 5),
    ("Perona-Malik", 8, 3),
    ("Perona-Malik", 48, 7),
    ("Perona-Malik", 64, 9),
]


def network(activation: str, filters: int, size: int) -> p2n.Network:
    K = p2n.LinearOperator("K", filters, size)
    flux, trained = ACTIVATIONS[activation](K)
    start = {p: [0.1] * filters for p in trained if isinstance(p, sp.Symbol)}
    problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(flux)), parameters=start)
    scheme = p2n.Explicit(tau=None, steps=BLOCKS)
    return p2n.compile(problem, scheme, trainable=[K, *trained], shared=False, keep_stable=True)


def step(module: torch.nn.Module, image: torch.Tensor) -> Callable[[], Any]:
    return lambda: module(image).square().mean().backward()


def steps(quick: bool) -> Iterator[str]:
    """Training and inference, on one thread and on all."""
    image, most = torch.rand(IMAGES), torch.get_num_threads()
    for activation, filters, size in CASES[: 1 if quick else None]:
        made = network(activation, filters, size)
        modules = {"kernels": made.module(backend="numba").float(), "torch": made.module().float()}
        modules["kernels"].load_state_dict(modules["torch"].state_dict())
        cells = [f"| {activation}, {filters} of {size} x {size} "]
        for threads in (1, most):
            torch.set_num_threads(threads)
            for task in (step, solve):
                tasks = {name: task(module, image) for name, module in modules.items()}
                own, other = (statistics.median(v) for v in alternate(tasks, 1 if quick else 5).values())
                cells.append(f"| {own:.3f} | {other / own:.1f} ")
        yield f"{''.join(cells)}|"


def convolutions(quick: bool) -> Iterator[str]:
    """What torch reaches by itself, in multiplications and additions: 16 filters of 5 x 5, and back."""
    image, weight = torch.rand(IMAGES), torch.rand(16, 1, 5, 5)
    response = F.conv2d(image, weight)
    tasks = {
        "conv2d, 1 to 16 channels": lambda: F.conv2d(image, weight),
        "conv_transpose2d, 16 to 1": lambda: F.conv_transpose2d(response, weight),
    }
    for name, own in alternate(tasks, 3 if quick else 15).items():
        yield f"| {name} | {response.numel() * 25 / statistics.median(own) / 1e9:.0f} |"


def page(quick: bool) -> Iterator[str]:
    most = torch.get_num_threads()
    yield f"\n## Learned filters: {BLOCKS} blocks, {' x '.join(map(str, IMAGES))}\n"
    yield (
        "| activation, filters | training step on one thread, s | faster than torch by | inference, s | by "
        f"| step on {most} threads, s | by | inference, s | by |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    yield from steps(quick)
    yield "\n| a convolution of torch | billion multiplications per second |"
    yield "| --- | --- |"
    yield from convolutions(quick)
