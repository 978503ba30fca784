"""Norms of the operators, from the Fourier symbols of their stencils, and eigenvalues (docs/theory.md, 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.operators import Bank, Operation, factors
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.linear_operator import LinearOperator, norm_symbol
from pde2net.verify.bounds import Bounds


@dataclass(frozen=True)
class OperatorNorm:
    """‖K‖² of one operator: the supremum of |K^|² over all frequencies.

    label    K_x for the difference along x, D for a weighted sum of second differences, H for a Hessian, or a
             learned operator
    squared  exact, symbolic in the spacing and in norms of learned operators; approached as the grid grows
    """

    label: str
    squared: sp.Expr


def operator_norms(semi: Semidiscrete) -> tuple[tuple[OperatorNorm, ...], ...]:
    """Per term of the form, the norm of the operator of each weight."""
    rows = zip((t.labels(semi.form.space) for t in semi.form.terms), semi.operators, strict=True)
    return tuple(
        tuple(OperatorNorm(label, _squared(k)) for label, k in zip(labels, operators, strict=True))
        for labels, operators in rows
    )


def _squared(operator: Bank | LinearOperator) -> sp.Expr:
    if isinstance(operator, LinearOperator):
        return norm_symbol(operator) ** 2
    return hessian_norm(operator) if operator.mixed else second_norm(operator)


def second_norm(bank: Bank) -> sp.Expr:
    """(sum w_i M_i)² for D = sum w_i d_ii with symbols in [-M_i, 0]: the larger one-signed sum.

    ‖K‖² of a difference of first order; for D = a d/dx + b d²/dx² the sum of both squared norms, an upper
    bound (docs/theory.md, section 2).
    """
    if any(d.stencil.derivative == 1 for d in bank.differences):
        return sp.Add(*(w**2 * squared_norm(d) for w, d in bank.rows[0]))
    sums = {1: sp.S.Zero, -1: sp.S.Zero}
    for w, d in bank.rows[0]:
        sign = 1 if w.is_nonnegative else -1 if w.is_negative else 0
        largest = sp.sqrt(d.stencil.squared_norm) * d.scale
        if not sign:  # bounded, though perhaps not attained
            return (
                sp.Add(*(sp.Abs(v) * sp.sqrt(e.stencil.squared_norm) * e.scale for v, e in bank.rows[0])) ** 2
            )
        sums[sign] += sp.Abs(w) * largest
    return sp.Max(sums[1], sums[-1]) ** 2


def hessian_norm(bank: Bank) -> sp.Expr:
    """sum_ij ‖K_ij‖²: (sum_i 4/h_i²)² for order 2. All are attained at the highest frequency."""
    rows = zip(bank.entries, bank.operations, strict=True)
    return sp.factor(sp.Add(*(count * w**2 * squared_norm(k) for count, ((w, k),) in rows)))


def squared_norm(operation: Operation) -> sp.Expr:
    """‖K‖², for mixed derivatives the product of those along each axis."""
    return sp.Mul(*(d.stencil.squared_norm * d.scale**2 for d in factors(operation)))


def weighted_norm(
    norms: Sequence[Sequence[OperatorNorm]], rows: Sequence[Sequence[Bounds]]
) -> sp.Expr | None:
    """sum of sup|weight| ‖K‖² over terms and axes; None if a weight is unbounded."""
    total: sp.Expr = sp.S.Zero
    for norm_row, row in zip(norms, rows, strict=True):
        for norm, bounds in zip(norm_row, row, strict=True):
            largest = bounds.upper if bounds.nonnegative else sp.Max(bounds.upper, -bounds.lower)
            if largest.has(sp.oo, sp.nan, sp.zoo):
                return None
            total += largest * norm.squared
    return sp.factor_terms(sp.simplify(total))


def sharp(semi: Semidiscrete) -> bool:
    """Whether the norms of all terms are attained at one frequency: alone, or all at the highest."""
    rows = (row for bank in semi.banks for row in bank.rows)
    slanted = any(len({d.stencil.derivative for _, d in row}) > 1 for row in rows)
    if slanted or (len(semi.form.terms) > 1 and semi.form.learned):
        return False
    return len(semi.form.terms) == 1 or all(
        s.squared_symbol.eval(-1) == s.squared_norm
        for s in (d.stencil for bank in semi.banks for d in bank.differences)
    )


def constant_eigenvalues(rows: Sequence[Sequence[sp.Expr]]) -> Bounds:
    """Exact for two rows, by discs around the diagonal entries (Gershgorin) for more."""
    if len(rows) == 2:
        (a, b), (_, d) = rows
        middle, radius = (a + d) / 2, sp.sqrt(((a - d) / 2) ** 2 + b**2)
        return Bounds(sp.simplify(middle - radius), sp.simplify(middle + radius))
    radii = [sp.Add(*(sp.Abs(e) for j, e in enumerate(row) if j != i)) for i, row in enumerate(rows)]
    discs = [(rows[i][i] - r, rows[i][i] + r) for i, r in enumerate(radii)]
    return Bounds(sp.Min(*(low for low, _ in discs)), sp.Max(*(high for _, high in discs)))
