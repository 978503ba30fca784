"""Implicit steps: multigrid by kernels and by torch, and algebraic multigrid; tables for peers.py."""

from __future__ import annotations

import math
import os
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sympy as sp
import torch
from analysis import worktree
from timing import alternate

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2

TAU, TOL = 5, 1e-6
SIZES = (256, 512, 1024, 2048, 4096, 8192)
LARGEST = 2048  # of images for torch
BEFORE = "faf0de7"  # the state before there were kernels
x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
CHARBONNIER = sp.Eq(u.diff(t), div(grad(u) / sp.sqrt(1 + norm2(grad(u)) * 100)))
HEAT = sp.Eq(u.diff(t), laplacian(u))


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from implicit import CHARBONNIER, compiled
print(compiled(CHARBONNIER).source())
"""


def compiled(equation: sp.Eq) -> p2n.Network:
    scheme = p2n.Multigrid(TAU, 1, tol=TOL, cycles=50)
    return p2n.compile(p2n.Problem(equation), scheme, on_unstable="ignore")


def modules(equation: sp.Eq) -> dict[str, torch.nn.Module]:
    made = compiled(equation)
    return {"kernels": made.module(backend="numba").float(), "torch": made.module().float()}


def before() -> torch.nn.Module:
    """The module of Charbonnier diffusion that an earlier commit emitted."""
    with worktree(BEFORE) as tree, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent)]
        own = {**os.environ, "PYTHONPATH": str(tree)}
        done = subprocess.run(command, cwd=tree, env=own, capture_output=True, text=True, check=True)
        source = Path(folder) / "before.py"
        source.write_text(done.stdout)
        made: torch.nn.Module = runpy.run_path(str(source))["DiffusionNetwork"]().float()
        return made


def solve(module: torch.nn.Module, image: torch.Tensor) -> Any:
    def task() -> torch.Tensor:
        with torch.no_grad():
            return module(image)

    return task


def charbonnier(quick: bool) -> Iterator[str]:
    """One step to 1e-6, for images of several sizes, and how the time grows with the number of cells."""
    found = modules(CHARBONNIER) | {"before": before()}
    sizes, own = (64, 128) if quick else SIZES, list[float]()
    for size in sizes:
        image = torch.rand(1, 1, size, size)
        tasks = {k: solve(m, image) for k, m in found.items() if k == "kernels" or size <= LARGEST}
        seconds = {k: statistics.median(v) for k, v in alternate(tasks, 3).items()}
        own.append(seconds.pop("kernels"))
        others = [f"{s:.3f} | {s / own[-1]:.1f}" for s in seconds.values()] or [" | "] * 2
        yield f"| {size} x {size} | {own[-1]:.3f} | {' | '.join(others)} |"
    largest = zip(sizes[-3:], own[-3:], strict=False)
    cells, times = zip(*((2 * math.log(n), math.log(s)) for n, s in largest), strict=True)
    slope = statistics.linear_regression(cells, times).slope
    yield f"\nSlope of log time over log cells, of the three largest by kernels: {slope:.2f}."


def linear(quick: bool) -> Iterator[str]:
    """(1 - tau laplacian) v = u to 1e-6 by V-cycles; then the solve phase of pyamg, in double precision.

    Not in turns: its matrices take so much memory that what runs beside them waits for its own.
    """
    import pyamg
    import scipy.sparse as sparse

    size = 128 if quick else 2048
    image = torch.rand(1, 1, size, size)
    tasks = {name: solve(module, image) for name, module in modules(HEAT).items()}
    seconds = {k: statistics.median(v) for k, v in alternate(tasks, 3).items()}
    two, one, off = np.r_[1, np.full(size - 2, 2), 1], sparse.identity(size), -np.ones(size - 1)
    line = sparse.diags([two, off, off], [0, 1, -1])
    both = sparse.kron(line, one) + sparse.kron(one, line)
    start = time.perf_counter()
    solver = pyamg.ruge_stuben_solver(sparse.csr_matrix(sparse.identity(size**2) + TAU * both))
    setup = time.perf_counter() - start
    right = image.double().numpy().ravel()
    found = alternate({"pyamg, Ruge-Stuben, solve phase": lambda: solver.solve(right, tol=TOL)}, 3)
    seconds |= {k: statistics.median(v) for k, v in found.items()}
    want = solver.solve(right, tol=1e-8).reshape(size, size)
    difference = abs(tasks["kernels"]()[0, 0].numpy() - want).max()
    if not difference < 1e-4:
        raise SystemExit(f"pyamg solves something else: {difference}")
    for name, value in seconds.items():
        yield f"| {name} | {value:.3f} | {value / seconds['kernels']:.1f} |"
    yield f"\nThe set-up of pyamg takes {setup:.1f} s more."


def splitting(quick: bool) -> Iterator[str]:
    """Ten steps of additive operator splitting, with tridiagonal systems along each axis."""
    made = p2n.compile(p2n.Problem(CHARBONNIER), p2n.AOS(tau=TAU, steps=10), on_unstable="ignore")
    found = {"kernels": made.module(backend="numba").float(), "torch": made.module().float()}
    for size in (64,) if quick else (512, 1024):
        image = torch.rand(1, 1, size, size)
        tasks = {name: solve(module, image) for name, module in found.items()}
        own, other = (statistics.median(v) for v in alternate(tasks, 3).values())
        yield f"| {size} x {size} | {own:.3f} | {other:.3f} | {other / own:.1f} |"


def page(quick: bool) -> Iterator[str]:
    yield "\n## Ten steps of additive operator splitting of Charbonnier diffusion\n"
    yield "| image | kernels, s | torch, s | faster by |"
    yield "| --- | --- | --- | --- |"
    yield from splitting(quick)
    yield f"\n## One implicit step of Charbonnier diffusion by multigrid, tau {TAU}, residual {TOL:g}\n"
    yield f"Before: the torch module of {BEFORE}, before there were kernels.\n"
    yield "| image | kernels, s | torch, s | faster by | before, s | faster by |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield from charbonnier(quick)
    yield f"\n## The same of linear diffusion, {128 if quick else 2048} cells along each axis\n"
    yield "| program | seconds | over kernels |"
    yield "| --- | --- | --- |"
    yield from linear(quick)
