"""Pictures of the results."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import activations
import blocks
import robustness
import schemes
from common import BUDGETS
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from verdicts import Row, Sample, sample

STYLE: dict[str, Any] = {"marker": "o", "markersize": 4, "capsize": 2, "linewidth": 1.2}
TITLES = {"steps": "equal steps", "time": "equal processor time"}


def draw(found: Mapping[str, Sequence[Row]], folder: Path) -> list[str]:
    """The pictures of experiments that have results; their names."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, picture in PICTURES.items():
        if found[name]:
            figure = picture(found[name])
            figure.savefig(folder / f"{name}.png", dpi=110)
            drawn.append(name)
    return drawn


def _line(
    axes: Any,
    rows: Sequence[Row],
    network: str,
    budget: str,
    across: str,
    label: str,
    colour: int,
    **key: Any,
) -> None:
    """Errors of a network over what is the mean of `across`, for all sizes."""
    sizes = sorted({r["size"] for r in rows if r["network"] == network})
    points = []
    for size in sizes:
        test = sample(rows, network, size, budget, "test", **key)
        place = sample(rows, network, size, budget, across, **key)
        if test.values:
            points.append((place.mean, test.mean, test.deviation))
    if points:
        x, y, e = zip(*sorted(points), strict=True)
        axes.errorbar(x, y, yerr=e, label=label, color=f"C{colour}", **STYLE)


def _sheet(rows: int, columns: int, width: float = 4.2, height: float = 3.3) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _ticks(axis: Any) -> None:
    """At powers of ten, and 2 and 5 times these where there are few of them."""
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1e3 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _logarithmic(axes: Any, x: str, title: str, legend: bool = True) -> None:
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel="mean squared error", title=title)
    _ticks(axes.xaxis)
    _ticks(axes.yaxis)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3, which="both")
    if legend:
        axes.legend(fontsize=7)


def _blocks(rows: Sequence[Row]) -> Figure:
    figure, axes = _sheet(1, 2)
    for panel, budget in zip(axes[0], BUDGETS, strict=True):
        for colour, network in enumerate(blocks.NETWORKS):
            _line(panel, rows, network, budget, "parameters", network, colour)
        _logarithmic(panel, "parameters", TITLES[budget])
    return figure


def _schemes(rows: Sequence[Row]) -> Figure:
    figure, axes = _sheet(2, 2)
    for line, kind in zip(axes, ("shared", "unshared"), strict=True):
        for panel, budget in zip(line, BUDGETS, strict=True):
            for colour, name in enumerate(("explicit", "Du Fort-Frankel", "FSI", "FED")):
                _line(panel, rows, f"{name}, {kind}", budget, "size", name, colour)
            for colour, name in enumerate(schemes.TABLES, 4):
                _line(panel, rows, f"{name}, {kind}, trained", budget, "size", f"{name}, trained", colour)
            _logarithmic(panel, "blocks", f"{kind} weights, {TITLES[budget]}")
    return figure


def _activations(rows: Sequence[Row]) -> Figure:
    figure, axes = _sheet(1, 2, height=3.0)
    names = [activations.RELU, *activations.FLUXES]
    for panel, budget in zip(axes[0], BUDGETS, strict=True):
        (size,) = {r["size"] for r in rows}
        found = [(name, sample(rows, name, size, budget, "test")) for name in names]
        found = [(name, s) for name, s in found if s.values]
        panel.errorbar(*_across(s for _, s in found), fmt="o", capsize=3)
        panel.set_yticks(range(len(found)), [name for name, _ in found], fontsize=8)
        panel.invert_yaxis()
        panel.set(xscale="log", xlabel="mean squared error", title=TITLES[budget])
        _ticks(panel.xaxis)
        panel.grid(alpha=0.3, which="both")
    return figure


def _across(samples: Iterable[Sample]) -> tuple[list[float], list[int], None, list[float]]:
    found = list(samples)
    return [s.mean for s in found], list(range(len(found))), None, [s.deviation for s in found]


def _multigrid(rows: Sequence[Row]) -> Figure:
    tasks = sorted({r["task"] for r in rows})
    figure, axes = _sheet(len(tasks), 3)
    for line, task in zip(axes, tasks, strict=True):
        for panel, across in zip(line, ("parameters", "operations", "seconds"), strict=True):
            label = across if across == "parameters" else f"{across} per image"
            networks = ("multigrid", "multigrid cycles"), ("unet", "U-net")
            for colour, ((network, words), budget) in enumerate(itertools.product(networks, BUDGETS)):
                text = f"{words}, {TITLES[budget]}"
                _line(panel, rows, network, budget, label, text, colour, task=task)
            _logarithmic(panel, label, task, legend=False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4, fontsize=8)
    return figure


def _robustness(rows: Sequence[Row]) -> Figure:
    figure, axes = _sheet(1, 2)
    for panel, budget in zip(axes[0], BUDGETS, strict=True):
        for k, network in enumerate(robustness.NETWORKS):
            size = robustness.CHANNELS
            found = [
                (eps, sample(rows, network, size, budget, f"largest growth, {eps}")) for eps in robustness.EPS
            ]
            if all(s.values for _, s in found):
                places, means = [eps for eps, _ in found], [s.mean for _, s in found]
                spread = [s.deviation for _, s in found]
                panel.errorbar(places, means, yerr=spread, label=network, color=f"C{k}", **STYLE)
                bounds = [r["bound"] for r in rows if r["network"] == network and r.get("bound")]
                if bounds:
                    panel.axhline(max(bounds), color=f"C{k}", linestyle=":", linewidth=1)
        panel.set(
            xscale="log", xlabel="perturbation over noise", ylabel="largest growth", title=TITLES[budget]
        )
        panel.grid(alpha=0.3)
        panel.legend(fontsize=7)
    return figure


PICTURES = {
    "blocks": _blocks,
    "schemes": _schemes,
    "activations": _activations,
    "multigrid": _multigrid,
    "robustness": _robustness,
}
