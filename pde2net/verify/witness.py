"""Counterexamples: inputs on small grids, run through the graph in float64 before they count."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.interpret import Interpreter
from pde2net.graph.network import Graph

# A claim counts as violated only beyond what rounding explains.
MARGIN = 1e-9
LARGEST = 70_000  # cells

STEPS = 3000  # of deep networks, run in one search
PAIR_MARGIN = 1e-6  # two nearby inputs are known to fewer digits than their difference needs
NEARBY = 1 + 1e-4

Fields = dict[str, Array]
Measure = Callable[[Array, Array], float]


@dataclass(frozen=True)
class Hit:
    """A candidate that violates a claim, with the parameters and fields that it was run with."""

    name: str
    u0: Array
    fields: Fields
    values: dict[sp.Symbol, sp.Expr]
    excess: float


@dataclass(frozen=True)
class Search:
    """Runs candidate inputs through one step and then through the whole network."""

    semi: Semidiscrete
    step: Graph
    network: Graph
    amplitudes: tuple[float, ...]

    def find(self, measure: Measure, what: str) -> dict[str, Any] | None:
        """The first candidate for which measure(u0, network(u0)) exceeds MARGIN, as a witness."""

        def excess(run: Interpreter, u0: Array, fields: Fields) -> float:
            return measure(u0, run(u0, fields))

        hit = self.first(excess, MARGIN, LARGEST)
        return None if hit is None else self.witness(hit, {}, what)

    def find_pair(self) -> dict[str, Any] | None:
        """Two nearby inputs that the network moves apart."""

        def excess(run: Interpreter, u0: Array, fields: Fields) -> float:
            v0 = NEARBY * u0
            return growth(v0 - u0, run(v0, fields) - run(u0, fields))

        hit = self.first(excess, PAIR_MARGIN, 2000)
        if hit is None:
            return None
        return self.witness(hit, {"v0": (NEARBY * hit.u0).tolist()}, "distance to 1.0001 times it grows by")

    def first(
        self, excess: Callable[[Interpreter, Array, Fields], float], margin: float, largest: int
    ) -> Hit | None:
        """The first candidate beyond `margin` in one step and in the whole network.

        Deep networks are run for a bounded number of steps in all, but for one candidate at least.
        """
        values = sample_values(self.semi, self.network)
        step, network = Interpreter(self.step, values), Interpreter(self.network, values)
        depth = len(network.plan) // len(step.plan)
        budget = max(STEPS, depth)
        for name, u0 in self.candidates():
            if u0.size > largest:
                break
            fields = self.fields(u0)
            found = excess(step, u0, fields)
            if not found > margin:
                continue
            if depth > 1:
                budget -= depth
                if budget < 0:
                    break
                found = excess(network, u0, fields)
            if found > margin:
                return Hit(name, u0, fields, values, found)
        return None

    def witness(self, hit: Hit, more: dict[str, Any], what: str) -> dict[str, Any]:
        """What is reported of a hit: inputs, parameters assumed, by how much, and one line."""
        size = " x ".join(map(str, hit.u0.shape))
        entries: dict[str, Any] = {"u0": hit.u0.tolist(), **more, "excess": hit.excess}
        if hit.values:
            entries["parameters"] = {str(k): str(v) for k, v in hit.values.items()}
        if hit.fields:
            entries["fields"] = {k: v.tolist() for k, v in hit.fields.items()}
        return entries | {"description": f"{hit.name} on {size} cells: {what} {hit.excess:.3g}"}

    def fields(self, u0: Array) -> dict[str, Array]:
        """Known fields are inputs too; 0 makes fidelity terms homogeneous."""
        return {f.name: np.zeros_like(u0) for f in self.semi.form.fields}

    def candidates(self) -> Iterator[tuple[str, Array]]:
        """Small grids first; on each, oscillations from the highest frequency down, a spike, noise."""
        dimension = len(self.semi.spacing)
        smallest = max(self.semi.smallest)
        for n in (max(smallest, 4), max(smallest, 8), 16, 40, 128, 1000, 20_000):
            if n**dimension > LARGEST or n < smallest:
                continue
            patterns = list(self.patterns(n, dimension, large=n > 40))
            for (name, pattern), a in itertools.product(patterns, self.amplitudes):
                yield f"{name} of amplitude {a:.3g}", a * pattern

    def patterns(self, n: int, dimension: int, large: bool) -> Iterator[tuple[str, Array]]:
        for fraction, name in (
            (1.0, "highest frequency"),
            (0.5, "middle frequency"),
            (0.0, "lowest frequency"),
        ):
            lines = [mode(n, fraction, b) for b in self.semi.boundary]
            yield name, np.asarray(outer(lines))
            if dimension > 1 and fraction == 1.0:
                yield (
                    f"{name} along the first axis",
                    outer([lines[0], *[np.ones(n)] * (dimension - 1)]),
                )
        if large:
            return
        alternating = outer([(-1.0) ** np.arange(n)] * dimension)
        yield "checkerboard", alternating
        spike = np.zeros((n,) * dimension)
        spike[(n // 2,) * dimension] = 1
        yield "spike", spike
        yield "constant", np.ones((n,) * dimension)
        yield "noise", np.random.default_rng(0).normal(size=(n,) * dimension)


def sample_values(semi: Semidiscrete, graph: Graph) -> dict[sp.Symbol, sp.Expr]:
    """1 for every parameter without a value: a refutation for one value refutes the claim."""
    known = graph.graph["values"]
    free = {s for h in semi.spacing + semi.origin for s in h.free_symbols}
    free |= set(semi.form.problem.symbols)
    return {s: sp.S.One for s in sorted(free, key=str) if s not in known}


def mode(n: int, fraction: float, boundary: str) -> Array:
    """An eigenvector of the second difference; fraction 1 is the highest frequency, 0 the lowest."""
    i = np.arange(n)
    if boundary == "periodic":
        return np.cos(2 * np.pi * max(1, round(fraction * (n // 2))) * i / n)
    if boundary == "dirichlet":
        return np.sin(np.pi * max(1, round(fraction * n)) * (i + 1) / (n + 1))
    return np.cos(np.pi * max(1, round(fraction * (n - 1))) * (i + 0.5) / n)


def outer(lines: Sequence[Array]) -> Array:
    total: Array = lines[0]
    for line in lines[1:]:
        total = np.multiply.outer(total, line)
    return total


def growth(u0: Array, u1: Array) -> float:
    """‖u1‖/‖u0‖ - 1, infinite if u1 is not finite."""
    if not np.isfinite(u1).all():
        return float("inf")
    return float(np.linalg.norm(u1) / np.linalg.norm(u0) - 1)


def leaves_range(includes_zero: bool) -> Measure:
    """By how much u1 leaves [min u0, max u0] (with 0 for zero-Dirichlet), relative to max |u0|."""

    def measure(u0: Array, u1: Array) -> float:
        low, high = u0.min(), u0.max()
        if includes_zero:
            low, high = min(low, 0.0), max(high, 0.0)
        if not np.isfinite(u1).all():
            return float("inf")
        return float(max(u1.max() - high, low - u1.min()) / abs(u0).max())

    return measure


def mean_change(u0: Array, u1: Array) -> float:
    """|mean u1 - mean u0| relative to max |u0|."""
    if not np.isfinite(u1).all():
        return float("inf")
    return float(abs(u1.mean() - u0.mean()) / abs(u0).max())


def amplitudes(semi: Semidiscrete, squares: Sequence[sp.Expr]) -> tuple[float, ...]:
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
