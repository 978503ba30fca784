"""Plain symbols for the functions and derivatives of one equation."""

from __future__ import annotations

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import EquationError
from pde2net.language.problem import Problem


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
        self.curvature = sp.Symbol(f"D_{name}", real=True)
        self.by_field = {f: field_symbol(f) for f in problem.fields}
        self.fields = tuple(self.by_field.values())
        self.field_slopes: dict[sp.Symbol, tuple[sp.Symbol, int]] = {}

    @property
    def data(self) -> set[sp.Symbol]:
        return {*self.problem.space, *self.fields, *self.field_slopes}

    def has_second(self, expression: sp.Expr) -> bool:
        return bool(expression.free_symbols & set(self.seconds))

    def replace(self, expression: sp.Expr, what: str) -> sp.Expr:
        """`expression` in symbols; EquationError for derivatives that have none."""
        table: dict[sp.Expr, sp.Expr] = {}
        for derivative in expression.atoms(sp.Derivative):
            table[derivative] = self.of_derivative(derivative, what)
        replaced = expression.xreplace(table)
        return replaced.xreplace({self.problem.unknown: self.state, **self.by_field})

    def of_derivative(self, derivative: sp.Derivative, what: str) -> sp.Symbol:
        space = self.problem.space
        counts = derivative.variable_count
        axis = space.index(counts[0][0]) if counts[0][0] in space else -1
        order = int(counts[0][1])
        if derivative.expr == self.problem.unknown and len(counts) == 1 and axis >= 0 and order <= 2:
            return (self.slopes if order == 1 else self.seconds)[axis]
        if derivative.expr in self.by_field and derivative.derivative_count == 1:
            field = self.by_field[derivative.expr]
            symbol = sp.Symbol(f"{field.name}_{space[axis]}", real=True)
            self.field_slopes[symbol] = (field, axis)
            return symbol
        raise EquationError(
            f"{what} contains {derivative}: inside a divergence only the first or pure second "
            "derivatives of the unknown and the first derivatives of known fields are understood."
        )

    def pointwise(self, expression: sp.Expr, what: str) -> sp.Expr:
        """`expression` in symbols; it may not contain derivatives of the unknown."""
        replaced = self.replace(expression, what)
        if replaced.free_symbols & {*self.slopes, *self.seconds}:
            raise EquationError(f"{what} contains derivatives of the unknown outside of a divergence.")
        return replaced


def field_symbol(function: AppliedUndef) -> sp.Symbol:
    """The symbol of a known field, with the sign assumptions that its function was declared with."""
    known = {
        kind: True
        for kind in ("positive", "nonnegative", "negative", "nonpositive")
        if getattr(function, f"is_{kind}")
    }
    return sp.Symbol(str(function.func), real=True, **known)
