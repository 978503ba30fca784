"""Convergence of the solvers of implicit cells, a second time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import sympy as sp

from pde2net.audit import wording
from pde2net.audit.cell_parts import (
    EXACT,
    FALLING,
    FALLS,
    FORWARD,
    IMPLICIT,
    LINEAR,
    TAKEN,
    TITLES,
    every,
    made,
    when,
)
from pde2net.audit.claims import (
    FLUX,
    REACTION,
    SYMMETRIC,
    Own,
    Rule,
    forward,
    frozen_rate,
    monotone,
    norm,
    out_of_time,
    over,
    symmetric,
)
from pde2net.audit.exactly import INFINITY, ONE, ZERO, Number, at_most, number, require_plain, same
from pde2net.audit.iterations import Solves, elasticity, solves_of
from pde2net.audit.numbers import Numbers
from pde2net.audit.picard import slopes
from pde2net.audit.stacks import says
from pde2net.language.schemes import CELLS
from pde2net.verify.certificate import Claim, Discharged, Status

if TYPE_CHECKING:
    from pde2net.audit.conclusions import Conclusions

NO_SOLVER = "An explicit step solves no system of equations."
NO_ITERATION = "AOS solves its linear systems by elimination, without iterations."
POSITIVE = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)
NAME = "solver convergence"
DEFINITE, KRYLOV, ELASTIC = "definite systems", "conjugate gradients", "elasticity"
MIXED = (
    "Near the solution, if the weights of Anderson acceleration stay bounded, errors shrink by the factor on "
    "average (Toth, Kelley 2015)."
)
ONE_IS_NO_CONTRACTION = "The factor of the contraction is one, which is no contraction."

TITLES |= {
    "banach": "Contraction (Banach 1922)",
    "solve": "One exact solve (elimination without pivoting, Higham 2002, section 9.6)",
    "krylov": "Conjugate gradients (Saad 2003, (6.128))",
    "local": "Linearised Kacanov iteration (Chan, Mulet 1999)",
    "newton": "Newton's method (Kantorovich 1948)",
}


def disagreements(c: Conclusions, claim: Claim) -> Iterator[str]:
    scheme = c.certificate.declaration.scheme
    if not isinstance(scheme, CELLS):
        if claim != Claim(claim.name, Status.NOT_APPLICABLE, reason=NO_SOLVER):
            yield "An explicit step has no solver that could converge."
        return
    s = solves_of(scheme, c.numbers.semi)
    if s.kind == "AOS":
        if claim != Claim(claim.name, Status.NOT_APPLICABLE, reason=NO_ITERATION):
            yield "AOS has no iteration that could converge."
        return
    rule = rule_of(s)
    for figure in c.figures(claim):
        require_plain(figure)
    if claim.status == Status.UNKNOWN and out_of_time(claim):
        return
    claim = c.with_limit(claim, rule)
    if claim.theorem != rule.title:
        yield f"The theorem of {NAME} is {rule.title}."
    if (claim.witness is not None) != (
        claim.status == Status.REFUTED
    ) or claim.status == Status.NOT_APPLICABLE:
        yield f"{NAME} cannot be {claim.status} with what is stated."
    if claim.status in POSITIVE or claim.limit is not None or claim.condition is not None:
        failing = rule.needs(c.numbers)
        if failing:
            yield f"A hypothesis of {NAME} fails: {failing}."
            return
        yield from c.hypotheses(claim, rule, NAME)
        yield from (contraction if s.kind == "Picard" else solved)(c, claim, rule, s)
    elif claim.hypotheses or claim.factor is not None:
        yield f"{NAME} is {claim.status}, but lists hypotheses."
    elif (
        c.declared
        and c.numbers.clock is None
        and not wording.explains(claim.reason, c.numbers, c.certificate)
    ):
        yield f"The reason given for {NAME} has figures that are not those of the problem."
    elif claim.reason.startswith(wording.sentence(rule.conclusion)):
        yield f"{NAME} is {claim.status}, but worded as if it were proved."


def contraction(c: Conclusions, claim: Claim, rule: Rule, s: Solves) -> Iterator[str]:
    """tau < limit, strictly, with q = theta tau sup |F'|."""
    n, tau = c.numbers, c.certificate.tau
    limit = rule.limit(n, claim) if rule.limit is not None else INFINITY
    if c.declared and not c.agrees(claim.limit, limit):
        yield f"The limit {claim.limit} of {NAME} should be {float(limit):.12g}."
        return
    zero = limit == INFINITY
    below, decided = (True, True) if zero else strictly(c, claim)
    condition = claim.condition
    if isinstance(condition, sp.Lt | sp.Gt):
        if condition.lts != tau or not c.agrees(condition.gts, limit):
            yield f"The condition {condition} of {NAME} should be tau < {float(limit):.12g}."
    elif condition != (sp.true if below else sp.false):
        yield f"The condition {condition} of {NAME} should be tau < {float(limit):.12g}."
    status, reason = claim.status, wording.sentence(rule.conclusion)
    if zero:
        reason += " Holds for every tau. The operator is zero."
    if status in (Status.PROVED, Status.PROVED_IF) and s.accelerated and not zero:
        yield f"{NAME} holds only as linearised: Anderson acceleration."
    if status == Status.LINEARISED:
        reason = MIXED
        if not s.accelerated:
            yield f"{NAME} cannot be linearised."
    if status == Status.PROVED and not below:
        yield f"{NAME} is claimed for tau = {tau}, not below its limit {claim.limit}."
    if status == Status.PROVED_IF and decided:
        yield f"{NAME} is proved if {condition}, which leaves nothing open."
    if status in POSITIVE:
        q = number(s.theta) * n.number(tau) * slopes(n)
        if c.declared and not c.agrees(claim.factor, q):
            yield f"The factor {claim.factor} of {NAME} should be {float(q):.12g}."
    else:
        beyond = wording.beyond(c.certificate, claim.limit or sp.oo)
        reasons = (
            [beyond + "."] if status == Status.REFUTED else [beyond + ", and no counterexample was found."]
        )
        if claim.limit is not None and same(n.number(tau), n.number(claim.limit)):
            reasons = [ONE_IS_NO_CONTRACTION]
        reason = claim.reason if claim.reason in reasons else reasons[0]
        if below or not decided or claim.factor is not None:
            yield f"{NAME} is {status}, though tau is below its limit."
    if claim.reason != reason:
        yield f"The reason given for {NAME} should be: {reason}"


def strictly(c: Conclusions, claim: Claim) -> tuple[bool, bool]:
    """Whether tau < limit for all values of the symbols, and whether that is decided."""
    tau = c.certificate.tau.subs(c.certificate.declaration.problem.parameters)
    limit = claim.limit
    if limit is None:
        return False, True
    if not tau.free_symbols | limit.free_symbols:
        return not at_most(number(limit), number(tau)), True
    below = bool(sp.Lt(tau, limit) == sp.true or sp.simplify(limit - tau).is_positive)
    return below, below or sp.Lt(tau, limit) == sp.false


def solved(c: Conclusions, claim: Claim, rule: Rule, s: Solves) -> Iterator[str]:
    """Solves that are exact, or converge by themselves; near the solution of a nonlinear equation."""
    n = c.numbers
    reason = wording.sentence(rule.conclusion)
    expected: tuple[object, ...] = (Status.LINEARISED, None, None)
    if s.linear:
        expected, reason = (Status.PROVED, sp.true, sp.oo), reason + " Holds for every tau."
    if (claim.status, claim.condition, claim.limit) != expected or claim.reason != reason:
        yield f"{NAME} is stated otherwise than it follows."
    factor = rule.factors(n, n.number(c.certificate.tau))[0]
    if c.declared and not (claim.factor is not None and same(n.number(claim.factor), factor, ONE)):
        yield f"The factor {claim.factor} of {NAME} should be {float(factor):.12g}."
    if c.declared and n.exact and not factor < 1:
        yield f"The factor {claim.factor} of {NAME} is not below one."


def rule_of(s: Solves) -> Rule:
    theta = number(s.theta)

    def scaled(n: Numbers, tau: Number) -> tuple[Number, Number]:
        """(mass, theta tau)."""
        return (ZERO, ONE) if s.steady else (ONE, theta * tau)

    def definite(n: Numbers) -> bool:
        return not s.steady or bool(n.rate[0] > 0)

    def krylov(n: Numbers, tau: Number) -> tuple[Number, ...]:
        mass, step = scaled(n, tau)
        root = ((mass + step * frozen_rate(n)) / (mass + step * n.rate[0])) ** 0.5
        return ((root - 1) / (root + 1),)

    def local(n: Numbers, tau: Number) -> tuple[Number, ...]:
        mass, step = scaled(n, tau)
        moved = step * norm(n)
        return (elasticity(n) * moved / (mass + moved),)

    def sigma(n: Numbers, h: Discharged) -> str:
        stated = [n.number(v) for v in h.figures.values()]
        right = list(h.figures) == ["sigma"] and same(stated[0], elasticity(n), ONE)
        return "" if right and h.how == "the range of each diffusivity" else "another figure"

    regular = when(definite, "the system may be singular")
    own = {
        DEFINITE: Own(
            "mass I + theta tau B >= c > 0",
            says("the reaction pulls everywhere" if s.steady else "the mass is positive"),
        ),
        KRYLOV: Own(
            "x in the Krylov space minimises the error in the norm of the system",
            says(f"symmetric, positive definite systems without preconditioner, k = {s.systems.most}"),
        ),
        ELASTIC: Own("|Phi' - G| <= sigma G", sigma),
    }
    if s.kind == "Picard":
        return made(
            "banach",
            "‖v+ - v‖ shrinks by the factor with each iteration, and v converges to the solution",
            (SYMMETRIC, FLUX, REACTION),
            symmetric,
            limit=over(1 / theta, slopes),
        )
    if s.linear and s.method == "elimination":
        hypotheses: tuple[str, ...] = (LINEAR, *FORWARD, FALLING, IMPLICIT, EXACT, DEFINITE)
        needs = every(forward, FALLS, TAKEN, regular)
        found = made(
            "solve", "one iteration solves the step", hypotheses, needs, factors=lambda n, tau: (ZERO,)
        )
    elif s.linear:
        known = s.method == "cg" and s.systems.preconditioner == "none" and s.systems.once
        plain = when(known, "the rate of the systems is not known")
        found = made(
            "krylov",
            "k conjugate gradients leave at most 2 factor^k < 1 of an error, in the norm of the system",
            (LINEAR, *FORWARD, FALLING, IMPLICIT, KRYLOV, DEFINITE),
            every(forward, FALLS, TAKEN, plain, regular),
            factors=krylov,
        )
    elif s.kind == "Newton":
        found = made(
            "newton",
            "near the solution the error is squared by each iteration whose system is solved",
            (*FORWARD, FLUX, REACTION, "monotone step", DEFINITE),
            every(forward, monotone, regular),
            factors=lambda n, tau: (ZERO,),
        )
    else:
        found = made(
            "local",
            "near the solution errors shrink by the factor with each iteration whose system is solved",
            (*FORWARD, FLUX, FALLING, IMPLICIT, ELASTIC, DEFINITE),
            every(forward, FALLS, TAKEN, regular),
            factors=local,
        )
    return replace(found, own={**found.own, **own})
