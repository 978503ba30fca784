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
    single = all(len(row) == 1 for row in bank.rows)
    parts = [part for row in bank.rows for part in row]
    if len({d.axis for _, d in parts}) < len(parts) or not (single or _one_sign(bank)):
        return None
    power = 2 if single else 1  # of the symbols that are added
    scaled = [(d, (w * d.scale) ** 2 if single else sp.Abs(w) * d.scale) for w, d in parts]
    lower, upper = _additive(scaled, power, coarse)
    return weight * lower ** (2 // power), weight * upper ** (2 // power)


def _additive(
    parts: list[tuple[Difference, sp.Expr]], power: int, coarse: tuple[int, ...]
) -> tuple[sp.Expr, sp.Expr]:
    """(min, max) of the sum of scale |symbol|^power over the high frequencies."""
    half = sp.Rational(power, 2)
    anywhere, high = (
        {d.axis: [scale * v**half for v in _ends(d, beyond)] for d, scale in parts}
        for beyond in (False, True)
    )
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


def _one_sign(bank: Bank) -> bool:
    """Whether there is one row of second differences, and all its weights are > 0 or all are < 0."""
    if len(bank.rows) != 1 or any(d.stencil.derivative != 2 for d in bank.differences):
        return False
    weights = [w for w, _ in bank.rows[0]]
    return all(w.is_positive for w in weights) or all(w.is_negative for w in weights)
