"""Plain symbols for the functions and derivatives of one equation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import EquationError
from pde2net.language.assumptions import OF_FIELDS, assumed
from pde2net.language.bounds import Interval, sign
from pde2net.language.problem import Problem
from pde2net.language.smoothing import smooth
from pde2net.normalise.form import Smoothed


class Symbols:
    """The replacement of u, its derivatives and the known fields by symbols of readable names.

    u(x, y, t) -> u; its derivatives -> u_x, u_y and u_xx, u_yy; a known field f(x, y) -> f and its
    derivatives -> f_x, f_y. `curvature` stands for D u in second-order terms.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        name = str(problem.unknown.func)
        self.state = sp.Symbol(name, real=True)
        self.slopes = tuple(sp.Symbol(f"{name}_{a}", real=True) for a in problem.space)
        self.seconds = tuple(sp.Symbol(f"{name}_{a}{a}", real=True) for a in problem.space)
        self.mixed = {
            (i, j): sp.Symbol(f"{name}_{a}{b}", real=True)
            for (i, a), (j, b) in itertools.combinations(enumerate(problem.space), 2)
        }
        self.curvature = sp.Symbol(f"D_{name}", real=True)
        self.by_field = {f: field_symbol(f, problem.interval(f)) for f in problem.equation_fields}
        self.fields = tuple(self.by_field.values())
        self.field_slopes: dict[sp.Symbol, tuple[sp.Symbol, int]] = {}
        self.smoothed: dict[sp.Symbol, Smoothed] = {}
        self.by_smoothing: dict[sp.Expr, sp.Symbol] = {}

    @property
    def data(self) -> set[sp.Symbol]:
        return {*self.problem.space, *self.fields, *self.smoothed, *self.field_slopes}

    def has_second(self, expression: sp.Expr) -> bool:
        return bool(expression.free_symbols & self.of_order_two)

    @property
    def of_order_two(self) -> set[sp.Symbol]:
        """The symbols of all second derivatives."""
        return {*self.seconds, *self.mixed.values()}

    def replace(self, expression: sp.Expr, what: str) -> sp.Expr:
        """`expression` in symbols; EquationError for derivatives that have none."""
        table: dict[sp.Expr, sp.Expr] = {}
        for node in outermost(expression):
            is_slope = isinstance(node, sp.Derivative)
            table[node] = self.of_derivative(node, what) if is_slope else self.of_smoothing(node, what)
        replaced = expression.xreplace(table)
        return replaced.xreplace({self.problem.unknown: self.state, **self.by_field})

    def of_derivative(self, derivative: sp.Derivative, what: str) -> sp.Symbol:
        space = self.problem.space
        counts = derivative.variable_count
        axis = space.index(counts[0][0]) if counts[0][0] in space else -1
        order = int(counts[0][1])
        if derivative.expr == self.problem.unknown and len(counts) == 1 and axis >= 0 and order <= 2:
            return (self.slopes if order == 1 else self.seconds)[axis]
        if derivative.expr == self.problem.unknown and all(n == 1 and a in space for a, n in counts):
            pair = tuple(sorted(space.index(a) for a, _ in counts))
            if pair in self.mixed:
                return self.mixed[pair]
        inner = self.by_field.get(derivative.expr)
        if isinstance(derivative.expr, smooth):
            inner = self.of_smoothing(derivative.expr, what)
        if inner is not None and derivative.derivative_count == 1:
            field = inner
            symbol = sp.Symbol(f"{field.name}_{space[axis]}", real=True)
            self.field_slopes[symbol] = (field, axis)
            return symbol
        raise EquationError(
            f"{what} contains {derivative}: inside a divergence only the first and second "
            "derivatives of the unknown and the first derivatives of known fields are understood."
        )

    def of_smoothing(self, node: smooth, what: str) -> sp.Symbol:
        """The symbol of a smoothed expression, which may contain others; u_sigma2 if u_sigma is taken."""
        if node not in self.by_smoothing:
            argument = self.replace(node.args[0], what)
            if self.has_second(argument):
                raise EquationError(f"{node} smooths second derivatives; only u and first ones are smoothed.")
            base = self.name_of_smoothed(argument)
            taken = {s.name for s in (*self.problem.symbols, *self.data)}
            name, number = base, 1
            while name in taken:
                number += 1
                name = f"{base}{number}"
            symbol = sp.Symbol(name, real=True)
            self.smoothed[symbol] = Smoothed(argument, node.args[1])
            self.by_smoothing[node] = symbol
        return self.by_smoothing[node]

    def name_of_smoothed(self, argument: sp.Expr) -> str:
        """u_sigma for the state, f_sigma for a known field, J_xy for u_x u_y, J for other expressions."""
        if argument.is_Symbol:
            return f"{argument}_sigma"
        axes = {s: str(self.problem.space[i]) for s, (_, i) in self.field_slopes.items()}
        axes |= {s: str(a) for s, a in zip(self.slopes, self.problem.space, strict=True)}
        factors = argument.args if argument.is_Mul else (argument.args[0],) * 2 if argument.is_Pow else ()
        square = argument.is_Mul or (argument.is_Pow and argument.args[1] == 2)
        product = square and len(factors) == 2 and all(f in axes for f in factors)
        return "J_" + "".join(sorted(axes[f] for f in factors)) if product else "J"

    def pointwise(self, expression: sp.Expr, what: str) -> sp.Expr:
        """`expression` in symbols; it may not contain derivatives of the unknown."""
        replaced = self.replace(expression, what)
        if replaced.free_symbols & {*self.slopes, *self.of_order_two}:
            raise EquationError(f"{what} contains derivatives of the unknown outside of a divergence.")
        if replaced.free_symbols & set(self.smoothed):
            raise EquationError(f"{what} contains a smoothed expression; only diffusivities may.")
        return replaced


def outermost(expression: sp.Expr) -> Iterator[sp.Derivative | smooth]:
    """Derivatives and smoothed expressions that stand in no other."""
    if isinstance(expression, sp.Derivative | smooth):
        yield expression
    else:
        for argument in expression.args:
            yield from outermost(argument)


def field_symbol(function: AppliedUndef, interval: Interval) -> sp.Symbol:
    """The symbol of a known field, with the sign that its function, or its bounds, were declared with."""
    return sp.Symbol(str(function.func), **(assumed(function, OF_FIELDS) | sign(interval) | {"real": True}))
