"""Convergence of Kacanov's and Newton's iterations, and of conjugate gradients (docs/theory.md, 4.14)."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.iteration import iteration_of
from pde2net.verify.rates import frozen_rate
from pde2net.verify.theorem import EVERY_TAU, Held, Missing, Theorem, hypothesis, quotient
from pde2net.verify.theorems import cell_hypotheses as cell
from pde2net.verify.theorems import hypotheses as hyp


@hypothesis("definite systems", "mass I + theta tau B >= c > 0")
def definite(case: Case) -> Held | Missing:
    """For the steady state the mass is 0, and only the reaction makes the system regular."""
    rate = case.facts.rate
    if not iteration_of(case).steady:
        return Held("the mass is positive")
    if rate is not None and rate.lower.is_positive:
        return Held("the reaction pulls everywhere")
    return Missing(
        "the system of the steady state may be singular: -r' is not known to be positive everywhere"
    )


@hypothesis("conjugate gradients", "x in the Krylov space minimises the error in the norm of the system")
def krylov(case: Case) -> Held | Missing:
    it = iteration_of(case)
    if it.systems.method == "cg" and it.systems.preconditioner == "none" and it.systems.once:
        return Held(f"symmetric, positive definite systems without preconditioner, k = {it.systems.most}")
    if it.systems.method == "cg" and it.systems.preconditioner == "none":
        return Missing("the solves of the iterations are not the same, and their truncation is not followed")
    if it.systems.method == "cg":
        return Missing("the condition number with a preconditioner is not derived")
    return Missing("BiCGStab may break down, and no rate of it is known")


def scale(case: Case) -> tuple[sp.Expr, sp.Expr]:
    """(mass, theta tau): those of the system of a step."""
    it = iteration_of(case)
    return (sp.S.Zero, sp.S.One) if it.steady else (sp.S.One, it.theta * case.tau)


def krylov_factor(case: Case) -> sp.Expr | None:
    """(sqrt(kappa) - 1)/(sqrt(kappa) + 1)."""
    rate = case.facts.rate
    if rate is None:
        return None
    mass, step = scale(case)
    root = sp.sqrt(case.valued((mass + step * frozen_rate(case)) / (mass + step * rate.lower)))
    return sp.simplify((root - 1) / (root + 1))


def krylov_limit(case: Case) -> sp.Expr:
    """tau with 2 factor^k < 1 for the k conjugate gradients that are emitted, 0 if there is none.

    That is kappa < ((1 + q)/(1 - q))^2 with q = 2^(-1/k), whose right-hand side is rounded down.
    """
    rate = case.facts.rate
    if rate is None:
        return sp.S.Zero
    q = sp.Integer(2) ** sp.Rational(-1, iteration_of(case).systems.most)
    most = sp.floor(1000 * ((1 + q) / (1 - q)) ** 2) / 1000
    mass, step = scale(case)
    low = case.valued(rate.lower)
    excess = case.valued(frozen_rate(case)) - most * low
    if not low.is_number:
        excess = case.valued(frozen_rate(case))
    if excess.is_nonpositive:
        return sp.oo
    return sp.S.Zero if mass == 0 else quotient((most - 1) * case.tau / step, excess)


def local_factor(case: Case) -> sp.Expr | None:
    """sigma theta tau mu/(mass + theta tau mu)."""
    sigma = cell.largest_elasticity(case)
    if sigma is None or case.facts.norm is None:
        return None
    mass, step = scale(case)
    moved = step * case.facts.norm
    return case.valued(sigma * moved / (mass + moved))


LINEAR_SOLVE = Theorem(
    "solver_convergence",
    "One exact solve",
    "elimination without pivoting, Higham 2002, section 9.6",
    (cell.linear, *hyp.FORWARD, cell.decreasing, cell.implicit, cell.exact, definite),
    "one iteration solves the step",
    factor=lambda case: sp.S.Zero,
)
LINEAR_KRYLOV = Theorem(
    "solver_convergence",
    "Conjugate gradients",
    "Saad 2003, (6.128)",
    (cell.linear, *hyp.FORWARD, cell.decreasing, cell.implicit, krylov, definite),
    "k conjugate gradients leave at most 2 factor^k < 1 of an error, in the norm of the system",
    krylov_limit,
    krylov_factor,
)
LAGGED = Theorem(
    "solver_convergence",
    "Linearised Kacanov iteration",
    "Chan, Mulet 1999",
    (*hyp.FORWARD, hyp.penaliser, cell.decreasing, cell.implicit, cell.elastic, definite),
    "near the solution errors shrink by the factor with each iteration whose system is solved",
    factor=local_factor,
)
NEWTON = Theorem(
    "solver_convergence",
    "Newton's method",
    "Kantorovich 1948",
    (*hyp.FORWARD, hyp.penaliser, hyp.lipschitz_reaction, hyp.monotone, definite),
    "near the solution the error is squared by each iteration whose system is solved",
    factor=lambda case: sp.S.Zero,
)


def convergence(case: Case) -> Claim:
    """Of Kacanov's and Newton's iteration; AOS has none."""
    it = iteration_of(case)
    if it.kind == "AOS":
        return Claim("solver_convergence", Status.NOT_APPLICABLE, because=because("elimination"))
    if it.linear and it.systems.method != "direct":
        return emitted(LINEAR_KRYLOV(case), it.systems.most)
    if it.linear:
        return LINEAR_SOLVE(case)
    return local((NEWTON if it.kind == "Newton" else LAGGED)(case))


def emitted(claim: Claim, most: int) -> Claim:
    """Beyond the limit the bound for the iterations that are emitted says nothing."""
    if claim.status != Status.UNKNOWN or claim.limit is None:
        return claim
    return replace(claim, because=because("few iterations", most=str(most)))


def local(claim: Claim) -> Claim:
    """Near the solution only; a factor that is not known to be below 1 says nothing."""
    if claim.status != Status.PROVED or claim.factor is None:
        return claim
    if sp.Lt(claim.factor, 1) == sp.true or claim.factor.free_symbols:
        said = tuple(part for part in claim.because if part.rule != EVERY_TAU)
        return replace(claim, status=Status.LINEARISED, condition=None, limit=None, because=said)
    said = because("no contraction nearby")
    return Claim(claim.name, Status.UNKNOWN, theorem=claim.theorem, because=said)
