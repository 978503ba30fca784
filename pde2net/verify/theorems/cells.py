"""Cells: implicit and theta schemes, AOS (docs/theory.md, 4.11 to 4.14).

Theorems of Kacanov's and Newton's iterations and of AOS, whose linear systems are solved exactly, or bounded
(4.12), and the choice of a theorem for each iteration. Those of Picard's are in picard.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.schemes import Explicit
from pde2net.scheme import explicit as explicit_scheme
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Discharged, Status, because
from pde2net.verify.consistency import TimeError, consistency, second_derivative, step_symbol
from pde2net.verify.iteration import Iteration, iteration_of
from pde2net.verify.rates import Rate, damped_rate, frozen_rate, largest_diagonal
from pde2net.verify.theorem import Missing, Table, Theorem, quotient, underived
from pde2net.verify.theorems import cell_hypotheses as cell
from pde2net.verify.theorems import convergence, cycle, explicit, picard
from pde2net.verify.theorems import hypotheses as hyp
from pde2net.verify.theorems.data_of_solvers import of_cells


def exact_reach(it: Iteration) -> sp.Expr:
    """z with |R| <= 1 on [0, z], R(z) = (1 - (1 - theta) z)/(1 + theta z)."""
    return 2 / (1 - 2 * it.theta) if sp.Lt(it.theta, sp.Rational(1, 2)) == sp.true else sp.oo


def explicit_part(it: Iteration, reach: int) -> sp.Expr:
    """z for which an explicit step of (1 - theta) z is one of at most `reach`."""
    return sp.oo if it.theta == 1 else reach / (1 - it.theta)


def exact_factor(case: Case) -> sp.Expr | None:
    """max(R(tau m), -R(tau M)); of AOS 1/(1 + tau m), m = inf(-r')."""
    it, rate = iteration_of(case), case.facts.rate
    if rate is None or it.steady:
        return None
    tau = case.valued(case.tau)

    def amplification(eigenvalue: sp.Expr) -> sp.Expr:
        z = tau * case.valued(eigenvalue)
        return (1 - (1 - it.theta) * z) / (1 + it.theta * z)

    low = sp.cancel(amplification(rate.lower))
    return low if it.theta == 1 else sp.Max(low, sp.cancel(-amplification(frozen_rate(case))))


# A >= 0, which is all that implicit steps of theta = 1 need.
DISSIPATIVE = (hyp.symmetric, hyp.nonnegative_diffusivity)
_SMITH = "Crank, Nicolson 1947; Hairer, Wanner 1996, section IV.3"
_SPLIT = ("Mean of implicit steps along the axes", "Weickert, ter Haar Romeny, Viergever 1998")

LINEAR_L2 = Theorem(
    "l2_stability",
    "Stability function of a linear step",
    _SMITH,
    (cell.step, *hyp.STABLE, cell.linear, *hyp.FORWARD, cell.solves_from_u),
    "‖v‖ <= ‖u‖ for every iterate v, as for R(tau B) u",
)
LAGGED_L2 = Theorem(
    "l2_stability",
    "Lagged diffusivities with bounded solves",
    "Kacanov 1959; Saad 2003, Proposition 5.2",
    (cell.step, *hyp.STABLE, cell.implicit, *hyp.FORWARD, cell.bounded_solves),
    "‖v‖ <= ‖rhs‖ <= ‖u‖ for every iterate v, as ‖v‖² <= <v, (I + theta tau B(w)) v> = <v, rhs>",
)
SPLIT_L2 = Theorem(
    "l2_stability",
    *_SPLIT,
    (*hyp.STABLE, cell.implicit, *DISSIPATIVE, cell.exact),
    "‖u+‖ <= ‖u‖, since the inverse of every axis has norm at most 1",
)
EXACT_FROZEN = Theorem(
    "frozen_stability",
    "Stability function",
    _SMITH,
    (cell.step, *hyp.FORWARD, cell.decreasing, cell.implicit, cell.frozen_solves),
    "|R(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
)
SPLIT_FROZEN = Theorem(
    "frozen_stability",
    *_SPLIT,
    (*DISSIPATIVE, cell.decreasing, cell.implicit, cell.exact),
    "the inverse of every axis has norm at most 1 at any frozen state",
)
EXACT_NONEXPANSIVE = Theorem(
    "nonexpansive",
    "Resolvent of a linear monotone operator",
    "Minty 1962",
    (cell.step, cell.linear, *hyp.FORWARD, cell.decreasing, cell.exact, cell.fixed),
    explicit.NONEXPANSIVE.conclusion,
    factor=exact_factor,
)
EXACT_LIPSCHITZ = replace(EXACT_NONEXPANSIVE, claim="well_posed", conclusion=explicit.LIPSCHITZ.conclusion)
EXACT_MAXIMUM = Theorem(
    "maximum_principle",
    "Inverse of an M-matrix",
    "Varga 2000, Theorem 3.25",
    (cell.step, hyp.two_points, *hyp.FORWARD, hyp.pulls, cell.implicit, cell.exact),
    "every value of every iterate is a weighted mean of values of u (and what the range includes)",
)
EXACT_MEAN = replace(
    explicit.MEAN,
    hypotheses=(cell.step, hyp.no_reaction, hyp.symmetric, hyp.closed, cell.regular),
    conclusion="the mean of u is kept: 1^T A = 0, so every solve keeps it",
)
LINEAR_ENERGY = Theorem(
    "energy_decay",
    "Energy of a linear step",
    "Hairer, Lubich 2014",
    (cell.step, cell.linear, *hyp.FORWARD, cell.decreasing, cell.solves_from_u),
    "E(v) <= E(u) for E(u) = 1/2 <B u, u> - <s, u>, r = s - b u",
)
_MAJORISED = (hyp.symmetric, hyp.penaliser, hyp.bounded_below, hyp.lipschitz_reaction, cell.concave)
LAGGED_ENERGY = Theorem(
    "energy_decay",
    "Majorisation by lagged diffusivities",
    "Geman, Reynolds 1992; Chan, Mulet 1999",
    (cell.step, *_MAJORISED, cell.implicit, cell.backward, cell.bounded_solves),
    "E(v) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r, and every iterate v",
)


def limited(theorem: Theorem, reach: sp.Expr, rate: Rate) -> Theorem:
    """The theorem for tau <= reach/rate; for every tau, the diffusivity needs no upper bound."""
    if reach == sp.oo:
        return replace(theorem, hypotheses=tuple(h for h in theorem.hypotheses if h is not hyp.bounded))
    return replace(theorem, limit=lambda case: quotient(reach, rate(case)))


def unsaid(theorem: Theorem, kind: str) -> Theorem:
    """For iterates of which the theorem says nothing."""
    what = "the mean of steps along the axes" if kind == "AOS" else f"the iterates of {kind}'s method"
    nothing = underived("derivation", "", f"nothing is derived for {what} here")
    return replace(theorem, hypotheses=(cell.step, nothing))


# -- consistency (docs/theory.md, section 6) --

SOLVER = Discharged(
    "solver", "what is left of the residual is small against the error of the step", "assumed"
)


def cell_consistency(case: Case) -> Claim:
    """Truncation error (u(t + tau) - v)/tau of a step that starts from a smooth u.

    The l-th iterate v_l from v_0 = u is off by O(tau^(l+1)), Newton's by O(tau^(2^(l+1) - 1)); where a
    tolerance decides, its residual is assumed to be small.
    """
    it, semi = iteration_of(case), case.semi
    if it.steady:
        return Claim("consistency", Status.NOT_APPLICABLE, because=because("no time"))
    if it.accelerated and it.count is not None:
        return Claim("consistency", Status.UNKNOWN, because=because("accelerated order"))
    if it.kind in ("Kacanov", "AOS") and (why := singular(case)):
        return Claim("consistency", Status.UNKNOWN, because=because("undecided", why=why))
    found = consistency(semi, in_tau(it, semi, case.tau))
    nothing_left = it.count is not None and it.systems.method in ("direct", "")
    return found if nothing_left else approximately(found)


def singular(case: Case) -> str:
    """Why the systems of a step may be singular; "" if they are not, as for A >= 0."""
    forward = hyp.nonnegative_diffusivity.check(case)
    if isinstance(forward, Missing):
        return f"the systems of a step may be singular: {forward.reason}"
    unsigned = [t.prefactor for t in case.semi.form.terms if not t.prefactor.is_nonnegative]
    if unsigned:
        return f"the systems of a step may be singular: the sign of {unsigned[0]} is not known"
    return ""


def approximately(claim: Claim) -> Claim:
    """The claim about steps whose solution is left to a tolerance."""
    return replace(claim, hypotheses=(*claim.hypotheses, SOLVER)) if claim.status == Status.PROVED else claim


def accuracy(it: Iteration) -> int | None:
    """a with v_l - v = O(tau^a); None if v_l is the solution."""
    if it.count is None or (it.linear and it.systems.method != "" and not it.lagged):
        return None
    return 2 ** (it.count + 1) - 1 if it.kind == "Newton" else it.count + 1


def in_tau(it: Iteration, semi: Semidiscrete, tau: sp.Expr) -> TimeError:
    """The error in time; -tau/2 u_tt for the implicit scheme, -tau**2/12 u_ttt for Crank-Nicolson."""
    step = step_symbol(tau)
    full, a = (2 if it.theta == sp.S.Half else 1), accuracy(it)
    if it.kind == "AOS":
        return TimeError(step, 1, None)
    if a is not None and a < full + 2:
        return TimeError(step, min(full, a - 1), None)
    if full == 2:
        if semi.form.problem.depends_on_time:  # F in the middle of the step
            return TimeError(step, 2, None)
        return TimeError(step, 2, -(step**2) * sp.Symbol(f"{semi.form.state}_ttt", real=True) / 12)
    return TimeError(step, 1, (sp.S.Half - it.theta) * step * second_derivative(semi))


# -- the theorem for each iteration --


def _l2_stability(it: Iteration, case: Case) -> Theorem:
    if it.kind == "AOS":
        return SPLIT_L2
    if it.kind == "Picard":
        return picard.LINEAR_L2 if it.linear else picard.NONLINEAR_L2
    if it.kind == "Newton" or (it.linear and (it.systems.method == "direct" or it.systems.once)):
        return limited(LINEAR_L2, exact_reach(it), damped_rate)
    return limited(LAGGED_L2, explicit_part(it, 2), damped_rate)


def _nonexpansive(it: Iteration, case: Case) -> Theorem:
    """The factor takes the largest rate too, unless theta = 1."""
    if it.kind == "Picard":
        return picard.NONEXPANSIVE
    reach = exact_reach(it)
    if reach == sp.oo and it.theta != 1:
        return EXACT_NONEXPANSIVE
    return limited(EXACT_NONEXPANSIVE, reach, frozen_rate)


def _maximum_principle(it: Iteration, case: Case) -> Theorem:
    if it.kind == "Picard" or (it.kind == "Newton" and not it.linear):
        return unsaid(EXACT_MAXIMUM, it.kind)
    return limited(EXACT_MAXIMUM, explicit_part(it, 1), largest_diagonal)


def _energy_decay(it: Iteration, case: Case) -> Theorem:
    split = it.kind == "AOS" and len(case.semi.spacing) > 1
    if it.kind == "Picard" or split or (it.kind == "Newton" and not it.linear):
        return unsaid(LAGGED_ENERGY, it.kind)
    return limited(LINEAR_ENERGY, exact_reach(it), frozen_rate) if it.linear else LAGGED_ENERGY


def _frozen_stability(it: Iteration, case: Case) -> Callable[[Case], Claim]:
    if it.kind == "Picard":
        return picard.frozen_stability
    return SPLIT_FROZEN if it.kind == "AOS" else limited(EXACT_FROZEN, exact_reach(it), frozen_rate)


Choose = Callable[[Iteration, Case], Callable[[Case], Claim]]


def _of_step(name: str, choose: Choose) -> Callable[[Case], Claim]:
    """The claim by the theorem that is chosen; about the explicit step where one iteration is one."""

    def claimed(case: Case) -> Claim:
        it = iteration_of(case)
        if not it.explicit:
            return choose(it, case)(case)
        step = explicit_scheme.stack(Explicit(case.tau, case.scheme.repeats))
        return cycle.STEPS[name](replace(case, update=step))

    return claimed


def _solver_convergence(case: Case) -> Claim:
    picards = iteration_of(case).kind == "Picard"
    return picard.convergence(case) if picards else convergence.convergence(case)


def _well_posed(it: Iteration, case: Case) -> Theorem:
    return picard.LIPSCHITZ if it.kind == "Picard" else EXACT_LIPSCHITZ


CHOICES: dict[str, Choose] = {
    "l2_stability": _l2_stability,
    "nonexpansive": _nonexpansive,
    "maximum_principle": _maximum_principle,
    "energy_decay": _energy_decay,
    "mean_preservation": lambda it, case: explicit.MEAN if it.kind == "Picard" else EXACT_MEAN,
    "well_posed": _well_posed,
    "frozen_stability": _frozen_stability,
    "consistency": lambda it, case: cell_consistency,
    **of_cells(_l2_stability, _nonexpansive, _well_posed),
}
CLAIMS: Table = {name: _of_step(name, choose) for name, choose in CHOICES.items()}
CLAIMS["solver_convergence"] = _solver_convergence
