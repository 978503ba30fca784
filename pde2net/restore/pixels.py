"""Images of NumPy, PIL and torch as floats of shape (channels, *spatial), and back to what they were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pde2net.errors import DeclarationError, FileError
from pde2net.images import raster
from pde2net.language.exact import positive_number

COLOURS = (2, 3, 4)  # channels, where it was not said along which axis they are


@dataclass(frozen=True)
class Pixels:
    """An image.

    channels  shape (channels, *spatial), float32 or float64
    like      makes an image of the given kind of channels of the same shape
    """

    channels: Tensor
    like: Callable[[Tensor], Any]

    @property
    def size(self) -> tuple[int, ...]:
        """Cells along each axis of space."""
        return tuple(self.channels.shape[1:])


def pixels(
    image: Any,
    channel_axis: int | None,
    spacing: float | Sequence[float] | None,
    not_finite: str = "Some values are not finite: inpaint(image, mask) fills such in.",
) -> Pixels:
    """Read an image; values are those of scikit-image.

    Integers are divided by the largest one of their type; floats stay what they are. Results are floats, of
    single precision if the image is of that or less; those of PIL images have the mode of the image.

    Raises DeclarationError for other things, no cells, values that are not finite, and for what may be
    colours if neither `channel_axis` nor `spacing` says what its axes are.
    """
    found = _of_pil(image) if _is_pil(image) else _of_array(image, channel_axis, spacing)
    if found.channels.numel() == 0:
        raise DeclarationError("The image has no cells.")
    if not bool(found.channels.isfinite().all()):
        raise DeclarationError(not_finite)
    if found.channels.dim() not in (2, 3, 4):
        raise DeclarationError(
            f"Images have one to three axes of space, not {found.channels.dim() - 1}. Of a batch, images are "
            "restored one by one: image[0], channel_axis=0."
        )
    largest, most = float(found.channels.abs().max()), torch.finfo(found.channels.dtype).max ** 0.25
    if largest and not 1 / most < largest < most:  # squares of slopes are numbers
        raise DeclarationError(f"The values are as large as {largest:g}: scale the image.")
    return found


def mask_of(mask: Any, size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where a mask is not 0, shape (*spatial). Raises DeclarationError if it does not fit."""
    array = np.asarray(mask.detach().cpu() if isinstance(mask, Tensor) else mask)
    if array.dtype.kind not in "biuf":
        raise DeclarationError(f"A mask is of bool or numbers, not 0 where to fill in, not {array.dtype}.")
    if array.shape != size:
        raise DeclarationError(f"The mask has the shape {array.shape}, and one of {size} is due.")
    found: NDArray[np.bool_] = array != 0
    return found


def spacings(spacing: float | Sequence[float] | None, dimension: int) -> tuple[float, tuple[float, ...]]:
    """The smallest one, which is the unit of length of the models, and that of each axis in this unit.

    Widths in the models, of Gaussians, are in cells, so that results do not depend on the unit that is given.
    Raises DeclarationError unless there is one positive number for each axis, between 1e-50 and 1e50.
    """
    if spacing is None:
        return 1.0, (1.0,) * dimension
    found: Any = (spacing,) * dimension if np.ndim(spacing) == 0 else tuple(cast("Sequence[float]", spacing))
    if len(found) != dimension:
        raise DeclarationError(
            f"spacing is one positive number, or one for each of {dimension} axes, not {spacing!r}."
        )
    numbers = [positive_number(h, "spacing") for h in found]
    for h in (min(numbers), max(numbers)):
        if not 1e-50 <= h <= 1e50:  # fourth powers are numbers
            raise DeclarationError(f"spacing = {h:g} is beyond the numbers that cells have: 1e-50 to 1e50.")
    return min(numbers), tuple(h / min(numbers) for h in numbers)


def _is_pil(image: Any) -> bool:
    return hasattr(image, "convert") and hasattr(image, "getbands")


def _of_pil(image: Any) -> Pixels:
    try:
        picture = raster.of_image(image, "The image")
    except FileError as error:
        raise DeclarationError(str(error)) from None

    def like(result: Tensor) -> Any:
        made = raster.to_image(result.double().cpu().numpy(), picture, floats=True)
        if picture.profile is not None:
            made.info["icc_profile"] = picture.profile
        return made

    return Pixels(torch.from_numpy(picture.channels.astype(np.float32)), like)


def _of_array(image: Any, channel_axis: int | None, spacing: Any) -> Pixels:
    array = image if isinstance(image, Tensor) else torch.from_numpy(_numbers(image))
    if array.layout != torch.strided:
        raise DeclarationError("The tensor is sparse: image.to_dense().")
    axis = _axis(array, channel_axis, spacing)
    if array.dtype.is_complex:
        raise DeclarationError("The image has complex values: restore its real and imaginary parts.")
    if array.dtype.is_floating_point:
        number = torch.float64 if array.dtype == torch.float64 else torch.float32
        values = array.detach().to(number)
    else:
        number = torch.float32 if isinstance(image, Tensor) else torch.float64
        top = 1.0 if array.dtype == torch.bool else float(torch.iinfo(array.dtype).max)
        values = array.to(number) / top
    channels = values[None] if axis is None else values.movedim(axis, 0)

    def like(result: Tensor) -> Any:
        whole = result[0] if axis is None else result.movedim(0, axis).contiguous()
        whole = whole.to(array.device, number)
        return whole if isinstance(image, Tensor) else whole.cpu().numpy()

    return Pixels(channels.contiguous(), like)


def _numbers(image: Any) -> NDArray[Any]:
    kinds = "An image is an array of NumPy, a tensor or an image of PIL"
    if isinstance(image, str | PathLike):
        raise DeclarationError(f"{kinds}, not a path: PIL.Image.open({str(image)!r}).")
    if isinstance(image, np.ma.MaskedArray):
        raise DeclarationError(
            "Masked values are missing: inpaint(image.filled(0), image.mask) fills them in."
        )
    if hasattr(image, "get_fdata"):
        raise DeclarationError(f"{kinds}: image.get_fdata(), with spacing=image.header.get_zooms().")
    try:
        array = np.asarray(image)
    except Exception as error:
        raise DeclarationError(f"{kinds}: {error}.") from error
    if array.dtype.kind not in "fbiuc":
        raise DeclarationError(f"{kinds}, of numbers, not of {array.dtype}.")
    if array.ndim == 0:
        raise DeclarationError(f"{kinds}, not one number.")
    if array.dtype.kind == "f":
        array = array.astype(np.float64 if array.dtype.itemsize >= 8 else np.float32)
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder("=")))


def _axis(array: Tensor, channel_axis: int | None, spacing: Any) -> int | None:
    if channel_axis is None:
        likely = [k for k in (array.dim() - 1, 0) if array.dim() == 3 and array.shape[k] in COLOURS]
        if likely and spacing is None:
            raise DeclarationError(
                f"An image of the shape {tuple(array.shape)} may be in colour or a volume: "
                f"channel_axis={-1 if likely[0] else 0} says which axis holds channels, spacing=1 that there "
                "is none."
            )
        return None
    if type(channel_axis) is not int or not -array.dim() <= channel_axis < array.dim():
        raise DeclarationError(
            f"channel_axis is one of the {array.dim()} axes of the image, or None, not {channel_axis!r}."
        )
    return channel_axis % array.dim()
