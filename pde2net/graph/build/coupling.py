"""Couples the channels of a vector-valued image: diffusivities take squared norms over all of them.

u_t = div(g(sum_c |grad u_c|^2) grad u), one equation per channel (Gerig, Kuebler, Kikinis, Jolesz, IEEE
Trans. Med. Imaging 11, 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from pde2net.errors import EquationError
from pde2net.graph.build.place import Source
from pde2net.graph.build.slopes import SlopeBuilder
from pde2net.graph.nodes import CHANNEL_SUM, S2, Pointwise
from pde2net.normalise.radial import as_function_of_square
from pde2net.normalise.terms import SQUARED, Component, ScalarTerm


def couples(builder: SlopeBuilder, diffusivity: sp.Expr) -> bool:
    """Whether a diffusivity takes a norm over several channels."""
    return builder.form.problem.channels > 1 and SQUARED in diffusivity.free_symbols


def coupled_flux(builder: SlopeBuilder, term: ScalarTerm, suffix: str, inputs: dict[str, Source]) -> sp.Expr:
    """Phi(q) of one channel; of several g(|q|^2) q, whose norm is added to the inputs.

    Filters respond to all channels at once, so q is one image then.
    """
    q = term.argument(builder.form)
    if term.learned or term.diffusivity is None or not couples(builder, term.diffusivity):
        return term.flux
    inputs[S2.name] = builder.once(f"s2{suffix}", Pointwise((q**2,), CHANNEL_SUM), {q.name: inputs[q.name]})
    return term.diffusivity.xreplace({SQUARED: S2}) * q


def coupled(
    builder: SlopeBuilder, component: Component, slopes: Callable[[], dict[str, Source]], where: str
) -> tuple[Component, dict[str, Source]]:
    """The component with norms over all channels as slots, and what feeds them; as it is for one channel.

    `where` names the place at which the slopes are taken.
    """
    (coefficient,), inputs = common_norms(builder, [component.coefficient], where)
    groups = [g for g in component.groups or () if couples(builder, g.diffusivity)]
    responses = list(component.responses)
    for group in groups:
        axes = [builder.form.slopes[i] for i in group.axes]
        tag = "" if len(axes) == len(builder.form.slopes) else f"_{'_'.join(p.name for p in axes)}"
        symbol = sp.Symbol(f"{S2.name}{tag}", real=True)
        norm = Pointwise((sp.Add(*(p**2 for p in axes)),), CHANNEL_SUM)
        inputs[symbol.name] = builder.once(f"s2{where}{tag}", norm, {p.name: slopes()[p.name] for p in axes})
        g = group.diffusivity.xreplace({SQUARED: symbol})
        for axis, weight in zip(group.axes, group.weights, strict=True):
            responses[axis] = weight * g * builder.form.slopes[axis]
    return Component(coefficient, tuple(responses), component.groups), inputs


def common_norms(
    builder: SlopeBuilder, expressions: Sequence[sp.Expr], where: str
) -> tuple[list[sp.Expr], dict[str, Source]]:
    """Squared norms of gradients of fields and of smoothed expressions, over all channels, as slots.

    Raises EquationError for expressions that depend on such gradients in any other way.
    """
    form, found, inputs = builder.form, list(expressions), dict[str, "Source"]()
    if form.problem.channels == 1:
        return found, inputs
    for owner in dict.fromkeys(o for o, _ in form.field_slopes.values()):
        slopes = tuple(s for s, (o, _) in form.field_slopes.items() if o == owner)
        symbol = sp.Symbol(f"{S2.name}_{owner}", real=True)
        for k, expression in enumerate(found):
            inside = tuple(s for s in slopes if s in expression.free_symbols)
            if not inside:
                continue
            radial = as_function_of_square(expression, inside)
            if radial is None or len(inside) < len(slopes):
                raise EquationError(
                    f"{expression} depends on the gradient of {owner} other than by its squared norm, which "
                    "is what couples channels; take directions from structure_tensor(u, sigma, rho)."
                )
            found[k] = radial.xreplace({SQUARED: symbol})
            norm = Pointwise((sp.Add(*(s**2 for s in slopes)),), CHANNEL_SUM)
            fed = builder.data_inputs(norm.expressions[0], padded=True)
            inputs[symbol.name] = builder.once(f"s2{where}_{owner}", norm, fed)
    return found, inputs


def at_rest(ratio: sp.Expr, slopes: Sequence[sp.Symbol]) -> sp.Expr:
    """`ratio`, a diffusivity, if it is defined where all slopes vanish."""
    if _at_zero(ratio, slopes).has(sp.nan, sp.zoo, sp.oo, -sp.oo):
        raise EquationError(
            f"The diffusivity {ratio} is needed for a zero gradient too, where it is not defined. Regularise "
            'it, or let the flux be evaluated instead: Grid(gradient="forward"), freeze="step".'
        )
    return ratio


def _at_zero(expression: sp.Expr, symbols: Sequence[sp.Symbol]) -> sp.Expr:
    """The value where all symbols vanish; as in floating point, 1/0 is oo, and Min(1, oo) is 1."""
    if not expression.has(sp.Min, sp.Max):
        return expression.xreplace(dict.fromkeys(symbols, sp.S.Zero))
    values = [_at_zero(a, symbols) if isinstance(a, sp.Expr) else a for a in expression.args]
    if isinstance(expression, sp.Min | sp.Max):
        values = [sp.oo if v is sp.zoo else v for v in values]
    return expression.func(*values) if expression.args else expression
