"""Du Fort-Frankel: convex combinations for tau <= 1/(2 alpha), companion matrices for every tau.

docs/theory.md, section 4.8. S is the explicit step of size 1/(2 alpha).
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.scheme.stack import ALPHA
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim
from pde2net.verify.refute import frozen
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.measures import growth
from pde2net.verify.stages import stack_of
from pde2net.verify.theorem import Held, Hypothesis, Missing, Theorem
from pde2net.verify.theorems import explicit_l2, frozen_spectrum
from pde2net.verify.theorems.energy_decay import BOUNDED_BELOW
from pde2net.verify.theorems.hypotheses import (
    BOUNDED,
    DAMPING,
    LIPSCHITZ_REACTION,
    MONOTONE,
    NO_SOURCE,
    NONNEGATIVE,
    PENALISER,
    SYMMETRIC,
)
from pde2net.verify.theorems.maximum_principle import (
    REACTION,
    TWO_POINTS,
    largest_diagonal,
    refute,
)
from pde2net.verify.theorems.nonexpansive import largest_slope

CONVEX = "Convex combinations of explicit steps"
_REFERENCE = "Alt et al. 2023, section 3.2; {}"


def alpha_of(case: Case) -> sp.Expr:
    return stack_of(case).values[ALPHA]


def _at_least(least: Callable[[Case], sp.Expr], statement: str) -> Hypothesis:
    """alpha is not below `least`, a part of the largest eigenvalue or diagonal entry of the operator."""

    def check(case: Case) -> Held | Missing:
        alpha, bound = alpha_of(case), sp.simplify(least(case))
        margin = case.valued(alpha - bound)
        if margin.is_nonnegative:
            return Held("compared", (("alpha", alpha), ("least alpha", bound)))
        if margin.is_negative:
            return Missing(
                f"the damping alpha = {case.valued(alpha)} is below {case.valued(bound)}", violated=True
            )
        return Missing(
            f"the damping alpha = {case.valued(alpha)} is not known to be at least {case.valued(bound)}"
        )

    return Hypothesis("damping alpha", statement, check)


def _limit(case: Case) -> sp.Expr:
    """The largest tau with a = 4 tau alpha/(1 + 2 tau alpha) <= 1."""
    return 1 / (2 * alpha_of(case))


L2 = Theorem(
    claim="l2_stability",
    title=CONVEX,
    reference=_REFERENCE.format("Theorem 1"),
    section="4.8",
    hypotheses=(
        NO_SOURCE,
        DAMPING,
        SYMMETRIC,
        BOUNDED,
        NONNEGATIVE,
        _at_least(lambda case: explicit_l2.rate(case) / 4, "alpha >= (L ‖K‖² + beta)/4"),
    ),
    conclusion="‖u+‖ <= max(‖u‖, ‖u-‖) <= ‖u0‖: a <= 1, and explicit steps of size 1/(2 alpha) are stable",
    limit=_limit,
    refute=lambda case: wit.seek(case.search, growth, "norm grows by"),
)

NONEXPANSIVE = Theorem(
    claim="nonexpansive",
    title=CONVEX,
    reference=_REFERENCE.format("Baillon, Haddad 1977"),
    section="4.8",
    hypotheses=(
        SYMMETRIC,
        PENALISER,
        LIPSCHITZ_REACTION,
        MONOTONE,
        _at_least(lambda case: largest_slope(case) / 4, "alpha >= sup F'/4"),
    ),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ for the whole network, factor <= 1",
    limit=_limit,
    factor=lambda case: sp.S.One,
    refute=lambda case: wit.seek_pair(case.search),
)

ENERGY = Theorem(
    claim="energy_decay",
    title=CONVEX,
    reference=_REFERENCE.format("Nesterov 2004, Lemma 1.2.3"),
    section="4.8",
    hypotheses=(
        SYMMETRIC,
        PENALISER,
        BOUNDED_BELOW,
        LIPSCHITZ_REACTION,
        MONOTONE,
        _at_least(lambda case: largest_slope(case) / 4, "alpha >= sup F'/4"),
    ),
    conclusion="E(u+) <= max(E(u), E(u-)) <= E(u0), E(u) = 1/2 sum Psi(|K u|²) - sum R(u), which is convex",
    limit=_limit,
    refute=lambda case: wit.seek_energy(case.search),
)

MAXIMUM = Theorem(
    claim="maximum_principle",
    title=CONVEX,
    reference=_REFERENCE.format("Weickert 1998, Theorem 8"),
    section="4.8",
    hypotheses=(
        TWO_POINTS,
        SYMMETRIC,
        BOUNDED,
        NONNEGATIVE,
        REACTION,
        _at_least(
            lambda case: largest_diagonal(case) / 2, "alpha >= half of the largest diagonal entry of A + beta"
        ),
    ),
    conclusion="every value of u+ is a weighted mean of values of u and u- (and what the range includes)",
    limit=_limit,
    refute=refute,
)

COMPANION = Theorem(
    claim="frozen_stability",
    title="Companion matrix of the frozen operator",
    reference="Du Fort, Frankel 1953; Strikwerda 2004, section 5",
    section="4.8",
    hypotheses=(
        SYMMETRIC,
        BOUNDED,
        NONNEGATIVE,
        LIPSCHITZ_REACTION,
        _at_least(lambda case: frozen_spectrum.rate(case) / 4, "alpha >= (L ‖K‖² + sup(-r'))/4"),
    ),
    conclusion="the companion matrix of every mode has spectral radius at most 1 at any frozen state",
    refute=frozen.seek_powers,
)


def frozen_stability(case: Case) -> Claim:
    """With a reaction that lets modes grow, by 1 + 2 m tau per step."""
    return frozen_spectrum.growing(COMPANION, case, lambda m: 1 + 2 * m * case.tau, "step")
