"""Gaussians as one weighted sum along each axis after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial

import sympy as sp

from pde2net.discretise.arrays import Extension
from pde2net.errors import EmissionError
from pde2net.graph.nodes import Gaussian
from pde2net.language.borders import BORDERS
from pde2net.program.records import Function, Let, Sum

DIGITS = 25


def separate(function: Function, values: Mapping[sp.Symbol, sp.Expr]) -> Function:
    """The same function; raises EmissionError for a Gaussian whose width has no value."""
    return replace(function, body=tuple(part for let in function.body for part in _parts(let, values)))


def weights(width: sp.Expr) -> tuple[sp.Expr, ...]:
    """Those of a Gaussian of `width` cells, cut off at 4 of them, normalised to the sum 1."""
    radius = int(4 * float(width) + 0.5)
    plain = [sp.exp(-(sp.Integer(k) ** 2) / (2 * width**2)).evalf(DIGITS) for k in range(-radius, radius + 1)]
    return tuple(w / sp.Add(*plain) for w in plain)


def _parts(let: Let, values: Mapping[sp.Symbol, sp.Expr]) -> Iterator[Let]:
    op = let.op
    if not isinstance(op, Gaussian):
        yield let
        return
    (given,), (made,) = let.fed.values(), let.outputs
    for axis, (h, name) in enumerate(zip(op.spacing, op.boundary, strict=True)):
        width = sp.nsimplify((op.sigma / h).subs(values).subs(values), rational=True)
        if not width.is_number:
            raise EmissionError(f"There is no kernel of a Gaussian whose width {op.sigma} has no value.")
        border = BORDERS[name]
        node = Sum(axis, weights(width), Extension(border.wraps, border.factor))
        last = axis == len(op.spacing) - 1
        output = made if last else f"{made} along {axis}"
        yield replace(let, outputs=(output,), op=node, inputs=(("u", given),))
        given = output


def separated(values: Mapping[sp.Symbol, sp.Expr]) -> partial[Function]:
    """The pass of a network whose symbols have these values."""
    return partial(separate, values=values)
