"""Builds recurrent cells: per implicit step a loop over a state v, with linear solves inside."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.errors import DeclarationError, EquationError
from pde2net.graph.derivative import derivative
from pde2net.graph.diagonal import nonnegative
from pde2net.graph.network import Graph, add, new_graph, validate
from pde2net.graph.nodes import (
    Crop,
    Input,
    Iterate,
    LinearSolve,
    Output,
    Pointwise,
    State,
    Trial,
    Tridiagonal,
)
from pde2net.graph.place import Source, clock_of
from pde2net.graph.precondition import diagonal, v_cycle
from pde2net.graph.rate import Rate, RateBuilder, Weights
from pde2net.graph.tangent import Tangent
from pde2net.language.solvers import FixedPoint, Kacanov, Newton, Solver
from pde2net.normalise.form import FirstOrder
from pde2net.scheme.cell import Cell
from pde2net.scheme.stack import TAU

V = sp.Symbol("_v", real=True)
RHS, UPDATE, TRIAL = sp.symbols("_rhs _update _x", real=True)


def recurrent_cell(semi: Semidiscrete, tau: sp.Expr, cell: Cell) -> Graph:
    """The graph of `cell.steps` implicit steps; the weights of all are those of the first.

    Raises EquationError for fluxes that have no weights where the solver needs them.
    """
    values = {**semi.form.problem.parameters, **({} if cell.steady else {TAU: tau})}
    graph = new_graph("recurrent cell", values, len(semi.form.space), semi.form.problem.channels)
    state: Source = (add(graph, "input", Input(semi.form.state), {}), 0)
    builder = _AOSBuilder(semi, graph, cell) if cell.solver is None else _CellBuilder(semi, graph, cell)
    for index in range(cell.steps):
        builder.enter("block", index, clock_of(semi.form.problem, cell.clock(index)))
        state = builder.step(state)
    add(graph, "output", Output(), {"u": state})
    return validate(graph)


def linear_method(semi: Semidiscrete, solver: Solver) -> str:
    """How the linear systems of `solver` are solved: "direct", "cg", "bicgstab", or "" if there are none."""
    if isinstance(solver, FixedPoint):
        return ""
    if tridiagonal(semi) and (isinstance(solver, Kacanov) or _flux_of_slopes(semi)):
        return "direct"
    symmetric = all(t.prefactor == 1 for t in semi.form.terms)
    return "cg" if symmetric and isinstance(solver, Kacanov) else "bicgstab"


def tridiagonal(semi: Semidiscrete) -> bool:
    """Whether A is tridiagonal: one divergence on one axis, with differences of two neighbours."""
    return len(semi.spacing) == 1 and splits(semi)


def splits(semi: Semidiscrete) -> bool:
    """Whether A is a sum of tridiagonal matrices, one per axis."""
    terms = semi.form.terms
    if len(terms) != 1 or not isinstance(terms[0], FirstOrder):
        return False
    return all(d.stencil.offsets == (0, 1) for ((_, d),) in semi.gradient.rows)


def _flux_of_slopes(semi: Semidiscrete) -> bool:
    """Whether the flux at a point depends on the slope at that point alone."""
    (term,) = semi.form.terms
    if not isinstance(term, FirstOrder) or semi.cell is not None:
        return False
    expressions = [e for c in term.components for e in (c.coefficient, *c.responses)]
    return all(semi.form.state not in e.free_symbols for e in expressions)


class _ImplicitBuilder(RateBuilder):
    def __init__(self, semi: Semidiscrete, graph: Graph, cell: Cell) -> None:
        super().__init__(semi, graph)
        self.cell = cell
        self.damping, self.source = _split(self.form.reaction, self.form.state)

    def right_hand_side(self, u: Source) -> Source:
        """u + (1 - theta) tau F(u); u itself for theta = 1."""
        if self.cell.theta == 1:
            return u
        with self.within(None, "explicit."):
            rate = self.rate(u)
        state = self.form.state
        expression = state + (1 - self.cell.theta) * TAU * rate.expression
        return self.node("rhs", Pointwise((expression,), "right-hand side"), {state.name: u} | rate.inputs)

    def lagged(self, rhs: Source, v: Source) -> Source:
        """The right-hand side with the part of the reaction that is taken at v."""
        if self.source == 0:
            if self.cell.steady:
                raise EquationError(
                    "tau = oo: the steady state is not unique, since the right-hand side vanishes for every "
                    "constant; add a data term such as beta*(f - u), or take a finite step."
                )
            return rhs
        inputs = self.local_inputs(self.source, v)
        expression = self.cell.step * self.source
        if not self.cell.steady:
            expression, inputs = RHS + expression, {RHS.name: rhs} | inputs
        return self.node("source", Pointwise((expression,), "right-hand side"), inputs)

    def tridiagonal(
        self, name: str, axis: int, weight: Source | sp.Expr, diagonal: Rate, rhs: Source, scale: sp.Expr
    ) -> Source:
        """(diagonal + scale m D^T g D) x = rhs along one axis."""
        ((_, difference),) = self.semi.gradient.rows[axis]
        (term,) = self.form.terms
        inputs = {"rhs": rhs}
        entries: dict[str, sp.Expr] = {}
        prefactor = Rate(term.prefactor, self.local_inputs(term.prefactor, self.state))
        for slot, entry in (("d", diagonal), ("m", prefactor)):
            entries[slot] = entry.expression
            if entry.inputs:
                node = Pointwise((entry.expression,), "coefficient")
                full = self.full(f"{slot}")
                inputs[slot] = (full, 0) if full in self.graph else self.node(slot, node, entry.inputs)
                entries[slot] = sp.S.Zero
        entries["g"] = weight if isinstance(weight, sp.Expr) else sp.S.Zero
        if not isinstance(weight, sp.Expr):
            inputs["g"] = self.cropped(weight, axis)
        node_ = Tridiagonal(
            axis,
            self.semi.boundary[axis],
            self.semi.margin[axis],
            scale * difference.scale**2,
            **{k: entries[k] for k in ("g", "d", "m")},
        )
        return self.node(name, node_, inputs)

    def cropped(self, weight: Source, axis: int) -> Source:
        """A weight without the cells that zero-Dirichlet borders add along the other axes."""
        others = tuple(0 if i == axis else width for i, width in enumerate(self.semi.margin))
        if not any(others):
            return weight
        name = weight[0].rpartition(".")[2]
        return self.once(f"{name}_{weight[1]}_{self.form.space[axis]}", Crop(others), {"u": weight})

    def diagonal(self, v: Source) -> Rate:
        """mass + step * b, b the damping that is taken at the new state."""
        expression = self.cell.mass + self.cell.step * self.damping
        return Rate(expression, self.local_inputs(expression, v))


class _AOSBuilder(_ImplicitBuilder):
    """u+ = 1/d sum_i (1 + tau b + d tau A_i(u))^-1 (u + tau s(u)), r = s - b u."""

    def step(self, u: Source) -> Source:
        if not splits(self.semi):
            raise EquationError(
                "AOS needs a single divergence with differences of two neighbours, as Grid(order=2) with "
                'gradient="forward" or "staggered" has them; use Implicit or Multigrid for this equation.'
            )
        (weights,) = self.weights(u)
        rhs = self.lagged(u, u)
        axes = self.form.space
        parts = [
            self.tridiagonal(f"v_{a}", i, weights[i], self.diagonal(u), rhs, len(axes) * self.cell.step)
            for i, a in enumerate(axes)
        ]
        slots = [sp.Symbol(f"_v_{a}", real=True) for a in axes]
        mean = Pointwise((sp.Add(*slots) / len(axes),), "skip")
        return self.node("skip", mean, {s.name: p for s, p in zip(slots, parts, strict=True)})


class _CellBuilder(_ImplicitBuilder):
    solver: Solver

    def __init__(self, semi: Semidiscrete, graph: Graph, cell: Cell) -> None:
        super().__init__(semi, graph, cell)
        if cell.solver is None:
            raise TypeError("a cell needs a solver")
        self.solver = cell.solver
        self.method = linear_method(semi, cell.solver)

    def step(self, u: Source) -> Source:
        rhs = self.right_hand_side(u)
        loop = self.full("skip")
        with self.within(loop):
            v = self.node("v", State(), {"start": u})
            update, residual = self.body(v, rhs)
        inputs = {"start": u, "next": update}
        if self.solver.tol is not None:
            inputs |= {"residual": residual or self.residual(v, rhs)}
            inputs |= {} if self.cell.steady else {"rhs": rhs}
        return self.node("skip", self.iterate(), inputs)

    def iterate(self) -> Iterate:
        s = self.solver
        return Iterate(
            s.label,
            s.iterations or 0,
            s.tol or sp.S.Zero,
            s.iterations or s.max_iterations,
            s.anderson if isinstance(s, FixedPoint) else 0,
            s.gradients,
            s.on_failure,
        )

    def body(self, v: Source, rhs: Source) -> tuple[Source, Source | None]:
        """The next state, and the residual if it is needed for it."""
        if isinstance(self.solver, Kacanov):
            return self.kacanov(v, rhs), None
        if isinstance(self.solver, Newton):
            return self.newton(v, rhs)
        rate = self.rate(v)
        expression = RHS + self.cell.step * rate.expression
        return self.node("update", Pointwise((expression,), "step"), {RHS.name: rhs} | rate.inputs), None

    def residual(self, v: Source, rhs: Source) -> Source:
        """mass v - step F(v) - rhs."""
        with self.within(self.full("skip"), "residual."):
            rate = self.rate(v)
            return self.residual_node(rate, v, rhs)

    def residual_node(self, rate: Rate, v: Source, rhs: Source) -> Source:
        state = self.form.state
        expression = self.cell.mass * (state - RHS) - self.cell.step * rate.expression
        inputs = self.needed([expression], {RHS.name: rhs, state.name: v} | rate.inputs)
        return self.node("residual", Pointwise((expression,), "residual"), inputs)

    def kacanov(self, v: Source, rhs: Source) -> Source:
        """(mass + step (A(v) + b)) x = rhs + step s(v)."""
        weights = self.weights(v)
        full = self.lagged(rhs, v)
        if self.method == "direct":
            ((weight,),) = weights
            return self.tridiagonal("update", 0, weight, self.diagonal(v), full, self.cell.step)
        solve = self.full("update")
        with self.within(solve, "product."):
            x = self.node("x", Trial(), {})
            diffusion = self.diffusion(x, weights)
            mass = self.diagonal(v)
            expression = mass.expression * TRIAL - self.cell.step * diffusion.expression
            inputs = {TRIAL.name: x} | diffusion.inputs | mass.inputs
            product = self.node("product", Pointwise((expression,), "product"), inputs)
        return self.linear_solve(
            "update", full, x, product, v, self.cell.mass + self.cell.step * self.damping
        )

    def newton(self, v: Source, rhs: Source) -> tuple[Source, Source]:
        """v + x with (mass - step F'(v)) x = -residual(v)."""
        rate = self.rate(v)
        if self.form.lagging:
            raise DeclarationError("Newton's method takes no smoothed state; use Kacanov or FixedPoint.")
        if self.form.problem.channels > 1 and not self.form.is_linear:
            raise DeclarationError(
                "Newton's method takes images of one channel; use Kacanov or FixedPoint for several."
            )
        residual = self.residual_node(rate, v, rhs)
        minus = sp.Symbol("_residual", real=True)
        negated = self.node("minus", Pointwise((-minus,), "right-hand side"), {minus.name: residual})
        tangent = Tangent(self, v, rate)
        if self.method == "direct":
            weight = tangent.slope_weight()
            slope = derivative(self.form.reaction, self.form.state)
            expression = self.cell.mass - self.cell.step * slope
            diagonal = Rate(expression, self.local_inputs(expression, v))
            update = self.tridiagonal("correction", 0, weight, diagonal, negated, self.cell.step)
        else:
            with self.within(self.full("correction"), "product."):
                x = self.node("x", Trial(), {})
                change = tangent.along(x)
                expression = self.cell.mass * TRIAL - self.cell.step * change.expression
                inputs = self.needed([expression], {TRIAL.name: x} | change.inputs)
                product = self.node("product", Pointwise((expression,), "product"), inputs)
            pull = nonnegative(-derivative(self.form.reaction, self.form.state))
            mass = self.cell.mass + self.cell.step * pull
            update = self.linear_solve("correction", negated, x, product, v, mass)
        skip = Pointwise((V + UPDATE,), "step")
        return self.node("update", skip, {V.name: v, UPDATE.name: update}), residual

    def linear_solve(
        self, name: str, rhs: Source, x: Source, product: Source, v: Source, mass: sp.Expr
    ) -> Source:
        """A Krylov method, preconditioned like mass + step A(v)."""
        s = self.solver
        if not isinstance(s, Kacanov | Newton):
            raise TypeError("a fixed point solves no linear system")
        inputs = {"rhs": rhs, "product": product}
        if s.preconditioner == "diagonal":
            inputs["diagonal"] = diagonal(self, v, mass, self.cell.step)
        elif s.preconditioner == "multigrid":
            inputs["preconditioner"] = v_cycle(self, name, x, v, mass, self.cell.step)
        node = LinearSolve(self.method, s.linear_tol, s.linear_iterations, s.preconditioner)
        return self.node(name, node, inputs)


def _split(reaction: sp.Expr, state: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """(b, s) with r = s - b u: b of a reaction that is affine in u and not growing, else 0."""
    rate = sp.simplify(-derivative(reaction, state))
    if state in rate.free_symbols or rate.is_nonpositive:
        return sp.S.Zero, reaction
    return rate, sp.simplify(reaction + rate * state)


__all__ = ["Weights", "linear_method", "recurrent_cell", "splits", "tridiagonal"]
