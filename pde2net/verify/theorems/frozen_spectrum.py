"""Stability with frozen coefficients (docs/theory.md, section 4.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.refute import witness as wit
from pde2net.verify.theorem import Theorem, prove
from pde2net.verify.theorems.hypotheses import BOUNDED, LIPSCHITZ_REACTION, NONNEGATIVE, SYMMETRIC


def _rate(case: Case) -> sp.Expr:
    rate = case.facts.rate
    upper = sp.S.Zero if rate is None else rate.upper
    return case.facts.norm + (upper if upper.is_nonnegative else sp.Max(sp.S.Zero, upper))


def _refute(case: Case) -> dict[str, Any] | None:
    """With a source, two inputs that the network moves apart stand for a growing mode."""
    if case.facts.source:
        return wit.seek_pair(case.search)
    return wit.seek(case.search, wit.growth, "norm grows by")


FROZEN_SPECTRUM = Theorem(
    claim="frozen_stability",
    title="Spectrum of the frozen operator",
    reference="von Neumann; Strikwerda 2004, section 2.2",
    section="4.2",
    hypotheses=(SYMMETRIC, BOUNDED, NONNEGATIVE, LIPSCHITZ_REACTION),
    conclusion="|1 - tau mu| <= 1 for every eigenvalue mu of A - r' at any frozen state",
    rate=_rate,
    refute=_refute,
)


def frozen_stability(case: Case) -> Claim:
    """The claim; `linearised`, with the growth per step, if the reaction lets modes grow."""
    claim, rate = prove(FROZEN_SPECTRUM, case), case.facts.rate
    if rate is None or rate.nonnegative or claim.status not in (Status.PROVED, Status.PROVED_IF):
        return claim
    return replace(
        claim,
        status=Status.LINEARISED,
        factor=case.valued(sp.expand(1 + case.tau * sp.Max(sp.S.Zero, -rate.lower))),
        reason="The reaction term may let modes grow by the factor per step; the diffusion does not.",
    )
