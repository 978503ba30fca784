"""Equations from energies."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import EquationError
from pde2net.language.calculus import TIME_NAME


def gradient_flow(density: sp.Expr, u: AppliedUndef) -> sp.Eq:
    """u_t = -dE/du for the energy E(u) = int density dx, with the divergences that it has.

    The variational derivative is sum_a (-1)^|a| D^a (d density/d(D^a u)) over the derivatives D^a u that
    occur (Gelfand, Fomin, Calculus of Variations, 1963, section 7). So int Psi(|grad u|^2)/2 dx gives
    u_t = div(Psi'(|grad u|^2) grad u), and beta (u - f)^2/2 the fidelity term beta (f - u).

    >>> import sympy as sp
    >>> x, t = sp.symbols("x t", real=True)
    >>> u = sp.Function("u")(x, t)
    >>> gradient_flow(u.diff(x) ** 2 / 2, u)
    Eq(Derivative(u(x, t), t), Derivative(u(x, t), (x, 2)))

    Raises EquationError if the density is no scalar, does not contain u, or differentiates in time.
    """
    time = _checked(density, u)
    derivatives = sorted((d for d in density.atoms(sp.Derivative) if d.expr == u), key=sp.default_sort_key)
    symbols = {d: sp.Dummy(f"u{k}", real=True) for k, d in enumerate(derivatives)}
    state = sp.Dummy("u", real=True)
    plain = density.xreplace(symbols).xreplace({u: state})
    back = {s: d for d, s in symbols.items()} | {state: u}
    terms = [-plain.diff(state).xreplace(back)]
    for derivative, symbol in symbols.items():
        part = sp.simplify(plain.diff(symbol)).xreplace(back)
        axes = [axis for axis, count in derivative.variable_count for _ in range(count)]
        if part != 0:
            terms.append((-1) ** (len(axes) + 1) * sp.Derivative(part, *axes))
    return sp.Eq(sp.Derivative(u, time), sp.Add(*terms), evaluate=False)


def _checked(density: Any, u: Any) -> sp.Symbol:
    """The time on which u depends."""
    if not isinstance(u, AppliedUndef):
        raise EquationError(f"gradient_flow takes the unknown, sp.Function('u')(x, y, t), not {u}.")
    time = next((a for a in u.args if getattr(a, "name", None) == TIME_NAME), None)
    if time is None:
        raise EquationError(f"The unknown {u} does not depend on {TIME_NAME}, so it cannot flow.")
    if not isinstance(density, sp.Expr):
        raise EquationError(f"The density of an energy is a scalar, not {density}; take norm2 of a vector.")
    if not density.has(u):
        raise EquationError(f"The density {density} does not contain {u}.")
    if any(time in d.variables for d in density.atoms(sp.Derivative)):
        raise EquationError(
            f"The density {density} contains a derivative in time; energies are of space alone."
        )
    if not all(isinstance(d.expr, AppliedUndef) for d in density.atoms(sp.Derivative)):
        raise EquationError(
            f"The density {density} contains derivatives of expressions; apply .doit() to it first."
        )
    return time
