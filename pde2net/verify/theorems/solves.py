"""Cells whose linear systems are solved exactly, or bounded: Kacanov, Newton, AOS (docs/theory.md, 4.12).

Limits depend on theta, and are added by `verify.cell`.
"""

from __future__ import annotations

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.iteration import Iteration, iteration_of
from pde2net.verify.refute import cells as seek
from pde2net.verify.theorem import Theorem
from pde2net.verify.theorems import cell_hypotheses as hyp
from pde2net.verify.theorems.energy_decay import BOUNDED_BELOW
from pde2net.verify.theorems.frozen_spectrum import rate as frozen_rate
from pde2net.verify.theorems.hypotheses import (
    BOUNDED,
    DAMPING,
    LIPSCHITZ_REACTION,
    NO_SOURCE,
    NONNEGATIVE,
    PENALISER,
    SYMMETRIC,
)
from pde2net.verify.theorems.maximum_principle import REACTION, TWO_POINTS
from pde2net.verify.theorems.mean_preservation import CLOSED, NO_REACTION


def exact_reach(it: Iteration) -> sp.Expr:
    """z with |R| <= 1 on [0, z], R(z) = (1 - (1 - theta) z)/(1 + theta z)."""
    return 2 / (1 - 2 * it.theta) if sp.Lt(it.theta, sp.Rational(1, 2)) == sp.true else sp.oo


def explicit_part(it: Iteration, reach: int) -> sp.Expr:
    """z for which an explicit step of (1 - theta) z is one of at most `reach`."""
    return sp.oo if it.theta == 1 else reach / (1 - it.theta)


def amplification(it: Iteration, z: sp.Expr) -> sp.Expr:
    return (1 - (1 - it.theta) * z) / (1 + it.theta * z)


def exact_factor(case: Case) -> sp.Expr | None:
    """max(R(tau m), -R(tau M)); of AOS 1/(1 + tau m), m = inf(-r')."""
    it, rate = iteration_of(case), case.facts.rate
    if rate is None or it.steady:
        return None
    tau = case.valued(case.tau)
    low = sp.cancel(amplification(it, tau * case.valued(rate.lower)))
    if it.theta == 1:
        return low
    return sp.Max(low, sp.cancel(-amplification(it, tau * case.valued(frozen_rate(case)))))


STABLE = (NO_SOURCE, DAMPING)
DISSIPATIVE = (SYMMETRIC, NONNEGATIVE)  # A >= 0, which is all that implicit steps of theta = 1 need
FORWARD = (SYMMETRIC, BOUNDED, NONNEGATIVE)
_SMITH = "Crank, Nicolson 1947; Hairer, Wanner 1996, section IV.3"

LINEAR_L2 = Theorem(
    claim="l2_stability",
    title="Stability function of a linear step",
    reference=_SMITH,
    section="4.12",
    hypotheses=(hyp.STEP, *STABLE, hyp.LINEAR, *FORWARD, hyp.SOLVES_FROM_U),
    conclusion="‖v‖ <= ‖u‖ for every iterate v, as for R(tau B) u",
    refute=seek.growth,
)

LAGGED_L2 = Theorem(
    claim="l2_stability",
    title="Lagged diffusivities with bounded solves",
    reference="Kacanov 1959; Saad 2003, Proposition 5.2",
    section="4.12",
    hypotheses=(hyp.STEP, *STABLE, hyp.IMPLICIT, *FORWARD, hyp.BOUNDED_SOLVES),
    conclusion="‖v‖ <= ‖rhs‖ <= ‖u‖ for every iterate v, as ‖v‖² <= <v, (I + theta tau B(w)) v> = <v, rhs>",
    refute=seek.growth,
)

SPLIT_L2 = Theorem(
    claim="l2_stability",
    title="Mean of implicit steps along the axes",
    reference="Weickert, ter Haar Romeny, Viergever 1998",
    section="4.12",
    hypotheses=(*STABLE, hyp.IMPLICIT, *DISSIPATIVE, hyp.EXACT),
    conclusion="‖u+‖ <= ‖u‖, since the inverse of every axis has norm at most 1",
    refute=seek.growth,
)

EXACT_FROZEN = Theorem(
    claim="frozen_stability",
    title="Stability function",
    reference=_SMITH,
    section="4.12",
    hypotheses=(hyp.STEP, *FORWARD, hyp.DECREASING, hyp.IMPLICIT, hyp.FROZEN_SOLVES),
    conclusion="|R(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
    refute=seek.growth_or_pair,
)

SPLIT_FROZEN = Theorem(
    claim="frozen_stability",
    title="Mean of implicit steps along the axes",
    reference="Weickert, ter Haar Romeny, Viergever 1998",
    section="4.12",
    hypotheses=(*DISSIPATIVE, hyp.DECREASING, hyp.IMPLICIT, hyp.EXACT),
    conclusion="the inverse of every axis has norm at most 1 at any frozen state",
    refute=seek.growth_or_pair,
)

EXACT_NONEXPANSIVE = Theorem(
    claim="nonexpansive",
    title="Resolvent of a linear monotone operator",
    reference="Minty 1962",
    section="4.12",
    hypotheses=(hyp.STEP, hyp.LINEAR, *FORWARD, hyp.DECREASING, hyp.EXACT, hyp.FIXED),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per step, factor <= 1",
    factor=exact_factor,
    refute=seek.pair,
)

EXACT_LIPSCHITZ = Theorem(
    claim="well_posed",
    title="Resolvent of a linear monotone operator",
    reference="Minty 1962",
    section="4.12",
    hypotheses=(hyp.STEP, hyp.LINEAR, *FORWARD, hyp.DECREASING, hyp.EXACT, hyp.FIXED),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per step",
    factor=exact_factor,
    refute=lambda case: None,
)

EXACT_MAXIMUM = Theorem(
    claim="maximum_principle",
    title="Inverse of an M-matrix",
    reference="Varga 2000, Theorem 3.25",
    section="4.12",
    hypotheses=(hyp.STEP, TWO_POINTS, *FORWARD, REACTION, hyp.IMPLICIT, hyp.EXACT),
    conclusion="every value of every iterate is a weighted mean of values of u (and what the range includes)",
    refute=seek.extremum,
)

EXACT_MEAN = Theorem(
    claim="mean_preservation",
    title="Constants in the kernel of K",
    reference="Weickert 1998, Theorem 8",
    section="4.12",
    hypotheses=(hyp.STEP, NO_REACTION, SYMMETRIC, CLOSED, hyp.REGULAR),
    conclusion="the mean of u is kept: 1^T A = 0, so every solve keeps it",
    refute=seek.mean,
)

LINEAR_ENERGY = Theorem(
    claim="energy_decay",
    title="Energy of a linear step",
    reference="Hairer, Lubich 2014",
    section="4.12",
    hypotheses=(hyp.STEP, hyp.LINEAR, *FORWARD, hyp.DECREASING, hyp.SOLVES_FROM_U),
    conclusion="E(v) <= E(u) for E(u) = 1/2 <B u, u> - <s, u>, r = s - b u",
    refute=seek.energy,
)

LAGGED_ENERGY = Theorem(
    claim="energy_decay",
    title="Majorisation by lagged diffusivities",
    reference="Geman, Reynolds 1992; Chan, Mulet 1999",
    section="4.12",
    hypotheses=(
        hyp.STEP,
        SYMMETRIC,
        PENALISER,
        BOUNDED_BELOW,
        LIPSCHITZ_REACTION,
        hyp.CONCAVE,
        hyp.IMPLICIT,
        hyp.BACKWARD,
        hyp.BOUNDED_SOLVES,
    ),
    conclusion="E(v) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r, and every "
    "iterate v",
    refute=seek.energy,
)
