"""Two-grid factors a second time: dense matrices of one cycle on a small periodic grid, in numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np
import sympy as sp

from pde2net.audit.exactly import NoOpinionError, number
from pde2net.audit.numbers import Numbers
from pde2net.discretise.arrays import Array
from pde2net.discretise.operators import Bank
from pde2net.graph.build import relaxation
from pde2net.graph.build.unet import grids
from pde2net.language.schemes import Multigrid
from pde2net.network import Network
from pde2net.scheme.unet import UNet

CELLS = {1: (96,), 2: (8, 12), 3: (4, 6)}  # per axis, of the grids that are tried
GRIDS = {1: 6, 2: 4, 3: 3}
SCALES = (1.0, 0.1, 0.01)  # of diffusivities that vary
FARTHEST = 1.25  # cells as much longer than the shortest are joined
CLOSE = 0.02  # a small grid does not have the worst frequency
ABOVE = 2e-3  # the factor of the certificate is rounded up


def disagreements(network: Network, n: Numbers) -> Iterator[str]:
    scheme, certificate = network.scheme, network.certificate
    claims = [certificate.claims[name] for name in ("solver_convergence", "frozen_stability")]
    stated = [claim for claim in claims if claim.factor is not None]
    if not isinstance(scheme, Multigrid) or not isinstance(network.update, UNet) or not stated:
        return
    if not n.exact or grids(n.semi, network.update) < 2:
        return
    here = factor(scheme, certificate.tau, n)
    for claim in stated:
        said = float(n.number(claim.factor))
        if not (here - ABOVE <= said <= here + CLOSE) or said >= 1:
            yield f"The factor {claim.factor} of {claim.name} should be about {here:.4f}."


def factor(scheme: Multigrid, tau: sp.Expr, n: Numbers) -> float:
    """The largest spectral radius of a cycle over grids, scales of the diffusivity and ends of -r'."""
    constant = all(low == high for (low, high), _ in n.weights)
    step = 1.0 if tau.is_infinite else float(n.number(tau))
    found = []
    for reaction, scale in itertools.product({float(r) for r in n.rate}, SCALES[: 1 if constant else None]):
        mass = (0.0 if tau.is_infinite else 1.0) + step * reaction
        spacing = [float(n.number(h)) for h in n.semi.spacing]
        depth = GRIDS[len(spacing)]
        for _ in range(min(depth, (scheme.levels or depth + 1) - 1)):
            axes = joined(n, spacing)
            for count in CELLS[len(spacing)]:
                found.append(_radius(scheme, n, mass, step * scale, spacing, axes, count))
            spacing = [2 * h if i in axes else h for i, h in enumerate(spacing)]
    return max(found, default=float("inf"))


def joined(n: Numbers, spacing: Sequence[float]) -> tuple[int, ...]:
    if n.semi.second:
        return tuple(range(len(spacing)))
    return tuple(i for i, h in enumerate(spacing) if h / min(spacing) <= FARTHEST * (1 + 1e-12))


def _radius(
    scheme: Multigrid,
    n: Numbers,
    mass: float,
    step: float,
    spacing: list[float],
    axes: tuple[int, ...],
    count: int,
) -> float:
    sizes = [count] * len(spacing)
    fine = _operator(n, mass, step, spacing, sizes)
    halves = [count // 2 if i in axes else count for i in range(len(spacing))]
    wide = [2 * h if i in axes else h for i, h in enumerate(spacing)]
    coarse = _operator(n, mass, step, wide, halves)
    restrict = reduce(np.kron, [_mean(count, n) if i in axes else np.eye(count) for i in range(len(spacing))])
    prolong = reduce(np.kron, [_linear(count) if i in axes else np.eye(count) for i in range(len(spacing))])
    correction = np.eye(len(fine)) - prolong @ np.linalg.pinv(coarse) @ restrict @ fine
    before, after = (_smoothing(scheme, n, fine, sizes, k) for k in (scheme.pre, scheme.post))
    eigenvalues = np.linalg.eigvals(after @ correction @ before)
    if mass == 0:  # constants are in the kernel of the steady state
        eigenvalues = eigenvalues[abs(eigenvalues - 1) > 1e-9]
    return float(abs(eigenvalues).max())


def _operator(n: Numbers, mass: float, step: float, spacing: Sequence[float], sizes: Sequence[int]) -> Array:
    total = mass * np.eye(int(np.prod(sizes)))
    for ((_, high), _), rows in zip(n.weights, _rows(n), strict=True):
        k: Any = sum(
            float(n.number(w)) * _along(d.stencil, d.axis, spacing[d.axis], sizes, d.stencil.derivative)
            for w, d in rows
        )
        total = total + step * float(high) * (k.T @ k)
    return np.asarray(total)


def _rows(n: Numbers) -> Iterator[tuple[Any, ...]]:
    """One row of differences per weight."""
    for term, operators in zip(n.semi.form.terms, n.semi.operators, strict=True):
        if term.mixed:
            raise NoOpinionError(f"cycles are not known for {type(term).__name__} terms")
        for operator in operators:
            assert isinstance(operator, Bank)
            yield operator.rows[0]


def _along(stencil: Any, axis: int, h: float, sizes: Sequence[int], power: int) -> Array:
    taps = zip(stencil.offsets, stencil.weights, strict=True)
    line: Any = sum(float(number(w)) / h**power * _shift(sizes[axis], k) for k, w in taps)
    return reduce(np.kron, [line if i == axis else np.eye(s) for i, s in enumerate(sizes)])


def _shift(size: int, by: int) -> Array:
    """The value `by` cells further, periodically."""
    return np.roll(np.eye(size), by, axis=1)


def _mean(count: int, n: Numbers) -> Array:
    """Over two cells; (1, 3, 3, 1)/8 for differences of second order."""
    taps = ((-1, 1), (0, 3), (1, 3), (2, 1)) if n.semi.second else ((0, 4), (1, 4))
    return np.asarray(sum(weight / 8 * _shift(count, k) for k, weight in taps))[::2]


def _linear(count: int) -> Array:
    """From the cell around each and the nearest other one, with weights 3/4 and 1/4."""
    left, right = ((3 * np.eye(count // 2) + _shift(count // 2, side)) / 4 for side in (-1, 1))
    return np.stack([left, right], axis=1).reshape(count, -1)


def _smoothing(scheme: Multigrid, n: Numbers, a: Array, sizes: Sequence[int], sweeps: int) -> Array:
    identity, ratio = np.eye(len(a)), a / a.diagonal()[:, None]
    damping = float(scheme.damping or relaxation.damping(n.semi))
    if scheme.smoother == "jacobi":
        return np.asarray(np.linalg.matrix_power(identity - damping * ratio, sweeps))
    if scheme.smoother == "chebyshev":
        low, high = (float(v) for v in relaxation.interval(n.semi))
        zeros = [np.cos(np.pi * (k + 0.5) / sweeps) for k in range(sweeps)]
        steps = [identity - ratio / ((high + low) / 2 + (high - low) / 2 * z) for z in zeros]
        return reduce(np.matmul, steps, identity)
    damping = 1.0 if relaxation.nearest_neighbours(n.semi) else float(relaxation.damping(n.semi))
    colour = np.indices(sizes).sum(axis=0).ravel() % 2
    sweep = identity
    for c in (0, 1):
        sweep = (identity - damping * (colour == c)[:, None] * ratio) @ sweep
    return np.asarray(np.linalg.matrix_power(sweep, sweeps))
