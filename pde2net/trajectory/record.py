"""The record of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from pde2net.errors import DeclarationError
from pde2net.later import later
from pde2net.trajectory.course import Solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Trajectory:
    """States on the way of a network, n of them, and what was measured at each.

    times    shape (n,), from 0; for a steady state iterations, as `unit` says
    repeats  shape (n,), steps or cycles that were done
    states   shape (n, batch, channels, *spatial); the last one alone if they were not kept
    values   by name, shape (n, batch)
    solver   what the solver of each implicit step did, up to the last state
    stopped  why the run ended early; empty if it did not
    axes     names of the axes of space
    spacing  of the grid along each
    unit     of `times`: "time", "iterations", or where the length of a step is learned "steps" or "cycles"
    """

    times: Array
    repeats: Array
    states: Array
    values: Mapping[str, Array]
    solver: Sequence[Solve] = ()
    stopped: str = ""
    axes: tuple[str, ...] = ()
    spacing: tuple[float, ...] = ()
    unit: str = "time"

    def __len__(self) -> int:
        return len(self.times)

    @property
    def final(self) -> Array:
        """The last state, shape (batch, channels, *spatial)."""
        found: Array = self.states[-1]
        return found

    @property
    def kept(self) -> bool:
        """Whether all states are here, not only the last one."""
        return len(self.states) == len(self.times)

    def __getitem__(self, name: str) -> Array:
        """What was tracked under this name, shape (n, batch). Raises DeclarationError if nothing was."""
        if name not in self.values:
            known = ", ".join(self.values) or "nothing"
            raise DeclarationError(
                f'"{name}" was not tracked: {known} was. Ask for it: run(u0, track=["{name}"]).'
            )
        return self.values[name]

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One row for each state of each image: repeat, time, image, and what was tracked."""
        return [
            {"repeat": int(k), "time": float(t), "image": image}
            | {name: float(value[n, image]) for name, value in self.values.items()}
            for n, (k, t) in enumerate(zip(self.repeats, self.times, strict=True))
            for image in range(self.states.shape[1])
        ]

    def save(self, path: str | Path) -> None:
        """Write all of it to one file, .npz, or to a folder that Zarr reads, .zarr.

        Raises FileError if it cannot be written, DeclarationError for another suffix or without Zarr
        (pip install "pde2net[dask]").
        """
        later("save_trajectory")(self, path)

    @staticmethod
    def load(path: str | Path) -> Trajectory:
        """What `save` wrote. Raises FileError for anything else."""
        found: Trajectory = later("load_trajectory")(path)
        return found

    def to_csv(self, path: str | Path) -> None:
        """The `rows` as a table. Raises FileError if it cannot be written."""
        later("trajectory_table")(self, path)

    def movie(self, path: str | Path, seconds: float = 4.0, image: int = 0) -> None:
        """A film of one image of the batch, .gif, or .mp4 where ffmpeg is installed.

        seconds  how long it lasts

        Grey values are those of the whole run, from its smallest to its largest; from 0 to 1 if all lie
        there. Three channels are colours; of other numbers each has a picture of its own, side by side. Of a
        volume the slice in the middle of the first axis is shown, of a signal its graph.
        Raises DeclarationError if states were not kept, for another suffix and without ffmpeg.
        """
        later("trajectory_movie")(self, path, seconds, image)

    def picture(self, path: str | Path, image: int = 0) -> None:
        """The first state and the last one, side by side, as .png; what is shown is as in `movie`.

        Raises DeclarationError if states were not kept, and for another suffix.
        """
        later("trajectory_picture")(self, path, image)

    def plot(self, path: str | Path | None = None) -> Figure:
        """A matplotlib Figure of all that was tracked over time, written to `path` if that is given.

        Raises DeclarationError if nothing was tracked, or without matplotlib (pip install "pde2net[plot]").
        """
        figure: Figure = later("trajectory_plot")(self, path)
        return figure

    def __repr__(self) -> str:
        what = f", tracked {', '.join(self.values)}" if self.values else ""
        ended = f", ended early: {self.stopped}" if self.stopped else ""
        shape = " x ".join(map(str, self.states.shape[1:]))
        return f"Trajectory({len(self)} states of {shape} to {self.unit} {self.times[-1]:g}{what}{ended})"

    def _repr_png_(self) -> bytes | None:
        """The first and the last state, in notebooks."""
        shown: bytes | None = later("trajectory_png")(self) if self.kept else None
        return shown


def checked_image(trajectory: Trajectory, image: int) -> None:
    """Raise DeclarationError if there is no such image, or nothing but the last state."""
    if not trajectory.kept:
        raise DeclarationError("Only the last state was kept: run(u0, keep=True) keeps all.")
    count = trajectory.states.shape[1]
    if not 0 <= image < count:
        raise DeclarationError(f"There is no image {image}: the batch has {count}, counted from 0.")
