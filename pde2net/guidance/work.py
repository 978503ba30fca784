"""A model of the work of a scheme, in evaluations of one block F(u) = -K^T Phi(K u) on the full grid.

    stacks             one per stage
    implicit, theta    per step and outer iteration: one for the diffusivities, and the linear solve
    linear solve       direct (tridiagonal): DIRECT; else one per Krylov iteration, of which there are
                       ln(2/eps)/ln((r + 1)/(r - 1)), r^2 = 1 + theta tau ‖A‖, for conjugate gradients
                       (Saad, Iterative Methods for Sparse Linear Systems, 2003, (6.128)); twice that for
                       BiCGStab; preconditioned by multigrid, ln(1/eps)/ln(1/REDUCTION) with a cycle each
    outer iterations   as many as the solver is given; with a tolerance OUTER, or one if A does not depend
                       on u
    AOS                per step one for the diffusivities and DIRECT for the solves along all axes
    multigrid          per cycle pre + post sweeps and two for residual and correction, weighted by the
                       sizes of the grids: 1/(1 - 2^-d) for V, 1/(1 - 2^(1 - d)) for W (levels in 1D)

It is a model: what it leaves out is the price of moving memory, which `measure` shows.
"""

from __future__ import annotations

import math

import sympy as sp

from pde2net.graph.build.linear import LinearSystems, linear_systems
from pde2net.guidance.limit import Prepared
from pde2net.language.schemes import Implicit, Multigrid, Scheme, Theta
from pde2net.language.solvers import Descent, FixedPoint, Solver
from pde2net.scheme.cell import cell
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import START_RATE, Stack

DIRECT = 8.0  # measured on images of 64^2 to 256^2; elimination reads and writes memory many times
OUTER = 6  # 3 to 9 on images and noise, tolerance 1e-2, tau 1 to 30; not monotone fluxes may need more
REDUCTION = 0.2  # of the residual per iteration with a multigrid cycle; 0.1 for constant diffusivities
LEVELS = 5  # of a multigrid scheme that takes as many as the image allows, where that matters


def work(scheme: Scheme, prepared: Prepared) -> float:
    """Block evaluations of the whole network."""
    update = update_of(scheme, sp.S.One)
    if isinstance(update, Stack):  # some evaluate F at the start of a cycle as well
        return float(update.cycles * (len(update.stages) + update.uses(START_RATE)))
    dimension = len(prepared.semi.spacing)
    if isinstance(scheme, Multigrid):
        return scheme.steps * scheme.cycles * _cycle(scheme, dimension)
    if isinstance(scheme, Implicit | Theta):
        theta = float(scheme.theta) if isinstance(scheme, Theta) else 1.0
        explicit_part = float(theta < 1)
        return scheme.steps * (explicit_part + _solves(scheme, theta * float(scheme.tau), prepared))
    return scheme.repeats * (1 + DIRECT)


def _solves(scheme: Implicit | Theta, step: float, prepared: Prepared) -> float:
    systems, solver = linear_systems(prepared.semi, cell(scheme)), scheme.solver
    outer = 1 if systems.once else solver.iterations or (1 if prepared.semi.form.linear_flux else OUTER)
    return outer * (1 + _linear_solve(solver, systems, step, prepared))


def _linear_solve(solver: Solver, systems: LinearSystems, step: float, prepared: Prepared) -> float:
    if isinstance(solver, FixedPoint | Descent):
        return 0.0
    method = systems.method
    if method == "direct":
        return DIRECT
    most = float(systems.most)
    norm, tolerance = norm_of(prepared), float(getattr(solver, "linear_tol", 1))
    per_iteration = 1.0 if method == "cg" else 2.0
    if systems.preconditioner == "multigrid":
        cycle = 2 / (1 - 2.0 ** -len(prepared.semi.spacing))  # two products on every grid
        count = min(most, max(1, math.ceil(math.log(tolerance) / math.log(REDUCTION))))
        return per_iteration * (1 + cycle) * count
    if norm is None:
        return most
    return per_iteration * min(most, krylov_iterations(step * norm, tolerance))


def krylov_iterations(size: float, tolerance: float) -> int:
    """Of conjugate gradients for I + B with 0 <= B <= size, from (6.128) of Saad."""
    root = math.sqrt(1 + size)
    return max(1, math.ceil(math.log(2 / tolerance) / math.log((root + 1) / (root - 1)))) if size else 1


def norm_of(prepared: Prepared) -> float | None:
    """L ‖K‖² as a number, None where it is not known."""
    norm = prepared.facts.norm
    norm = None if norm is None else norm.subs(prepared.problem.parameters)
    return None if norm is None or norm.free_symbols else float(norm)


def _cycle(scheme: Multigrid, dimension: int) -> float:
    sweeps = scheme.pre + scheme.post + 2
    v_cycle = sweeps / (1 - 2.0**-dimension)
    if scheme.cycle == "V":
        return v_cycle
    if scheme.cycle == "W":
        levels = scheme.levels or LEVELS
        return sweeps * (levels if dimension == 1 else 1 / (1 - 2.0 ** (1 - dimension)))
    return v_cycle / (1 - 2.0**-dimension) / scheme.cycles + v_cycle * (1 - 1 / scheme.cycles)
