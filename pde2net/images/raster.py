"""Images through Pillow, and .npy arrays."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pde2net.errors import FileError
from pde2net.images.picture import Picture, unit, values

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".webp")
TIFF = (".tif", ".tiff")
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PORTABLE = {1: ".pgm", 3: ".ppm"}  # Pillow writes either content under either name
_DEEP = ("I;16", "I;16L", "I;16B", "I")
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "F", *_DEEP)
_SAVING: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95},
    ".jpeg": {"quality": 95},
    ".webp": {"lossless": True},
}


def read_array(stream: Path | IO[bytes], name: str) -> Picture:
    """An .npy array. Raises FileError."""
    try:
        array = np.load(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"{name} is not an .npy array: {error}") from error
    try:
        return unit(array, name)
    except ValueError as error:
        raise FileError(str(error)) from None


def read_image(data: bytes, name: str) -> Picture | None:
    """An image, of which Pillow keeps what there is; None for TIFF that has more. Raises FileError."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    from pde2net.images import deep_png

    try:
        with Image.open(io.BytesIO(data)) as opened:
            if opened.mode not in _MODES:
                raise FileError(f"{name} has the mode {opened.mode}; convert it to grey or RGB.")
            # A phone's .jpg is MPO, whose further frames are previews.
            several = getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO"
            if opened.format == "TIFF" and (several or _halved(opened)):
                return None
            if several:
                raise FileError(
                    f"{name} holds several pictures; save the one to be filtered, or all as .npy."
                )
            if opened.format == "PNG" and _halved(opened) and opened.mode in deep_png.MODES:
                return deep_png.read(opened, Image.open(io.BytesIO(data)))
            if _halved(opened):
                raise FileError(
                    f"{name} has 16 bits per channel and several channels, of which 8 would be lost; save it "
                    "as .png or .tif, or the channels as 16-bit grey images."
                )
            opened.load()
            return of_image(ImageOps.exif_transpose(opened), name)
    except FileError:
        raise
    except UnidentifiedImageError as error:
        if data.startswith(TIFF_MAGIC):  # 16 bits of grey with transparency, BigTIFF
            return None
        raise FileError(f"{name} is not an image that can be read: its format is not known") from error
    # Decoders raise nearly anything for a damaged file, SyntaxError and struct.error among it.
    except Exception as error:
        raise FileError(f"{name} is not an image that can be read: {error}") from error


def of_image(image: Image.Image, name: str) -> Picture:
    """What an image of Pillow holds, one with a palette as colours. Raises FileError for other modes."""
    if image.mode not in _MODES:
        raise FileError(f"{name} has the mode {image.mode}; convert it to grey or RGB.")
    if image.mode in ("1", "P", "L", "RGB"):
        grey = "LA" if image.has_transparency_data else "L"
        colour = "RGBA" if image.has_transparency_data else "RGB"
        image = image.convert(grey if image.mode in ("1", "L") else colour)
    array, profile = np.asarray(image), image.info.get("icc_profile")
    if image.mode == "F":
        return Picture(array.astype(np.float64)[None], np.dtype(np.float32), profile=profile)
    if image.mode in _DEEP:
        if array.min() < 0 or array.max() > 65535:
            raise FileError(f"{name} has values outside 0 to 65535; save it as an .npy array of floats.")
        return Picture(array.astype(np.float64)[None] / 65535, np.dtype(np.uint16), 65535.0, profile=profile)
    stack = np.moveaxis(array[..., None] if array.ndim == 2 else array, -1, 0)
    alpha = stack[-1] if image.mode.endswith("A") else None
    colours = stack if alpha is None else stack[:-1]
    return Picture(colours / 255.0, np.dtype(np.uint8), 255.0, alpha, profile)


def _halved(image: Image.Image) -> bool:
    """Whether Pillow reads 8 of 16 bits."""
    return image.mode not in _DEEP and any(
        ";16" in str(tile.args) or (tile.codec_name == "ppm" and tile.args[-1] > 255)
        for tile in getattr(image, "tile", ())
    )


def deep(like: Picture) -> bool:
    """Whether 16 bits and several channels make it a picture that Pillow does not hold."""
    return (
        like.dtype.kind == "u"
        and like.dtype.itemsize == 2
        and len(like.channels) + (like.alpha is not None) > 1
    )


def holds(suffix: str, like: Picture) -> bool:
    """Whether one pixel survives being written: some formats drop transparency or depth in silence."""
    from PIL import Image

    if suffix in PORTABLE.values() and suffix != PORTABLE[len(like.channels)]:
        return False
    if deep(like) and (suffix in TIFF or (suffix == ".png" and len(like.channels) == 3)):
        return True
    alpha = None if like.alpha is None else like.alpha[:1, :1]
    target = io.BytesIO()
    try:
        image = to_image(like.channels[:, :1, :1], replace(like, alpha=alpha), suffix in TIFF)
        image.save(target, format=Image.registered_extensions()[suffix])
        with Image.open(target) as again:
            found = again.mode
    except (OSError, ValueError, KeyError, TypeError):  # TypeError: Pillow has no such image
        return False
    return (found in _DEEP) == (image.mode in _DEEP) and found.endswith("A") == image.mode.endswith("A")


def encoded(suffix: str, channels: NDArray[np.float64], like: Picture) -> bytes:
    """An image in the mode and depth of `like`; integers are clipped and rounded.

    Floats become 8 bit by clipping to [0, 1], in a TIFF 32-bit floats.
    """
    from PIL import Image

    from pde2net.images import deep_png

    if suffix == ".png" and deep(like):
        return deep_png.encoded(channels, like)
    options = _SAVING.get(suffix, {}) | ({} if like.profile is None else {"icc_profile": like.profile})
    target = io.BytesIO()
    to_image(channels, like, suffix in TIFF).save(
        target, format=Image.registered_extensions()[suffix], **options
    )
    return target.getvalue()


def to_image(channels: NDArray[np.float64], like: Picture, floats: bool) -> Image.Image:
    """An image of Pillow; floats of `like` stay such, or become 8 bit by clipping to [0, 1]."""
    from PIL import Image

    dtype, top = like.dtype.newbyteorder("="), like.top
    if dtype.kind == "f":
        dtype, top = (np.dtype(np.float32), 1.0) if floats else (np.dtype(np.uint8), 255.0)
    found = values(channels, dtype, top)
    whole = found if like.alpha is None else np.concatenate([found, like.alpha[None]])
    stack = np.moveaxis(whole, 0, -1)
    return Image.fromarray(np.ascontiguousarray(stack[..., 0] if stack.shape[-1] == 1 else stack))
