"""The claims about cycles of several stages, FSI, FED and RKL (docs/theory.md, sections 4.9 and 4.10)."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.scheme.stack import TAU, Z
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.consistency import TimeError, consistency, second_derivative, step_symbol
from pde2net.verify.stages import constant_diffusivities, stack_of
from pde2net.verify.theorem import prove
from pde2net.verify.theorems import polynomial_cycle as theorems
from pde2net.verify.theorems.stages import STAGE_LIPSCHITZ, STAGE_MEAN

SOLVER = Claim(
    "solver_convergence",
    Status.NOT_APPLICABLE,
    reason="An explicit step solves no system of equations.",
)


def time_error(case: Case) -> TimeError:
    """(1/2 - p2/p1²) T u_tt for a cycle of time T = p1 tau with the polynomial 1 - p1 z + p2 z² - ..."""
    stack, symbol = stack_of(case), step_symbol(case.tau)
    alone = len(stack.stages) == 1 or stack.repeated
    if stack.order > 1:
        return TimeError(symbol, stack.order, None)
    if case.facts.until is not None and not alone:  # F at one time of the cycle
        return TimeError(symbol, 1, None)
    if stack.frozen and not alone and not constant_diffusivities(case.semi.form):
        return TimeError(symbol, 1, None)
    p1, p2 = _coefficients(case)
    return TimeError(symbol, 1, (sp.S.Half - p2 / p1**2) * p1 * symbol * second_derivative(case.semi))


def _coefficients(case: Case) -> tuple[sp.Rational, sp.Rational]:
    stack = stack_of(case)
    if stack.repeated:
        return sp.S.One, sp.S.Zero
    poly = stack.amplification()
    p1 = sp.simplify(stack.time / TAU)
    if poly.coeff_monomial(Z) != -p1:
        raise ValueError("a cycle does not cover its time")
    return p1, poly.coeff_monomial(Z**2)


CLAIMS: dict[str, Callable[[Case], Claim]] = {
    "l2_stability": lambda case: prove(theorems.CYCLE_L2, case),
    "nonexpansive": lambda case: prove(theorems.CYCLE_NONEXPANSIVE, case),
    "maximum_principle": lambda case: prove(theorems.CYCLE_MAXIMUM, case),
    "energy_decay": lambda case: prove(theorems.CYCLE_ENERGY, case),
    "mean_preservation": lambda case: prove(STAGE_MEAN, case),
    "well_posed": lambda case: prove(STAGE_LIPSCHITZ, case),
    "frozen_stability": theorems.frozen_stability,
    "solver_convergence": lambda case: SOLVER,
    "consistency": lambda case: consistency(case.semi, time_error(case)),
}
