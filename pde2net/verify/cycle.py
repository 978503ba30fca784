"""The claims about cycles of several stages, FSI, FED and RKL (docs/theory.md, sections 4.9 and 4.10)."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.consistency import TimeError, consistency, second_derivative, step_symbol
from pde2net.verify.polynomial import coefficients
from pde2net.verify.stages import constant_diffusivities, stack_of
from pde2net.verify.theorem import prove
from pde2net.verify.theorems import polynomial_cycle as theorems
from pde2net.verify.theorems.stages import STAGE_LIPSCHITZ, STAGE_MEAN

SOLVER = Claim(
    "solver_convergence",
    Status.NOT_APPLICABLE,
    because=because("explicit"),
)


def time_error(case: Case) -> TimeError:
    """(1/2 - p2/p1²) T u_tt for a cycle of time T = p1 tau with the polynomial 1 - p1 z + p2 z² - ..."""
    stack, symbol = stack_of(case), step_symbol(case.tau)
    p1, p2 = coefficients(stack)
    alone = len(stack.stages) == 1 or stack.repeated
    frozen = stack.frozen and not alone and not constant_diffusivities(case.semi.form)
    if stack.order > 1 and not frozen:
        return TimeError(symbol, stack.order, None)
    if case.facts.until is not None and not alone:  # F at one time of the cycle
        return TimeError(symbol, 1, None)
    if frozen:
        return TimeError(symbol, 1, None)
    return TimeError(symbol, 1, (sp.S.Half - p2 / p1**2) * p1 * symbol * second_derivative(case.semi))


CLAIMS: dict[str, Callable[[Case], Claim]] = {
    "l2_stability": lambda case: prove(theorems.CYCLE_L2, case),
    "nonexpansive": lambda case: prove(theorems.CYCLE_NONEXPANSIVE, case),
    "maximum_principle": lambda case: prove(theorems.CYCLE_MAXIMUM, case),
    "energy_decay": theorems.energy_decay,
    "mean_preservation": lambda case: prove(STAGE_MEAN, case),
    "well_posed": lambda case: prove(STAGE_LIPSCHITZ, case),
    "frozen_stability": theorems.frozen_stability,
    "solver_convergence": lambda case: SOLVER,
    "consistency": lambda case: consistency(case.semi, time_error(case)),
}
