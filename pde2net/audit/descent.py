"""What the numbers say about steady states by descent (docs/theory.md, 4.23)."""

from __future__ import annotations

from collections.abc import Mapping

from pde2net.audit import claims as its
from pde2net.audit import data
from pde2net.audit.claims import Rule, every
from pde2net.audit.exactly import ZERO, Number
from pde2net.audit.numbers import Numbers
from pde2net.language.schemes import Implicit
from pde2net.language.solvers import Descent


def convex(n: Numbers) -> str:
    low = its.least_slope(n)
    return "" if low > ZERO else f"the slope of -F is at least {float(low):.6g}, which is not positive"


def rules(scheme: Implicit) -> Mapping[str, Rule]:
    """Of the claims that rest on strong convexity."""
    assert isinstance(scheme.solver, Descent)
    extrapolated = scheme.solver.weights != "none"

    def plain(n: Numbers) -> str:
        return "nothing is known of steps that are extrapolated" if extrapolated else ""

    def contraction(n: Numbers, tau: Number) -> tuple[Number, ...]:
        low, high = its.least_slope(n), its.curvature(n)[1] + n.rate[1]
        return ((high - low) / (high + low),)

    return {
        "lipschitz_in_data": Rule(data.mixed),
        "averaged": Rule(data.mixed),
        "solver_convergence": Rule(every(plain, convex), its.symmetric, factors=contraction),
    }
