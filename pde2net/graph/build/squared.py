"""Adds the diagonal of K^T G K, G diagonal, to a graph."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.graph.build.place import Source
from pde2net.graph.build.slopes import SlopeBuilder
from pde2net.graph.nodes import Crop, SquaredAdjoint


def squared_adjoint(
    builder: SlopeBuilder, name: str, bank: Bank, rows: Sequence[Source | sp.Expr], margin: tuple[int, ...]
) -> Source:
    """diag(K^T G K) on the grid, for the weight of each row of the bank."""
    constants = tuple(w if isinstance(w, sp.Expr) else sp.S.Zero for w in rows)
    inputs = {f"p{i}": w for i, w in enumerate(rows) if isinstance(w, tuple)}
    source = builder.once(name, SquaredAdjoint(bank, constants, margin), inputs)
    return builder.once(f"crop_{name}", Crop(margin), {"u": source}) if any(margin) else source
