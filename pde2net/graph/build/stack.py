"""Builds residual stacks: per block the operators of F, an explicit step, and skips to earlier states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.graph.build.place import Source
from pde2net.graph.build.rate import Rate, RateBuilder
from pde2net.graph.build.system import PartBuilder, SystemBuilder
from pde2net.graph.network import Graph
from pde2net.graph.nodes import PASS, Pointwise, Previous, Repeat, Weights
from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, STEP, Stack, U


class StackBuilder:
    """Adds the blocks of a stack.

    Raises EquationError if diffusivities are to be frozen and the flux has none.
    """

    def __init__(self, semi: Semidiscrete | SemidiscreteSystem, graph: Graph, stack: Stack) -> None:
        self.stack, self.form = stack, semi.form
        self.rates: RateBuilder | SystemBuilder[PartBuilder]
        if isinstance(semi, SemidiscreteSystem):
            self.rates = SystemBuilder(semi, graph, PartBuilder)
        else:
            self.rates = RateBuilder(semi, graph)
        name = semi.form.state.name
        self.previous, self.start = (sp.Symbol(f"{name}_{when}", real=True) for when in ("previous", "start"))

    def network(self, u: Source) -> Source:
        """Cycles of stages, or stages alone where these are the steps."""
        if self.stack.repeated:
            return self.stages(u, None, {})
        with self.rates.repeated("cycles", "cycle", u) as state:
            frozen = self.rates.weights(state) if self.stack.frozen else None
            kept = {self.start.name: state}
            if self.stack.uses(START_RATE):
                kept[START_RATE.name] = self.start_rate(state)
            end = self.stages(state, frozen, kept)
        node = Repeat(self.stack.cycles, clock=self.clock(self.stack.clock(PASS, 0)))
        return self.rates.node("cycles", node, {"start": u, "next": end})

    def stages(self, u: Source, frozen: Any, kept: Mapping[str, Source]) -> Source:
        """All stages from u on, with weights of the flux and what else is kept of the start of a cycle."""
        stack = self.stack
        with self.rates.repeated("steps", "block", u) as state:
            inputs = {self.form.state.name: state, **kept}
            if stack.uses(PREVIOUS):
                inputs[self.previous.name] = self.rates.node("previous", Previous(), {"start": u})
            rate = self.rates.rate(state, frozen)
            end = self.stage(rate, rate.inputs | inputs)
        tables = tuple((w, _column([stage[w] for stage in stack.stages])) for w in stack.stages[0])
        clock = self.clock(stack.clock(0, PASS)) if stack.repeated else ()
        return self.rates.node("steps", Repeat(len(stack.stages), tables, clock), {"start": u, "next": end})

    def clock(self, now: sp.Expr) -> Weights:
        return ((self.form.problem.time, now),) if self.form.problem.depends_on_time else ()

    def start_rate(self, state: Source) -> Source:
        """F at the start of a cycle, as an array of its own."""
        rate = self.rates.rate(state)
        return self.rates.node("rate", Pointwise((rate.expression,), "rate"), rate.inputs)

    def stage(self, rate: Rate, inputs: dict[str, Source]) -> Source:
        names = {U: self.form.state, PREVIOUS: self.previous, START: self.start}
        step, skip = self.stack.step.subs(names), self.stack.skip.subs(names)
        if self.stack.uses_in_step(PREVIOUS):
            inputs[RATE.name] = self.rates.node("rate", Pointwise((rate.expression,), "rate"), rate.inputs)
        else:
            step = step.subs(RATE, rate.expression)
        if skip == STEP:
            return self.combined("skip", step, inputs)
        inputs[STEP.name] = self.combined("step", step, inputs)
        return self.combined("skip", skip, inputs)

    def combined(self, role: str, expression: sp.Expr, inputs: dict[str, Source]) -> Source:
        own = tuple((s, s) for s in self.stack.stages[0] if s in expression.free_symbols)
        return self.rates.node(role, Pointwise((expression,), role, own), inputs)


def _column(values: Sequence[sp.Expr]) -> tuple[sp.Expr, ...]:
    """One value for all stages, or one for each."""
    return tuple(values) if any(v != values[0] for v in values) else (values[0],)
