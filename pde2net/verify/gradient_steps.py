"""Claims that see the step as a gradient step: nonexpansive, energy decay, Lipschitz bound."""

from __future__ import annotations

import sympy as sp

from pde2net.verify.case import Case, nonnegative, pair, prefactor_reason, under, unknown
from pde2net.verify.certificate import Claim, Status

THEOREM_NONEXPANSIVE = "Cocoercive gradients (Baillon, Haddad 1977)"
THEOREM_ENERGY = "Descent lemma (Nesterov 2004, Theorem 2.1.5)"
THEOREM_LIPSCHITZ = "Lipschitz composition"


def nonexpansive(case: Case) -> Claim:
    """‖N(u) - N(v)‖ <= ‖u - v‖ if 0 <= Phi' <= L', 0 <= -r' <= beta, tau <= 2/(L' ‖K‖² + beta)."""
    name, facts = "nonexpansive", case.facts
    if not case.plain:
        return unknown(name, prefactor_reason(case))
    if facts.slopes is None or facts.slope_norm is None:
        return unknown(name, facts.why.get("slopes", "Phi' is not bounded"), THEOREM_NONEXPANSIVE)
    if not nonnegative(facts.slopes):
        found = pair(case)
        reason = "The flux is not monotone (Phi' takes negative values or its sign is not known)."
        if found is None:
            return Claim(name, Status.UNKNOWN, reason=reason, theorem=THEOREM_NONEXPANSIVE)
        return Claim(name, Status.REFUTED, reason=reason, witness=found, theorem=THEOREM_NONEXPANSIVE)
    if facts.rate is None or not facts.rate.nonnegative:
        return unknown(name, "the reaction term is not known to be decreasing in u")
    return under(
        case,
        name,
        facts.slope_norm + facts.rate.upper,
        2,
        THEOREM_NONEXPANSIVE,
        (
            f"0 <= Phi', and sup Phi' ‖K‖² = {facts.slope_norm}",
            "Phi is the gradient of a convex penaliser",
        ),
        lambda: pair(case),
    )


def energy_decay(case: Case) -> Claim:
    """E(u+) <= E(u) for tau <= 2/(sup|Phi'| ‖K‖² + sup|r'|), E the penalised energy."""
    name, facts = "energy_decay", case.facts
    if not case.plain:
        return unknown(name, prefactor_reason(case))
    if facts.slopes is None or facts.slope_norm is None:
        return unknown(name, facts.why.get("slopes", "Phi' is not bounded"), THEOREM_ENERGY)
    if facts.weights is None or not nonnegative(facts.weights):
        return unknown(
            name,
            "the diffusivity is not known to be nonnegative, so the energy may be unbounded from below",
            THEOREM_ENERGY,
        )
    if facts.rate is None:
        return unknown(name, f"the reaction rate is not bounded: {facts.why.get('rate')}")
    steepest = sp.Max(facts.rate.upper, -facts.rate.lower)
    return under(
        case,
        name,
        facts.slope_norm + steepest,
        2,
        THEOREM_ENERGY,
        (f"the gradient of E has the Lipschitz constant {sp.factor_terms(facts.slope_norm + steepest)}",),
        lambda: None,
    )


def well_posed(case: Case) -> Claim:
    """‖N(u) - N(v)‖ <= (1 + tau (sup|Phi'| ‖K‖² + Lip r)) ‖u - v‖ per block."""
    name, facts = "well_posed", case.facts
    if not case.plain:
        return unknown(name, prefactor_reason(case))
    if facts.slopes is None or facts.slope_norm is None:
        return unknown(name, facts.why.get("slopes", "Phi' is not bounded"), THEOREM_LIPSCHITZ)
    if facts.rate is None:
        return unknown(name, f"the reaction term is not Lipschitz: {facts.why.get('rate')}")
    lipschitz = sp.Max(facts.rate.upper, -facts.rate.lower)
    factor = sp.expand(1 + case.tau * (facts.slope_norm + lipschitz))
    return Claim(
        name,
        Status.PROVED,
        sp.true,
        sp.oo,
        factor=factor,
        theorem=THEOREM_LIPSCHITZ,
        assumptions=(f"Phi is Lipschitz: sup|Phi'| ‖K‖² = {facts.slope_norm}", *case.given),
        reason="The factor bounds how much one block may enlarge a difference of inputs.",
    )
