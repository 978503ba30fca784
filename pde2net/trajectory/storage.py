"""Trajectories in files: .npz, Zarr, tables."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from pde2net.errors import DeclarationError, FileError
from pde2net.files import write_text, write_with
from pde2net.trajectory.course import Solve
from pde2net.trajectory.record import Trajectory

FORMAT = "pde2net trajectory 1"
REST = ("stopped", "axes", "spacing", "unit")


def save_trajectory(trajectory: Trajectory, path: str | Path) -> None:
    file = Path(path)
    arrays: dict[str, Any] = {
        "times": trajectory.times,
        "repeats": trajectory.repeats,
        "states": trajectory.states,
    }
    arrays |= {f"value_{k}": value for k, value in enumerate(trajectory.values.values())}
    rest = {
        "format": FORMAT,
        "solver": [[s.iterations, list(s.residual)] for s in trajectory.solver],
        "tracked": list(trajectory.values),
        **{name: getattr(trajectory, name) for name in REST},
    }
    text = json.dumps(rest)
    if file.suffix == ".npz":
        write_with(file, lambda temporary: np.savez_compressed(temporary, about=np.array(text), **arrays))
    elif file.suffix == ".zarr":
        _to_zarr(file, text, arrays)
    else:
        raise DeclarationError(f"A trajectory is written as .npz or .zarr, not {file.name}.")


def _to_zarr(folder: Path, text: str, arrays: dict[str, Any]) -> None:
    """Into a folder beside the target, which is then moved there. A folder that is no trajectory stays."""
    zarr = _zarr()
    if folder.exists() and not (folder / "zarr.json").is_file():
        raise FileError(f"Cannot write {folder}: it exists and is no Zarr group.")
    temporary = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        group = zarr.open_group(str(temporary), mode="w")
        for name, array in arrays.items():
            group.create_array(name, data=array, chunks=(1, *array.shape[1:]) if name == "states" else "auto")
        group.attrs["about"] = text
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise FileError(f"Cannot write {folder}: {error.strerror or error}.") from error


def load_trajectory(path: str | Path) -> Trajectory:
    file = Path(path)
    if not file.exists():
        raise FileError(f"There is no file {file}.")
    try:
        if file.is_dir():
            group = _zarr().open_group(str(file), mode="r")
            text, arrays = str(group.attrs["about"]), {name: array[...] for name, array in group.arrays()}
        else:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            text = str(arrays.pop("about"))
        rest = json.loads(text)
        if rest["format"] != FORMAT:
            raise KeyError(FORMAT)
        return Trajectory(
            arrays["times"],
            arrays["repeats"],
            arrays["states"],
            {name: arrays[f"value_{k}"] for k, name in enumerate(rest["tracked"])},
            tuple(Solve(int(n), tuple(map(float, residual))) for n, residual in rest["solver"]),
            str(rest["stopped"]),
            tuple(map(str, rest["axes"])),
            tuple(map(float, rest["spacing"])),
            str(rest["unit"]),
        )
    except DeclarationError:
        raise
    # A damaged file fails in many ways, of zip, json, NumPy and Zarr.
    except Exception as error:
        raise FileError(f"{file} is no trajectory that pde2net wrote: {error}") from error


def trajectory_table(trajectory: Trajectory, path: str | Path) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(trajectory.rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(trajectory.rows)
    write_text(path, text.getvalue())


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise DeclarationError('Trajectories as .zarr need Zarr: pip install "pde2net[dask]".') from error
    return zarr
