"""How far results of a function are from the cells that they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy as sp

from pde2net.discretise.operators import factors
from pde2net.errors import EmissionError
from pde2net.graph.nodes import (
    Convolution,
    EdgeMean,
    Filter,
    Gaussian,
    TransposedConvolution,
    TransposedFilter,
)
from pde2net.program.records import Function, Loop, Op

Ends = tuple[int, int]  # cells before and after that are seen, along an axis
Seen = tuple[Ends, ...]  # by axis


def reach(function: Function, dimension: int, values: Mapping[sp.Symbol, sp.Expr]) -> Seen:
    """What the results of a stack see of its parameters, along each axis.

    values  those of symbols, for the widths of Gaussians

    Raises EmissionError for a width without a value.
    """
    start = {v: ((0, 0),) * dimension for v, _ in function.parameters}
    return _largest(_followed(function, start, values))


def _followed(
    function: Function, given: Mapping[str, Seen], values: Mapping[sp.Symbol, sp.Expr]
) -> list[Seen]:
    """What each result sees, if the parameters see that much."""
    found = dict(given)
    for let in function.body:
        fed = let.fed
        if isinstance(let.op, Loop):
            found[let.outputs[0]] = _passes(let.op, {slot: found[v] for slot, v in fed.items()}, values)
            continue
        nothing = ((0, 0),) * len(next(iter(given.values())))
        own = _largest([nothing, *(found[v] for v in fed.values())])
        for number, output in enumerate(let.outputs):
            found[output] = _further(own, _steps(let.op, number, len(nothing), values))
    return [found[v] for v in function.results]


def _passes(loop: Loop, fed: Mapping[str, Seen], values: Mapping[sp.Symbol, sp.Expr]) -> Seen:
    state = previous = fed["start"]
    (name, _), *_ = loop.body.parameters
    for _ in range(loop.repeat.count):
        handed = {**fed, name: state, **({loop.previous: previous} if loop.previous else {})}
        given = {v: handed[v] for v, _ in loop.body.parameters}
        (after,) = _followed(loop.body, given, values)
        state, previous = after, state
    return state


def _steps(op: Op, output: int, dimension: int, values: Mapping[sp.Symbol, sp.Expr]) -> Seen:
    """What an operation sees of its inputs."""
    ends = [(0, 0)] * dimension
    if isinstance(op, Convolution | TransposedConvolution):
        adjoint = isinstance(op, TransposedConvolution)
        rows = op.bank.operations if adjoint else (op.bank.operations[output],)
        for d in (d for row in rows for _, operation in row for d in factors(operation)):
            left, right = d.stencil.left, d.stencil.right
            own = (right, left) if adjoint else (left, right)
            ends[d.axis] = max(ends[d.axis][0], own[0]), max(ends[d.axis][1], own[1])
    if isinstance(op, EdgeMean):
        ends[op.axis] = (0, 1)
    if isinstance(op, Gaussian):
        for axis, h in enumerate(op.spacing):
            width = (op.sigma / h).subs(values).subs(values)
            if not width.is_number:
                raise EmissionError(f"The reach of a Gaussian of the width {op.sigma} is not known.")
            radius = int(4 * float(width) + 0.5)
            ends[axis] = (radius, radius)
    if isinstance(op, Filter | TransposedFilter):
        left, right = (op.kernel_size - 1) // 2, op.kernel_size // 2
        own = (left, right) if isinstance(op, Filter) else (right, left)
        wide = tuple(op.scale * n + op.scale - 1 for n in own)  # cells of a block are added up first
        ends = [(wide[0], wide[1])] * dimension
    return tuple(ends)


def _further(seen: Seen, steps: Seen) -> Seen:
    return tuple((a + c, b + d) for (a, b), (c, d) in zip(seen, steps, strict=True))


def _largest(found: Sequence[Seen]) -> Seen:
    return tuple((max(a for a, _ in ends), max(b for _, b in ends)) for ends in zip(*found, strict=True))
