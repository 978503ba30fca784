"""Certificates of systems, checked again: the rules of each equation, and what equations may say together."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from pde2net.audit import cells
from pde2net.audit.claims import Rule
from pde2net.audit.conclusions import POSITIVE, Conclusions
from pde2net.audit.consistency import disagreements as consistency_disagreements
from pde2net.audit.exactly import INFINITY, Number, at_most, require_plain, same
from pde2net.audit.iterations import joint
from pde2net.audit.numbers import Numbers
from pde2net.audit.rows import Rows, Values
from pde2net.audit.rules import rules
from pde2net.audit.wording import sentence
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.errors import RecheckError
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.language.declaration import Declaration
from pde2net.language.schemes import AOS, CELLS, DuFortFrankel, Explicit, Implicit
from pde2net.language.solvers import Kacanov, Newton
from pde2net.scheme.registry import update_of
from pde2net.verify.certificate import Certificate, Claim, Discharged, Status

JOINT = ("nonexpansive", "energy_decay", "well_posed", "solver_convergence")
TOGETHER = "The equations are coupled; nothing is derived about how the unknowns act on each other."
ALONE = "With the reactions left out, "
CLOSE, MARGIN = 1e-12, 1e-9


def require_known(certificate: Certificate) -> None:
    """Raises RecheckError for systems whose certificates cannot be checked again."""
    scheme, problem = certificate.declaration.scheme, certificate.declaration.problem
    if problem.depends_on_time or certificate.training is not None or isinstance(scheme, DuFortFrankel):
        raise RecheckError(
            "systems whose coefficients contain t, trained ones, and Du Fort-Frankel for systems cannot be "
            "checked again yet"
        )


def without_reaction(part: Semidiscrete) -> Semidiscrete:
    return replace(part, form=replace(part.form, reaction=sp.S.Zero))


@dataclass(frozen=True)
class System:
    """One system at one choice of numbers; `declared` as in Conclusions."""

    certificate: Certificate
    semi: SemidiscreteSystem
    values: Values
    exact: bool
    declared: bool

    # -- what may be said ---------------------------------------------------------------------------

    @property
    def coupled(self) -> bool:
        return self.semi.form.coupled

    @property
    def solver(self) -> object:
        return getattr(self.certificate.declaration.scheme, "solver", None)

    def permitted(self, name: str) -> bool:
        """Whether a claim about equations is one about the system: others are fixed fields in each map."""
        scheme = self.certificate.declaration.scheme
        lagged = isinstance(scheme, Implicit) and isinstance(self.solver, Kacanov)
        single = lagged or isinstance(scheme, Explicit | AOS) or not self.coupled
        if name in JOINT:
            return not self.coupled
        if name == "mean_preservation":
            return not (self.coupled and isinstance(self.solver, Newton))
        if name == "maximum_principle":
            forms = self.semi.form.parts
            pulled = any(f.reaction.free_symbols & self.semi.form.others(f) for f in forms)
            return single and not pulled
        if name == "frozen_stability" and not single:
            return not any(_diffusing(p) & self.semi.form.others(p.form) for p in self.semi.parts)
        return single

    # -- the equations ------------------------------------------------------------------------------

    def part_certificate(self, index: int) -> Certificate:
        declared = self.certificate.declaration
        own = Declaration(declared.problem.parts[index], declared.scheme, declared.grid)
        asked = self.numbers(index, False).asked()
        ranges = tuple(a for a in self.certificate.ranges if a in asked)
        return replace(self.certificate, declaration=own, ranges=ranges)

    def numbers(self, index: int, alone: bool) -> Numbers:
        part = self.semi.parts[index]
        values = part.form.problem.parameters
        state = part.form.state.name
        hypotheses = [h for c in self.certificate.claims.values() for h in own_hypotheses(c, state)]
        given = dict(values) if any(h.how == "given" for h in hypotheses) else {}
        return Numbers(
            without_reaction(part) if alone else part,
            Rows(self.certificate.ranges, self.values),
            given,
            self.exact,
        )

    def rules(self, index: int, n: Numbers) -> Mapping[str, Rule]:
        scheme = self.certificate.declaration.scheme
        if not isinstance(scheme, CELLS):
            return rules(self.part_certificate(index), n)
        return cells.rules(joint(self.semi, scheme), n)

    # -- claims -------------------------------------------------------------------------------------

    def disagreements(self) -> Iterator[str]:
        for claim in self.certificate.claims.values():
            name = claim.name.replace("_", " ")
            for figure in Conclusions.figures(claim):
                require_plain(figure)
            if claim.name == "consistency":
                continue
            if claim.status in POSITIVE:
                yield from self.positive(claim, name)
            elif claim.hypotheses or claim.factor is not None:
                yield f"{name} is {claim.status}, but lists hypotheses."
            if (claim.witness is not None) != (claim.status == Status.REFUTED):
                yield f"{name} cannot be {claim.status} with what is stated."

    def positive(self, claim: Claim, name: str) -> Iterator[str]:
        if not self.permitted(claim.name):
            yield f"{name} cannot be claimed: {TOGETHER}"
            return
        frozen = claim.name == "frozen_stability"
        found: list[tuple[Rule, Numbers, Number]] = []
        for index, part in enumerate(self.semi.parts):
            n = self.numbers(index, frozen)
            table = self.rules(index, n)
            if claim.name not in table:
                yield f"{name} of a system cannot be confirmed."
                return
            rule, state = table[claim.name], part.form.state.name
            failing = rule.needs(n) or (rule.compares(n) if self.declared else "")
            if failing:
                yield f"A hypothesis of {name} fails for {state}: {failing}."
                return
            own = replace(claim, hypotheses=own_hypotheses(claim, state))
            about = Conclusions(self.part_certificate(index), n, self.declared, table)
            yield from about.hypotheses(own, rule, f"{name} of {state}")
            found.append((rule, n, INFINITY if rule.limit is None else rule.limit(n, own)))
        names = {p.form.state.name for p in self.semi.parts}
        if any(suffix(h) not in names for h in claim.hypotheses):
            yield f"The proof of {name} has hypotheses about no equation."
        yield from self.compared(claim, name, found)

    def compared(self, claim: Claim, name: str, found: list[tuple[Rule, Numbers, Number]]) -> Iterator[str]:
        n, tau = found[0][1], self.certificate.tau
        limit = min(limit for *_, limit in found)
        holds = at_most(n.number(tau), limit)
        certain = Conclusions(self.certificate, n, self.declared, {}).certainly(claim)
        reactions = claim.name == "frozen_stability" and self.semi.form.reaction != 0
        weak = any(rule.weak(m) for rule, m, _ in found) or reactions
        if claim.limit is None or (self.declared and not same(n.number(claim.limit), limit)):
            yield f"The limit {claim.limit} of {name} should be {float(limit):.12g}."
            return
        if claim.condition is None or bool(claim.condition.subs(self.values)) != holds:
            yield f"The condition {claim.condition} of {name} should be tau <= {float(limit):.12g}."
        if claim.status == Status.PROVED and not certain:
            yield f"{name} is claimed for tau = {tau}, beyond its limit {claim.limit}."
        if claim.status == Status.PROVED_IF and certain:
            yield f"{name} is proved if {claim.condition}, which leaves nothing open."
        if (claim.status == Status.LINEARISED) != weak:
            yield f"{name} cannot be {claim.status}."
        if claim.theorem != "; ".join(dict.fromkeys(rule.title for rule, *_ in found)):
            yield f"The theorem of {name} is another."
        expected = self.reason([_reason(rule, m, limit) for rule, m, limit in found])
        if reactions:
            expected = f"{ALONE}{expected} {TOGETHER if self.coupled else ''}".strip()
        if claim.reason != expected:
            yield f"The reason given for {name} should be: {expected}"
        if self.declared and claim.factor is not None:
            largest = [max(rule.factors(m, m.number(tau)), default=None) for rule, m, _ in found]
            known = [f for f in largest if f is not None]
            if len(known) < len(found) or not same(n.number(claim.factor), max(known)):
                yield f"The factor {claim.factor} of {name} should be another."

    def reason(self, reasons: list[str]) -> str:
        if len(set(reasons)) == 1:
            return reasons[0]
        names = (p.form.state.name for p in self.semi.parts)
        return " ".join(f"{name}: {reason}" for name, reason in zip(names, reasons, strict=True))


def _reason(rule: Rule, n: Numbers, limit: Number) -> str:
    reason = sentence(rule.conclusion)
    if limit == INFINITY:
        reason += " Holds for every tau." + (" The operator is zero." if rule.limit is not None else "")
    changing = rule.weak(n)
    return f"With frozen coefficients, {reason} But {changing}." if changing else reason


def _diffusing(part: Semidiscrete) -> set[sp.Symbol]:
    """Known fields in fluxes and factors, also by their slopes and smoothed."""
    form, found = part.form, set[sp.Symbol]()
    for term in form.terms:
        stack: list[object] = list(vars(term).values())
        while stack:
            entry = stack.pop()
            if isinstance(entry, sp.Basic):
                found |= entry.free_symbols
            elif isinstance(entry, tuple):
                stack += entry
            elif hasattr(entry, "__dict__"):
                stack += list(vars(entry).values())
    owners = {form.field_slopes[s][0] for s in found if s in form.field_slopes}
    return found | owners


def suffix(hypothesis: Discharged) -> str:
    match = re.fullmatch(r".* \((\w+)\)", hypothesis.name)
    return match[1] if match else ""


def own_hypotheses(claim: Claim, state: str) -> tuple[Discharged, ...]:
    """Those of one equation, under their names."""
    own = [h for h in claim.hypotheses if suffix(h) == state]
    return tuple(replace(h, name=h.name.removesuffix(f" ({state})")) for h in own)


def orders(certificate: Certificate, semi: SemidiscreteSystem) -> Iterator[str]:
    """Consistency of each equation, with the other unknowns as smooth fields."""
    claim = certificate.claims["consistency"]
    if claim.status != Status.PROVED:
        if claim.hypotheses or claim.status not in (Status.UNKNOWN, Status.NOT_APPLICABLE):
            yield f"Consistency cannot be {claim.status}."
        return
    system = System(certificate, semi, {}, True, True)
    if system.coupled and getattr(system.solver, "iterations", None) is not None:
        yield "The order of a fixed number of iterations is not known where equations are coupled."
        return
    names = [p.form.state.name for p in semi.parts]
    pattern = " ".join(f"{re.escape(name)}: (.*)" for name in names)
    match = re.fullmatch(pattern, claim.reason)
    for index, (name, part) in enumerate(zip(names, semi.parts, strict=True)):
        reason = match[index + 1] if match else claim.reason
        own = replace(claim, hypotheses=own_hypotheses(claim, name), reason=reason)
        about = system.part_certificate(index)
        yield from consistency_disagreements(
            replace(about, claims={**about.claims, "consistency": own}), part, {}, part
        )


def counterexamples(certificate: Certificate, semi: SemidiscreteSystem) -> Iterator[str]:
    """Inputs of a system whose norm grows; of frozen stability without the reactions."""
    for claim in certificate.claims.values():
        if claim.status != Status.REFUTED:
            continue
        name, witness = claim.name.replace("_", " "), claim.witness or {}
        if claim.name not in ("l2_stability", "frozen_stability") or set(witness.get("parameters", {})):
            yield f"{name} of a system cannot be refuted so."
            continue
        parts = tuple(map(without_reaction, semi.parts)) if claim.name == "frozen_stability" else semi.parts
        form = replace(semi.form, parts=tuple(p.form for p in parts))
        bare = replace(semi, form=form, parts=parts)
        graph = build(bare, certificate.tau, update_of(certificate.declaration.scheme))
        u0 = np.array(witness["u0"], dtype=float)
        fields = {k: np.array(v, dtype=float) for k, v in witness.get("fields", {}).items()}
        neutral = {f.name: 1 if f.is_positive else -1 if f.is_negative else 0 for f in semi.form.fields}
        if set(fields) != set(neutral) or any((fields[k] != v).any() for k, v in neutral.items()):
            yield f"The counterexample to {name} has other known fields than 0, or 1 with their sign."
            continue
        with np.errstate(all="ignore"):
            u1 = Interpreter(graph)(u0, fields)
            grown = float(np.linalg.norm(u1) / np.linalg.norm(u0)) - 1
        stated = witness["excess"]
        if not (grown > MARGIN or not np.isfinite(u1).all()):
            yield f"The counterexample to {name} does not violate it."
        elif np.isfinite(grown) and not abs(stated - grown) <= CLOSE * (1 + abs(grown)):
            yield f"The counterexample to {name} violates it by {grown:.6g}, not by {stated:.6g}."
