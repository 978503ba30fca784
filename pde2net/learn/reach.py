"""How far a network sees."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor, nn

from pde2net.errors import DeclarationError

SIZES = {1: (65, 257, 1025, 4097), 2: (33, 65, 129, 257), 3: (17, 33, 49)}


def reach(module: nn.Module, image: Tensor, known: Mapping[str, Any]) -> int:
    """The cells along an axis, at most, between a value of the input and a result that it has a part in.

    image   (1, channels, *spatial), whose type and channels are those of the data
    known   fields, as the module takes them

    One value of an image is NaN: where results are, it has arrived. Raises DeclarationError where these are
    all results of images of every size tried: the reach is that of the image.
    """
    axes = image.dim() - 2
    for size in SIZES[axes]:
        smooth = torch.linspace(0, 1, size, dtype=image.dtype, device=image.device)
        u = smooth.expand(*image.shape[:2], *[size] * axes).clone()
        middle: tuple[EllipsisType | int, ...] = (..., *[size // 2] * axes)
        u[middle] = torch.nan
        fields = {name: _like(value, image, u) for name, value in known.items()}
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arrived = module(u, **fields).isnan().any(0).any(0)
        places = arrived.nonzero()
        if len(places) == 0:
            return 0
        if places.min() > 0 and places.max() < size - 1:
            return int((places - size // 2).abs().max())
    raise DeclarationError(
        'crop="reach" needs a network that sees a part of the image: every result of this one may depend on '
        "all of it. Give crop a number of cells, 0 for none."
    )


def _like(value: Any, image: Tensor, u: Tensor) -> Any:
    """A field for u: u itself in place of what has its cells, numbers as they are."""
    if isinstance(value, Tensor) and value.shape[2:] == image.shape[2:] and value.dim() == image.dim():
        return u[:, : value.shape[1]]
    return value
