"""Kernels of Triton: in its interpreter what the torch module computes; for a GPU they compile."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from emit.test_kernels import COUPLED, GALLERY, SCHEMES, TAU, agree, close, modules, shortened, slopes
from emit.test_module import SHAPES, declared, inputs_of, rows
from support import equation, uncertified, unknown

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.emit.execute import execute

triton = pytest.importorskip("triton")
R = sp.Rational
x, y = sp.symbols("x y", real=True)
u = unknown(2)


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(triton.knobs.runtime, "interpret", True)
    with np.errstate(all="ignore"):
        yield


def some(every: int) -> list[Any]:
    """The rows of the table of equations; all but some are long."""
    return [r if k % every == 0 else pytest.param(*r, marks=pytest.mark.long) for k, r in enumerate(rows())]


@pytest.mark.parametrize("name,dim,boundary,gradient,order", some(5))
def test_equations_borders_and_stencils(
    name: str, dim: int, boundary: str, gradient: str, order: int, interpreted: None
) -> None:
    problem, grid = declared(name, dim, boundary, gradient=gradient, order=order)
    network = uncertified(problem, p2n.Explicit(tau=R(1, 100), steps=3), grid)
    if "atan" in name:
        with pytest.raises(p2n.EmissionError, match="no kernel of Triton for the function atan"):
            network.source("triton")
        return
    tolerance = 1e-6 if name == "erf" else 1e-10  # the interpreter has erf in single precision
    agree(network, *inputs_of(network, SHAPES[dim]), tolerance, backend="triton")


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.label)
def test_schemes(scheme: Any, boundary: str, interpreted: None) -> None:
    problem, grid = declared("known field", 2, boundary)
    network = uncertified(problem, scheme, grid, trainable=[TAU, *problem.parameters])
    agree(network, *inputs_of(network, SHAPES[2]), backend="triton")


@pytest.mark.parametrize("name", COUPLED)
def test_channels_systems_and_what_changes(name: str, interpreted: None) -> None:
    problem = COUPLED[name]
    network = uncertified(problem, p2n.Explicit(tau=R(1, 40), steps=3), p2n.Grid(), trainable=[TAU])
    channels = max(problem.channels, len(problem.equations))
    u0 = np.random.default_rng(0).uniform(size=(2, channels, *(9, 7)[: len(problem.space)]))
    agree(network, u0, {}, backend="triton")


@pytest.mark.parametrize("path", sorted(GALLERY.glob("*.pde")), ids=lambda p: p.stem)
def test_models_of_the_gallery(path: Path, interpreted: None) -> None:
    made, network = shortened(path)
    if network.architecture != "residual stack":
        with pytest.raises(p2n.EmissionError, match=r"no kernels of Triton for a (recurrent cell|u-net) yet"):
            network.source("triton")
        return
    problem = made.problem
    channels = max(problem.channels, len(problem.equations))
    rng = np.random.default_rng(0)
    shape = (1, channels, *(20, 22)[: len(problem.space)])
    fields = {str(f.func): rng.uniform(size=shape) for f in problem.fields}
    agree(network, rng.uniform(size=shape), fields, tolerance=1e-9, backend="triton")


CONSTANTS = {
    "roots": (sp.sqrt(3) * laplacian(u), {}),
    "spacing": (laplacian(u), {"spacing": sp.sqrt(2)}),
    "functions": (sp.exp(-1) * laplacian(u) + u * 2 ** R(1, 3) * sp.log(2) * sp.sin(1) + sp.pi * u, {}),
    "in norms": (div(grad(u) / (1 + norm2(grad(u)) / sp.sqrt(3))), {}),
    "powers": (laplacian(u) + 2**u + R(1, 3) ** u, {}),
    "places": (div(sp.exp(-x) * grad(u)) + sp.sqrt(1 + x**2) * y * u, {"spacing": R(1, 3)}),
    "branches": (laplacian(u) + sp.Piecewise((R(1, 3), u > 0), (R(1, 7), True)) + sp.sign(u) / 3, {}),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_and_places_are_in_the_precision_of_the_image(name: str, interpreted: None) -> None:
    rhs, grid = CONSTANTS[name]
    network = uncertified(p2n.Problem(equation(rhs, 2)), p2n.Explicit(R(1, 20), 2), p2n.Grid(**grid))
    plain, fast = modules(network, backend="triton")
    image = torch.randn(1, 1, 6, 7, dtype=torch.float64)
    assert fast.by_kernels(image) is not None
    for a, b in zip(slopes(fast, image, {}), slopes(plain, image, {}), strict=True):
        assert (a - b).abs().max() <= 1e-14 * b.abs().max()


def test_single_precision_not_a_number_and_what_is_not_suited(interpreted: None) -> None:
    problem, grid = declared("perona-malik", 2)
    network = uncertified(problem, p2n.Explicit(tau=R(1, 10), steps=3), grid)
    plain, fast = (module.float() for module in modules(network, backend="triton"))
    image = torch.rand(2, 1, 12, 14)
    assert torch.allclose(fast.by_kernels(image), plain(image), rtol=1e-5, atol=1e-6)
    image[0, 0, 3, 4] = float("nan")
    assert torch.equal(torch.isnan(fast.by_kernels(image)), torch.isnan(plain(image)))
    turned = torch.rand(2, 1, 14, 12).transpose(2, 3)
    assert torch.allclose(fast.by_kernels(turned), plain(turned), rtol=1e-5, atol=1e-6)
    for other in (image.half(), image[:0], image[:, :, :1]):
        assert other.numel() == 0 or fast.by_kernels(other) is None
    assert fast(image[:0]).shape == (0, 1, 12, 14)


def test_without_a_gpu_it_is_the_torch_module() -> None:
    problem, grid = declared("heat", 2)
    network = uncertified(problem, p2n.Explicit(tau=R(1, 10), steps=2), grid)
    module = execute(network.source("triton"), anew=True)
    image = torch.rand(1, 1, 9, 8)
    assert module.by_kernels(image) is None
    assert close(module(image), network.module()(image), 0.0)


@pytest.mark.parametrize("dtype", ["fp32", "fp64"])
def test_kernels_compile_for_a_gpu(dtype: str) -> None:
    """To machine code, by Triton's compiler, which needs no GPU for it."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = ("perona-malik", "known field") if dtype == "fp32" else ("you-kaveh",)
    for name in names:
        problem, grid = declared(name, 2)
        network = uncertified(problem, p2n.Explicit(tau=R(1, 100), steps=2), grid, trainable=[TAU])
        module = execute(network.source("triton"), anew=True)
        text = vars(sys.modules[type(module).__module__])
        for number in range(len(text["CHANNELS"])):
            kernel = text["kernel_of"](number)
            kinds = {a: "i32" for a in kernel.arg_names if a == "cells" or a in ("n0", "n1")}
            kinds = {a: kinds.get(a, f"*{dtype}") for a in kernel.arg_names} | {"BLOCK": "constexpr"}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                source = ASTSource(kernel, kinds, constexprs={"BLOCK": 1024})
                made = triton.compile(source, target=GPUTarget("cuda", 90, 32))
            assert made.asm["cubin"]
