"""l2 stability of the explicit scheme (docs/theory.md, section 4.1)."""

from __future__ import annotations

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.refute import witness as wit
from pde2net.verify.theorem import Theorem
from pde2net.verify.theorems.hypotheses import BOUNDED, DAMPING, NO_SOURCE, NONNEGATIVE, SYMMETRIC


def _rate(case: Case) -> sp.Expr:
    damping = case.facts.damping
    return case.facts.norm + (sp.S.Zero if damping is None else damping.upper)


EXPLICIT_L2 = Theorem(
    claim="l2_stability",
    title="Explicit l2 stability",
    reference="Alt et al. 2023, Theorem 1",
    section="4.1",
    hypotheses=(NO_SOURCE, DAMPING, SYMMETRIC, BOUNDED, NONNEGATIVE),
    conclusion="‖u+‖ <= ‖u‖ for every input, since 0 <= tau (A(u) + diag b) <= 2",
    rate=_rate,
    refute=lambda case: wit.seek(case.search, wit.growth, "norm grows by"),
)
