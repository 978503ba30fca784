"""Picard iterates, a fixed number of them or as many as a tolerance asks for (docs/theory.md, 4.13)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.iteration import Iteration, iteration_of
from pde2net.verify.refute import cells as seek
from pde2net.verify.theorem import Theorem, prove, quotient
from pde2net.verify.theorems import cell_hypotheses as hyp
from pde2net.verify.theorems.explicit_l2 import rate as damped_rate
from pde2net.verify.theorems.frozen_spectrum import growing
from pde2net.verify.theorems.frozen_spectrum import rate as frozen_rate
from pde2net.verify.theorems.hypotheses import LIPSCHITZ_REACTION, PENALISER, SYMMETRIC
from pde2net.verify.theorems.solves import FORWARD, STABLE

DIGITS = 12  # decimals of a reach that is a root
SHORT = 12  # iterations whose sums are written out
HALF = sp.Rational(1, 2)


def reach(it: Iteration) -> sp.Expr:
    """z_l with |p_l| <= 1 on [0, z_l]; with a tolerance for all l."""
    if it.count is None or not it.theta.is_Rational:
        return sp.Min(2, 1 / it.theta)
    return _reach(it.theta, it.count)


@cache
def _reach(theta: sp.Rational, count: int) -> sp.Rational:
    if count % 2 == 0:
        return min(1 / theta, 2 / (1 - 2 * theta)) if theta < HALF else 1 / theta
    unit = sp.Rational(1, 10**DIGITS)
    low, high = sp.Integer(0), sp.Integer(1)

    def holds(z: sp.Rational) -> bool:
        return bool((1 - 2 * theta) * z + z * (theta * z) ** count <= 2)

    while holds(high):
        low, high = high, 2 * high
    while high - low > unit:
        middle = sp.floor((low + high) / (2 * unit)) * unit
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def slopes(case: Case) -> sp.Expr:
    """A Lipschitz constant of F."""
    facts = case.facts
    if facts.slope_norm is None or facts.rate is None:
        return sp.oo
    return facts.slope_norm + sp.Max(facts.rate.upper, -facts.rate.lower)


def geometric(q: sp.Expr, count: int) -> sp.Expr:
    """1 + q + .. + q^(count - 1), or an upper bound of it."""
    if count <= SHORT:
        return sp.expand(sp.Add(*(q**i for i in range(count))))
    return count * sp.Max(1, q) ** (count - 1)


def lipschitz(case: Case) -> sp.Expr | None:
    """(1 + (1 - theta) tau M)(1 + q + .. + q^(l-1)) + q^l, q = theta tau M."""
    it, largest = iteration_of(case), slopes(case)
    if it.count is None or largest == sp.oo:
        return None
    z = case.valued(case.tau * largest)
    q = it.theta * z
    return sp.expand((1 + (1 - it.theta) * z) * geometric(q, it.count) + q**it.count)


_POLYNOMIAL = "Alt et al. 2023, section 3.3"

LINEAR_L2 = Theorem(
    claim="l2_stability",
    title="Polynomial of Picard iterates",
    reference=_POLYNOMIAL,
    section="4.13",
    hypotheses=(*STABLE, hyp.LINEAR, *FORWARD, hyp.PLAIN),
    conclusion="‖v‖ = ‖p(tau B) u‖ <= ‖u‖ for the polynomial p of the iterates",
    limit=lambda case: quotient(reach(iteration_of(case)), damped_rate(case)),
    refute=seek.growth,
)

NONLINEAR_L2 = Theorem(
    claim="l2_stability",
    title="Extragradient steps",
    reference="Korpelevich 1976",
    section="4.13",
    hypotheses=(
        *STABLE,
        *FORWARD,
        PENALISER,
        LIPSCHITZ_REACTION,
        hyp.BACKWARD,
        hyp.PLAIN,
    ),
    conclusion="‖v‖ <= ‖u‖ for every input, since the differences of F at the iterates decrease",
    limit=lambda case: quotient(sp.S.One if iteration_of(case).count == 2 else HALF, slopes(case)),
    refute=seek.growth,
)

FROZEN = Theorem(
    claim="frozen_stability",
    title="Polynomial of Picard iterates",
    reference=_POLYNOMIAL,
    section="4.13",
    hypotheses=(*FORWARD, LIPSCHITZ_REACTION, hyp.PLAIN),
    conclusion="|p(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
    limit=lambda case: quotient(reach(iteration_of(case)), frozen_rate(case)),
    refute=seek.growth_or_pair,
)

NONEXPANSIVE = Theorem(
    claim="nonexpansive",
    title="Polynomial of Picard iterates",
    reference=_POLYNOMIAL,
    section="4.13",
    hypotheses=(hyp.LINEAR, *FORWARD, hyp.DECREASING, hyp.PLAIN, hyp.FIXED),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per step, factor <= 1",
    limit=lambda case: quotient(reach(iteration_of(case)), frozen_rate(case)),
    factor=lambda case: sp.S.One,
    refute=seek.pair,
)

LIPSCHITZ = Theorem(
    claim="well_posed",
    title="Lipschitz composition",
    reference="triangle inequality",
    section="4.13",
    hypotheses=(SYMMETRIC, PENALISER, LIPSCHITZ_REACTION, hyp.PLAIN, hyp.FIXED),
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per step",
    factor=lipschitz,
    refute=lambda case: None,
)


def frozen_stability(case: Case) -> Claim:
    """The claim; `linearised`, with the growth per step, if the reaction lets modes grow."""
    it, rate = iteration_of(case), case.facts.rate
    if it.count is None and rate is not None and not rate.nonnegative:
        said = because("growth per iteration")
        return Claim("frozen_stability", Status.UNKNOWN, theorem=str(FROZEN), because=said)

    def growth(m: sp.Expr) -> sp.Expr:
        x = case.tau * m
        return 1 + x * geometric(it.theta * x, it.count or 1)

    return growing(FROZEN, case, growth, "step")


BANACH = Theorem(
    claim="solver_convergence",
    title="Contraction",
    reference="Banach 1922",
    section="4.14",
    hypotheses=(SYMMETRIC, PENALISER, LIPSCHITZ_REACTION),
    conclusion="‖v+ - v‖ shrinks by the factor with each iteration, and v converges to the solution",
    limit=lambda case: quotient(1 / iteration_of(case).theta, slopes(case)),
    factor=lambda case: case.valued(iteration_of(case).theta * case.tau * slopes(case)),
    refute=seek.residual,
)


def convergence(case: Case) -> Claim:
    """The limit is strict; with Anderson acceleration the contraction speaks for the neighbourhood alone."""
    claim, it = prove(BANACH, case), iteration_of(case)
    if BANACH.limit is None or claim.limit in (None, sp.oo):
        return claim
    claim = replace(claim, condition=sp.Lt(case.tau, BANACH.limit(case)))
    if claim.status == Status.PROVED and sp.Lt(case.valued(case.tau), claim.limit) != sp.true:
        return replace(claim, status=Status.UNKNOWN, factor=None, because=because("no contraction"))
    if it.accelerated and claim.status in (Status.PROVED, Status.PROVED_IF):
        return replace(claim, status=Status.LINEARISED, because=because("accelerated"))
    return claim
