"""Writes a constant fourth-order operator as a sum of squares of second-order ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import sympy as sp


def squares(
    coefficients: Mapping[tuple[int, int], sp.Expr], dimension: int
) -> Iterator[tuple[sp.Expr, tuple[sp.Expr, ...]]]:
    """(factor, weights) with sum c_ij d_ii d_jj = -sum_k factor_k (sum_i weights_ki d_ii)^2.

    This is the factorisation C = L D L^T of the symmetric matrix of -c_ij, exact in rationals and
    symbols. A pivot 0 with a nonzero row is split by (a + b)^2 - (a - b)^2 = 4 ab.
    """
    matrix = sp.zeros(dimension, dimension)
    for (i, j), value in coefficients.items():
        matrix[i, j] -= value / 2
        matrix[j, i] -= value / 2
    for pivot in range(dimension):
        d = sp.cancel(matrix[pivot, pivot])
        if d != 0:
            row = [sp.cancel(matrix[pivot, j] / d) for j in range(dimension)]
            yield d, tuple(row)
            matrix -= d * sp.Matrix(dimension, dimension, lambda i, j, r=row: r[i] * r[j])
            continue
        for j in range(pivot + 1, dimension):
            c = sp.cancel(matrix[pivot, j])
            if c != 0:
                for sign in (1, -1):
                    weights = [sp.S.Zero] * dimension
                    weights[pivot], weights[j] = sp.S.One, sp.Integer(sign)
                    yield sign * c / 2, tuple(weights)
                matrix[pivot, j] = matrix[j, pivot] = sp.S.Zero
