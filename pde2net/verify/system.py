"""Certificates of systems: what holds for each equation whatever the others are (docs/theory.md, 4.16).

An explicit step of one equation treats the other unknowns as known fields, so claims that hold for every
field hold for the system. Lipschitz bounds and energies need more, and are not derived where equations are
coupled; neither is anything about what reactions do together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import DeclarationError, StabilityError
from pde2net.graph.build import build
from pde2net.graph.build.linear import LinearSystems, linear_systems
from pde2net.graph.network import Graph
from pde2net.language.declaration import Declaration
from pde2net.language.schemes import AOS, DuFortFrankel, Explicit, Implicit, Scheme
from pde2net.language.solvers import Kacanov, Newton
from pde2net.scheme.cell import Cell
from pde2net.scheme.method import Update
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import TAU, Stack
from pde2net.scheme.unet import UNet
from pde2net.verify.bounds import Bounds
from pde2net.verify.case import Case
from pde2net.verify.certificate import CLAIMS, Because, Certificate, Claim, Discharged, Status, because
from pde2net.verify.claims import claims, derived
from pde2net.verify.clock import require_time, require_values
from pde2net.verify.engine import Witnesses, gather_until, searching
from pde2net.verify.evaluation import Evaluation
from pde2net.verify.facts import Facts
from pde2net.verify.plan import EVERY_STEP, SystemPlan, range_limits, smallest_alpha
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.measures import growth
from pde2net.verify.subject import subject
from pde2net.verify.theorem import NOTHING_FOUND
from pde2net.verify.theorems.invariance import stays
from pde2net.verify.theorems.stages import SOLVER

PROVED = (Status.PROVED, Status.PROVED_IF)
# Claims for which it is not enough to look at one equation at a time.
DATA = ("bounded_by_data", "lipschitz_in_data", "averaged")
JOINT = ("nonexpansive", "energy_decay", "well_posed", "solver_convergence", *DATA)
_COUPLED = because("coupled")


def gather_system(semi: SemidiscreteSystem, scheme: Scheme) -> tuple[Facts, ...]:
    """What is known about each equation."""
    return tuple(gather_until(part, scheme) for part in semi.parts)


def planned_system(semi: SemidiscreteSystem, scheme: Scheme, facts: Sequence[Facts]) -> SystemPlan:
    """Raises DeclarationError for multigrid, StabilityError if no step is proved; else as `planned`."""
    require_time(semi.form.problem, scheme)
    if isinstance(scheme, Explicit) and scheme.fidelity == "implicit":
        raise DeclarationError('fidelity="implicit" is for one equation, not for systems.')
    update = update_of(scheme, _alpha(scheme, facts))
    if isinstance(update, UNet):
        raise DeclarationError(
            "Multigrid takes one equation; a system takes explicit schemes, Implicit, Theta and AOS."
        )
    tau = _largest_step(semi, scheme, update, facts) if scheme.tau is None else scheme.tau
    for part in semi.parts:
        require_values(part, update, tau)
    return SystemPlan(semi, scheme, tau, update)


def _alpha(scheme: Scheme, facts: Sequence[Facts]) -> sp.Expr | None:
    found = [smallest_alpha(scheme, f) for f in facts]
    return sp.Max(*found) if isinstance(scheme, DuFortFrankel) else None


def _largest_step(
    semi: SemidiscreteSystem, scheme: Scheme, update: Update, facts: Sequence[Facts]
) -> sp.Expr:
    """The smallest limit of the diffusion of each unknown."""
    systems = _systems(semi, update)
    pairs = zip(semi.parts, facts, strict=True)
    cases = [Case(part, known, scheme, update, TAU, None, systems) for part, known in pairs]
    limits, reasons = range_limits(cases), list[str]()
    for case in cases:
        part = case.semi
        claim = claims(_alone(replace(case, facts=replace(case.facts, within=None))))["l2_stability"]
        if claim.limit is None or claim.status not in (*PROVED, Status.LINEARISED):
            reasons.append(f"{part.form.state}: {claim.reason}")
        else:
            limits.append(claim.limit)
    found = sp.Min(*limits)
    if reasons:
        raise StabilityError(f"The largest proved step is asked for, but none is proved. {' '.join(reasons)}")
    if found == sp.oo:
        raise DeclarationError(EVERY_STEP)
    return found


def _without_reaction(part: Semidiscrete) -> Semidiscrete:
    joint = None if part.joint is None else _without_reaction(part.joint)
    return replace(part, form=replace(part.form, reaction=sp.S.Zero), joint=joint)


def _alone(case: Case) -> Case:
    """The diffusion of one unknown."""
    zero = Bounds(sp.S.Zero, sp.S.Zero)
    known = replace(case.facts, damping=zero, rate=zero, source=False)
    if known.within is not None:
        known = replace(known, within=replace(known.within, damping=zero, rate=zero, source=False))
    return replace(case, semi=_without_reaction(case.semi), facts=known)


def _systems(semi: SemidiscreteSystem, update: Update) -> LinearSystems | None:
    """How the linear systems of all equations are solved together."""
    return linear_systems(semi, update) if isinstance(update, Cell) and update.solver is not None else None


def certify_system(
    plan: SystemPlan,
    graph: Graph,
    facts: Sequence[Facts],
    values: Evaluation,
    stated: Witnesses | None = None,
) -> Certificate:
    """The certificate of `graph`, the network of a system; `values` and `stated` as in `certify`."""
    semi = plan.semi
    system = _System(plan, graph, facts, stated)
    found = {name: values.rests(system.claim(name)) for name in CLAIMS}
    answers = tuple(dict.fromkeys(a for f in facts for a in f.answers))
    declaration = Declaration(semi.form.problem, plan.scheme, semi.grid)
    return Certificate(subject(plan), plan.tau, found, declaration, answers)


class _System:
    def __init__(
        self, plan: SystemPlan, graph: Graph, facts: Sequence[Facts], stated: Witnesses | None
    ) -> None:
        semi, self.stated = plan.semi, stated
        self.semi, self.form, self.plan, self.graph, self.facts = semi, semi.form, plan, graph, facts
        self.names = [str(s) for s in self.form.states]
        options, systems = (plan.scheme, plan.update, plan.tau), _systems(semi, plan.update)
        pairs = list(zip(semi.parts, facts, strict=True))
        cases = [Case(part, known, *options, None, systems) for part, known in pairs]
        parts = self.ranges(cases)
        self.kept = self.combined("maximum_principle", parts) if parts else None
        if self.kept is not None and self.kept.status in PROVED:  # by all of them together
            joint = replace(self.kept, hypotheses=tuple(h for part in parts for h in part.hypotheses))
            cases = [replace(case, kept=joint) for case in cases]
        else:
            cases = [replace(case, facts=replace(case.facts, within=None)) for case in cases]
        self.whole = [claims(case) for case in cases]
        self.alone = [claims(_alone(case)) for case in cases]
        self.solver = plan.update.solver if isinstance(plan.update, Cell) else None
        # Every new state is that of a step whose other unknowns are some known fields.
        lagged = isinstance(plan.scheme, Implicit) and isinstance(self.solver, Kacanov)
        self.several = not (lagged or isinstance(plan.scheme, Explicit | AOS))
        self.moving = because(f"moving in {'iterations' if isinstance(plan.update, Cell) else 'stages'}")

    def claim(self, name: str) -> Claim:
        if name == "solver_convergence" and not isinstance(self.plan.update, Cell):
            return SOLVER
        if name == "frozen_stability":
            return self.frozen()
        if name in JOINT and self.form.coupled:
            return Claim(name, Status.UNKNOWN, because=_COUPLED)
        if self.form.coupled and self.several and name not in ("consistency", "mean_preservation"):
            return Claim(name, Status.UNKNOWN, because=self.moving)
        if self.form.coupled and name == "mean_preservation" and isinstance(self.solver, Newton):
            return Claim(name, Status.UNKNOWN, because=_COUPLED)
        fixed = self.solver is not None and self.solver.iterations is not None
        if self.form.coupled and name == "consistency" and fixed:
            return Claim(name, Status.UNKNOWN, because=because("coupled order"))
        if name == "maximum_principle" and self.kept is not None:
            return self.kept
        if name == "maximum_principle" and self.pulled():
            return Claim(name, Status.UNKNOWN, because=_COUPLED)
        found = self.combined(name, [part[name] for part in self.whole])
        if name == "l2_stability" and self.exceeds(found):
            return self.refuted(found, self.semi, self.graph, "norm grows by")
        return found

    def ranges(self, cases: Sequence[Case]) -> list[Claim]:
        """That each unknown keeps its declared range, if all others do; empty if some have none.

        In an explicit step the others of each equation are those of the step before, which lie in theirs.
        """
        inner = [case.within for case in cases]
        if not all(isinstance(case.update, Stack) for case in cases) or None in inner:
            return []
        return [stays(case, derived) for case in inner if case is not None]

    def pulled(self) -> bool:
        """Whether a reaction depends on another unknown."""
        return any(part.reaction.free_symbols & self.form.others(part) for part in self.form.parts)

    def frozen(self) -> Claim:
        """The diffusion of each unknown alone; with reactions that says nothing of the whole."""
        if self.form.coupled and self.several and not self.constant():
            return Claim("frozen_stability", Status.UNKNOWN, because=self.moving)
        found = self.combined("frozen_stability", [part["frozen_stability"] for part in self.alone])
        if self.exceeds(found):
            parts = tuple(map(_without_reaction, self.semi.parts))
            form = replace(self.form, parts=tuple(part.form for part in parts))
            bare = replace(self.semi, form=form, parts=parts)
            network = build(bare, self.plan.tau, self.plan.update)
            said = "without its reactions, the norm grows by" if self.form.reaction != 0 else "norm grows by"
            found = self.refuted(found, bare, network, said)
        if self.form.reaction == 0 or found.status not in PROVED:
            return found
        why = because("no reactions") + found.because + (_COUPLED if self.form.coupled else ())
        return replace(found, status=Status.LINEARISED, because=why)

    def constant(self) -> bool:
        """Whether no diffusivity depends on another unknown."""
        return not any(_symbols(part.terms) & self.form.others(part) for part in self.form.parts)

    @staticmethod
    def exceeds(claim: Claim) -> bool:
        return claim.status == Status.UNKNOWN and claim.limit is not None

    def refuted(self, claim: Claim, semi: SemidiscreteSystem, graph: Graph, said: str) -> Claim:
        """The claim with a counterexample, if a search finds one."""
        search = searching(self.plan, semi, graph, self.facts, self.stated)
        witness = None if search is None else wit.seek(search.about(claim.name), growth, said)
        if witness is None:
            return claim
        why = tuple(part for part in claim.because if part.rule != NOTHING_FOUND)
        return replace(claim, status=Status.REFUTED, witness=witness, because=why)

    # -- one claim from those of the parts ---------------------------------------------------------

    def combined(self, name: str, parts: Sequence[Claim]) -> Claim:
        statuses = {part.status for part in parts}
        order = (Status.NOT_APPLICABLE, Status.UNKNOWN, Status.LINEARISED, Status.PROVED_IF, Status.PROVED)
        status = next(s for s in order if s in statuses)
        said = (
            {status} if status in order[:2] else statuses
        )  # why a claim is open, those say that leave it open
        limits = [part.limit for part in parts if part.limit is not None]
        complete = len(limits) == len(parts)
        conditions = [part.condition for part in parts if part.condition is not None]
        factors = [part.factor for part in parts if part.factor is not None]
        return Claim(
            name,
            status,
            condition=_together(conditions) if conditions and complete else None,
            limit=sp.Min(*limits) if complete else None,
            factor=sp.Max(*factors) if len(factors) == len(parts) else None,
            theorem="; ".join(dict.fromkeys(p.theorem for p in parts if p.theorem and p.status in said)),
            hypotheses=self.hypotheses(parts) if status not in order[:2] else (),
            because=self.together(
                {n: p.because for n, p in zip(self.names, parts, strict=True) if p.status in said}
            ),
        )

    @staticmethod
    def together(reasons: Mapping[str, tuple[Because, ...]]) -> tuple[Because, ...]:
        """The reasons of some equations by name, or the one that is that of all of them."""
        first = next(iter(reasons.values()))
        if all(reason == first for reason in reasons.values()):
            return first
        return tuple(b for name, said in reasons.items() for b in because("equation", state=name) + said)

    def hypotheses(self, parts: Sequence[Claim]) -> tuple[Discharged, ...]:
        """Those of all equations; the ranges of unknowns are no assumptions about fields."""
        return tuple(
            replace(h, name=f"{h.name} ({name})")
            for name, part in zip(self.names, parts, strict=True)
            for h in part.hypotheses
            if not (h.name == "bounds of a field" and h.statement.split()[0] in self.names)
        )


def _together(conditions: Sequence[sp.Basic]) -> sp.Basic:
    """tau <= the smallest of the bounds; strictly, if that is asked of any equation."""
    left = [c for c in conditions if c != sp.true]
    if not left or sp.false in left:
        return sp.false if left else sp.true
    relation = sp.Lt if any(isinstance(c, sp.StrictLessThan) for c in left) else sp.Le
    return relation(left[0].lhs, sp.Min(*(c.rhs for c in left)))


def _symbols(record: object) -> set[sp.Symbol]:
    """All symbols of the expressions in a record, or in tuples of records."""
    if isinstance(record, sp.Basic):
        return set(record.free_symbols)
    entries = record if isinstance(record, tuple) else getattr(record, "__dict__", {}).values()
    return {s for entry in entries for s in _symbols(entry)}


__all__ = ["certify_system", "gather_system", "planned_system"]
