"""Conditions at sides as terms of the equation in the outermost cells (docs/theory.md, section 2).

Operators are those of reflecting borders, across which nothing flows. What flows all the same is

    u_t = ... + e g d/h,    d = (c - a u)/(b + a h/2),    g at |grad u|² = d² + (dc/dy)²,

e = 1 in the outermost cells of that side, 0 elsewhere, for a u + b du/dn = c; and e q/h for a flux q. It is
no part of K, so adjoints, norms and means of K are those of reflecting borders; claims see a reaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.grid import Grid
from pde2net.language.sides import Side
from pde2net.language.symbols import edge
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import SQUARED, Component, FirstOrder


def with_sides(form: DivergenceForm, grid: Grid, spacing: Sequence[sp.Expr]) -> DivergenceForm:
    """The form with what flows across sides in its reaction.

    Raises DeclarationError for terms and grids for which this is not derived.
    """
    problem = form.problem
    if not problem.sides:
        return form
    _require_derived(form, grid)
    edges, flow = [], sp.S.Zero
    for place, axis in enumerate(form.space):
        for last, side in enumerate(problem.sides.get(axis, ())):
            if side is None:
                continue
            mark = edge(axis, place, bool(last))
            edges.append(mark)
            flow += mark * _across(form, side, place, spacing[place], 2 * last - 1) / spacing[place]
    return replace(form, reaction=form.reaction + flow, edges=tuple(edges))


def _across(form: DivergenceForm, side: Side, place: int, h: sp.Expr, outward: int) -> sp.Expr:
    """What flows in across one face of unit area, times the factor of the divergence."""
    symbols = {f.name: f for f in form.fields}
    known = {f: symbols[str(f.func)] for f in form.problem.equation_fields}
    a, b, c = (e.xreplace(known) for e in side.expressions)
    terms = [t for t in form.terms if isinstance(t, FirstOrder)]
    if side.through:
        factors = {t.prefactor for t in terms}
        if len(factors) > 1:
            raise DeclarationError("A flux is that of one divergence, and these have different factors.")
        return factors.pop() * c
    _require_solvable(form, side, a, b, h)
    d = (c - a * form.state) / (b + a * h / 2)
    axis = form.space[place]
    face = {form.state: c / a if b == 0 else form.state + d * h / 2, axis: axis + outward * h / 2}
    along = [sp.diff(c / a, other) ** 2 if b == 0 else sp.S.Zero for other in form.space]
    flows = (t.prefactor * _flux(p, place, d, along, face) for t in terms for p in t.parts)
    return sum(flows, sp.S.Zero)


def _require_solvable(form: DivergenceForm, side: Side, a: sp.Expr, b: sp.Expr, h: sp.Expr) -> None:
    """Raises DeclarationError where a face has no value, or du/dn the wrong sign, since cells are large."""
    whole, own, left = (sp.simplify(e.subs(form.problem.parameters)) for e in (b + a * h / 2, b, a))
    if own == 0 and left == 0:
        raise DeclarationError(f"{side} says nothing: a and b are 0.")
    if whole == 0 or (own != 0 and (whole / own).is_nonpositive):
        raise DeclarationError(
            f"{side} needs smaller cells: with h = {h} the linear profile from a centre to the face has "
            "1 + a h/(2 b) <= 0."
        )


def _flux(
    part: Component, place: int, d: sp.Expr, along: Sequence[sp.Expr], face: dict[sp.Symbol, sp.Expr]
) -> sp.Expr:
    """g d for the derivative d along the normal."""
    found = sp.S.Zero
    for group in part.groups or ():
        if place in group.axes:
            weight = group.weights[group.axes.index(place)]
            slopes = d**2 + sum((along[i] for i in group.axes if i != place), sp.S.Zero)
            g = _moved(group.diffusivity, face).xreplace({SQUARED: slopes})
            found += weight * g * d
    return _moved(part.coefficient, face) * found


def _moved(expression: sp.Expr, face: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    return expression.subs(face, simultaneous=True)


def _require_derived(form: DivergenceForm, grid: Grid) -> None:
    given = any(
        side is not None and not side.through for pair in form.problem.sides.values() for side in pair
    )
    lead = "Conditions at sides are derived for"
    if grid.gradient == "central" or grid.order != 2:
        text = f'{lead} differences at half-points of order 2: gradient="forward" or "staggered", order=2.'
        raise DeclarationError(text)
    if form.learned:
        raise DeclarationError(f"{lead} differences, not for learned operators.")
    if any(t.order == 2 for t in form.terms):
        raise DeclarationError(
            "A term of fourth order has two conditions at each side, as clamped plates (u and du/dn) and "
            "simply supported ones (u and its second derivative) have: with value, flux or robin the second "
            "one is missing."
        )
    if not form.terms:
        raise DeclarationError(
            "Conditions at sides are those of diffusion, which the equation does not have."
        )
    if not all(isinstance(t, FirstOrder) for t in form.terms):
        raise DeclarationError(f"{lead} scalar diffusivities, not for diffusion tensors.")
    parts = [p for t in form.terms for p in t.parts]
    if given and not all(p.groups is not None for p in parts):
        raise DeclarationError(f"{lead} diffusivities g(|grad u|²) and those free of slopes.")
    nonlinear = any(SQUARED in g.diffusivity.free_symbols for p in parts for g in p.groups or ())
    if nonlinear and grid.gradient == "staggered":
        text = (
            "Slopes at cells, which a staggered grid has, are those of reflecting borders: with conditions at"
        )
        raise DeclarationError(f'{text} sides nonlinear diffusivities take gradient="forward".')
    if given and nonlinear and form.problem.channels > 1 and len(form.problem.equations) == 1:
        raise DeclarationError(f"{lead} diffusivities of one channel; flux(q) takes several.")
