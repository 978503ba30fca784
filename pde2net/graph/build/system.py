"""Builds residual stacks of systems: per block the operators of each equation, on channels of one state."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.graph.build.place import NodeBuilder, Source
from pde2net.graph.build.rate import FluxWeights, Rate, RateBuilder
from pde2net.graph.network import Graph
from pde2net.graph.nodes import CHANNEL, Channel, Channels, Coordinate, Field, Node, Pad, Pointwise
from pde2net.normalise.form import SystemForm

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


Part = TypeVar("Part", bound=PartBuilder)


class SystemBuilder(NodeBuilder, Generic[Part]):
    """Adds F of all equations of a system, as one array of as many channels; `make` makes their builders."""

    form: SystemForm

    def __init__(
        self, semi: SemidiscreteSystem, graph: Graph, make: Callable[[Semidiscrete, Graph], Part]
    ) -> None:
        super().__init__(graph, semi.form)
        self.parts = [make(part, graph) for part in semi.parts]
        for part in self.parts:
            part.known = self.known

    def rate(self, state: Source, weights: tuple[FluxWeights, ...] | None = None) -> Rate:
        """F at `state`, with the flux weights of an earlier one if they are given."""
        rates = []
        for k, (part, source) in enumerate(self.channels(state)):
            found = part.rate(source, None if weights is None else weights[k])
            node = Pointwise((found.expression,), "rate of one unknown")
            rates.append(self.node(f"rate_{part.form.state}", node, found.inputs))
        return Rate(RATES, {RATES.name: self.joined("rates", rates)})

    def joined(self, name: str, sources: Sequence[Source]) -> Source:
        """Arrays of one channel each as one array."""
        return self.node(name, Channels(len(sources)), {f"c{k}": s for k, s in enumerate(sources)})

    def split(self, name: str, array: Source) -> list[Source]:
        """The channels of an array, which are added once under a name."""
        named = ((f"{part.prefix}{name}", Channel(k)) for k, part in enumerate(self.parts))
        return [self.here(own, channel, {"u": array}) for own, channel in named]

    def weights(self, state: Source) -> tuple[FluxWeights, ...]:
        """The weights of the fluxes at `state`."""
        return tuple(part.weights(source) for part, source in self.channels(state))

    def channels(self, state: Source) -> list[tuple[Part, Source]]:
        """Each equation with the channel of its unknown."""
        found = self.split(CHANNEL, state)
        names = [part.form.state.name for part in self.parts]
        for part in self.parts:
            part.channels = dict(zip(names, found, strict=True))
        self.place_parts()
        return list(zip(self.parts, found, strict=True))

    def place_parts(self) -> None:
        """From now on, nodes of the equations are added where those of the system are."""
        for part in self.parts:
            part.loop, part.block, part.part = self.loop, self.block, self.part
            part.inside = f"{self.inside}{part.prefix}"
