"""Stability with frozen coefficients (docs/theory.md, section 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.measures import growth
from pde2net.verify.stages import step_of, step_text
from pde2net.verify.theorem import Theorem, prove, quotient
from pde2net.verify.theorems.hypotheses import BOUNDED, LIPSCHITZ_REACTION, NONNEGATIVE, SYMMETRIC


def rate(case: Case) -> sp.Expr:
    """L ‖K‖² + sup(-r'), the largest eigenvalue of A - r' at any state."""
    reaction = case.facts.rate
    upper = sp.S.Zero if reaction is None else reaction.upper
    return case.facts.norm + (upper if upper.is_nonnegative else sp.Max(sp.S.Zero, upper))


def _refute(case: Case) -> dict[str, Any] | None:
    """With a source, two inputs that the network moves apart stand for a growing mode."""
    if case.facts.source:
        return wit.seek_pair(case.search)
    return wit.seek(case.search, growth, "norm grows by")


FROZEN_SPECTRUM = Theorem(
    claim="frozen_stability",
    title="Spectrum of the frozen operator",
    reference="von Neumann; Strikwerda 2004, section 2.2",
    section="4.2",
    hypotheses=(SYMMETRIC, BOUNDED, NONNEGATIVE, LIPSCHITZ_REACTION),
    conclusion=lambda case: (
        f"|1 - {step_text(case)} mu| <= 1 for every eigenvalue mu of A - r' at any frozen state"
    ),
    limit=lambda case: quotient(2 / step_of(case), rate(case)),
    refute=_refute,
)


def frozen_stability(case: Case) -> Claim:
    """The claim about explicit steps."""
    return growing(FROZEN_SPECTRUM, case, lambda m: 1 + step_of(case) * case.tau * m, "step")


def growing(theorem: Theorem, case: Case, factor: Callable[[sp.Expr], sp.Expr], per: str) -> Claim:
    """The claim; `linearised`, with the growth by r' <= m, if the reaction lets modes grow."""
    claim, reaction = prove(theorem, case), case.facts.rate
    if reaction is None or reaction.nonnegative or claim.status not in (Status.PROVED, Status.PROVED_IF):
        return claim
    return replace(
        claim,
        status=Status.LINEARISED,
        factor=case.valued(sp.expand(factor(sp.Max(sp.S.Zero, -reaction.lower)))),
        because=because("growth", per=per),
    )
