"""The definitions that the solvers of a cell need."""

from __future__ import annotations

from collections.abc import Sequence

from pde2net.emit import krylov, solvers
from pde2net.emit.tree import Class, Function
from pde2net.graph.nodes import Iterate, LinearSolve, Node, Tridiagonal


def definitions(nodes: Sequence[Node], loop: Iterate | None) -> list[Function | Class]:
    """Of linear systems, of the loop, and of implicit gradients."""
    found: list[Function | Class] = []
    tol = loop is not None and loop.tol != 0
    implicit = loop is not None and tol and loop.gradients == "implicit"
    if tol:
        found.append(solvers.NORM)
    found += _krylov([n for n in nodes if isinstance(n, LinearSolve)], implicit)
    found += _direct([n for n in nodes if isinstance(n, Tridiagonal)])
    if loop is not None and loop.anderson:
        found.append(solvers.ANDERSON)
    if loop is not None and tol:
        if loop.method == "Newton":
            found.append(solvers.LINE_SEARCH)
        found.append(solvers.REPORT[loop.on_failure])
    if implicit:
        found.append(solvers.IMPLICIT)
    return found


def _krylov(systems: Sequence[LinearSolve], implicit: bool) -> list[Function]:
    kinds = {(n.method, n.preconditioner) for n in systems}
    multigrid = any(p == "multigrid" for _, p in kinds)
    found = [krylov.DOT, krylov.QUOTIENT] if kinds or implicit else []
    for preconditioner, function in (
        ("none", krylov.CG),
        ("diagonal", krylov.DIAGONAL_CG),
        ("multigrid", krylov.FLEXIBLE_CG),
    ):
        if ("cg", preconditioner) in kinds:
            found.append(function)
    if implicit or multigrid or any(m == "bicgstab" for m, _ in kinds):
        found.append(krylov.bicgstab(preconditioned=("bicgstab", "multigrid") in kinds))
    return found


def _direct(systems: Sequence[Tridiagonal]) -> list[Function]:
    closures = {n.closure for n in systems}
    if not closures:
        return []
    padded = any(n.closure == "dirichlet" and n.g == 0 for n in systems)
    found = [solvers.EDGES[c] for c in sorted(closures) if c != "dirichlet" or padded]
    found += [solvers.SHIFTS, solvers.TRIDIAGONAL]
    return [*found, solvers.CYCLIC] if "periodic" in closures else found
