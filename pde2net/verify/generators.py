"""The polynomial ring in which a network's step is expanded, and what each of its variables stands for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, TypeAlias

import sympy as sp
from sympy.polys.rings import ring

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import Convolution, Pointwise, TransposedConvolution
from pde2net.scheme.stack import TAU

Polynomial: TypeAlias = Any  # sympy.polys.rings.PolyElement, which carries no types

SPACING = "h"


class Generators:
    """The variables of the coefficients, and how each is written in SymPy."""

    def __init__(self, semi: Semidiscrete, step: Graph, length: int) -> None:
        form = semi.form
        self.length = length
        self.meaning: list[sp.Expr] = []
        dimension = len(semi.spacing)
        axes = [a.name for a in form.space]
        jets = [
            (f, index)
            for f in functions(semi)
            for k in range(length)
            for index in multi_indices(dimension, k)
        ]
        plain = sorted({TAU, form.problem.time, *form.space, *_parameters(semi, step)}, key=str)
        widths_of = spacings(semi)
        distinct = list(dict.fromkeys(widths_of))
        most = _most_functions(step)
        count = len(jets) + len(plain) + len(distinct) + most * length
        ground, *generators = ring([f"v{i}" for i in range(count)], sp.QQ)
        self.zero: Polynomial = ground.zero
        self.one: Polynomial = ground.one
        self.free = iter(generators)
        self.jets = {jet: self.named(jet_symbol(*jet, axes)) for jet in jets}
        self.plain = {s: self.named(s) for s in plain}
        widths = {s: self.named(s) for s in distinct}
        self.eta = [widths[s] for s in widths_of]
        self.functions: dict[tuple[sp.Lambda, Polynomial], list[Polynomial]] = {}
        self.constants: dict[sp.Expr, Polynomial] = {}

    def named(self, meaning: sp.Expr) -> Polynomial:
        self.meaning.append(meaning)
        return next(self.free)

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


def functions(semi: Semidiscrete) -> list[sp.Symbol]:
    """The smooth functions: u and the fields, of each channel."""
    every = (semi.form.state, *semi.form.fields)
    return [of_channel(semi, f, k) for f in every for k in range(semi.form.problem.channels)]


def spacings(semi: Semidiscrete) -> list[sp.Symbol]:
    """The symbol of each spacing: its own, h, or h_x where they differ."""
    same = len(set(semi.spacing)) == 1
    return [
        h if h.is_Symbol else sp.Symbol(SPACING if same else f"{SPACING}_{axis}", positive=True)
        for axis, h in zip(semi.form.space, semi.spacing, strict=True)
    ]


def of_channel(semi: Semidiscrete, function: sp.Symbol, channel: int) -> sp.Symbol:
    """The symbol of one channel: u1, u2, ... where there are several."""
    one = semi.form.problem.channels == 1
    return function if one else sp.Symbol(f"{function.name}{channel + 1}", real=True)


def jet_symbol(function: sp.Symbol, index: Sequence[int], axes: Sequence[str]) -> sp.Symbol:
    """The symbol of a derivative: u, u_x, u_xxy, ..."""
    if not any(index):
        return function
    letters = "".join(a * i for a, i in zip(axes, index, strict=True))
    return sp.Symbol(f"{function.name}_{letters}", real=True)


def multi_indices(dimension: int, degree: int) -> Iterator[tuple[int, ...]]:
    """All multi-indices of this degree."""
    yield from (i for i in itertools.product(range(degree + 1), repeat=dimension) if sum(i) == degree)


def _parameters(semi: Semidiscrete, step: Graph) -> set[sp.Symbol]:
    found = set(semi.form.problem.symbols)
    for name in step:
        node = node_of(step, name)
        if isinstance(node, Convolution | TransposedConvolution):
            found |= {s for row in node.bank.operations for w, _ in row for s in w.free_symbols}
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
            count += sum(len(row) for row in node.bank.operations)
    return count
