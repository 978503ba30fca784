"""Adds K^T G K u to a graph for operators with several entries: the differences u_ij of a Hessian.

K has one row per entry with i <= j. Mixed ones stand for two entries: they count twice in the norm and in
the flux, so that K^T G K is the sum over all i and j.
"""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.operators import Bank, factors
from pde2net.graph.build.coupling import at_rest
from pde2net.graph.build.place import Source
from pde2net.graph.build.slopes import SlopeBuilder
from pde2net.graph.nodes import CHANNEL_SUM, S2, Convolution, Pointwise
from pde2net.normalise.terms import SQUARED, Hessian


def adjoint(
    builder: SlopeBuilder, term: Hessian, bank: Bank, suffix: str, given: Source | sp.Expr | None
) -> Source:
    """K^T of the flux, with the weight of an earlier state if it is given."""
    slots = entries(builder, bank)
    inputs = _differences(builder, bank, suffix)
    if given is None:
        g = _diffusivity(builder, term, bank, suffix, inputs)
    elif isinstance(given, tuple):
        g = sp.Symbol(f"_g{suffix}", real=True)
        inputs[g.name] = given
    else:
        g = given
    fluxes = tuple(count * g * p for count, p in zip(bank.entries, slots, strict=True))
    return builder.transposed(suffix, fluxes, inputs, bank)


def weight(builder: SlopeBuilder, term: Hessian, bank: Bank, suffix: str) -> Source | sp.Expr:
    """g(|H u|^2) at the current state, or a constant."""
    inputs = _differences(builder, bank, suffix)
    g = at_rest(_diffusivity(builder, term, bank, suffix, inputs), (S2,))
    return builder.arrays(f"g{suffix}", [g], inputs)[0]


def entries(builder: SlopeBuilder, bank: Bank) -> list[sp.Symbol]:
    """The symbols u_xx, u_xy, ... of the rows."""
    state, space = builder.form.state, builder.form.space
    found = []
    for ((_, operation),) in bank.operations:
        axes = [space[d.axis].name for d in factors(operation) for _ in range(d.stencil.derivative)]
        found.append(sp.Symbol(f"{state}_{''.join(axes)}", real=True))
    return found


def _differences(builder: SlopeBuilder, bank: Bank, suffix: str) -> dict[str, Source]:
    name, _ = builder.once(f"K{suffix}", Convolution(bank), {"u": builder.state})
    return {p.name: (name, i) for i, p in enumerate(entries(builder, bank))}


def _diffusivity(
    builder: SlopeBuilder, term: Hessian, bank: Bank, suffix: str, inputs: dict[str, Source]
) -> sp.Expr:
    """g in the slot of |H u|^2, over all channels, which is added to the inputs."""
    g = term.diffusivity
    assert g is not None  # every Hessian has one
    if SQUARED not in g.free_symbols:
        return g
    square = sp.Add(*(c * p**2 for c, p in zip(bank.entries, entries(builder, bank), strict=True)))
    role = CHANNEL_SUM if builder.form.problem.channels > 1 else "coefficient"
    inputs[S2.name] = builder.once(f"s2{suffix}", Pointwise((square,), role), dict(inputs))
    return g.xreplace({SQUARED: S2})
