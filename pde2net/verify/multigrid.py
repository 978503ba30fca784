"""The claims about U-nets: how fast cycles approach the step that they solve (docs/theory.md, 4.15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.cell_consistency import SOLVER
from pde2net.verify.certificate import Claim, Discharged, Status, because
from pde2net.verify.consistency import TimeError, second_derivative, step_symbol
from pde2net.verify.consistency import consistency as with_space
from pde2net.verify.cycle_factor import Factor, cycle_factor
from pde2net.verify.ranges import UndecidedError
from pde2net.verify.refute import cells as seek
from pde2net.verify.theorem import Hypothesis, Missing, Refute, Theorem, prove, searched
from pde2net.verify.theorems import cell_hypotheses as hyp
from pde2net.verify.theorems.hypotheses import DAMPING, NO_SOURCE, SYMMETRIC
from pde2net.verify.theorems.mean_preservation import CLOSED, NO_REACTION
from pde2net.verify.theorems.solves import FORWARD

FOURIER = "Two-grid local Fourier analysis (Trottenberg, Oosterlee, Schüller 2001, chapter 4)"
FACTOR = "factor of frequencies"  # the rule of factors that are not below one


def _truncated(claim: str, hypotheses: tuple[Hypothesis, ...], reason: str, refute: Refute) -> Theorem:
    """A claim about cycles that may be refuted, never proved; `reason` says what is known instead."""
    cycles = Hypothesis("cycles", "the step is solved", lambda case: Missing(reason, violated=True))
    return Theorem(
        claim=claim,
        title="Full approximation cycles",
        reference="Brandt 1977",
        section="4.15",
        hypotheses=(hyp.STEP, *hypotheses, cycles),
        conclusion="",
        refute=refute,
    )


L2 = _truncated(
    "l2_stability",
    (NO_SOURCE, DAMPING, *FORWARD),
    "cycles are truncated; the solution that they approach has at most the norm of the input for every tau, "
    "and where the flux is monotone the output differs from it by at most the norm of the residual",
    seek.growth,
)
NONEXPANSIVE = _truncated(
    "nonexpansive",
    FORWARD,
    "cycles are truncated; only the solution that they approach is nonexpansive, where the flux is monotone",
    seek.pair,
)
MAXIMUM = _truncated(
    "maximum_principle", FORWARD, "corrections from coarse grids are no weighted means", seek.extremum
)
ENERGY = _truncated(
    "energy_decay", FORWARD, "nothing is derived for the energy along truncated cycles", seek.energy
)
MEAN = _truncated(
    "mean_preservation",
    (NO_REACTION, SYMMETRIC, CLOSED),
    "smoothing changes the mean, and truncated cycles leave a part of the change",
    seek.mean,
)
WELL_POSED = _truncated(
    "well_posed", FORWARD, "nothing is derived for the Lipschitz constant of a cycle", lambda case: None
)


def _analysed(case: Case) -> Factor | str:
    """The factor, or why there is none."""
    if not case.plain:
        return "prefactors that vary in space are not frozen, since nothing is known about their values"
    if any(t.mixed for t in case.semi.form.terms):
        return "the two-grid factor of a diffusion tensor, whose directions are coupled, is not derived"
    if case.facts.weights is None or case.facts.norm is None:
        return f"the diffusivity has no proved bound: {case.facts.why.get('weights', '')}"
    if not all(b.nonnegative for row in case.facts.weights for b in row):
        return "the diffusivity is not known to be nonnegative"
    if case.facts.rate is None or not case.facts.rate.nonnegative:
        return "the reaction term is not known to be nonincreasing"
    try:
        return cycle_factor(case)
    except UndecidedError as error:
        return str(error)


def solver_convergence(case: Case) -> Claim:
    """Linearised, with the two-grid factor, if it is below 1; refuted by a residual that grows."""
    found = _analysed(case)
    claim = Claim("solver_convergence", Status.UNKNOWN, theorem=FOURIER)
    if isinstance(found, str):
        return replace(claim, because=because("undecided", why=found))
    if sp.Lt(found.value, 1) == sp.true:
        return replace(
            claim,
            status=Status.LINEARISED,
            factor=found.value,
            hypotheses=(*_frozen(found), *case.given),
            because=because("cycle factor"),
        )
    return searched(claim, because(FACTOR), seek.cycles(case))


def _frozen(found: Factor) -> tuple[Discharged, ...]:
    return (
        Discharged("frozen coefficients", "g and r' are constants", "assumed", {"factor": found.value}),
        Discharged("grids", "the next grid is solved exactly", "assumed"),
    )


def frozen_stability(case: Case) -> Claim:
    """Cycles that converge approach 1/(1 + tau mu) for every mode."""
    if case.tau == sp.oo:
        return Claim("frozen_stability", Status.NOT_APPLICABLE, because=because("steady"))
    found = _analysed(case)
    claim = Claim("frozen_stability", Status.UNKNOWN, theorem=FOURIER)
    if isinstance(found, str):
        return replace(claim, because=because("undecided", why=found))
    if sp.Lt(found.value, 1) != sp.true:
        if case.facts.source:
            return replace(claim, because=because(FACTOR))
        return searched(claim, because(FACTOR), seek.growth(case))
    return replace(
        claim,
        status=Status.LINEARISED,
        factor=found.value,
        hypotheses=(*_frozen(found), *case.given),
        because=because("cycles approach"),
    )


def consistency(case: Case) -> Claim:
    """That of the implicit scheme, if the cycles solve the step."""
    if case.tau == sp.oo:
        return Claim("consistency", Status.NOT_APPLICABLE, because=because("no time"))
    factor = _analysed(case)
    if isinstance(factor, Factor) and sp.Lt(factor.value, 1) != sp.true:
        return Claim("consistency", Status.UNKNOWN, because=because("cycles unsolved"))
    step = step_symbol(case.tau)
    found = with_space(case.semi, TimeError(step, 1, -step * second_derivative(case.semi) / 2))
    if found.status != Status.PROVED:
        return found
    return replace(found, hypotheses=(*found.hypotheses, SOLVER))


CLAIMS: dict[str, Callable[[Case], Claim]] = {
    "l2_stability": lambda case: prove(L2, case),
    "nonexpansive": lambda case: prove(NONEXPANSIVE, case),
    "maximum_principle": lambda case: prove(MAXIMUM, case),
    "energy_decay": lambda case: prove(ENERGY, case),
    "mean_preservation": lambda case: prove(MEAN, case),
    "well_posed": lambda case: prove(WELL_POSED, case),
    "frozen_stability": frozen_stability,
    "solver_convergence": solver_convergence,
    "consistency": consistency,
}
