"""Lowers the multigrid preconditioner of a cell: the operator on every grid, and a cycle."""

from __future__ import annotations

from pde2net.emit.base import Request
from pde2net.emit.solvers import ON_COARSEST
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Function
from pde2net.emit.unet_operator import OperatorEmitter
from pde2net.graph.nodes import VCycle
from pde2net.program.records import Program

_DOC = """About z with operator.product(z) = r, with the diffusivities of v: one multigrid cycle from z = 0.

A linear U-net: on each grid a sweep of damped Jacobi, the correction from the next grid, another sweep.
"""


class PreconditionerEmitter(OperatorEmitter):
    def __init__(self, request: Request, program: Program) -> None:
        super().__init__(request, program)
        self.cycle = next(n for n in self.nodes if isinstance(n, VCycle))

    def classes(self) -> list[Function | Class]:
        return [self.operator_class(), self._cycle_class()]

    def _cycle_class(self) -> Class:
        frozen = self.takes_frozen
        data = ", ".join(["v", str(self.operator.levels), *self.fields, *self.at_time()])
        body = [
            f"self.operator, self.grids = operator, operator.grids({data})",
            "states = [v]",
            "for fine, coarse in zip(self.grids, self.grids[1:]):",
            "    states.append(restrict(states[-1], fine, coarse, fine.volume))",
        ]
        for attribute, method in (*([("frozen", "frozen")] if frozen else []), ("diagonals", "diagonal")):
            body.append(f"self.{attribute} = [operator.{method}(s, g) for s, g in zip(states, self.grids)]")
        arguments = [
            "self",
            "operator: DiffusionOperator",
            "v: Tensor",
            *(f"{f}: Tensor" for f in self.fields),
            *self.clock_arguments(),
        ]
        members = [Function("__init__", arguments, "None", "", body), self._call(frozen)]
        return Class("MultigridCycle", "", _DOC, members)

    def _call(self, frozen: bool) -> Function:
        omega = number(self.cycle.damping)
        kept = "grid.kept * " if self.operator.weighted else ""

        def scaled(text: str) -> str:
            return f"quotient({text}, diagonal)" if self.update.steady else f"{text} / diagonal"

        body = [
            "grid, diagonal = self.grids[level], self.diagonals[level]",
            f"product = lambda z: self.operator.product(z, {'self.frozen[level], ' if frozen else ''}grid)",
            "if level == len(self.grids) - 1:",
            f"    scaled = lambda z: {scaled('product(z)')}",
            f"    right, most = {scaled('r')}, min({self.cycle.most}, r[0].numel())",
            f"    return {ON_COARSEST.format('r', number(self.cycle.tol))}",
            f"z = {omega} * {scaled('r')}",
            "coarse = self.grids[level + 1]",
            "correction = self(restrict_residual(r - product(z), grid, coarse), level + 1)",
            f"z = z + {kept}prolong(correction, coarse, grid)",
            "residual = r - product(z)",
            f"return z + {omega} * {scaled('residual')}",
        ]
        return Function("__call__", ("self", "r: Tensor", "level: int = 0"), "Tensor", "", body)
