"""Taylor expansion of a network's step on smooth functions, in powers of the spacing.

Every value in the graph of one step is the value of a smooth function at a cell, so it has a series in
epsilon, where the spacings are epsilon eta_i. Nodes combine such series exactly: stencils shift them,
pointwise expressions compose them. Coefficients are polynomials in the derivatives of u and of known
fields at the cell, in eta, in parameters, and in derivatives f, f', f'', ... of the functions that
occur (1/s, exp(s), ...) at their arguments, which are kept as independent variables. A coefficient
that is the zero polynomial therefore vanishes for every smooth u.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from math import factorial, prod

import sympy as sp

from pde2net.discretise.operators import Bank, Operation, factors
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.network import Graph, node_of, sources
from pde2net.graph.nodes import (
    CHANNEL_SUM,
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Field,
    Input,
    Node,
    Pad,
    Pointwise,
    State,
    TransposedConvolution,
)
from pde2net.language.symbols import Edge
from pde2net.scheme.stack import TAU
from pde2net.verify.generators import Generators, Polynomial, multi_indices, of_channel
from pde2net.verify.ranges import UndecidedError

Offset = tuple[int, ...]
Series = tuple[Polynomial, ...]

READABLE = 60  # characters of an expression in a reason


class Expansion:
    """The series of A_h(u) = (step(u) - u)/tau at a cell, up to epsilon**order; of channels, of the first.

    `rate[k]` is the coefficient of epsilon**k: for k = 0 the right-hand side of the equation, then the
    errors of the space discretisation. `render` turns a coefficient into SymPy, with symbols u_xx for
    derivatives and `spacings` for eta. Raises UndecidedError for functions of several arguments that
    are not smooth (Min, Max).
    """

    def __init__(self, semi: Semidiscrete, step: Graph, order: int) -> None:
        self.semi, self.graph = semi, step
        self.dimension = len(semi.spacing)
        highest = max((order_of(k) for b in semi.banks for r in b.operations for _, k in r), default=0)
        self.length = order + 2 * highest + 1
        self.generators = Generators(semi, step, self.length)
        self.known: dict[tuple[str, int, Offset, int], Series] = {}
        (skip,) = [n for n in step if node_of(step, n).role == "skip"]
        whole = self.value(skip, 0, (0,) * self.dimension, 0)
        tau = self.generators.plain[TAU]
        self.rate = tuple(c.diff(tau) for c in whole[: order + 1])

    def render(self, coefficient: Polynomial) -> sp.Expr:
        """A coefficient as a SymPy expression."""
        return self.generators.render(coefficient)

    def value(self, name: str, port: int, offset: Offset, channel: int) -> Series:
        key = (name, port, offset, channel)
        if key not in self.known:
            self.known[key] = self.evaluate(name, node_of(self.graph, name), port, offset, channel)
        return self.known[key]

    def evaluate(self, name: str, node: Node, port: int, offset: Offset, channel: int) -> Series:
        inputs = sources(self.graph, name)
        if isinstance(node, Field) and isinstance(node.symbol, Edge):  # inner cells are expanded
            return (self.generators.zero,) * self.length
        if isinstance(node, Field) and node.symbol in self.generators.plain:  # a number given at the call
            return (self.generators.plain[node.symbol], *[self.generators.zero] * (self.length - 1))
        if isinstance(node, Input | Field):
            return self.smooth(of_channel(self.semi, node.symbol, channel), offset)
        if isinstance(node, Coordinate):
            start, eta = self.generators.plain[node.symbol], self.generators.eta[node.axis]
            zero = self.generators.zero
            return (start, offset[node.axis] * eta, *[zero] * (self.length - 2))
        if isinstance(node, State):  # of the first step
            return self.value(*inputs["start"], offset, channel)
        if isinstance(node, Pointwise) and node.role == CHANNEL_SUM:
            every = range(self.semi.form.problem.channels)
            return reduce(_add, [self.pointwise(node, port, inputs, offset, c) for c in every])
        if isinstance(node, Pointwise):
            return self.pointwise(node, port, inputs, offset, channel)
        if isinstance(node, Convolution):
            return self.correlate(node.bank, [(port, *inputs["u"])], offset, channel, 1)
        if isinstance(node, TransposedConvolution):
            rows = [(i, *inputs[f"p{i}"]) for i in range(len(node.bank.operations))]
            return self.correlate(node.bank, rows, offset, channel, -1)
        (source,) = inputs.values()
        if not isinstance(node, EdgeMean | Pad | Crop):
            raise UndecidedError(f"a {node.role} is not expanded")
        here = self.value(*source, offset, channel)
        if not isinstance(node, EdgeMean):  # padding and cropping do not reach inner cells
            return here
        there = self.value(*source, _shifted(offset, node.axis, 1), channel)
        half = self.generators.one / 2
        return tuple((a + b) * half for a, b in zip(here, there, strict=False))

    def pointwise(
        self, node: Pointwise, port: int, inputs: Mapping[str, tuple[str, int]], offset: Offset, channel: int
    ) -> Series:
        values = {slot: self.value(p, q, offset, channel) for slot, (p, q) in inputs.items()}
        return self.compose(node.expressions[port], values)

    def smooth(self, symbol: sp.Symbol, offset: Offset) -> Series:
        """sum over multi-indices a of d^a f (offset eta)^a / a!, collected by |a|."""
        coefficients = []
        for k in range(self.length):
            total = self.generators.zero
            for index in multi_indices(self.dimension, k):
                jet = self.generators.jets[symbol, index]
                powers = [e**i * o**i for o, e, i in zip(offset, self.generators.eta, index, strict=True)]
                total += jet * prod(powers) / prod(map(factorial, index))
            coefficients.append(total)
        return tuple(coefficients)

    def correlate(
        self, bank: Bank, rows: Sequence[tuple[int, str, int]], offset: Offset, channel: int, sign: int
    ) -> Series:
        """sum over rows (r, producer, port) and differences of w/h^m sum_k weight_k value(offset +- k)."""
        parts: list[Series] = []
        for row, producer, port in rows:
            for weight, operation in bank.operations[row]:
                m = order_of(operation)
                below = prod(self.generators.eta[d.axis] ** d.stencil.derivative for d in factors(operation))
                places = _taps(operation, offset, sign)
                taps = [(self.value(producer, port, place, channel), w) for place, w in places]
                length = min(len(v) for v, _ in taps)
                scale = self.generators.expression(weight)
                part = []
                for k in range(length):
                    total = self.generators.zero
                    for series, w in taps:
                        total += series[k] * self.generators.number(w)
                    if k < m and total:
                        raise UndecidedError("a stencil does not annihilate constants")
                    if k >= m:
                        part.append(total.exquo(below) * scale)
                parts.append(tuple(part))
        return reduce(_add, parts)

    def compose(self, expression: sp.Expr, values: Mapping[str, Series]) -> Series:
        """The series of an expression in the slot symbols."""
        slots = {s for s in expression.free_symbols if s.name in values}
        if not slots:
            zero = self.generators.zero
            return (self.generators.expression(expression), *[zero] * (self.length - 1))
        if expression.is_Symbol:
            return values[expression.name]
        if expression.is_Add or expression.is_Mul:
            parts = [self.compose(a, values) for a in expression.args]
            return reduce(_add if expression.is_Add else self.multiply, parts)
        if expression.is_Pow and expression.exp.is_Integer and expression.exp.is_positive:
            return reduce(self.multiply, [self.compose(expression.base, values)] * int(expression.exp))
        name, inner = _unary(expression, slots)
        argument = self.compose(inner, values)
        zero = self.generators.zero
        change = (zero, *argument[1:])
        slopes = self.generators.function(name, argument[0])
        total: Series = (slopes[0], *[zero] * (len(argument) - 1))
        power: Series = (self.generators.one, *[zero] * (len(argument) - 1))
        for k in range(1, len(argument)):
            power = self.multiply(power, change)
            total = _add(total, tuple(c * slopes[k] / factorial(k) for c in power))
        return total

    def multiply(self, a: Series, b: Series) -> Series:
        n, zero = min(len(a), len(b)), self.generators.zero
        return tuple(
            sum((a[i] * b[k - i] for i in range(k + 1) if a[i] and b[k - i]), zero) for k in range(n)
        )


def _unary(expression: sp.Expr, slots: set[sp.Symbol]) -> tuple[sp.Lambda, sp.Expr]:
    """f and v with expression = f(v), v the only part that varies."""
    x = sp.Symbol("_argument", real=True)
    varying = [a for a in expression.args if isinstance(a, sp.Expr) and a.free_symbols & slots]
    plain = all(isinstance(a, sp.Expr) for a in expression.args)
    if plain and len(varying) == 1 and not isinstance(expression, sp.Min | sp.Max | sp.Piecewise):
        rest = [x if a == varying[0] else a for a in expression.args]
        return sp.Lambda(x, expression.func(*rest)), varying[0]
    if len(slots) == 1:  # smooth away from its breakpoints
        (slot,) = slots
        return sp.Lambda(x, expression.xreplace({slot: x})), slot
    written = str(expression)
    if len(written) > READABLE:
        arguments = ", ".join(sorted(map(str, expression.free_symbols)))
        written = (
            f"A {'function with branches' if expression.has(sp.Piecewise) else 'function'} of {arguments}"
        )
    raise UndecidedError(f"{written} is not known to be a smooth function of its arguments")


def order_of(operation: Operation) -> int:
    """How often an operation differentiates."""
    return sum(d.stencil.derivative for d in factors(operation))


def _taps(operation: Operation, offset: Offset, sign: int) -> list[tuple[Offset, sp.Rational]]:
    """The places that an operation at `offset` reads, and their weights for spacing 1."""
    found: list[tuple[Offset, sp.Rational]] = [(offset, sp.S.One)]
    for d in factors(operation):
        taps = list(zip(d.stencil.offsets, d.stencil.weights, strict=True))
        found = [(_shifted(place, d.axis, sign * k), v * w) for place, v in found for k, w in taps]
    return found


def _shifted(offset: Offset, axis: int, by: int) -> Offset:
    return tuple(o + by if i == axis else o for i, o in enumerate(offset))


def _add(a: Series, b: Series) -> Series:
    return tuple(x + y for x, y in zip(a, b, strict=False))
