"""Where a divergence form may contain the time t itself: in fluxes and in the reaction."""

from __future__ import annotations

import sympy as sp

from pde2net.errors import EquationError
from pde2net.language.exact import at
from pde2net.normalise.form import DivergenceForm


def require_apart(form: DivergenceForm) -> None:
    """Raises EquationError for t where arrays are computed once, or operators are constant.

    Those are factors in front of a divergence that vary in space, coefficients that mix t with known data,
    diffusion tensors, smoothing, and weights of second derivatives.
    """
    t = form.problem.time
    if not form.problem.depends_on_time:
        return
    for expression in moving(form):
        if at(expression, {t: sp.S.Zero}).has(sp.nan, sp.zoo, sp.oo, sp.S.NegativeInfinity):
            raise EquationError(f"{expression} has no value at {t} = 0, where every network starts.")
    for where, expression in _constant_in_time(form):
        if t in expression.free_symbols:
            raise EquationError(
                f"{where} {expression} depends on {t}; explicit time may stand in diffusivities of |grad u|, "
                "in factors c(t) of a divergence and in reactions, apart from position and known fields."
            )


def _constant_in_time(form: DivergenceForm) -> list[tuple[str, sp.Expr]]:
    found = [("The factor", term.prefactor) for term in form.terms]
    for term in form.terms:
        found += term.constant(form.data | {form.state})
    for smoothed in form.smoothed.values():
        found += [("The smoothed expression", smoothed.argument), ("The width", smoothed.sigma)]
    return found


def moving(form: DivergenceForm) -> list[sp.Expr]:
    """Expressions that may contain t."""
    return [form.reaction, *(flux for term in form.terms for flux in term.fluxes)]
