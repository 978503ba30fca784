"""Lowers the multigrid preconditioner of a cell: the operator on every grid, and a cycle."""

from __future__ import annotations

from pde2net.emit.base import Request
from pde2net.emit.parse import parse
from pde2net.emit.solvers import ON_COARSEST
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Definition
from pde2net.emit.unet_operator import OperatorEmitter
from pde2net.graph.nodes import VCycle
from pde2net.program.records import Program


class PreconditionerEmitter(OperatorEmitter):
    def __init__(self, request: Request, program: Program) -> None:
        super().__init__(request, program)
        self.cycle = next(n for n in self.nodes if isinstance(n, VCycle))

    def classes(self) -> list[Definition]:
        return [self.operator_class(), *self._cycle()]

    def _cycle(self) -> list[Definition]:
        def scaled(text: str) -> str:
            return f"quotient({text}, diagonal)" if self.update.steady else f"{text} / diagonal"

        known = [*(f"{f}: Tensor" for f in self.fields), *self.clock_arguments()]
        return parse(
            _CYCLE,
            known="".join(f", {argument}" for argument in known),
            data=", ".join(["v", str(self.operator.levels), *self.fields, *self.at_time()]),
            frozen=self.takes_frozen,
            passed="self.frozen[level], " * self.takes_frozen,
            product=scaled("product(z)"),
            right=scaled("r"),
            residual=scaled("residual"),
            most=str(self.cycle.most),
            solution=ON_COARSEST.format("r", number(self.cycle.tol)),
            omega=number(self.cycle.damping),
            kept="grid.kept * " * self.operator.weighted,
        )


_CYCLE = '''
class MultigridCycle:
    """About z with operator.product(z) = r, with the diffusivities of v: one multigrid cycle from z = 0.

    A linear U-net: on each grid a sweep of damped Jacobi, the correction from the next grid, another sweep.
    """

    def __init__(self, operator: DiffusionOperator, v: Tensor$known) -> None:
        self.operator, self.grids = operator, operator.grids($data)
        states = [v]
        for fine, coarse in zip(self.grids, self.grids[1:]):
            states.append(restrict(states[-1], fine, coarse, fine.volume))
        self.frozen = [operator.frozen(s, g) for s, g in zip(states, self.grids)]  # if frozen
        self.diagonals = [operator.diagonal(s, g) for s, g in zip(states, self.grids)]

    def __call__(self, r: Tensor, level: int = 0) -> Tensor:
        grid, diagonal = self.grids[level], self.diagonals[level]
        product = lambda z: self.operator.product(z, ${passed}grid)
        if level == len(self.grids) - 1:
            scaled = lambda z: $product
            right, most = $right, min($most, r[0].numel())
            return $solution
        z = $omega * $right
        coarse = self.grids[level + 1]
        correction = self(restrict_residual(r - product(z), grid, coarse), level + 1)
        z = z + ${kept}prolong(correction, coarse, grid)
        residual = r - product(z)
        return z + $omega * $residual
'''
