"""One scheme for a prepared problem: what is proved about it, and its network where that is to be run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from pde2net.graph.build import build
from pde2net.guidance.limit import Prepared
from pde2net.language.declaration import Declaration
from pde2net.language.schemes import Scheme
from pde2net.network import Network
from pde2net.scheme.registry import shortest
from pde2net.verify.case import Case
from pde2net.verify.certificate import Certificate, Claim, Status
from pde2net.verify.claims import claims
from pde2net.verify.plan import Plan, planned
from pde2net.verify.subject import subject


@dataclass(frozen=True)
class Trial:
    """A scheme with the claims about it, derived as `verify` does but without a search for counterexamples.

    What is proved is the same; what is refuted there may be unknown here.
    """

    prepared: Prepared
    plan: Plan
    claims: Mapping[str, Claim]

    @property
    def stable(self) -> Status | None:
        """PROVED, LINEARISED if that is known for frozen coefficients only, None if nothing is."""
        if deciding(self.claims).status == Status.PROVED:
            return Status.PROVED
        known = (self.claims[n].status for n in ("l2_stability", "frozen_stability"))
        return Status.LINEARISED if {Status.PROVED, Status.LINEARISED} & set(known) else None

    def named(self, status: Status) -> tuple[str, ...]:
        return tuple(name for name, claim in self.claims.items() if claim.status == status)

    @cached_property
    def network(self) -> Network:
        """The whole network."""
        semi, facts = self.prepared.semi, self.prepared.facts
        declaration = Declaration(self.prepared.problem, self.plan.scheme, self.prepared.grid)
        certificate = Certificate(subject(self.plan), self.plan.tau, self.claims, declaration, facts.answers)
        graph = build(semi.in_domain, self.plan.tau, self.plan.update)
        return Network(semi, self.plan.scheme, graph, self.plan.update, certificate)


def trial(prepared: Prepared, scheme: Scheme) -> Trial:
    """Raises DeclarationError, EquationError or StabilityError for what does not fit the problem.

    TypeError means that the scheme cannot be compiled yet.
    """
    semi, facts = prepared.semi, prepared.facts
    plan = planned(semi, scheme, facts)
    build(semi, plan.tau, shortest(plan.update))
    return Trial(prepared, plan, claims(Case(semi, facts, plan.scheme, plan.update, plan.tau, None)))


def deciding(found: Mapping[str, Claim]) -> Claim:
    """l2 stability, or with a source term, for which that is no question, frozen stability.

    Where these are not decided, a range that all states keep; of steady states, that there is one.
    """
    name = "l2_stability" if found["l2_stability"].status != Status.NOT_APPLICABLE else "frozen_stability"
    claim, kept = found[name], found["maximum_principle"]
    if claim.status in (Status.PROVED, Status.PROVED_IF, Status.REFUTED):
        return claim
    if claim.status == Status.NOT_APPLICABLE:
        return found["well_posed"]
    return kept if kept.status in (Status.PROVED, Status.PROVED_IF) else claim
