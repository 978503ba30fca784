"""An operator of a U-net on one grid, in NumPy: the body of its graph with distances, areas and volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import networkx as nx
import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array, along
from pde2net.discretise.operators import Bank, Difference
from pde2net.graph.interpret import hierarchy
from pde2net.graph.interpret.evaluate import Evaluator
from pde2net.graph.interpret.hierarchy import Axis, Cells
from pde2net.graph.interpret.solve import divided
from pde2net.graph.network import is_data, node_of
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Field,
    Gaussian,
    Node,
    Pointwise,
    SquaredAdjoint,
    State,
    TransposedConvolution,
    Trial,
)

Row = tuple[tuple[sp.Expr, Difference], ...]


class OnGrid:
    """One grid of an operator: its cells, its fields, and what depends on them alone."""

    def __init__(self, run: Evaluator, name: str, cells: Cells, fields: Mapping[str, Array]) -> None:
        self.run, self.name, self.cells, self.fields = run, name, cells, fields
        self.feeds = run.sources[name]
        self.known: dict[str, tuple[Array, ...]] = {}
        self.weights: Array = cells.volumes
        self.kept: Array | float = 1.0
        self.held: Array | float = 0.0
        self.passed: Array | float = 0.0

    def __call__(self, v: Array, *slots: str, x: Array | None = None) -> list[Array]:
        """The slots of the operator at v; `x` is the trial of "product"."""
        found: dict[str, tuple[Array, ...]] = {}
        more = {"value": v, "product": x, "diagonal": 1.0}
        return [
            self.output(self.feeds[s], v, x, found) + (self.held * more[s] if s in more else 0.0)  # type: ignore[operator]  # a product has a trial
            for s in slots
        ]

    def hold(self, state: Array, fine: OnGrid | None) -> None:
        """Tie cells to those that take no correction as strongly as those of the finer grid are tied.

        Without `fine` only what the next grid inherits is found; see graph.nodes.Operator.
        """
        kept, (diagonal,) = np.asarray(self.kept), self(state, "diagonal")
        own = diagonal * kept
        flow = self(state, "product", x=kept)[0] - (diagonal - own) * kept
        tied = divided(np.maximum(flow, 0), kept)
        if fine is not None:
            inherited = hierarchy.mean(np.asarray(fine.passed), fine.weights, fine.cells, self.cells)
            self.held = np.maximum(inherited - tied, 0)
            tied = np.maximum(inherited, tied)
        self.passed = divided(tied * own, own + len(self.cells.axes) * tied)

    def fixed(self, name: str) -> bool:
        """Whether a node has the same value at all times."""
        return is_data(self.run.graph, name)

    def output(
        self, source: tuple[str, int], v: Array, x: Array | None, found: dict[str, tuple[Array, ...]]
    ) -> Array:
        name, port = source
        store = self.known if self.fixed(name) else found
        if name not in store:
            node = node_of(self.run.graph, name)
            if isinstance(node, State):
                store[name] = (v,)
            elif isinstance(node, Trial):
                store[name] = (np.zeros_like(v) if x is None else x,)
            else:
                fed = self.run.sources[name].items()
                store[name] = self.evaluate(node, {s: self.output(p, v, x, found) for s, p in fed})
        return store[name][port]

    def evaluate(self, node: Node, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        """A node with the distances, lengths and volumes of this grid."""
        run, axes = self.run, self.cells.axes
        run.work += 1
        if isinstance(node, Field):
            return (self.fields[node.symbol.name],)
        if isinstance(node, Coordinate):
            line = run.number(node.origin) + run.number(node.spacing) * axes[node.axis].extended(
                node.margin[node.axis]
            )
            full = self.cells.widened(node.margin)
            return (np.broadcast_to(along(line, node.axis, len(full)), full),)
        if isinstance(node, Convolution):
            return tuple(self.differences(node.bank, run.evaluate(node, inputs), inputs["u"]))
        if isinstance(node, TransposedConvolution):
            return (self.adjoint(node.bank, list(inputs.values())),)
        if isinstance(node, SquaredAdjoint):
            rows = run.rows(node, inputs, self.cells.widened(node.margin))
            return (self.diagonal(node.bank, rows),)
        if isinstance(node, Gaussian):
            wider = zip(node.spacing, axes, strict=True)
            return run.evaluate(replace(node, spacing=tuple(h * a.stride for h, a in wider)), inputs)
        if isinstance(node, Pointwise) and not inputs:
            numbers = [run.weighted(e, node.weights) for e in node.expressions]
            return tuple(np.full(self.cells.shape, v) for v in numbers)
        return run.evaluate(node, inputs)

    def differences(self, bank: Bank, rows: Sequence[Array], u: Array) -> list[Array]:
        """K u on this grid from K u for the distances of the finest grid."""
        found = []
        for row, array in zip(bank.rows, rows, strict=True):
            found.append(array / self.distance(row[0][1], array.shape))
            if row[0][1].stencil.derivative == 2:
                found[-1] = found[-1] + self.border(row, u)
        return found

    def adjoint(self, bank: Bank, arrays: Sequence[Array]) -> Array:
        """K^T of fluxes through faces, over the length of the cells along the axis and their volume."""
        scaled = [self.through_faces(row, p) for row, p in zip(bank.rows, arrays, strict=True)]
        out = self.run.adjoint(bank, scaled)
        for row, p in zip(bank.rows, scaled, strict=True):
            if row[0][1].stencil.derivative == 2:
                out = out + self.border(row, p) * self.distance(row[0][1], p.shape)
        return out / self.wide(self.cells.volumes, out.shape)

    def diagonal(self, bank: Bank, weights: Sequence[Array]) -> Array:
        """The diagonal of K^T G K."""
        scaled = []
        for row, g in zip(bank.rows, weights, strict=True):
            scaled.append(self.through_faces(row, g / self.distance(row[0][1], g.shape)))
        out = self.run.adjoint(bank, scaled, squared=True)
        for row, g in zip(bank.rows, scaled, strict=True):
            (weight, d) = row[0]
            if d.stencil.derivative == 2:
                line = self.cells.axes[d.axis].near_zero()
                centre = float(dict(zip(d.stencil.offsets, d.stencil.weights, strict=True))[0])
                factor = float(self.run.number(weight * d.scale)) ** 2
                line = factor * line * (line + 2 * centre)
                out = out + along(line, d.axis, g.ndim) * g
        return out / self.wide(self.cells.volumes, out.shape)

    def through_faces(self, row: Row, p: Array) -> Array:
        difference = row[0][1]
        areas = self.wide(self.cells.areas(difference.axis), p.shape)
        scaled: Array = p * areas / self.cells.axes[difference.axis].stride ** difference.stencil.derivative
        return scaled

    def wide(self, array: Array, shape: tuple[int, ...]) -> Array:
        """An array of the grid, continued by ones to a shape that has margins."""
        cells = len(self.cells.axes)
        if shape[:cells] == array.shape[:cells]:
            return array
        margins = [((s - n) // 2,) * 2 for s, n in zip(shape[:cells], array.shape[:cells], strict=True)]
        return np.pad(array, [*margins, *[(0, 0)] * (len(shape) - cells)], constant_values=1.0)

    def border(self, row: Row, u: Array) -> Array:
        """What a second difference has more of u, beside the border."""
        weight, d = row[0]
        line = self.cells.axes[d.axis].near_zero() * float(self.run.number(weight * d.scale))
        result: Array = along(line, d.axis, u.ndim) * u / self.distance(d, u.shape)
        return result

    def distance(self, difference: Difference, shape: tuple[int, ...]) -> Array:
        """What a difference of this grid is divided by, relative to the finest grid."""
        axis: Axis = self.cells.axes[difference.axis]
        stencil = difference.stencil
        if stencil.derivative == 2:
            line = axis.stride**2 * axis.volumes
        else:
            line = axis.distances((shape[difference.axis] - axis.size) // 2, stencil.half)
        return along(line, difference.axis, len(shape))


class FrozenGrid(OnGrid):
    """One grid of a linear operator: its value at v is the product with v, with the weights of `state`."""

    def __init__(
        self, run: Evaluator, name: str, cells: Cells, fields: Mapping[str, Array], state: Array
    ) -> None:
        super().__init__(run, name, cells, fields)
        self.state = state
        inside = [n for n in run.graph if run.loops[n] == name]
        trial = next(n for n in inside if isinstance(node_of(run.graph, n), Trial))
        self.moving = {trial, *nx.descendants(run.graph, trial)}

    def __call__(self, v: Array, *slots: str, x: Array | None = None) -> list[Array]:
        slots = tuple("product" if s == "value" else s for s in slots)
        return super().__call__(self.state, *slots, x=v if x is None else x)

    def fixed(self, name: str) -> bool:
        return name not in self.moving
