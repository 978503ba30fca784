"""The definitions that the solvers of a cell need."""

from __future__ import annotations

from collections.abc import Sequence

from pde2net.emit import krylov, solvers
from pde2net.emit.loops import RELATIVE
from pde2net.emit.tree import Class, Function
from pde2net.graph.nodes import Iterate, LinearSolve, Node, Tridiagonal
from pde2net.language.borders import BORDERS


def definitions(nodes: Sequence[Node], loop: Iterate | None) -> list[Function | Class]:
    """Of linear systems, of the loop, and of implicit gradients."""
    found: list[Function | Class] = []
    tol = loop is not None and loop.tol != 0
    implicit = loop is not None and tol and loop.gradients == "implicit"
    newton = loop is not None and loop.method == "Newton"
    systems = [n for n in nodes if isinstance(n, LinearSolve)]
    settles = loop is not None and (bool(loop.anderson) or (tol and not implicit))
    solved = bool(systems) or implicit or settles
    if loop is not None:
        found += [solvers.NORM, RELATIVE]
    if solved or newton:
        found.append(krylov.FINISHED)
    found += _krylov(systems, solved)
    if systems or (loop is not None and tol and loop.on_failure == "warn"):
        found.append(solvers.ROUNDING)
    found += _direct([n for n in nodes if isinstance(n, Tridiagonal)])
    if loop is not None and loop.anderson:
        found.append(solvers.ANDERSON)
    if newton:
        found.append(solvers.LINE_SEARCH)
    if loop is not None and tol:
        found += failures(loop.on_failure)
    if solved:
        found += solutions(settles, linear=bool(systems))
    return found


def failures(on_failure: str) -> list[Function | Class]:
    """What a loop needs whose tolerance may be missed."""
    found: list[Function | Class] = [] if on_failure == "best" else [solvers.FAILURE]
    return [*found, solvers.report(on_failure)]


def solutions(settles: bool, linear: bool) -> list[Function | Class]:
    """What derivatives of solutions need: of loops that settle, of linear systems."""
    found: list[Function | Class] = [*solvers.IMPLICIT]
    found += [solvers.DIFFERENTIATED] if settles or linear else []
    found += [solvers.SETTLED] if settles else []
    return [*found, *([solvers.LINEAR_SOLUTION] if linear else [])]


def _krylov(systems: Sequence[LinearSolve], solved: bool) -> list[Function]:
    found = [krylov.DOT, krylov.QUOTIENT] if solved else []
    if any(n.method == "cg" for n in systems):
        means = any(n.means for n in systems)
        found += [krylov.CG, krylov.NEAREST, *([krylov.WITH_MEAN] if means else [])]
        found.append(krylov.cg_between(means))
    return [*found, *([krylov.BICGSTAB] if solved else [])]


def _direct(systems: Sequence[Tridiagonal]) -> list[Function]:
    closures = {n.closure for n in systems}
    if not closures:
        return []
    padded = any(BORDERS[n.closure].zero and n.g == 0 for n in systems)
    found = [solvers.EDGES[c] for c in sorted(closures) if padded or not BORDERS[c].zero]
    found += [solvers.SHIFTS, solvers.TRIDIAGONAL]
    return [*found, solvers.CYCLIC] if any(BORDERS[c].wraps for c in closures) else found
