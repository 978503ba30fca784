"""Claims as comparisons of networks, and verdicts on them by rules."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import activations
import blocks
import multigrid
import robustness
import schemes
from common import BUDGETS

RUNS = 3  # of each network, for a comparison to count
Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
RULES = f"""
A comparison is between two networks with the same budget. It is decided if both have {RUNS} runs or more: won
or lost if the means of the errors differ by more than twice the standard error of their difference, level
otherwise. Some claims ask for networks that are not worse; there, level counts as won. A training that ended
with a loss that is not finite counts as an infinite error.

A claim is *supported* if three quarters or more of the decided comparisons are won, *not supported* if fewer
than half of them are, *partly supported* between, and *not decided: too few runs* if fewer than half of all
comparisons are decided. A claim about all runs is supported if it holds for each. "Ahead" counts the
comparisons in which the mean of the runs so far is the better one, however few they are.
"""


@dataclass(frozen=True)
class Sample:
    """Values of one network, over seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values) if self.values else math.nan

    @property
    def deviation(self) -> float:
        finite = len(self.values) > 1 and all(map(math.isfinite, self.values))
        return statistics.stdev(self.values) if finite else 0.0

    @property
    def worst(self) -> Sample:
        """The largest value in place of all."""
        return Sample((max(self.values),) * len(self.values) if self.values else ())

    @property
    def variance_of_mean(self) -> float:
        return self.deviation**2 / len(self.values)

    def __str__(self) -> str:
        n = len(self.values)
        if not n:
            return ""
        if n == 1:
            return f"{self.mean:.4g} (1)"
        return f"{self.mean:.4g} ± {self.deviation:.2g} ({n})"


def sample(
    rows: Iterable[Row],
    network: str,
    size: int,
    budget: str,
    value: str,
    task: str | None = None,
    missing: float = math.inf,
) -> Sample:
    """The values of a network, `missing` where a training has none."""
    found = [
        float(row.get(value, missing))
        for row in rows
        if (row["network"], row["size"], row["budget"], row.get("task")) == (network, size, budget, task)
    ]
    return Sample(tuple(found))


@dataclass(frozen=True)
class Comparison:
    """Whether the first is less than the second, or not more if level is enough."""

    first: Sample
    second: Sample
    level_is_enough: bool = False

    @property
    def runs(self) -> int:
        return min(len(self.first.values), len(self.second.values))

    @property
    def ahead(self) -> bool:
        return self.first.mean < self.second.mean

    @property
    def result(self) -> str:
        """won, level, lost; missing if there are too few runs."""
        if self.runs < RUNS:
            return "missing"
        margin = 2 * math.sqrt(self.first.variance_of_mean + self.second.variance_of_mean)
        if self.first.mean + margin < self.second.mean:
            return "won"
        return "lost" if self.second.mean + margin < self.first.mean else "level"


@dataclass(frozen=True)
class Claim:
    experiment: str
    text: str
    comparisons: tuple[Comparison, ...]
    of_all: bool = False

    def count(self, result: str) -> int:
        return sum(c.result == result for c in self.comparisons)

    @property
    def ahead(self) -> str:
        begun = [c for c in self.comparisons if c.runs]
        return f"{sum(c.ahead for c in begun)} of {len(begun)}"

    @property
    def verdict(self) -> str:
        decided = [c for c in self.comparisons if c.result != "missing"]
        if 2 * len(decided) < len(self.comparisons) or not decided:
            return "not decided: too few runs"
        good = sum(c.result == "won" or (c.level_is_enough and c.result == "level") for c in decided)
        if self.of_all:
            return "supported" if good == len(decided) else "not supported"
        if 4 * good >= 3 * len(decided):
            return "supported"
        return "not supported" if 2 * good < len(decided) else "partly supported"


def claims(found: Rows, quick: bool) -> list[Claim]:
    return [
        *_of_blocks(found["blocks"], quick),
        *_of_schemes(found["schemes"], quick),
        *_of_activations(found["activations"], quick),
        *_of_multigrid(found["multigrid"], quick),
        *_of_robustness(found["robustness"]),
    ]


def _sizes(module: Any, quick: bool) -> list[int]:
    return sorted({cell.size for cell in module.cells(quick)})


def _pairs(
    rows: Sequence[Row], pairs: Iterable[tuple[str, str]], sizes: Sequence[int], level: bool = False
) -> tuple[Comparison, ...]:
    """Comparisons of the errors of networks of equal size."""
    return tuple(
        Comparison(*(sample(rows, network, size, budget, "test") for network in pair), level)
        for pair in pairs
        for size in sizes
        for budget in BUDGETS
    )


def _of_blocks(rows: Sequence[Row], quick: bool) -> Iterator[Claim]:
    texts: list[tuple[str, str, str, bool]] = [
        (
            "Half the filters suffice: diffusion blocks are not worse than residual blocks of as many "
            "channels.",
            "diffusion",
            "residual",
            True,
        ),
        (
            "At an equal number of parameters, diffusion blocks have a smaller error than residual blocks.",
            "diffusion",
            "residual, equal parameters",
            False,
        ),
        (
            "The symmetric structure alone does it: with ReLU too, blocks with one bank are not worse than "
            "residual blocks of as many channels.",
            "symmetric",
            "residual",
            True,
        ),
    ]
    for text, first, second, level in texts:
        yield Claim("blocks", text, _pairs(rows, [(first, second)], _sizes(blocks, quick), level))


def _of_schemes(rows: Sequence[Row], quick: bool) -> Iterator[Claim]:
    sizes, kinds = _sizes(schemes, quick), ("shared", "unshared")
    for name, words in (
        ("Du Fort-Frankel", "Skip connections pay: Du Fort-Frankel"),
        ("FSI", "Skip connections pay: FSI"),
        ("FED", "Varying steps pay: FED"),
    ):
        pairs = [(f"{name}, {kind}", f"explicit, {kind}") for kind in kinds]
        text = f"{words} has a smaller error than the explicit scheme at equal depth."
        yield Claim("schemes", text, _pairs(rows, pairs, sizes))
    for name, words in (("FSI", "extrapolation"), ("FED", "step sizes")):
        pairs = [(f"{name}, {kind}, trained", f"{name}, {kind}") for kind in kinds]
        text = f"Trained {words} of {name} beat those of the scheme."
        yield Claim("schemes", text, _pairs(rows, pairs, sizes))
    pairs = [(f"FSI, {kind}, trained", f"explicit, {kind}") for kind in kinds]
    text = "Skip connections pay: FSI with trained extrapolation beats the explicit scheme at equal depth."
    yield Claim("schemes", text, _pairs(rows, pairs, sizes))


def _of_activations(rows: Sequence[Row], quick: bool) -> Iterator[Claim]:
    sizes = _sizes(activations, quick)
    pairs = [
        ("Perona-Malik", "Charbonnier"),
        ("exponential", "Charbonnier"),
        ("mixture of exponential", "mixture of Charbonnier"),
        ("nonmonotone spline", "monotone spline"),
    ]
    text = "Nonmonotone activations pay: each has a smaller error than the monotone one of its kind."
    yield Claim("activations", text, _pairs(rows, pairs, sizes))
    text = "Diffusion fluxes have smaller errors than ReLU in blocks with one bank of filters."
    pairs = [(flux, activations.RELU) for flux in activations.FLUXES]
    yield Claim("activations", text, _pairs(rows, pairs, sizes))


def _of_multigrid(rows: Sequence[Row], quick: bool) -> Iterator[Claim]:
    cells = multigrid.cells(quick)
    tasks = list(dict.fromkeys(cell.of["task"] for cell in cells))
    cycles = sorted({c.size for c in cells if c.network == "multigrid"})
    channels = sorted({c.size for c in cells if c.network == "unet"})

    def compared(words: str, partner: Callable[[str, int, str], Sample]) -> tuple[Comparison, ...]:
        return tuple(
            Comparison(sample(rows, "multigrid", k, budget, "test", task), partner(task, k, budget))
            for task in tasks
            if task.startswith(words)
            for k in cycles
            for budget in BUDGETS
        )

    def smallest(task: str, _: int, budget: str) -> Sample:
        return sample(rows, "unet", channels[0], budget, "test", task)

    def with_work(measure: str) -> Callable[[str, int, str], Sample]:
        def best(task: str, k: int, budget: str) -> Sample:
            """The best U-net of not more work, or the smallest one if all have more."""
            own = sample(rows, "multigrid", k, budget, measure, task).mean
            fitting = [c for c in channels if sample(rows, "unet", c, budget, measure, task).mean <= own]
            samples = [sample(rows, "unet", c, budget, "test", task) for c in fitting or channels[:1]]
            return min(samples, key=lambda s: s.mean)

        return best

    for task in multigrid.TASKS:
        lead = f"For {task}, multigrid cycles have a smaller error than"
        yield Claim(
            "multigrid",
            f"{lead} the smallest standard U-net, which has more parameters.",
            compared(task, smallest),
        )
        for measure in ("operations", "seconds"):
            yield Claim(
                "multigrid",
                f"{lead} every standard U-net of as many {measure} per image or fewer.",
                compared(task, with_work(f"{measure} per image")),
            )


def _of_robustness(rows: Sequence[Row]) -> Iterator[Claim]:
    text = "No perturbation is enlarged more than the proved bound allows."
    size = robustness.CHANNELS
    held = tuple(
        Comparison(
            sample(rows, network, size, budget, f"largest growth, {eps}").worst,
            sample(rows, network, size, budget, "bound", missing=0.0),
            True,
        )
        for network in robustness.BOUNDED
        for budget in BUDGETS
        for eps in robustness.EPS
    )
    yield Claim("robustness", text, held, of_all=True)
    text = "Networks with a proved bound enlarge perturbations less than standard ones."
    less = tuple(
        Comparison(*(sample(rows, n, size, budget, f"largest growth, {eps}") for n in (network, standard)))
        for network in robustness.BOUNDED
        for standard in robustness.STANDARD
        for budget in BUDGETS
        for eps in robustness.EPS
    )
    yield Claim("robustness", text, less)
    text = "The bound costs no accuracy: these networks are not worse in denoising than standard ones."
    pairs = [(network, standard) for network in robustness.BOUNDED for standard in robustness.STANDARD]
    yield Claim("robustness", text, _pairs(rows, pairs, [size], True))
