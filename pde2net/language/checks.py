"""What an equation, and the things in it, must be: errors say what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.core.function import Application, AppliedUndef

from pde2net.errors import DeclarationError, EquationError, suggestion
from pde2net.language.assumptions import check_value
from pde2net.language.calculus import TIME_NAME
from pde2net.language.exact import at, exact, require_short
from pde2net.language.linear_operator import AdjointResponse, Response
from pde2net.language.smoothing import smooth
from pde2net.language.spline import SplineFlux
from pde2net.language.tensors import projection
from pde2net.language.traversal import atoms, nodes

FUNCTIONS = (
    *("exp", "log", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "erf"),
    *("Abs", "sign", "Min", "Max", "Piecewise"),
)


def checked_equations(equation: Any, channels: int) -> tuple[sp.Eq, ...]:
    """The equations, each for an unknown of its own that depends on the same space and time."""
    given = tuple(map(arranged, equation if isinstance(equation, list | tuple) else (equation,)))
    if not given:
        raise EquationError("A system has at least one equation sp.Eq(u.diff(t), right_hand_side).")
    unknowns = [_unknown(e) for e in given]
    for k, unknown in enumerate(unknowns):
        if unknown.args != unknowns[0].args:
            raise EquationError(
                f"The unknowns of a system depend on the same variables in the same order: {unknowns[0]} "
                f"and {unknown} do not."
            )
        if unknown.func in [u.func for u in unknowns[:k]]:
            raise EquationError(f"There are two equations for {unknown}; a system has one for each unknown.")
    if len(given) > 1 and channels not in (1, len(given)):
        raise DeclarationError(
            f"The channels of a system are its {len(given)} unknowns, not {channels}; leave channels out."
        )
    return given


def arranged(equation: Any) -> Any:
    """The same equation solved for u_t, which it has once and to the first power: 3 u_t - laplacian(u) = 0.

    Its factor is a number, or known to have a sign: a density rho(x) > 0. What is no such equation is
    returned as it is, and refused elsewhere.
    """
    if not isinstance(equation, sp.Eq) or not all(isinstance(side, sp.Expr) for side in equation.args):
        return equation
    found = {
        d
        for side in equation.args
        for d in atoms(side, sp.Derivative)
        if isinstance(d.expr, AppliedUndef) and [v.name for v in d.variables] == [TIME_NAME]
    }
    if len(found) != 1 or (equation.lhs in found and not equation.rhs.has(*found)):
        return equation
    (rate,) = found
    mark = sp.Dummy(real=True)
    whole = (equation.lhs - equation.rhs).xreplace({rate: mark})
    factor = sp.diff(whole, mark)
    if factor == 0 or factor.has(mark) or any(d.has(mark) for d in atoms(whole, sp.Derivative)):
        return equation
    if factor.has(rate.expr) or factor.has(sp.Derivative):
        raise EquationError(
            f"The factor {factor} of {rate} contains the unknown: divide by it if it is not 0."
        )
    if not (factor.is_positive or factor.is_negative):
        lead = f"The factor {factor} of {rate} may be 0: declare what is in it with a sign,"
        raise EquationError(f'{lead} as in sp.Function("rho", positive=True)(x, y).').spelt(
            f"{lead} field rho(x, y) > 0."
        )
    rest = whole.xreplace({mark: sp.S.Zero})
    return sp.Eq(rate, sp.Add(*(-term / factor for term in sp.Add.make_args(rest))), evaluate=False)


def _unknown(equation: Any) -> AppliedUndef:
    """The unknown u(x, ..., t) of `equation`, or an EquationError that says what is missing."""
    if equation in (sp.true, sp.false):
        raise EquationError(
            f"SymPy has evaluated the equation to {equation}: both sides must be scalars, and the left "
            "one u.diff(t)."
        )
    if not isinstance(equation, sp.Eq):
        raise EquationError(
            f"Problem takes an equation sp.Eq(u.diff(t), right_hand_side), not {equation!r}: "
            "wrap the right-hand side in sp.Eq."
        )
    lhs, rhs = equation.lhs, equation.rhs
    if not isinstance(lhs, sp.Derivative) or not isinstance(lhs.expr, AppliedUndef):
        raise EquationError(
            f"The left-hand side must be u.diff(t), the first derivative of the unknown in time, "
            f"not {lhs}. Solve the equation for it: sp.Eq(u.diff(t), ...). If u.diff(t) came out "
            "as 0, u is not a function of that symbol t."
        )
    unknown = lhs.expr
    if any(v.name != TIME_NAME or v not in unknown.args for v in lhs.variables):
        raise EquationError(
            f"The left-hand side {lhs} must be the derivative in time, a symbol named "
            f'"{TIME_NAME}"; the unknown {unknown} '
            + ("has it." if TIME_NAME in map(str, unknown.args) else f"is no function of {TIME_NAME}.")
        )
    if len(lhs.variables) != 1 or any(
        v in d.variables for d in atoms(rhs, sp.Derivative) for v in lhs.variables
    ):
        raise EquationError(
            f"Only equations of first order in time with no time derivative on the right are "
            f"diffusion equations; {equation.lhs} = {rhs} is not of that kind (wave-like "
            "equations are not covered)."
        )
    if not all(isinstance(a, sp.Symbol) for a in unknown.args) or len(set(unknown.args)) != len(unknown.args):
        raise EquationError(f"The arguments of the unknown {unknown} must be distinct symbols.")
    if not 2 <= len(unknown.args) <= 4:
        raise EquationError(
            f"The unknown {unknown} must have 1, 2 or 3 spatial arguments besides "
            f"{TIME_NAME}, not {len(unknown.args) - 1}."
        )
    return unknown


_PLAIN = (sp.Add, sp.Mul, sp.Pow, sp.Number, sp.NumberSymbol, sp.Symbol, sp.Derivative, Application)


def check_nodes(rhs: sp.Expr) -> None:
    """Refuse what is no real pointwise expression of derivatives: integrals, matrices, complex numbers."""
    if not isinstance(rhs, sp.Expr):
        raise EquationError(f"The right-hand side must be a scalar, not {rhs}.")
    require_short(rhs, "The right-hand side")
    for node in nodes(rhs):
        if node is sp.I:
            raise EquationError(f"The right-hand side is complex: {rhs}; diffusion equations are real.")
        if isinstance(node, sp.Piecewise):
            _check_pieces(node)
        if isinstance(node, sp.Function) and not isinstance(node, AppliedUndef | Response | AdjointResponse):
            _check_function(node)
        if isinstance(node, sp.Expr) and not isinstance(node, _PLAIN):
            raise EquationError(
                f"{node} is a {type(node).__name__}, which a right-hand side may not contain: it is "
                "made of derivatives, functions and arithmetic."
            )


def _check_function(node: sp.Function) -> None:
    name = type(node).__name__
    if isinstance(node, smooth | projection | SplineFlux):
        return
    if name in ("Heaviside", "DiracDelta", "im", "re", "conjugate", "arg"):
        lead = f"{node} comes from a derivative of Max, Min or Abs that was taken. Keep the divergence:"
        raise EquationError(
            f"{lead} div(g * grad(u)), or sp.Derivative(flux, x) instead of flux.diff(x)."
        ).spelt(f"{lead} div(g * grad u).")
    if name not in FUNCTIONS:
        raise EquationError(
            f"A network cannot evaluate the function {name} in {node}; rewrite it with arithmetic and "
            f"{', '.join(FUNCTIONS)}."
        )


def _check_pieces(node: sp.Piecewise) -> None:
    """Between pieces a network would have to make up a value."""
    if sp.Or(*(condition for _, condition in node.args)) != sp.true:
        raise EquationError(
            f"{node} has no value where none of its conditions holds; end it with (value, True)."
        )


def checked_values(symbols: tuple[sp.Symbol, ...], given: Mapping[Any, Any]) -> dict[sp.Symbol, sp.Expr]:
    known = {s.name: s for s in symbols}
    values: dict[sp.Symbol, sp.Expr] = {}
    for key, entry in given.items():
        name = str(key)
        if name not in known:
            raise DeclarationError(f'The equation has no parameter "{name}".{suggestion(name, known)}')
        symbol = known[name]
        if isinstance(key, sp.Symbol) and key != symbol:
            raise DeclarationError(
                f'The parameter "{name}" is declared with other assumptions than in the equation; '
                "use the same symbol object."
            )
        value = exact(entry, f"The parameter {name}")
        if value.free_symbols:
            raise DeclarationError(f"The value of the parameter {name} must be a number, not {value}.")
        check_value(symbol, value)
        values[symbol] = value
    return {s: values[s] for s in symbols if s in values}


def check_defined(rhs: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> None:
    """Refuse values of parameters at which the right-hand side is not defined, such as a = 1 in 1/(a - 1)."""
    found = at(rhs, values)
    if found.has(sp.nan, sp.zoo, sp.oo, -sp.oo, sp.I):
        given = ", ".join(f"{s} = {v}" for s, v in values.items() if s in rhs.free_symbols)
        raise EquationError(f"The right-hand side {rhs} has no real value at {given}.")
