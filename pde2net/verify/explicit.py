"""The claims about explicit steps, one theorem each (docs/theory.md, sections 4.1 to 4.7)."""

from __future__ import annotations

from collections.abc import Callable

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim
from pde2net.verify.consistency import consistency
from pde2net.verify.cycle import SOLVER, time_error
from pde2net.verify.theorem import prove
from pde2net.verify.theorems.energy_decay import ENERGY_DECAY
from pde2net.verify.theorems.explicit_l2 import EXPLICIT_L2
from pde2net.verify.theorems.frozen_spectrum import frozen_stability
from pde2net.verify.theorems.lipschitz import LIPSCHITZ
from pde2net.verify.theorems.maximum_principle import MAXIMUM_PRINCIPLE
from pde2net.verify.theorems.mean_preservation import MEAN_PRESERVATION
from pde2net.verify.theorems.nonexpansive import NONEXPANSIVE

CLAIMS: dict[str, Callable[[Case], Claim]] = {
    "l2_stability": lambda case: prove(EXPLICIT_L2, case),
    "nonexpansive": lambda case: prove(NONEXPANSIVE, case),
    "maximum_principle": lambda case: prove(MAXIMUM_PRINCIPLE, case),
    "energy_decay": lambda case: prove(ENERGY_DECAY, case),
    "mean_preservation": lambda case: prove(MEAN_PRESERVATION, case),
    "well_posed": lambda case: prove(LIPSCHITZ, case),
    "frozen_stability": frozen_stability,
    "solver_convergence": lambda case: SOLVER,
    "consistency": lambda case: consistency(case.semi, time_error(case)),
}
