"""Bounds of the eigenvalues of symmetric matrices of constants."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from pde2net.verify.bounds import Bounds


def constant_eigenvalues(rows: Sequence[Sequence[sp.Expr]]) -> Bounds:
    """Exact for two rows, by discs around the diagonal entries (Gershgorin) for more."""
    if len(rows) == 2:
        (a, b), (_, d) = rows
        middle, radius = (a + d) / 2, sp.sqrt(((a - d) / 2) ** 2 + b**2)
        return Bounds(sp.simplify(middle - radius), sp.simplify(middle + radius))
    radii = [sp.Add(*(sp.Abs(e) for j, e in enumerate(row) if j != i)) for i, row in enumerate(rows)]
    discs = [(rows[i][i] - r, rows[i][i] + r) for i, r in enumerate(radii)]
    return Bounds(sp.Min(*(low for low, _ in discs)), sp.Max(*(high for _, high in discs)))
