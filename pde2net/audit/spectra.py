"""Norms of stencils and eigenvalues of diffusion tensors, a second time; confirmed at samples, by NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net.audit.exactly import Number, number
from pde2net.audit.rows import Pair
from pde2net.discretise.stencils import Stencil
from pde2net.errors import RecheckError
from pde2net.normalise.terms import Tensor

DRAWN = 64


@cache
def largest_square(stencil: Stencil) -> Number:
    """sup over theta of |sum_k w_k exp(i k theta)|²: a polynomial in cos theta, confirmed by samples."""
    c = sp.Symbol("c")
    taps = list(zip(stencil.offsets, stencil.weights, strict=True))
    square = sp.Poly(sum(v * w * sp.chebyshevt(abs(j - k), c) for j, v in taps for k, w in taps), c)
    places = [-1, 1, *(r for r in square.diff().real_roots() if -1 < r < 1)]
    largest = max(number(square.as_expr().subs(c, p)) for p in places)
    theta = np.linspace(0, np.pi, 2001)
    sampled = abs(sum(float(w) * np.exp(1j * k * theta) for k, w in taps)) ** 2
    if not -1e-12 <= float(largest) / sampled.max() - 1 <= 1e-5:
        raise RecheckError("the norm of a stencil could not be confirmed")
    return largest


def constant_eigenvalues(rows: Sequence[Sequence[Number]]) -> Pair:
    """Of two rows the roots of the characteristic polynomial, of more the ends of Gershgorin's discs."""
    if len(rows) == 2:
        (a, b), (_, d) = rows
        radius = ((a - d) ** 2 / 4 + b**2) ** 0.5
        return (a + d) / 2 - radius, (a + d) / 2 + radius
    radii = [sum(abs(e) for j, e in enumerate(row) if j != i) for i, row in enumerate(rows)]
    discs = [(rows[i][i] - r, rows[i][i] + r) for i, r in enumerate(radii)]
    return min(low for low, _ in discs), max(high for _, high in discs)


def drawn_eigenvalues(term: Tensor, values: Mapping[sp.Symbol, sp.Expr]) -> Iterator[NDArray[np.float64]]:
    """The eigenvalues of D where its symbols have small and large values of both signs."""
    entries = [e.subs(values) for row in term.matrix for e in row]
    symbols = sorted({s for e in entries for s in e.free_symbols}, key=str)
    matrix = sp.lambdify(symbols, entries, [{"projection": lambda a, b, square: a * b / square}, "numpy"])
    draw = np.random.default_rng(len(symbols))
    size = len(term.matrix)
    for _ in range(DRAWN):
        scale = 10.0 ** draw.uniform(-3, 3)
        with np.errstate(all="ignore"):
            drawn = scale * draw.normal(size=len(symbols))
            signed = [abs(v) if s.is_nonnegative else v for s, v in zip(symbols, drawn, strict=True)]
            found = np.array(matrix(*signed), dtype=float)
        if np.isfinite(found).all():
            yield np.linalg.eigvalsh(found.reshape(size, size))
