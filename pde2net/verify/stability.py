"""Stability in l2: of the nonlinear scheme, and with coefficients frozen (docs/theory.md, section 4)."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pde2net.verify import witness as wit
from pde2net.verify.case import (
    Case,
    backward,
    nonnegative,
    pair,
    prefactor_reason,
    refuted_or_unknown,
    seek,
    sentence,
    under,
    unknown,
)
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.facts import Bounds

THEOREM_L2 = "Explicit l2 stability (Alt et al. 2023, Theorem 1)"
THEOREM_FROZEN = "Spectrum of the frozen operator (von Neumann)"


def grows(case: Case) -> str | None:
    """Why ‖u+‖ <= ‖u‖ is not the question for this reaction term, or None."""
    reaction = case.semi.form.reaction
    if case.facts.source:
        return (
            f"the source or fidelity term {reaction} drives the solution, so the norm may grow "
            "by design; see frozen_stability"
        )
    return None


def l2_stability(case: Case) -> Claim:
    """‖u+‖ <= ‖u‖ if 0 <= g <= L and tau <= 2/(L ‖K‖² + beta), -r(u) = b(u) u with 0 <= b <= beta."""
    name, facts = "l2_stability", case.facts
    reason = grows(case)
    if reason is not None:
        return Claim(name, Status.NOT_APPLICABLE, reason=sentence(reason))
    if facts.damping is None and case.semi.form.reaction != 0:
        return unknown(name, f"the reaction term is not bounded as needed: {facts.why.get('damping')}")
    damping = facts.damping or Bounds(sp.S.Zero, sp.S.Zero)
    if not damping.nonnegative:
        return Claim(
            name,
            Status.NOT_APPLICABLE,
            reason=f"The reaction term {case.semi.form.reaction} may let the solution grow by design; "
            "see frozen_stability for the diffusion and well_posed for the growth per step.",
        )
    if not case.plain:
        return unknown(name, prefactor_reason(case))
    if facts.weights is None or facts.norm is None:
        why = facts.why.get("weights", "the diffusivity is not bounded")
        return refuted_or_unknown(
            case,
            name,
            f"the diffusivity has no proved bound: {why}",
            wit.growth,
            "norm grows by",
            THEOREM_L2,
        )
    if not nonnegative(facts.weights):
        return refuted_or_unknown(
            case,
            name,
            backward(case),
            wit.growth,
            "norm grows by",
            THEOREM_L2,
        )
    return under(
        case,
        name,
        facts.norm + damping.upper,
        2,
        THEOREM_L2,
        (
            f"0 <= g, and sup g ‖K‖² = {facts.norm}",
            "K and K^T are exact adjoints (built from one stencil)",
            *((f"0 <= -r(u)/u <= {damping.upper}",) if damping.upper != 0 else ()),
        ),
        lambda: seek(case, wit.growth, "norm grows by"),
    )


def frozen_stability(case: Case) -> Claim:
    """|1 - tau mu| <= 1 for every eigenvalue mu of A + beta I with coefficients frozen."""
    name, facts = "frozen_stability", case.facts
    if not case.plain:
        return unknown(name, prefactor_reason(case))
    if facts.weights is None or facts.norm is None:
        return unknown(name, facts.why.get("weights", "the diffusivity is not bounded"), THEOREM_FROZEN)
    if not nonnegative(facts.weights):
        return refuted_or_unknown(
            case,
            name,
            "the diffusivity is not known to be nonnegative",
            wit.growth,
            "norm grows by",
            THEOREM_FROZEN,
        )
    rate = facts.rate
    if rate is None:
        return unknown(name, f"the reaction rate is not bounded: {facts.why.get('rate')}")
    upper = rate.upper if rate.nonnegative else sp.Max(sp.S.Zero, rate.upper)
    claim = under(
        case,
        name,
        facts.norm + upper,
        2,
        THEOREM_FROZEN,
        (f"spectrum of A in [0, {facts.norm}]", f"damping of the reaction at most {upper}"),
        # With a source, two inputs that the network moves apart stand for a growing mode.
        (lambda: pair(case)) if facts.source else (lambda: seek(case, wit.growth, "norm grows by")),
    )
    if rate.nonnegative or claim.status not in (Status.PROVED, Status.PROVED_IF):
        return claim
    return replace(
        claim,
        status=Status.LINEARISED,
        factor=sp.expand(1 + case.tau * sp.Max(sp.S.Zero, -rate.lower)),
        reason="The reaction term may let modes grow by the factor per step; the diffusion does not.",
    )
