"""What changes of the weights of a flux do to its slope, for u in a bounded range (docs/theory.md, 4.26)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.bounds import LINE
from pde2net.normalise.radial import as_function_of_square
from pde2net.normalise.terms import LENGTH, SQUARED, FirstOrder, symbols_in
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
    """C of ‖K^T (G(u) - G(v)) K u‖ <= C ‖u - v‖ on [a, b], G = alpha g the weights of the flux.

    `bounded` gives the range of an expression. Raises UndecidedError where C is not derived.
    """
    _require_derived(semi)
    a, b = semi.intervals[semi.form.state]
    known, total = _Weights(semi, values, bounded), sp.S.Zero
    for term, row in zip(semi.form.terms, norms, strict=True):
        per_axis = [sp.S.Zero] * len(row)
        for part in term.parts:
            for group in part.groups or ():
                slope = known.slope(part.coefficient, group.diffusivity)
                for axis, weight in zip(group.axes, group.weights, strict=True):
                    per_axis[axis] += abs(weight.subs(values)) * slope
        for norm, d, slope in zip(row, semi.gradient.differences, per_axis, strict=True):
            total += sp.sqrt(norm.squared) * (b - a) / 2 * d.absolute * slope
    return sp.expand(total.subs(values))


class _Weights:
    """Lipschitz constants of weights, as functions of the state in l2."""

    def __init__(self, semi: Semidiscrete, values: Mapping[sp.Symbol, sp.Expr], bounded: Find) -> None:
        self.semi, self.values, self.bounded = semi, values, bounded
        seen = semi.gradient if semi.cell is None else semi.cell
        gradient = sp.sqrt(sp.Add(*(squared_norm(d) for d in seen.differences)))
        # What weights depend on -> the norm of the linear map of u whose values or lengths it is.
        self.norms = {semi.form.state: sp.S.One, LENGTH: gradient}
        for symbol, smoothed in semi.form.smoothed.items():
            if smoothed.argument == semi.form.state:  # a Gaussian has the norm 1
                self.norms |= {symbol: sp.S.One, length_of(symbol): gradient}

    def slope(self, alpha: sp.Expr, g: sp.Expr) -> sp.Expr:
        """sup|alpha'| sup|g| + sup|alpha| sup|g'|."""
        outer, inner = (in_lengths(self.semi, e.subs(self.values)) for e in (alpha, g))
        found = [(self.constant(one), other) for one, other in ((outer, inner), (inner, outer))]
        return sp.Add(*(slope * largest(self.bounded(other)) for slope, other in found if slope != 0))

    def constant(self, expression: sp.Expr) -> sp.Expr:
        """sum over its variables of sup|df/dv| times the norm of v(u)."""
        if expression.has(*KINKS):
            raise UndecidedError("the weights of the flux have kinks; slopes are bounded for smooth ones")
        total = sp.S.Zero
        for variable in (v for v in self.norms if v in expression.free_symbols):
            line = (sp.S.Zero, sp.oo) if variable.is_nonnegative else LINE
            require_continuous_on(expression, variable, self.semi.intervals.get(variable, line))
            total += largest(self.bounded(sp.diff(expression, variable))) * self.norms[variable]
        return total


def length_of(owner: sp.Symbol) -> sp.Symbol:
    """|grad f| of a smoothed expression."""
    return sp.Symbol(f"|grad {owner}|", nonnegative=True)


def in_lengths(semi: Semidiscrete, expression: sp.Expr) -> sp.Expr:
    """The expression in |grad u| and, of what is smoothed, |grad f|. Raises UndecidedError for others."""
    form = semi.form
    expression = expression.subs(SQUARED, LENGTH**2)
    for owner in form.smoothed:
        inside = tuple(s for s, (o, _) in form.field_slopes.items() if o == owner)
        if expression.free_symbols & set(inside):
            radial = as_function_of_square(expression, inside)
            if radial is None:
                raise UndecidedError(f"{expression} is no function of |grad {owner}|")
            expression = radial.subs(SQUARED, length_of(owner) ** 2)
    return expression


def _require_derived(semi: Semidiscrete) -> None:
    form = semi.form
    whole = len(form.problem.unknowns) == 1 and form.problem.channels == 1
    if not whole or form.problem.depends_on_time or form.edges or form.problem.domain is not None:
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
    simple = {s for s, of in form.smoothed.items() if of.argument == form.state}
    simple |= {s for s, (owner, _) in form.field_slopes.items() if owner in simple}
    if any(symbols_in(t) & (form.lagging - simple) for t in form.terms):
        raise UndecidedError(f"what changes of a smoothed expression do is derived for {form.state} alone")
