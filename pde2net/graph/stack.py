"""Builds residual stacks: per block the operators of F, an explicit step, and skips to earlier states."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.network import Graph, add, new_graph, validate
from pde2net.graph.nodes import Input, Output, Pointwise
from pde2net.graph.rate import Rate, RateBuilder, Source
from pde2net.language.schemes import Explicit
from pde2net.scheme import explicit
from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, STEP, TAU, Stack, U, Weights


def explicit_steps(semi: Semidiscrete, tau: sp.Expr, steps: int) -> Graph:
    """The graph of `steps` explicit steps of size `tau`."""
    return residual_stack(semi, tau, explicit.stack(Explicit(tau, steps)))


def residual_stack(semi: Semidiscrete, tau: sp.Expr, stack: Stack) -> Graph:
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


class _StackBuilder(RateBuilder):
    def __init__(self, semi: Semidiscrete, graph: Graph, stack: Stack) -> None:
        super().__init__(semi, graph)
        self.stack = stack
        name = semi.form.state.name
        self.previous, self.start = (sp.Symbol(f"{name}_{when}", real=True) for when in ("previous", "start"))

    def cycle(self, index: int, state: Source) -> Source:
        """All stages from `state` on."""
        self.enter("cycle", index)
        frozen = self.weights(state) if self.stack.frozen else None
        at_start = self.start_rate(state) if self.stack.uses(START_RATE) else None
        start = previous = state
        for stage, weights in enumerate(self.stack.stages):
            self.enter("block", index * len(self.stack.stages) + stage)
            rate = self.rate(state, frozen)
            inputs = rate.inputs | {
                self.form.state.name: state,
                self.previous.name: previous,
                self.start.name: start,
            }
            if at_start is not None:
                inputs[START_RATE.name] = at_start
            state, previous = self.stage(rate, inputs, weights), state
        return state

    def start_rate(self, state: Source) -> Source:
        """F at the start of a cycle, as an array of its own."""
        rate = self.rate(state)
        return self.node("rate", Pointwise((rate.expression,), "rate"), rate.inputs)

    def stage(self, rate: Rate, inputs: dict[str, Source], weights: Weights) -> Source:
        names = {U: self.form.state, PREVIOUS: self.previous, START: self.start}
        step, skip = self.stack.step.subs(names), self.stack.skip.subs(names)
        if self.stack.uses_in_step(PREVIOUS):
            inputs[RATE.name] = self.node("rate", Pointwise((rate.expression,), "rate"), rate.inputs)
        else:
            step = step.subs(RATE, rate.expression)
        if skip == STEP:
            return self.combined("skip", step, inputs, weights)
        inputs[STEP.name] = self.combined("step", step, inputs, weights)
        return self.combined("skip", skip, inputs, weights)

    def combined(self, role: str, expression: sp.Expr, inputs: dict[str, Source], weights: Weights) -> Source:
        own = tuple((s, v) for s, v in weights.items() if s in expression.free_symbols)
        return self.node(role, Pointwise((expression,), role, own), self.needed([expression], inputs))
