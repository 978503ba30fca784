"""Lipschitz bound of a block, and growth under a reaction (docs/theory.md, section 4.7)."""

from __future__ import annotations

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.stages import step_of
from pde2net.verify.theorem import Theorem
from pde2net.verify.theorems.hypotheses import LIPSCHITZ_REACTION, PENALISER, SYMMETRIC


def growth_bound(case: Case) -> sp.Expr | None:
    """1 + tau Lip(r) if the diffusion part alone is nonexpansive, else 1 + tau (L' ‖K‖² + Lip r)."""
    facts = case.facts
    if facts.rate is None or facts.curvature is None or facts.slope_norm is None:
        return None
    tau = case.valued(step_of(case) * case.tau)
    reaction = case.valued(sp.Max(facts.rate.upper, -facts.rate.lower))
    monotone = facts.curvature.lower == 0
    if monotone and sp.Le(tau * case.valued(facts.curvature.upper), 2) == sp.true:
        return sp.expand(1 + tau * reaction)
    return sp.expand(1 + tau * (case.valued(facts.slope_norm) + reaction))


LIPSCHITZ = Theorem(
    claim="well_posed",
    title="Lipschitz composition",
    reference="triangle inequality",
    section="4.7",
    hypotheses=(SYMMETRIC, PENALISER, LIPSCHITZ_REACTION),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per step",
    factor=growth_bound,
    refute=lambda case: None,
)
