"""Builds residual stacks: per block the operators of F, an explicit step, and skips to earlier states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.graph.network import Graph, add, new_graph, validate
from pde2net.graph.nodes import Input, Node, Output, Pointwise
from pde2net.graph.place import Clock, Source, clock_of
from pde2net.graph.rate import Rate, RateBuilder
from pde2net.graph.system import PartBuilder, SystemBuilder
from pde2net.language.schemes import Explicit
from pde2net.scheme import explicit
from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, STEP, TAU, Stack, U, Weights


def explicit_steps(semi: Semidiscrete | SemidiscreteSystem, tau: sp.Expr, steps: int) -> Graph:
    """The graph of `steps` explicit steps of size `tau`."""
    return residual_stack(semi, tau, explicit.stack(Explicit(tau, steps)))


def residual_stack(semi: Semidiscrete | SemidiscreteSystem, tau: sp.Expr, stack: Stack) -> Graph:
    """The graph of a stack of step `tau`; the weights of all blocks are those of the first.

    Raises EquationError if diffusivities are to be frozen and the flux has none.
    """
    values = {**semi.form.problem.parameters, TAU: tau, **stack.values}
    graph = new_graph("residual stack", values, len(semi.form.space), semi.form.problem.channels)
    state: Source = (add(graph, "input", Input(semi.form.state), {}), 0)
    builder = _StackBuilder(semi, graph, stack)
    for cycle in range(stack.cycles):
        state = builder.cycle(cycle, state)
    add(graph, "output", Output(), {"u": state})
    return validate(graph)


class Rates(Protocol):
    """What adds F to a graph: of one equation, or of a system."""

    def enter(self, kind: str, index: int, clock: Clock = None) -> None: ...
    def weights(self, state: Source) -> Any: ...
    def rate(self, state: Source, weights: Any = None) -> Rate: ...
    def node(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source: ...
    def needed(self, expressions: Sequence[sp.Expr], inputs: Mapping[str, Source]) -> dict[str, Source]: ...


def _rates(semi: Semidiscrete | SemidiscreteSystem, graph: Graph) -> Rates:
    if isinstance(semi, SemidiscreteSystem):
        return SystemBuilder(semi, graph, PartBuilder)
    return RateBuilder(semi, graph)


class _StackBuilder:
    def __init__(self, semi: Semidiscrete | SemidiscreteSystem, graph: Graph, stack: Stack) -> None:
        self.stack, self.form = stack, semi.form
        self.rates: Rates = _rates(semi, graph)
        name = semi.form.state.name
        self.previous, self.start = (sp.Symbol(f"{name}_{when}", real=True) for when in ("previous", "start"))

    def cycle(self, index: int, state: Source) -> Source:
        """All stages from `state` on."""
        self.rates.enter("cycle", index, self.now(index, 0))
        frozen = self.rates.weights(state) if self.stack.frozen else None
        at_start = self.start_rate(state) if self.stack.uses(START_RATE) else None
        start = previous = state
        for stage, weights in enumerate(self.stack.stages):
            self.rates.enter("block", index * len(self.stack.stages) + stage, self.now(index, stage))
            rate = self.rates.rate(state, frozen)
            inputs = rate.inputs | {
                self.form.state.name: state,
                self.previous.name: previous,
                self.start.name: start,
            }
            if at_start is not None:
                inputs[START_RATE.name] = at_start
            state, previous = self.stage(rate, inputs, weights), state
        return state

    def now(self, cycle: int, stage: int) -> Clock:
        return clock_of(self.form.problem, self.stack.clock(cycle, stage))

    def start_rate(self, state: Source) -> Source:
        """F at the start of a cycle, as an array of its own."""
        rate = self.rates.rate(state)
        return self.rates.node("rate", Pointwise((rate.expression,), "rate"), rate.inputs)

    def stage(self, rate: Rate, inputs: dict[str, Source], weights: Weights) -> Source:
        names = {U: self.form.state, PREVIOUS: self.previous, START: self.start}
        step, skip = self.stack.step.subs(names), self.stack.skip.subs(names)
        if self.stack.uses_in_step(PREVIOUS):
            inputs[RATE.name] = self.rates.node("rate", Pointwise((rate.expression,), "rate"), rate.inputs)
        else:
            step = step.subs(RATE, rate.expression)
        if skip == STEP:
            return self.combined("skip", step, inputs, weights)
        inputs[STEP.name] = self.combined("step", step, inputs, weights)
        return self.combined("skip", skip, inputs, weights)

    def combined(self, role: str, expression: sp.Expr, inputs: dict[str, Source], weights: Weights) -> Source:
        own = tuple((s, v) for s, v in weights.items() if s in expression.free_symbols)
        return self.rates.node(
            role, Pointwise((expression,), role, own), self.rates.needed([expression], inputs)
        )
