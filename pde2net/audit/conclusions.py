"""Whether the claims of a certificate follow, at one choice of numbers for its symbols."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.audit import multigrid, solvers, wording
from pde2net.audit.claims import BELOW, FIGURES, NONNEGATIVE, STATEMENTS, Own, Rule, out_of_time
from pde2net.audit.exactly import DIGITS, INFINITY, Number, at_most, number, require_plain, same
from pde2net.audit.numbers import Numbers
from pde2net.errors import RecheckError
from pde2net.language.schemes import Multigrid
from pde2net.verify.certificate import Certificate, Claim, Discharged, Status

POSITIVE = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)
LETS_GROW = "The reaction term may let modes grow by the factor per {}; the diffusion does not."
NOT_COMPARED = "The step and its limit could not be compared."


@dataclass(frozen=True)
class Conclusions:
    """`declared` says that parameters have the values of the declaration, as limits and factors assume."""

    certificate: Certificate
    numbers: Numbers
    declared: bool
    rules: Mapping[str, Rule]

    @staticmethod
    def figures(claim: Claim) -> list[sp.Basic]:
        named = [e for e in (claim.condition, claim.limit, claim.factor) if e is not None]
        return named + [v for h in claim.hypotheses for v in h.figures.values()]

    def disagreements(self) -> Iterator[str]:
        if isinstance(self.certificate.declaration.scheme, Multigrid):
            yield from multigrid.disagreements(self)
            return
        for claim in self.certificate.claims.values():
            if claim.name in self.rules:
                yield from self.claim(claim, self.rules[claim.name])
            elif claim.name == "solver_convergence":
                yield from solvers.disagreements(self, claim)

    def claim(self, claim: Claim, rule: Rule) -> Iterator[str]:
        name = claim.name.replace("_", " ")
        for figure in self.figures(claim):
            require_plain(figure)
        if out_of_time(claim):
            return
        claim = self.with_limit(claim, rule)
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
        elif self.declared and self.numbers.clock is None and not self.explained(claim, rule):
            yield f"The reason given for {name} has figures that are not those of the problem."
        elif claim.reason.startswith(wording.sentence(rule.conclusion)):
            yield f"{name} is {claim.status}, but worded as if it were proved."

    @property
    def timed(self) -> bool:
        """Whether claims are about some times only, and have no limits, which would change with them."""
        clock = self.numbers.clock
        return clock is not None and bool(clock.until.is_finite)

    def with_limit(self, claim: Claim, rule: Rule) -> Claim:
        """The claim with the limit that it must not state, so that it is compared all the same."""
        if not self.timed or claim.status not in POSITIVE:
            return claim
        limit = (
            INFINITY if rule.limit is None or rule.needs(self.numbers) else rule.limit(self.numbers, claim)
        )
        figure = sp.oo if limit == INFINITY else sp.Float(str(limit), DIGITS)
        holds = at_most(self.numbers.number(self.certificate.tau), limit)
        return replace(claim, limit=figure, condition=sp.true if holds else sp.false)

    def applied(self, claim: Claim, rule: Rule, name: str) -> Iterator[str]:
        """A claim for which all hypotheses hold, so that tau is compared with a limit."""
        n = self.numbers
        failing = rule.needs(n) or (rule.compares(n) if self.declared else "")
        if failing:
            yield f"A hypothesis of {name} fails: {failing}."
            return
        yield from self.hypotheses(claim, rule, name)
        limit = INFINITY if rule.limit is None else rule.limit(n, claim)
        if self.declared and not self.agrees(claim.limit, limit):
            yield f"The limit {claim.limit} of {name} should be {float(limit):.12g}."
            return
        yield from self.condition(claim, name, limit)
        yield from self.status(claim, rule, name, limit)
        if self.declared and claim.status in POSITIVE:
            yield from self.factor(claim, rule, name)

    def explained(self, claim: Claim, rule: Rule) -> bool:
        """Whether the figures in the reason of a claim that is not proved are right."""
        for pattern, figures in rule.reasons.items():
            if re.fullmatch(pattern, claim.reason):
                return wording.slots(pattern, claim.reason, figures(self.numbers), self.numbers)
        return wording.explains(claim.reason, self.numbers, self.certificate)

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
        every += " The operator is zero." if every and rule.limit is not None else ""
        reason = wording.sentence(rule.conclusion) + every
        frozen = claim.name == "frozen_stability"
        changing = rule.weak(n)
        undecided = bool(
            self.certificate.tau.subs(parameters).free_symbols | (claim.limit or sp.oo).free_symbols
        )
        if status == Status.PROVED and not holds:
            yield f"{name} is claimed for tau = {self.certificate.tau}, beyond its limit {claim.limit}."
        if status == Status.PROVED_IF and (holds or not undecided or not isinstance(claim.condition, sp.Rel)):
            yield f"{name} is proved if {claim.condition}, which leaves nothing open."
        if status in (Status.PROVED, Status.PROVED_IF) and frozen and n.rate[0] < 0:
            yield f"{name} holds only as linearised: the reaction lets modes grow."
        if status in (Status.PROVED, Status.PROVED_IF) and changing:
            yield f"{name} holds only as linearised: {changing}."
        if status == Status.LINEARISED:
            grows = frozen and not (n.exact and n.rate[0] >= 0)
            reason = f"With frozen coefficients, {reason} But {changing}."
            reason = reason if changing else LETS_GROW.format(rule.per)
            if not (grows or changing) or not (holds or undecided):
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
        frozen = claim.status == Status.LINEARISED and claim.name == "frozen_stability"
        linearised = frozen and not rule.weak(self.numbers)
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
        names = rule.hypotheses[:-1] if rule.weak(n) else rule.hypotheses
        own = claim.hypotheses[: len(names)]
        rest = wording.assumed(n.semi, n.given)
        if tuple(h.name for h in own) != names or list(claim.hypotheses[len(own) :]) != rest:
            needed = ", ".join(names)
            yield f"The proof of {name} must discharge: {needed}, and list what is assumed."
            return
        for h in own:
            if h.name in rule.own:
                yield from self.particular(h, rule.own[h.name], name)
                continue
            if h.statement != STATEMENTS[h.name] or not wording.how(h, n, self.certificate.ranges):
                yield f'How "{h.name}" holds in the proof of {name} is not what the declaration gives.'
            try:
                self.check_figures(h)
            except RecheckError as error:
                yield f"{error} in the proof of {name}."

    def particular(self, h: Discharged, own: Own, name: str) -> Iterator[str]:
        wrong = own.wrong(self.numbers, h)
        if h.statement != own.statement or wrong:
            why = f": {wrong}" if wrong else ""
            yield f'"{h.name}" in the proof of {name} is stated otherwise than it holds{why}.'

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
