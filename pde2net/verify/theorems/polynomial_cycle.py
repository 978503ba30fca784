"""Cycles of FSI, FED and RKL as polynomials in the operator (docs/theory.md, section 4.9)."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.stack import TAU
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim
from pde2net.verify.polynomial import like_exponential, polynomial
from pde2net.verify.ranges import UndecidedError
from pde2net.verify.refute import frozen
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.measures import growth
from pde2net.verify.stages import KEPT, LINEAR, stack_of
from pde2net.verify.theorem import Held, Hypothesis, Missing, Theorem, prove, quotient
from pde2net.verify.theorems import explicit_l2, frozen_spectrum
from pde2net.verify.theorems.energy_decay import BOUNDED_BELOW
from pde2net.verify.theorems.frozen_spectrum import growing
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
from pde2net.verify.theorems.maximum_principle import MAXIMUM_PRINCIPLE, REACTION, TWO_POINTS, refute
from pde2net.verify.theorems.nonexpansive import largest_slope

Rate = Callable[[Case], sp.Expr]


def _reach(case: Case, rate: Rate) -> tuple[Polynomial, sp.Rational]:
    """P and the largest Z that is used: |P| <= 1 on [0, Z]."""
    found = polynomial(case.scheme)
    return found, found.limit(case.valued(case.tau * rate(case)))


def _bounded(rate: Rate) -> Hypothesis:
    def check(case: Case) -> Held | Missing:
        found, reach = _reach(case, rate)
        how = f"P = {found.text}, equal to the product of the stages"
        if reach > found.reach:
            how += f"; P is monotone beyond {found.reach}"
        return Held(how, (("Z", reach),))

    return Hypothesis("polynomial of a cycle", "|P| <= 1 on [0, Z]", check)


def _limit(rate: Rate) -> Rate:
    return lambda case: quotient(_reach(case, rate)[1], rate(case))


CYCLE_L2 = Theorem(
    claim="l2_stability",
    title="Polynomials of symmetric operators",
    reference="Hafner et al. 2016; Meyer et al. 2014",
    section="4.9",
    hypotheses=(
        NO_SOURCE,
        DAMPING,
        SYMMETRIC,
        BOUNDED,
        NONNEGATIVE,
        _bounded(explicit_l2.rate),
        KEPT,
    ),
    conclusion="‖u+‖ <= ‖u‖ for every input, since a cycle is P(tau B), B = A + diag b, and 0 <= tau B <= Z",
    limit=_limit(explicit_l2.rate),
    refute=lambda case: wit.seek(case.search, growth, "norm grows by"),
)

CYCLE_SPECTRUM = Theorem(
    claim="frozen_stability",
    title="Polynomial at the spectrum of the frozen operator",
    reference="von Neumann; Meyer et al. 2014",
    section="4.9",
    hypotheses=(SYMMETRIC, BOUNDED, NONNEGATIVE, LIPSCHITZ_REACTION, _bounded(frozen_spectrum.rate)),
    conclusion="|P(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
    limit=_limit(frozen_spectrum.rate),
    refute=frozen.seek_cycle,
)

CYCLE_NONEXPANSIVE = Theorem(
    claim="nonexpansive",
    title="Polynomials of symmetric operators, for differences",
    reference="Hafner et al. 2016; Meyer et al. 2014",
    section="4.9",
    hypotheses=(SYMMETRIC, PENALISER, LIPSCHITZ_REACTION, MONOTONE, LINEAR, _bounded(largest_slope)),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per cycle, factor <= 1",
    limit=_limit(largest_slope),
    factor=lambda case: sp.S.One,
    refute=lambda case: wit.seek_pair(case.search),
)

CYCLE_ENERGY = Theorem(
    claim="energy_decay",
    title="Polynomials that commute with the operator",
    reference="spectral theorem",
    section="4.9",
    hypotheses=(SYMMETRIC, PENALISER, BOUNDED_BELOW, LIPSCHITZ_REACTION, LINEAR, _bounded(largest_slope)),
    conclusion="E(u+) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r",
    limit=_limit(largest_slope),
    refute=lambda case: wit.seek_energy(case.search),
)


def _weighted_means(case: Case) -> Held | Missing:
    return Missing("the stages of a cycle are no weighted means: weights may be negative", violated=True)


CYCLE_MAXIMUM = Theorem(
    claim="maximum_principle",
    title=MAXIMUM_PRINCIPLE.title,
    reference=MAXIMUM_PRINCIPLE.reference,
    section="4.9",
    hypotheses=(
        TWO_POINTS,
        SYMMETRIC,
        REACTION,
        Hypothesis("weighted means", "no weight of a stage is negative", _weighted_means),
    ),
    conclusion=MAXIMUM_PRINCIPLE.conclusion,
    refute=refute,
)


def _require_growth(case: Case) -> None:
    """Where a reaction lets modes grow, the polynomial has to do what the exponential does."""
    rate = case.facts.rate
    if (rate is None or not rate.nonnegative) and not like_exponential(case.scheme):
        raise UndecidedError("how the polynomial of a cycle amplifies modes that grow is not known")


def energy_decay(case: Case) -> Claim:
    _require_growth(case)
    return prove(CYCLE_ENERGY, case)


def frozen_stability(case: Case) -> Claim:
    """With a reaction that lets modes grow, by exp(m T) per cycle of time T."""
    _require_growth(case)
    time = stack_of(case).time.subs(TAU, case.tau)
    return growing(CYCLE_SPECTRUM, case, lambda m: sp.exp(m * time), "cycle")
