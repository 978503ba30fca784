"""Writes docs/reproduction.md and its pictures from the results: tables, curves, a verdict on each claim."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import activations
import blocks
import multigrid
import rates
import robustness
import schemes
from common import BUDGETS, identity, rows
from networks import RATES
from verdicts import RULES, RUNS, Claim, Row, claims, sample

EXPERIMENTS = {m.__name__: m for m in (blocks, schemes, activations, multigrid, robustness)}
TITLES = {
    "blocks": "Diffusion blocks against residual blocks",
    "schemes": "Explicit and accelerated schemes",
    "activations": "Activations",
    "multigrid": "Multigrid cycles against standard U-nets",
    "robustness": "Robustness",
}
DOCS = Path(__file__).resolve().parents[2] / "docs"
HEAD = """# Reproduction

Claims of Alt, Schrader, Augustin, Peter and Weickert, *Connections Between Numerical Algorithms for PDEs and
Neural Networks* (JMIV 65, 2023), put to the test by the programs in [examples/paper](../examples/paper). The
claims are in our words. This page is written by `examples/paper/report.py` from the lines in
[docs/reproduction](reproduction), one for each training; nothing on it is written by hand.

Signals have 256 values, are piecewise smooth, with noise of standard deviation 10 of 255; {train},
{validation} and {test} of them serve training, validation and test. Each seed draws signals, noise, weights
and order anew; those of the test are the same for all. Networks are trained by `p2n.learn.fit`: Adam, a
learning rate for each kind of network that falls to 0 as a cosine, gradients cut off at norm 1, mean squared
error. Errors are those of the weights that are best in validation, in squares of grey values from 0 to 255:
mean ± standard deviation (number of seeds).

Budgets are *equal steps* and *equal processor time*. For the second, a trial with a fifth of the data tells
how many whole epochs the seconds allow. Seconds are processor time of one thread on a machine that had other
work as well, with this code: other machines and loads give other ones.
"""


def read(folder: Path, quick: bool) -> dict[str, list[Row]]:
    return {name: _chosen(folder, name, quick) for name in (*EXPERIMENTS, "rates")}


def _chosen(folder: Path, name: str, quick: bool) -> list[Row]:
    found = {identity(row): row for row in rows(folder / f"{name}.jsonl") if row["quick"] == quick}
    return list(found.values())


def page(found: Mapping[str, Sequence[Row]], quick: bool) -> str:
    sizes = blocks.QUICK if quick else blocks.FULL
    numbers = {
        name: f"{getattr(sizes, name):,}".replace(",", " ") for name in ("train", "validation", "test")
    }
    parts = [HEAD.format(**numbers), *_verdicts(claims(found, quick))]
    for name, module in EXPERIMENTS.items():
        parts += _section(name, module, found[name], quick)
    parts += _rates(found["rates"])
    return "\n".join(parts)


def _verdicts(found: Iterable[Claim]) -> Iterator[str]:
    yield f"## Verdicts\n{RULES}"
    head = ["claim", "verdict", "won", "level", "lost", "missing", "ahead"]
    yield _table(
        head,
        (
            [c.text, f"**{c.verdict}**", *(c.count(r) for r in ("won", "level", "lost", "missing")), c.ahead]
            for c in found
        ),
    )


def _section(name: str, module: Any, found: Sequence[Row], quick: bool) -> Iterator[str]:
    yield f"## {TITLES[name]}\n"
    yield f"{module.__doc__.strip()}\n"
    cells = module.cells(quick)
    expected = len(cells) * len(BUDGETS) * RUNS
    yield f"`python examples/paper/{name}.py`. {_missing(expected, len(found))}\n"
    if not found:
        return
    extra = [k for k in EXTRA.get(name, ()) if any(k in row for row in found)]
    head = ["network", *["task"] * ("task" in found[0]), "size", "parameters"]
    head += [f"{kind}, {what}" for kind in ("steps", "time") for what in ("error", "seconds", *extra)]
    yield _table(head, _rows(cells, found, extra))
    failed = sum("failed" in row for row in found)
    if failed:
        yield f"{failed} trainings ended with a loss that was not finite.\n"
    yield f"![results of {name}](reproduction/{name}.png)\n"


def _missing(expected: int, present: int) -> str:
    if present >= expected:
        return f"All trainings of {RUNS} seeds were run, {present}."
    return (
        f"{present} of the {expected} trainings of {RUNS} seeds were run; {expected - present} are missing."
    )


EXTRA = {
    "multigrid": ("operations per image", "seconds per image"),
    "robustness": ("bound", *(f"largest growth, {eps}" for eps in robustness.EPS)),
}


def _rows(cells: Sequence[Any], found: Sequence[Row], extra: Sequence[str]) -> Iterator[list[Any]]:
    order = {(c.of.get("task"), c.network, c.size) for c in cells}
    names = list(dict.fromkeys(c.network for c in cells))
    for task, network, size in sorted(order, key=lambda k: (k[0] or "", names.index(k[1]), k[2])):
        own = [r for r in found if (r.get("task"), r["network"], r["size"]) == (task, network, size)]
        parameters = str(own[0].get("parameters", "")) if own else ""
        line: list[Any] = [network, *([task] if task else []), size, parameters]
        for budget in BUDGETS:
            for what in ("test", "seconds", *extra):
                values = sample(own, network, size, budget, what, task)
                if what == "test":
                    line.append(str(values) or "missing")
                else:
                    line.append(_number(values.mean) if values.values else "")
        yield line


def _number(value: float) -> str:
    return "" if value != value or value == float("inf") else f"{value:.3g}"


def _rates(found: Sequence[Row]) -> Iterator[str]:
    yield "## Learning rates\n"
    yield f"{rates.__doc__.strip()} Errors of the test; in use are\n"
    yield ", ".join(f"{rate} ({name})" for name, rate in RATES.items()) + ".\n"
    tried = sorted({row["rate"] for row in found})
    lines = sorted({(row["network"], row.get("task", "denoising"), row["size"]) for row in found})
    errors = {
        (row["network"], row.get("task", "denoising"), row["size"], row["rate"]): row["test"]
        for row in found
        if "test" in row
    }

    def shown(key: tuple[Any, ...]) -> str:
        return f"{errors[key]:.4g}" if key in errors else "missing"

    head = ["network", "task", "size", *tried]
    yield _table(head, ([*line, *(shown((*line, rate)) for rate in tried)] for line in lines))


def _table(head: Sequence[Any], lines: Iterable[Sequence[Any]]) -> str:
    texts = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in texts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the results of quick runs")
    parser.add_argument("--results", type=Path, default=DOCS / "reproduction", help="folder")
    parser.add_argument("--page", type=Path, default=DOCS / "reproduction.md")
    options = parser.parse_args()
    from curves import draw

    found = read(options.results, options.quick)
    draw(found, options.page.parent / "reproduction")
    options.page.write_text(page(found, options.quick), encoding="utf-8")


if __name__ == "__main__":
    main()
