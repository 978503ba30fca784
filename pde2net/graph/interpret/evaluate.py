"""The nodes of a graph evaluated in NumPy float64, in exact rationals and in wide floating point."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import numpy as np
import sympy as sp

from pde2net.discretise import filters as banks
from pde2net.discretise.arrays import Array, Extension, along, extend, take
from pde2net.discretise.operators import Bank
from pde2net.errors import EmissionError
from pde2net.graph.interpret.solve import solve_tridiagonal
from pde2net.graph.network import Graph, in_order, node_of, sources
from pde2net.graph.nodes import (
    CHANNEL_SUM,
    Channel,
    Channels,
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Field,
    Filter,
    Gaussian,
    Input,
    Node,
    Output,
    Pad,
    Pointwise,
    Spline,
    SquaredAdjoint,
    TransposedConvolution,
    TransposedFilter,
    Tridiagonal,
    Weights,
)
from pde2net.graph.overflow import accurate
from pde2net.language.borders import BORDERS, closing

Feeds = Mapping[str, tuple[str, int]]
Computed = dict[str, tuple[Array, ...]]
LARGEST = 1e300
ENTRIES = 10_000  # of arrays, that take about as long as the call of one node


@dataclass(frozen=True)
class Arithmetic:
    """How numbers and pointwise expressions are evaluated."""

    number: Callable[[sp.Expr], Any]
    function: Callable[[Sequence[sp.Symbol], sp.Expr], Callable[..., Any]]
    dtype: type


def _projection(a: Array, b: Array, square: Array) -> Array:
    empty = square < np.finfo(float).tiny
    return np.where(empty, 0.0, a * b / np.where(empty, 1.0, square))


def _float_function(symbols: Sequence[sp.Symbol], expression: sp.Expr) -> Callable[..., Any]:
    own = {"erf": np.vectorize(math.erf, otypes=[float]), "projection": _projection}
    modules = [own, "numpy"]
    function: Callable[..., Any] = sp.lambdify(symbols, accurate(expression), modules)
    return function


def _exact_function(symbols: Sequence[sp.Symbol], expression: sp.Expr) -> Callable[..., Any]:
    def at(*values: sp.Expr) -> sp.Expr:
        return expression.xreplace(dict(zip(symbols, values, strict=True)))

    return np.frompyfunc(at, len(symbols), 1) if symbols else lambda: expression


def _bounded(name: str) -> Callable[[Any], Any]:
    """A function of mpmath, which takes as many digits as the exponent of a number: of exp(1e12), 10^12."""
    function = getattr(mpmath, name)

    def of(x: Any) -> Any:
        if abs(x) > LARGEST:
            raise OverflowError(f"{name} of a number beyond {LARGEST}")
        return function(x)

    return of


_BOUNDED = {name: _bounded(name) for name in ("exp", "sinh", "cosh", "sin", "cos", "tan")}


def _wide_number(value: Any) -> Any:
    return mpmath.mpf(sp.N(value, 20))


def _wide_function(symbols: Sequence[sp.Symbol], expression: sp.Expr) -> Callable[..., Any]:
    function = sp.lambdify(symbols, expression, [{"projection": _wide_projection, **_BOUNDED}, "mpmath"])
    found: Callable[..., Any] = np.frompyfunc(function, len(symbols), 1) if symbols else function
    return found


def _wide_projection(a: Any, b: Any, square: Any) -> Any:
    return a * b / square if square else square


# Numbers of NumPy divide by 0 as arrays do.
FLOAT = Arithmetic(lambda value: np.float64(float(value)), _float_function, np.float64)
EXACT = Arithmetic(sp.sympify, _exact_function, object)
# Overflows nowhere; for stacks only, and slow.
WIDE = Arithmetic(_wide_number, _wide_function, object)


class Evaluator(ABC):
    """Evaluates nodes of one graph; see graph.interpret.Interpreter."""

    u0: Array
    shape: tuple[int, ...]

    def __init__(
        self,
        graph: Graph,
        values: Mapping[sp.Symbol, sp.Expr] | None = None,
        arithmetic: Arithmetic = FLOAT,
        filters: Mapping[str, Any] | None = None,
    ) -> None:
        self.graph, self.arithmetic = graph, arithmetic
        self.dimension: int = graph.graph["dimension"]
        self.channels: int = graph.graph["channels"]
        known = {**graph.graph["values"], **(values or {})}
        # The value of one may be an expression in others: alpha of Du Fort-Frankel, say.
        self.values = {symbol: sp.sympify(value).xreplace(known) for symbol, value in known.items()}
        self.plan = [(name, node_of(graph, name), sources(graph, name)) for name in in_order(graph)]
        self.sources = {name: inputs for name, _, inputs in self.plan}
        self.loops: dict[str, str | None] = {name: self.graph.nodes[name]["loop"] for name in self.graph}
        self.bodies: dict[str, list[tuple[str, Node, Feeds]]] = {}
        for entry in self.plan:
            loop = self.loops[entry[0]]
            if loop is not None:
                self.bodies.setdefault(loop, []).append(entry)
        self.compiled: dict[tuple[sp.Expr, tuple[str, ...]], Callable[..., Any]] = {}
        self.numbers: dict[sp.Expr, Any] = {}
        self.scales: dict[Bank, list[list[Any]]] = {}
        self.filters = {name: self.array(weights) for name, weights in (filters or {}).items()}
        self.fields: dict[str, Array] = {}
        self.work = 0.0
        self.scope: dict[sp.Symbol, sp.Expr] = {}  # the weights of the passes that are evaluated

    @abstractmethod
    def step(self, name: str, node: Node, inputs: Feeds, computed: Computed) -> tuple[Array, ...]:
        """The outputs of one node; a loop evaluates its body again and again."""

    def once(
        self,
        loop: str,
        variables: Mapping[type[Node], Array],
        computed: Computed,
        needed: Set[str] | None = None,
    ) -> Computed:
        """What a pass through the body of a loop adds to `computed`: all nodes, or those that are needed."""
        found = dict(computed)
        for name, node, inputs in self.bodies[loop]:
            if type(node) in variables:
                found[name] = (variables[type(node)],)
            elif needed is None or name in needed:
                found[name] = self.step(name, node, inputs, found)
        return found

    def array(self, values: Any) -> Array:
        if self.arithmetic.dtype is object:
            found: Array = np.frompyfunc(self.arithmetic.number, 1, 1)(np.asarray(values, dtype=object))
            return found.astype(object)
        return np.asarray(values, dtype=np.float64)

    def number(self, expression: sp.Expr) -> Any:
        if expression in self.numbers:
            return self.numbers[expression]
        value = expression.subs(self.values)
        if value.free_symbols:
            names = ", ".join(sorted(map(str, value.free_symbols)))
            raise EmissionError(f"{expression} cannot be evaluated: {names} has no value.")
        self.numbers[expression] = self.arithmetic.number(value)
        return self.numbers[expression]

    def weighted(self, expression: sp.Expr, weights: Weights) -> Any:
        """The number of a constant that may contain weights of its block."""
        return self.number(expression.xreplace({s: self.value(v) for s, v in weights}))

    def value(self, weight: sp.Expr) -> sp.Expr:
        """The value of a weight, which may be that of the pass."""
        return weight.xreplace(self.scope)

    def evaluate(self, node: Node, inputs: Mapping[str, Array]) -> tuple[Array, ...]:
        self.work += 1 + sum(array.size for array in inputs.values()) / ENTRIES
        if isinstance(node, Input):
            return (self.u0,)
        if isinstance(node, Field):
            return (self.fields[node.symbol.name],)
        if isinstance(node, Coordinate):
            return (self.coordinate(node),)
        if isinstance(node, Pointwise):
            found = tuple(self.pointwise(e, inputs, node.weights) for e in node.expressions)
            if node.role == CHANNEL_SUM and self.channels > 1:
                return tuple(np.sum(array, axis=self.dimension, keepdims=True) for array in found)
            return found
        if isinstance(node, TransposedConvolution):
            return (self.adjoint(node.bank, [inputs[f"p{i}"] for i in range(len(inputs))]),)
        if isinstance(node, Filter | TransposedFilter):
            return (self.filtered(node, *inputs.values()),)
        if isinstance(node, Spline):
            return (self.spline(node, inputs["q"]),)
        if isinstance(node, SquaredAdjoint):
            return (
                self.adjoint(node.bank, self.rows(node, inputs, self.widened(node.margin)), squared=True),
            )
        if isinstance(node, Tridiagonal):
            self.work += inputs["rhs"].shape[node.axis]
            own = {key: self.weighted(getattr(node, key), node.weights) for key in ("g", "d", "m")}
            values = {key: inputs.get(key, constant) for key, constant in own.items()}
            return (solve_tridiagonal(node, self.number(node.scale), values, inputs["rhs"]),)
        if isinstance(node, Channels):
            parts = [inputs[f"c{i}"] for i in range(node.count)]
            most = max(p.shape[-1] for p in parts)
            parts = [np.broadcast_to(p, (*p.shape[:-1], most)) for p in parts]
            return (np.concatenate(parts, axis=self.dimension),)
        (array,) = inputs.values()
        if isinstance(node, Channel):
            return (take(array, self.dimension, node.index, node.index + 1),)
        if isinstance(node, Convolution):
            return tuple(self.analysis(node.bank, array))
        if isinstance(node, Gaussian):
            return (self.gaussian(node, array),)
        if isinstance(node, EdgeMean):
            n, border = array.shape[node.axis], closing(node.closure)
            kind = Extension(border.wraps, border.factor)
            right = take(extend(array, node.axis, 0, 1, kind), node.axis, 1, n + 1)
            return ((array + right) * self.number(sp.Rational(1, 2)),)
        if isinstance(node, Pad):
            pad = [*((w, w) for w in node.margin), *((0, 0) for _ in array.shape[len(node.margin) :])]
            if node.mode == "zero":
                return (np.pad(array, pad, constant_values=self.number(sp.S.Zero)),)
            return (np.pad(array, pad, mode="edge"),)
        if isinstance(node, Crop):
            return (array[tuple(slice(w, n - w) for w, n in zip(node.margin, array.shape, strict=False))],)
        if isinstance(node, Output):
            return (array,)
        raise EmissionError(f"The interpreter does not know what {type(node).__name__} computes.")

    def filtered(self, node: Filter | TransposedFilter, array: Array) -> Array:
        """K u or K^T p of a learned operator; u of one channel has no axis for it."""
        weights = self.learned(node.operator)
        weights = banks.shaped(weights, node.parity, node.inner, node.zero_mean)
        several = array.ndim > self.dimension + 1
        array = np.moveaxis(array, -1, -2) if several else array[..., None]
        root = math.sqrt(node.scale**self.dimension)
        if isinstance(node, TransposedFilter):
            found = banks.adjoint(weights, array, node.boundary, node.inner)
            found = banks.spread(found, self.dimension, node.scale) / root
            one = node.channels == 1 and self.channels == 1
            return found[..., 0] if one else np.moveaxis(found, -1, -2)
        array = banks.summed(array, self.dimension, node.scale) / root
        return np.moveaxis(banks.response(weights, array, node.boundary, node.inner), -1, -2)

    def learned(self, name: str) -> Array:
        """The weights of an operator, or the slopes of a spline."""
        if name not in self.filters:
            raise EmissionError(f"{name} cannot be evaluated: it has no weights.")
        return self.filters[name]

    def spline(self, node: Spline, q: Array) -> Array:
        """phi(q), or phi(q)/q, with a row of slopes for each channel or one for all."""
        slopes, h = self.learned(node.name), self.number(node.width)
        one, rows = node.rows == 1, [slopes[:, j] for j in range(node.pieces + 1)]
        columns = [row[0] if one else row[:, None] for row in rows]
        size, last, total = abs(q), node.pieces * h, 0 * q
        for j, slope in enumerate(columns[:-1]):
            total = total + slope * np.clip(size - j * h, 0, h)
        total = total + columns[-1] * np.maximum(size - last, 0)
        if not node.quotient:
            return np.asarray(np.where(q < 0, -total, total))
        inside = size < h
        return np.asarray(np.where(inside, columns[0] + 0 * q, total / np.where(inside, h, size)))

    def pointwise(
        self,
        expression: sp.Expr,
        inputs: Mapping[str, Array],
        weights: Weights = (),
    ) -> Array:
        key = (expression, tuple(inputs))
        if key not in self.compiled:
            by_name = {s.name: s for s in expression.free_symbols}
            symbols = [by_name.get(slot, sp.Dummy(slot)) for slot in inputs]
            symbols += [s for s, _ in weights]
            symbols += self.columns(expression, inputs, weights)
            rest = {s: v for s, v in self.values.items() if s in expression.free_symbols and s not in symbols}
            bound = expression.xreplace(rest)
            free = bound.free_symbols - set(symbols)
            if free:
                names = ", ".join(sorted(map(str, free)))
                raise EmissionError(f"{expression} cannot be evaluated: {names} has no value.")
            self.compiled[key] = self.arithmetic.function(symbols, bound)
        columns = (self.filters[s.name][:, None] for s in self.columns(expression, inputs, weights))
        numbers = (self.number(self.value(v)) for _, v in weights)
        value = self.compiled[key](*inputs.values(), *numbers, *columns)
        shape = np.broadcast_shapes(*(a.shape for a in inputs.values()), self.shape if not inputs else ())
        found: Array = np.asarray(value, dtype=self.arithmetic.dtype)
        return found if found.shape == shape else np.broadcast_to(found, shape)

    def columns(self, expression: sp.Expr, slots: Iterable[str], weights: Weights) -> list[sp.Symbol]:
        """The symbols in an expression that have a value per filter; no slots and no weights."""
        taken = {*slots, *(s.name for s, _ in weights)}
        found = (s for s in expression.free_symbols if s.name in self.filters and s.name not in taken)
        return sorted(found, key=lambda s: s.name)

    def coordinate(self, node: Coordinate) -> Array:
        n, m = self.shape[node.axis], node.margin[node.axis]
        line = self.array([self.number(node.origin + i * node.spacing) for i in range(-m, n + m)])
        full = self.widened(node.margin)
        shape = [1] * len(full)
        shape[node.axis] = n + 2 * m
        return np.broadcast_to(line.reshape(shape), full)

    def gaussian(self, node: Gaussian, array: Array) -> Array:
        """Smoothing along one axis after the other."""
        for axis, (h, kind) in enumerate(zip(node.spacing, node.boundary, strict=True)):
            width, n = node.sigma / h, array.shape[axis]
            radius = int(4 * self.number(width) + 0.5)
            self.work += 2 * radius * (1 + array.size / ENTRIES)
            one_sided = [self.number(sp.exp(-(k**2) / (2 * width**2))) for k in range(radius + 1)]
            weights: Array = np.array([*one_sided[:0:-1], *one_sided], dtype=self.arithmetic.dtype)
            weights = weights / weights.sum()
            index, border = np.arange(-radius, n + radius), BORDERS[kind]
            factors = border.factor ** np.abs(index // n)  # beyond the grid more than once
            index = index % (n if border.wraps else 2 * n)
            wide = np.moveaxis(array, axis, 0)[np.where(index < n, index, 2 * n - 1 - index)]
            wide[factors == 0] = self.number(sp.S.Zero)
            wide = wide if border.factor in (0, 1) else wide * along(factors, 0, wide.ndim)
            lines = [weights[k] * wide[k : k + n] for k in range(2 * radius + 1)]
            array = np.moveaxis(sum(lines[1:], lines[0]), 0, axis)
        return array

    def widened(self, margin: Sequence[int]) -> list[int]:
        """The shape of an array of one channel, with `margin[i]` more cells on both sides of axis i."""
        wider = [s + 2 * w for s, w in zip(self.shape, margin, strict=False)]
        return [*wider, *self.shape[len(margin) :]]

    def rows(self, node: SquaredAdjoint, inputs: Mapping[str, Array], full: Sequence[int]) -> list[Array]:
        """The weights of all rows of a bank, as arrays."""
        constants = [self.weighted(c, node.weights) for c in node.constants]
        return [inputs.get(f"p{i}", np.full(full, c)) for i, c in enumerate(constants)]

    def analysis(self, bank: Bank, array: Array) -> list[Array]:
        rows = []
        for row, scales in zip(bank.operations, self.scales_of(bank), strict=True):
            parts = [d.apply(array, c) for (_, d), c in zip(row, scales, strict=True)]
            rows.append(sum(parts[1:], parts[0]))
        return rows

    def adjoint(self, bank: Bank, arrays: Sequence[Array], squared: bool = False) -> Array:
        """The transpose of a bank, or that with squared weights."""
        parts = [
            (d.apply_squared_adjoint if squared else d.apply_adjoint)(array, c)
            for row, scales, array in zip(bank.operations, self.scales_of(bank), arrays, strict=True)
            for (_, d), c in zip(row, scales, strict=True)
        ]
        return sum(parts[1:], parts[0])

    def scales_of(self, bank: Bank) -> list[list[Any]]:
        """The weights of a bank, with the powers of the spacing, as numbers."""
        if bank not in self.scales:
            self.scales[bank] = [[self.number(w * d.scale) for w, d in row] for row in bank.operations]
        return self.scales[bank]
