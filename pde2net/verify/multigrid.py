"""The claims about U-nets: how fast cycles approach the step that they solve (docs/theory.md, 4.15)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import sympy as sp

from pde2net.graph.build.unet import nearest
from pde2net.graph.nodes import Nearest
from pde2net.scheme.unet import UNet
from pde2net.verify.case import Case, nonnegative
from pde2net.verify.certificate import Claim, Discharged, Status, because
from pde2net.verify.consistency import TimeError, second_derivative, step_symbol
from pde2net.verify.consistency import consistency as with_space
from pde2net.verify.cycle_factor import cycle_factor
from pde2net.verify.ranges import UndecidedError
from pde2net.verify.refute import claims as seek
from pde2net.verify.theorem import (
    Held,
    Hypothesis,
    Missing,
    Refute,
    Table,
    Theorem,
    hypothesis,
    searched,
    underived,
)
from pde2net.verify.theorems import cell_hypotheses as cell
from pde2net.verify.theorems import hypotheses as hyp
from pde2net.verify.theorems.cells import DISSIPATIVE, LINEAR_ENERGY, approximately, singular
from pde2net.verify.theorems.data_of_solvers import of_unets

FOURIER = "Two-grid local Fourier analysis (Trottenberg, Oosterlee, Schüller 2001, chapter 4)"
FACTOR = "factor of frequencies"  # the rule of factors that are not below one


@hypothesis("nearest combination", "<rhs - N(v), w> = 0 for w = v and w = u")
def combined(case: Case) -> Held | Missing:
    if _end(case) is None:
        return Missing("only steps of linear, symmetric equations end with a combination", violated=True)
    return Held(
        "the equation is linear, and a step ends with the combination of u and of what cycles made of it "
        "that is nearest to the solution in the norm of N"
    )


@hypothesis("combination with a mean", "<1, rhs - N(v)> = 0, N(1) = 1")
def centred(case: Case) -> Held | Missing:
    node = _end(case)
    if node is None or not node.means:
        return Missing("cycles end with no constant among what they combine", violated=True)
    return Held("constants are among what is combined in the end")


def _end(case: Case) -> Nearest | None:
    """What cycles end with."""
    return nearest(case.semi, case.update) if isinstance(case.update, UNet) else None


def _truncated(claim: str, hypotheses: tuple[Hypothesis, ...], reason: str) -> Theorem:
    """A claim about cycles that may be refuted, never proved; `reason` says what is known instead."""
    cycles = underived("cycles", "the step is solved", reason)
    return Theorem(claim, "Full approximation cycles", "Brandt 1977", (cell.step, *hypotheses, cycles), "")


KNOWN = {
    "l2_stability": (
        (*hyp.STABLE, *hyp.FORWARD),
        "cycles are truncated; the solution that they approach has at most the norm of the input for every "
        "tau, and where the flux is monotone the output differs from it by at most the norm of the residual",
    ),
    "nonexpansive": (
        hyp.FORWARD,
        "cycles are truncated; only the solution that they approach is nonexpansive, where the flux is "
        "monotone",
    ),
    "maximum_principle": (hyp.FORWARD, "corrections from coarse grids are no weighted means"),
    "energy_decay": (hyp.FORWARD, "nothing is derived for the energy along truncated cycles"),
    "mean_preservation": (
        (hyp.no_reaction, hyp.symmetric, hyp.closed),
        "smoothing changes the mean, and truncated cycles leave a part of the change",
    ),
    "well_posed": (hyp.FORWARD, "nothing is derived for the Lipschitz constant of a cycle"),
}
GALERKIN = ("Galerkin condition of the combination that ends a step", "Saad 2003, Proposition 5.2")
COMBINED = {
    "l2_stability": Theorem(
        "l2_stability",
        *GALERKIN,
        (cell.step, *hyp.STABLE, *DISSIPATIVE, combined),
        "‖v‖ <= ‖u‖, as ‖v‖² <= <N(v), v> = <u, v>",
    ),
    "energy_decay": Theorem(
        "energy_decay",
        *GALERKIN,
        (cell.step, *DISSIPATIVE, cell.decreasing, combined),
        LINEAR_ENERGY.conclusion,
    ),
    "mean_preservation": Theorem(
        "mean_preservation",
        *GALERKIN,
        (cell.step, hyp.no_reaction, *DISSIPATIVE, hyp.closed, centred),
        "the mean of u is kept",
    ),
}

FROZEN = Theorem(
    "frozen_stability",
    *GALERKIN,
    (cell.step, *DISSIPATIVE, cell.decreasing, combined),
    "no mode grows, as ‖v‖ <= ‖u‖",
)


def _theorem(claim: str, case: Case) -> Theorem:
    """About the combination that ends a step, or about the cycles alone."""
    own = COMBINED.get(claim)
    return _truncated(claim, *KNOWN[claim]) if own is None or _end(case) is None else own


def _analysed(case: Case) -> sp.Rational | str:
    """The factor, or why there is none."""
    if not case.plain:
        return "prefactors that vary in space are not frozen, since nothing is known about their values"
    if any(t.mixed for t in case.semi.form.terms):
        return "the two-grid factor of a diffusion tensor, whose directions are coupled, is not derived"
    if case.facts.weights is None or case.facts.norm is None:
        return f"the diffusivity has no proved bound: {case.facts.why.get('weights', '')}"
    if not nonnegative(case.facts.weights):
        return "the diffusivity is not known to be nonnegative"
    if case.facts.rate is None or not case.facts.rate.nonnegative:
        return "the reaction term is not known to be nonincreasing"
    try:
        return cycle_factor(case)
    except UndecidedError as error:
        return str(error)


def _by_factor(name: str, converging: str, otherwise: Refute) -> Callable[[Case], Claim]:
    """Linearised, with the two-grid factor, if it is below 1; refuted by what `otherwise` finds."""

    def claimed(case: Case) -> Claim:
        found, claim = _analysed(case), Claim(name, Status.UNKNOWN, theorem=FOURIER)
        if isinstance(found, str):
            return replace(claim, because=because("undecided", why=found))
        if sp.Lt(found, 1) != sp.true:
            if name == "frozen_stability" and case.facts.source:
                return replace(claim, because=because(FACTOR))
            return searched(claim, because(FACTOR), otherwise(case))
        frozen = (
            Discharged("frozen coefficients", "g and r' are constants", "assumed", {"factor": found}),
            Discharged("grids", "the next grid is solved exactly", "assumed"),
        )
        given = (*frozen, *case.given)
        said = because(converging)
        return replace(claim, status=Status.LINEARISED, factor=found, hypotheses=given, because=said)

    return claimed


solver_convergence = _by_factor("solver_convergence", "cycle factor", seek.cycles)
_approached = _by_factor("frozen_stability", "cycles approach", seek.growth)


def frozen_stability(case: Case) -> Claim:
    """No mode of a linear equation grows; of others cycles that converge approach 1/(1 + tau mu)."""
    if case.tau == sp.oo:
        return Claim("frozen_stability", Status.NOT_APPLICABLE, because=because("steady"))
    return _approached(case) if _end(case) is None or case.facts.source else FROZEN(case)


def consistency(case: Case) -> Claim:
    """That of the implicit scheme, if the cycles solve the step."""
    if case.tau == sp.oo:
        return Claim("consistency", Status.NOT_APPLICABLE, because=because("no time"))
    if why := singular(case):
        return Claim("consistency", Status.UNKNOWN, because=because("undecided", why=why))
    factor = _analysed(case)
    if not isinstance(factor, str) and sp.Lt(factor, 1) != sp.true:
        return Claim("consistency", Status.UNKNOWN, because=because("cycles unsolved"))
    step = step_symbol(case.tau)
    in_time = TimeError(step, 1, -step * second_derivative(case.semi) / 2)
    return approximately(with_space(case.semi, in_time))


def _proved(claim: str, case: Case) -> Claim:
    return _theorem(claim, case)(case)


CLAIMS: Table = {
    **{name: partial(_proved, name) for name in KNOWN},
    **of_unets(partial(_theorem, "l2_stability"), combined),
    "frozen_stability": frozen_stability,
    "solver_convergence": solver_convergence,
    "consistency": consistency,
}
