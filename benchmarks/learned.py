"""Measures learned networks: a training step against one written by hand, the bound of norms, splines."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import sympy as sp
import torch
import torch.nn.functional as F

import pde2net as p2n

BLOCKS, RUNS = 5, 5
IMAGES = (8, 1, 180, 180)
SHAPES = ((16, 5), (24, 7))


class Written(torch.nn.Module):
    """The same blocks as one writes them: convolutions, Perona-Malik flux, steps that are constants."""

    def __init__(self, values: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.K = torch.nn.ParameterList(values["K"].float().unbind())
        self.contrast = torch.nn.ParameterList(values["lambda"].float().unbind())
        self.tau = values["tau"].tolist()

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        for K, contrast, tau in zip(self.K, self.contrast, self.tau, strict=True):
            response = F.conv2d(u, K)
            u = u - tau * F.conv_transpose2d(response / (1 + response**2 / contrast**2), K)
        return u


def network(filters: int, size: int) -> torch.nn.Module:
    x, y, t = sp.symbols("x y t", real=True)
    u, contrast = sp.Function("u")(x, y, t), sp.Symbol("lambda", positive=True)
    K = p2n.LinearOperator("K", out_channels=filters, kernel_size=size)
    problem = p2n.Problem(
        sp.Eq(u.diff(t), -K.adjoint(K(u) / (1 + K(u) ** 2 / contrast**2))), parameters={contrast: 0.1}
    )
    scheme = p2n.Explicit(tau=None, steps=BLOCKS)
    return p2n.compile(problem, scheme, trainable=[K, contrast], shared=False, keep_stable=True).module()


def seconds(tasks: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Processor seconds of each task, taken in turns after one warm-up round."""
    found: dict[str, list[float]] = {name: [] for name in tasks}
    for run in range(RUNS + 1):
        for name, task in tasks.items():
            start = time.process_time()
            task()
            if run:
                found[name].append(time.process_time() - start)
    return found


def training(module: torch.nn.Module, u: torch.Tensor) -> Callable[[], object]:
    def task() -> None:
        module.zero_grad()
        module(u).square().mean().backward()

    return task


def inference(module: torch.nn.Module, u: torch.Tensor) -> Callable[[], object]:
    def task() -> object:
        with torch.no_grad():
            return module(u)

    return task


def bounding(module: torch.nn.Module) -> Callable[[], object]:
    """Bounds of the norms of all blocks, and their gradients."""
    bound = type(module).forward.__globals__["norm_bound"]

    def task() -> None:
        module.zero_grad()
        bound(torch.stack([block.bounded(torch.float32) for block in module.blocks])).sum().backward()

    return task


def ratios() -> list[str]:
    """Emitted networks against those written by hand, one thread."""
    lines = [
        "| filters | task | written by hand | range | pde2net | range | pde2net/by hand |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for filters, size in SHAPES:
        emitted = network(filters, size)
        written = Written(p2n.learn.values(emitted))
        u = torch.rand(IMAGES)
        difference = (emitted(u) - written(u)).abs().max().item()
        if not difference < 1e-4:
            raise SystemExit(f"the network written by hand computes something else: {difference}")
        modules = {"by hand": written, "pde2net": emitted}
        bound = statistics.median(seconds({"bound": bounding(emitted)})["bound"])
        for title, make in (("training step", training), ("inference", inference)):
            found = seconds({name: make(module, u) for name, module in modules.items()})
            medians = {name: statistics.median(values) for name, values in found.items()}
            cells = [f"{medians[n]:.3f} | {min(v):.3f} to {max(v):.3f}" for n, v in found.items()]
            ratio = medians["pde2net"] / medians["by hand"]
            lines.append(f"| {filters} of {size} x {size} | {title} | {' | '.join(cells)} | {ratio:.2f} |")
            if make is training:
                share = f"{bound:.4f} | | {bound / medians['pde2net']:.1%} of its step"
                lines.append(f"| {filters} of {size} x {size} | bounds of norms, in it | | | {share} |")
    torch.set_num_threads(threads)
    return lines


def splines() -> list[str]:
    """Emitted splines against sums of ramps, forward and backward, one thread."""
    x, t = sp.symbols("x t", real=True)
    u, K = sp.Function("u")(x, t), p2n.LinearOperator("K", out_channels=24, kernel_size=3)
    phi = p2n.Spline("phi", knots=21, reach=sp.Rational(1, 2), slopes=(0, 1), filters=K)
    problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(phi(K(u)))))
    options = {"trainable": [K, phi], "keep_stable": True}
    module = p2n.compile(problem, p2n.Explicit(tau=None), **options).module()
    spline, width = type(module).forward.__globals__["spline"], 0.05

    def ramps(slopes: torch.Tensor, q: torch.Tensor, width: float) -> torch.Tensor:
        changes = slopes.diff(dim=1, prepend=torch.zeros_like(slopes[:, :1]))
        columns = enumerate(changes.unbind(1))
        return q.sign() * sum(c.view(-1, 1, 1) * F.relu(q.abs() - j * width) for j, c in columns)

    slopes = torch.rand(24, 11, requires_grad=True)
    q = (torch.randn(4, 24, 64, 64) / 3).requires_grad_()
    if not torch.allclose(spline(slopes, q, width), ramps(slopes, q, width), atol=1e-5):
        raise SystemExit("the sum of ramps is another function")
    lines = ["| splines | processor seconds | range |", "| --- | --- | --- |"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = seconds(
        {
            "sum of 11 ramps": lambda: ramps(slopes, q, width).sum().backward(),
            "pde2net": lambda: spline(slopes, q, width).sum().backward(),
        }
    )
    torch.set_num_threads(threads)
    for name, values in found.items():
        lines.append(f"| {name} | {statistics.median(values):.4f} | {min(values):.4f} to {max(values):.4f} |")
    return lines


if __name__ == "__main__":
    print("\n".join([*ratios(), "", *splines()]))
