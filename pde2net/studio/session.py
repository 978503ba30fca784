"""What the page shows, computed from what was chosen on it: a text, values, a step, a scheme, a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
import torch
from numpy.typing import NDArray

from pde2net import compiler
from pde2net.errors import DeclarationError, FileError, Pde2NetError, suggestion
from pde2net.gallery import text
from pde2net.images import raster
from pde2net.language import schemes
from pde2net.language.declaration import Declaration
from pde2net.language.expressions import shown
from pde2net.language.schemes import Scheme
from pde2net.load import parse
from pde2net.network import Network
from pde2net.trajectory.declared import rate
from pde2net.trajectory.record import Trajectory

START = "perona_malik"
AS_WRITTEN = "as in the text"
DIGITS = 4  # of values that are chosen with a slider
MOST_CELLS = 512 * 512  # of a picture: larger ones are made smaller
KNOWN = 0.2  # share of the cells that a mask leaves
IMPULSE = 1e-6
REACH = 9  # cells along each axis around an impulse

Made = Callable[[Any, int], Scheme]
SCHEMES: dict[str, Made] = {
    "explicit": lambda tau, n: schemes.Explicit(tau=tau, steps=n),
    "Du Fort-Frankel": lambda tau, n: schemes.DuFortFrankel(tau=tau, steps=n),
    "FED": lambda tau, n: schemes.FED(tau=tau, cycle_length=5, cycles=n),
    "FSI": lambda tau, n: schemes.FSI(tau=tau, cycle_length=5, cycles=n),
    "RKL": lambda tau, n: schemes.RKL(order=2, tau=tau, stages=6, steps=n),
    "AOS": lambda tau, n: schemes.AOS(tau=tau, steps=n),
    "implicit": lambda tau, n: schemes.Implicit(tau=tau, steps=n),
    "multigrid": lambda tau, n: schemes.Multigrid(tau=tau, steps=n, tol=1e-6, cycles=20),
}


@dataclass(frozen=True)
class Choice:
    """What stands on the page.

    text    of the declaration
    values  of parameters, in place of those of the text
    tau     the step, in place of that of the text
    repeats steps or cycles, likewise
    scheme  a name of SCHEMES, or AS_WRITTEN
    """

    text: str = field(default_factory=lambda: text(START))
    values: Mapping[str, float] = field(default_factory=dict)
    tau: float | None = None
    repeats: int | None = None
    scheme: str = AS_WRITTEN


@dataclass(frozen=True)
class Analysis:
    """What follows from a choice.

    written   the declaration as in the text
    declared  with the values, the step and the scheme that were chosen
    """

    written: Declaration
    declared: Declaration
    network: Network

    @property
    def statuses(self) -> dict[str, str]:
        """The status of each claim, by name."""
        return {name: str(claim.status) for name, claim in self.network.certificate.claims.items()}

    @property
    def limit(self) -> str:
        """The largest step with l2 stability; with a source, that of frozen stability."""
        claims = self.network.certificate.claims
        for name in ("l2_stability", "frozen_stability"):
            if claims[name].limit is not None:
                return f"{name.replace('_', ' ')} up to tau = {shown(claims[name].limit)}"
        return "no largest step is known"

    @cached_property
    def largest(self) -> float | None:
        """The same as a number, where it is finite."""
        values = self.declared.problem.parameters
        for name in ("l2_stability", "frozen_stability"):
            limit = self.network.certificate.claims[name].limit
            if limit is not None and limit.subs(values).is_finite and limit.subs(values).is_number:
                return float(limit.subs(values))
        return None

    @cached_property
    def source(self) -> str:
        """What is emitted, or why nothing is."""
        try:
            return self.network.source()
        except Pde2NetError as error:
            return f"# {error}"

    @cached_property
    def stencil(self) -> NDArray[np.float64] | None:
        """Of the first unknown, where all is 1/2: the response of F(u) = u_t to an impulse.

        None where time, or numbers at the call, are part of the equation.
        """
        problem = self.declared.problem
        try:
            function = rate(self.network.request(), self.network.semidiscrete, "stencil")
        except Pde2NetError:
            return None
        if problem.inputs:
            return None
        size = (REACH,) * len(problem.space)
        flat = torch.full((1, self.network.looped.graph["channels"], *size), 0.5, dtype=torch.float64)
        impulse = flat.clone()
        impulse[(0, 0, *(n // 2 for n in size))] += IMPULSE
        known = {str(f.func): torch.full((1, 1, *size), 0.5, dtype=torch.float64) for f in problem.fields}
        found = ((function(impulse, **known) - function(flat, **known))[0, 0] / IMPULSE).numpy()
        return _trimmed(np.where(abs(found) < 1e-5 * max(abs(found).max(), 1e-300), 0.0, found))


def analysed(choice: Choice) -> Analysis:
    """Read, compile and prove. Raises what `parse` and `compile` raise but for instability."""
    written = parse(choice.text, "equation")
    problem = written.problem
    numbers = {s: _rational(choice.values[s.name]) for s in problem.parameters if s.name in choice.values}
    problem = problem.valued(numbers)
    scheme = _scheme(choice, written)
    declared = Declaration(problem, scheme, written.grid)
    network = compiler.compile(problem, scheme, written.grid, on_unstable="ignore")
    return Analysis(written, declared, network)


def _scheme(choice: Choice, written: Declaration) -> Scheme:
    own = written.given
    if choice.scheme not in (AS_WRITTEN, *SCHEMES):
        raise DeclarationError(f'There is no scheme "{choice.scheme}".{suggestion(choice.scheme, SCHEMES)}')
    if choice.scheme != AS_WRITTEN:
        tau = sp.Rational(1, 10) if own is None or own.tau is None or own.tau == sp.oo else own.tau
        own = SCHEMES[choice.scheme](tau, 10 if own is None else min(own.repeats, 100))
    if own is None:
        raise DeclarationError(
            "The text has no scheme: choose one, or add a line scheme explicit(tau = 1/4)."
        )
    changes: dict[str, Any] = {}
    if choice.tau is not None and own.tau != sp.oo:
        changes["tau"] = _rational(choice.tau)
    if choice.repeats is not None:
        changes[own.repeated] = choice.repeats
    return replace(own, **changes)


def _rational(value: float) -> sp.Rational:
    if not math.isfinite(value):
        raise DeclarationError(f"{value} is no value.")
    return sp.Rational(f"{value:.{DIGITS}g}")


def _trimmed(found: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without zeros around it, as many on each side."""
    places = np.argwhere(found)
    if not len(places):
        return found[tuple(slice(n // 2, n // 2 + 1) for n in found.shape)]
    reach = abs(places - np.array(found.shape) // 2).max(axis=0)
    return found[tuple(slice(n // 2 - r, n // 2 + r + 1) for n, r in zip(found.shape, reach, strict=True))]


def picture_of(data: bytes) -> NDArray[np.float64]:
    """The grey values or colours of a picture, (channels, rows, columns). Raises FileError for other data."""
    from PIL import Image

    read = raster.read_image(data, "This picture")
    if read is None:
        raise FileError("This picture is a TIFF of several pages or of 16 bits in colour: save it as PNG.")
    channels, (rows, columns) = read.channels, read.channels.shape[1:]
    scale = math.sqrt(MOST_CELLS / (rows * columns))
    if scale < 1:
        size = max(int(columns * scale), 1), max(int(rows * scale), 1)
        made = [Image.fromarray(channel.astype(np.float32)).resize(size) for channel in channels]
        channels = np.stack([np.asarray(image, dtype=np.float64) for image in made])
    return channels


def own_picture() -> NDArray[np.float64]:
    """Discs and bars of several greys with noise, (1, 160, 200)."""
    i, j = np.mgrid[:160, :200]
    found = 0.3 + 0.2 * j / 200
    for k, (row, column, radius) in enumerate(((50, 50, 30), (95, 120, 40), (45, 160, 22))):
        found[(i - row) ** 2 + (j - column) ** 2 < radius**2] = 0.25 + 0.3 * k
    found[120:150][:, (j[0] // 12) % 2 == 0] = 0.9
    noise = 0.08 * np.random.default_rng(0).normal(size=found.shape)
    noisy: NDArray[np.float64] = (found + noise)[None]
    return noisy


def ran(analysis: Analysis, picture: NDArray[np.float64]) -> tuple[Trajectory, str]:
    """The network on a picture, and what it was given beside it.

    Images of one axis are the middle row. Known fields in [0, 1] are masks of a fifth of the cells, and the
    run starts from what they leave; other fields are the picture. Values lie in the ranges that are declared.
    """
    problem = analysis.declared.problem
    if len(problem.space) > 2:
        raise DeclarationError("A picture has two axes; equations in three run on volumes: pde2net run.")
    if problem.inputs or problem.operators:
        raise DeclarationError("Equations with numbers at the call or learned filters are run from Python.")
    channels, ranges = analysis.network.looped.graph["channels"], _ranges(analysis)
    u = _fitting(picture, channels)
    u = u if len(problem.space) == 2 else u[:, u.shape[1] // 2]
    mask = np.random.default_rng(0).random(u.shape[1:]) < KNOWN
    masks = {name for name, (low, high) in ranges.items() if (low, high) == (0, 1)}
    fields: dict[str, Any] = {}
    for function in problem.fields:
        name = str(function.func)
        values = mask.astype(float) if name in masks else _in_range(u.mean(0), ranges.get(name))
        fields[name] = values[None]
    said = [f"{name}: a mask of {100 * KNOWN:.0f} % of the cells" for name in sorted(masks & fields.keys())]
    said += [f"{name}: the picture" for name in sorted(fields.keys() - masks)]
    if 1 == channels < len(picture):
        said.append("in grey, since the equation has one channel")
    for k, name in enumerate(map(str, (f.func for f in problem.unknowns))):
        own = slice(None) if len(problem.unknowns) == 1 else k
        u[own] = _in_range(u[own], ranges.get(name))
    start = u * mask if masks & fields.keys() else u
    return analysis.network.run(start[None], track=["mean", "removed"], **fields), "; ".join(said)


def _ranges(analysis: Analysis) -> dict[str, tuple[Any, Any]]:
    problem = analysis.declared.problem
    found = {str(getattr(f, "func", f)): pair for f, pair in problem.bounds.items()}
    if problem.domain is not None:
        found[str(problem.domain.func)] = (0, 1)
    return found


def _in_range(values: NDArray[np.float64], pair: tuple[Any, Any] | None) -> NDArray[np.float64]:
    """Grey values within a declared range."""
    low, high = (-math.inf, math.inf) if pair is None else map(float, pair)
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) * np.clip(values, 0, 1)
    return np.maximum(values, low) if math.isfinite(low) else np.minimum(values, high)


def _fitting(picture: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    """The picture in as many channels as the equation has."""
    if len(picture) == channels:
        return picture.copy()
    grey = picture.mean(0, keepdims=True)
    return np.repeat(grey, channels, axis=0)
