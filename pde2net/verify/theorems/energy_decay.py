"""Decay of the penalised energy (docs/theory.md, section 4.4)."""

from __future__ import annotations

from pde2net.verify.case import Case
from pde2net.verify.refute import witness as wit
from pde2net.verify.stages import step_of
from pde2net.verify.theorem import Held, Hypothesis, Missing, Theorem, quotient
from pde2net.verify.theorems.hypotheses import LIPSCHITZ_REACTION, NONNEGATIVE, PENALISER, SYMMETRIC
from pde2net.verify.theorems.nonexpansive import largest_slope


def _weights_known(case: Case) -> Held | Missing:
    """For g >= 0 the energy without reaction is bounded from below; else its decay says nothing."""
    held = NONNEGATIVE.check(case) if case.facts.weights is not None else Missing("")
    if isinstance(held, Held):
        return held
    return Missing(
        "the diffusivity is not known to be nonnegative, so the energy may be unbounded from below"
    )


BOUNDED_BELOW = Hypothesis("energy bounded from below", NONNEGATIVE.statement, _weights_known)

ENERGY_DECAY = Theorem(
    claim="energy_decay",
    title="Descent lemma",
    reference="Nesterov 2004, Lemma 1.2.3",
    section="4.4",
    hypotheses=(SYMMETRIC, PENALISER, BOUNDED_BELOW, LIPSCHITZ_REACTION),
    conclusion="E(u+) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r",
    limit=lambda case: quotient(2 / step_of(case), largest_slope(case)),
    refute=lambda case: wit.seek_energy(case.search),
)
