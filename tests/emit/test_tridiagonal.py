"""Tridiagonal systems of cells by elimination: what the torch module computes, and its derivatives."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
import sympy as sp
import torch
from emit.test_activations import NUMBERS, close, slopes
from support import AXES, equation, lam, uncertified, unknown

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.emit.execute import execute

R = sp.Rational
SHAPES = {1: (19,), 2: (35, 18), 3: (5, 18, 6)}
SCHEMES = {
    "AOS": p2n.AOS(tau=3, steps=2),
    "Kacanov": p2n.Implicit(3, 2, solver=p2n.Kacanov(iterations=3)),
    "Newton": p2n.Implicit(R(1, 4), 2, solver=p2n.Newton(iterations=3)),
}


def module_of(network: Any) -> torch.nn.Module:
    """One with an operator of its own."""
    source = re.sub(r"\blines_(?=[0-9a-f]{16})", f"lines_{next(NUMBERS)}_", network.source("numba"))
    return execute(source, anew=True).double()


def diffusion(dim: int, boundary: Any) -> p2n.Problem:
    u = unknown(dim)
    flux = grad(u) / (1 + norm2(grad(u)) / lam**2)
    return p2n.Problem(equation(div(flux), dim), boundary=boundary, parameters={lam: R(1, 3)})


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize(("name", "dim"), [("AOS", 1), ("AOS", 2), ("AOS", 3), ("Kacanov", 1), ("Newton", 1)])
def test_cells(name: str, dim: int, boundary: str, uncompiled: None) -> None:
    network = uncertified(diffusion(dim, boundary), SCHEMES[name], trainable=[lam])
    plain, fast = network.module().double(), module_of(network)
    text, calls = vars(sys.modules[type(fast).__module__]), list[int]()
    eliminate = text["eliminate"]
    text["eliminate"] = lambda *handed: (calls.append(1), eliminate(*handed))
    image = torch.rand(2, 1, *SHAPES[dim], dtype=torch.float64)
    for a, b in zip(slopes(fast, image, {}), slopes(plain, image, {}), strict=True):
        assert close(a, b, 1e-9)
    assert calls


def test_compiled_and_what_torch_asks_for() -> None:
    """Threads, layouts, precisions, second derivatives, transformations."""
    network = uncertified(diffusion(2, {AXES[0]: "periodic", AXES[1]: "reflecting"}), SCHEMES["AOS"])
    plain, fast = network.module(), module_of(network).float()
    vars(sys.modules[type(fast).__module__])["ENOUGH"] = 1
    for threads in (1, 2):
        torch.set_num_threads(threads)
        image = torch.rand(3, 1, 37, 50)
        assert torch.allclose(fast(image), plain(image), rtol=1e-5, atol=1e-6)
        turned = torch.rand(1, 1, 50, 37).transpose(2, 3)
        assert torch.allclose(fast(turned), plain(turned), rtol=1e-5, atol=1e-6)
    plain.double(), fast.double()
    small = torch.rand(1, 1, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(fast, (small,)) and torch.autograd.gradgradcheck(fast, (small,))
    image = torch.rand(2, 1, 8, 9, dtype=torch.float64)
    by_torch = torch.func.vmap(lambda u: fast(u[None])[0])(image)
    assert close(by_torch, plain(image), 1e-12)
    _, tangent = torch.func.jvp(fast, (image,), (image,))
    assert close(tangent, torch.func.jvp(plain, (image,), (image,))[1], 1e-12)
    image[0, 0, 3, 4] = float("nan")
    assert torch.isnan(fast(image)[0]).any() and close(fast(image)[1], plain(image)[1], 1e-12)
    assert fast(image[:0]).shape == (0, 1, 8, 9)
    whole = torch.compile(fast, fullgraph=True, backend="aot_eager")
    assert close(whole(image[1:]), plain(image[1:]), 1e-12)
    assert fast.bfloat16()(image.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("dim", [-1, -2])
def test_elimination_solves_systems(dim: int) -> None:
    """Random ones that are diagonally dominant, against dense solutions; lines that fill no vectors."""
    network = uncertified(diffusion(2, "reflecting"), SCHEMES["AOS"])
    text = vars(sys.modules[type(module_of(network)).__module__])
    for shape in ((1, 1, 1, 1), (2, 3, 5, 17), (1, 1, 40, 1), (1, 2, 1, 33)):
        lower, upper, rhs = (torch.rand(shape, dtype=torch.float64) - 0.5 for _ in range(3))
        middle = 1.5 + torch.rand(shape, dtype=torch.float64)
        x = text["solve_tridiagonal"](lower, middle, upper, rhs, dim)
        lines = [a.movedim(dim, -1).reshape(-1, shape[dim]) for a in (lower, middle, upper, rhs, x)]
        for a, b, c, r, found in zip(*lines, strict=True):
            dense = torch.diag(b) + torch.diag(a[1:], -1) + torch.diag(c[:-1], 1)
            assert torch.allclose(dense @ found, r, atol=1e-12)


@pytest.mark.parametrize(
    "scheme", [p2n.Implicit(10, 1), p2n.Theta(R(1, 2), 2)], ids=lambda s: type(s).__name__
)
@pytest.mark.parametrize("linear", [True, False])
def test_implicit_steps_of_signals(scheme: Any, linear: bool, uncompiled: None) -> None:
    """Their solvers and the elimination are in one module."""
    flux = grad(unknown(1)) / (1 if linear else 1 + norm2(grad(unknown(1))))
    network = uncertified(p2n.Problem(equation(div(flux), 1)), scheme)
    fast, plain = (network.module(backend=b).double() for b in ("numba", "torch"))
    signal = torch.rand(2, 1, 21, dtype=torch.float64)
    assert close(fast(signal), plain(signal), 1e-6)
