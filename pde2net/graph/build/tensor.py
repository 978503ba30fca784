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
from pde2net.graph.nodes import Pointwise
from pde2net.language.tensors import projection
from pde2net.normalise.terms import Tensor

Entries = tuple["tuple[str, int] | sp.Expr", ...]


def entries(builder: SlopeBuilder, term: Tensor, suffix: str) -> Entries:
    """The entries of D, row by row: those of one node, or constants."""
    rows, norms = common_norms(builder, [e for row in term.matrix for e in row], suffix)
    moving = builder.moving(norms)
    fixed = {p: p.quotient for e in rows for p in e.atoms(projection) if not p.free_symbols & moving}
    rows = [e.xreplace(fixed) for e in rows]
    inputs = norms | builder.data_inputs(sp.Tuple(*rows), padded=True)
    if any(builder.form.state in e.free_symbols for e in rows):
        inputs[builder.form.state.name] = builder.cell_state()
    return builder.arrays(f"D{suffix}", rows, inputs)


def _parts(builder: SlopeBuilder, suffix: str, found: Entries) -> list[tuple[list[Entries], Bank]]:
    """D row by row, with its K; on a staggered grid its diagonal at edges, then the rest at cells, if any."""
    dimension = range(len(builder.form.slopes))
    rows = [found[i * len(dimension) : (i + 1) * len(dimension)] for i in dimension]
    if builder.semi.cell is None:
        return [(rows, builder.semi.gradient)]
    edges = [_on_edge(builder, f"D{suffix}", i, rows[i][i]) for i in dimension]
    own = [tuple(edges[i] if i == j else sp.S.Zero for j in dimension) for i in dimension]
    mixed = [tuple(sp.S.Zero if i == j else rows[i][j] for j in dimension) for i in dimension]
    inside = any(e != 0 for row in mixed for e in row)
    return [(own, builder.semi.gradient), *([(mixed, builder.semi.cell)] if inside else [])]


def _total(parts: Sequence[Source], role: str) -> tuple[Pointwise, dict[str, Source]]:
    """The sum of what acts at edges and at cells."""
    both = sp.symbols("_edges _cells", real=True)
    return Pointwise((sp.Add(*both),), role), {s.name: source for s, source in zip(both, parts, strict=True)}


def adjoint(builder: SlopeBuilder, suffix: str, found: Entries) -> Source:
    """K^T D K of the current state."""
    results = []
    for rows, bank in _parts(builder, suffix, found):
        at_cells = bank == builder.semi.cell
        slopes = builder.cell_slopes() if at_cells else builder.slopes()
        results.append(_flux(builder, f"_cell{suffix}" if at_cells else suffix, rows, slopes, bank))
    result = results[0]
    if len(results) > 1:
        result = builder.node(f"K{suffix}T_total", *_total(results, "sum"))
    return builder.uncovered(suffix, result)


def diagonal(builder: SlopeBuilder, suffix: str, found: Entries) -> Source:
    """That of K^T W K, W_ii = sum_j |D_ij|, which is not below K^T D K (Gershgorin)."""
    semi, results = builder.semi, []
    for rows, bank in _parts(builder, suffix, found):
        name = f"d{suffix}_cell" if bank == semi.cell else f"d{suffix}"
        edges = bank == semi.gradient and semi.cell is not None
        sums = [row[i] for i, row in enumerate(rows)] if edges else _absolute(builder, f"W{suffix}", rows)
        results.append(builder.squared_adjoint(name, bank, sums, semi.margin))
    if len(results) == 1:
        return results[0]
    return builder.once(f"d{suffix}_total", *_total(results, "coefficient"))


def _absolute(builder: SlopeBuilder, name: str, rows: Sequence[Entries]) -> Entries:
    """sum_j |D_ij| for every row i."""
    inputs: dict[str, Source] = {}
    sums = [sp.Add(*(sp.Abs(e) for e in _slots(builder, i, row, inputs))) for i, row in enumerate(rows)]
    return builder.arrays(name, sums, inputs)


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
    return builder.on_edges(f"{name}_{builder.form.space[axis]}_edge", axis, entry)


def _flux(
    builder: SlopeBuilder, place: str, rows: Sequence[Entries], slopes: Mapping[str, Source], bank: Bank
) -> Source:
    """K^T of the fluxes sum_j D_ij p_j; `place` ends their names."""
    inputs, fluxes = dict(slopes), []
    for i, row in enumerate(rows):
        entries = _slots(builder, i, row, inputs)
        fluxes.append(sp.Add(*(e * p for e, p in zip(entries, builder.form.slopes, strict=True))))
    return builder.transposed(place, fluxes, inputs, bank)
