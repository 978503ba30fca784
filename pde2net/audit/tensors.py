"""Eigenvalues of diffusion tensors at drawn arguments, by NumPy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net.audit.exactly import Number
from pde2net.audit.rows import Pair
from pde2net.normalise.terms import Tensor

DRAWN = 64


def constant_eigenvalues(rows: Sequence[Sequence[Number]]) -> Pair:
    """Of two rows the roots of the characteristic polynomial, of more the ends of Gershgorin's discs."""
    if len(rows) == 2:
        (a, b), (_, d) = rows
        radius = ((a - d) ** 2 / 4 + b**2) ** 0.5
        return (a + d) / 2 - radius, (a + d) / 2 + radius
    radii = [sum(abs(e) for j, e in enumerate(row) if j != i) for i, row in enumerate(rows)]
    middles = [row[i] for i, row in enumerate(rows)]
    return (
        min(m - r for m, r in zip(middles, radii, strict=True)),
        max(m + r for m, r in zip(middles, radii, strict=True)),
    )


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
