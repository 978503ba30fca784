"""Trajectories to look at: before and after, films, what was tracked over time."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pde2net.errors import DeclarationError, FileError
from pde2net.files import write_with
from pde2net.trajectory.record import Array, Trajectory, checked_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Frame = NDArray[np.uint8]  # shape (rows, columns), or (rows, columns, 3)
GAP = 4  # pixels between pictures
LEAST = 192  # pixels along the shorter side of what is shown: smaller images are enlarged
GRAPH = (640, 320)  # pixels of the graph of a signal
FASTEST = 50  # frames in a second


def trajectory_movie(trajectory: Trajectory, path: str | Path, seconds: float, image: int) -> None:
    file = Path(path)
    writers: dict[str, Callable[[Path, list[Frame], float], None]] = {".gif": _gif, ".mp4": _mp4}
    if file.suffix.lower() not in writers:
        raise DeclarationError(f"A film is written as .gif or .mp4, not {file.name}.")
    checked_image(trajectory, image)
    if not 0 < seconds < 3600:
        raise DeclarationError(f"A film lasts for some seconds, less than an hour, not {seconds!r}.")
    frames = list(shown(trajectory, image, range(len(trajectory))))
    rate = min(max(len(frames) / seconds, 1.0), FASTEST)
    write_with(file, lambda temporary: writers[file.suffix.lower()](temporary, frames, rate))


def trajectory_picture(trajectory: Trajectory, path: str | Path, image: int) -> None:
    file = Path(path)
    if file.suffix.lower() != ".png":
        raise DeclarationError(f"A picture is written as .png, not {file.name}.")
    checked_image(trajectory, image)
    write_with(file, lambda temporary: temporary.write_bytes(trajectory_png(trajectory, image)))


def trajectory_png(trajectory: Trajectory, image: int = 0) -> bytes:
    """The first state and the last one, side by side."""
    from PIL import Image

    frame = _beside(list(shown(trajectory, image, (0, len(trajectory) - 1))))
    target = io.BytesIO()
    Image.fromarray(frame).save(target, format="PNG")
    return target.getvalue()


def shown(trajectory: Trajectory, image: int, chosen: Any) -> Iterator[Frame]:
    """Frames of an image at the chosen moments, all on one scale."""
    states = trajectory.states[:, image]
    finite = states[np.isfinite(states)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    low, high = (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)
    for n in chosen:
        yield _frame(states[n], low, high)


def _frame(state: Array, low: float, high: float) -> Frame:
    """A state of shape (channels, *spatial)."""
    if state.ndim == 2:
        return _graph(state, low, high)
    if state.ndim == 4:
        state = state[:, state.shape[1] // 2]
    scaled = np.nan_to_num((state.astype(np.float64) - low) / (high - low or 1.0), nan=0.0)
    values = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    times = -(-LEAST // min(values.shape[1:]))
    values = values.repeat(times, axis=1).repeat(times, axis=2)
    if len(values) == 3:
        return np.ascontiguousarray(np.moveaxis(values, 0, -1))
    return _beside(list(values))


def _beside(frames: list[Frame]) -> Frame:
    line = np.full((frames[0].shape[0], GAP, *frames[0].shape[2:]), 255, np.uint8)
    parts = [part for frame in frames for part in (line, frame)][1:]
    return np.ascontiguousarray(np.concatenate(parts, axis=1))


def _graph(state: Array, low: float, high: float) -> Frame:
    """Graphs of the channels of a signal."""
    from PIL import Image, ImageDraw

    width, height = GRAPH
    canvas = Image.new("L", GRAPH, 255)
    draw = ImageDraw.Draw(canvas)
    for k, channel in enumerate(np.nan_to_num(state.astype(np.float64), nan=low)):
        across = np.linspace(0, width - 1, len(channel))
        down = (height - 1) * (1 - np.clip((channel - low) / (high - low or 1.0), 0, 1))
        draw.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=min(90 * k, 180), width=2)
    return np.asarray(canvas)


def _gif(path: Path, frames: list[Frame], rate: float) -> None:
    from PIL import Image

    # A palette for each frame in which colours that are rare stay what they are.
    found = (Image.fromarray(frame) for frame in frames)
    coloured = Image.Quantize.MAXCOVERAGE
    first, *rest = (f if f.mode == "L" else f.quantize(256, method=coloured) for f in found)
    hundredths = max(round(100 / rate), 2)  # what GIF counts in
    first.save(path, format="GIF", save_all=True, append_images=rest, duration=10 * hundredths, loop=0)


def _mp4(path: Path, frames: list[Frame], rate: float) -> None:
    program = shutil.which("ffmpeg")
    if program is None:
        raise DeclarationError("A film as .mp4 needs ffmpeg, which is not installed; .gif does not.")
    rows, columns = frames[0].shape[:2]
    kind = "gray" if frames[0].ndim == 2 else "rgb24"
    given = ["-f", "rawvideo", "-pix_fmt", kind, "-s", f"{columns}x{rows}", "-r", f"{rate:g}", "-i", "-"]
    # Most players know yuv420p only, which has even sizes.
    made = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", str(path)]
    command = [program, "-y", "-loglevel", "error", *given, *made]
    data = b"".join(np.ascontiguousarray(frame).tobytes() for frame in frames)
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise FileError(f"ffmpeg could not write {path.name}: {said}")


def trajectory_plot(trajectory: Trajectory, path: str | Path | None = None) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise DeclarationError('Pictures need matplotlib: pip install "pde2net[plot]".') from error
    if not trajectory.values:
        raise DeclarationError('Nothing was tracked: run(u0, track=["mean", "removed"]).')
    names = list(trajectory.values)
    figure = Figure(figsize=(6.4, 1.2 + 1.7 * len(names)), layout="constrained")
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for axis, name in zip(axes, names, strict=True):
        axis.plot(trajectory.times, trajectory.values[name], marker=".", markersize=4)
        axis.set_ylabel(name)
        axis.grid(alpha=0.3)
        axis.ticklabel_format(useOffset=False)
    axes[-1].set_xlabel(trajectory.unit)
    if path is not None:
        write_with(path, figure.savefig)
    return figure
