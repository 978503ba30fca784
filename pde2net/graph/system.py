"""Builds residual stacks of systems: per block the operators of each equation, on channels of one state."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Channel, Channels, Coordinate, Field, Node, Pad, Pointwise
from pde2net.graph.place import NodeBuilder, Source
from pde2net.graph.rate import Rate, RateBuilder, Weights

RATES = sp.Symbol("_rates", real=True)


class PartBuilder(RateBuilder):
    """Adds the operators of one equation; the other unknowns are channels of the same state."""

    def __init__(self, semi: Semidiscrete, graph: Graph) -> None:
        super().__init__(semi, graph)
        self.prefix = f"{semi.form.state}."
        self.inside = self.prefix
        self.channels: Mapping[str, Source] = {}

    def field(self, symbol: sp.Symbol, wide: bool) -> Source:
        source = self.channels.get(symbol.name)
        if source is None:
            return super().field(symbol, wide)
        return self.once(f"{symbol}_wide", Pad(self.semi.margin, "zero"), {"u": source}) if wide else source

    def outside(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        """Data are the same for all equations, what is computed from them is not."""
        shared = isinstance(node, Field | Coordinate | Pad)
        return super().outside(name if shared else f"{self.prefix}{name}", node, inputs)


class SystemBuilder(NodeBuilder):
    """Adds F of all equations of a system, as one array of as many channels."""

    def __init__(self, semi: SemidiscreteSystem, graph: Graph) -> None:
        super().__init__(graph)
        self.form = semi.form
        self.parts = [PartBuilder(part, graph) for part in semi.parts]
        for part in self.parts:
            part.known = self.known

    def rate(self, state: Source, weights: tuple[Weights, ...] | None = None) -> Rate:
        """F at `state`, with the flux weights of an earlier one if they are given."""
        rates: dict[str, Source] = {}
        for k, (part, source) in enumerate(self.channels(state)):
            found = part.rate(source, None if weights is None else weights[k])
            node = Pointwise((found.expression,), "rate of one unknown")
            part.inside = ""
            rates[f"c{k}"] = part.node(f"rate_{part.form.state}", node, found.inputs)
            part.inside = part.prefix
        joined = self.node("rates", Channels(len(self.parts)), rates)
        return Rate(RATES, {RATES.name: joined})

    def weights(self, state: Source) -> tuple[Weights, ...]:
        """The weights of the fluxes at `state`."""
        return tuple(part.weights(source) for part, source in self.channels(state))

    def channels(self, state: Source) -> list[tuple[PartBuilder, Source]]:
        """Each equation with the channel of its unknown."""
        names = [part.form.state.name for part in self.parts]
        sources = {}
        for k, name in enumerate(names):
            full = self.full(name)
            known = full in self.graph
            sources[name] = (full, 0) if known else self.node(name, Channel(k), {"u": state})
        for part in self.parts:
            part.place, part.clock, part.channels = self.place, self.clock, sources
        return [(part, sources[name]) for part, name in zip(self.parts, names, strict=True)]
