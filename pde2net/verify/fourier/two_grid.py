"""Two-grid convergence factors by local Fourier analysis (Brandt 1977; Trottenberg et al. 2001, chapter 4).

The cell-centred transfers of the full approximation scheme: the residual is averaged over the fine
cells of a coarse cell, the correction interpolated linearly with weights 3/4 and 1/4 per axis.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pde2net.verify.fourier.model import Floats, Model, supremum

Complex = NDArray[np.complex128]
KINDS = ("jacobi", "red-black", "chebyshev")


@dataclass(frozen=True)
class Smoother:
    """A sweep v <- v + omega D^-1 (f - A v), D the diagonal of A.

    kind      "jacobi"; "red-black": the cells with even index sum first, each colour with omega;
              "chebyshev": `sweeps` of them together are the Chebyshev polynomial of D^-1 A on `interval`
    damping   omega
    interval  (lower, upper) for "chebyshev"
    """

    kind: str = "jacobi"
    damping: float = 1.0
    interval: tuple[float, float] = (0.5, 2.0)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f'There is no smoother "{self.kind}": choose one of {", ".join(KINDS)}.')
        if self.kind == "chebyshev" and not 0 < self.interval[0] < self.interval[1]:
            raise ValueError(f"The Chebyshev interval {self.interval} must satisfy 0 < lower < upper.")

    def matrix(self, ratio: Floats, sweeps: int) -> Complex:
        """`sweeps` sweeps on all harmonics: (..., m) values of D^-1 A to (..., m, m) matrices."""
        identity = np.broadcast_to(np.eye(ratio.shape[-1]), (*ratio.shape, ratio.shape[-1]))
        if self.kind == "red-black":
            flip = identity[..., ::-1]  # shifts every axis by pi: exp(i pi (sum of indices)) times
            damped = identity * (1 - self.damping * ratio)[..., None, :]
            red, black = (identity + flip) / 2, (identity - flip) / 2
            sweep = (red + black @ damped) @ (black + red @ damped)
            return np.linalg.matrix_power(sweep, sweeps).astype(complex)
        factor = (
            (1 - self.damping * ratio) ** sweeps
            if self.kind == "jacobi"
            else _chebyshev(ratio, sweeps, *self.interval)
        )
        return (identity * factor[..., None, :]).astype(complex)


def _chebyshev(ratio: Floats, degree: int, lower: float, upper: float) -> Floats:
    """T_n((upper + lower - 2 x)/(upper - lower)) / T_n((upper + lower)/(upper - lower))."""
    centre = (upper + lower) / (upper - lower)
    polynomial = np.polynomial.chebyshev.Chebyshev.basis(degree)
    return np.asarray(polynomial(centre - 2 * ratio / (upper - lower)) / polynomial(centre))


def prolonged(theta: Floats) -> Complex:
    """The part of frequency theta in the linear interpolation of exp(2 i theta I), one axis.

    Fine values at 2I and 2I+1 are (3 E_I + E_{I-1})/4 and (3 E_I + E_{I+1})/4.
    """
    even, odd = (3 + np.exp(-2j * theta)) / 4, (3 + np.exp(2j * theta)) / 4
    return np.asarray((even + np.exp(-1j * theta) * odd) / 2)


def restricted(theta: Floats, adjoint: bool) -> Complex:
    """What exp(i theta j) is restricted to, as a multiple of exp(2 i theta I), one axis.

    By the mean over fine cells, or the adjoint of the interpolation times 2^-d. Their orders, 1 for the mean
    and 2 for interpolation, should exceed in sum the order of the operator, or at least reach it (Trottenberg
    et al., section 2.7). Else cycles over many levels may diverge although the two-grid factor is below 1.
    """
    return np.asarray(np.conj(prolonged(theta)) if adjoint else (1 + np.exp(1j * theta)) / 2)


def two_grid_matrix(
    model: Model,
    theta: Floats,
    smoother: Smoother,
    pre: int,
    post: int,
    axes: Iterable[int] | None = None,
    adjoint: bool = False,
) -> Complex:
    """S^post (I - P A_H^-1 R A) S^pre on the 2^d harmonics theta + pi alpha: (..., d) to (..., 2^d, 2^d).

    A_H is the rediscretisation with twice the spacing along `axes` (default: all), solved exactly.
    """
    dimension = model.dimension
    coarse = frozenset(range(dimension) if axes is None else axes)
    shifts = list(itertools.product((0, 1), repeat=dimension))  # by pi
    shifted = theta[..., None, :] + np.pi * np.array(shifts)
    fine = model.symbol(shifted)
    down, up = (
        np.prod([operator(shifted[..., a]) for a in sorted(coarse)], axis=0)
        for operator in (partial(restricted, adjoint=adjoint), prolonged)
    )
    on_coarse = np.where([a in coarse for a in range(dimension)], 2 * shifted, shifted)
    solved = 1 / model.coarsened(coarse).symbol(on_coarse)
    kept = [tuple(s for a, s in enumerate(shift) if a not in coarse) for shift in shifts]
    aliases = np.array([[one == other for other in kept] for one in kept])
    correction = np.eye(len(shifts)) - aliases * ((up * solved)[..., :, None] * (down * fine)[..., None, :])
    ratio = fine / float(model.diagonal)
    return np.asarray(smoother.matrix(ratio, post) @ correction @ smoother.matrix(ratio, pre))


def two_grid_factor(
    model: Model,
    smoother: Smoother,
    pre: int,
    post: int,
    axes: Iterable[int] | None = None,
    adjoint: bool = False,
) -> float:
    """The supremum over frequencies of the spectral radius of `two_grid_matrix`: sampled, not proved.

    The asymptotic error reduction per cycle of two grids with frozen coefficients, without borders.
    Raises ValueError if a coefficient has no numeric value.
    """
    coarse = tuple(range(model.dimension)) if axes is None else tuple(sorted(set(axes)))

    def radius(theta: Floats) -> Floats:
        matrices = two_grid_matrix(model, theta, smoother, pre, post, coarse, adjoint)
        return np.asarray(np.abs(np.linalg.eigvals(matrices)).max(axis=-1))

    # A reflection of one axis swaps the colours, so only Jacobi and Chebyshev inherit the evenness.
    even = model.even and smoother.kind != "red-black"
    return supremum(radius, model.dimension, coarse, even)


def cycle_factors(
    model: Model,
    smoother: Smoother,
    pre: int,
    post: int,
    coarsening: Iterable[Iterable[int]],
    adjoint: bool = False,
) -> tuple[float, ...]:
    """The two-grid factor of every level but the coarsest; `coarsening` lists the axes halved per level.

    Their maximum estimates a V-cycle: coarse problems are solved by one cycle instead of exactly, which
    makes V-cycles somewhat slower (W-cycles hardly).
    """
    factors = []
    for axes in coarsening:
        halved = tuple(axes)
        factors.append(two_grid_factor(model, smoother, pre, post, halved, adjoint))
        model = model.coarsened(halved)
    return tuple(factors)
