"""Pictures and arrays in and out: values in [0, 1] between, the original mode and depth on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pde2net.errors import FileError
from pde2net.files import write_with

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".webp")
_DEEP = ("I;16", "I;16L", "I;16B", "I")


@dataclass(frozen=True)
class Picture:
    """Channels of shape (channels, *spatial), and what is needed to write a picture like it.

    dtype   of the file; integers are scaled by `top` to [0, 1]
    mode    the mode of a Pillow image, "" for an array
    alpha   the transparency of an image, kept as it is
    """

    channels: NDArray[np.float64]
    dtype: np.dtype[Any]
    top: float
    mode: str = ""
    alpha: NDArray[Any] | None = None


def read(path: str | Path) -> Picture:
    """Read a grey or colour image (8 or 16 bit), or an .npy array. Raises FileError."""
    file = Path(path)
    if not file.is_file():
        raise FileError(f"There is no file {file}." if not file.exists() else f"{file} is not a file.")
    return _read_array(file) if file.suffix == ".npy" else _read_image(file)


def _read_array(file: Path) -> Picture:
    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"{file} is not an .npy array: {error}") from error
    if array.dtype.kind not in "fiub" or array.size == 0:
        raise FileError(f"{file} holds an array of {array.dtype}, not of real numbers.")
    top = float(np.iinfo(array.dtype).max) if array.dtype.kind in "iu" else 1.0
    channels = array.astype(np.float64)[None] / top
    if not np.isfinite(channels).all():
        raise FileError(f"{file} holds NaN or infinite values.")
    return Picture(channels, array.dtype, top)


def _read_image(file: Path) -> Picture:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as opened:
            opened.load()
            image: Image.Image = opened
            mode = image.mode
            if mode in _DEEP:
                deep = np.asarray(image).astype(np.float64)
                return Picture(deep[None] / 65535, np.dtype(np.uint16), 65535.0, "I;16")
            if mode in ("1", "P", "CMYK", "YCbCr"):
                image = image.convert("L" if mode == "1" else "RGB")
                mode = image.mode
            array = np.asarray(image)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise FileError(f"{file} is not an image that can be read: {error}") from error
    if mode not in ("L", "LA", "RGB", "RGBA", "F"):
        raise FileError(f"{file} has the mode {mode}; grey and colour images are supported.")
    if mode == "F":
        return Picture(array.astype(np.float64)[None], np.dtype(np.float32), 1.0, mode)
    stack = array[..., None] if array.ndim == 2 else array
    alpha = stack[..., -1] if mode.endswith("A") else None
    colours = stack[..., :-1] if alpha is not None else stack
    channels = np.moveaxis(colours.astype(np.float64), -1, 0) / 255
    return Picture(channels, np.dtype(np.uint8), 255.0, mode, alpha)


def check_writable(path: str | Path, like: Picture) -> None:
    """Raise FileError before any work if `path` cannot take a picture like `like`."""
    file = Path(path)
    if not file.parent.is_dir():
        raise FileError(f"Cannot write {file}: there is no folder {file.parent}.")
    if file.is_dir():
        raise FileError(f"Cannot write {file}: it is a folder.")
    if file.suffix != ".npy":
        if file.suffix.lower() not in SUFFIXES:
            raise FileError(f"Cannot write {file}: choose .npy or one of {', '.join(SUFFIXES)}.")
        if like.channels.ndim != 3:
            raise FileError(f"Cannot write {file}: only two-dimensional data makes an image; use .npy.")
    write_with(file.with_name(f".{file.name}.writable"), lambda temporary: None)
    file.with_name(f".{file.name}.writable").unlink()


def write(path: str | Path, channels: NDArray[np.float64], like: Picture) -> None:
    """Write channels in the mode and depth of `like`; integers are clipped and rounded."""
    file = Path(path)
    scaled = channels * like.top
    if like.dtype.kind in "iu":
        info = np.iinfo(like.dtype)
        scaled = np.clip(np.rint(scaled), info.min, info.max)
    values = scaled.astype(like.dtype if like.dtype.kind != "b" else np.float64)
    if file.suffix == ".npy":
        array = values[0] if len(values) == 1 else np.moveaxis(values, 0, -1)
        write_with(file, lambda temporary: np.save(temporary, array))
        return
    from PIL import Image

    if like.mode in ("", "F"):
        clipped = np.clip(np.rint(np.clip(channels, 0, 1) * 255), 0, 255).astype(np.uint8)
        values = values if file.suffix.lower() in (".tif", ".tiff") and like.mode == "F" else clipped
    stack = np.moveaxis(values, 0, -1)
    if like.alpha is not None:
        stack = np.concatenate([stack, like.alpha[..., None]], axis=-1)
    image = Image.fromarray(np.ascontiguousarray(stack[..., 0] if stack.shape[-1] == 1 else stack))
    try:
        write_with(file, image.save)
    except (ValueError, KeyError) as error:
        raise FileError(f"Cannot write {file}: {error}") from error
