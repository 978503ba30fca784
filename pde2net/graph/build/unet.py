"""Builds U-nets: per implicit step a loop of full approximation cycles over nested grids.

A cycle on a grid is an encoder (smoother, residual, restrictions, right-hand side N_H(R u) + R r), the
cycle on the next grid, and a decoder (correction w - R u, prolongation, skip connection, smoother). The
first state comes from the coarsest grid up, smoothed or, for full multigrid, by a cycle on each grid.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build import relaxation
from pde2net.graph.build.diagonal import nonnegative
from pde2net.graph.build.implicit import require_determined, split_reaction
from pde2net.graph.build.linear import keeps_constants, steps_linearly
from pde2net.graph.build.operator import DEPTH, OperatorBuilder, hides_checkerboard
from pde2net.graph.build.place import Source
from pde2net.graph.build.rate import FluxWeights
from pde2net.graph.build.tangent import derivative
from pde2net.graph.network import Graph, is_data
from pde2net.graph.nodes import (
    PASS,
    Bottleneck,
    CoarseRightHandSide,
    Correction,
    Cycle,
    Iterate,
    Nearest,
    Pointwise,
    Prolongation,
    Residual,
    Restriction,
    Smooth,
    State,
)
from pde2net.scheme.unet import UNet

# Linear systems on the coarsest grid: one is enough if nothing is frozen for it.
LINEAR, NONLINEAR = Bottleneck(1, sp.Rational(1, 20), 200), Bottleneck(2, sp.Rational(1, 10), 200)
FINE, COARSE = sp.symbols("_w _start", real=True)


def grids(semi: Semidiscrete, unet: UNet) -> int:
    """Grids at most: one where central differences hide the checkerboard from coarse grids."""
    return 1 if hides_checkerboard(semi) else unet.levels or DEPTH


def nearest(semi: Semidiscrete, unet: UNet) -> Nearest | None:
    """What cycles end with where the step is linear and symmetric (docs/theory.md, 4.11 and 4.15)."""
    if unet.steady or not steps_linearly(semi):
        return None
    _, source = split_reaction(semi.form.reaction, semi.form.state)
    return Nearest(keeps_constants(semi), source != 0)


class UNetBuilder(OperatorBuilder):
    """Adds implicit steps by cycles over nested grids.

    Raises EquationError for fluxes that have no weights, and for a steady state that is not unique.
    """

    def __init__(self, semi: Semidiscrete, graph: Graph, unet: UNet) -> None:
        rate = -derivative(semi.form.reaction, semi.form.state)
        super().__init__(semi, graph, unet.mass + unet.step * nonnegative(rate), unet.step)
        self.unet, self.levels = unet, grids(semi, unet)
        if unet.steady:
            require_determined(semi)
        damping = unet.damping or relaxation.damping(semi)
        if unet.smoother == "red-black":
            damping = sp.S.One if relaxation.nearest_neighbours(semi) else relaxation.damping(semi)
        self.smoother = Smooth(unet.smoother, 0, damping, relaxation.interval(semi))
        self.nearest = nearest(semi, unet)

    def network(self, state: Source) -> Source:
        return self.steps(self.unet.steps, self.unet.clock(PASS), self.step, state)

    # -- one implicit step -------------------------------------------------------------------------

    def step(self, u: Source) -> Source:
        self.operator = self.operator_at(u)
        rhs = u
        if self.unet.steady:
            rhs = self.node("rhs", Pointwise((sp.S.Zero,), "right-hand side"), {})
        start = self.nested(0, u, rhs, "start.") if self.levels > 1 else u
        loop = self.full("skip")
        with self.within(loop):
            v = self.on(0, "v", State(), {"start": start})
            inputs = {"start": start, "next": self.cycle(0, v, rhs, "")}
            if self.unet.tol is not None:
                inputs["residual"] = self.residual("residual", v, rhs)
        if self.unet.tol is not None:
            inputs["rhs"] = self.residual("scale", u, rhs) if self.unet.steady else rhs
            inputs |= {"input": u} if start != u else {}
        v = self.node("skip", self.iterate(), inputs)
        if self.nearest is None:
            return v
        return self.on(0, "nearest", self.nearest, {"v": v, "start": u, "rhs": rhs})

    def iterate(self) -> Iterate:
        u = self.unet
        return Iterate(
            "multigrid",
            u.cycles if u.tol is None else 0,
            sp.S.Zero if u.tol is None else u.tol,
            u.cycles,
            0,
            u.gradients,
            u.on_failure,
            steady=u.steady,
        )

    def on(self, level: int, name: str, node: object, inputs: dict[str, Source]) -> Source:
        """A node on the grid `level`; all but the variables of loops know the operator."""
        self.level = level
        fed = inputs if isinstance(node, State | Pointwise) else inputs | {"operator": self.operator}
        source = self.node(name, node, fed)  # type: ignore[arg-type]  # callers pass nodes only
        self.level = None
        return source

    def residual(self, name: str, v: Source, rhs: Source) -> Source:
        return self.on(0, name, Residual(), {"v": v, "rhs": rhs})

    # -- cycles ------------------------------------------------------------------------------------

    def relaxed(self, level: int, name: str, v: Source, rhs: Source, sweeps: int) -> Source:
        if not sweeps:
            return v
        s = self.smoother
        node = Smooth(s.kind, sweeps, s.damping, s.interval)
        return self.on(level, name, node, {"v": v, "rhs": rhs})

    def cycle(self, level: int, start: Source, rhs: Source, prefix: str, repeat: int = 1) -> Source:
        """An approximation of N(v) = rhs on a grid, from `start` on."""
        return self.on_grid(
            level, "cycle", start, rhs, prefix, repeat, lambda: self.body(level, start, rhs, prefix)
        )

    def on_grid(
        self,
        level: int,
        name: str,
        start: Source,
        rhs: Source,
        prefix: str,
        repeat: int,
        body: Callable[[], Source],
    ) -> Source:
        """A Cycle with that body, or the Bottleneck on the coarsest grid."""
        inside = f"{prefix}level{level + 1}."
        feeds: dict[str, Source] = {"start": start, "rhs": rhs}
        node: Bottleneck | Cycle = self.bottleneck
        with self.within(self.loop, ""):
            full = self.full(f"{inside}{name}")
        if level < self.levels - 1:
            node = Cycle(repeat)
            with self.within(full, inside):
                feeds["next"] = body()
        else:
            name = "bottleneck"
        with self.within(self.loop, ""):
            return self.on(level, f"{inside}{name}", node, feeds)

    def body(self, level: int, start: Source, rhs: Source, prefix: str) -> Source:
        v = self.on(level, "v", State(), {"start": start})
        v = self.relaxed(level, "encoder", v, rhs, self.unet.pre)
        r = self.on(level, "residual", Residual(), {"v": v, "rhs": rhs})
        coarse = self.restricted(level, "u", v, "solution")
        r = self.restricted(level, "r", r, "residual")
        right = self.on(level + 1, "rhs", CoarseRightHandSide(), {"v": coarse, "r": r})
        repeat = self.unet.repeat if level + 1 < self.levels - 1 else 1
        w = self.cycle(level + 1, coarse, right, prefix, repeat)
        change = Pointwise((FINE - COARSE,), "correction")
        e = self.on(level + 1, "correction", change, {FINE.name: w, COARSE.name: coarse})
        e = self.on(level, "prolongation", Prolongation(), {"u": e})
        v = self.on(level, "skip", Correction(), {"v": v, "e": e})
        return self.relaxed(level, "decoder", v, rhs, self.unet.post)

    def restricted(self, level: int, name: str, u: Source, kind: str) -> Source:
        return self.on(level + 1, f"restricted_{name}", Restriction(kind), {"u": u})

    def nested(self, level: int, u: Source, rhs: Source, prefix: str) -> Source:
        """The first state of a grid: that of the next one, prolongated and, but for grid 0, improved."""

        def body() -> Source:
            v = self.on(level, "v", State(), {"start": u})
            coarse = self.restricted(level, "u", v, "solution")
            right = self.restricted(level, "rhs", rhs, "residual")
            v = self.nested(level + 1, coarse, right, prefix)
            v = self.on(level, "prolongation", Prolongation(), {"u": v})
            if level > 0 and self.unet.cycle == "FMG":
                return self.cycle(level, v, rhs, f"{prefix}level{level + 1}.")
            sweeps = self.unet.pre + self.unet.post if level > 0 else 0
            return self.relaxed(level, "smoother", v, rhs, sweeps)

        return self.on_grid(level, "start", u, rhs, prefix, 1, body)

    # -- the operator ------------------------------------------------------------------------------

    def operator_at(self, u: Source) -> Source:
        name = self.full("operator")
        with self.within(name, "operator."):
            v = self.node("v", State(), {"start": u})
            weights, mass = self.weights(v), self.frozen_mass(v)
            self.bottleneck = NONLINEAR if self.moves(weights) else LINEAR
            inputs = {"state": u} | self.value(v, weights) | self.diagonals(weights, mass)
        with self.within(name, "operator.product."):
            inputs["product"] = self.product(weights, mass)
        node = self.on_grids(self.levels, self.unet.levels is not None, linear=False)
        return self.node("operator", node, inputs)

    def moves(self, weights: FluxWeights) -> bool:
        """Whether the frozen operator depends on the state that it is frozen at."""
        arrays = [w for term in weights for w in term if isinstance(w, tuple)]
        known = all(is_data(self.graph, name) for name, _ in arrays)
        return not known or self.form.state in derivative(self.form.reaction, self.form.state).free_symbols

    def value(self, v: Source, weights: FluxWeights) -> dict[str, Source]:
        rate, state = self.rate(v, weights), self.form.state
        expression = self.unet.mass * state - self.unet.step * rate.expression
        inputs = {state.name: v} | rate.inputs
        return {"value": self.node("value", Pointwise((expression,), "value"), inputs)}
