"""Adds operators with frozen weights to a graph: on every grid of a hierarchy, as preconditioners."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.errors import DeclarationError, EquationError
from pde2net.graph.build import relaxation
from pde2net.graph.build.diagonal import coefficient, frozen_diagonal
from pde2net.graph.build.place import Source
from pde2net.graph.build.rate import FluxWeights, Rate, RateBuilder
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Convolution, Operator, Pointwise, State, Trial, VCycle

DEPTH = 12  # grids of a network that takes as many as the image allows
# The system on the coarsest grid, which has a few cells: relative residual and iterations.
COARSEST = sp.Rational(1, 100), 200
TRIAL = sp.Symbol("_x", real=True)


def hides_checkerboard(semi: Semidiscrete) -> bool:
    """Whether the slopes are central differences: the checkerboard has none, and coarse grids miss it."""
    return semi.grid.gradient == "central" and semi.first_order


class OperatorBuilder(RateBuilder):
    """Adds (mass + factor A(v)) x with the weights of a state v.

    uneven  whether the rows of the operator differ in size, since known data multiplies them
    """

    def __init__(self, semi: Semidiscrete, graph: Graph, mass: sp.Expr, factor: sp.Expr) -> None:
        super().__init__(semi, graph)
        if any(t.order == 2 and t.preconditioner != "multigrid" for t in self.form.terms):
            raise DeclarationError(
                "Multigrid takes neither Hessians nor operators of first and second order together; use "
                'Implicit with Kacanov and preconditioner="none", or an explicit scheme.'
            )
        for border in semi.borders:
            border.require_plain("Nested grids")
        self.mass, self.factor = mass, factor
        varying = mass.free_symbols.union(*(t.prefactor.free_symbols for t in self.form.terms))
        self.uneven = bool(varying & self.form.data)

    def bank(self, k: int) -> Bank:
        """One row per axis, since the distances of cells differ from axis to axis."""
        (row,) = super().bank(k).rows
        return Bank(tuple((entry,) for entry in row))

    def curvature(self, bank: Bank, suffix: str) -> Source:
        """The sum of the second differences along the axes."""
        if len(bank.rows) == 1:
            return super().curvature(bank, suffix)
        name, _ = self.once(f"K{suffix}", Convolution(bank), {"u": self.state})
        axes = [self.form.space[row[0][1].axis] for row in bank.rows]
        slots = [sp.Symbol(f"{self.form.state}_{a}{a}", real=True) for a in axes]
        inputs = {s.name: (name, i) for i, s in enumerate(slots)}
        return self.once(f"q{suffix}", Pointwise((sp.Add(*slots),), "coefficient"), inputs)

    def frozen_mass(self, v: Source) -> Rate:
        return Rate(self.mass, self.local_inputs(self.mass, v))

    def product(self, weights: FluxWeights, mass: Rate) -> Source:
        """The operator applied to a Trial."""
        x = self.node("x", Trial(), {})
        diffusion = self.diffusion(x, weights)
        expression = mass.expression * TRIAL - self.factor * diffusion.expression
        inputs = {TRIAL.name: x} | mass.inputs | diffusion.inputs
        return self.node("product", Pointwise((expression,), "product"), inputs)

    def diagonals(self, weights: FluxWeights, mass: Rate) -> dict[str, Source]:
        """The diagonal; the sizes of the rows of the equation, where they differ."""
        d = frozen_diagonal(self, weights, mass, self.factor)
        expressions = {"diagonal": d.mass + d.diffusion}
        if self.uneven:
            expressions["rows"] = d.plain / sp.Max(d.diffusion, d.mass)
            expressions["kept"] = d.diffusion / (d.diffusion + d.mass)
        return {slot: coefficient(self, slot, e, d) for slot, e in expressions.items()}

    def linear_operator(self, v: Source) -> Source:
        """The operator with the weights of v, an Operator that is linear."""
        name = self.full("operator")
        with self.within(name, "operator."):
            state = self.node("v", State(), {"start": v})
            weights, mass = self.weights(state), self.frozen_mass(state)
            inputs = {"state": v} | self.diagonals(weights, mass)
        with self.within(name, "operator.product."):
            inputs["product"] = self.product(weights, mass)
        return self.node("operator", self.on_grids(DEPTH, asked=False, linear=True), inputs)

    def on_grids(self, levels: int, asked: bool, linear: bool) -> Operator:
        semi = self.semi
        return Operator(
            levels,
            asked,
            semi.roomy,
            semi.spacing,
            semi.boundary,
            adjoint=relaxation.order(semi) == 2,
            weighted=self.uneven,
            linear=linear,
        )


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
