"""What the parts of the reference interpreter ask of the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.operators import Bank
from pde2net.graph.network import Graph
from pde2net.graph.nodes import Node, Weights

Feeds = Mapping[str, tuple[str, int]]
Computed = dict[str, tuple[Array, ...]]


class Run(Protocol):
    """The evaluation of one graph: see graph.interpret.Interpreter."""

    work: float

    @property
    def graph(self) -> Graph: ...
    @property
    def channels(self) -> int: ...
    @property
    def fields(self) -> Mapping[str, Array]: ...
    @property
    def loops(self) -> Mapping[str, str | None]: ...
    @property
    def bodies(self) -> Mapping[str, Sequence[tuple[str, Node, Feeds]]]: ...
    @property
    def sources(self) -> Mapping[str, Feeds]: ...

    def number(self, expression: sp.Expr) -> Any: ...
    def weighted(self, expression: sp.Expr, weights: Weights) -> Any: ...
    def evaluate(self, node: Node, inputs: Mapping[str, Array]) -> tuple[Array, ...]: ...
    def adjoint(self, bank: Bank, arrays: list[Array]) -> Array: ...
    def squared_adjoint(self, bank: Bank, arrays: list[Array]) -> Array: ...
    def step(self, name: str, node: Node, inputs: Feeds, computed: Computed) -> tuple[Array, ...]: ...
