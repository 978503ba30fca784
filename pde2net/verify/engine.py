"""From operators and a scheme to a certificate."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import ConvergenceWarning, GridWarning
from pde2net.graph.build import build
from pde2net.graph.network import Graph
from pde2net.language.declaration import Declaration
from pde2net.language.schemes import Multigrid, Scheme
from pde2net.scheme.registry import shortest
from pde2net.verify.case import Case
from pde2net.verify.certificate import Certificate, Claim, Status
from pde2net.verify.claims import claims
from pde2net.verify.clock import of_network, require_time
from pde2net.verify.elasticity import with_elasticities
from pde2net.verify.evaluation import Evaluation
from pde2net.verify.facts import Facts, gather
from pde2net.verify.plan import Plan, SystemPlan
from pde2net.verify.refute.candidates import amplitudes
from pde2net.verify.refute.search import Search, Stated, testable
from pde2net.verify.subject import subject

TRUNCATION = 1e-3  # growth of the norm


Witnesses = Mapping[str, Mapping[str, Any]]


def certify(
    plan: Plan, graph: Graph, facts: Facts, values: Evaluation, stated: Witnesses | None = None
) -> Certificate:
    """The certificate of `graph`, the network of `plan`. No torch is imported.

    `values` says whether the network evaluates to numbers. With `stated`, these counterexamples are those
    that a search for one to a claim finds.
    """
    semi, tau = plan.semi, plan.tau
    facts = with_elasticities(semi.form, plan.update, facts)
    # Weights of learned operators and numbers given at the call are not known, so no input can be run.
    unknown = semi.form.learned or semi.form.inputs
    search = None if unknown else searching(plan, semi, graph, (facts,), stated)
    case = Case(semi, facts, plan.scheme, plan.update, tau, search)
    declaration = Declaration(semi.form.problem, plan.scheme, semi.grid)
    with warnings.catch_warnings():
        for kind in (ConvergenceWarning, GridWarning):
            warnings.simplefilter("ignore", kind)
        found = {name: values.rests(claim) for name, claim in claims(case).items()}
    return Certificate(subject(plan), tau, found, declaration, facts.answers)


def searching(
    plan: Plan | SystemPlan,
    semi: Semidiscrete | SemidiscreteSystem,
    graph: Graph,
    facts: Iterable[Facts],
    stated: Witnesses | None,
) -> Search | None:
    """The search, or what stands in its place when a certificate is derived again; None without a number."""
    problem, tau = semi.form.problem, plan.tau
    if tau.subs(problem.parameters).free_symbols or not testable(semi.form):
        return None
    squares = [s for f in facts for s in (*f.amplitudes, *f.expanding_at)]
    # Blocks at different times are different maps: then only the whole network is run.
    first = graph if problem.depends_on_time else build(semi, tau, shortest(plan.update))
    common = semi, first, graph, tau, amplitudes(semi, squares)
    return Search(*common) if stated is None else Stated(*common, witnesses=stated)


def gather_until(semi: Semidiscrete, scheme: Scheme) -> Facts:
    """All facts; of coefficients that contain t for all t or, if that says too little, for the network."""
    require_time(semi.form.problem, scheme)
    facts = gather(semi)
    if facts.until is None or scheme.tau is None or (facts.norm is not None and facts.rate is not None):
        return facts
    clock = of_network(semi, scheme)
    return facts if clock is None else gather(semi, clock=clock)


def instability(certificate: Certificate) -> Claim | None:
    """The claim that makes the network refused: l2 or frozen stability, or the declared range, refuted.

    Of multigrid, growth below TRUNCATION is not refused: what the cycles leave of the residual explains it.
    """
    cycles = isinstance(certificate.declaration.scheme, Multigrid)
    ranged = certificate.declaration.problem.ranges is not None
    for name in ("l2_stability", "frozen_stability", *(("maximum_principle",) if ranged else ())):
        claim = certificate.claims[name]
        small = cycles and claim.witness is not None and claim.witness["excess"] < TRUNCATION
        if claim.status == Status.REFUTED and not small:
            return claim
    return None
