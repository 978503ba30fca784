"""What is read of a file, and what is needed to write another like it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Picture:
    """Channels of shape (channels, *spatial), and what is needed to write a picture like it.

    dtype    of the values on disk
    top      the value on disk that stands for 1
    alpha    the transparency of an image as on disk, kept as it is
    profile  the ICC colour profile of an image, kept as it is
    first    whether the channels are the first axis of an array on disk, too
    spacing  of the cells along the leading axes of a volume; empty where the file has none
    affine   from indices of cells to positions in a scanner, 4 x 4, of a volume
    header   that of a NIfTI file, and the shape that it is about
    physical whether values are those that are meant, not parts of the range of a picture
    """

    channels: NDArray[np.float64]
    dtype: np.dtype[Any]
    top: float = 1.0
    alpha: NDArray[Any] | None = None
    profile: bytes | None = None
    first: bool = False
    spacing: tuple[float, ...] = ()
    affine: NDArray[np.float64] | None = None
    header: Any = None
    physical: bool = False

    @property
    def beyond(self) -> bool:
        """Whether values lie outside of [0, 1], where those of pictures do."""
        return bool(self.channels.min() < 0 or self.channels.max() > 1)


def values(channels: NDArray[np.float64], dtype: np.dtype[Any], top: float) -> NDArray[Any]:
    """Channels as they are on disk: integers are clipped and rounded."""
    if dtype.kind == "f":
        return channels.astype(dtype)
    return np.clip(np.rint(channels * top), 0, top).astype(dtype)


def arranged(channels: NDArray[np.float64], like: Picture) -> NDArray[Any]:
    """The array on disk, with channels along the axis that the input had them, of pictures the last one."""
    found = values(channels, like.dtype, like.top)
    return found[0] if len(found) == 1 else found if like.first else np.moveaxis(found, 0, -1)


def unit(array: NDArray[Any], what: str) -> Picture:
    """A picture of an array as it is on disk, its channels not known yet: integers from 0 to 1.

    Raises ValueError for an empty one, and for values that are no picture's.
    """
    if array.size == 0:
        raise ValueError(f"{what} holds an empty array.")
    if array.dtype.kind == "f":
        return Picture(array.astype(np.float64)[None], array.dtype)
    if array.dtype.kind == "b":
        return Picture(array.astype(np.float64)[None], np.dtype(np.float64))
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        top = float(np.iinfo(array.dtype).max)
        return Picture(array.astype(np.float64)[None] / top, array.dtype, top)
    raise ValueError(
        f"{what} holds {array.dtype} values; convert them to float, or to uint8 or uint16, whose values are "
        "scaled to [0, 1]."
    )
