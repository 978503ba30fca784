"""How the linear systems of a cell are solved, as its declaration and its equation decide."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import DeclarationError
from pde2net.graph.build.implicit import split_reaction, splits
from pde2net.graph.build.operator import hides_checkerboard
from pde2net.graph.build.tangent import derivative
from pde2net.language.solvers import LINEAR_ITERATIONS, Descent, FixedPoint, Kacanov, Newton, Solver
from pde2net.scheme.cell import Cell

Equations = Semidiscrete | SemidiscreteSystem


@dataclass(frozen=True)
class LinearSystems:
    """The linear systems of the iterations of a step.

    method          "direct", "cg", "bicgstab", or "" if there are none
    preconditioner  "none", "diagonal" or "multigrid"
    most            the most Krylov iterations per system
    once            whether the systems of all iterations are the same, so that one is solved
    means           whether product(1) = 1, so that a solution has the mean of the right-hand side
    """

    method: str
    preconditioner: str
    most: int
    once: bool
    means: bool


def linear_systems(semi: Equations, cell: Cell) -> LinearSystems:
    """Those of a cell; without any for Picard iterations and AOS."""
    solver = cell.solver
    if not isinstance(solver, Kacanov | Newton):
        return LinearSystems("", "none", 0, once=False, means=False)
    method = linear_method(semi, solver)
    preconditioner = "none" if method == "direct" else preconditioner_of(semi, solver)
    once = _alike(semi, solver) and method in ("direct", "cg")
    most = solver.linear_iterations or LINEAR_ITERATIONS[preconditioner]
    if once:
        most *= solver.iterations or solver.max_iterations
    return LinearSystems(method, preconditioner, most, once, not cell.steady and keeps_constants(semi))


def linear_method(semi: Equations, solver: Solver) -> str:
    """How the linear systems of `solver` are solved: "direct", "cg", "bicgstab", or "" if there are none.

    Those of the equations of a system are solved together, as one.
    """
    if isinstance(solver, FixedPoint | Descent):
        return ""
    symmetric = all(t.prefactor == 1 for t in semi.form.terms)
    krylov = "cg" if symmetric and isinstance(solver, Kacanov) else "bicgstab"
    if isinstance(semi, SemidiscreteSystem):
        direct = all(tridiagonal(part) or not part.form.terms for part in semi.parts)
        return "direct" if direct and isinstance(solver, Kacanov) else krylov
    if tridiagonal(semi) and (isinstance(solver, Kacanov) or _flux_of_slopes(semi)):
        return "direct"
    return krylov


def preconditioner_of(semi: Equations, solver: Kacanov | Newton) -> str:
    """What the solver asks for; by default multigrid where it applies, else the diagonal, else none."""
    in_domain = semi.form.problem.domain is not None
    if in_domain and solver.preconditioner == "multigrid":
        raise DeclarationError(
            'Domains have no coarse grids: take linear systems with preconditioner="diagonal" or "none".'
        ).spelt("Domains have no coarse grids: take linear systems with preconditioner = diagonal or none.")
    if solver.preconditioner is not None:
        return solver.preconditioner
    best = {t.preconditioner for t in semi.form.terms}
    if isinstance(semi, SemidiscreteSystem) or in_domain or hides_checkerboard(semi):
        best.add("diagonal")
    return next((kind for kind in ("none", "diagonal") if kind in best), "multigrid")


def steps_linearly(semi: Semidiscrete) -> bool:
    """Whether an implicit step is a linear system with a symmetric matrix, which is not below 1."""
    damping, _ = split_reaction(semi.form.reaction, semi.form.state)
    symmetric = all(t.prefactor == 1 for t in semi.form.terms)
    return symmetric and bool(damping.is_nonnegative) and _alike(semi, Kacanov())


def tridiagonal(semi: Semidiscrete) -> bool:
    """Whether A is tridiagonal: one divergence on one axis, with differences of two neighbours."""
    return len(semi.spacing) == 1 and splits(semi)


def _flux_of_slopes(semi: Semidiscrete) -> bool:
    """Whether the flux at a point depends on the slope there alone, not on those of other channels."""
    (term,), form = semi.form.terms, semi.form
    coupled = form.problem.channels > 1 and not form.linear_flux
    if not term.along_axes or semi.cell is not None or coupled:
        return False
    smoothed = {s for s, (of, _) in form.field_slopes.items() if of in form.smoothed}
    others = {form.state, *form.smoothed, *smoothed}
    expressions = [e for c in term.parts for e in (c.coefficient, *c.responses)]
    return all(not others & e.free_symbols for e in expressions)


def _alike(semi: Equations, solver: Kacanov | Newton) -> bool:
    """Whether neither the matrix of a system nor its right-hand side depends on the iterate.

    The equations of a system are coupled by what is taken at the iterate.
    """
    if isinstance(semi, SemidiscreteSystem) or not semi.form.linear_flux:
        return False
    reaction, state = semi.form.reaction, semi.form.state
    damping, source = split_reaction(reaction, state)
    if isinstance(solver, Newton):
        damping = -derivative(reaction, state)
        source = sp.simplify(reaction + damping * state)
    return state not in damping.free_symbols | source.free_symbols


def keeps_constants(semi: Equations) -> bool:
    """Whether K 1 = 0 and no reaction is taken at the new state; in a domain, each part has a mean."""
    if semi.form.problem.domain is not None:
        return False
    if isinstance(semi, SemidiscreteSystem):
        return all(map(keeps_constants, semi.parts))
    damping, _ = split_reaction(semi.form.reaction, semi.form.state)
    return damping == 0 and not semi.form.learned and semi.closed
