"""The energy of which an equation is the gradient flow."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from pde2net.deadline import within
from pde2net.errors import EquationError
from pde2net.language.energy import gradient_flow
from pde2net.language.problem import Problem
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.recognise import recognise
from pde2net.normalise.recover import is_zero
from pde2net.normalise.terms import primitive

SECONDS = 10.0


def energy_of(problem: Problem) -> sp.Expr | None:
    """That of a problem; None for systems and for coefficients that contain t.

    Raises EquationError if the equation is no diffusion PDE.
    """
    ends = (end for pair in problem.sides.values() for end in pair if end is not None)
    if len(problem.equations) > 1 or problem.depends_on_time or any(end.b != 0 for end in ends):
        return None  # of what flows across a side, E has a part on the border
    return energy_density(recognise(problem))


def energy_density(form: DivergenceForm) -> sp.Expr | None:
    """W with u_t = -dE/du, E(u) = int W dx, or None if there is none of this form.

    A radial flux g(|p|²) p contributes 1/2 int_0^{|p|²} g, one of a single slope int_0^p Phi, a term of
    second order int_0^q Phi, the reaction -int_0^u r. The result is proved: its gradient flow is the
    equation. Coefficients of u and varying prefactors have no such energy.
    """
    try:
        return within(SECONDS, "the energy", lambda: _proved(form), EquationError)
    except (EquationError, NotImplementedError):
        return None


def _proved(form: DivergenceForm) -> sp.Expr | None:
    parts = list(_parts(form))
    if any(part is None or part.has(sp.nan, sp.zoo, sp.Integral) for part in parts):
        return None
    density = _functions(form, sp.Add(*parts))
    u = form.problem.unknown
    if not density.has(u):
        return None
    flow = gradient_flow(density, u)
    return density if is_zero((flow.rhs - form.problem.rhs).doit()) else None


def _parts(form: DivergenceForm) -> Iterator[sp.Expr | None]:
    moving = {form.state, *form.data}
    for term in form.terms:
        if term.prefactor.free_symbols & moving:
            yield None
            return
        for part in term.energy(form):
            yield None if part is None else term.prefactor * part
    yield -primitive(form.reaction, form.state, form.state)


def _functions(form: DivergenceForm, expression: sp.Expr) -> sp.Expr:
    u, space = form.problem.unknown, form.space
    functions = {str(f.func): f for f in form.problem.fields}
    table: dict[sp.Expr, sp.Expr] = {form.state: u}
    table |= {slope: sp.Derivative(u, a) for slope, a in zip(form.slopes, space, strict=True)}
    table |= {symbol: functions[symbol.name] for symbol in form.fields}
    for symbol, (field, axis) in form.field_slopes.items():
        table[symbol] = sp.Derivative(functions[field.name], space[axis])
    return expression.xreplace(table)
