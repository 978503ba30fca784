"""What changes of the weights of a flux do to its slope, for u in a bounded range (docs/theory.md, 4.26)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.bounds import LINE
from pde2net.normalise.terms import LENGTH, SQUARED, Component, FirstOrder, RadialGroup
from pde2net.verify.bounds import Bounds
from pde2net.verify.norms import OperatorNorm, largest, squared_norm
from pde2net.verify.ranges import UndecidedError, require_continuous_on
from pde2net.verify.ranges.pieces import KINKS

Find = Callable[[sp.Expr], Bounds]


def changes(
    semi: Semidiscrete,
    norms: Sequence[Sequence[OperatorNorm]],
    values: Mapping[sp.Symbol, sp.Expr],
    bounded: Find,
) -> sp.Expr:
    """C with ‖K^T (dG v) K u‖ <= C ‖v‖ for u in [a, b], G the weights a(u) g(u, |grad u|²) of the flux.

    Raises UndecidedError where it is not derived, or `bounded` does not find the bounds of a slope.
    """
    _require_derived(semi)
    a, b = semi.intervals[semi.form.state]
    seen = semi.gradient if semi.cell is None else semi.cell
    gradient = sp.sqrt(sp.Add(*(squared_norm(d) for d in seen.differences)))
    total = sp.S.Zero
    for term, row in zip(semi.form.terms, norms, strict=True):
        per_axis = [sp.S.Zero] * len(row)
        for part in term.parts:
            for group in part.groups or ():
                turned = _slope(semi, part, group, gradient, values, bounded)
                for axis, weight in zip(group.axes, group.weights, strict=True):
                    per_axis[axis] += abs(weight.subs(values)) * turned
        for norm, d, slope in zip(row, semi.gradient.differences, per_axis, strict=True):
            total += sp.sqrt(norm.squared) * (b - a) / 2 * d.absolute * slope
    return sp.expand(total.subs(values))


def _slope(
    semi: Semidiscrete,
    part: Component,
    group: RadialGroup,
    gradient: sp.Expr,
    values: Mapping[sp.Symbol, sp.Expr],
    bounded: Find,
) -> sp.Expr:
    """sup|a'| sup|g| + sup|a| (sup|dg/du| + ‖grad‖ sup|d g(q²)/dq|), what stands alone being constant."""
    u, intervals = semi.form.state, semi.intervals
    a, g = part.coefficient.subs(values), group.diffusivity.subs(values)
    if a.has(*KINKS) or g.has(*KINKS):
        raise UndecidedError("the weights of the flux have kinks, and its slope is bounded for smooth ones")
    profile = g.subs(SQUARED, LENGTH**2)
    for expression in (a, profile):
        for variable in (u, LENGTH):
            if variable in expression.free_symbols:
                require_continuous_on(expression, variable, intervals[variable])

    def size(expression: sp.Expr) -> sp.Expr:
        return largest(bounded(expression)) if expression != 0 else sp.S.Zero

    along = sp.diff(profile, LENGTH)
    inner = size(sp.diff(g, u)) + gradient * size(along)
    outer = sp.diff(a, u)
    return (size(outer) * size(g) if outer != 0 else 0) + (size(a) * inner if inner != 0 else 0)


def _require_derived(semi: Semidiscrete) -> None:
    form = semi.form
    whole = len(form.problem.unknowns) == 1 and form.problem.channels == 1
    if not whole or form.problem.depends_on_time or form.edges or form.domain is not None:
        raise UndecidedError(
            "what changes of the weights do is derived for one unknown of one channel, without t, sides and "
            "domains"
        )
    if not all(isinstance(t, FirstOrder) and t.prefactor == 1 for t in form.terms):
        raise UndecidedError("what changes of the weights do is derived for divergences of gradients")
    if any(p.groups is None for t in form.terms for p in t.parts):
        raise UndecidedError("the flux has no scalar diffusivity")
    a, b = semi.intervals.get(form.state, LINE)
    if not ((b - a).is_finite and (semi.closed or a <= 0 <= b)):
        raise UndecidedError(f"slopes are bounded for {form.state} in a bounded range")
    weights = [e for t in form.terms for e in t.weights_of_flux or ()]
    if any(e.free_symbols & form.lagging for e in weights):
        raise UndecidedError("what is smoothed changes with u too")
