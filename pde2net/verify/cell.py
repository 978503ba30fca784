"""The claims about recurrent cells: implicit and theta schemes, AOS (docs/theory.md, 4.11 to 4.14)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from pde2net.language.schemes import Explicit
from pde2net.scheme import explicit as explicit_scheme
from pde2net.verify import explicit
from pde2net.verify.case import Case
from pde2net.verify.cell_consistency import consistency
from pde2net.verify.certificate import Claim
from pde2net.verify.iteration import Iteration, iteration_of
from pde2net.verify.theorem import Hypothesis, Missing, Theorem, prove, quotient
from pde2net.verify.theorems import cell_hypotheses as hyp
from pde2net.verify.theorems import convergence, picard
from pde2net.verify.theorems import solves as exact
from pde2net.verify.theorems.explicit_l2 import rate as damped_rate
from pde2net.verify.theorems.frozen_spectrum import rate as frozen_rate
from pde2net.verify.theorems.hypotheses import BOUNDED
from pde2net.verify.theorems.maximum_principle import largest_diagonal
from pde2net.verify.theorems.mean_preservation import MEAN_PRESERVATION


def one_step(case: Case) -> Case:
    """The case of the explicit step that a single Picard iteration is."""
    return replace(case, update=explicit_scheme.stack(Explicit(case.tau, case.scheme.repeats)))


def limited(theorem: Theorem, reach: sp.Expr, rate: Callable[[Case], sp.Expr]) -> Theorem:
    """The theorem for tau <= reach/rate; for every tau, the diffusivity needs no upper bound."""
    if reach == sp.oo:
        return replace(theorem, hypotheses=tuple(h for h in theorem.hypotheses if h is not BOUNDED))
    return replace(theorem, limit=lambda case: quotient(reach, rate(case)))


def _where_needed(theorem: Theorem, it: Iteration) -> Theorem:
    """Nonexpansiveness, whose factor takes the largest rate too unless theta = 1."""
    reach = exact.exact_reach(it)
    return theorem if reach == sp.oo and it.theta != 1 else limited(theorem, reach, frozen_rate)


def underived(theorem: Theorem, kind: str) -> Theorem:
    """For iterates of which the theorem says nothing: a counterexample is looked for, and that is all."""
    what = "the mean of steps along the axes" if kind == "AOS" else f"the iterates of {kind}'s method"

    def check(case: Case) -> Missing:
        return Missing(f"nothing is derived for {what} here", violated=True)

    return replace(theorem, hypotheses=(hyp.STEP, Hypothesis("derivation", "", check)))


def _l2_stability(case: Case) -> Claim:
    it = iteration_of(case)
    if it.kind == "AOS":
        return prove(exact.SPLIT_L2, case)
    if it.kind == "Picard":
        return prove(picard.LINEAR_L2 if it.linear else picard.NONLINEAR_L2, case)
    if it.kind == "Newton" or (it.linear and (it.method == "direct" or it.once)):
        return prove(limited(exact.LINEAR_L2, exact.exact_reach(it), damped_rate), case)
    return prove(limited(exact.LAGGED_L2, exact.explicit_part(it, 2), damped_rate), case)


def _nonexpansive(case: Case) -> Claim:
    it = iteration_of(case)
    if it.kind == "Picard":
        return prove(picard.NONEXPANSIVE, case)
    return prove(_where_needed(exact.EXACT_NONEXPANSIVE, it), case)


def _maximum_principle(case: Case) -> Claim:
    it = iteration_of(case)
    if it.kind == "Picard" or (it.kind == "Newton" and not it.linear):
        return prove(underived(exact.EXACT_MAXIMUM, it.kind), case)
    return prove(limited(exact.EXACT_MAXIMUM, exact.explicit_part(it, 1), largest_diagonal), case)


def _energy_decay(case: Case) -> Claim:
    it = iteration_of(case)
    split = it.kind == "AOS" and len(case.semi.spacing) > 1
    if it.kind == "Picard" or split or (it.kind == "Newton" and not it.linear):
        return prove(underived(exact.LAGGED_ENERGY, it.kind), case)
    if it.linear:
        return prove(limited(exact.LINEAR_ENERGY, exact.exact_reach(it), frozen_rate), case)
    return prove(exact.LAGGED_ENERGY, case)


def _mean_preservation(case: Case) -> Claim:
    return prove(MEAN_PRESERVATION if iteration_of(case).kind == "Picard" else exact.EXACT_MEAN, case)


def _well_posed(case: Case) -> Claim:
    return prove(picard.LIPSCHITZ if iteration_of(case).kind == "Picard" else exact.EXACT_LIPSCHITZ, case)


def _frozen_stability(case: Case) -> Claim:
    it = iteration_of(case)
    if it.kind == "Picard":
        return picard.frozen_stability(case)
    if it.kind == "AOS":
        return prove(exact.SPLIT_FROZEN, case)
    return prove(limited(exact.EXACT_FROZEN, exact.exact_reach(it), frozen_rate), case)


def _solver_convergence(case: Case) -> Claim:
    if iteration_of(case).kind == "Picard":
        return picard.convergence(case)
    return convergence.convergence(case)


def _or_explicit(name: str, find: Callable[[Case], Claim]) -> Callable[[Case], Claim]:
    """The claim about the explicit step where the step is one."""
    return lambda case: explicit.CLAIMS[name](one_step(case)) if iteration_of(case).explicit else find(case)


CLAIMS: dict[str, Callable[[Case], Claim]] = {
    "l2_stability": _or_explicit("l2_stability", _l2_stability),
    "nonexpansive": _or_explicit("nonexpansive", _nonexpansive),
    "maximum_principle": _or_explicit("maximum_principle", _maximum_principle),
    "energy_decay": _or_explicit("energy_decay", _energy_decay),
    "mean_preservation": _or_explicit("mean_preservation", _mean_preservation),
    "well_posed": _or_explicit("well_posed", _well_posed),
    "frozen_stability": _or_explicit("frozen_stability", _frozen_stability),
    "solver_convergence": _solver_convergence,
    "consistency": _or_explicit("consistency", consistency),
}
