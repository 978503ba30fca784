"""What a training shows while it runs: a bar on the terminal, and scalars for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pde2net.errors import DeclarationError
from pde2net.learn.history import History


class Reports:
    """A bar over all epochs with the latest losses, on stderr if that is a terminal."""

    def __init__(self, shown: bool, log: str | Path | None, epochs: int) -> None:
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[losses]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
        )
        self.epochs, self.steps, self.writer = epochs, 0, _writer(log)

    def __enter__(self) -> Reports:
        self.bar.start()
        self.task = self.bar.add_task("training", total=self.epochs, losses="")
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()
        if self.writer is not None:
            self.writer.close()

    def epoch(self, epoch: int, trained: str, steps: int) -> None:
        """An epoch of so many steps begins."""
        self.steps = steps
        self.bar.update(self.task, completed=epoch, description=f"training {trained}")

    def batch(self, loss: float) -> None:
        self.bar.update(self.task, advance=1 / self.steps, losses=f"loss {loss:.4g}")

    def done(self, epoch: int, history: History) -> None:
        """An epoch is over."""
        checked = f", validation {history.validation[-1]:.4g}" if history.validation else ""
        self.bar.update(self.task, completed=epoch + 1, losses=f"loss {history.loss[-1]:.4g}{checked}")
        if self.writer is not None:
            for name, values in history.columns.items():
                if name != "trained":
                    self.writer.add_scalar(name, values[-1], epoch + 1)
            self.writer.flush()


def _writer(log: str | Path | None) -> Any:
    if log is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise DeclarationError('log= writes for TensorBoard: pip install "pde2net[learn]".') from error
    return SummaryWriter(str(log))  # type: ignore[no-untyped-call, unused-ignore]
