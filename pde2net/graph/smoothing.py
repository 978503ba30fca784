"""Adds smoothed expressions and their slopes to a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp

from pde2net.graph.nodes import CHANNEL_SUM, Crop, Gaussian, Pad, Pointwise

if TYPE_CHECKING:
    from pde2net.graph.place import Source
    from pde2net.graph.rate import RateBuilder


def smoothed(builder: RateBuilder, symbol: sp.Symbol, wide: bool) -> Source:
    """A smoothed expression at cells; `wide` with the margin of zero-Dirichlet borders."""
    form, semi = builder.form, builder.semi
    of = form.smoothed[symbol]
    node = Gaussian(of.sigma, semi.spacing, semi.boundary)
    source = builder.once(symbol.name, node, {"u": _argument(builder, symbol)})
    if not (wide and builder.padded):
        return source
    return builder.once(f"{symbol}_wide", Pad(semi.margin, "zero"), {"u": source})


def _argument(builder: RateBuilder, symbol: sp.Symbol) -> Source:
    """What is smoothed: the state or a field as it is, or an expression in slopes, over all channels."""
    form = builder.form
    argument = form.smoothed[symbol].argument
    if argument == form.state:
        return builder.state
    if argument in form.fields:
        return builder.field(argument, False)
    slopes = argument.free_symbols & {*form.slopes, *form.field_slopes}
    inputs = dict(builder.slopes_at_cells()) if argument.free_symbols & set(form.slopes) else {}
    if form.state in argument.free_symbols:
        inputs[form.state.name] = builder.cell_state() if slopes else builder.state
    inputs |= builder.data_inputs(argument, padded=bool(slopes))
    role = CHANNEL_SUM if slopes and form.problem.channels > 1 else "coefficient"
    name = f"{symbol}_cell"
    source = builder.once(name, Pointwise((argument,), role), builder.needed([argument], inputs))
    if not (slopes and builder.padded):
        return source
    return builder.once(f"{name}_crop", Crop(builder.semi.margin), {"u": source})
