"""Adds learned operators and splines to a graph: their nodes, and which filters are even or odd."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.filters import Parity
from pde2net.errors import EquationError
from pde2net.graph.build.place import Source
from pde2net.graph.build.slopes import SlopeBuilder
from pde2net.graph.nodes import Filter, Spline, TransposedFilter
from pde2net.language.linear_operator import Chain, LinearOperator
from pde2net.language.spline import SplineFlux
from pde2net.language.traversal import atoms


def response(builder: SlopeBuilder, chain: Chain) -> Source:
    """K_n ... K_1 of the current state; operators that several chains begin with are there once."""
    found = builder.state
    for k, operator in enumerate(chain.operators):
        label = Chain(chain.operators[: k + 1])
        found = builder.once(f"{label}_filter", Filter(*_options(builder, operator)), {"u": found})
    return found


def adjoint(builder: SlopeBuilder, chain: Chain, flux: Source) -> Source:
    """K_1^T ... K_n^T of a flux."""
    found = flux
    for k in reversed(range(len(chain.operators))):
        node = TransposedFilter(*_options(builder, chain.operators[k]))
        last = k == len(chain.operators) - 1
        place = str(chain) if last else f"{chain.operators[k]}_of_{chain}"
        found = builder.node(f"{place}_adjoint", node, {"p": found})
    return found


def splined(
    builder: SlopeBuilder, flux: sp.Expr, q: sp.Symbol, inputs: dict[str, Source], quotient: bool = False
) -> sp.Expr:
    """`flux` with a slot for each spline in it, and what feeds them; as a quotient, they are divided by q."""
    slots: dict[sp.Expr, sp.Expr] = {}
    for spline in sorted(atoms(flux, SplineFlux), key=str):
        if spline.argument != q:
            raise EquationError(f"A spline is a function of {q} itself: {spline.name}({q}), not {spline}.")
        symbol = sp.Symbol(f"_{spline.name}", real=True)
        shape = (spline.pieces, spline.width, spline.lower, spline.upper, spline.rows)
        node = Spline(spline.name, *shape, quotient)
        inputs[symbol.name] = builder.node(f"{spline.name}_{q}", node, {"q": inputs[q.name]})
        slots[spline] = symbol * q if quotient else symbol
    return flux.xreplace(slots)


def _options(
    builder: SlopeBuilder, operator: LinearOperator
) -> tuple[str, int, int, tuple[str, ...], int, Parity, Parity, bool, int]:
    shape = (operator.name, operator.out_channels, operator.kernel_size)
    problem = builder.form.problem
    channels = problem.filter_shapes[operator.name][1]
    if operator.border != "continued":
        return (*shape, builder.semi.boundary, channels, (), (), operator.zero_mean, operator.scale)
    boundary = ("continued",) * len(problem.space)
    inner, own = builder.semi.parities[operator]
    return (*shape, boundary, channels, own, inner, operator.zero_mean, operator.scale)
