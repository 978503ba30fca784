"""`p2n.denoise`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch

from pde2net import compiler
from pde2net.errors import DeclarationError, suggestion
from pde2net.language.exact import positive_number
from pde2net.network import Network
from pde2net.restore.level import level
from pde2net.restore.methods import (
    FLOWS,
    Model,
    applied,
    contrast,
    declared,
    finished,
    lasting,
    state,
    step,
    until_removed,
)
from pde2net.restore.pixels import Pixels, pixels, spacings
from pde2net.restore.restored import Restored
from pde2net.trajectory.record import Trajectory

if TYPE_CHECKING:
    from pde2net.models import Denoiser

ROF = Model("rof", "epsilon", 0.1, lasts=1)
TRAINED = ("t1", "t3")
METHODS = (*FLOWS, ROF.name, *TRAINED)


def denoise(
    image: Any,
    method: str = "perona_malik",
    *,
    sigma: float | str = "estimate",
    contrast: float | None = None,
    time: float | None = None,
    channel_axis: int | None = None,
    spacing: float | Sequence[float] | None = None,
    backend: str = "auto",
) -> Restored:
    """Remove white Gaussian noise from an image by diffusion.

    image         of NumPy, torch or PIL; signals, images and volumes. Integers are divided by the largest one
                  of their type, as scikit-image does; floats are taken as they are. The result is of the same
                  kind, of floats for arrays and of the same mode for PIL
    method        a model of the gallery: "perona_malik", "perona_malik_exponential", "weickert",
                  "charbonnier", "catte", "edge_enhancing", "you_kaveh", "heat", "rof"; or a trained denoiser
                  of grey images, "t1" or "t3" (p2n.models)
    sigma         the standard deviation of the noise in units of the image, or "estimate"
    contrast      lambda of the diffusivity (epsilon of "rof"), in units of the image by units of length.
                  By default a multiple of the slopes of the noise, in docs/restoring.md
    time          how long to diffuse, in squared units of length (fourth powers for "you_kaveh"). By default
                  until what is removed has 0.95 times the standard deviation of the noise. For "rof" the
                  weight of the data is 1/time, by default sigma times the smallest spacing
    channel_axis  along which an array has its channels, as in scikit-image; None for grey images and volumes.
                  They have one diffusivity together ("edge_enhancing" and trained models filter each alone)
    spacing       of cells, one number or one for each axis of space

    The record has the image, the certificate, the network and what was chosen. Raises DeclarationError for
    what does not fit, and where sigma is to be estimated and no noise is seen.
    """
    if method not in METHODS:
        raise DeclarationError(f'There is no method "{method}" to denoise.{suggestion(str(method), METHODS)}')
    read = pixels(image, channel_axis, spacing)
    unit, steps = spacings(spacing, len(read.size))
    if method in TRAINED:
        if contrast is not None or time is not None or spacing is not None:
            raise DeclarationError(f"{method} is trained: it takes no contrast, time or spacing.")
        return _trained(read, method, level(sigma, read.channels))
    model = ROF if method == ROF.name else FLOWS[method]
    if contrast is not None and not model.contrast:
        raise DeclarationError(f"{model.name} has no contrast.")
    known = time is not None and (contrast is not None or not model.contrast)
    found = None if known else level(sigma, read.channels)
    if contrast is not None:
        contrast = model.contrast_in(unit, positive_number(contrast, "contrast"))
    if time is not None:
        time = model.time_in(unit, positive_number(time, "time"))
    network, way, values = (_steady if model is ROF else _flow)(
        model, read, steps, found, contrast, time, backend
    )
    values["time"] = model.time_in(1 / unit, values["time"])
    if model.contrast:
        values[model.contrast] = model.contrast_in(1 / unit, values[model.contrast])
    shown = ({} if found is None else {"sigma": found}) | values
    return Restored(finished(model, read, way), model.name, network, shown, way)


Made = tuple[Network, Trajectory, dict[str, float]]


def _flow(
    model: Model,
    image: Pixels,
    spacing: Sequence[float],
    sigma: float | None,
    asked: float | None,
    time: float | None,
    backend: str,
) -> Made:
    values = _contrast(model, image, spacing, sigma, asked)
    problem, _, grid = declared(model, image, spacing, values)
    u0, tau = state(model, image), step(problem, grid)
    if time is None:
        assert sigma is not None
        time = until_removed(problem, grid, tau, u0, sigma, backend)
    network = lasting(problem, grid, tau, time)
    way = applied(network, u0, backend, {})
    return network, way, values | {"time": float(way.times[-1])}


def _steady(
    model: Model,
    image: Pixels,
    spacing: Sequence[float],
    sigma: float | None,
    asked: float | None,
    time: float | None,
    backend: str,
) -> Made:
    """The image that minimises the total variation and its distance from the data, over twice the time."""
    values, u0 = _contrast(model, image, spacing, sigma, asked), state(model, image)
    time = (sigma or 1.0) if time is None else time
    problem, scheme, grid = declared(model, image, spacing, values | {"beta": 1 / time})
    network = compiler.compile(problem, scheme, grid)
    return network, applied(network, u0, backend, {"f": u0}), values | {"time": time}


def _contrast(
    model: Model, image: Pixels, spacing: Sequence[float], sigma: float | None, asked: float | None
) -> dict[str, float]:
    if not model.contrast:
        return {}
    if asked is not None:
        return {model.contrast: asked}
    assert sigma is not None
    return {model.contrast: contrast(model, sigma, spacing, len(image.channels) if model.coupled else 1)}


def _trained(image: Pixels, name: str, sigma: float) -> Restored:
    if len(image.size) != 2:
        raise DeclarationError(f"{name} is trained on images, not on {len(image.size)} axes.")
    made = _denoiser(name)
    with torch.no_grad():
        result = made(image.channels[None].float(), sigma)[0]
    return Restored(image.like(result.to(image.channels)), name, made, {"sigma": sigma})


@cache
def _denoiser(name: str) -> Denoiser:
    from pde2net.models import denoiser

    return denoiser(name)
