"""Builds recurrent cells: per implicit step a loop over a state v, with linear solves inside.

Of a system, Kacanov's method takes what couples the equations from the last iterate, so that its linear
systems are those of the equations side by side; they are solved as one. Newton's method linearises the whole.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import DeclarationError
from pde2net.graph.build.implicit import ImplicitBuilder, require_determined
from pde2net.graph.build.iteration import Equations, StepLoop, V
from pde2net.graph.build.linear import linear_systems
from pde2net.graph.build.operator import diagonal, v_cycle
from pde2net.graph.build.place import NodeBuilder, Source
from pde2net.graph.build.rate import Rate
from pde2net.graph.build.system import PartBuilder, SystemBuilder
from pde2net.graph.build.tangent import Tangent, derivative
from pde2net.graph.network import Graph
from pde2net.graph.nodes import PASS, Pointwise, Trial
from pde2net.scheme.cell import Cell


def implicit_steps(
    semi: Semidiscrete | SemidiscreteSystem, graph: Graph, cell: Cell, state: Source
) -> Source:
    """Adds `cell.steps` steps from `state` on.

    Raises EquationError for fluxes that have no weights where the solver needs them.
    """
    builder, step = _step(semi, graph, cell)
    return builder.steps(cell.steps, cell.clock(PASS), step, state)


def _step(
    semi: Semidiscrete | SemidiscreteSystem, graph: Graph, cell: Cell
) -> tuple[NodeBuilder, Callable[[Source], Source]]:
    """What adds nodes to the graph, and what adds a step."""
    if cell.steady:
        require_determined(semi)
    equations: ImplicitSystem | ImplicitEquation
    if isinstance(semi, SemidiscreteSystem):
        equations = ImplicitSystem(semi, graph, cell)
    else:
        equations = ImplicitEquation(semi, graph, cell)
    if cell.solver is None:
        return equations, equations.split_step
    return equations, StepLoop(equations, cell, cell.solver, linear_systems(semi, cell)).step


class ImplicitEquation(ImplicitBuilder, Equations):
    """One equation, whose steps are split or iterated."""

    def kacanov(self, loop: StepLoop, v: Source, rhs: Source) -> Source:
        weights = self.weights(v)
        full = self.lagged(rhs, v)
        if loop.systems.method == "direct":
            ((weight,),) = weights
            return self.tridiagonal("update", 0, weight, self.diagonal(v), full, self.cell.step)
        with self.within(self.full("update"), "product."):
            x = self.node("x", Trial(), {})
            product = self.frozen_product("product", x, weights, self.diagonal(v))
        return loop.linear_solve("update", full, x, product, v, start=v)

    def correction(self, loop: StepLoop, tangent: Tangent, v: Source, rhs: Source) -> Source:
        if loop.systems.method != "direct":
            return loop.newton_system(tangent, v, rhs)
        slope = derivative(self.reaction, self.form.state)
        expression = self.cell.mass - self.cell.step * slope
        own = Rate(expression, self.local_inputs(expression, v))
        weight = self.within_domain("slope_inside", tangent.slope_weight())
        return self.tridiagonal("correction", 0, weight, own, rhs, self.cell.step)

    def within_domain(self, name: str, weight: Source | sp.Expr) -> Source | sp.Expr:
        """A weight of the flux along the one axis, 0 across the border of the domain."""
        if self.form.domain is None:
            return weight
        (edge,), inputs = self.inner_edges, self.edge_inputs()
        if isinstance(weight, tuple):
            slot = sp.Symbol("_weight", real=True)
            inputs[slot.name], weight = weight, slot
        (found,) = self.arrays(name, [edge * weight], inputs)
        return found

    def preconditioned(self, kind: str, name: str, x: Source, v: Source) -> dict[str, Source]:
        mass = self.cell.mass + self.cell.step * self.pull(self.cell.solver)
        if kind == "diagonal":
            return {"diagonal": diagonal(self, v, mass, self.cell.step)}
        if kind == "multigrid":
            return {"preconditioner": v_cycle(self, name, x, v, mass, self.cell.step)}
        return {}


class ImplicitPart(ImplicitBuilder, PartBuilder):
    """The parts of an implicit step of one equation of a system."""


class ImplicitSystem(SystemBuilder[ImplicitPart], Equations):
    """A system, whose steps are split or iterated."""

    def __init__(self, semi: SemidiscreteSystem, graph: Graph, cell: Cell) -> None:
        super().__init__(semi, graph, partial(ImplicitPart, cell=cell))
        self.cell = cell

    def split_step(self, u: Source) -> Source:
        """One of AOS, each equation with the other unknowns of the old state."""
        parts = [part.split_step(source, "mean") for part, source in self.channels(u)]
        return self.node("skip", Pointwise((V,), "skip"), {V.name: self.joined("means", parts)})

    def kacanov(self, loop: StepLoop, v: Source, rhs: Source) -> Source:
        pairs = self.channels(v)
        weights = [part.weights(source) for part, source in pairs]
        sides = zip(pairs, self.split("rhs", rhs), strict=True)
        rights = [part.lagged(side, source) for (part, source), side in sides]
        if loop.systems.method == "direct":
            solved = []
            for (part, source), own, right in zip(pairs, weights, rights, strict=True):
                if not own:
                    solved.append(part.divided("update", right, part.diagonal(source)))
                    continue
                ((weight,),) = own
                part.state = source
                solved.append(
                    part.tridiagonal("update", 0, weight, part.diagonal(source), right, self.cell.step)
                )
            return self.joined("updates", solved)
        full = self.joined("sources", rights)
        with self.within(self.full("update"), "product."):
            self.place_parts()
            x = self.node("x", Trial(), {})
            products = [
                part.frozen_product("product", trial, own, part.diagonal(source))
                for (part, source), own, trial in zip(pairs, weights, self.split("x", x), strict=True)
            ]
            product = self.joined("products", products)
        self.place_parts()
        return loop.linear_solve("update", full, x, product, v, start=v)

    def correction(self, loop: StepLoop, tangent: Tangent, v: Source, rhs: Source) -> Source:
        return loop.newton_system(tangent, v, rhs)

    def preconditioned(self, kind: str, name: str, x: Source, v: Source) -> dict[str, Source]:
        if kind == "none":
            return {}
        if kind == "multigrid":
            raise DeclarationError(
                'Systems take linear systems with preconditioner="none" or "diagonal", not "multigrid".'
            )
        mass, step, solver = self.cell.mass, self.cell.step, self.cell.solver
        parts = [
            diagonal(part, source, mass + step * part.pull(solver), step) for part, source in self.channels(v)
        ]
        return {"diagonal": self.joined("diagonals", parts)}
