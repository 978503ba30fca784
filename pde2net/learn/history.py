"""What a training did, epoch by epoch."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pde2net.errors import DeclarationError
from pde2net.files import write_text, write_with


@dataclass
class History:
    """One entry an epoch in each list.

    loss        the mean loss of the epoch, before each step
    validation  the loss of the validation data after it; empty without such data
    rate        the (first) learning rate of its last step
    seconds     processor time of the process so far, over all sessions
    trained     what was trained: "all", or "block k" while training is greedy
    best        the epoch, counted from 1, whose weights the module ended with; None for the last one
    """

    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    trained: list[str] = field(default_factory=list)
    best: int | None = None

    def __repr__(self) -> str:
        ways = [
            f"{n} {v[0]:.4g} -> {v[-1]:.4g}"
            for n, v in (("loss", self.loss), ("validation", self.validation))
            if v
        ]
        best = "" if self.best is None else f", best: epoch {self.best}"
        return f"History({', '.join([f'{len(self.loss)} epochs', *ways])}{best})"

    def _repr_png_(self) -> bytes | None:
        """The curves of the losses, in notebooks, where matplotlib is installed."""
        if not self.loss:
            return None
        target = io.BytesIO()
        try:
            self.plot().savefig(target, format="png", dpi=100)
        except DeclarationError:
            return None
        return target.getvalue()

    @property
    def columns(self) -> dict[str, list[Any]]:
        """The lists that have entries, by name."""
        lists = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "best"}
        return {name: values for name, values in lists.items() if values}

    def to_csv(self, path: str | Path) -> None:
        """A table with a row per epoch. Raises FileError if it cannot be written."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *self.columns])
        writer.writerows(
            [epoch, *row] for epoch, row in enumerate(zip(*self.columns.values(), strict=True), 1)
        )
        write_text(path, text.getvalue())

    def plot(self, path: str | Path | None = None) -> Any:
        """A matplotlib Figure of the losses over epochs, written to `path` if that is given.

        Raises DeclarationError if matplotlib is not installed (pip install "pde2net[plot]").
        """
        try:
            from matplotlib.figure import Figure
            from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter
        except ImportError as error:
            raise DeclarationError('Pictures need matplotlib: pip install "pde2net[plot]".') from error
        figure = Figure(figsize=(6.4, 4), layout="constrained")
        axes = figure.subplots()
        epochs = range(1, len(self.loss) + 1)
        axes.semilogy(epochs, self.loss, label="training")
        if self.validation:
            axes.semilogy(epochs, self.validation, label="validation")
        if self.best is not None:
            axes.axvline(self.best, color="0.7", linewidth=1, zorder=0)
            axes.annotate(f"best: epoch {self.best}", (self.best, axes.get_ylim()[1]), (3, -11),
                          textcoords="offset points", color="0.4", fontsize=8)  # fmt: skip
        axes.set(xlabel="epoch", ylabel="loss", title="Loss of training")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        low, high = axes.get_ylim()
        plain = FuncFormatter(lambda value, _: f"{value:.3g}")
        axes.yaxis.set_major_formatter(plain)
        axes.yaxis.set_minor_formatter(plain if high < 10 * low else NullFormatter())
        axes.grid(alpha=0.3, which="both")
        axes.legend()
        if path is not None:
            write_with(path, figure.savefig)
        return figure
