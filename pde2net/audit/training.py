"""Certificates of trained networks: claims that are kept are checked as conditional ones, of what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import sympy as sp

from pde2net.audit.claims import Rule
from pde2net.audit.exactly import INFINITY, Number, at_most, drawn, same
from pde2net.audit.explicit import size_of
from pde2net.audit.lines import alpha_of
from pde2net.audit.numbers import Numbers
from pde2net.audit.rows import Rows
from pde2net.language.linear_operator import norm_symbol
from pde2net.language.problem import Problem
from pde2net.language.schemes import FED, FSI, RKL, DuFortFrankel, Explicit
from pde2net.verify.certificate import Certificate, Claim, Status

NAME = "kept step"
STATEMENT = "tau <= limit for all weights of learned operators"
HOW = "the network scales its filters down, by a bound of their norms that it computes"
STABLE = ("l2_stability", "frozen_stability")
DRAWS = 3  # of other values for what is trained


def norms(problem: Problem) -> set[sp.Symbol]:
    """The symbols of the norms of learned operators."""
    return {norm_symbol(operator) for operator in problem.operators}


def line(certificate: Certificate) -> dict[str, str]:
    """The line of the subject about training."""
    training = certificate.training
    if training is None:
        return {}
    text = ", ".join(training.trainable) if training.trainable else "nothing"
    text += "" if training.owner == "network" else f", each {training.owner} its own"
    if training.kept:
        text += "; for all their values: " + ", ".join(n.replace("_", " ") for n in training.kept)
    return {"training": text}


def conditional(certificate: Certificate) -> Certificate:
    """The same with kept claims as they are without what is kept: proved under their condition."""
    return replace(certificate, claims={n: _conditional(c) for n, c in certificate.claims.items()})


def _is_kept(claim: Claim) -> bool:
    return bool(claim.hypotheses) and claim.hypotheses[-1].name == NAME


def _conditional(claim: Claim) -> Claim:
    if claim.status != Status.PROVED or not _is_kept(claim):
        return claim
    return replace(claim, status=Status.PROVED_IF, hypotheses=claim.hypotheses[:-1])


def declared(certificate: Certificate) -> Iterator[str]:
    """What is wrong with what a certificate says about training, whatever the numbers are."""
    problem, scheme = certificate.declaration.problem, certificate.declaration.scheme
    training = certificate.training
    marked = [c for c in certificate.claims.values() if any(h.name == NAME for h in c.hypotheses)]
    if training is None:
        yield from (f"{c.name} is said to be kept, but nothing is trained." for c in marked)
        return
    known = {s.name for s in problem.symbols} | {k.name for k in problem.operators} | {"tau", "extrapolation"}
    if list(training.trainable) != sorted(set(training.trainable)) or not set(training.trainable) <= known:
        yield "What is trained are names of parameters and operators, sorted."
    several = size_of(scheme) is None and isinstance(scheme, FSI | FED | RKL)
    own = training.owner != "network"
    if training.owner not in ("network", "block", "cycle" if several and training.kept else "block"):
        yield f"Parameters cannot belong to each {training.owner}."
    if several and training.kept and training.owner == "block":
        yield "The blocks of a cycle must have the same parameters for its condition to be kept."
    if not training.kept and not (own and problem.operators):
        yield "No claim depends on what is trained."
    if training.kept and not isinstance(scheme, Explicit | DuFortFrankel | FSI | FED | RKL):
        yield f"{scheme.label} schemes keep no condition."
    if training.kept and "extrapolation" in training.trainable:
        yield "Nothing is kept if weights of the scheme are trained."
    if training.kept and not set(STABLE) & set(training.kept):
        yield "What is kept is the condition of l2 or frozen stability."
    for claim in marked:
        last = claim.hypotheses[-1]
        if claim.name not in training.kept or claim.status != Status.PROVED or last.name != NAME:
            yield f"{claim.name} is not kept."
        elif (last.statement, last.how, list(last.figures)) != (STATEMENT, HOW, ["limit"]):
            yield f"What keeps {claim.name} is worded otherwise."
    for claim in certificate.claims.values():
        positive = claim.status in (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)
        polynomial = claim.name in (*STABLE, "nonexpansive") and several and not training.kept
        ends = claim.name == "energy_decay" or polynomial
        if positive and own and problem.operators and ends and _blocks(certificate) > 1:
            yield f"{claim.name} does not hold for blocks with operators of their own."
        if claim.name in training.kept and not positive:
            yield f"{claim.name} is not proved, so it is not kept."
    if own and "energy_decay" in training.kept and _blocks(certificate) > 1:
        yield "Blocks with weights of their own have energies of their own."


def _blocks(certificate: Certificate) -> int:
    scheme = certificate.declaration.scheme
    if isinstance(scheme, FSI | FED):
        return scheme.cycle_length * scheme.cycles
    if isinstance(scheme, RKL):
        return scheme.steps * scheme.stages
    return scheme.steps if isinstance(scheme, Explicit | DuFortFrankel) else 1


def disagreements(certificate: Certificate, n: Numbers, rules: Mapping[str, Rule]) -> Iterator[str]:
    """What is wrong at some numbers: each kept claim must follow from tau <= limit of the first one kept."""
    training = certificate.training
    if training is None or not training.kept:
        return
    kept = _kept(certificate, n, rules)
    given = {s for s in n.given if s.name in training.trainable}
    if given:
        yield f"The value of {', '.join(sorted(map(str, given)))} is assumed, though it is trained."
    for name in training.kept:
        claim = certificate.claims[name]
        if name not in rules or not (claim.hypotheses or claim.status == Status.LINEARISED):
            yield f"{name} is said to be kept, which cannot be confirmed."
            continue
        if not at_most(kept, _limit(rules[name], n, claim)):
            yield f"{name} needs a smaller step than what is kept."
        for hypothesis in claim.hypotheses:
            if hypothesis.name == NAME and not same(n.number(hypothesis.figures["limit"]), kept):
                yield f"What is kept is tau <= {float(kept):.12g}."


def elsewhere(certificate: Certificate, n: Numbers) -> Iterator[Numbers]:
    """Numbers with other values for the parameters that are trained, where something is kept."""
    training = certificate.training
    if training is None or not training.kept:
        return
    symbols = [s for s in n.semi.form.problem.symbols if s.name in training.trainable]
    for draw in range(DRAWS):
        moved = {**n.rows.values, **drawn(symbols, draw)}
        yield Numbers(n.semi, Rows(n.rows.answers, moved), n.given, False)


def failures(certificate: Certificate, n: Numbers, rules: Mapping[str, Rule]) -> Iterator[str]:
    """Hypotheses of kept claims that fail at other values of what is trained."""
    for name in certificate.training.kept if certificate.training is not None else ():
        failing = "" if name not in rules else rules[name].needs(n) or rules[name].compares(n)
        if failing:
            yield f"{name} is not kept for all values: {failing}."


def _kept(certificate: Certificate, n: Numbers, rules: Mapping[str, Rule]) -> Number:
    """The largest step that the network takes: the limit of l2 stability, or of frozen stability."""
    training, scheme = certificate.training, certificate.declaration.scheme
    if isinstance(scheme, DuFortFrankel):  # also where every step is stable
        return 1 / (2 * n.number(alpha_of(certificate)))
    source = next(name for name in STABLE if training is not None and name in training.kept)
    return _limit(rules[source], n, certificate.claims[source])


def _limit(rule: Rule, n: Numbers, claim: Claim) -> Number:
    return INFINITY if rule.limit is None else rule.limit(n, claim)
