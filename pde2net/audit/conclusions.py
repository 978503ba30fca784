"""Whether the claims of a certificate follow, at one choice of numbers for its symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import sympy as sp

from pde2net.audit import wording
from pde2net.audit.claims import BELOW, FIGURES, NONNEGATIVE, RULES, STATEMENTS, Rule
from pde2net.audit.exactly import INFINITY, Number, at_most, number, require_plain, same
from pde2net.audit.numbers import Numbers
from pde2net.errors import RecheckError
from pde2net.verify.certificate import Certificate, Claim, Discharged, Status

POSITIVE = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)
LETS_GROW = "The reaction term may let modes grow by the factor per step; the diffusion does not."
NO_SOLVER = "An explicit step solves no system of equations."
NOT_COMPARED = "The step and its limit could not be compared."


@dataclass(frozen=True)
class Conclusions:
    """`declared` says that parameters have the values of the declaration, as limits and factors assume."""

    certificate: Certificate
    numbers: Numbers
    declared: bool

    @staticmethod
    def figures(claim: Claim) -> list[sp.Basic]:
        named = [e for e in (claim.condition, claim.limit, claim.factor) if e is not None]
        return named + [v for h in claim.hypotheses for v in h.figures.values()]

    def disagreements(self) -> Iterator[str]:
        for claim in self.certificate.claims.values():
            if claim.name in RULES:
                yield from self.claim(claim, RULES[claim.name])
            elif claim.name == "solver_convergence" and claim != Claim(
                claim.name, Status.NOT_APPLICABLE, reason=NO_SOLVER
            ):
                yield "An explicit step has no solver that could converge."

    def claim(self, claim: Claim, rule: Rule) -> Iterator[str]:
        name = claim.name.replace("_", " ")
        for figure in self.figures(claim):
            require_plain(figure)
        if claim.theorem != ("" if claim.status == Status.NOT_APPLICABLE else rule.title):
            yield f"The theorem of {name} is {rule.title}."
        if claim.witness is not None and claim.status != Status.REFUTED:
            yield f"{name} has a counterexample and is said to be {claim.status}."
        if claim.status == Status.REFUTED and claim.name == "well_posed":
            yield f"{name} cannot be refuted by an input."
        if claim.status in POSITIVE or claim.limit is not None or claim.condition is not None:
            yield from self.applied(claim, rule, name)
        elif claim.hypotheses or claim.factor is not None:
            yield f"{name} is {claim.status}, but lists hypotheses."
        elif not wording.explains(claim.reason, self.numbers, self.certificate) and self.declared:
            yield f"The reason given for {name} has figures that are not those of the problem."
        elif claim.reason.startswith(wording.sentence(rule.conclusion)):
            yield f"{name} is {claim.status}, but worded as if it were proved."

    def applied(self, claim: Claim, rule: Rule, name: str) -> Iterator[str]:
        """A claim for which all hypotheses hold, so that tau is compared with a limit."""
        n = self.numbers
        failing = rule.needs(n)
        if failing:
            yield f"A hypothesis of {name} fails: {failing}."
            return
        yield from self.hypotheses(claim, rule, name)
        limit = rule.limit(n)
        if self.declared and not self.agrees(claim.limit, limit):
            yield f"The limit {claim.limit} of {name} should be {float(limit):.12g}."
            return
        yield from self.condition(claim, name, limit)
        yield from self.status(claim, rule, name, limit)
        if self.declared and claim.status in POSITIVE:
            yield from self.factor(claim, rule, name)

    def agrees(self, figure: sp.Basic | None, here: Number) -> bool:
        return figure is not None and same(self.numbers.number(figure), here)

    def condition(self, claim: Claim, name: str, limit: Number) -> Iterator[str]:
        """Unevaluated tau <= limit, or what SymPy made of it."""
        tau, condition = self.certificate.tau, claim.condition
        wrong = f"The condition {condition} of {name} should be tau <= {float(limit):.12g}."
        if isinstance(condition, sp.Le | sp.Ge):
            low, high = condition.lts, condition.gts
            if low != tau or not self.agrees(high, limit):
                yield wrong
            return
        holds = at_most(self.numbers.number(tau), limit)
        certain = limit == INFINITY or self.certainly(claim)
        if condition != (sp.true if holds and certain else sp.false) or (holds and not certain):
            yield wrong

    def certainly(self, claim: Claim) -> bool:
        """Whether tau <= limit for all admissible values of the symbols, at those of the parameters."""
        parameters = self.certificate.declaration.problem.parameters
        tau, limit = self.certificate.tau.subs(parameters), claim.limit
        if limit is None:
            return False
        if limit == sp.oo:
            return True
        if not tau.free_symbols | limit.free_symbols:
            return at_most(number(tau), number(limit))
        return bool(sp.Le(tau, limit) == sp.true or sp.simplify(limit - tau).is_nonnegative)

    def status(self, claim: Claim, rule: Rule, name: str, limit: Number) -> Iterator[str]:
        n, status, holds = self.numbers, claim.status, self.certainly(claim)
        parameters = self.certificate.declaration.problem.parameters
        every = "" if limit != INFINITY else " Holds for every tau."
        every += " The operator is zero." if every and rule.rate is not None else ""
        reason = wording.sentence(rule.conclusion) + every
        frozen = claim.name == "frozen_stability"
        undecided = bool(
            self.certificate.tau.subs(parameters).free_symbols | (claim.limit or sp.oo).free_symbols
        )
        if status == Status.PROVED and not holds:
            yield f"{name} is claimed for tau = {self.certificate.tau}, beyond its limit {claim.limit}."
        if status == Status.PROVED_IF and (holds or not undecided or not isinstance(claim.condition, sp.Rel)):
            yield f"{name} is proved if {claim.condition}, which leaves nothing open."
        if status in (Status.PROVED, Status.PROVED_IF) and frozen and n.rate[0] < 0:
            yield f"{name} holds only as linearised: the reaction lets modes grow."
        if status == Status.LINEARISED:
            reason = LETS_GROW
            if not frozen or (n.exact and n.rate[0] >= 0) or not (holds or undecided):
                yield f"{name} cannot be linearised."
        if status in (Status.REFUTED, Status.UNKNOWN):
            reason = wording.beyond(self.certificate, claim.limit) + (
                "." if status == Status.REFUTED else ", and no counterexample was found."
            )
            if claim.reason == NOT_COMPARED and status == Status.UNKNOWN and not holds:
                reason = NOT_COMPARED
            elif holds or undecided or claim.factor is not None:
                yield f"{name} is {status}, though tau does not exceed its limit."
        if status == Status.NOT_APPLICABLE:
            yield f"{name} is not applicable, but has a limit."
        elif claim.reason != reason:
            yield f"The reason given for {name} should be: {reason}"

    def factor(self, claim: Claim, rule: Rule, name: str) -> Iterator[str]:
        linearised = claim.status == Status.LINEARISED
        wanted = claim.name in ("nonexpansive", "well_posed") or linearised
        if claim.factor is None:
            if wanted:
                yield f"{name} should state a factor."
            return
        factors = rule.factors(self.numbers, self.numbers.number(self.certificate.tau)) if wanted else ()
        if not any(self.agrees(claim.factor, f) for f in factors):
            known = " or ".join(f"{float(f):.12g}" for f in factors)
            yield f"The factor {claim.factor} of {name} should be {known or 'left out'}."

    def hypotheses(self, claim: Claim, rule: Rule, name: str) -> Iterator[str]:
        n = self.numbers
        own = claim.hypotheses[: len(rule.hypotheses)]
        rest = wording.assumed(n.semi, n.given)
        if tuple(h.name for h in own) != rule.hypotheses or list(claim.hypotheses[len(own) :]) != rest:
            needed = ", ".join(rule.hypotheses)
            yield f"The proof of {name} must discharge: {needed}, and list what is assumed."
            return
        for h in own:
            if h.statement != STATEMENTS[h.name] or not wording.how(h, n, self.certificate.ranges):
                yield f'How "{h.name}" holds in the proof of {name} is not what the declaration gives.'
            try:
                self.check_figures(h)
            except RecheckError as error:
                yield f"{error} in the proof of {name}."

    def check_figures(self, h: Discharged) -> None:
        n, size = self.numbers, number(sp.S.One)
        if h.name in (NONNEGATIVE, BELOW):
            stated: Mapping[str, Number] = {k: n.number(v) for k, v in h.figures.items()}
            lows = [low for (low, _), _ in n.weights]
            names = [f"inf g ({i + 1})" for i in range(len(stated))]
            covered = all(any(same(v, low, size) for v in stated.values()) for low in lows)
            if list(stated) != names or not covered:
                raise RecheckError(f"the infima of {h.name} are others")
            if any(not any(same(v, low, size) for low in lows) for v in stated.values()):
                raise RecheckError(f"the infima of {h.name} are others")
            return
        expected = FIGURES.get(h.name, {})
        if list(h.figures) != list(expected):
            raise RecheckError(f"{h.name} must state {', '.join(expected) or 'no figures'}")
        for key, figure in h.figures.items():
            here = expected[key](n)
            if not same(n.number(figure), here, size):
                raise RecheckError(f"{key} = {figure} should be {float(here):.12g}")
