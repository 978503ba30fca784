"""Norms of the operators, from the Fourier symbols of their stencils, and eigenvalues (docs/theory.md, 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.operators import Bank, Operation, factors
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.linear_operator import Chain, norm_symbol
from pde2net.language.symbols import per_filter
from pde2net.verify.bounds import Bounds
from pde2net.verify.ranges.record import UndecidedError, within

SHORTENING = 5.0  # seconds


@dataclass(frozen=True)
class OperatorNorm:
    """‖K‖² of one operator: the supremum of |K^|² over all frequencies.

    label    K_x for the difference along x, D for a weighted sum of second differences, H for a Hessian, or a
             learned operator
    squared  exact, symbolic in the spacing and in norms of learned operators; approached as the grid grows
    chain    the learned operators
    whole    as in `filter_norms`
    """

    label: str
    squared: sp.Expr
    chain: Chain | None = None
    whole: bool = True

    def times(self, largest: sp.Expr) -> sp.Expr:
        """L ‖K‖², of an L that differs from filter to filter c ‖sqrt(L/c) K‖²."""
        if self.chain is None or not per_filter(largest):
            return largest * self.squared
        content, scale = scale_of(largest)
        return content * sp.Mul(*(n.symbol**2 for n in filter_norms(self.chain, scale, self.whole)))

    def used(self, largest: sp.Expr) -> tuple[FilterNorm, ...]:
        """The norms of filters in `times(largest)`."""
        if self.chain is None:
            return ()
        scale = scale_of(largest)[1] if per_filter(largest) else sp.S.One
        return filter_norms(self.chain, scale, self.whole)


@dataclass(frozen=True)
class FilterNorm:
    """‖sqrt(scale) K‖ of learned filters, the scale one value per channel of K u."""

    chain: Chain
    scale: sp.Expr

    @property
    def symbol(self) -> sp.Symbol:
        return norm_symbol(self.chain, self.scale)


def filter_norms(chain: Chain, scale: sp.Expr, whole: bool) -> tuple[FilterNorm, ...]:
    """Norms whose product bounds that of sqrt(scale) K_n ... K_1.

    whole  whether the symbol of the composition bounds its norm: there is no border between the operators
    """
    if whole or len(chain.operators) == 1:
        return (FilterNorm(chain, scale),)
    *inner, last = chain.operators
    return (*(FilterNorm(Chain((k,)), sp.S.One) for k in inner), FilterNorm(Chain((last,)), scale))


def scale_of(largest: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """(c, L/c): a factor that is the same for all filters, and the rest."""
    content, rest = sp.factor_terms(largest).as_independent(*per_filter(largest), as_Add=False)
    number, scale = rest.primitive()
    return content * number, scale


def operator_norms(semi: Semidiscrete) -> tuple[tuple[OperatorNorm, ...], ...]:
    """Per term of the form, the norm of the operator of each weight."""
    rows = zip((t.labels(semi.form.space) for t in semi.form.terms), semi.operators, strict=True)
    whole = not any(b.zero for b in semi.borders)
    return tuple(
        tuple(_norm(label, k, whole) for label, k in zip(labels, operators, strict=True))
        for labels, operators in rows
    )


def _norm(label: str, operator: Bank | Chain, whole: bool) -> OperatorNorm:
    if isinstance(operator, Chain):
        squared = sp.Mul(*(n.symbol**2 for n in filter_norms(operator, sp.S.One, whole)))
        return OperatorNorm(label, squared, operator, whole)
    return OperatorNorm(label, hessian_norm(operator) if operator.mixed else second_norm(operator))


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


def largest(bounds: Bounds) -> sp.Expr:
    """sup|weight|."""
    return bounds.upper if bounds.nonnegative else sp.Max(bounds.upper, -bounds.lower)


def weighted_norm(
    norms: Sequence[Sequence[OperatorNorm]], rows: Sequence[Sequence[Bounds]]
) -> sp.Expr | None:
    """sum of sup|weight| ‖K‖² over terms and axes; None if a weight is unbounded."""
    total: sp.Expr = sp.S.Zero
    for norm_row, row in zip(norms, rows, strict=True):
        for norm, bounds in zip(norm_row, row, strict=True):
            most = largest(bounds)
            if most.has(sp.oo, sp.nan, sp.zoo):
                return None
            total += norm.times(most)
    return shortened(total)


def shortened(bound: sp.Expr) -> sp.Expr:
    """The same bound, simplified where that is soon done: SymPy may factor numbers of thousands of digits."""
    try:
        return within(
            SHORTENING, f"a shorter form of {str(bound)[:80]}", lambda: sp.factor_terms(sp.simplify(bound))
        )
    except UndecidedError:
        return bound


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
