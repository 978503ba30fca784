"""`p2n.inpaint`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from pde2net import compiler
from pde2net.emit.solvers import MISSED
from pde2net.errors import DeclarationError, suggestion
from pde2net.restore.methods import Model, applied, declared, state
from pde2net.restore.pixels import mask_of, pixels, spacings
from pde2net.restore.restored import Restored
from pde2net.verify.certificate import Status

METHODS = {"harmonic": Model("inpainting"), "biharmonic": Model("biharmonic_inpainting")}

NOT_FINITE = "Some values where the mask is 0, which are known, are not finite."


def inpaint(
    image: Any,
    mask: Any,
    method: str = "harmonic",
    *,
    channel_axis: int | None = None,
    spacing: float | Sequence[float] | None = None,
    backend: str = "auto",
) -> Restored:
    """Fill in cells of an image from those around them: the steady state of diffusion, known cells fixed.

    image         as of `p2n.denoise`; what it holds where the mask is not 0 does not matter, NaN neither
    mask          not 0 where cells are to be filled in, as in scikit-image; the shape of the image, without
                  the axis of channels
    method        "harmonic": u_xx + u_yy = 0, whose values are between those of known cells, and clipped to
                  them, which the tolerance of the solver may leave;
                  "biharmonic": the thin plate, smoother, which may leave that range
    channel_axis, spacing  as of `p2n.denoise`

    Known cells keep their values to the bit. Raises DeclarationError for what does not fit, and if no cell is
    known. Warns if the solver does not reach its tolerance.
    """
    if method not in METHODS:
        raise DeclarationError(f'There is no method "{method}" to inpaint.{suggestion(str(method), METHODS)}')
    read = pixels(_filled(image, mask, channel_axis), channel_axis, spacing, NOT_FINITE)
    unknown = torch.from_numpy(mask_of(mask, read.size))
    if bool(unknown.all()):
        raise DeclarationError("The mask leaves no cell that is known.")
    model, known = METHODS[method], (~unknown).to(read.channels)
    problem, scheme, grid = declared(model, read, spacings(spacing, len(read.size))[1], {})
    network = compiler.compile(problem, scheme, grid)
    data = state(model, read) * known
    mean = data.sum(tuple(range(2, data.dim())), keepdim=True) / known.sum()
    start = torch.where(unknown, mean, data)
    with warnings.catch_warnings(record=True) as told:
        way = applied(network, start, backend, {"f": data, "c": known.expand(data.shape[1:])[None]})
    for said, kind in dict.fromkeys((str(w.message), w.category) for w in told):
        near = ": what is filled in is near the steady state, not at it." if said.startswith(MISSED) else ""
        warnings.warn(f"{said}{near}", kind, stacklevel=2)
    found = torch.from_numpy(way.final)
    if network.certificate.claims["maximum_principle"].status == Status.PROVED:
        found = _between(found, data, unknown)
    exact = torch.where(unknown, found, data)
    filled = {"filled": float(unknown.double().mean())}
    return Restored(read.like(exact[0]), method, network, filled, way)


def _between(found: torch.Tensor, data: torch.Tensor, unknown: torch.Tensor) -> torch.Tensor:
    """Values in the range of the known ones, in which the solution lies: no farther from it than `found`."""
    axes = tuple(range(2, data.dim()))
    low = torch.where(unknown, torch.inf, data).amin(axes, keepdim=True)
    high = torch.where(unknown, -torch.inf, data).amax(axes, keepdim=True)
    return torch.maximum(torch.minimum(found, high), low)


def _filled(image: Any, mask: Any, channel_axis: int | None) -> Any:
    """The image with zeros where it is to be filled in, if it is an array."""
    if hasattr(image, "convert") or isinstance(image, np.ma.MaskedArray):
        return image
    array = image if isinstance(image, torch.Tensor) else np.asarray(image)
    axis = channel_axis if channel_axis is not None and -array.ndim <= channel_axis < array.ndim else None
    size = list(array.shape)
    if axis is not None:
        del size[axis]
    try:
        hole = mask_of(mask, tuple(size))
    except DeclarationError as error:
        colours = [k for k in (-1, 0) if axis is None and np.shape(mask) == tuple(np.delete(size, k))]
        hint = f" channel_axis={colours[0]} says which axis holds channels." if colours else ""
        raise DeclarationError(f"{error}{hint}") from error
    if axis is not None:
        hole = np.expand_dims(hole, axis % array.ndim)
    if isinstance(array, torch.Tensor):
        return torch.where(torch.from_numpy(hole).to(array.device), 0, array)
    return np.where(hole, 0, array)
