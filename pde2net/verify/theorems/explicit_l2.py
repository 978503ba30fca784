"""l2 stability of the explicit scheme (docs/theory.md, section 4.1)."""

from __future__ import annotations

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.measures import growth
from pde2net.verify.stages import step_of, step_text
from pde2net.verify.theorem import Theorem, quotient
from pde2net.verify.theorems.hypotheses import BOUNDED, DAMPING, NO_SOURCE, NONNEGATIVE, SYMMETRIC


def rate(case: Case) -> sp.Expr:
    """L ‖K‖² + beta, the largest eigenvalue of A(u) + diag(b)."""
    damping = case.facts.damping
    return case.facts.norm + (sp.S.Zero if damping is None else damping.upper)


EXPLICIT_L2 = Theorem(
    claim="l2_stability",
    title="Explicit l2 stability",
    reference="Alt et al. 2023, Theorem 1",
    section="4.1",
    hypotheses=(NO_SOURCE, DAMPING, SYMMETRIC, BOUNDED, NONNEGATIVE),
    conclusion=lambda case: f"‖u+‖ <= ‖u‖ for every input, since 0 <= {step_text(case)} (A(u) + diag b) <= 2",
    limit=lambda case: quotient(2 / step_of(case), rate(case)),
    refute=lambda case: wit.seek(case.search, growth, "norm grows by"),
)
