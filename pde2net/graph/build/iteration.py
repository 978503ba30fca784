"""Adds the loop of an implicit step to a graph: Picard, Kacanov or Newton iterations over a state v."""

from __future__ import annotations

from abc import ABC, abstractmethod

import sympy as sp

from pde2net.graph.build.implicit import RHS, TRIAL
from pde2net.graph.build.linear import LinearSystems
from pde2net.graph.build.place import NodeBuilder, Source
from pde2net.graph.build.rate import Rate
from pde2net.graph.build.tangent import Tangent
from pde2net.graph.nodes import Iterate, LinearSolve, Pointwise, State, Trial
from pde2net.language.solvers import Descent, FixedPoint, Kacanov, Newton, Solver
from pde2net.scheme.cell import OMEGA, Cell
from pde2net.scheme.stack import TAU

V = sp.Symbol("_v", real=True)
UPDATE, MINUS = sp.symbols("_update _residual", real=True)


class Equations(NodeBuilder, ABC):
    """What adds one equation to a graph, or a system whose unknowns are the channels of v."""

    @abstractmethod
    def rate(self, state: Source) -> Rate:
        """F at a state."""

    @abstractmethod
    def kacanov(self, loop: StepLoop, v: Source, rhs: Source) -> Source:
        """(mass + step (A(v) + b)) x = rhs + step s(v)."""

    @abstractmethod
    def correction(self, loop: StepLoop, tangent: Tangent, v: Source, rhs: Source) -> Source:
        """(mass - step F'(v)) x = rhs."""

    @abstractmethod
    def preconditioned(self, kind: str, name: str, x: Source, v: Source) -> dict[str, Source]:
        """The slot of the preconditioner of a linear system, if there is one."""


class StepLoop:
    """Adds implicit steps to the graph of `builder`."""

    def __init__(self, builder: Equations, cell: Cell, solver: Solver, systems: LinearSystems) -> None:
        self.builder, self.cell, self.solver, self.systems = builder, cell, solver, systems

    def step(self, u: Source) -> Source:
        rhs = self.right_hand_side(u)
        loop = self.builder.full("skip")
        with self.builder.within(loop):
            v = self.builder.node("v", State(), {"start": u})
            update, residual = self.body(v, rhs)
            residual = residual or self.residual(v, rhs)
        inputs = {"start": u, "next": update, "residual": residual}
        inputs |= {} if self.cell.steady else {"rhs": rhs}
        return self.builder.node("skip", self.iterate(), inputs)

    def right_hand_side(self, u: Source) -> Source:
        """u + (1 - theta) tau F(u); u itself for theta = 1."""
        if self.cell.theta == 1:
            return u
        with self.builder.within(self.builder.block, "explicit."):
            rate = self.builder.rate(u)
        state = self.builder.form.state
        expression = state + (1 - self.cell.theta) * TAU * rate.expression
        return self.builder.node(
            "rhs", Pointwise((expression,), "right-hand side"), {state.name: u} | rate.inputs
        )

    def iterate(self) -> Iterate:
        s, once = self.solver, self.systems.once
        fixed = s.iterations is not None
        return Iterate(
            s.label,
            (1 if once else s.iterations or 0) if fixed else 0,
            s.tol or sp.S.Zero,
            1 if once else s.iterations or s.max_iterations,
            s.anderson if isinstance(s, FixedPoint) else 0,
            s.gradients,
            s.on_failure,
            s.weights if isinstance(s, Descent) else "none",
            self.cell.steady,
        )

    def body(self, v: Source, rhs: Source) -> tuple[Source, Source | None]:
        """The next state, and the residual if it is needed for it."""
        if isinstance(self.solver, Kacanov):
            return self.builder.kacanov(self, v, rhs), None
        if isinstance(self.solver, Newton):
            return self.newton(v, rhs)
        if isinstance(self.solver, Descent):
            return self.descent(v, rhs)
        rate = self.builder.rate(v)
        expression = RHS + self.cell.step * rate.expression
        return self.builder.node(
            "update", Pointwise((expression,), "step"), {RHS.name: rhs} | rate.inputs
        ), None

    def residual(self, v: Source, rhs: Source) -> Source:
        """mass v - step F(v) - rhs."""
        with self.builder.within(self.builder.full("skip"), "residual."):
            rate = self.builder.rate(v)
            return self.residual_node(rate, v, rhs)

    def residual_node(self, rate: Rate, v: Source, rhs: Source) -> Source:
        state = self.builder.form.state
        expression = self.cell.mass * (state - RHS) - self.cell.step * rate.expression
        inputs = {RHS.name: rhs, state.name: v} | rate.inputs
        return self.builder.node("residual", Pointwise((expression,), "residual"), inputs)

    def product(self, x: Source, change: Rate) -> Source:
        """mass x - step F'(v) x, from the change of F along x."""
        expression = self.cell.mass * TRIAL - self.cell.step * change.expression
        inputs = {TRIAL.name: x} | change.inputs
        return self.builder.node("product", Pointwise((expression,), "product"), inputs)

    def descent(self, v: Source, rhs: Source) -> tuple[Source, Source]:
        """v - omega residual(v)."""
        residual = self.residual_node(self.builder.rate(v), v, rhs)
        step = Pointwise((V - OMEGA * MINUS,), "step")
        return self.builder.node("update", step, {V.name: v, MINUS.name: residual}), residual

    def newton(self, v: Source, rhs: Source) -> tuple[Source, Source]:
        """v + x with (mass - step F'(v)) x = -residual(v)."""
        rate = self.builder.rate(v)
        residual = self.residual_node(rate, v, rhs)
        negated = self.builder.node("minus", Pointwise((-MINUS,), "right-hand side"), {MINUS.name: residual})
        update = self.builder.correction(self, Tangent(self.builder, v, rate), v, negated)
        skip = Pointwise((V + UPDATE,), "step")
        return self.builder.node("update", skip, {V.name: v, UPDATE.name: update}), residual

    def newton_system(self, tangent: Tangent, v: Source, rhs: Source) -> Source:
        """The correction by a Krylov method."""
        with self.builder.within(self.builder.full("correction"), "product."):
            x = self.builder.node("x", Trial(), {})
            product = self.product(x, tangent.along(x))
        return self.linear_solve("correction", rhs, x, product, v)

    def linear_solve(
        self, name: str, rhs: Source, x: Source, product: Source, v: Source, start: Source | None = None
    ) -> Source:
        """A Krylov method from `start` on, else from 0, preconditioned like mass + step A(v)."""
        s, systems = self.solver, self.systems
        if not isinstance(s, Kacanov | Newton):
            raise TypeError("a fixed point solves no linear system")
        inputs = {"rhs": rhs, "product": product} | ({} if start is None else {"start": start})
        inputs |= self.builder.preconditioned(systems.preconditioner, name, x, v)
        means = systems.means and systems.method == "cg"
        node = LinearSolve(systems.method, s.linear_tol, systems.most, systems.preconditioner, means)
        return self.builder.node(name, node, inputs)
