"""The claims about the explicit scheme: one theorem each (docs/theory.md, section 4)."""

from __future__ import annotations

from collections.abc import Callable

from pde2net.verify.case import Case, sentence
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.consistency import consistency
from pde2net.verify.ranges import UndecidedError
from pde2net.verify.ranges.deadline import within
from pde2net.verify.theorem import prove
from pde2net.verify.theorems.energy_decay import ENERGY_DECAY
from pde2net.verify.theorems.explicit_l2 import EXPLICIT_L2
from pde2net.verify.theorems.frozen_spectrum import frozen_stability
from pde2net.verify.theorems.lipschitz import LIPSCHITZ
from pde2net.verify.theorems.maximum_principle import MAXIMUM_PRINCIPLE
from pde2net.verify.theorems.mean_preservation import MEAN_PRESERVATION
from pde2net.verify.theorems.nonexpansive import NONEXPANSIVE

SECONDS = 10.0  # per claim

SOLVER = Claim(
    "solver_convergence",
    Status.NOT_APPLICABLE,
    reason="An explicit step solves no system of equations.",
)


def claims(case: Case) -> dict[str, Claim]:
    """Every claim by name, in the order of certificate.CLAIMS."""
    derive: dict[str, Callable[[], Claim]] = {
        "l2_stability": lambda: prove(EXPLICIT_L2, case),
        "nonexpansive": lambda: prove(NONEXPANSIVE, case),
        "maximum_principle": lambda: prove(MAXIMUM_PRINCIPLE, case),
        "energy_decay": lambda: prove(ENERGY_DECAY, case),
        "mean_preservation": lambda: prove(MEAN_PRESERVATION, case),
        "well_posed": lambda: prove(LIPSCHITZ, case),
        "frozen_stability": lambda: frozen_stability(case),
        "solver_convergence": lambda: SOLVER,
        "consistency": lambda: consistency(case.semi, case.tau),
    }
    return {name: _derived(name, find) for name, find in derive.items()}


def _derived(name: str, find: Callable[[], Claim]) -> Claim:
    """The claim; unknown if SymPy fails on the way or takes too long."""
    try:
        return within(SECONDS, "the derivation", find)
    except UndecidedError as error:
        reason = str(error)
    except (
        ArithmeticError,
        AttributeError,
        NotImplementedError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        reason = f"the derivation failed with {type(error).__name__}"
    return Claim(name, Status.UNKNOWN, reason=sentence(reason))
