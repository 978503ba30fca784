"""What schemes cost for the same result: FSI against explicit steps, multigrid over sizes, inpainting."""

from __future__ import annotations

import math
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as linalg
import sympy as sp
import torch
from skimage import data

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)
SIZES = (64, 128, 256, 512, 1024)
TIMED = (256, 512, 1024, 2048)
RUNS = 5


def equation(g: sp.Expr, value: float | None = None) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={} if value is None else {lam: value})


HEAT = equation(sp.S.One)


def charbonnier(contrast: float) -> p2n.Problem:
    return equation(diffusivities.charbonnier(norm2(grad(u)), lam), contrast)


def perona_malik(contrast: float) -> p2n.Problem:
    return equation(diffusivities.perona_malik(norm2(grad(u)), lam), contrast)


def module(problem: p2n.Problem, scheme: object) -> torch.nn.Module:
    return p2n.compile(problem, scheme, p2n.Grid(), on_unstable="ignore").module().double()


def run(problem: p2n.Problem, scheme: object, image: torch.Tensor, **fields: torch.Tensor) -> torch.Tensor:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fixed number of cycles need not converge
        return module(problem, scheme)(image, **fields)


def fast_semi_iterative() -> list[str]:
    """T = 100 by explicit steps and by FSI cycles, against 2000 explicit steps."""
    image = torch.from_numpy(data.camera()[::2, ::2] / 255.0)[None, None]
    stop = 100
    lines = [
        "| equation | scheme | block evaluations | of explicit | rms error | largest error |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, problem in (
        ("heat", HEAT),
        ("Charbonnier, lambda = 0.1", charbonnier(0.1)),
        ("Perona-Malik, lambda = 0.1", perona_malik(0.1)),
    ):
        fine = run(problem, p2n.Explicit(tau=sp.Rational(1, 20), steps=20 * stop), image)
        explicit = p2n.Explicit.for_time(stop, problem)
        schemes = {"explicit": (explicit, explicit.steps)}
        for freeze in ("cycle", "step"):
            fsi = p2n.FSI.for_time(stop, problem, cycles=3, freeze=freeze)
            # A frozen cycle evaluates the diffusivities once more, at its start.
            count = fsi.cycles * (fsi.cycle_length + (freeze == "cycle"))
            schemes[f'FSI, 3 cycles of {fsi.cycle_length}, freeze="{freeze}"'] = (fsi, count)
        for label, (scheme, count) in schemes.items():
            error = run(problem, scheme, image) - fine
            rms, largest = error.square().mean().sqrt().item(), error.abs().max().item()
            lines.append(
                f"| {name} | {label} | {count} | 1/{explicit.steps / count:.2f} | {rms:.2%} | {largest:.2%} |"
            )
    return lines


def noise(size: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(2).normal(size=(size, size)))[None, None]


def residual(problem: p2n.Problem, tau: float, v: torch.Tensor, image: torch.Tensor) -> float:
    """‖v - tau F(v) - u‖, F taken from one explicit step."""
    with torch.no_grad():
        rate = module(problem, p2n.Explicit(tau=1, steps=1))(v) - v
        return (v - tau * rate - image).norm().item()


def contraction() -> list[str]:
    """Residual factor per V(2,2) cycle, damped Jacobi, five levels: early and late ones."""
    sizes = " | ".join(f"{n}²" for n in SIZES)
    lines = [f"| problem | cycles | {sizes} |", "| --- " * (len(SIZES) + 2) + "|"]
    for name, problem, tau in (("heat, tau = 50", HEAT, 50), ("Charbonnier, tau = 20", charbonnier(0.4), 20)):
        rows: dict[tuple[int, int], list[str]] = {(2, 4): [], (4, 8): []}
        for size in SIZES:
            image = noise(size)
            norms = {
                count: residual(problem, tau, run(problem, cycles(tau, count), image), image)
                for count in (2, 4, 8)
            }
            for (first, last), row in rows.items():
                row.append(f"{(norms[last] / norms[first]) ** (1 / (last - first)):.3f}")
        for (first, last), row in rows.items():
            lines.append(f"| {name} | {first + 1} to {last} | {' | '.join(row)} |")
    return lines


def cycles(tau: float, count: int, **options: object) -> p2n.Multigrid:
    return p2n.Multigrid(tau=tau, steps=1, levels=5, pre=2, post=2, cycles=count, **options)


def scaling() -> list[str]:
    """One implicit step to 1e-6 over the number of pixels."""
    scheme = p2n.Multigrid(tau=20, levels=None, pre=2, post=2, cycles=30, tol=1e-6)
    net = module(charbonnier(0.4), scheme)
    medians = []
    lines = ["| size | seconds | range |", "| --- | --- | --- |"]
    for size in TIMED:
        seconds = timed(partial(net, noise(size)))
        medians.append(statistics.median(seconds))
        lines.append(f"| {size}² | {medians[-1]:.3f} | {min(seconds):.3f} to {max(seconds):.3f} |")
    slope = np.polyfit([2 * math.log(n) for n in TIMED], np.log(medians), 1)[0]
    return [*lines, "", f"Slope of log time over log pixels: {slope:.2f}."]


def timed(task: Callable[[], object]) -> list[float]:
    seconds = []
    with torch.no_grad():
        task()
        for _ in range(RUNS):
            start = time.perf_counter()
            task()
            seconds.append(time.perf_counter() - start)
    return seconds


def inpainting() -> list[str]:
    """The steady state of (1 - c) laplacian(u) + c (f - u) from 5 % of the pixels of a photograph."""
    c, f = sp.Function("c")(x, y), sp.Function("f")(x, y)
    problem = p2n.Problem(sp.Eq(u.diff(t), (1 - c) * laplacian(u) + c * (f - u)))
    photograph = data.camera() / 255.0
    known = np.random.default_rng(0).random(photograph.shape) < 0.05
    mask = torch.from_numpy(known.astype(float))[None, None]
    values = torch.from_numpy(photograph * known)[None, None]
    start = values.clone()
    one = module(problem, p2n.Explicit(tau=1, steps=1))

    def size(v: torch.Tensor) -> float:
        with torch.no_grad():
            return (one(v, c=mask, f=values) - v).norm().item()

    lines = [
        "| method | relative residual | work | explicit steps for it | ratio | seconds |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    first = size(start)
    results = {}
    for smoother, pre, post in (("jacobi", 2, 2), ("red-black", 1, 1), ("chebyshev", 0, 2)):
        options = {"pre": pre, "post": post, "cycle": "FMG", "cycles": 6, "smoother": smoother}
        net = module(problem, p2n.Multigrid(tau=sp.oo, **options))
        v = net(start, c=mask, f=values)
        seconds = statistics.median(timed(lambda net=net: net(start, c=mask, f=values)))
        results[f"FMG, {smoother}, V({pre},{post}), 6 cycles"] = (size(v), work(pre + post, 6), seconds)
    explicit, steps, begun = start, 0, time.perf_counter()
    needed: dict[str, int] = {}
    block = module(problem, p2n.Explicit(tau=sp.Rational(1, 5), steps=25))
    while len(needed) < len(results):
        with torch.no_grad():
            explicit = block(explicit, c=mask, f=values)
        steps += 25
        left = size(explicit)
        needed |= {n: steps for n, (reached, _, _) in results.items() if left <= reached and n not in needed}
    taken = time.perf_counter() - begun
    for name, (reached, count, seconds) in results.items():
        ratio = f"{needed[name] / count:.1f}"
        lines.append(
            f"| {name} | {reached / first:.1e} | {count:.1f} | {needed[name]} | {ratio} | {seconds:.2f} |"
        )
    lines.append(f"| explicit, tau = 0.2 | {left / first:.1e} | {steps} | {steps} | 1 | {taken:.2f} |")
    matrix, rhs = system(known, photograph)
    seconds = statistics.median(_solve(matrix, rhs) for _ in range(3))
    lines.append(f"| scipy.sparse.linalg.spsolve | | | | | {seconds:.2f} |")
    return lines


def _solve(matrix: sparse.csc_matrix, rhs: np.ndarray) -> float:
    begun = time.perf_counter()
    linalg.spsolve(matrix, rhs)
    return time.perf_counter() - begun


def work(sweeps: int, count: int) -> float:
    """Block evaluations of FMG with V-cycles of that many sweeps, weighted by the size of the grid.

    On each level of a cycle: the sweeps, a residual, and the operator of the coarse right-hand side, which
    is a quarter; the levels sum to 4/3. The nested start costs one more third of a cycle.
    """
    cycle = (sweeps + 1 + 1 / 4) * 4 / 3
    return (count + 1 / 3) * cycle


def system(known: np.ndarray, photograph: np.ndarray) -> tuple[sparse.csc_matrix, np.ndarray]:
    """The same equation as a sparse matrix."""

    def second(n: int) -> sparse.csr_matrix:
        K = sparse.diags([-np.ones(n - 1), np.ones(n - 1)], [0, 1], shape=(n - 1, n))
        return K.T @ K

    n, m = photograph.shape
    A = sparse.kron(second(n), sparse.eye(m)) + sparse.kron(sparse.eye(n), second(m))
    c = known.ravel().astype(float)
    return sparse.csc_matrix(sparse.diags(1 - c) @ A + sparse.diags(c)), c * photograph.ravel()
