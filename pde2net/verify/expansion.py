"""Taylor expansion of a network's step on smooth functions, in powers of the spacing.

Every value in the graph of one step is the value of a smooth function at a cell, so it has a series in
epsilon, where the spacings are epsilon eta_i. Nodes combine such series exactly: stencils shift them,
pointwise expressions compose them. Coefficients are polynomials in the derivatives of u and of known
fields at the cell, in eta, in parameters, and in derivatives f, f', f'', ... of the functions that
occur (1/s, exp(s), ...) at their arguments, which are kept as independent variables. A coefficient
that is the zero polynomial therefore vanishes for every smooth u.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from math import factorial
from typing import Any, TypeAlias

import sympy as sp
from sympy.polys.rings import ring

from pde2net.discretise.operators import Bank
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.network import Graph, node_of, sources
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    EdgeMean,
    Field,
    Input,
    Node,
    Pointwise,
    TransposedConvolution,
)
from pde2net.scheme.explicit import TAU
from pde2net.verify.ranges import UndecidedError

Offset = tuple[int, ...]
Polynomial: TypeAlias = Any  # sympy.polys.rings.PolyElement, which carries no types
Series = tuple[Polynomial, ...]

SPACING = "h"


class Expansion:
    """The series of A_h(u) = (step(u) - u)/tau at a cell, up to epsilon**order.

    `rate[k]` is the coefficient of epsilon**k: for k = 0 the right-hand side of the equation, then the
    errors of the space discretisation. `render` turns a coefficient into SymPy, with symbols u_xx for
    derivatives and `spacings` for eta. Raises UndecidedError for functions of several arguments that
    are not smooth (Min, Max).
    """

    def __init__(self, semi: Semidiscrete, step: Graph, order: int) -> None:
        self.semi, self.graph = semi, step
        self.dimension = len(semi.spacing)
        highest = max((d.stencil.derivative for b in semi.banks for r in b.rows for _, d in r), default=0)
        self.length = order + 2 * highest + 1
        self.generators = _Generators(semi, step, self.length)
        self.known: dict[tuple[str, int, Offset], Series] = {}
        (skip,) = [n for n in step if node_of(step, n).role == "skip"]
        whole = self.value(skip, 0, (0,) * self.dimension)
        tau = self.generators.of(TAU)
        self.rate = tuple(c.diff(tau) for c in whole[: order + 1])

    def render(self, coefficient: Polynomial) -> sp.Expr:
        """A coefficient as a SymPy expression."""
        return self.generators.render(coefficient)

    def value(self, name: str, port: int, offset: Offset) -> Series:
        key = (name, port, offset)
        if key not in self.known:
            self.known[key] = self.evaluate(name, node_of(self.graph, name), port, offset)
        return self.known[key]

    def evaluate(self, name: str, node: Node, port: int, offset: Offset) -> Series:
        inputs = sources(self.graph, name)
        if isinstance(node, Input | Field):
            return self.smooth(node.symbol, offset)
        if isinstance(node, Coordinate):
            start, eta = self.generators.of(node.symbol), self.generators.eta[node.axis]
            zero = self.generators.zero
            return (start, offset[node.axis] * eta, *[zero] * (self.length - 2))
        if isinstance(node, Pointwise):
            values = {slot: self.value(p, q, offset) for slot, (p, q) in inputs.items()}
            return self.compose(node.expressions[port], values)
        if isinstance(node, Convolution):
            return self.correlate(node.bank, [(port, *inputs["u"])], offset, 1)
        if isinstance(node, TransposedConvolution):
            rows = [(i, *inputs[f"p{i}"]) for i in range(len(node.bank.rows))]
            return self.correlate(node.bank, rows, offset, -1)
        (source,) = inputs.values()
        here = self.value(*source, offset)
        if not isinstance(node, EdgeMean):  # padding and cropping do not reach inner cells
            return here
        there = self.value(*source, _shifted(offset, node.axis, 1))
        half = self.generators.one / 2
        return tuple((a + b) * half for a, b in zip(here, there, strict=False))

    def smooth(self, symbol: sp.Symbol, offset: Offset) -> Series:
        """sum over multi-indices a of d^a f (offset eta)^a / a!, collected by |a|."""
        coefficients = []
        for k in range(self.length):
            total = self.generators.zero
            for index in multi_indices(self.dimension, k):
                jet = self.generators.jets[symbol, index]
                powers = [e**i * o**i for o, e, i in zip(offset, self.generators.eta, index, strict=True)]
                scale = reduce(lambda a, b: a * b, powers)
                total += jet * scale / reduce(lambda a, b: a * b, map(factorial, index))
            coefficients.append(total)
        return tuple(coefficients)

    def correlate(
        self, bank: Bank, rows: Sequence[tuple[int, str, int]], offset: Offset, sign: int
    ) -> Series:
        """sum over rows (r, producer, port) and differences of w/h^m sum_k weight_k value(offset +- k)."""
        parts: list[Series] = []
        for row, producer, port in rows:
            for weight, difference in bank.rows[row]:
                stencil, axis = difference.stencil, difference.axis
                m, eta = stencil.derivative, self.generators.eta[difference.axis]
                taps = [
                    (self.value(producer, port, _shifted(offset, axis, sign * k)), w)
                    for k, w in zip(stencil.offsets, stencil.weights, strict=True)
                ]
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
                        part.append(total.exquo(eta**m) * scale)
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


class _Generators:
    """The variables of the coefficients, and how each is written in SymPy."""

    def __init__(self, semi: Semidiscrete, step: Graph, length: int) -> None:
        form = semi.form
        self.length = length
        self.meaning: list[sp.Expr] = []
        dimension = len(semi.spacing)
        axes = [a.name for a in form.space]
        jets = [
            (f, index)
            for f in (form.state, *form.fields)
            for k in range(length)
            for index in multi_indices(dimension, k)
        ]
        plain = sorted({TAU, *form.space, *_parameters(semi, step)}, key=str)
        same = len(set(semi.spacing)) == 1
        names = [SPACING if same else f"{SPACING}_{a}" for a in axes]
        spacings = [
            s if s.is_Symbol else sp.Symbol(n, positive=True)
            for s, n in zip(semi.spacing, names, strict=True)
        ]
        distinct = list(dict.fromkeys(spacings))
        most = _most_functions(step)
        count = len(jets) + len(plain) + len(distinct) + most * length
        ground, *generators = ring([f"v{i}" for i in range(count)], sp.QQ)
        self.zero: Polynomial = ground.zero
        self.one: Polynomial = ground.one
        self.free = iter(generators)
        self.jets = {jet: self.named(jet_symbol(*jet, axes)) for jet in jets}
        self.plain = {s: self.named(s) for s in plain}
        widths = {s: self.named(s) for s in distinct}
        self.eta = [widths[s] for s in spacings]
        self.functions: dict[tuple[sp.Lambda, Polynomial], list[Polynomial]] = {}
        self.constants: dict[sp.Expr, Polynomial] = {}

    def named(self, meaning: sp.Expr) -> Polynomial:
        self.meaning.append(meaning)
        return next(self.free)

    def of(self, symbol: sp.Symbol) -> Polynomial:
        return self.plain[symbol]

    def number(self, value: sp.Rational) -> Polynomial:
        return self.one * sp.QQ(value.p, value.q)

    def expression(self, expression: sp.Expr) -> Polynomial:
        """An expression in parameters alone."""
        if expression.is_Rational:
            return self.number(expression)
        if expression.is_Symbol:
            return self.plain[expression]
        if expression.is_Add or expression.is_Mul:
            parts = [self.expression(a) for a in expression.args]
            return reduce(lambda a, b: a + b if expression.is_Add else a * b, parts)
        if expression.is_Pow and expression.exp.is_Integer and expression.exp.is_positive:
            return self.expression(expression.base) ** int(expression.exp)
        if expression not in self.constants:
            self.constants[expression] = self.named(expression)
        return self.constants[expression]

    def function(self, function: sp.Lambda, argument: Polynomial) -> list[Polynomial]:
        """The variables f, f', f'', ... of a function at its argument."""
        key = (function, argument)
        if key not in self.functions:
            (x,), at = function.variables, self.render(argument)
            self.functions[key] = [
                self.named(sp.diff(function.expr, x, k).subs(x, at)) for k in range(self.length)
            ]
        return self.functions[key]

    def render(self, coefficient: Polynomial) -> sp.Expr:
        terms = []
        for powers, number in coefficient.terms():
            factors = [self.meaning[i] ** e for i, e in enumerate(powers) if e]
            terms.append(sp.Mul(sp.Rational(str(number)), *factors))
        return sp.Add(*terms)


def jet_symbol(function: sp.Symbol, index: Sequence[int], axes: Sequence[str]) -> sp.Symbol:
    """The symbol of a derivative: u, u_x, u_xxy, ..."""
    if not any(index):
        return function
    letters = "".join(a * i for a, i in zip(axes, index, strict=True))
    return sp.Symbol(f"{function.name}_{letters}", real=True)


def multi_indices(dimension: int, degree: int) -> Iterator[tuple[int, ...]]:
    """All multi-indices of this degree."""
    yield from (i for i in itertools.product(range(degree + 1), repeat=dimension) if sum(i) == degree)


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
    raise UndecidedError(f"{expression} is not known to be a smooth function of its arguments")


def _parameters(semi: Semidiscrete, step: Graph) -> set[sp.Symbol]:
    found = set(semi.form.problem.symbols)
    for name in step:
        node = node_of(step, name)
        if isinstance(node, Convolution | TransposedConvolution):
            found |= {s for row in node.bank.rows for w, _ in row for s in w.free_symbols}
    return found


def _most_functions(step: Graph) -> int:
    """An upper bound of the number of functions and constants that may need variables of their own."""
    count = 0
    for name in step:
        node = node_of(step, name)
        if isinstance(node, Pointwise):
            count += sum(
                not (e.is_Add or e.is_Mul or e.is_Symbol or e.is_Rational)
                for body in node.expressions
                for e in sp.preorder_traversal(body)
                if isinstance(e, sp.Expr)
            )
        elif isinstance(node, Convolution | TransposedConvolution):
            count += sum(len(row) for row in node.bank.rows)
    return count


def _shifted(offset: Offset, axis: int, by: int) -> Offset:
    return tuple(o + by if i == axis else o for i, o in enumerate(offset))


def _add(a: Series, b: Series) -> Series:
    return tuple(x + y for x, y in zip(a, b, strict=False))
