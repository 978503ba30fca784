"""Pictures and arrays in and out: values in [0, 1] between, the original mode and depth on disk."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pde2net.errors import FileError
from pde2net.files import write_with

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".webp")
_TIFF = (".tif", ".tiff")
_PORTABLE = {1: ".pgm", 3: ".ppm"}  # Pillow writes either content under either name
_DEEP = ("I;16", "I;16L", "I;16B", "I")
_SAVING: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95},
    ".jpeg": {"quality": 95},
    ".webp": {"lossless": True},
}


@dataclass(frozen=True)
class Picture:
    """Channels of shape (channels, *spatial), and what is needed to write a picture like it.

    dtype    of the values on disk
    top      the value on disk that stands for 1
    alpha    the transparency of an image as on disk, kept as it is
    profile  the ICC colour profile of an image, kept as it is
    first    whether the channels are the first axis of an array on disk, too
    """

    channels: NDArray[np.float64]
    dtype: np.dtype[Any]
    top: float = 1.0
    alpha: NDArray[Any] | None = None
    profile: bytes | None = None
    first: bool = False

    @property
    def beyond(self) -> bool:
        """Whether values lie outside of [0, 1], where those of pictures do."""
        return bool(self.channels.min() < 0 or self.channels.max() > 1)


def read(path: str | Path) -> Picture:
    """Read a grey image (8 or 16 bit), a colour image (8 bit) or an .npy array.

    The values of integers are divided by the largest one of their type. A picture with a palette is
    read as colours, a black and white one as grey. Raises FileError for what is not supported, and for
    integers of which the largest is 1: they are a mask, of which 1/255 would be left.
    """
    file = Path(path)
    if not file.is_file():
        raise FileError(f"There is no file {file}." if not file.exists() else f"{file} is not a file.")
    picture = _read_array(file) if file.suffix.lower() == ".npy" else _read_image(file)
    if not np.isfinite(picture.channels).all():
        raise FileError(f"{file} holds NaN or infinite values.")
    if picture.dtype.kind == "u" and picture.channels.max() == 1 / picture.top:
        raise FileError(
            f"{file} holds the integers 0 and 1 only, and would become 0 and 1/{picture.top:.0f}. If it is a "
            f"mask, save it with the values 0 and {picture.top:.0f}, or as an .npy array of bool or float."
        )
    return picture


def _read_array(file: Path) -> Picture:
    try:
        array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"{file} is not an .npy array: {error}") from error
    if array.size == 0:
        raise FileError(f"{file} holds an empty array.")
    if array.dtype.kind == "f":
        return Picture(array.astype(np.float64)[None], array.dtype)
    if array.dtype.kind == "b":
        return Picture(array.astype(np.float64)[None], np.dtype(np.float64))
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        top = float(np.iinfo(array.dtype).max)
        return Picture(array.astype(np.float64)[None] / top, array.dtype, top)
    raise FileError(
        f"{file} holds {array.dtype} values; convert them to float, or to uint8 or uint16, whose values are "
        "scaled to [0, 1]."
    )


def _read_image(file: Path) -> Picture:
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as opened:
            _check_kind(opened, file)
            opened.load()
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("1", "P", "L", "RGB"):
                grey = "LA" if image.has_transparency_data else "L"
                colour = "RGBA" if image.has_transparency_data else "RGB"
                image = image.convert(grey if image.mode in ("1", "L") else colour)
            array = np.asarray(image)
    except FileError:
        raise
    # Decoders raise nearly anything for a damaged file, SyntaxError and struct.error among it.
    except Exception as error:
        raise FileError(f"{file} is not an image that can be read: {error}") from error
    profile = image.info.get("icc_profile")
    if image.mode == "F":
        return Picture(array.astype(np.float64)[None], np.dtype(np.float32), profile=profile)
    if image.mode in _DEEP:
        if array.min() < 0 or array.max() > 65535:
            raise FileError(f"{file} has values outside 0 to 65535; save it as an .npy array of floats.")
        return Picture(array.astype(np.float64)[None] / 65535, np.dtype(np.uint16), 65535.0, profile=profile)
    stack = np.moveaxis(array[..., None] if array.ndim == 2 else array, -1, 0)
    alpha = stack[-1] if image.mode.endswith("A") else None
    colours = stack if alpha is None else stack[:-1]
    return Picture(colours / 255.0, np.dtype(np.uint8), 255.0, alpha, profile)


def _check_kind(image: Image.Image, file: Path) -> None:
    if image.mode not in ("1", "L", "LA", "P", "RGB", "RGBA", "F", *_DEEP):
        raise FileError(f"{file} has the mode {image.mode}; convert it to grey or RGB.")
    # A phone's .jpg is MPO, whose further frames are previews.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise FileError(f"{file} holds several pictures; save the one to be filtered, or all as .npy.")
    for tile in getattr(image, "tile", ()):
        halved = ";16" in str(tile.args) or (tile.codec_name == "ppm" and tile.args[-1] > 255)
        if halved and image.mode not in _DEEP:
            raise FileError(
                f"{file} has 16 bits per channel and several channels, of which 8 would be lost; save the "
                "channels as 16-bit grey images or .npy arrays."
            )


def check_writable(path: str | Path, like: Picture) -> None:
    """Raise FileError before any work if `path` cannot take a picture like `like` without loss of kind."""
    file, suffix = Path(path), Path(path).suffix.lower()
    if not file.parent.is_dir():
        raise FileError(f"Cannot write {file}: there is no folder {file.parent}.")
    if file.is_dir():
        raise FileError(f"Cannot write {file}: it is a folder.")
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        raise FileError(f"Cannot write {file}: {error.strerror or error}.") from error
    if suffix == ".npy":
        return
    if suffix not in SUFFIXES:
        raise FileError(f"Cannot write {file}: choose .npy or one of {', '.join(SUFFIXES)}.")
    if like.channels.ndim != 3:
        raise FileError(f"Cannot write {file}: only two-dimensional data makes an image; use .npy.")
    count = len(like.channels)
    if count not in _PORTABLE:
        raise FileError(f"Cannot write {file}: {count} channels make no picture; use .npy.")
    if not _holds(suffix, like):
        others = [s for s in (_PORTABLE[count], ".png", ".tif") if _holds(s, like) and not _clips(s, like)]
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
    if suffix in _PORTABLE.values() and suffix != _PORTABLE[len(like.channels)]:
        return "colours" if len(like.channels) > 1 else "a grey picture"
    if like.alpha is not None:
        return "transparency"
    depth = "floats" if like.dtype.kind == "f" else f"{8 * like.dtype.itemsize} bits"
    return f"{depth} per pixel" if len(like.channels) == 1 else f"colours of {depth}"


def _clips(suffix: str, like: Picture) -> bool:
    """Whether floats of `like` lie outside of the range that a picture holds."""
    return like.dtype.kind == "f" and suffix not in _TIFF and like.beyond


def _holds(suffix: str, like: Picture) -> bool:
    """Whether one pixel survives being written: some formats drop transparency or depth in silence."""
    from PIL import Image

    if suffix in _PORTABLE.values() and suffix != _PORTABLE[len(like.channels)]:
        return False
    alpha = None if like.alpha is None else like.alpha[:1, :1]
    target = io.BytesIO()
    try:
        image = _image(like.channels[:, :1, :1], replace(like, alpha=alpha), suffix)
        image.save(target, format=Image.registered_extensions()[suffix])
        with Image.open(target) as again:
            found = again.mode
    except (OSError, ValueError, KeyError, TypeError):  # TypeError: Pillow has no such image
        return False
    return (found in _DEEP) == (image.mode in _DEEP) and found.endswith("A") == image.mode.endswith("A")


def clipped(path: str | Path, channels: NDArray[np.float64], like: Picture) -> float:
    """The share of the values that `write` clips to [0, 1], beyond what is rounded."""
    if like.dtype.kind == "f" and Path(path).suffix.lower() in (".npy", *_TIFF):
        return 0.0
    step = 0.5 / (255.0 if like.dtype.kind == "f" else like.top)
    return float(((channels < -step) | (channels > 1 + step)).mean())


def write(path: str | Path, channels: NDArray[np.float64], like: Picture) -> None:
    """Write channels in the mode and depth of `like`; integers are clipped and rounded.

    As an image, floats become 8 bit by clipping to [0, 1], in a TIFF 32-bit floats. Arrays hold the channels,
    without transparency, along the axis that the input had them, of pictures along the last one.
    """
    file, suffix = Path(path), Path(path).suffix.lower()
    if suffix == ".npy":
        values = _values(channels, like.dtype, like.top)
        array = values[0] if len(values) == 1 else values if like.first else np.moveaxis(values, 0, -1)
        write_with(file, lambda temporary: np.save(temporary, array))
        return
    options = _SAVING.get(suffix, {}) | ({} if like.profile is None else {"icc_profile": like.profile})
    image = _image(channels, like, suffix)
    write_with(file, lambda temporary: image.save(temporary, **options))


def _image(channels: NDArray[np.float64], like: Picture, suffix: str) -> Image.Image:
    from PIL import Image

    dtype, top = like.dtype.newbyteorder("="), like.top
    if dtype.kind == "f":
        dtype, top = (np.dtype(np.float32), 1.0) if suffix in _TIFF else (np.dtype(np.uint8), 255.0)
    values = _values(channels, dtype, top)
    whole = values if like.alpha is None else np.concatenate([values, like.alpha[None]])
    stack = np.moveaxis(whole, 0, -1)
    return Image.fromarray(np.ascontiguousarray(stack[..., 0] if stack.shape[-1] == 1 else stack))


def _values(channels: NDArray[np.float64], dtype: np.dtype[Any], top: float) -> NDArray[Any]:
    if dtype.kind == "f":
        return channels.astype(dtype)
    return np.clip(np.rint(channels * top), 0, top).astype(dtype)
