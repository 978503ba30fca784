"""Picard iterates, a fixed number of them or as many as a tolerance asks for (docs/theory.md, 4.13)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.iteration import Iteration, iteration_of
from pde2net.verify.rates import Rate, damped_rate, frozen_rate, lipschitz
from pde2net.verify.refute import claims as seek
from pde2net.verify.theorem import Theorem, quotient, strictly
from pde2net.verify.theorems import cell_hypotheses as cell
from pde2net.verify.theorems import explicit
from pde2net.verify.theorems import hypotheses as hyp

DIGITS = 12  # decimals of a reach that is a root
SHORT = 12  # iterations whose sums are written out


def reach(it: Iteration) -> sp.Expr:
    """z_l with |p_l| <= 1 on [0, z_l]; with a tolerance for all l."""
    if it.count is None or not it.theta.is_Rational:
        return sp.Min(2, 1 / it.theta)
    return _reach(it.theta, it.count)


@cache
def _reach(theta: sp.Rational, count: int) -> sp.Rational:
    if count % 2 == 0:
        return min(1 / theta, 2 / (1 - 2 * theta)) if theta < sp.S.Half else 1 / theta
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


def geometric(q: sp.Expr, count: int) -> sp.Expr:
    """1 + q + .. + q^(count - 1), or an upper bound of it."""
    if count <= SHORT:
        return sp.expand(sp.Add(*(q**i for i in range(count))))
    return count * sp.Max(1, q) ** (count - 1)


def factor(case: Case) -> sp.Expr | None:
    """(1 + (1 - theta) tau M)(1 + q + .. + q^(l-1)) + q^l, q = theta tau M."""
    it, largest = iteration_of(case), lipschitz(case)
    if it.count is None or largest == sp.oo:
        return None
    z = case.valued(case.tau * largest)
    q = it.theta * z
    return sp.expand((1 + (1 - it.theta) * z) * geometric(q, it.count) + q**it.count)


def _up_to(rate: Rate) -> Rate:
    return lambda case: quotient(reach(iteration_of(case)), rate(case))


_POLYNOMIAL = ("Polynomial of Picard iterates", "Alt et al. 2023, section 3.3")

LINEAR_L2 = Theorem(
    "l2_stability",
    *_POLYNOMIAL,
    (*hyp.STABLE, cell.linear, *hyp.FORWARD, cell.plain),
    "‖v‖ = ‖p(tau B) u‖ <= ‖u‖ for the polynomial p of the iterates",
    _up_to(damped_rate),
)
NONLINEAR_L2 = Theorem(
    "l2_stability",
    "Extragradient steps",
    "Korpelevich 1976",
    (*hyp.STABLE, *hyp.FORWARD, hyp.penaliser, hyp.lipschitz_reaction, cell.backward, cell.plain),
    "‖v‖ <= ‖u‖ for every input, since the differences of F at the iterates decrease",
    lambda case: quotient(sp.S.One if iteration_of(case).count == 2 else sp.S.Half, lipschitz(case)),
)
FROZEN = Theorem(
    "frozen_stability",
    *_POLYNOMIAL,
    (*hyp.FORWARD, hyp.lipschitz_reaction, cell.plain),
    "|p(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
    _up_to(frozen_rate),
)
NONEXPANSIVE = Theorem(
    "nonexpansive",
    *_POLYNOMIAL,
    (cell.linear, *hyp.FORWARD, cell.decreasing, cell.plain, cell.fixed),
    explicit.NONEXPANSIVE.conclusion,
    _up_to(frozen_rate),
    lambda case: sp.S.One,
)
LIPSCHITZ = explicit.LIPSCHITZ.also(cell.plain, cell.fixed, factor=factor)


def _growth(case: Case, m: sp.Expr) -> sp.Expr:
    it, x = iteration_of(case), case.tau * m
    return 1 + x * geometric(it.theta * x, it.count or 1)


def frozen_stability(case: Case) -> Claim:
    """The claim; `linearised`, with the growth per step, if the reaction lets modes grow."""
    rate = case.facts.rate
    if iteration_of(case).count is None and rate is not None and not rate.nonnegative:
        said = because("growth per iteration")
        return Claim("frozen_stability", Status.UNKNOWN, theorem=str(FROZEN), because=said)
    return explicit.growing(FROZEN, _growth)(case)


def _contracts(case: Case) -> sp.Expr:
    return quotient(1 / iteration_of(case).theta, lipschitz(case))


BANACH = Theorem(
    "solver_convergence",
    "Contraction",
    "Banach 1922",
    explicit.LIPSCHITZ.hypotheses,
    "‖v+ - v‖ shrinks by the factor with each iteration, and v converges to the solution",
    _contracts,
    lambda case: case.valued(iteration_of(case).theta * case.tau * lipschitz(case)),
    seek.residual,
)


def convergence(case: Case) -> Claim:
    """The limit is strict; with Anderson acceleration the contraction speaks for the neighbourhood alone."""
    claim = strictly(BANACH, case, "no contraction")
    limited = claim.limit not in (None, sp.oo) and iteration_of(case).accelerated
    if limited and claim.status in (Status.PROVED, Status.PROVED_IF):
        return replace(claim, status=Status.LINEARISED, because=because("accelerated"))
    return claim
