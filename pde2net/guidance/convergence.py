"""`convergence`: the observed orders of a scheme, from runs against an exact solution."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import (
    Semidiscrete,
    SemidiscreteSystem,
    semidiscretise,
    semidiscretise_system,
)
from pde2net.errors import DeclarationError, StabilityError, known_options
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.graph.interpret.evaluate import FLOAT
from pde2net.guidance.fitting import require_fit
from pde2net.guidance.manufactured import Manufactured, stated, with_source
from pde2net.guidance.refinement import Convergence, Level, Refinement
from pde2net.language.borders import BORDERS
from pde2net.language.exact import count
from pde2net.language.grid import Grid, per_axis
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.solvers import Descent
from pde2net.normalise.form import DivergenceForm, SystemForm
from pde2net.normalise.recognise import recognise, recognise_system
from pde2net.verify.clock import require_time
from pde2net.verify.engine import gather_until
from pde2net.verify.plan import Plan, SystemPlan, planned
from pde2net.verify.system import gather_system, planned_system

REFERENCE = 32  # the smallest step of a refinement in time, divided by that of the reference
HALF = sp.Rational(1, 2)


@known_options
def convergence(
    problem: Problem,
    exact: Any,
    scheme: Scheme,
    domain: Any,
    cells: Any = 8,
    levels: int = 3,
    grid: Grid | None = None,
    fields: Mapping[Any, Any] | None = None,
) -> Convergence:
    """Errors against an exact solution u(x, t), and the orders in space and time at which they fall.

    If u does not satisfy the equation u_t = F(u), the source u_t - F(u), a function of position and t, is
    derived and added to it: the method of manufactured solutions (Roache, J. Fluids Eng. 124, 2002). The
    network starts from u at t = 0 and runs, in float64, to the end of `scheme`.

        in space   h, h/2, h/4, ..., and tau h^-r as on the first grid, r the order of the equation or of the
                   stencils, the larger one: errors of order 1 in time fall as fast as those in space
        in time    tau, tau/2, tau/4, ... on the first grid, against the result for a step 32 times smaller
                   than the last one, so that errors in space cancel (which lets an order of 1 look like 1.03)

    exact   u in SymPy; of a system {u: ..., v: ...}
    scheme  with step and number of steps on the first grid; tau = None takes the largest proved step there.
            For tau = oo, the steady state, u is free of t, the start is 0, and there is no order in time
    domain  the two ends of all axes, (0, 1), or of each, {x: (0, 1), y: (0, sp.pi)}: the faces of the
            outermost cells or, for "dirichlet", the first centres outside, where u is 0
    cells   number of cells of the first grid along all axes, or along each, {x: 8, y: 16}
    levels  number of grids, and of steps
    grid    its order and gradient; spacing and origin follow from domain and cells
    fields  known fields as functions of position, {f: sp.cos(x)}

    That a scheme is of an order for this solution is measured, not proved; what is derived about its order is
    the claim "consistency" of certificates. Refined are the steps of the scheme as it stands: what iterations
    leave of a residual is an error that neither refinement makes smaller.

    Raises DeclarationError if u does not obey the conditions at a border, where no source can be derived
    (smooth, learned operators, several channels with one equation), and for parameters without a value;
    EquationError as `compile` does; and StabilityError if a result is not finite.
    """
    stencils = Grid() if grid is None else grid
    _require_kinds(problem, scheme, stencils)
    number = count(levels, "The number of levels")
    if number < 2:
        raise DeclarationError("An order is a slope between two levels: levels is at least 2.")
    require_time(problem, scheme)
    sizes = {axis: count(n, "The number of cells") for axis, n in _per_axis(problem, cells)}
    runs = _Runs(stated(problem, exact, fields, domain), stencils, sizes)
    steady = scheme.tau == sp.oo
    first = scheme if steady else runs.with_step(scheme)
    end = None if steady else first.duration(first.tau)
    given = with_source(replace(runs.given, end=end))
    runs = replace(runs, given=given)
    require_fit(given)
    size = float(max(abs(runs.solution(0, t)).max() for t in (sp.S.Zero, end or sp.S.Zero)))
    in_space = tuple(runs.against_solution(k, first) for k in range(number))
    in_time = None if steady else Refinement(tuple(runs.against_small_step(first, number)), size)
    return Convergence(problem, first, given.exact, given.source, end, Refinement(in_space, size), in_time)


def _require_kinds(problem: Any, scheme: Any, grid: Any) -> None:
    for value, kind, what in (
        (problem, Problem, "problem must be a Problem(sp.Eq(u.diff(t), ...))"),
        (scheme, Scheme, "scheme must be a scheme such as Explicit(tau=..., steps=...)"),
        (grid, Grid, "grid must be a Grid(order=..., gradient=...)"),
    ):
        if not isinstance(value, kind):
            raise DeclarationError(f"{what}, not {value!r}.")
    if (grid.spacing, grid.origin) != (1, 0):
        raise DeclarationError(
            "Spacing and origin of the grids follow from domain and cells; leave them out of grid."
        )


def _per_axis(problem: Problem, cells: Any) -> Iterable[tuple[sp.Symbol, Any]]:
    return per_axis(cells, problem.space, "cells").items()


@dataclass(frozen=True)
class _Runs:
    """Runs of one problem on its grids.

    cells  numbers along the axes of the first grid
    """

    given: Manufactured
    stencils: Grid
    cells: Mapping[sp.Symbol, int]

    @property
    def problem(self) -> Problem:
        return self.given.problem

    @cached_property
    def forms(self) -> Mapping[Problem, DivergenceForm | SystemForm]:
        """Of the problem without and with its source."""
        recognised = recognise if len(self.problem.equations) == 1 else recognise_system
        return {p: recognised(p) for p in (self.problem, self.given.sourced)}

    @property
    def rate(self) -> int:
        """r of tau ~ h^r: what keeps explicit steps stable, and their errors as small as those in space."""
        orders = (2 * max(term.order, 1) for term in self.forms[self.problem].terms)
        return max(self.stencils.order, *orders)

    def grid(self, level: int) -> tuple[Grid, tuple[int, ...]]:
        """Spacings are those of the first grid divided by 2^level; also the numbers of cells."""
        spacing, origin, shape = {}, {}, []
        for axis, (first, last) in self.given.domain.items():
            outside = BORDERS[
                self.problem.boundary[axis]
            ].zero  # u is 0 at the first centre beyond the border
            intervals = (self.cells[axis] + outside) * 2**level
            spacing[axis] = (last - first) / intervals
            origin[axis] = first + spacing[axis] * (1 if outside else HALF)
            shape.append(intervals - outside)
        return replace(self.stencils, spacing=spacing, origin=origin), tuple(shape)

    def semi(self, problem: Problem, level: int) -> Semidiscrete | SemidiscreteSystem:
        form, grid = self.forms[problem], self.grid(level)[0]
        if isinstance(form, SystemForm):
            return semidiscretise_system(form, grid)
        return semidiscretise(form, grid)

    def plan(self, problem: Problem, scheme: Scheme, level: int) -> Plan | SystemPlan:
        """The source contains no u: what is known without it of steps is so with it."""
        plain, semi = self.semi(self.problem, level), self.semi(problem, level)
        for axis, n, least in zip(self.problem.space, self.grid(level)[1], semi.smallest, strict=True):
            if n < least:
                raise DeclarationError(f"The stencil needs {least} cells along {axis}, not {n}.")
        solver = getattr(scheme, "solver", None)
        open_ = scheme.tau is None or getattr(scheme, "alpha", 0) is None or isinstance(solver, Descent)
        if isinstance(semi, SemidiscreteSystem):
            assert isinstance(plain, SemidiscreteSystem)
            known: Any = gather_system(plain, scheme) if open_ else [None] * len(semi.parts)
            return planned_system(semi, scheme, known)
        assert isinstance(plain, Semidiscrete)
        facts: Any = gather_until(plain, scheme) if open_ else None
        return planned(semi, scheme, facts)

    def with_step(self, scheme: Scheme) -> Scheme:
        """The scheme with its step on the first grid as a number."""
        tau = self.plan(self.problem, scheme, 0).tau.subs(self.problem.parameters)
        if tau.free_symbols:
            names = ", ".join(sorted(map(str, tau.free_symbols)))
            raise DeclarationError(f"The step is {tau}; errors are numbers, so give {names} a value.")
        return replace(scheme, tau=tau)

    def cells_of(self, level: int, expression: sp.Expr, time: sp.Expr) -> Array:
        """A function of position and time at the centres of cells."""
        grid, shape = self.grid(level)
        space, variable = self.problem.space, self.problem.time
        pairs = zip(grid.origins(space), grid.spacings(space), shape, strict=True)
        lines = [float(o) + float(h) * np.arange(n) for o, h, n in pairs]
        with np.errstate(all="ignore"):
            function = FLOAT.function((*space, variable), expression)
            values = function(*np.meshgrid(*lines, indexing="ij"), float(time))
        found = np.broadcast_to(np.asarray(values, dtype=np.float64), shape)
        if not np.isfinite(found).all():
            raise DeclarationError(f"{expression} has no value at some centres of {shape} cells.")
        return found

    def solution(self, level: int, time: sp.Expr) -> Array:
        """The exact one, in the shape of the state."""
        parts = [self.cells_of(level, e, time) for e in self.given.exact]
        return parts[0] if len(parts) == 1 else np.stack(parts)

    def result(self, level: int, scheme: Scheme) -> Array:
        """What the network of the problem with its source computes. Raises StabilityError if that grows."""
        plan = self.plan(self.given.sourced, scheme, level)
        network = Interpreter(build(plan.semi, plan.tau, plan.update))
        start = self.solution(level, sp.S.Zero)
        start = np.zeros_like(start) if scheme.tau == sp.oo else start
        fields = {n: self.cells_of(level, e, sp.S.Zero) for n, e in self.given.fields.items()}
        found = network(start, fields)
        if not np.isfinite(found).all():
            sizes = " x ".join(map(str, self.grid(level)[1]))
            raise StabilityError(
                f"The result on {sizes} cells with tau = {scheme.tau} is not finite: take a smaller step; "
                "p2n.verify says which are stable, and tau=None takes the largest one that is proved."
            )
        return found

    def against_solution(self, level: int, scheme: Scheme) -> Level:
        """The error in space."""
        finer = scheme if scheme.tau == sp.oo else _refined(scheme, 2 ** (self.rate * level))
        exact = self.solution(level, self.given.end or sp.S.Zero)
        return self._level(level, finer, self.result(level, finer) - exact)

    def against_small_step(self, scheme: Scheme, number: int) -> Iterator[Level]:
        """Errors in time on the first grid."""
        taken = [_refined(scheme, 2**k) for k in range(number)]
        reference = self.result(0, _refined(taken[-1], REFERENCE))
        for each in taken:
            yield self._level(0, each, self.result(0, each) - reference)

    def _level(self, level: int, scheme: Scheme, error: Array) -> Level:
        grid, shape = self.grid(level)
        spacing = grid.spacings(self.problem.space)
        l2 = math.sqrt(float(sp.prod(spacing)) * float((error**2).sum()))
        return Level(shape, spacing, scheme.tau, scheme.repeats, l2, float(abs(error).max()))


def _refined(scheme: Scheme, by: int) -> Scheme:
    """The same time in `by` times as many steps or cycles."""
    return replace(scheme, tau=scheme.tau / by, **{scheme.repeated: scheme.repeats * by})
