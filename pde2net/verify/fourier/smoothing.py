"""Smoothing factors and the damping that is optimal for high frequencies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.operators import Bank, Difference
from pde2net.verify.fourier.model import Model, supremum


@dataclass(frozen=True)
class HighFrequencies:
    """The range of the symbol of D^-1 A over frequencies that the coarse grid cannot represent.

    D is the diagonal of A; high are theta with |theta_i| >= pi/2 for at least one coarsened axis i.
    exact: both ends are proved, not sampled.
    """

    lower: sp.Expr
    upper: sp.Expr
    exact: bool


def high_frequencies(model: Model, axes: Iterable[int] | None = None) -> HighFrequencies:
    """The range for coarsening along `axes` (default: all).

    Exact, and symbolic in mass, tau and spacing where these are symbols, for one gradient, or one
    weighted sum of second differences whose symbol the sign of the weights decides; otherwise sampled.
    """
    coarse = tuple(range(model.dimension)) if axes is None else tuple(sorted(set(axes)))
    if not coarse:
        raise ValueError("Smoothing factors need at least one coarsened axis.")
    pieces = _exact_range(model, coarse)
    if pieces is not None:
        mass, tau = model.parts
        lower, upper = (sp.cancel((mass + tau * v) / model.diagonal) for v in pieces)
        return HighFrequencies(lower, upper, True)
    diagonal = float(model.diagonal)
    lowest = -supremum(lambda t: -model.symbol(t) / diagonal, model.dimension, coarse, model.even, high=True)
    highest = supremum(lambda t: model.symbol(t) / diagonal, model.dimension, coarse, model.even, high=True)
    return HighFrequencies(sp.Float(lowest), sp.Float(highest), False)


def damped_factor(high: HighFrequencies, damping: sp.Expr) -> sp.Expr:
    """max |1 - omega lambda| over the high frequencies: the smoothing factor of damped Jacobi.

    1/3, 3/5, 5/7 for the optimal damping of the standard Laplacian (Brandt, Math. Comp. 31, 1977).
    """
    ends = (sp.Abs(sp.cancel(1 - damping * high.lower)), sp.Abs(sp.cancel(1 - damping * high.upper)))
    return sp.Max(*ends)


def _exact_range(model: Model, coarse: tuple[int, ...]) -> tuple[sp.Expr, sp.Expr] | None:
    """(min, max) of sum_k w_k |K_k^|² over the high frequencies, or None.

    A sum of functions of one frequency each is smallest where one coarsened axis takes its smallest
    value over cos theta in [-1, 0] and the others theirs over [-1, 1].
    """
    if len(model.terms) != 1:
        return None
    weight, bank = model.terms[0]
    if all(len(row) == 1 for row in bank.rows):
        squares = [(d, w**2 * d.scale**2) for ((w, d),) in bank.rows]
        if len({d.axis for d, _ in squares}) < len(squares):
            return None
        ranges = _additive(
            {d.axis: tuple(s * v for v in _ends(d, False)) for d, s in squares},
            {d.axis: tuple(s * v for v in _ends(d, True)) for d, s in squares},
            coarse,
        )
        return None if ranges is None else (weight * ranges[0], weight * ranges[1])
    roots = _one_sign(bank)
    ranges = None if roots is None else _additive(*roots, coarse)
    return None if ranges is None else (weight * ranges[0] ** 2, weight * ranges[1] ** 2)


def _additive(
    anywhere: dict[int, tuple[sp.Expr, ...]], high: dict[int, tuple[sp.Expr, ...]], coarse: tuple[int, ...]
) -> tuple[sp.Expr, sp.Expr] | None:
    rest = {axis: sp.Add(*(r[0] for other, r in anywhere.items() if other != axis)) for axis in coarse}
    tops = {axis: sp.Add(*(r[1] for other, r in anywhere.items() if other != axis)) for axis in coarse}
    nothing = (sp.S.Zero, sp.S.Zero)  # an axis without differences: its frequency is free
    lower = sp.Min(*(rest[a] + high.get(a, nothing)[0] for a in coarse))
    upper = sp.Max(*(tops[a] + high.get(a, nothing)[1] for a in coarse))
    return lower, upper


def _ends(difference: Difference, high: bool) -> tuple[sp.Expr, sp.Expr]:
    """(min, max) of the squared symbol for h = 1 over cos theta in [-1, 0] (high) or [-1, 1]."""
    values = [v for c, v in difference.stencil.critical_values if not (high and c > 0)]
    if high:
        values.append(difference.stencil.squared_symbol.eval(0))
    return sp.Min(*values), sp.Max(*values)


def _one_sign(
    bank: Bank,
) -> tuple[dict[int, tuple[sp.Expr, ...]], dict[int, tuple[sp.Expr, ...]]] | None:
    """Ranges of w_i |s_i| for one row of second differences, if all w_i > 0 or all w_i < 0."""
    if len(bank.rows) != 1 or any(d.stencil.derivative != 2 for _, d in bank.rows[0]):
        return None
    row = bank.rows[0]
    if len({d.axis for _, d in row}) < len(row):
        return None
    if not (all(w.is_positive for w, _ in row) or all(w.is_negative for w, _ in row)):
        return None
    scaled = {d.axis: (d, sp.Abs(w) * d.scale) for w, d in row}
    return (
        {a: tuple(s * sp.sqrt(v) for v in _ends(d, False)) for a, (d, s) in scaled.items()},
        {a: tuple(s * sp.sqrt(v) for v in _ends(d, True)) for a, (d, s) in scaled.items()},
    )
