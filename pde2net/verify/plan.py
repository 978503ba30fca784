"""What is left open in a scheme is decided: the largest proved step, the smallest admissible alpha."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import DeclarationError, StabilityError
from pde2net.language.schemes import DuFortFrankel, Explicit, Multigrid, Scheme
from pde2net.language.solvers import Descent
from pde2net.normalise.affine import affine
from pde2net.scheme.cell import MARGIN, OMEGA, Cell
from pde2net.scheme.method import Update
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import TAU, Stack
from pde2net.verify.case import Case
from pde2net.verify.certificate import Status
from pde2net.verify.claims import derived, stability
from pde2net.verify.clock import require_time, require_values
from pde2net.verify.facts import Facts
from pde2net.verify.norms import shortened
from pde2net.verify.theorems.du_fort_frankel import alpha_of
from pde2net.verify.theorems.invariance import stays

EVERY_STEP = "The largest proved step is asked for, but every tau is stable; give a number."


@dataclass(frozen=True)
class Plan:
    """A scheme for one semidiscrete problem, with its step and its update."""

    semi: Semidiscrete
    scheme: Scheme
    tau: sp.Expr
    update: Update


@dataclass(frozen=True)
class SystemPlan:
    """The same for a system, whose update is no U-net."""

    semi: SemidiscreteSystem
    scheme: Scheme
    tau: sp.Expr
    update: Stack | Cell


def planned(semi: Semidiscrete, scheme: Scheme, facts: Facts) -> Plan:
    """Raises StabilityError if tau = None or alpha = None and nothing is proved.

    Raises DeclarationError for learned operators in multigrid schemes, for reactions that no step takes
    implicitly where that is asked for, and for the steady state of coefficients that contain t; EquationError
    if these have no value at a step.
    """
    require_time(semi.form.problem, scheme)
    if semi.form.learned and isinstance(scheme, Multigrid):
        raise DeclarationError(
            "Learned filters have no meaning on coarse grids, so multigrid schemes take none; all others but "
            "AOS do."
        )
    if semi.form.problem.domain is not None and isinstance(scheme, Multigrid):
        raise DeclarationError("Domains have no coarse grids, so multigrid schemes take none; all others do.")
    update = update_of(scheme, coefficient(semi, scheme, facts))
    if isinstance(update, Cell) and isinstance(update.solver, Descent):
        update = replace(update, values=descent_values(update, facts))
    tau = largest_step(semi, scheme, update, facts) if scheme.tau is None else scheme.tau
    require_values(semi, update, tau)
    return Plan(semi, scheme, tau, update)


def coefficient(semi: Semidiscrete, scheme: Scheme, facts: Facts) -> sp.Expr | None:
    """What the update of a scheme takes from the equation."""
    if isinstance(scheme, Explicit) and scheme.fidelity == "implicit":
        return implicit_fidelity(semi)
    return smallest_alpha(scheme, facts)


def implicit_fidelity(semi: Semidiscrete) -> sp.Expr:
    """b of a reaction s - b u that a step takes at its end (docs/theory.md, 4.21).

    Raises DeclarationError unless b >= 0 is known, and is made of numbers and parameters.
    """
    form = semi.form
    asked = 'fidelity="implicit" takes a term beta (f - u) at the end of a step'
    if form.reaction == 0:
        raise DeclarationError(f"{asked}, and the equation has none.")
    found = affine(form.reaction, form.state)
    if found is None:
        raise DeclarationError(f"{asked}; {form.reaction} is no such term, since it is not linear in u.")
    b, problem = sp.simplify(-found[1]), form.problem
    if not b.free_symbols <= set(problem.symbols):
        names = ", ".join(sorted(map(str, b.free_symbols - set(problem.symbols))))
        raise DeclarationError(f"{asked}; of {form.reaction}, beta = {b} depends on {names}.")
    if not (b.is_nonnegative or b.subs(problem.parameters).is_nonnegative):
        raise DeclarationError(f"{asked}; of {form.reaction}, beta = {b} is not known to be nonnegative.")
    if b == 0:
        raise DeclarationError(f"{asked}; {form.reaction} contains no u.")
    return b


def smallest_alpha(scheme: Scheme, facts: Facts) -> sp.Expr | None:
    """alpha of Du Fort-Frankel: a quarter of the largest eigenvalue of A - r' (docs/theory.md, 4.8)."""
    if not isinstance(scheme, DuFortFrankel) or scheme.alpha is not None:
        return scheme.alpha if isinstance(scheme, DuFortFrankel) else None
    if facts.norm is None:
        reason = facts.why.get("weights", "the operator is not bounded")
        raise StabilityError(f"The smallest admissible alpha is asked for, but {reason}.")
    bounds = (facts.damping, facts.rate)
    reaction = [b.upper for b in bounds if b is not None and not b.upper.is_nonpositive]
    alpha = (facts.norm + sp.Max(sp.S.Zero, *reaction)) / 4
    if alpha == 0:
        raise StabilityError(
            "The smallest admissible alpha is asked for, but the operator is zero; give a number."
        )
    return sp.simplify(alpha)


def descent_values(update: Cell, facts: Facts) -> dict[sp.Symbol, sp.Expr]:
    """omega and m, from bounds m <= -F' <= M (docs/theory.md, 4.23).

    Raises StabilityError if F has no bounded slope.
    """
    curvature, rate = facts.curvature, facts.rate
    if curvature is None or rate is None:
        why = facts.why.get("slopes") or facts.why.get("rate", "its slope is not bounded")
        raise StabilityError(f"Descent takes a step from bounds of the slope of F, but {why}.")
    low = shortened(curvature.lower + rate.lower)
    high = shortened(curvature.upper + rate.upper)
    if not high.is_positive:
        raise StabilityError(
            f"Descent takes a step from the largest slope of -F, {high}, which is not known to be positive."
        )
    assert isinstance(update.solver, Descent)
    steps = {"none": 2 / (high + sp.Abs(low)), "nesterov": 1 / high, "fsi": 2 / high}
    return {OMEGA: sp.simplify(steps[update.solver.weights]), MARGIN: low}


def range_limits(cases: Sequence[Case]) -> list[sp.Expr]:
    """The largest step for which declared ranges are known to be kept, if there is one."""
    inner = [case.within for case in cases]
    found = [stays(case, derived) for case in inner if case is not None]
    if len(found) < len(cases) or not all(
        claim.status in (Status.PROVED, Status.PROVED_IF) for claim in found
    ):
        return []
    return [claim.limit for claim in found if claim.limit not in (None, sp.oo)]


def largest_step(semi: Semidiscrete, scheme: Scheme, update: Update, facts: Facts) -> sp.Expr:
    """The largest tau for which l2 stability (or, with a source term, frozen stability) is proved.

    Linearised claims count where nothing better is known; where neither is derived, the maximum principle.
    Declared ranges are kept, if that is known of a step. With a source term Du Fort-Frankel is stable with
    frozen coefficients for every tau; its step is 1/(2 alpha) there too.

    Raises StabilityError if nothing is proved for any tau.
    """
    case = Case(semi, facts, scheme, update, TAU, None)
    reasons = []
    for claim in stability(case):
        if claim.status in (Status.PROVED_IF, Status.LINEARISED) and claim.limit not in (None, sp.oo):
            return sp.Min(claim.limit, *range_limits([case]))
        if isinstance(scheme, DuFortFrankel) and claim.status in (Status.PROVED, Status.LINEARISED):
            return sp.simplify(1 / (2 * alpha_of(case)))
        if claim.limit == sp.oo and claim.status == Status.PROVED:
            raise DeclarationError(EVERY_STEP)
        reasons.append(f"{claim.name}: {claim.reason}")
        if claim.status not in (Status.NOT_APPLICABLE, Status.PROVED_IF):
            break
    bounded = derived("maximum_principle", case)  # as of masks, whose operators are not symmetric
    if bounded.status == Status.PROVED_IF and bounded.limit not in (None, sp.oo):
        return bounded.limit
    raise StabilityError("The largest proved step is asked for, but none is proved. " + " ".join(reasons))
