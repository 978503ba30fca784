"""Adds the parts of implicit steps to a graph: what is taken at the old state, tridiagonal systems, AOS."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import EquationError
from pde2net.graph.build.diagonal import nonnegative
from pde2net.graph.build.place import Source
from pde2net.graph.build.rate import FluxWeights, Rate, RateBuilder
from pde2net.graph.build.tangent import derivative
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Crop, Pointwise, Tridiagonal
from pde2net.language.solvers import Newton, Solver
from pde2net.normalise.affine import affine, simplified
from pde2net.scheme.cell import Cell

RHS, TRIAL = sp.symbols("_rhs _x", real=True)


def require_determined(semi: Semidiscrete | SemidiscreteSystem) -> None:
    """Raise EquationError for a steady state whose means are left open.

    Where no flux crosses the border, the mean of r is 0: an equation for the unknowns, unless r is free of
    them; and so for the sums c^T r of a system.
    """
    parts = semi.parts if isinstance(semi, SemidiscreteSystem) else (semi,)
    _require_pull(parts)
    states = sp.Matrix([p.form.state for p in parts])
    rows = []
    for form in (p.form for p in parts if p.closed and not p.form.learned):
        slopes = sp.Matrix([[derivative(form.reaction, state) for state in states]])
        rest = sp.expand(form.reaction - (slopes * states)[0])
        plain = all(not term.prefactor.free_symbols for term in form.terms)
        fixed = not slopes.free_symbols & (form.data | states.free_symbols)
        if not rest.free_symbols & states.free_symbols and (slopes.is_zero_matrix or (plain and fixed)):
            rows.append(slopes)
    if rows and sp.Matrix.vstack(*rows).T.nullspace():
        raise EquationError(
            "tau = oo: the steady state is not unique, or there is none: no flux crosses the border, and the "
            "reaction says nothing of the mean; add a data term such as beta*(f - u), or take a finite step."
        )


def _require_pull(parts: Sequence[Semidiscrete]) -> None:
    """Raise EquationError for a domain parts of which may have no data, and so no one steady state."""
    for form in (p.form for p in parts if p.form.problem.domain is not None):
        pull, _ = split_reaction(form.reaction, form.state)
        pull = pull.subs(form.problem.parameters)
        if pull.free_symbols & form.data or not pull.is_positive:
            raise EquationError(
                "tau = oo: nothing joins the parts of a domain, so the reaction has to pull in every cell, "
                "as beta*(f - u) does with beta > 0; or take a finite step."
            )


def splits(semi: Semidiscrete) -> bool:
    """Whether A is a sum of tridiagonal matrices, one per axis."""
    terms = semi.form.terms
    if len(terms) != 1 or not terms[0].along_axes:
        return False
    return all(d.stencil.offsets == (0, 1) for ((_, d),) in semi.gradient.rows)


class ImplicitBuilder(RateBuilder):
    """Adds the parts of an implicit step of one equation: what is lagged, what is solved for."""

    def __init__(self, semi: Semidiscrete, graph: Graph, cell: Cell) -> None:
        super().__init__(semi, graph)
        self.cell = cell
        damping, source = split_reaction(self.form.reaction, self.form.state)
        self.damping, self.source = self.in_domain * damping + self.filling, self.in_domain * source

    @property
    def filling(self) -> sp.Expr:
        """What keeps the matrix of a steady state regular outside of the domain, where states are 0."""
        return 1 - self.in_domain if self.cell.steady else sp.S.Zero

    @property
    def reaction(self) -> sp.Expr:
        return super().reaction - self.filling * self.form.state

    def lagged(self, rhs: Source, v: Source) -> Source:
        """The right-hand side with the part of the reaction that is taken at v."""
        if self.source == 0:
            if self.cell.steady:
                raise EquationError(
                    "tau = oo: the steady state is 0, whatever the image is; add a data term such as "
                    "beta*(f - u), or take a finite step."
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
        if weight == 0:
            return self.divided(name, rhs, diagonal)
        ((_, difference),) = self.semi.gradient.rows[axis]
        (term,) = self.form.terms
        prefactor = self.local_inputs(term.prefactor, self.state)
        found: dict[str, Source | sp.Expr] = {
            "d": self.arrays("d", [diagonal.expression], diagonal.inputs, self.here)[0],
            "m": self.arrays("m", [term.prefactor], prefactor, self.here)[0],
            "g": weight if isinstance(weight, sp.Expr) else self.cropped(weight, axis),
        }
        inputs = {"rhs": rhs} | {k: entry for k, entry in found.items() if isinstance(entry, tuple)}
        g, d, m = (sp.S.Zero if k in inputs else found[k] for k in ("g", "d", "m"))
        scale = scale * difference.scale**2
        node = Tridiagonal(axis, self.semi.boundary[axis], self.semi.margin[axis], scale, g, d, m)
        return self.node(name, node, inputs)

    def divided(self, name: str, rhs: Source, diagonal: Rate) -> Source:
        """x with diagonal x = rhs, of an equation without diffusion; a step that it ends is a skip."""
        inputs = {RHS.name: rhs} | diagonal.inputs
        role = "skip" if name == "skip" else "quotient"
        return self.node(name, Pointwise((RHS / diagonal.expression,), role), inputs)

    def cropped(self, weight: Source, axis: int) -> Source:
        """A weight without the cells that zero-Dirichlet borders add along the other axes."""
        others = tuple(0 if i == axis else width for i, width in enumerate(self.semi.margin))
        if not any(others):
            return weight
        name = weight[0].rpartition(".")[2]
        return self.once(f"{name}_{weight[1]}_{self.form.space[axis]}", Crop(others), {"u": weight})

    def pull(self, solver: Solver | None) -> sp.Expr:
        """What the reaction adds to the diagonal of a linear system."""
        if isinstance(solver, Newton):
            return nonnegative(-derivative(self.reaction, self.form.state))
        return self.damping

    def frozen_product(self, name: str, x: Source, weights: FluxWeights, diagonal: Rate) -> Source:
        """(diagonal + step A) x with the weights of a flux."""
        diffusion = self.diffusion(x, weights)
        expression = diagonal.expression * TRIAL - self.cell.step * diffusion.expression
        inputs = {TRIAL.name: x} | diffusion.inputs | diagonal.inputs
        return self.node(name, Pointwise((expression,), "product"), inputs)

    def diagonal(self, v: Source) -> Rate:
        """mass + step * b, b the damping that is taken at the new state."""
        expression = self.cell.mass + self.cell.step * self.damping
        return Rate(expression, self.local_inputs(expression, v))

    def split_step(self, u: Source, name: str = "skip") -> Source:
        """One of AOS: u+ = 1/d sum_i (1 + tau b + d tau A_i(u))^-1 (u + tau s(u)), r = s - b u."""
        if not self.form.terms:
            return self.divided(name, self.lagged(u, u), self.diagonal(u))
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
        mean = Pointwise((sp.Add(*slots) / len(axes),), name)
        return self.node(name, mean, {s.name: p for s, p in zip(slots, parts, strict=True)})


def split_reaction(reaction: sp.Expr, state: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """(b, s) with r = s - b u: b of a reaction that is affine in u and not growing, else 0."""
    found = affine(reaction, state)
    rate = sp.S.Zero if found is None else simplified(-found[1])
    if found is None or rate.is_nonpositive:
        return sp.S.Zero, reaction
    return rate, simplified(found[0])
