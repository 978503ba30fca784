"""The claims about Du Fort-Frankel (docs/theory.md, sections 4.8, 4.10 and 6)."""

from __future__ import annotations

from collections.abc import Callable

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, because
from pde2net.verify.consistency import TimeError, consistency, second_derivative, step_symbol
from pde2net.verify.cycle import SOLVER
from pde2net.verify.theorem import prove
from pde2net.verify.theorems import du_fort_frankel as theorems
from pde2net.verify.theorems.stages import STAGE_LIPSCHITZ, STAGE_MEAN


def time_error(case: Case) -> TimeError:
    """alpha tau² u_tt and O(tau²): alpha grows like 1/h², or 1/h⁴ for fourth-order terms."""
    step, terms = step_symbol(case.tau), case.semi.form.terms
    power = "**2" if case.semi.second else ""
    per = "**4" if power else "**2"
    ratio = because("converges if", ratio=f"{step}/h{power}", growth=f"1/h{per}")
    return TimeError(
        step,
        2,
        theorems.alpha_of(case) * step**2 * second_derivative(case.semi),
        (f"{step}**2/h{per}",) if terms else (),
        (ratio if terms else ()) + because("start", step=step),
    )


CLAIMS: dict[str, Callable[[Case], Claim]] = {
    "l2_stability": lambda case: prove(theorems.L2, case),
    "nonexpansive": lambda case: prove(theorems.NONEXPANSIVE, case),
    "maximum_principle": lambda case: prove(theorems.MAXIMUM, case),
    "energy_decay": lambda case: prove(theorems.ENERGY, case),
    "mean_preservation": lambda case: prove(STAGE_MEAN, case),
    "well_posed": lambda case: prove(STAGE_LIPSCHITZ, case),
    "frozen_stability": theorems.frozen_stability,
    "solver_convergence": lambda case: SOLVER,
    "consistency": lambda case: consistency(case.semi, time_error(case)),
}
