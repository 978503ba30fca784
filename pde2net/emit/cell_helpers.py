"""The definitions that the solvers of a cell need."""

from __future__ import annotations

from collections.abc import Sequence

from pde2net.emit import krylov, solvers
from pde2net.emit.loops import RELATIVE
from pde2net.emit.tree import Class, Function
from pde2net.graph.nodes import Iterate, LinearSolve, Node, Tridiagonal


def definitions(nodes: Sequence[Node], loop: Iterate | None) -> list[Function | Class]:
    """Of linear systems, of the loop, and of implicit gradients."""
    found: list[Function | Class] = []
    tol = loop is not None and loop.tol != 0
    implicit = loop is not None and tol and loop.gradients == "implicit"
    newton = loop is not None and loop.method == "Newton"
    systems = [n for n in nodes if isinstance(n, LinearSolve)]
    if loop is not None:
        found += [solvers.NORM, RELATIVE]
    if systems or implicit or newton:
        found.append(krylov.FINISHED)
    found += _krylov(systems, implicit)
    found += _direct([n for n in nodes if isinstance(n, Tridiagonal)])
    if loop is not None and loop.anderson:
        found.append(solvers.ANDERSON)
    if newton:
        found.append(solvers.LINE_SEARCH)
    if loop is not None and tol:
        found += failures(loop.on_failure)
    if implicit:
        found += solvers.IMPLICIT
    return found


def failures(on_failure: str) -> list[Function | Class]:
    """What a loop needs whose tolerance may be missed."""
    found: list[Function | Class] = [] if on_failure == "best" else [solvers.FAILURE]
    return [*found, *([solvers.ROUNDING] if on_failure == "warn" else []), solvers.report(on_failure)]


def _krylov(systems: Sequence[LinearSolve], implicit: bool) -> list[Function]:
    found = [krylov.DOT, krylov.QUOTIENT] if systems or implicit else []
    if any(n.method == "cg" for n in systems):
        found += [krylov.CG, krylov.NEAREST]
        found += [krylov.WITH_MEAN] if any(n.means for n in systems) else []
    multigrid = any(n.preconditioner == "multigrid" for n in systems)
    if implicit or multigrid or any(n.method == "bicgstab" for n in systems):
        found.append(krylov.BICGSTAB)
    return found


def _direct(systems: Sequence[Tridiagonal]) -> list[Function]:
    closures = {n.closure for n in systems}
    if not closures:
        return []
    padded = any(n.closure == "dirichlet" and n.g == 0 for n in systems)
    found = [solvers.EDGES[c] for c in sorted(closures) if c != "dirichlet" or padded]
    found += [solvers.SHIFTS, solvers.TRIDIAGONAL]
    return [*found, solvers.CYCLIC] if "periodic" in closures else found
