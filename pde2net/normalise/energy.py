"""The energy of which an equation is the gradient flow."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from pde2net.deadline import within
from pde2net.errors import EquationError
from pde2net.language.calculus import hessian, norm2
from pde2net.language.energy import gradient_flow
from pde2net.language.problem import Problem
from pde2net.normalise.form import SQUARED, DivergenceForm, FirstOrder, Hessian, Learned, SecondOrder, Tensor
from pde2net.normalise.recognise import recognise
from pde2net.normalise.recover import is_zero

SECONDS = 10.0


def energy_of(problem: Problem) -> sp.Expr | None:
    """That of a problem; None for systems and for coefficients that contain t.

    Raises EquationError if the equation is no diffusion PDE.
    """
    if len(problem.equations) > 1 or problem.depends_on_time:
        return None
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
        if isinstance(term, Learned | Tensor) or term.prefactor.free_symbols & moving:
            yield None
        elif isinstance(term, Hessian):
            yield (
                term.prefactor
                * _integral(term.diffusivity, SQUARED, norm2(hessian(form.problem.unknown)))
                / 2
            )
        elif isinstance(term, SecondOrder):
            inside = sp.Add(*(w * s for w, s in zip(term.weights, _seconds(form), strict=True)))
            inside += term.slope * sp.Derivative(form.problem.unknown, form.space[0])
            yield term.prefactor * _integral(term.flux, form.curvature, inside)
        else:
            yield from (term.prefactor * part for part in _first_order(form, term))
    yield -_integral(form.reaction, form.state, form.state)


def _first_order(form: DivergenceForm, term: FirstOrder) -> Iterator[sp.Expr]:
    for component in term.components:
        radial = [g for g in component.groups or () if len(g.axes) > 1]
        for group in radial:
            square = sp.Add(*(form.slopes[i] ** 2 for i in group.axes))
            if len(set(group.weights)) == 1:
                primitive = _integral(group.diffusivity, SQUARED, square)
                yield component.coefficient * group.weights[0] * primitive / 2
            else:
                weighted = [w * form.slopes[i] ** 2 for i, w in zip(group.axes, group.weights, strict=True)]
                yield component.coefficient * group.diffusivity * sp.Add(*weighted) / 2
        rest = set(range(len(form.slopes))).difference(*(g.axes for g in radial))
        for i in sorted(rest):
            yield component.coefficient * _integral(component.responses[i], form.slopes[i], form.slopes[i])


def _integral(function: sp.Expr, variable: sp.Symbol, end: sp.Expr) -> sp.Expr:
    """int_0^end function d(variable); only its derivative matters, so the constant may be another one."""
    primitive = sp.integrate(function, variable)
    at_zero = primitive.subs(variable, 0)
    constant = sp.S.Zero if at_zero.has(sp.nan, sp.zoo, sp.oo) else at_zero
    found: sp.Expr = (primitive - constant).subs(variable, end)
    return found


def _seconds(form: DivergenceForm) -> list[sp.Expr]:
    return [sp.Derivative(form.problem.unknown, (a, 2)) for a in form.space]


def _functions(form: DivergenceForm, expression: sp.Expr) -> sp.Expr:
    u, space = form.problem.unknown, form.space
    functions = {str(f.func): f for f in form.problem.fields}
    table: dict[sp.Expr, sp.Expr] = {form.state: u}
    table |= {slope: sp.Derivative(u, a) for slope, a in zip(form.slopes, space, strict=True)}
    table |= {symbol: functions[symbol.name] for symbol in form.fields}
    for symbol, (field, axis) in form.field_slopes.items():
        table[symbol] = sp.Derivative(functions[field.name], space[axis])
    return expression.xreplace(table)
