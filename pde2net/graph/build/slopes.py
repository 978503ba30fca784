"""Adds what fluxes and coefficients are made of to a graph: slopes, known data, smoothed expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build.place import NodeBuilder, Source
from pde2net.graph.network import Graph
from pde2net.graph.nodes import (
    CHANNEL_SUM,
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Field,
    Gaussian,
    Pad,
    Pointwise,
    SquaredAdjoint,
    TransposedConvolution,
)
from pde2net.normalise.form import DivergenceForm


class SlopeBuilder(NodeBuilder):
    """Adds what the terms of one equation read of the current state and of known data.

    padded  whether slopes need cells beyond zero-Dirichlet borders
    half    whether slopes live at half-points
    """

    form: DivergenceForm

    def __init__(self, semi: Semidiscrete, graph: Graph) -> None:
        super().__init__(graph, semi.form)
        self.semi = semi
        self.state: Source = ("", 0)
        self.padded = any(semi.margin)
        self.half = semi.grid.gradient != "central"

    def local_inputs(self, expression: sp.Expr, state: Source) -> dict[str, Source]:
        """What `expression`, evaluated cell by cell, needs of the state and of known data."""
        inputs = {self.form.state.name: state} if self.form.state in expression.free_symbols else {}
        return inputs | self.data_inputs(expression, padded=False)

    def slopes(self) -> dict[str, Source]:
        """The slopes at the current state, by the names of their symbols; 0 across the border of a domain."""
        return self.counted(f"{self.form.state}_inside", self.plain_slopes())

    def plain_slopes(self) -> dict[str, Source]:
        """The same without regard to a domain."""
        name = self.convolution("K", self.semi.gradient)
        return {p.name: (name, i) for i, p in enumerate(self.form.slopes)}

    def counted(self, name: str, slopes: dict[str, Source]) -> dict[str, Source]:
        """Slopes along the axes that are 0 across the border of a domain, by the same names."""
        if self.form.domain is None:
            return slopes
        rows = tuple(e * sp.Symbol(p, real=True) for e, p in zip(self.inner_edges, slopes, strict=True))
        made, _ = self.once(name, Pointwise(rows, "coefficient"), slopes | self.edge_inputs())
        return {p: (made, i) for i, p in enumerate(slopes)}

    @property
    def inner_edges(self) -> tuple[sp.Expr, ...]:
        """What weights of fluxes are multiplied by: 1 for edges within the domain, 0 for others."""
        if self.form.domain is None:
            return (sp.S.One,) * len(self.form.space)
        return tuple(sp.Symbol(f"_edges_{a}", real=True) for a in self.form.space)

    def edge_inputs(self) -> dict[str, Source]:
        """What feeds them: an edge counts if the mean of the domain over its two cells is 1."""
        domain = self.form.domain
        if domain is None:
            return {}
        at_cells, mean = self.field(domain, self.padded), sp.Symbol("_mean", real=True)
        node, found = Pointwise((sp.Max(2 * mean - 1, 0),), "coefficient"), {}
        for axis, a in enumerate(self.form.space):
            over = self.on_edges(f"{domain}_{a}", axis, at_cells)
            found[f"_edges_{a}"] = self.once(f"edges_{a}", node, {mean.name: over})
        return found

    def moving(self, inputs: Mapping[str, Source]) -> set[sp.Symbol]:
        """Symbols that stand for arrays."""
        form = self.form
        edges = {sp.Symbol(name, real=True) for name in inputs}
        return {form.state, *form.slopes} | form.data | edges

    def slopes_at_cells(self) -> dict[str, Source]:
        """The slopes where coefficients are evaluated."""
        return self.slopes() if self.semi.cell is None else self.cell_slopes()

    def cell_slopes(self) -> dict[str, Source]:
        """The slopes at the cells of a staggered grid."""
        if self.semi.cell is None:
            raise TypeError("only staggered grids have slopes at cells")
        gradient = self.convolution("K_cell", self.semi.cell)
        return {p.name: (gradient, i) for i, p in enumerate(self.form.slopes)}

    def coefficient(self, name: str, expression: sp.Expr, inputs: dict[str, Source]) -> Source:
        """A coefficient at cells; added outside of the blocks if it depends on data alone."""
        form = self.form
        if form.state in expression.free_symbols:
            inputs[form.state.name] = self.cell_state()
        inputs |= self.data_inputs(expression, padded=True)
        return self.once(name, Pointwise((expression,), "coefficient"), inputs)

    def convolution(self, name: str, bank: Bank) -> str:
        return self.here(name, Convolution(bank), {"u": self.cell_state()})[0]

    def cell_state(self) -> Source:
        """u on the cells where coefficients and slopes are evaluated: padded for zero-Dirichlet."""
        if not self.padded:
            return self.state
        return self.here("pad", Pad(self.semi.margin, "zero"), {"u": self.state})

    def data_inputs(self, expression: sp.Expr, padded: bool) -> dict[str, Source]:
        """Coordinates, known fields and their slopes in `expression`."""
        form, wide = self.form, padded and self.padded
        margin = self.semi.margin if wide else tuple(0 for _ in self.semi.margin)
        found: dict[str, Source] = {}
        for symbol in sorted(expression.free_symbols & (form.data | form.inputs), key=lambda s: s.name):
            if symbol in form.inputs:
                found[symbol.name] = self.outside(known_name(symbol), Field(symbol, "input"), {})
            elif symbol in form.space:
                axis = form.space.index(symbol)
                node = Coordinate(symbol, axis, self.semi.origin[axis], self.semi.spacing[axis], margin)
                found[symbol.name] = self.outside(known_name(symbol, wide), node, {})
            elif symbol in form.edges:
                found[symbol.name] = self.outside(known_name(symbol), Field(symbol, "border cells"), {})
            elif symbol in form.fields or symbol == form.domain:
                found[symbol.name] = self.field(symbol, wide)
            elif symbol in form.smoothed:
                found[symbol.name] = self.smoothed(symbol, wide)
            else:
                field, axis = form.field_slopes[symbol]
                bank = self.semi.cell or self.semi.gradient
                of = self.field if field in form.fields else self.smoothed
                name, _ = self.once(f"K_{field}", Convolution(bank), {"u": of(field, self.padded)})
                slopes = {f"_slope_{a}": (name, i) for i, a in enumerate(form.space)}
                found[symbol.name] = self.counted(f"{field}_inside", slopes)[f"_slope_{form.space[axis]}"]
        return found

    def field(self, symbol: sp.Symbol, wide: bool) -> Source:
        source = self.outside(known_name(symbol), Field(symbol), {})
        if not wide:
            return source
        return self.outside(known_name(symbol, wide), Pad(self.semi.margin, "replicate"), {"u": source})

    def on_edges(self, name: str, axis: int, source: Source) -> Source:
        """The means of a coefficient at cells along an axis."""
        return self.once(name, EdgeMean(axis, self.semi.gradient.differences[axis].closure), {"a": source})

    def transposed(
        self, place: str, fluxes: Sequence[sp.Expr], inputs: Mapping[str, Source], bank: Bank
    ) -> Source:
        """K^T of the fluxes, one for each row of K; `place` ends the names."""
        node = Pointwise(tuple(fluxes), "activation")
        flux, _ = self.node(f"flux{place}", node, inputs)
        rows = {f"p{i}": (flux, i) for i in range(len(fluxes))}
        return self.node(f"K{place}T", TransposedConvolution(bank), rows)

    def uncovered(self, suffix: str, adjoint: Source) -> Source:
        """K^T of first-order terms without the margin of zero-Dirichlet borders."""
        if not self.padded:
            return adjoint
        return self.node(f"crop{suffix}", Crop(self.semi.margin), {"u": adjoint})

    def squared_adjoint(
        self, name: str, bank: Bank, rows: Sequence[Source | sp.Expr], margin: tuple[int, ...]
    ) -> Source:
        """diag(K^T G K) on the grid, for the weight of each row of the bank."""
        constants = tuple(w if isinstance(w, sp.Expr) else sp.S.Zero for w in rows)
        inputs = {f"p{i}": w for i, w in enumerate(rows) if isinstance(w, tuple)}
        source = self.once(name, SquaredAdjoint(bank, constants, margin), inputs)
        return self.once(f"crop_{name}", Crop(margin), {"u": source}) if any(margin) else source

    def smoothed(self, symbol: sp.Symbol, wide: bool) -> Source:
        """A smoothed expression at cells; `wide` with the margin of zero-Dirichlet borders."""
        form, semi = self.form, self.semi
        of = form.smoothed[symbol]
        node = Gaussian(of.sigma, semi.spacing, semi.boundary)
        source = self.once(symbol.name, node, {"u": self.smoothed_argument(symbol)})
        if not (wide and self.padded):
            return source
        return self.once(f"{symbol}_wide", Pad(semi.margin, "zero"), {"u": source})

    def smoothed_argument(self, symbol: sp.Symbol) -> Source:
        """What is smoothed: the state or a field as it is, or an expression in slopes, over all channels."""
        form = self.form
        argument = form.smoothed[symbol].argument
        if argument == form.state:
            return self.state
        if argument in form.fields:
            return self.field(argument, False)
        slopes = argument.free_symbols & {*form.slopes, *form.field_slopes}
        inputs = dict(self.slopes_at_cells()) if argument.free_symbols & set(form.slopes) else {}
        if form.state in argument.free_symbols:
            inputs[form.state.name] = self.cell_state() if slopes else self.state
        inputs |= self.data_inputs(argument, padded=bool(slopes))
        role = CHANNEL_SUM if slopes and form.problem.channels > 1 else "coefficient"
        name = f"{symbol}_cell"
        source = self.once(name, Pointwise((argument,), role), inputs)
        if not (slopes and self.padded):
            return source
        return self.once(f"{name}_crop", Crop(self.semi.margin), {"u": source})


def known_name(symbol: sp.Symbol, wide: bool = False) -> str:
    """The name of the node of a known field or coordinate: no other node has it, whatever that is called."""
    return f"known.wide.{symbol}_wide" if wide else f"known.{symbol}"
