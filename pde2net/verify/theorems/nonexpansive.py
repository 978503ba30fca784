"""Lipschitz constant 1, and contraction where there is one (docs/theory.md, section 4.3)."""

from __future__ import annotations

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.refute import witness as wit
from pde2net.verify.stages import step_of
from pde2net.verify.theorem import Theorem, quotient
from pde2net.verify.theorems.hypotheses import LIPSCHITZ_REACTION, MONOTONE, PENALISER, SYMMETRIC


def largest_slope(case: Case) -> sp.Expr:
    """M, an upper bound of the eigenvalues of F' = K^T Phi' K - r'."""
    curvature, rate = case.facts.curvature, case.facts.rate
    if curvature is None or rate is None:
        return sp.oo
    return curvature.upper + (rate.upper if rate.nonnegative else sp.Max(sp.S.Zero, rate.upper))


def _contraction(case: Case) -> sp.Expr | None:
    """max(1 - tau m, tau M - 1) < 1 if F' >= m > 0, as with a fidelity term; else 1."""
    curvature, rate = case.facts.curvature, case.facts.rate
    if curvature is None or rate is None:
        return None
    m = case.valued(curvature.lower + rate.lower)
    if not m.is_positive:
        return sp.S.One
    tau = case.valued(step_of(case) * case.tau)
    return sp.Max(sp.expand(1 - tau * m), sp.expand(tau * case.valued(largest_slope(case)) - 1))


NONEXPANSIVE = Theorem(
    claim="nonexpansive",
    title="Cocoercive gradients",
    reference="Baillon, Haddad 1977; Nesterov 2004, Theorem 2.1.15",
    section="4.3",
    hypotheses=(SYMMETRIC, PENALISER, LIPSCHITZ_REACTION, MONOTONE),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per step, factor <= 1",
    limit=lambda case: quotient(2 / step_of(case), largest_slope(case)),
    factor=_contraction,
    refute=lambda case: wit.seek_pair(case.search),
)
