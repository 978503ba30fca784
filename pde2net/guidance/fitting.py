"""Whether an exact solution obeys the conditions at the borders of its problem."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.guidance.manufactured import Manufactured
from pde2net.language.borders import BORDERS
from pde2net.language.sides import Side
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.recognise import recognise
from pde2net.normalise.terms import FirstOrder, Tensor, Term


def require_fit(given: Manufactured) -> None:
    """Raises DeclarationError, naming the side and what does not vanish there.

    With outward normal n, F the flux and u the solution:

        periodic     u, known fields and F are the same at both ends
        reflecting   F n = 0; of terms of fourth order du/dn = 0 and the third normal derivative is 0
        dirichlet    u = 0; of terms of fourth order the second normal derivative is 0 too
        a side       u = c, F n = q, a u + b du/dn = c
    """
    problem = given.problem
    parts = problem.parts if len(problem.equations) > 1 else (problem,)
    for solution, part in zip(given.exact, parts, strict=True):
        form = recognise(part)
        for place, axis in enumerate(problem.space):
            if BORDERS[problem.boundary[axis]].wraps:
                _require_periodic(given, form, place, solution)
                continue
            for last, side in enumerate(problem.sides.get(axis, (None, None))):
                at = given.domain[axis][last]
                said = f"at {axis} = {at}, {side or problem.boundary[axis]}"
                for asked, expression in _conditions(given, form, side, place, solution, 2 * last - 1):
                    _require(given, expression.subs(axis, at), f"{said} asks for {asked}")


def _require(given: Manufactured, difference: sp.Expr, asked: str) -> None:
    off = given.off(difference)
    if off:
        raise DeclarationError(
            f"The exact solution does not fit the border: {asked}, and the difference of both sides is {off}."
        )


def _conditions(
    given: Manufactured, form: DivergenceForm, side: Side | None, place: int, u: sp.Expr, outward: int
) -> Iterator[tuple[str, sp.Expr]]:
    """What is asked for at one end of an axis, in words, and what is 0 there if it holds."""
    if side is not None:
        return _at_side(given, form, side, place, u, outward)
    border = BORDERS[given.problem.boundary[form.space[place]]]
    return _zero(form, form.space[place], u) if border.zero else _closed(given, form, place, u)


def _closed(
    given: Manufactured, form: DivergenceForm, place: int, u: sp.Expr
) -> Iterator[tuple[str, sp.Expr]]:
    axis, name = form.space[place], form.state
    for term in form.terms:
        if term.order == 1:
            yield f"g d{name}/dn = 0", _flux(given, form, term, place)
        else:
            yield f"d{name}/d{axis} = 0", sp.diff(u, axis)
            yield f"d³{name}/d{axis}³ = 0", sp.diff(u, axis, 3)


def _zero(form: DivergenceForm, axis: sp.Symbol, u: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    yield f"{form.state} = 0", u
    if any(term.order == 2 for term in form.terms):
        yield f"d²{form.state}/d{axis}² = 0", sp.diff(u, axis, 2)


def _at_side(
    given: Manufactured, form: DivergenceForm, side: Side, place: int, u: sp.Expr, outward: int
) -> Iterator[tuple[str, sp.Expr]]:
    a, b, c = map(given.placed, side.expressions)
    axis, name = form.space[place], form.state
    if side.through:
        flux = sum((_flux(given, form, term, place) for term in form.terms), sp.S.Zero)
        yield f"g d{name}/dn = {c}", outward * flux - c
    else:
        yield (
            f"{a}*{name} + {b}*d{name}/dn = {c}" if b != 0 else f"{name} = {c / a}",
            a * u + b * outward * sp.diff(u, axis) - c,
        )


def _require_periodic(given: Manufactured, form: DivergenceForm, place: int, u: sp.Expr) -> None:
    axis = form.space[place]
    first, last = given.domain[axis]
    moved = axis + last - first
    lead = f"along {axis}, periodic from {first} to {last} asks for"
    own = {f.name: given.fields[f.name] for f in form.fields if f.name in given.fields}
    for name, function in {form.state.name: u, **own}.items():
        difference = function.subs(axis, moved) - function
        _require(given, difference, f"{lead} {name}({axis} + {last - first}) = {name}({axis})")
    for term in form.terms:
        if term.order == 1:
            flux = _flux(given, form, term, place)
            difference = flux.subs(axis, last) - flux.subs(axis, first)
            _require(given, difference, f"{lead} the same flux at both ends")


def _flux(given: Manufactured, form: DivergenceForm, term: Term, place: int) -> sp.Expr:
    """The component of the flux along an axis, at the exact solution and without its prefactor."""
    if isinstance(term, Tensor):
        flux = sum((e * p for e, p in zip(term.matrix[place], form.slopes, strict=True)), sp.S.Zero)
    else:
        assert isinstance(term, FirstOrder)
        flux = sum((c.coefficient * c.responses[place] for c in term.components), sp.S.Zero)
    problem = given.problem
    functions = {str(u.func): e for u, e in zip(problem.unknowns, given.exact, strict=True)}
    functions |= given.fields
    own = functions[form.state.name]
    table = {p: sp.diff(own, axis) for p, axis in zip(form.slopes, form.space, strict=True)}
    for slope, (field, axis) in form.field_slopes.items():
        table[slope] = sp.diff(functions[field.name], form.space[axis])
    table |= {form.state: own, **{f: functions[f.name] for f in form.fields}}
    return given.placed(flux.xreplace(table))
