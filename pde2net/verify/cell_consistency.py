"""Consistency of implicit steps: what iterating leaves of the order in time (docs/theory.md, section 6)."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Discharged, Status, because
from pde2net.verify.consistency import TimeError, second_derivative, step_symbol
from pde2net.verify.consistency import consistency as with_space
from pde2net.verify.iteration import Iteration, iteration_of

HALF = sp.Rational(1, 2)
SOLVER = Discharged(
    "solver", "what is left of the residual is small against the error of the step", "assumed"
)


def consistency(case: Case) -> Claim:
    """Truncation error (u(t + tau) - v)/tau of a step that starts from a smooth u.

    The l-th iterate v_l from v_0 = u is off by O(tau^(l+1)), Newton's by O(tau^(2^(l+1) - 1)); where a
    tolerance decides, its residual is assumed to be small.
    """
    it, semi = iteration_of(case), case.semi
    if it.steady:
        return Claim("consistency", Status.NOT_APPLICABLE, because=because("no time"))
    if it.accelerated and it.count is not None:
        return Claim("consistency", Status.UNKNOWN, because=because("accelerated order"))
    found = with_space(semi, in_tau(it, semi, case.tau))
    if exact(it) or found.status != Status.PROVED:
        return found
    return replace(found, hypotheses=(*found.hypotheses, SOLVER))


def exact(it: Iteration) -> bool:
    """Whether nothing is left to a tolerance."""
    return it.count is not None and it.systems.method in ("direct", "")


def accuracy(it: Iteration) -> int | None:
    """a with v_l - v = O(tau^a); None if v_l is the solution."""
    if it.count is None or (it.linear and it.systems.method != "" and not it.lagged):
        return None
    return 2 ** (it.count + 1) - 1 if it.kind == "Newton" else it.count + 1


def in_tau(it: Iteration, semi: Semidiscrete, tau: sp.Expr) -> TimeError:
    """The error in time; -tau/2 u_tt for the implicit scheme, -tau**2/12 u_ttt for Crank-Nicolson."""
    step = step_symbol(tau)
    full, a = (2 if it.theta == HALF else 1), accuracy(it)
    if it.kind == "AOS":
        return TimeError(step, 1, None)
    if a is not None and a < full + 2:
        return TimeError(step, min(full, a - 1), None)
    if full == 2:
        if semi.form.problem.depends_on_time:  # F in the middle of the step
            return TimeError(step, 2, None)
        return TimeError(step, 2, -(step**2) * sp.Symbol(f"{semi.form.state}_ttt", real=True) / 12)
    return TimeError(step, 1, (HALF - it.theta) * step * second_derivative(semi))
