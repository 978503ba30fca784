"""`pde2net bench`: how fast the backends run a network on this machine, and what the machine allows."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sympy as sp

from pde2net.cli.inputs import Given, along_axes, compiled, declaration, in_its_words
from pde2net.cli.say import Say
from pde2net.emit.emit import passes_of
from pde2net.errors import DeclarationError, EmissionError, FileError
from pde2net.figures.save import FORMATS
from pde2net.files import write_with
from pde2net.network import Network
from pde2net.program.passes import Leg

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

CELLS = 1 << 20  # of the image that is run, if no size is given
ITEM = 4  # bytes of a number in single precision


@dataclass(frozen=True)
class Row:
    """What a backend does. Rates are millions of cells and steps per second.

    bytes       that go through memory for each cell and step, None where that is not counted
    operations  for each cell and step, of all channels
    """

    backend: str
    seconds: float
    slowest: float
    rate: float
    bytes: float | None
    operations: float


@in_its_words
def bench_file(
    given: Given,
    size: Sequence[int],
    runs: int,
    threads: int,
    picture: Path | None,
    on_unstable: str,
    say: Say,
) -> None:
    """Run a network in float32 by all backends, in turns, and print and draw what was measured."""
    import torch

    from pde2net.emit.noise import noise

    if picture is not None and picture.suffix.lower() not in FORMATS:
        raise FileError(f"{picture}: a figure is written as {', '.join(FORMATS)}.")
    network = compiled(given, declaration(given), on_unstable, say)
    if threads:
        torch.set_num_threads(threads)
    shape = _shape(size, len(network.semidiscrete.form.space))
    modules, said = _modules(network)
    image, known = noise(network.semidiscrete.form.problem, shape)
    seconds = _times(modules, image, known, runs)
    rows = _rows(network, seconds, image[0, 0].numel())
    copy, peak = _limits(modules)
    say.remark(*said)
    say.answer(*_table(rows, copy, peak, shape, torch.get_num_threads()))
    if picture is not None:
        title = f"{Path(given.name).name}, {' x '.join(map(str, shape))}"
        write_with(picture, roofline(rows, copy, peak, title).savefig)
        say.remark(f"{picture}")
    say.data(
        cells=list(shape),
        threads=torch.get_num_threads(),
        backends=[asdict(row) for row in rows],
        copy=copy,
        in_cache=peak,
        remarks=said,
        picture=None if picture is None else str(picture),
    )


def _shape(size: Sequence[int], dimension: int) -> tuple[int, ...]:
    return along_axes(size, dimension) or (round(CELLS ** (1 / dimension)),) * dimension


def _modules(network: Network) -> tuple[dict[str, torch.nn.Module], list[str]]:
    """The module of each backend, and why there are no others."""
    import torch

    from pde2net.cli.textbook import textbook

    plain = network.module().float().eval()
    found: dict[str, torch.nn.Module] = {"torch": plain}
    said = []
    try:
        found["numba"] = network.module(backend="numba").float().eval()
    except EmissionError as error:
        said.append(str(error))
    by_hand = textbook(network)
    if by_hand is None:
        said.append("There is no textbook network of convolutions that computes the same.")
    else:
        found["textbook"] = by_hand
    if network.architecture == "residual stack":
        found["torch.compile"] = torch.compile(network.module().float().eval())  # type: ignore[assignment]
    else:
        said.append("torch.compile is measured for stacks: how long solvers iterate breaks its graphs.")
    return found, said


def _times(
    modules: dict[str, torch.nn.Module], image: torch.Tensor, given: dict[str, Any], runs: int
) -> dict[str, list[float]]:
    """Seconds of each, in turns after one round that compiles."""
    import torch

    seconds: dict[str, list[float]] = {name: [] for name in modules}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for run in range(runs + 1):
            for name, module in modules.items():
                start = time.perf_counter()
                module(image, **given)
                if run:
                    seconds[name].append(time.perf_counter() - start)
    return seconds


def _rows(network: Network, seconds: dict[str, list[float]], cells: int) -> list[Row]:
    steps = len(getattr(network.update, "stages", "-")) * getattr(network.update, "cycles", 1)
    through, operations = _counted(network, steps)
    rows = []
    for name, values in seconds.items():
        middle = statistics.median(values)
        moved = through if name == "numba" else None
        rows.append(Row(name, middle, max(values), cells * steps / middle / 1e6, moved, operations))
    return sorted(rows, key=lambda row: -row.rate)


def _counted(network: Network, steps: int) -> tuple[float, float]:
    """Bytes through memory in passes of kernels, and operations of their lines, for a cell and a step.

    0 for networks that are no stacks of kernels.
    """
    try:
        journey = passes_of(network.request("numba"))
    except EmissionError:
        return 0.0, 0.0
    channels = {name: extent.channels for name, extent in journey.flat.extents.items()}
    moved = sum(channels[a] for leg in journey.forward for a in (*leg.given, *leg.results))
    return ITEM * moved / steps, sum(map(_operations, journey.forward)) / steps


def _operations(leg: Leg) -> float:
    """Additions, products, quotients and functions of all turns of a pass, after common parts are found."""
    found: dict[int, float] = {}
    total = 0.0
    for turn in leg.made.turns:
        if turn.call is None:
            continue
        stage = turn.call.stage
        if id(stage) not in found:
            common, reduced = sp.cse([e for _, e in stage.body], order="none")
            count = sum(sp.count_ops(e) for e in (*(part for _, part in common), *reduced))
            found[id(stage)] = float(count) * stage.channels
        total += found[id(stage)]
    return total


def _limits(modules: dict[str, torch.nn.Module]) -> tuple[float, float | None]:
    """GB per second of a copy, and million cells and steps per second of lines of passes in cache."""
    import torch

    from pde2net.emit.kernels.measure import copied, in_cache

    threads = torch.get_num_threads()
    passes = hasattr(modules.get("numba"), "by_kernels")
    peak = in_cache(modules["numba"], 1024) * threads if passes else None
    return copied(threads), peak


def _table(
    rows: Sequence[Row], copy: float, peak: float | None, shape: tuple[int, ...], threads: int
) -> list[str]:
    slowest = rows[-1].rate
    lines = [
        f"{' x '.join(map(str, shape))} cells, float32, {threads} threads",
        "",
        f"{'backend':<15}{'seconds':>9}{'slowest':>9}{'10^6 cell-steps/s':>19}{'faster by':>11}{'bytes':>8}",
    ]
    for row in rows:
        moved = "" if not row.bytes else f"{row.bytes:.2f}"
        lines.append(
            f"{row.backend:<15}{row.seconds:>9.4f}{row.slowest:>9.4f}{_rate(row.rate):>19}"
            f"{row.rate / slowest:>11.1f}{moved:>8}"
        )
    lines += ["", f"a copy moves {copy:.1f} GB/s"]
    if peak is not None:
        own = next(row for row in rows if row.backend == "numba")
        allowed = copy * 1e3 / own.bytes if own.bytes else float("inf")
        lines += [
            f"lines in the first cache {peak:.0f}; kernels reach {100 * own.rate / peak:.0f} % of it",
            f"memory alone would allow {allowed:.0f}; {own.operations:.0f} operations per cell and step",
        ]
    return lines


def _rate(value: float) -> str:
    """Whole numbers, or two digits of small ones."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def roofline(rows: Sequence[Row], copy: float, peak: float | None, title: str) -> Figure:
    """Operations per second over operations per byte: what memory and the first cache allow, and backends."""
    try:
        from matplotlib.colors import TABLEAU_COLORS
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DeclarationError('A figure needs matplotlib: pip install "pde2net[plot]".') from error
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    operations = max(row.operations for row in rows) or 1.0
    through = next((row.bytes for row in rows if row.bytes), None)
    top = (peak or max(row.rate for row in rows)) * operations / 1e3
    own = operations / through if through else 1.0
    ends = [min(0.1, own / 10), own * 10]
    corner = top / copy
    line = [ends[0], max(corner, ends[0]), max(ends[1], corner * 2)]
    allowed = "what the machine allows" if peak else "what memory allows, up to the fastest"
    axes.plot(line, [min(top, copy * x) for x in line], color="black", label=allowed)
    for row, colour in zip(rows, TABLEAU_COLORS, strict=False):
        height = row.rate * operations / 1e3
        style: Callable[..., Any] = axes.plot
        if row.bytes:
            style([own], [height], "o", color=colour, label=f"{row.backend}, {_rate(row.rate)}")
        else:
            axes.axhline(height, color=colour, linestyle=":", label=f"{row.backend}, {_rate(row.rate)}")
    axes.set(xscale="log", yscale="log", title=title, xlabel="operations per byte of memory")
    axes.set_ylabel("10^9 operations per second")
    axes.legend(title="10^6 cell-steps per second", fontsize="small")
    return figure
