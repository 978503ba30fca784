"""The claims about the explicit scheme (docs/theory.md, section 4; Alt et al. 2023, Theorem 1)."""

from __future__ import annotations

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.consistency import consistency
from pde2net.verify.gradient_steps import energy_decay, nonexpansive, well_posed
from pde2net.verify.range_and_mean import maximum_principle, mean_preservation
from pde2net.verify.stability import frozen_stability, l2_stability


def claims(case: Case) -> dict[str, Claim]:
    """Every claim by name; each function below derives one."""
    derived = [
        l2_stability(case),
        nonexpansive(case),
        maximum_principle(case),
        energy_decay(case),
        mean_preservation(case),
        well_posed(case),
        frozen_stability(case),
        Claim(
            "solver_convergence",
            Status.NOT_APPLICABLE,
            reason="An explicit step solves no system of equations.",
        ),
        consistency(case.semi, case.tau),
    ]
    return {claim.name: claim for claim in derived}
