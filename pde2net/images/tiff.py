"""TIFF that Pillow does not hold: several pages, the first axis of a volume, and 16 bits in colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pde2net.errors import FileError
from pde2net.images.picture import Picture, unit, values
from pde2net.images.volumes import needed

COLOURS = (3, 4)


def read(file: Path) -> Picture:
    """The pages along the first axis, their channels along the last one. Raises FileError."""
    tifffile = needed("tifffile", "TIFF of several pages or of 16 bits in colour")
    try:
        with tifffile.TiffFile(file) as opened:
            shapes = {(page.shape, page.dtype) for page in opened.pages}
            if len(shapes) > 1:
                raise FileError(f"{file} has pages of different sizes or types, which make no volume.")
            pages, first = len(opened.pages), opened.pages[0]
            array = np.stack([page.asarray() for page in opened.pages]) if pages > 1 else first.asarray()
            if first.planarconfig == 2 and first.samplesperpixel > 1:
                array = np.moveaxis(array, -3, -1)
            profile = first.tags["InterColorProfile"].value if "InterColorProfile" in first.tags else None
    except FileError:
        raise
    # Readers raise nearly anything for a damaged file.
    except Exception as error:
        raise FileError(f"{file} is not a TIFF that can be read: {error}") from error
    try:
        found = unit(array.astype(array.dtype.newbyteorder("=")), str(file))
    except ValueError as error:
        raise FileError(str(error)) from None
    if pages > 1:
        return found
    stack = np.moveaxis(array, -1, 0)
    alpha = stack[-1] if len(stack) in (2, 4) else None
    channels = np.moveaxis(found.channels[0], -1, 0)
    colours = channels if alpha is None else channels[:-1]
    return Picture(colours, found.dtype, found.top, alpha, profile)


def write(file: Path, channels: NDArray[np.float64], like: Picture) -> None:
    """Pages along the first axis of a volume, or one in colour. Raises what Python does for files."""
    tifffile = needed("tifffile", "TIFF of several pages or of 16 bits in colour")
    kind = np.dtype(np.float32) if like.dtype.kind == "f" else like.dtype.newbyteorder("=")
    found = values(channels, kind, like.top)
    whole = found if like.alpha is None else np.concatenate([found, like.alpha[None]])
    array = whole[0] if len(whole) == 1 else np.moveaxis(whole, 0, -1)
    colour = len(channels) in COLOURS
    options: dict[str, Any] = {"photometric": "rgb" if colour else "minisblack"}
    if like.alpha is not None:
        options["extrasamples"] = ["unassalpha"]
    if like.profile is not None:
        options["iccprofile"] = like.profile
    with tifffile.TiffWriter(file) as writer:
        for page in array if channels.ndim == 4 else [array]:
            writer.write(page, contiguous=False, metadata=None, **options)
