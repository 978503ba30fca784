"""Which reader and which writer a file has, by its name, and whether a picture can be written."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pde2net.errors import FileError
from pde2net.files import write_with
from pde2net.images import raster, tiff, volumes
from pde2net.images.picture import Picture, arranged
from pde2net.images.raster import PORTABLE, SUFFIXES, TIFF

NIFTI = (".nii", ".nii.gz")
ARRAYS = (".npy", *NIFTI)  # which hold channels of any number and axes
MAGIC = {b"\x89PNG": "image", b"\x93NUMPY": "array"}


def suffix_of(path: str | Path) -> str:
    """The suffix that says what a file is, ".nii.gz" whole."""
    name = Path(path).name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def read(path: str | Path) -> Picture:
    """Read an image, an .npy array or a volume.

    The values of integers are divided by the largest one of their type, but those of NIfTI and DICOM. A
    picture with a palette is read as colours, a black and white one as grey. Raises FileError for what is
    not supported, and for integers of which the largest is 1: they are a mask, of which 1/255 would be left.
    """
    file, suffix = Path(path), suffix_of(path)
    if not file.exists():
        raise FileError(f"There is no file {file}.")
    if file.is_dir() or suffix == ".dcm":
        return _checked(volumes.read_dicom(file), str(file))
    if not file.is_file():
        raise FileError(f"{file} is not a file.")
    if suffix in NIFTI:
        return _checked(volumes.read_nifti(file), str(file))
    if suffix == ".npy":
        return _checked(raster.read_array(file, str(file)), str(file))
    try:
        data = file.read_bytes()
    except OSError as error:
        raise FileError(f"Cannot read {file}: {error.strerror or error}.") from error
    return _checked(raster.read_image(data, str(file)) or tiff.read(file), str(file))


def read_bytes(data: bytes, name: str) -> Picture:
    """A PNG or an .npy array, which its first bytes tell. Raises FileError for anything else."""
    kind = next((kind for start, kind in MAGIC.items() if data.startswith(start)), None)
    if kind is None:
        raise FileError(f"{name} holds neither a PNG nor an .npy array.")
    found = raster.read_array(io.BytesIO(data), name) if kind == "array" else raster.read_image(data, name)
    if found is None:
        raise TypeError("a PNG was expected")
    return _checked(found, name)


def _checked(picture: Picture, name: str) -> Picture:
    if not np.isfinite(picture.channels).all():
        raise FileError(f"{name} holds NaN or infinite values.")
    if picture.dtype.kind == "u" and picture.channels.max() == 1 / picture.top:
        raise FileError(
            f"{name} holds the integers 0 and 1 only, and would become 0 and 1/{picture.top:.0f}. If it is a "
            f"mask, save it with the values 0 and {picture.top:.0f}, or as an .npy array of bool or float."
        )
    return picture


def check_writable(path: str | Path, like: Picture) -> None:
    """Raise FileError before any work if `path` cannot take a picture like `like` without loss of kind."""
    file, suffix = Path(path), suffix_of(path)
    if not file.parent.is_dir():
        raise FileError(f"Cannot write {file}: there is no folder {file.parent}.")
    if file.is_dir():
        raise FileError(f"Cannot write {file}: it is a folder.")
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise FileError(f"Cannot write {file}: {error.strerror or error}.") from error
    check_fits(file, suffix, like)


def check_fits(file: str | Path, suffix: str, like: Picture) -> None:
    """Raise FileError for a kind of file that cannot take a picture like `like`, and for a missing extra."""
    if suffix in NIFTI:
        volumes.needed("nibabel", "NIfTI")
    if suffix in ARRAYS:
        return
    if suffix == ".dcm":
        raise FileError(f"Cannot write {file}: DICOM is read only; use .npy, .nii or .tif.")
    if suffix not in SUFFIXES:
        raise FileError(
            f"Cannot write {file}: choose .npy or one of {', '.join((*NIFTI, *SUFFIXES))}; "
            "of a run, .gif, .mp4, .npz or .zarr hold states on the way."
        )
    pages = like.channels.ndim == 4 and suffix in TIFF
    if like.channels.ndim != 3 and not pages:
        volume = ".npy, .nii, .tif, or .gif for a film" if like.channels.ndim == 4 else ".npy"
        raise FileError(f"Cannot write {file}: only two-dimensional data makes an image; use {volume}.")
    count = len(like.channels)
    if count not in PORTABLE:
        raise FileError(f"Cannot write {file}: {count} channels make no picture; use .npy.")
    if suffix in TIFF and (pages or raster.deep(like)):
        volumes.needed("tifffile", "TIFF of several pages or of 16 bits in colour")
        return
    if not raster.holds(suffix, like):
        others = [
            s for s in (PORTABLE[count], ".png", ".tif") if raster.holds(s, like) and not _clips(s, like)
        ]
        others += [".npy"] if like.alpha is None else []
        choices = " or ".join(filter(None, (", ".join(others[:-1]), others[-1])))
        raise FileError(f"Cannot write {file}: {suffix} cannot hold {_kind(suffix, like)}; use {choices}.")
    if _clips(suffix, like):
        low, high = like.channels.min(), like.channels.max()
        raise FileError(
            f"Cannot write {file}: a picture holds the range [0, 1] of floats, and the values of the input "
            f"range from {low:.6g} to {high:.6g}. Scale the input, or write .npy{' or .tif' * (count == 1)}."
        )


def _kind(suffix: str, like: Picture) -> str:
    """What of a picture `suffix` does not hold."""
    if suffix in PORTABLE.values() and suffix != PORTABLE[len(like.channels)]:
        return "colours" if len(like.channels) > 1 else "a grey picture"
    if like.alpha is not None:
        return "transparency"
    depth = "floats" if like.dtype.kind == "f" else f"{8 * like.dtype.itemsize} bits"
    return f"{depth} per pixel" if len(like.channels) == 1 else f"colours of {depth}"


def _clips(suffix: str, like: Picture) -> bool:
    """Whether floats of `like` lie outside of the range that a picture holds."""
    return like.dtype.kind == "f" and suffix not in TIFF and like.beyond


def clipped(suffix: str, channels: NDArray[np.float64], like: Picture) -> float:
    """The share of the values that is clipped to [0, 1] in such a file, beyond what is rounded."""
    if suffix in NIFTI or (like.dtype.kind == "f" and suffix in (*ARRAYS, *TIFF)):
        return 0.0
    step = 0.5 / (255.0 if like.dtype.kind == "f" else like.top)
    return float(((channels < -step) | (channels > 1 + step)).mean())


def write(path: str | Path, channels: NDArray[np.float64], like: Picture) -> None:
    """Write channels in the mode and depth of `like`; integers are clipped and rounded.

    As an image, floats become 8 bit by clipping to [0, 1], in a TIFF 32-bit floats; NIfTI holds floats.
    Arrays hold the channels, without transparency, along the axis that the input had them, of pictures along
    the last one.
    """
    suffix = suffix_of(path)
    writer: Callable[[Path], object]
    if suffix in NIFTI:

        def writer(temporary: Path) -> None:
            volumes.write_nifti(temporary, channels, like)
    elif suffix in TIFF and (channels.ndim == 4 or raster.deep(like)):

        def writer(temporary: Path) -> None:
            tiff.write(temporary, channels, like)
    else:
        data = encoded(suffix, channels, like)

        def writer(temporary: Path) -> None:
            temporary.write_bytes(data)

    write_with(path, writer)


def encoded(suffix: str, channels: NDArray[np.float64], like: Picture) -> bytes:
    """The bytes of an image or an .npy array."""
    if suffix != ".npy":
        return raster.encoded(suffix, channels, like)
    target = io.BytesIO()
    np.save(target, arranged(channels, like))
    return target.getvalue()
