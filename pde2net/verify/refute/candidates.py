"""Inputs that are hard to survive: modes of extreme frequency, checkerboards, spikes, noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.discretise.stencils import Stencil
from pde2net.language.borders import BORDERS

LARGEST = 70_000  # cells
SIZES = (4, 8, 16, 40, 128, 1000, 20_000)  # per axis


@dataclass(frozen=True)
class Candidate:
    """A pattern that exists on every grid size, times an amplitude."""

    name: str
    pattern: Callable[[int], Array]
    amplitude: float
    largest: int
    channels: int = 1
    channel: int = 0

    def on(self, n: int) -> Array:
        """On n cells per axis; of several channels one has the pattern, the others are 0."""
        image = self.amplitude * self.pattern(n)
        if self.channels == 1:
            return image
        return np.stack([image if c == self.channel else np.zeros_like(image) for c in range(self.channels)])

    def __str__(self) -> str:
        return f"{self.name} of amplitude {self.amplitude:.3g}"


def sizes(semi: Semidiscrete | SemidiscreteSystem) -> list[int]:
    """Cells per axis, small grids first."""
    smallest = max(semi.roomy)
    wanted = sorted({max(smallest, 4), max(smallest, 8), *(n for n in SIZES if n >= smallest)})
    return [n for n in wanted if n ** len(semi.spacing) <= LARGEST]


def candidates(semi: Semidiscrete | SemidiscreteSystem, amplitudes: Sequence[float]) -> list[Candidate]:
    """Every pattern at every amplitude; modes come first."""
    problem = semi.form.problem
    # Channels of one equation are alike, those of a system are not.
    channels = range(len(problem.equations))
    return [
        Candidate(name, pattern, a, largest, problem.channels, c)
        for (name, pattern, largest), a, c in itertools.product(_patterns(semi), amplitudes, channels)
    ]


def _patterns(semi: Semidiscrete | SemidiscreteSystem) -> Iterator[tuple[str, Callable[[int], Array], int]]:
    """(name, pattern on n cells per axis, largest n); only modes need large grids."""
    dimension = len(semi.spacing)
    for fractions, name in _frequencies(semi):
        yield name, partial(_mode, semi.boundary, fractions), LARGEST
    if dimension > 1:
        yield (
            "highest frequency along the first axis",
            lambda n: outer([mode(n, 1.0, semi.boundary[0]), *[np.ones(n)] * (dimension - 1)]),
            LARGEST,
        )
    yield "checkerboard", lambda n: outer([(-1.0) ** np.arange(n)] * dimension), 40
    yield "spike", lambda n: spike(n, dimension), 40
    yield "constant", lambda n: np.ones((n,) * dimension), 40
    yield "noise", lambda n: np.random.default_rng(0).normal(size=(n,) * dimension), 40
    for low, high in (semi.form.problem.ranges or ()) if isinstance(semi, Semidiscrete) else ():
        a = float(low if low.is_finite else high - 1 if high.is_finite else -1)
        b = float(high) if high.is_finite else a + 1
        yield from ((f"{name} in the declared range", made, 40) for name, made in _between(a, b, dimension))


def _between(a: float, b: float, dimension: int) -> Iterator[tuple[str, Callable[[int], Array]]]:
    """Patterns with values in [a, b]; where weights grow with u, half-way dips are the first to overshoot."""
    yield "checkerboard", lambda n: a + (b - a) * (1 + outer([(-1.0) ** np.arange(n)] * dimension)) / 2
    yield "spike", lambda n: a + (b - a) * spike(n, dimension)
    yield "half a spike", lambda n: a + (b - a) / 2 * spike(n, dimension)
    yield "half a dip", lambda n: b - (b - a) / 2 * spike(n, dimension)


def spike(n: int, dimension: int) -> Array:
    return outer([1.0 * (np.arange(n) == n // 2)] * dimension)


def _frequencies(semi: Semidiscrete | SemidiscreteSystem) -> list[tuple[tuple[float, ...], str]]:
    """Frequencies per axis as fractions of the highest: where a symbol is largest, and a few more."""
    dimension = len(semi.spacing)
    found = [
        ((1.0,) * dimension, "highest frequency"),
        ((0.5,) * dimension, "middle frequency"),
        ((0.0,) * dimension, "lowest frequency"),
    ]
    critical = [0.5] * dimension
    for bank in semi.banks:
        for row in bank.rows:
            for _, difference in row:
                critical[difference.axis] = critical_fraction(difference.stencil)
    if tuple(critical) not in [f for f, _ in found]:
        found.insert(0, (tuple(critical), "critical frequency"))
    return found


def critical_fraction(stencil: Stencil) -> float:
    """theta/pi where |symbol(theta)|² is largest."""
    symbol = stencil.squared_symbol
    places = [sp.S.One, -sp.S.One, *(r for r in symbol.diff().real_roots() if -1 < r < 1)]
    best = max(places, key=lambda c: float(symbol.eval(c)))
    return math.acos(float(best)) / math.pi


def _mode(boundary: Sequence[str], fractions: Sequence[float], n: int) -> Array:
    return outer([mode(n, f, b) for f, b in zip(fractions, boundary, strict=True)])


def mode(n: int, fraction: float, boundary: str) -> Array:
    """An eigenvector of the second difference; fraction 1 is the highest frequency, 0 the lowest."""
    i = np.arange(n)
    border = BORDERS[boundary]
    if border.wraps:
        return np.cos(2 * np.pi * max(1, round(fraction * (n // 2))) * i / n)
    if border.zero:
        return np.sin(np.pi * max(1, round(fraction * n)) * (i + 1) / (n + 1))
    if border.factor < 0:
        return np.sin(np.pi * max(1, round(fraction * n)) * (i + 0.5) / n)
    return np.cos(np.pi * max(1, round(fraction * (n - 1))) * (i + 0.5) / n)


def outer(lines: Sequence[Array]) -> Array:
    return np.asarray(reduce(np.multiply.outer, lines))


def amplitudes(semi: Semidiscrete | SemidiscreteSystem, squares: Sequence[sp.Expr]) -> tuple[float, ...]:
    """Amplitudes of a checkerboard whose |K u|² takes the values where the diffusivity is extreme.

    A checkerboard of amplitude a has the slopes 2 a/h_i (4 a sum w_i/h_i² for second order) with
    forward differences; 0 and oo become a very small and a very large amplitude.
    """
    values = dict(semi.form.problem.parameters)
    free = {s for h in semi.spacing for s in h.free_symbols} | set(semi.form.problem.symbols)
    ones = {s: sp.S.One for s in free if s not in values}
    h = [float(s.subs(values).subs(ones)) for s in semi.spacing]
    if semi.second:
        gain = 4 * sum(1 / step**2 for step in h)
    else:
        gain = 2 * sum(1 / step**2 for step in h) ** 0.5
    found = [1.0, 1e-5, 1e5]
    for square in squares:
        value = square.subs(values).subs(ones)
        if value.is_number and value.is_finite and value.is_positive:
            found.insert(0, float(value) ** 0.5 / gain)
    return tuple(dict.fromkeys(found))
