"""The spectrum of D^-1 A that smoothers are made for, D the diagonal of A, by local Fourier analysis.

For A = sum_k w_k K_k^T K_k the eigenvalues of D^-1 A lie below the largest one of the terms, and those of
frequencies that a coarse grid cannot show above 1/(2 d)^k of it, d axes, k the order of K (Trottenberg,
Oosterlee, Schüller, Multigrid, 2001, section 2.1; exact for the differences of two and three points).
"""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.discretise.semidiscretise import Semidiscrete

# Below this fraction of the largest eigenvalue, Chebyshev smoothing leaves errors to the coarse grid.
LOWEST = {1: sp.Rational(1, 4), 2: sp.Rational(1, 12)}


def largest(semi: Semidiscrete) -> sp.Expr:
    """The largest eigenvalue of D^-1 A: a rational number."""
    return max((_largest(bank) for bank, _ in _banks(semi)), default=sp.Integer(2))


def damping(semi: Semidiscrete) -> sp.Expr:
    """omega of least smoothing factor; 2 d/(2 d + 1) for differences of two points on d axes."""
    d = len(semi.spacing)
    lowest = 1 / sp.Integer(2 * d) ** order(semi)
    return 2 / (largest(semi) * (1 + lowest))


def interval(semi: Semidiscrete) -> tuple[sp.Expr, sp.Expr]:
    """The eigenvalues that Chebyshev smoothing damps."""
    high = largest(semi)
    return LOWEST[order(semi)] * high, high


def order(semi: Semidiscrete) -> int:
    """The order of the highest difference K."""
    return max((k for _, k in _banks(semi)), default=1)


def nearest_neighbours(semi: Semidiscrete) -> bool:
    """Whether A couples cells of different colours of the checkerboard only."""
    return all(d.stencil.offsets == (0, 1) for bank, _ in _banks(semi) for d in bank.differences)


def _banks(semi: Semidiscrete) -> list[tuple[Bank, int]]:
    found = [(bank, 2) for bank in semi.second]
    if any(t.along_axes for t in semi.form.terms):
        found.append((semi.gradient, 1))
    return found


def _largest(bank: Bank) -> sp.Expr:
    """sup |K^|² over the sum of the squared weights; several axes have n times that in the diagonal."""
    stencil = bank.rows[0][0][1].stencil
    return sp.nsimplify(stencil.squared_norm / sum(w**2 for w in stencil.weights))
