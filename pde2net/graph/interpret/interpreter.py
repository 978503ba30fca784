"""Reference interpreters: the graph evaluated in NumPy float64 and in exact rationals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import networkx as nx
import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.graph.interpret import multigrid
from pde2net.graph.interpret.evaluate import FLOAT, Arithmetic, Computed, Evaluator, Feeds
from pde2net.graph.interpret.solve import bicgstab, conjugate_gradients, iterate, nearest, same
from pde2net.graph.network import Graph, GraphError
from pde2net.graph.network import fields as known_fields
from pde2net.graph.nodes import Iterate, LinearSolve, Node, Operator, Output, Previous, Repeat, State, Trial
from pde2net.language.symbols import Domain, Edge


class Interpreter(Evaluator):
    """Evaluates one graph for any input; compiled expressions are kept with the instance.

    Inside, the last axis of arrays is that of the images of a batch, which do not influence each other, and
    several channels are the axis before. With `EXACT`, entries are SymPy numbers and the result is exact.
    `values` adds to or overrides the parameter values of the graph; `filters` has the weights of learned
    operators by name, of shape (out_channels, channels, size, ..., size), whose outputs have the filters as
    their last axis but one. `work` is about the number of nodes evaluated so far, large arrays counted
    several times: a measure of time that is the same on every machine. Raises EmissionError if a parameter
    has no value.
    """

    def __init__(
        self,
        graph: Graph,
        values: Mapping[sp.Symbol, sp.Expr] | None = None,
        arithmetic: Arithmetic = FLOAT,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(graph, values, arithmetic, filters)
        self.domain = next((s for s in known_fields(graph) if isinstance(s, Domain)), None)
        self.edges = [s for s in known_fields(graph) if isinstance(s, Edge)]
        self.ancestors: dict[tuple[str, str], set[str]] = {}
        self.strict = True
        self.failed: Array = np.zeros(1, dtype=bool)

    def __call__(self, u0: Any, fields: Mapping[str, Any] | None = None) -> Array:
        """The output for the state `u0`, an array of the spatial shape, and the known fields.

        With several channels `u0` has the shape (channels, *spatial), fields that or the spatial shape.
        Raises ConvergenceError if an iteration of the network does.
        """
        self.strict = True
        result: Array = self._run(self.array(u0)[None], fields)[0]
        return result

    def batch(
        self, states: Any, fields: Mapping[str, Any] | None = None, data: str = ""
    ) -> tuple[Array, Array]:
        """The outputs for states along the first axis, and where an iteration ended with an error.

        `data` is the name of a known field that each state is itself, "" for none.
        """
        self.strict = False
        return self._run(self.array(states), fields, data), self.failed

    def _run(self, states: Array, fields: Mapping[str, Any] | None, data: str = "") -> Array:
        self.load(states, fields)
        if data:
            self.fields[data] = self.u0
        with np.errstate(all="ignore"):  # overflow is a result like any other
            found = np.broadcast_to(self.within(self.result(), self.outside), self.u0.shape)
            result = np.moveaxis(found, -1, 0)
        return result if self.channels == 1 else np.moveaxis(result, -1, 1)

    def load(self, states: Array, fields: Mapping[str, Any] | None = None) -> None:
        """Take states along the first axis, and known fields, as what is evaluated next."""
        own = states if self.channels == 1 else np.moveaxis(states, 1, -1)
        self.outside = self.u0 = np.moveaxis(own, 0, -1)
        self.shape = self.u0.shape if self.channels == 1 else (*self.u0.shape[:-2], 1, len(states))
        self.fields = {name: self.known(values) for name, values in (fields or {}).items()}
        sizes = self.u0.shape[: self.dimension]
        for symbol in self.edges:
            place = sizes[symbol.axis] - 1 if symbol.last else 0
            cells = np.indices(sizes)[symbol.axis] == place
            self.fields[symbol.name] = self.known(cells.astype(int))
        self.u0 = self.within(self.u0, self.array(np.zeros(1)))
        self.failed = np.zeros(len(states), dtype=bool)

    def within(self, values: Array, others: Array) -> Array:
        """`values` in the domain, `others` outside: states are 0 there, and results are what was given."""
        if self.domain is None:
            return values
        return np.where(self.fields[self.domain.name] == 1, values, others)

    def known(self, values: Any) -> Array:
        """A known field, the same for all images."""
        array = self.array(values)
        if self.channels == 1 or array.ndim == 0:
            return array[..., None]
        last = array[..., None] if array.ndim == self.dimension else np.moveaxis(array, 0, -1)
        return last[..., None]

    def result(self) -> Array:
        computed: Computed = {}
        users = dict(self.graph.out_degree())
        for name, node, inputs in self.plan:
            if self.loops[name] is not None:
                continue
            computed[name] = self.step(name, node, inputs, computed)
            for producer, _ in inputs.values():
                users[producer] -= 1
                if users[producer] == 0 and not self.bodies:
                    computed.pop(producer, None)
            if isinstance(node, Output):
                return computed[name][0]
        raise GraphError("A network has exactly one output.")

    def step(self, name: str, node: Node, inputs: Feeds, computed: Computed) -> tuple[Array, ...]:
        """The outputs of one node; a loop evaluates its body again and again."""
        if isinstance(node, Repeat):
            return (self.repeat(name, node, inputs, computed),)
        if isinstance(node, Iterate | LinearSolve):
            return (self.solve(name, node, inputs, computed),)
        if isinstance(node, Operator) or "operator" in inputs:
            return multigrid.step(self, name, node, inputs, computed)
        arrays = {slot: computed[producer][port] for slot, (producer, port) in inputs.items()}
        return self.evaluate(node, arrays)

    def repeat(self, name: str, node: Repeat, inputs: Feeds, computed: Computed) -> Array:
        producer, port = inputs["start"]
        state = previous = computed[producer][port]
        end, port = inputs["next"]
        for number in range(node.count):
            self.scope |= node.weights(number)
            found = self.once(name, {State: state, Previous: previous}, computed)
            state, previous = found[end][port], state
        return state

    def solve(
        self,
        name: str,
        node: Iterate | LinearSolve,
        inputs: Feeds,
        computed: Computed,
    ) -> Array:
        fixed = {
            slot: computed[producer][port]
            for slot, (producer, port) in inputs.items()
            if self.loops[producer] != name
        }

        def function(slot: str) -> Callable[[Array], Array]:
            return lambda v: self.body(name, inputs[slot], v, computed)

        if isinstance(node, LinearSolve):
            return self.krylov(node, function("product"), fixed, function)
        residual = function("residual") if "residual" in inputs else None
        starts = [fixed[slot] for slot in ("start", "input") if slot in fixed]
        found, failed = iterate(node, starts, fixed.get("rhs"), function("next"), residual, self.strict)
        self.failed = self.failed | failed
        return found

    def krylov(
        self,
        node: LinearSolve,
        product: Callable[[Array], Array],
        fixed: Mapping[str, Array],
        function: Callable[[str], Callable[[Array], Array]],
    ) -> Array:
        """The solution of a linear system; see graph.nodes.LinearSolve."""
        rhs, tol = fixed["rhs"], float(node.tol)
        start = fixed.get("start", np.zeros_like(rhs))
        precondition: Callable[[Array], Array] = same
        if node.preconditioner == "multigrid":
            precondition = function("preconditioner")
        elif node.preconditioner == "diagonal":
            precondition = partial(np.multiply, 1 / fixed["diagonal"])

        if node.method == "bicgstab":
            return bicgstab(product, rhs, start, tol, node.most, precondition)
        first = nearest(product, rhs, [start], self.dimension, node.means)
        x = conjugate_gradients(product, rhs, first, tol, node.most, precondition)
        return nearest(product, rhs, [x, start], self.dimension, node.means)

    def body(self, loop: str, wanted: tuple[str, int], variable: Array, computed: Computed) -> Array:
        """The value of `wanted`, a node of the body of `loop`, for a value of its variable."""
        found = self.once(loop, {State: variable, Trial: variable}, computed, self.needed(loop, wanted[0]))
        return found[wanted[0]][wanted[1]]

    def needed(self, loop: str, wanted: str) -> set[str]:
        """The nodes that `wanted` is computed from."""
        if (loop, wanted) not in self.ancestors:
            self.ancestors[loop, wanted] = {wanted, *nx.ancestors(self.graph, wanted)}
        return self.ancestors[loop, wanted]
