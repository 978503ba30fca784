"""`p2n.enhance`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pde2net import compiler
from pde2net.errors import DeclarationError, suggestion
from pde2net.language.exact import positive_number
from pde2net.restore.level import quantile
from pde2net.restore.methods import Model, applied, declared, finished, lasting, state, step
from pde2net.restore.pixels import pixels, spacings
from pde2net.restore.restored import Restored

METHODS = {
    model.name: model
    for model in (
        Model("coherence_enhancing", "C", order=4),
        Model("edge_enhancing", "lambda", 0.25, coupled=False),
        Model("perona_malik", "lambda", 0.4),
        Model("weickert", "lambda", 1.0),
    )
}
SHARE = 0.9  # of all slopes are below the contrast: Perona, Malik 1990, section V
TIME = 10.0  # in squares of the smallest spacing


def enhance(
    image: Any,
    method: str = "coherence_enhancing",
    *,
    contrast: float | None = None,
    time: float | None = None,
    channel_axis: int | None = None,
    spacing: float | Sequence[float] | None = None,
    backend: str = "auto",
) -> Restored:
    """Bring out the structures of an image.

    image         as of `p2n.denoise`
    method        "coherence_enhancing" closes gaps in lines and flow-like textures (images of two axes);
                  "edge_enhancing", "perona_malik" and "weickert" smooth regions and keep or sharpen edges
    contrast      slopes above it are edges: by default a multiple of the 90 % quantile of all slopes (Perona,
                  Malik 1990), 1 for "weickert", 0.4 for "perona_malik", 0.25 for "edge_enhancing". For
                  "coherence_enhancing" it is C of the gallery, in units of coherence, by default that of the
                  gallery
    time          how long to diffuse, in squared units of length; by default 10 squares of the spacing, for
                  "coherence_enhancing" as long as in the gallery
    channel_axis, spacing  as of `p2n.denoise`

    Raises DeclarationError for what does not fit, and where an image without slopes has no contrast.
    """
    if method not in METHODS:
        raise DeclarationError(f'There is no method "{method}" to enhance.{suggestion(str(method), METHODS)}')
    model, read = METHODS[method], pixels(image, channel_axis, spacing)
    unit, steps = spacings(spacing, len(read.size))
    directed = method == "coherence_enhancing"
    if directed and len(read.size) != 2:
        raise DeclarationError(f"coherence_enhancing is for images of two axes, not {len(read.size)}.")
    values = {}
    if contrast is not None or not directed:
        asked = None if contrast is None else model.contrast_in(unit, positive_number(contrast, "contrast"))
        values = {model.contrast: asked or _contrast(model, read.channels, steps)}
    problem, scheme, grid = declared(model, read, steps, values)
    if directed and time is None:
        network = compiler.compile(problem, scheme, grid)
    else:
        duration = TIME if time is None else model.time_in(unit, positive_number(time, "time"))
        network = lasting(problem, grid, step(problem, grid), duration)
    way = applied(network, state(model, read), backend, {})
    shown = {name: model.contrast_in(1 / unit, value) for name, value in values.items()}
    shown["time"] = model.time_in(1 / unit, float(way.times[-1]))
    return Restored(finished(model, read, way), method, network, shown, way)


def _contrast(model: Model, channels: Tensor, spacing: Sequence[float]) -> float:
    squares = torch.zeros(channels.shape[1:], dtype=torch.float64)
    for axis, h in enumerate(spacing):
        if channels.shape[1 + axis] > 1:
            slopes = torch.gradient(channels.double(), spacing=h, dim=1 + axis)[0]
            squares = squares + slopes.square().sum(0)
    found = model.factor * math.sqrt(quantile(squares, SHARE))
    if not found > 0:
        raise DeclarationError("Nine tenths of the image have no slope; say what an edge is: contrast=0.1.")
    return found
