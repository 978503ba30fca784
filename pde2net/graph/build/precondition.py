"""Adds the preconditioners of linear systems to the graph of a cell: the diagonal, or a multigrid cycle."""

from __future__ import annotations

import sympy as sp

from pde2net.errors import EquationError
from pde2net.graph.build import relaxation
from pde2net.graph.build.diagonal import coefficient, frozen_diagonal
from pde2net.graph.build.operator import OperatorBuilder, hides_checkerboard
from pde2net.graph.build.place import Source
from pde2net.graph.build.rate import Rate, RateBuilder
from pde2net.graph.nodes import VCycle

# The system on the coarsest grid, which has a few cells: relative residual and iterations.
COARSEST = sp.Rational(1, 100), 200


def diagonal(builder: RateBuilder, v: Source, mass: sp.Expr, factor: sp.Expr) -> Source:
    """The diagonal of mass + factor A(v)."""
    d = frozen_diagonal(builder, builder.weights(v), Rate(mass, builder.local_inputs(mass, v)), factor)
    return coefficient(builder, "diagonal", d.mass + d.diffusion, d)


def v_cycle(
    builder: RateBuilder, solve: str, trial: Source, v: Source, mass: sp.Expr, factor: sp.Expr
) -> Source:
    """A cycle for (mass + factor A(v)) z = trial, in the body of `solve`.

    Raises EquationError for central differences.
    """
    if hides_checkerboard(builder.semi):
        raise EquationError(
            'preconditioner="multigrid" needs slopes that see the checkerboard, which central differences do '
            'not: use Grid(gradient="forward") or "staggered", or preconditioner="diagonal".'
        )
    operators = OperatorBuilder(builder.semi, builder.graph, mass, factor)
    operators.join(builder)
    operator = operators.linear_operator(v)
    with builder.within(builder.full(solve)):
        node = VCycle(relaxation.damping(builder.semi), *COARSEST)
        return builder.node("cycle", node, {"r": trial, "operator": operator})
