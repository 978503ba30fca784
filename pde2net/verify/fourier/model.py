"""The frozen operator mass + tau sum_k w_k K_k^T K_k on the infinite grid, its symbol, and suprema."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net.discretise.operators import Bank, Difference
from pde2net.verify.ranges import UndecidedError

Floats = NDArray[np.float64]
# Points per axis of the first grid and of the refinements, by dimension.
POINTS = {1: 257, 2: 41, 3: 11}
REFINED = {1: 33, 2: 9, 3: 5}
PEAKS = 4
ROUNDS = 12
SMALLEST = 1e-4  # frequencies closer to 0 are left out: there A of the steady state is 0


@dataclass(frozen=True)
class Model:
    """mass + tau sum_k w_k K_k^T K_k with constant w_k >= 0 on the infinite grid.

    Its symbol at the frequency theta in [-pi, pi]^d is mass + tau sum_k w_k |K_k^(theta)|², where

        |K^(theta)|² = sum over rows |sum over (w, D) in the row of w s_D(theta_axis) / h^m|²,
        s_D(t) = sum_k weights[k] exp(i t offsets[k]).

    mass, tau, the weights and the spacings are exact and may be symbols; what samples frequencies
    needs numbers. tau = oo drops the mass and takes tau = 1: the steady state.
    """

    mass: sp.Expr
    tau: sp.Expr
    terms: tuple[tuple[sp.Expr, Bank], ...]
    dimension: int

    @property
    def parts(self) -> tuple[sp.Expr, sp.Expr]:
        """(mass, tau), and (0, 1) for the steady state."""
        return (sp.S.Zero, sp.S.One) if self.tau == sp.oo else (sp.sympify(self.mass), sp.sympify(self.tau))

    @property
    def diagonal(self) -> sp.Expr:
        """mass + tau sum_k w_k ‖row of K_k‖², the exact diagonal."""
        mass, tau = self.parts
        return mass + tau * sp.Add(*(w * _row_norms(bank, self.dimension) for w, bank in self.terms))

    @property
    def even(self) -> bool:
        """Whether the symbol is even in each frequency by itself: no row mixes odd differences."""
        return all(
            len(row) == 1 or all(d.stencil.derivative % 2 == 0 for _, d in row)
            for _, bank in self.terms
            for row in bank.rows
        )

    def coarsened(self, axes: Iterable[int]) -> Model:
        """The same expressions rediscretised with twice the spacing along `axes`."""
        chosen = frozenset(axes)

        def widen(d: Difference) -> Difference:
            return replace(d, spacing=2 * d.spacing) if d.axis in chosen else d

        def coarse(bank: Bank) -> Bank:
            return Bank(tuple(tuple((w, widen(d)) for w, d in row) for row in bank.rows))

        return replace(self, terms=tuple((w, coarse(bank)) for w, bank in self.terms))

    @cached_property
    def _numbers(self) -> tuple[float, tuple[tuple[float, tuple[tuple[Any, ...], ...]], ...]]:
        mass, tau = self.parts
        terms = []
        for weight, bank in self.terms:
            rows = tuple(
                tuple(
                    (
                        d.axis,
                        np.array(d.stencil.offsets, dtype=float),
                        np.array([_number(w * d.scale) * float(c) for c in d.stencil.weights]),
                    )
                    for w, d in row
                )
                for row in bank.rows
            )
            terms.append((_number(tau * weight), rows))
        return _number(mass), tuple(terms)

    def symbol(self, theta: Floats) -> Floats:
        """The symbol at frequencies of shape (..., dimension): shape (...).

        Raises ValueError if a coefficient has no numeric value.
        """
        mass, terms = self._numbers
        total = np.full(theta.shape[:-1], mass)
        for weight, rows in terms:
            for row in rows:
                value = np.zeros(theta.shape[:-1], dtype=complex)
                for axis, offsets, taps in row:
                    value += np.exp(1j * theta[..., axis, None] * offsets) @ taps
                total += weight * (value.real**2 + value.imag**2)
        return total


def _row_norms(bank: Bank, dimension: int) -> sp.Expr:
    """sum over rows of the squared Euclidean norm of the row of K."""
    total: sp.Expr = sp.S.Zero
    for row in bank.rows:
        taps: dict[tuple[int, ...], sp.Expr] = {}
        for weight, d in row:
            for offset, tap in zip(d.stencil.offsets, d.stencil.weights, strict=True):
                place = tuple(offset if axis == d.axis else 0 for axis in range(dimension))
                taps[place] = taps.get(place, sp.S.Zero) + weight * d.scale * tap
        total += sp.Add(*(t**2 for t in taps.values()))
    return total


def _number(value: sp.Expr) -> float:
    value = sp.sympify(value)
    if value.free_symbols or not value.is_real:
        raise UndecidedError(f"Fourier analysis samples frequencies: {value} needs a numeric value")
    return float(value)


def supremum(
    value: Callable[[Floats], Floats],
    dimension: int,
    coarse: tuple[int, ...],
    even: bool,
    high: bool = False,
) -> float:
    """The largest value found over low frequencies, |theta_i| <= pi/2 for the coarsened axes.

    high      over the high frequencies instead: some coarsened |theta_i| >= pi/2
    even      the value is even in each frequency by itself: theta_i >= 0 suffices; otherwise only
              theta_0 >= 0 is used, which complex conjugation allows
    """
    if dimension not in POINTS:
        raise ValueError(f"Fourier analysis covers one to three dimensions, not {dimension}.")
    reach = [np.pi if high or axis not in coarse else np.pi / 2 for axis in range(dimension)]
    lowest = [0.0 if even or axis == 0 else -r for axis, r in enumerate(reach)]

    def evaluate(centres: Floats, half: Floats, points: int) -> tuple[Floats, Floats]:
        """Frequencies around each centre, and the values there, of shape (centres, points^d)."""
        lines = np.meshgrid(*[np.linspace(-1, 1, points)] * dimension, indexing="ij")
        around = np.stack(lines, axis=-1).reshape(-1, dimension) * half
        theta = np.clip(centres[:, None] + around, lowest, reach)
        keep = np.abs(theta).max(axis=-1) >= SMALLEST
        if high:
            keep &= np.abs(theta[..., list(coarse)]).max(axis=-1) >= np.pi / 2 - 1e-12
        found = np.full(keep.shape, -np.inf)
        found[keep] = value(theta[keep])
        return theta, found

    half = np.array([(r - b) / 2 for b, r in zip(lowest, reach, strict=True)])
    theta, values = evaluate((np.array(lowest) + half)[None], half, POINTS[dimension])
    best = float(values.max())
    width = 2 * half / (POINTS[dimension] - 1)
    peaks = theta[0, np.argsort(values[0])[::-1][:PEAKS]]
    for _ in range(ROUNDS):
        theta, values = evaluate(peaks, width, REFINED[dimension])
        peaks, best = theta[np.arange(len(peaks)), values.argmax(axis=1)], max(best, float(values.max()))
        width = width / 2
    return best
