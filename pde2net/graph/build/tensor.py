"""Adds K^T D K u for a diffusion tensor D to a graph.

Collocated grids evaluate D where the slopes are. A staggered one has D at cells: its diagonal entries are
averaged to the edges, the others act between central differences. Both are symmetric, and nonnegative where
D is (docs/theory.md, section 2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.graph.build.coupling import common_norms
from pde2net.graph.build.place import Source
from pde2net.graph.build.slopes import SlopeBuilder
from pde2net.graph.build.squared import squared_adjoint
from pde2net.graph.nodes import Crop, EdgeMean, Pointwise, TransposedConvolution
from pde2net.language.tensors import projection
from pde2net.normalise.terms import Tensor

Entries = tuple["tuple[str, int] | sp.Expr", ...]


def entries(builder: SlopeBuilder, term: Tensor, suffix: str) -> Entries:
    """The entries of D, row by row: those of one node, or constants."""
    rows, norms = common_norms(builder, [e for row in term.matrix for e in row], suffix)
    moving = builder.moving(norms)
    fixed = {p: p.quotient for e in rows for p in e.atoms(projection) if not p.free_symbols & moving}
    rows = [e.xreplace(fixed) for e in rows]
    varying = [e for e in dict.fromkeys(rows) if e.free_symbols & moving]
    if not varying:
        return tuple(rows)
    inputs = norms | builder.data_inputs(sp.Tuple(*varying), padded=True)
    if any(builder.form.state in e.free_symbols for e in varying):
        inputs[builder.form.state.name] = builder.cell_state()
    node = Pointwise(tuple(varying), "coefficient")
    name, _ = builder.once(f"D{suffix}", node, builder.needed(varying, inputs))
    return tuple((name, varying.index(e)) if e in varying else e for e in rows)


def adjoint(builder: SlopeBuilder, suffix: str, found: Entries) -> Source:
    """K^T D K of the current state."""
    dimension = range(len(builder.form.slopes))
    rows = [found[i * len(dimension) : (i + 1) * len(dimension)] for i in dimension]
    semi = builder.semi
    if semi.cell is None:
        result = _flux(builder, suffix, rows, builder.slopes(), semi.gradient)
    else:
        on_edges = [_on_edge(builder, f"D{suffix}", i, rows[i][i]) for i in dimension]
        edges = [tuple(on_edges[i] if i == j else sp.S.Zero for j in dimension) for i in dimension]
        result = _flux(builder, suffix, edges, builder.slopes(), semi.gradient)
        mixed = [tuple(sp.S.Zero if i == j else rows[i][j] for j in dimension) for i in dimension]
        if any(e != 0 for row in mixed for e in row):
            cells = _flux(builder, f"_cell{suffix}", mixed, builder.cell_slopes(), semi.cell)
            both = sp.symbols("_edges _cells", real=True)
            inputs = {s.name: source for s, source in zip(both, (result, cells), strict=True)}
            result = builder.node(f"K{suffix}T_total", Pointwise((sp.Add(*both),), "sum"), inputs)
    if builder.padded:
        return builder.node(f"crop{suffix}", Crop(builder.semi.margin), {"u": result})
    return result


def diagonal(builder: SlopeBuilder, suffix: str, found: Entries) -> Source:
    """That of K^T W K, W_ii = sum_j |D_ij|, which is not below K^T D K (Gershgorin)."""
    dimension = range(len(builder.form.slopes))
    rows = [found[i * len(dimension) : (i + 1) * len(dimension)] for i in dimension]
    semi = builder.semi
    if semi.cell is None:
        sums = _absolute(builder, f"W{suffix}", rows)
        return squared_adjoint(builder, f"d{suffix}", semi.gradient, sums, semi.margin)
    on_edges = [_on_edge(builder, f"D{suffix}", i, rows[i][i]) for i in dimension]
    result = squared_adjoint(builder, f"d{suffix}", semi.gradient, on_edges, semi.margin)
    mixed = [tuple(sp.S.Zero if i == j else rows[i][j] for j in dimension) for i in dimension]
    if all(e == 0 for row in mixed for e in row):
        return result
    sums = _absolute(builder, f"W{suffix}", mixed)
    cells = squared_adjoint(builder, f"d{suffix}_cell", semi.cell, sums, semi.margin)
    both = sp.symbols("_edges _cells", real=True)
    inputs = {s.name: source for s, source in zip(both, (result, cells), strict=True)}
    return builder.once(f"d{suffix}_total", Pointwise((sp.Add(*both),), "coefficient"), inputs)


def _absolute(builder: SlopeBuilder, name: str, rows: Sequence[Entries]) -> Entries:
    """sum_j |D_ij| for every row i."""
    inputs: dict[str, Source] = {}
    sums = [sp.Add(*(sp.Abs(e) for e in _slots(builder, i, row, inputs))) for i, row in enumerate(rows)]
    if not inputs:
        return tuple(sums)
    varying = [e for e in dict.fromkeys(sums) if {s.name for s in e.free_symbols} & set(inputs)]
    node, _ = builder.once(name, Pointwise(tuple(varying), "coefficient"), builder.needed(varying, inputs))
    return tuple((node, varying.index(e)) if e in varying else e for e in sums)


def _slots(builder: SlopeBuilder, i: int, row: Entries, inputs: dict[str, Source]) -> list[sp.Expr]:
    """The entries of row i as expressions; arrays become slots."""
    found = []
    for j, entry in enumerate(row):
        if not isinstance(entry, sp.Expr):
            axes = "".join(a.name for a in (builder.form.space[k] for k in sorted((i, j))))
            symbol = sp.Symbol(f"_D_{axes}", real=True)
            inputs[symbol.name], entry = entry, symbol
        found.append(entry)
    return found


def _on_edge(builder: SlopeBuilder, name: str, axis: int, entry: Source | sp.Expr) -> Source | sp.Expr:
    if isinstance(entry, sp.Expr):
        return entry
    mean = EdgeMean(axis, builder.closure(axis))
    return builder.once(f"{name}_{builder.form.space[axis]}_edge", mean, {"a": entry})


def _flux(
    builder: SlopeBuilder, place: str, rows: Sequence[Entries], slopes: Mapping[str, Source], bank: Bank
) -> Source:
    """K^T of the fluxes sum_j D_ij p_j; `place` ends their names."""
    inputs, fluxes = dict(slopes), []
    for i, row in enumerate(rows):
        entries = _slots(builder, i, row, inputs)
        fluxes.append(sp.Add(*(e * p for e, p in zip(entries, builder.form.slopes, strict=True))))
    node = Pointwise(tuple(fluxes), "activation")
    flux, _ = builder.node(f"flux{place}", node, builder.needed(fluxes, inputs))
    ports = {f"p{i}": (flux, i) for i in range(len(fluxes))}
    return builder.node(f"K{place}T", TransposedConvolution(bank), ports)
