"""Explicit steps of the size c tau (docs/theory.md, sections 4.1 to 4.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.rates import Rate, damped_rate, frozen_rate, largest_diagonal, largest_slope, slope_bounds
from pde2net.verify.stages import pace_of, step_of, step_text
from pde2net.verify.theorem import Theorem, quotient
from pde2net.verify.theorems import hypotheses as hyp


def _up_to(reach: int, rate: Rate) -> Rate:
    """The limit of tau where c tau rate <= reach is what is asked for, or is enough."""
    return lambda case: quotient(reach / pace_of(case), rate(case))


def contraction(case: Case) -> sp.Expr | None:
    """max(1 - tau m, tau M - 1) < 1 if F' >= m > 0, as with a fidelity term; else 1."""
    if case.facts.curvature is None or case.facts.rate is None:
        return None
    m, big = slope_bounds(case)
    if not m.is_positive:
        return sp.S.One
    tau = case.valued(step_of(case))
    return sp.Max(sp.expand(1 - tau * m), sp.expand(tau * big - 1))


def _growth_bound(case: Case) -> sp.Expr | None:
    """1 + tau Lip(r) if the diffusion part alone is nonexpansive, else 1 + tau (L' ‖K‖² + Lip r)."""
    facts = case.facts
    if facts.rate is None or facts.curvature is None or facts.slope_norm is None:
        return None
    tau = case.valued(step_of(case))
    reaction = case.valued(sp.Max(facts.rate.upper, -facts.rate.lower))
    monotone = facts.curvature.lower == 0
    if monotone and sp.Le(tau * case.valued(facts.curvature.upper), 2) == sp.true:
        return sp.expand(1 + tau * reaction)
    return sp.expand(1 + tau * (case.valued(facts.slope_norm) + reaction))


def _product_bound(case: Case) -> sp.Expr | None:
    """1 + tau (L ‖K‖² + C + Lip r)."""
    facts = case.facts
    if facts.norm is None or facts.changes is None or facts.rate is None:
        return None
    reaction = sp.Max(facts.rate.upper, -facts.rate.lower)
    return sp.expand(1 + case.valued(step_of(case)) * case.valued(facts.norm + facts.changes + reaction))


L2 = Theorem(
    "l2_stability",
    "Explicit l2 stability",
    "Alt et al. 2023, Theorem 1",
    (*hyp.STABLE, *hyp.FORWARD),
    lambda case: f"‖u+‖ <= ‖u‖ for every input, since 0 <= {step_text(case)} (A(u) + diag b) <= 2",
    _up_to(2, damped_rate),
)
NONEXPANSIVE = Theorem(
    "nonexpansive",
    "Cocoercive gradients",
    "Baillon, Haddad 1977; Nesterov 2004, Theorem 2.1.15",
    (hyp.symmetric, hyp.penaliser, hyp.lipschitz_reaction, hyp.monotone),
    "‖N(u) - N(v)‖ <= factor ‖u - v‖ per step, factor <= 1",
    _up_to(2, largest_slope),
    contraction,
)
MAXIMUM = Theorem(
    "maximum_principle",
    "Maximum-minimum principle by nonnegative weights",
    "Weickert 1998, Theorem 8",
    (hyp.two_points, hyp.forward_factors, hyp.bounded, hyp.nonnegative_diffusivity, hyp.pulls),
    "every value of u+ is a weighted mean of values of u (and what the range includes)",
    _up_to(1, lambda case: largest_diagonal(case)),
)
ENERGY = Theorem(
    "energy_decay",
    "Descent lemma",
    "Nesterov 2004, Lemma 1.2.3",
    (hyp.symmetric, hyp.penaliser, hyp.bounded_below, hyp.lipschitz_reaction),
    "E(u+) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r",
    _up_to(2, largest_slope),
)
MEAN = Theorem(
    "mean_preservation",
    "Constants in the kernel of K",
    "Weickert 1998, Theorem 8",
    (hyp.no_reaction, hyp.symmetric, hyp.closed),
    "the mean of u is kept: 1^T K^T = 0",
)
LIPSCHITZ = Theorem(
    "well_posed",
    "Lipschitz composition",
    "triangle inequality",
    (hyp.symmetric, hyp.penaliser, hyp.lipschitz_reaction),
    "‖N(u) - N(v)‖ <= factor ‖u - v‖ per step",
    factor=_growth_bound,
)
ON_RANGE = Theorem(
    "well_posed",
    "Product rule on a range",
    "docs/theory.md, 4.26",
    (hyp.symmetric, hyp.bounded, hyp.changing_weights, hyp.lipschitz_reaction),
    LIPSCHITZ.conclusion,
    factor=_product_bound,
)
FROZEN = Theorem(
    "frozen_stability",
    "Spectrum of the frozen operator",
    "von Neumann; Strikwerda 2004, section 2.2",
    (*hyp.FORWARD, hyp.lipschitz_reaction),
    lambda case: f"|1 - {step_text(case)} mu| <= 1 for every eigenvalue mu of A - r' at any frozen state",
    _up_to(2, frozen_rate),
)


def growing(
    theorem: Theorem, factor: Callable[[Case, sp.Expr], sp.Expr], per: str = "step"
) -> Callable[[Case], Claim]:
    """The claim; `linearised`, with the growth by r' <= m, if the reaction lets modes grow."""

    def claimed(case: Case) -> Claim:
        claim, reaction = theorem(case), case.facts.rate
        if reaction is None or reaction.nonnegative or claim.status not in (Status.PROVED, Status.PROVED_IF):
            return claim
        grown = case.valued(sp.expand(factor(case, sp.Max(sp.S.Zero, -reaction.lower))))
        return replace(claim, status=Status.LINEARISED, factor=grown, because=because("growth", per=per))

    return claimed


frozen_stability = growing(FROZEN, lambda case, m: 1 + step_of(case) * m)
THEOREMS = (L2, NONEXPANSIVE, MAXIMUM, ENERGY, MEAN)


def well_posed(case: Case) -> Claim:
    """By the slopes of the flux, or in a range by those of its weights."""
    on_range = case.semi.form.within and case.facts.slopes is None
    return (ON_RANGE if on_range else LIPSCHITZ)(case)
