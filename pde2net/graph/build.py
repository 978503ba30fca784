"""Builds the residual stack of an explicit scheme: K, activation, -K^T, skip, once per step."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.errors import EquationError
from pde2net.graph.network import Graph, add, new_graph, validate
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Field,
    Input,
    Node,
    Output,
    Pad,
    Pointwise,
    TransposedConvolution,
)
from pde2net.normalise.form import Component, FirstOrder, SecondOrder
from pde2net.normalise.radial import divide
from pde2net.scheme.explicit import TAU, update

Source = tuple[str, int]


def residual_stack(semi: Semidiscrete, tau: sp.Expr, steps: int) -> Graph:
    """The graph of `steps` explicit steps of size `tau`; the weights of all blocks are those of the first."""
    values = {**semi.form.problem.parameters, TAU: tau}
    graph = new_graph("residual stack", values, len(semi.form.space))
    builder = _Builder(semi, graph)
    state: Source = (add(graph, "input", Input(semi.form.state), {}), 0)
    for block in range(steps):
        state = builder.block(block, state)
    add(graph, "output", Output(), {"u": state})
    return validate(graph)


class _Builder:
    """Adds blocks to one graph; nodes that depend on data alone are added once, outside of blocks."""

    def __init__(self, semi: Semidiscrete, graph: Graph) -> None:
        self.semi, self.form, self.graph = semi, semi.form, graph
        self.padded = any(semi.margin)
        self.half = semi.grid.gradient != "central"
        self.current: int | None = None
        self.known: dict[str, Source] = {}

    def node(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        """Add a node of the current block, or of no block; weights are shared with the first block."""
        if self.current is None:
            return add(self.graph, name, node, inputs), 0
        first = f"block1.{name}"
        full = f"block{self.current + 1}.{name}"
        shares = first if self.current > 0 else None
        return add(self.graph, full, node, inputs, self.current, shares), 0

    def block(self, index: int, state: Source) -> Source:
        """u + tau * (sum_k -m_k K_k^T Phi_k(K_k u) + r(u))."""
        self.current = index
        self.state, self.cells = state, None
        adjoints: list[Source] = []
        second = iter(self.semi.second)
        many = len(self.form.terms) > 1
        for k, term in enumerate(self.form.terms):
            suffix = str(k + 1) if many else ""
            if isinstance(term, SecondOrder):
                adjoints.append(self.second_order(term, next(second), suffix))
            else:
                adjoints.append(self.first_order(term, suffix))
        slots = [sp.Symbol(f"_a{k + 1}", real=True) for k in range(len(adjoints))]
        expression = update(self.form, slots)
        inputs = {self.form.state.name: state}
        inputs |= {s.name: a for s, a in zip(slots, adjoints, strict=True)}
        inputs |= self.data_inputs(expression, padded=False)
        return self.node("skip", Pointwise((expression,), "skip"), inputs)

    def second_order(self, term: SecondOrder, bank: Bank, suffix: str) -> Source:
        q = self.form.curvature
        curvature = self.node(f"K{suffix}", Convolution(bank), {"u": self.state})
        flux = self.node(f"flux{suffix}", Pointwise((term.flux,), "activation"), {q.name: curvature})
        return self.node(f"K{suffix}T", TransposedConvolution(bank), {"p0": flux})

    def first_order(self, term: FirstOrder, suffix: str) -> Source:
        bank, form = self.semi.gradient, self.form
        slopes = {p.name: (self.convolution("K", bank), i) for i, p in enumerate(form.slopes)}
        if self.semi.cell is not None:
            expressions, inputs = self.staggered_flux(term, suffix)
        else:
            expressions, inputs = self.flux(term, suffix)
        inputs = self.needed(expressions, slopes | inputs)
        flux, _ = self.node(f"flux{suffix}", Pointwise(tuple(expressions), "activation"), inputs)
        adjoint = self.node(
            f"K{suffix}T",
            TransposedConvolution(bank),
            {f"p{i}": (flux, i) for i in range(len(expressions))},
        )
        if self.padded:
            return self.node(f"crop{suffix}", Crop(self.semi.margin), {"u": adjoint})
        return adjoint

    def flux(self, term: FirstOrder, suffix: str) -> tuple[list[sp.Expr], dict[str, Source]]:
        """Flux expressions of a collocated grid: coefficients without any derivatives are edge means."""
        form = self.form
        expressions: list[sp.Expr] = [sp.S.Zero] * len(form.slopes)
        inputs: dict[str, Source] = {}
        for number, component in enumerate(term.components):
            name = f"c{suffix}{number + 1}"
            for axis, response in enumerate(component.responses):
                if response == 0:
                    continue
                factor = component.coefficient
                if self.at_cell(factor):
                    symbol = sp.Symbol(f"_{name}_{form.space[axis]}", real=True)
                    inputs[symbol.name] = self.edge_coefficient(name, component.coefficient, axis)
                    factor = symbol
                expressions[axis] += factor * response
        free = set().union(*(e.free_symbols for e in expressions))
        if form.state in free:
            inputs[form.state.name] = self.cell_state()
        inputs |= self.data_inputs(sp.Add(*expressions), padded=True)
        return expressions, inputs

    def at_cell(self, coefficient: sp.Expr) -> bool:
        """Whether a coefficient lives at cells, so that edges take means; slopes live at half-points."""
        free = coefficient.free_symbols
        if not self.half or free & set(self.form.field_slopes):
            return False
        return bool(free & (self.form.data | {self.form.state}))

    def staggered_flux(self, term: FirstOrder, suffix: str) -> tuple[list[sp.Expr], dict[str, Source]]:
        """Flux of a staggered grid: weights from cell gradients, averaged to the edges."""
        form, cell = self.form, self.semi.cell
        if cell is None:
            raise TypeError("a staggered flux needs the cell gradient")
        expressions, inputs = [], {}
        weights = [
            sp.Add(*(c.coefficient * _ratio(c, i, form.slopes) for c in term.components))
            for i in range(len(form.slopes))
        ]
        for axis, weight in enumerate(weights):
            if not weight.free_symbols & ({form.state, *form.slopes} | form.data):
                expressions.append(weight * form.slopes[axis])
                continue
            same = weights.index(weight)
            name = f"g{suffix}_{form.space[same]}" if len(set(weights)) > 1 else f"g{suffix}"
            at_cells = self.at_cells(name, weight)
            symbol = sp.Symbol(f"_g{suffix}_{form.space[axis]}_edge", real=True)
            mean = EdgeMean(axis, self.closure(axis))
            inputs[symbol.name] = self.once(symbol.name[1:], mean, {"a": at_cells})
            expressions.append(symbol * form.slopes[axis])
        return expressions, inputs

    def at_cells(self, name: str, weight: sp.Expr) -> Source:
        form, cell = self.form, self.semi.cell
        inputs: dict[str, Source] = {}
        if cell is not None and weight.free_symbols & set(form.slopes):
            gradient = self.convolution("K_cell", cell)
            inputs |= {p.name: (gradient, i) for i, p in enumerate(form.slopes)}
        return self.coefficient(name, weight, inputs)

    def edge_coefficient(self, name: str, coefficient: sp.Expr, axis: int) -> Source:
        at_cells = self.coefficient(name, coefficient, {})
        mean = EdgeMean(axis, self.closure(axis))
        return self.once(f"{name}_{self.form.space[axis]}", mean, {"a": at_cells})

    def coefficient(self, name: str, expression: sp.Expr, inputs: dict[str, Source]) -> Source:
        """A coefficient at cells; added outside of the blocks if it depends on data alone."""
        form = self.form
        if form.state in expression.free_symbols:
            inputs[form.state.name] = self.cell_state()
        inputs |= self.data_inputs(expression, padded=True)
        return self.once(name, Pointwise((expression,), "coefficient"), self.needed([expression], inputs))

    def once(self, name: str, node: Pointwise | EdgeMean, inputs: dict[str, Source]) -> Source:
        """Add a node unless this block has it; data-only nodes live outside of the blocks."""
        only_data = all(self.graph.nodes[p]["block"] is None and p != "input" for p, _ in inputs.values())
        if only_data:
            return self.outside(name, node, inputs)
        full = f"block{(self.current or 0) + 1}.{name}"
        return (full, 0) if full in self.graph else self.node(name, node, inputs)

    def outside(self, name: str, node: Node, inputs: Mapping[str, Source]) -> Source:
        if name not in self.known:
            saved, self.current = self.current, None
            self.known[name] = self.node(name, node, inputs)
            self.current = saved
        return self.known[name]

    def convolution(self, name: str, bank: Bank) -> str:
        full = f"block{(self.current or 0) + 1}.{name}"
        if full not in self.graph:
            self.node(name, Convolution(bank), {"u": self.cell_state()})
        return full

    def cell_state(self) -> Source:
        """u on the cells where coefficients and slopes are evaluated: padded for zero-Dirichlet."""
        if not self.padded:
            return self.state
        full = f"block{(self.current or 0) + 1}.pad"
        if full not in self.graph:
            self.node("pad", Pad(self.semi.margin, "zero"), {"u": self.state})
        return full, 0

    def data_inputs(self, expression: sp.Expr, padded: bool) -> dict[str, Source]:
        """Coordinates, known fields and their slopes in `expression`."""
        form, wide = self.form, padded and self.padded
        margin = self.semi.margin if wide else tuple(0 for _ in self.semi.margin)
        tag = "_wide" if wide else ""
        found: dict[str, Source] = {}
        for symbol in sorted(expression.free_symbols & form.data, key=lambda s: s.name):
            if symbol in form.space:
                axis = form.space.index(symbol)
                node = Coordinate(symbol, axis, self.semi.origin[axis], self.semi.spacing[axis], margin)
                found[symbol.name] = self.outside(f"{symbol}{tag}", node, {})
            elif symbol in form.fields:
                found[symbol.name] = self.field(symbol, wide)
            else:
                field, axis = form.field_slopes[symbol]
                bank = self.semi.cell or self.semi.gradient
                name, _ = self.outside(f"K_{field}", Convolution(bank), {"u": self.field(field, self.padded)})
                found[symbol.name] = (name, axis)
        return found

    def field(self, symbol: sp.Symbol, wide: bool) -> Source:
        source = self.outside(symbol.name, Field(symbol), {})
        if not wide:
            return source
        return self.outside(f"{symbol}_wide", Pad(self.semi.margin, "replicate"), {"u": source})

    def closure(self, axis: int) -> str:
        return "reflecting" if self.semi.boundary[axis] == "reflecting" else "periodic"

    @staticmethod
    def needed(expressions: list[sp.Expr], inputs: Mapping[str, Source]) -> dict[str, Source]:
        """The inputs whose symbols occur in `expressions`."""
        names = {s.name for e in expressions for s in e.free_symbols}
        return {slot: source for slot, source in inputs.items() if slot in names}


def _ratio(component: Component, axis: int, slopes: tuple[sp.Symbol, ...]) -> sp.Expr:
    ratio = divide(component.responses[axis], slopes[axis])
    at_rest = ratio.subs(dict.fromkeys(slopes, 0))
    if at_rest.has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise EquationError(
            f"A staggered grid evaluates the diffusivity {ratio} at cells, where it is not defined "
            'for a zero gradient; use Grid(gradient="forward").'
        )
    return ratio
