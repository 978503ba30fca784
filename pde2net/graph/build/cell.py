"""Builds recurrent cells: per implicit step a loop over a state v, with linear solves inside."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.graph.build.derivative import derivative
from pde2net.graph.build.implicit import ImplicitBuilder
from pde2net.graph.build.iteration import StepLoop
from pde2net.graph.build.linear import linear_systems
from pde2net.graph.build.place import NodeBuilder, Source
from pde2net.graph.build.precondition import diagonal, v_cycle
from pde2net.graph.build.rate import Rate
from pde2net.graph.build.system_cell import ImplicitSystem, SplitSystem
from pde2net.graph.build.tangent import Tangent
from pde2net.graph.network import Graph, add, new_graph, validate
from pde2net.graph.nodes import PASS, Input, Output, Trial
from pde2net.scheme.cell import Cell
from pde2net.scheme.stack import TAU


def recurrent_cell(semi: Semidiscrete | SemidiscreteSystem, tau: sp.Expr, cell: Cell) -> Graph:
    """The graph of `cell.steps` implicit steps.

    Raises EquationError for fluxes that have no weights where the solver needs them.
    """
    values = {**semi.form.problem.parameters, **({} if cell.steady else {TAU: tau})}
    graph = new_graph("recurrent cell", semi, values)
    state: Source = (add(graph, "input", Input(semi.form.state), {}), 0)
    builder, step = _steps(semi, graph, cell)
    add(graph, "output", Output(), {"u": builder.steps(cell.steps, cell.clock(PASS), step, state)})
    return validate(graph)


def _steps(
    semi: Semidiscrete | SemidiscreteSystem, graph: Graph, cell: Cell
) -> tuple[NodeBuilder, Callable[[Source], Source]]:
    """What adds nodes to the graph, and what adds a step."""
    if cell.solver is None:
        split = (
            SplitSystem(semi, graph, cell)
            if isinstance(semi, SemidiscreteSystem)
            else ImplicitBuilder(semi, graph, cell)
        )
        return split, split.split_step
    equations = (
        ImplicitSystem(semi, graph, cell)
        if isinstance(semi, SemidiscreteSystem)
        else ImplicitEquation(semi, graph, cell)
    )
    return equations, StepLoop(equations, cell, cell.solver, linear_systems(semi, cell)).step


class ImplicitEquation(ImplicitBuilder):
    """One equation, whose steps are iterated."""

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
        slope = derivative(self.form.reaction, self.form.state)
        expression = self.cell.mass - self.cell.step * slope
        own = Rate(expression, self.local_inputs(expression, v))
        return self.tridiagonal("correction", 0, tangent.slope_weight(), own, rhs, self.cell.step)

    def preconditioned(self, kind: str, name: str, x: Source, v: Source) -> dict[str, Source]:
        mass = self.cell.mass + self.cell.step * self.pull(self.cell.solver)
        if kind == "diagonal":
            return {"diagonal": diagonal(self, v, mass, self.cell.step)}
        if kind == "multigrid":
            return {"preconditioner": v_cycle(self, name, x, v, mass, self.cell.step)}
        return {}
