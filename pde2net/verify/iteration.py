"""What the iterations of an emitted implicit cell are, and how their linear systems are solved."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from pde2net.graph.build.linear import LinearSystems, linear_systems
from pde2net.language.solvers import Descent, FixedPoint, Kacanov, Newton
from pde2net.normalise.affine import affine
from pde2net.scheme.cell import Cell
from pde2net.verify.case import Case

KINDS = {FixedPoint: "Picard", Kacanov: "Kacanov", Newton: "Newton", Descent: "descent"}


@dataclass(frozen=True)
class Iteration:
    """The iteration of a step.

    kind    "Picard", "Kacanov", "Newton", "descent", or "AOS", which needs none
    count   the number of iterations; None if a tolerance decides
    systems  how linear systems are solved; those of AOS "direct"
    accelerated  whether Picard iterates are mixed, or descent extrapolates
    linear  whether the equation is linear in u
    lagged  whether a reaction that lets u grow is taken at the previous iterate (Kacanov)
    """

    kind: str
    theta: sp.Expr
    count: int | None
    systems: LinearSystems
    accelerated: bool
    steady: bool
    linear: bool
    lagged: bool

    @property
    def explicit(self) -> bool:
        """Whether the step is the explicit one: a single Picard iteration."""
        return self.kind == "Picard" and self.count == 1


def iteration_of(case: Case) -> Iteration:
    """That of a case about a recurrent cell."""
    cell, form = case.update, case.semi.form
    if not isinstance(cell, Cell):
        raise TypeError(f"{case.scheme.label} schemes have no cell")
    solver, systems = cell.solver, case.systems or linear_systems(case.semi, cell)
    if solver is None:
        systems = replace(systems, method="direct")
        return Iteration("AOS", sp.S.One, 1, systems, False, cell.steady, case.linear, False)
    affine_in_u = affine(form.reaction, form.state)
    rate = sp.S.Zero if affine_in_u is None else sp.simplify(-affine_in_u[1])
    return Iteration(
        KINDS[type(solver)],
        cell.theta,
        1 if systems.once and solver.iterations is not None else solver.iterations,
        systems,
        (isinstance(solver, FixedPoint) and solver.anderson > 0)
        or (isinstance(solver, Descent) and solver.weights != "none"),
        cell.steady,
        case.linear,
        isinstance(solver, Kacanov) and bool(rate != 0 and rate.is_nonpositive),
    )
