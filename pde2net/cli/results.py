"""Where `run` writes: pictures and arrays, states beside them, whole trajectories, tables, stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import numpy as np
from numpy.typing import NDArray

from pde2net import images
from pde2net.cli.applying import result
from pde2net.cli.inputs import PIPE
from pde2net.cli.say import Say
from pde2net.errors import DeclarationError, FileError
from pde2net.files import check_apart
from pde2net.network import Network
from pde2net.trajectory.record import Trajectory

FILMS, STORES = (".gif", ".mp4"), (".npz", ".zarr")
READ_ONLY = ("", ".dcm")  # of which results are written as arrays


def whole(target: str) -> bool:
    """Whether it holds all states."""
    return Path(target).suffix.lower() in (*FILMS, *STORES)


def targets(sources: Sequence[Path], target: str) -> list[str]:
    """Where the result of each input goes; a folder is made if that is needed.

    Raises FileError for a target that is none and for inputs of one name.
    """
    if target == PIPE:
        if len(sources) > 1:
            raise FileError("OUTPUT is stdout, which takes one result: give one INPUT, or a folder.")
        return [target]
    folder = Path(target)
    is_store = folder.suffix.lower() in STORES  # .zarr is a folder of its own
    if not (len(sources) > 1 or target.endswith("/") or folder.is_dir()) or (len(sources) == 1 and is_store):
        return [target]
    if any(str(source) == PIPE for source in sources):
        raise FileError(f"A result of stdin has no name in the folder {target}: give that of a file.")
    names = [_named(source) for source in sources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FileError(f"Two results would be {folder / twice}: give them folders of their own.")
    if folder.exists() and not folder.is_dir():
        raise FileError(f"{folder} is a file; the results of several INPUTs need a folder.")
    if not folder.parent.is_dir():
        raise FileError(f"Cannot make the folder {folder}: there is no folder {folder.parent}.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise FileError(f"Cannot make the folder {folder}: {error.strerror or error}.") from error
    return [str(folder / name) for name in names]


def _named(source: Path) -> str:
    """The name of the result of an input."""
    name = source.resolve().name
    suffix = images.suffix_of(source)
    if source.is_dir() or suffix in READ_ONLY:
        return f"{name[: len(name) - len(suffix)]}.npy" if suffix in READ_ONLY else f"{name}.npy"
    return name


def check_target(target: str, picture: images.Picture, inputs: Sequence[str | Path], piped: str) -> None:
    """Raise FileError or DeclarationError before any work for a target that cannot be written."""
    if target == PIPE:
        images.check_fits("OUTPUT", f".{piped}", picture)
        return
    file, suffix = Path(target), Path(target).suffix.lower()
    if not whole(target):
        images.check_writable(file, picture)
    elif not file.parent.is_dir():
        raise FileError(f"Cannot write {file}: there is no folder {file.parent}.")
    elif file.is_dir() and suffix != ".zarr":
        raise FileError(f"Cannot write {file}: it is a folder.")
    if suffix == ".mp4" and which("ffmpeg") is None:
        raise DeclarationError("A film as .mp4 needs ffmpeg, which is not installed; .gif does not.")
    if suffix == ".zarr" and find_spec("zarr") is None:
        raise DeclarationError('Trajectories as .zarr need Zarr: pip install "pde2net[dask]".')
    check_apart(file, inputs)


def write(
    target: str,
    network: Network,
    final: NDArray[np.float64],
    way: Trajectory | None,
    picture: images.Picture,
    inputs: Sequence[str | Path],
    piped: str,
    say: Say,
) -> list[str]:
    """Write the result, and the states of `way` where these were asked for; the names of all files."""
    if target == PIPE:
        _warn_clipped(f".{piped}", "stdout", final, picture, say)
        sys.stdout.buffer.write(images.encoded(f".{piped}", final, picture))
        sys.stdout.buffer.flush()
        return [target]
    file = Path(target)
    if way is not None and whole(target):
        if file.suffix.lower() in FILMS:
            together(way, network).movie(file)
        else:
            way.save(file)
        return [target]
    between: dict[Path, NDArray[np.float64]] = {}
    if way is not None and way.kept:
        ending = images.suffix_of(file)
        stem = file.name[: len(file.name) - len(ending)]
        for repeat, state in list(zip(way.repeats, way.states, strict=True))[1:-1]:
            place = file.with_name(f"{stem}_{int(repeat):04d}{file.name[len(stem) :]}")
            check_apart(place, inputs)
            between[place] = result(network, state)
    for place, channels in {**between, file: final}.items():
        images.write(place, channels, picture)
    _warn_clipped(images.suffix_of(file), target, final, picture, say)
    return [*map(str, between), target]


def together(way: Trajectory, network: Network) -> Trajectory:
    """The way with its images as the channels of one, where they were those of the input."""
    return way if network.several else replace(way, states=way.states.swapaxes(1, 2), values={})


def _warn_clipped(
    suffix: str, target: str, final: NDArray[np.float64], picture: images.Picture, say: Say
) -> None:
    share = images.clipped(suffix, final, picture)
    if share:
        say.warn(f"{100 * share:.3g} % of the result lies outside of [0, 1], the range that {target} holds.")
    if picture.alpha is not None and suffix in images.ARRAYS:
        say.warn(f"{target} holds the {len(final)} channels without the transparency of the input.")


def table(way: Trajectory, network: Network) -> list[str]:
    """Lines of what was tracked; of an input with several channels, which are images, with their number."""
    several, repeated = way.states.shape[1] > 1, network.scheme.repeated.removesuffix("s")
    head = f"{repeated:>6}{way.unit:>12}{'channel':>9}" if several else f"{repeated:>6}{way.unit:>12}"
    lines = [head + "".join(f"{name:>14}" for name in way.values)]
    for row in way.rows:
        line = f"{row['repeat']:>6}{row['time']:>12.6g}" + (f"{row['image']:>9}" if several else "")
        lines.append(line + "".join(f"{row[name]:>14.6g}" for name in way.values))
    return lines
