"""Systems: the rules of each equation with the other unknowns as known fields, and counterexamples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from pde2net.audit import invariance
from pde2net.audit.claims import Rule
from pde2net.audit.consistency import disagreements as consistency_disagreements
from pde2net.audit.exactly import NoOpinionError
from pde2net.audit.networks import is_described, misreported, neutral, ratio, testable
from pde2net.audit.numbers import Numbers
from pde2net.audit.rows import Rows, Values
from pde2net.audit.rules import rules
from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import RecheckError
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.language.schemes import DuFortFrankel
from pde2net.network import Network
from pde2net.verify.certificate import Claim

CLOSE, MARGIN = 1e-12, 1e-9
# Claims about a system that its equations say nothing about one by one.
DATA = ("bounded_by_data", "lipschitz_in_data", "averaged")
JOINT = ("nonexpansive", "energy_decay", "well_posed", "solver_convergence", "consistency", *DATA)


def without_reaction(part: Semidiscrete) -> Semidiscrete:
    return replace(part, form=replace(part.form, reaction=sp.S.Zero))


def of_equations(
    network: Network, semi: SemidiscreteSystem, claim: Claim, values: Values, exact: bool
) -> Iterator[tuple[Rule, Numbers]]:
    """The rule of a claim for each equation, with its numbers.

    Raises NoOpinionError where a claim of equations is not one about the system, or is not known here.
    """
    problem = semi.form.problem
    if problem.depends_on_time or isinstance(network.scheme, DuFortFrankel):
        raise NoOpinionError("such systems are not derived a second time")
    if claim.name in JOINT and semi.form.coupled:
        raise NoOpinionError("the equations are coupled")
    for part in semi.parts:
        own = own_claim(claim, part)
        bare = without_reaction(part) if claim.name == "frozen_stability" else part
        table: Mapping[str, Rule] = rules(_about(network, own), bare, semi.parts)
        if claim.name not in table:
            raise NoOpinionError(f"{claim.name} is not known here")
        given = dict(part.form.problem.parameters) if any(h.how == "given" for h in own.hypotheses) else {}
        rows = Rows(network.certificate.ranges, values)
        if not invariance.assumes(claim):
            yield table[claim.name], Numbers(bare, rows, given, exact)
            continue
        inner = part.within
        if inner is None:
            raise RecheckError(f"{claim.name} assumes a range of {part.form.state} that is not declared")
        yield invariance.keeps(network, rules(network, inner, semi.parts)), Numbers(inner, rows, given, exact)
        if claim.name != "maximum_principle":
            ranged = without_reaction(inner) if claim.name == "frozen_stability" else inner
            about = ranged if invariance.assumes(own) else bare
            yield table[claim.name], Numbers(about, rows, given, exact)


def _about(network: Network, claim: Claim) -> Network:
    certificate = network.certificate
    claims = {**certificate.claims, claim.name: claim}
    return replace(network, certificate=replace(certificate, claims=claims))


def own_claim(claim: Claim, part: Semidiscrete) -> Claim:
    """With the hypotheses of one equation."""
    own = (h for h in claim.hypotheses if h.name.endswith(f" ({part.form.state})"))
    return replace(claim, hypotheses=tuple(own))


def orders(network: Network, semi: SemidiscreteSystem) -> Iterator[str]:
    """Consistency of each equation, with the other unknowns as smooth fields."""
    claim = network.certificate.claims["consistency"]
    for part in semi.parts:
        yield from consistency_disagreements(network, part, own_claim(claim, part))


def counterexample(network: Network, semi: SemidiscreteSystem, claim: Claim) -> Iterator[str]:
    """What is wrong with an input whose norm grows; of frozen stability without the reactions."""
    name, witness = claim.name.replace("_", " "), claim.witness or {}
    known = {"u0", "excess", "description", "fields", "pattern", "amplitude"}
    if claim.name not in ("l2_stability", "frozen_stability") or not known >= set(witness):
        yield f"{name} of a system cannot be refuted so."
        return
    parts = tuple(map(without_reaction, semi.parts)) if claim.name == "frozen_stability" else semi.parts
    bare = replace(semi, form=replace(semi.form, parts=tuple(p.form for p in parts)), parts=parts)
    graph = build(bare, network.certificate.tau, network.update)
    u0 = np.array(witness["u0"], dtype=float)
    fields = {k: np.array(v, dtype=float) for k, v in witness.get("fields", {}).items()}
    still = {f.name: neutral(f) for f in semi.form.fields}
    pairs = zip(u0, semi.form.problem.ranges or (), strict=False)
    if not all(float(a) <= float(c.min()) and float(c.max()) <= float(b) for c, (a, b) in pairs):
        yield f"The counterexample to {name} lies outside of the declared ranges of the unknowns."
        return
    if not testable(semi.form):
        yield f"There is no counterexample to {name} with known fields that are not what was declared."
        return
    if set(fields) != set(still) or any((fields[k] != v).any() for k, v in still.items()):
        yield f"The counterexample to {name} has other known fields than 0, or 1 with their sign."
        return
    with np.errstate(all="ignore"):
        u1 = Interpreter(graph)(u0, fields)
    wrong = list(misreported(name, witness["excess"], ratio(u1, u0), MARGIN, CLOSE))
    yield from wrong
    if not wrong and not is_described(semi, u0, witness, _said(claim, semi)):
        yield f"The counterexample to {name} is described otherwise."


def _said(claim: Claim, semi: SemidiscreteSystem) -> str:
    bare = claim.name == "frozen_stability" and semi.form.reaction != 0
    return "without its reactions, the norm grows by" if bare else "norm grows by"
