"""The variables that hold the outputs of nodes, while statements are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.emit.names import Namer
from pde2net.emit.torch_expressions import TorchPrinter
from pde2net.graph.network import Graph, sources
from pde2net.scheme.stack import TAU

Printer = Callable[[dict[str, str]], TorchPrinter]


@dataclass
class Values:
    """The variable that holds each output of each node, filled as statements are made.

    captured  what the product of each LinearSolve takes beside its trial, a preconditioner beside its data
    weights  variables of weights that differ from block to block
    factor   c of the step u + c F(u)
    filters  variables of the weights of learned operators
    """

    graph: Graph
    axes: tuple[str, ...]
    banks: dict[Bank, str]
    value: Callable[[sp.Expr], sp.Expr]
    namer: Namer
    bound: dict[tuple[str, int], str] = field(default_factory=dict)
    captured: dict[str, list[str]] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    factor: sp.Expr = TAU
    filters: dict[str, str] = field(default_factory=dict)

    def bind(self, name: str, *variables: str) -> None:
        for port, variable in enumerate(variables):
            self.bound[name, port] = variable

    def inputs(self, name: str) -> dict[str, str]:
        """slot -> variable of a node; but for what the body of a loop computes."""
        fed = sources(self.graph, name).items()
        outside = [(slot, s) for slot, s in fed if self.graph.nodes[s[0]]["loop"] != name]
        return {slot: self.bound[source] for slot, source in outside}

    def fresh(self, wanted: str) -> str:
        """An identifier that no other value has."""
        return self.namer.identifier(wanted, self.bound.values())
