"""All schemes at the same stopping time: docs/comparison.png and a table in docs/correspondence.md.

Run it by `make comparison`; it takes about ten minutes. Errors are those against a fine reference. All
times come from one process, taken in turns, and are medians of what one thread of the processor spent, which
other programs disturb less than the time on the wall; compare ratios, not seconds.
"""

from __future__ import annotations

import platform
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sympy as sp
import torch
from between import rewrite
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage import data
from torch import Tensor, nn

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2
from pde2net.figures.style import BLUE, GREEN, GREY, LARGE, ORANGE, RED, SKY, SMALL

DOCS = Path(__file__).parent.parent / "docs"
TIME, LIMIT, CONTRAST, RUNS, THREADS = 20, sp.Rational(1, 4), 0.1, 5, 1
COUNTS = (1, 2, 4, 8, 16, 32)
TARGETS = (1e-2, 1e-3)
BEHIND = "#d3d8de"  # of the schemes that a panel is not about
NOTE = f"""\
Camera, 256 x 256, values in [0, 1], float32, `T = {TIME}`, `h = 1`, `lambda = {CONTRAST}`. The error is the
root mean square against RKL of order 2 with steps of 1/16 in double precision. Work is in block
evaluations: `K` and `K^T` count half each, on coarser grids in proportion to their cells, and tridiagonal
systems along one axis count one. Time is that of the processor, {THREADS} thread, in one process: medians
of {RUNS} runs taken in turns (torch {{version}}, {{machine}}). Implicit equations are solved to a residual
of `0.001 ‖u‖` over the number of steps.

Each point of a line has twice the steps or cycles of the one before. The tables name for each scheme the
one with the least work that reaches an error of 1 %, and of 0.1 %, of the range of the image."""

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)


def problem(g: sp.Expr) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: CONTRAST})


PROBLEMS = {
    "Charbonnier": problem(diffusivities.charbonnier(norm2(grad(u)), lam)),
    "Perona-Malik": problem(diffusivities.perona_malik(norm2(grad(u)), lam)),
}
TOLERANCE = sp.Rational(1, 1000)  # relative residual, over the number of steps


@dataclass(frozen=True)
class Family:
    """A scheme with the settings that are run, in the order of increasing work; `group` names its panel."""

    name: str
    group: str
    architecture: str
    colour: str
    line: str
    settings: dict[str, p2n.Explicit]


def stages(kind, counts: Sequence[int], **options: object) -> dict:
    """Cycles or steps of several stages, of a length that reaches the stopping time."""
    found = {}
    for count in counts:
        s = kind.for_time(TIME, limit=LIMIT, **options, **{kind.repeated: count})
        length = getattr(s, "cycle_length", None) or s.stages
        found[f"{count} x {length} stages"] = s
    return found


def steps(kind, solver: Callable[[sp.Expr], dict[str, object]]) -> dict:
    """Long steps, whose equations are solved to a tolerance that falls with their number."""
    return {f"{n} steps": kind.for_time(TIME, steps=n, **solver(TOLERANCE / n)) for n in COUNTS}


def semi_implicit(tol: sp.Expr) -> dict[str, object]:
    return {"solver": p2n.Kacanov(iterations=1, linear_tol=tol / 2)}


def kacanov(tol: sp.Expr) -> dict[str, object]:
    return {"solver": p2n.Kacanov(tol=tol, linear_tol=tol / 2)}


def newton(tol: sp.Expr) -> dict[str, object]:
    return {"solver": p2n.Newton(tol=tol, linear_tol=tol / 2, max_iterations=20)}


def cycles(tol: sp.Expr) -> dict[str, object]:
    return {"pre": 2, "post": 2, "cycles": 30, "tol": tol}


def families() -> Iterator[Family]:
    stack, cell = "stack", "cell"
    cyclic, rkl, rkc = "extrapolated and cyclic", "Runge-Kutta-Legendre", "Runge-Kutta-Chebyshev"
    explicit = {f"{n} steps": p2n.Explicit(tau=sp.Rational(TIME, n), steps=n) for n in (80, 160, 320, 640)}
    yield Family("explicit", "explicit", stack, "black", "-", explicit)
    counts = (10, 20, 40, 80, 160, 320)
    damped = {f"{n} steps": p2n.DuFortFrankel.for_time(TIME, steps=n) for n in counts}
    yield Family("Du Fort-Frankel", "explicit", stack, GREY, "--", damped)
    yield Family("FSI", cyclic, stack, BLUE, "-", stages(p2n.FSI, COUNTS))
    yield Family(
        "FSI, freeze=step",
        "extrapolated and cyclic",
        stack,
        BLUE,
        "--",
        stages(p2n.FSI, COUNTS, freeze="step"),
    )
    yield Family("FED", cyclic, stack, BLUE, ":", stages(p2n.FED, COUNTS))
    yield Family("RKL, order 1", rkl, stack, SKY, "--", stages(p2n.RKL, COUNTS, order=1))
    yield Family("RKL, order 2", rkl, stack, SKY, "-", stages(p2n.RKL, COUNTS, order=2))
    yield Family("RKC, order 1", rkc, stack, SKY, "-.", stages(p2n.RKC, COUNTS, order=1))
    yield Family("RKC, order 2", rkc, stack, SKY, ":", stages(p2n.RKC, COUNTS, order=2))
    yield Family("semi-implicit", "implicit", cell, RED, "--", steps(p2n.Implicit, semi_implicit))
    yield Family("implicit, Kacanov", "implicit", cell, RED, "-", steps(p2n.Implicit, kacanov))
    yield Family("implicit, Newton", "implicit", cell, RED, ":", steps(p2n.Implicit, newton))
    yield Family("Crank-Nicolson", "Crank-Nicolson", cell, ORANGE, "-", steps(p2n.Theta, kacanov))
    yield Family("AOS", "additive operator splitting", cell, ORANGE, "--", steps(p2n.AOS, lambda tol: {}))
    yield Family("implicit, multigrid", "multigrid", "U-net", GREEN, "-", steps(p2n.Multigrid, cycles))


@dataclass
class Run:
    """What one network did. work is in block evaluations, errors are relative to the range of the image."""

    family: Family
    setting: str
    module: nn.Module
    work: float = 0.0
    rms: float = 0.0
    largest: float = 0.0
    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def photograph() -> Tensor:
    """scikit-image's camera at half its size, 256 x 256, values in [0, 1]."""
    full = torch.from_numpy(data.camera()).double()[None, None] / 255
    return torch.nn.functional.avg_pool2d(full, 2)


def reference(equation: p2n.Problem, image: Tensor) -> tuple[Tensor, float]:
    """RKL of order 2 with steps of 1/16 in double precision, and how much twice the step changes."""
    found = []
    for count in (8 * TIME, 16 * TIME):
        scheme = p2n.RKL(order=2, tau=sp.Rational(TIME, count), stages=3)
        step, v = p2n.compile(equation, scheme).module(), image
        for _ in range(count):
            v = step(v)
        found.append(v)
    coarse, fine = found
    return fine, (fine - coarse).square().mean().sqrt().item()


def counted(module: nn.Module, image: Tensor) -> tuple[Tensor, float]:
    """The result, and the work in block evaluations.

    K and K^T count half each, on coarser grids in proportion to their cells, and the solution of the
    tridiagonal systems along one axis counts one.
    """
    names, cells, work = type(module).forward.__globals__, image[0, 0].numel(), 0.0

    def count(owner: object, name: str, weight: float, argument: int = 0) -> tuple[object, str, object]:
        inner = getattr(owner, name) if isinstance(owner, type) else owner[name]

        def outer(*inputs: Tensor) -> object:
            nonlocal work
            work += weight * inputs[argument][0, 0].numel() / cells
            return inner(*inputs)

        put(owner, name, staticmethod(outer) if isinstance(owner, type) else outer)
        return owner, name, staticmethod(inner) if isinstance(owner, type) else inner

    restore = [count(names[k], "forward", 0.5) for k in ("Gradient", "GradientAdjoint")]
    if "solve_tridiagonal" in names:
        restore.append(count(names, "solve_tridiagonal", 1.0, argument=3))
    try:
        return module(image), work
    finally:
        for entry in restore:
            put(*entry)


def put(owner: object, name: str, value: object) -> None:
    if isinstance(owner, type):
        setattr(owner, name, value)
    else:
        owner[name] = value


def measure(equation: p2n.Problem, image: Tensor) -> tuple[list[Run], list[str], float]:
    """All runs that converged, the names of those that did not, and the accuracy of the reference."""
    fine, accuracy = reference(equation, image)
    single, runs, failed = image.float(), [], []
    for family in families():
        for setting, scheme in family.settings.items():
            run = Run(family, setting, p2n.compile(equation, scheme, on_unstable="ignore").module())
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                out, run.work = counted(run.module, single)
            error = out.double() - fine
            run.rms, run.largest = error.square().mean().sqrt().item(), error.abs().max().item()
            print(f"{family.name:22}{setting:18}{run.work:9.1f}{run.rms:12.2e}", *(w.message for w in said))
            if said or not run.rms < 1:
                failed.append(f"{family.name} with {setting}")
            else:
                runs.append(run)
    for _ in range(RUNS):
        for run in runs:
            start = time.process_time()
            run.module(single)
            run.seconds.append(time.process_time() - start)
    return runs, failed, accuracy


def table(runs: Sequence[Run]) -> list[str]:
    """The cheapest setting of each scheme for each accuracy."""
    heads = [f"error {100 * goal:g} %: setting | work | ms" for goal in TARGETS]
    lines = [f"| scheme | network | {' | '.join(heads)} |", "| --- " * (2 + 3 * len(TARGETS)) + "|"]
    for family in dict.fromkeys(r.family.name for r in runs):
        own = [r for r in runs if r.family.name == family]
        cells = []
        for goal in TARGETS:
            good = [r for r in own if r.rms <= goal]
            if not good:
                cells.append("not reached | | ")
                continue
            best = min(good, key=lambda r: r.work)
            cells.append(f"{best.setting} | {best.work:.0f} | {1000 * best.median:.0f}")
        lines.append(f"| {family} | {own[0].family.architecture} | {' | '.join(cells)} |")
    return lines


def facet(axes: Axes, runs: Sequence[Run], over: str, group: str) -> None:
    """Error over work or time: the schemes of a group, all others in grey behind."""
    for name in dict.fromkeys(r.family.name for r in runs):
        own = [r for r in runs if r.family.name == name]
        family, up = own[0].family, [r.rms for r in own]
        across = [r.work if over == "work" else 1000 * r.median for r in own]
        if family.group != group:
            axes.loglog(across, up, "-", color=BEHIND, linewidth=1.0, zorder=1)
            continue
        style = {"color": family.colour, "marker": "o", "markersize": 3.5, "linewidth": 1.8}
        axes.loglog(across, up, family.line, label=name, zorder=3, **style)
    axes.set_title(group, loc="left", fontsize=SMALL + 1, fontweight="bold")
    axes.tick_params(labelsize=SMALL - 1)
    axes.grid(True, color="#eeeeee", linewidth=0.6)
    axes.set_axisbelow(True)
    shown = [r for r in runs if r.family.group == group]
    if len({r.family.name for r in shown}) > 1:
        place = "upper right" if shown[0].family.architecture == "stack" else "lower left"
        axes.legend(fontsize=SMALL - 1, frameon=False, loc=place, handlelength=2.2)


def draw(results: dict[str, list[Run]]) -> Figure:
    """A block of panels for each problem and measure, a panel for each group of schemes."""
    figure = Figure(figsize=(13, 19), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(
        f"All schemes at T = {TIME}: camera, 256 x 256, h = 1, λ = {CONTRAST}, float32",
        x=0.01,
        ha="left",
        fontsize=LARGE + 2.5,
        fontweight="bold",
    )
    blocks = [(name, runs, over) for name, runs in results.items() for over in ("work", "time")]
    for block, (name, runs, over) in zip(figure.subfigures(len(blocks), 1), blocks, strict=True):
        groups = list(dict.fromkeys(r.family.group for r in runs))
        panels = block.subplots(2, -(-len(groups) // 2), sharex=True, sharey=True, squeeze=False)
        for axes, group in zip(panels.flat, groups, strict=True):
            facet(axes, runs, over, group)
        block.suptitle(f"{name}: error over {over}", x=0.01, ha="left", fontsize=LARGE, fontweight="bold")
        block.supxlabel(
            "work in block evaluations: K, activation, K^T on the full grid"
            if over == "work"
            else f"milliseconds of one thread of the processor, medians of {RUNS} runs in one process",
            fontsize=SMALL,
        )
        block.supylabel("error, root mean square", fontsize=SMALL)
    return figure


def page(results: dict[str, list[Run]], failed: dict[str, list[str]], accuracy: dict[str, float]) -> str:
    lines = [NOTE.format(version=torch.__version__, machine=platform.machine())]
    for name, runs in results.items():
        lines += ["", f"**{name}.** Halving the step changes the reference by {accuracy[name]:.0e}.", ""]
        lines += table(runs)
        if failed[name]:
            lines += ["", f"Not converged to the tolerance, and left out: {', '.join(failed[name])}."]
    return "\n".join(lines)


def main() -> None:
    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    image = photograph()
    results, failed, accuracy = {}, {}, {}
    for name, equation in PROBLEMS.items():
        print(name)
        results[name], failed[name], accuracy[name] = measure(equation, image)
    draw(results).savefig(DOCS / "comparison.png")
    rewrite(DOCS / "correspondence.md", "comparison", page(results, failed, accuracy))


if __name__ == "__main__":
    main()
