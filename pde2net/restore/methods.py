"""What the models of the gallery are set to for an image: contrasts and times, by rules that are measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
import torch
from torch import Tensor

from pde2net import compiler, gallery
from pde2net.errors import DeclarationError
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Explicit, Scheme
from pde2net.network import Network
from pde2net.restore.level import crossing
from pde2net.restore.pixels import Pixels
from pde2net.trajectory.moment import discrepancy
from pde2net.trajectory.record import Trajectory

SHARE = 0.95  # of the noise is removed: with all of it, detail goes
FEWEST = 4  # steps
LARGE = 1 << 22  # cells
MOST = 2000  # of the search for the time
DIGITS = 6  # of values that are computed


@dataclass(frozen=True)
class Model:
    """A model of the gallery as a filter.

    name      in the gallery
    contrast  the name of its contrast parameter; empty if it has none
    factor    of the contrast, in units of the noise (see `contrast`); of slopes, for `enhance`
    order     of the derivative that the contrast is compared with: lengths enter with this negative power
    lasts     the power of lengths in the time
    coupled   whether channels are filtered together
    """

    name: str
    contrast: str = ""
    factor: float = 1.0
    order: int = 1
    lasts: int = 2
    coupled: bool = True

    def contrast_in(self, unit: float, value: float) -> float:
        """A contrast where `unit` is the unit of length; of 1/unit, it takes one back."""
        return value * unit**self.order

    def time_in(self, unit: float, value: float) -> float:
        """A time where `unit` is the unit of length; of 1/unit, it takes one back."""
        return value / unit**self.lasts


FLOWS = {
    model.name: model
    for model in (
        Model("perona_malik", "lambda", 0.9),
        Model("perona_malik_exponential", "lambda", 1.8),
        Model("weickert", "lambda", 2.4),
        Model("charbonnier", "lambda", 0.2),
        Model("catte", "lambda", 0.3),
        Model("edge_enhancing", "lambda", 0.3, coupled=False),
        Model("you_kaveh", "lambda", 2.0, order=2, lasts=4),
        Model("heat"),
    )
}


def contrast(model: Model, sigma: float, spacing: Sequence[float], channels: int) -> float:
    """The contrast for noise of the level sigma: factor sigma sqrt(channels sum_i h_i^(-2 order)/2).

    The mean squared slope of white noise is 2 sigma^2 sum_i h_i^-2, so this is a fixed part of it on each
    grid. In two dimensions with spacing 1 and one channel it is factor sigma.
    """
    scale = sum(h ** (-2 * model.order) for h in spacing) / 2
    return model.factor * sigma * math.sqrt(channels * scale)


def declared(
    model: Model, image: Pixels, spacing: Sequence[float], values: Mapping[str, float]
) -> tuple[Problem, Scheme, Grid]:
    """The model for an image, with these values of its parameters."""
    count = len(image.channels) if model.coupled else 1
    found = gallery.load(model.name, len(image.size), count)
    problem = found.problem
    numbers = {s: sp.Rational(f"{values[s.name]:.{DIGITS}g}") for s in problem.parameters if s.name in values}
    steps = {a: sp.Rational(f"{h:.{DIGITS}g}") for a, h in zip(problem.space, spacing, strict=True)}
    grid = Grid(spacing=steps, gradient=found.grid.gradient)
    return problem.valued(numbers), found.scheme, grid


def state(model: Model, image: Pixels) -> Tensor:
    """(batch, channels, *spatial): channels that are not coupled are images of a batch."""
    return image.channels[None] if model.coupled else image.channels[:, None]


def step(problem: Problem, grid: Grid) -> sp.Rational:
    """Half of the largest proved explicit step: with all of it, a checkerboard changes its sign and stays."""
    largest = compiler.verify(problem, Explicit(tau=None, steps=1), grid).tau.subs(problem.parameters)
    return sp.Rational(f"{float(largest) / 2:.{DIGITS}g}")


def until_removed(
    problem: Problem, grid: Grid, tau: sp.Rational, u0: Tensor, sigma: float, backend: str
) -> float:
    """The time at which a flow has removed SHARE of the noise, linear between explicit steps."""
    network = compiler.compile(problem, Explicit(tau=tau, steps=MOST), grid)
    rule, asked = discrepancy(SHARE * sigma), _backend(backend, u0)
    way = network.run(u0, every=1, track=["removed"], until=rule, keep=False, backend=asked)
    removed = way["removed"].mean(axis=1).tolist()
    time = crossing(way.times.tolist(), removed, SHARE * sigma)
    if time is None:
        raise DeclarationError(
            f"sigma = {sigma:.4g} is more than there is to remove: {removed[-1]:.4g} after {MOST} steps. Is "
            "it in units of the image? Integers are divided by the largest of their type. time=... says how "
            "long to diffuse."
        )
    return time


def lasting(problem: Problem, grid: Grid, tau: sp.Rational, time: float) -> Network:
    """The network of the fewest equal explicit steps, of at most tau, that last for a time."""
    steps = max(FEWEST, math.ceil(time / float(tau) - 1e-9))
    shorter = sp.Rational(f"{time / steps:.{DIGITS}g}")
    return compiler.compile(problem, Explicit(tau=min(shorter, tau), steps=steps), grid)


def applied(network: Network, u0: Tensor, backend: str, given: Mapping[str, Any]) -> Trajectory:
    """Both ends of the run of a network."""
    every = max(network.scheme.repeats, 1)
    return network.run(u0, every=every, track=(), backend=_backend(backend, u0), **given)


def _backend(asked: str, u0: Tensor) -> str:
    """Kernels for large images only: the first time that an equation is run, they take long to compile."""
    return "torch" if asked == "auto" and u0.numel() < LARGE else asked


def finished(model: Model, image: Pixels, way: Trajectory) -> Any:
    """The last state as an image like the given one."""
    final = torch.from_numpy(way.final)
    return image.like(final[0] if model.coupled else final[:, 0])
