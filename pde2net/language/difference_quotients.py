"""Names a right-hand side that was discretised by hand with shifted arguments, u(x + h, t).

A divergence must be the negative adjoint of its gradient. Two common compositions are not:
forward of forward (not symmetric) and central of central (symmetric, but it decouples the grid into
interleaved halves and leaves the checkerboard undamped).
"""

from __future__ import annotations

import sympy as sp
from sympy.core.function import AppliedUndef


def diagnosis(shifted: AppliedUndef, unknown: AppliedUndef, rhs: sp.Expr) -> str:
    """Why a right-hand side with `shifted` cannot be used, and the conservative form to write."""
    calls = [f for f in rhs.atoms(AppliedUndef) if f.func == unknown.func]
    for position, axis in enumerate(unknown.args):
        offsets = {sp.expand(f.args[position] - axis) for f in calls if len(f.args) > position}
        steps = _in_steps(offsets)
        if not steps or steps == {0}:
            continue
        write = (
            f"Write the differential form instead, div(g * grad(u)) or laplacian(u), and choose the "
            f'stencil with Grid(spacing={_unit(offsets)}, gradient="forward"): the divergence is then '
            "the exact negative adjoint of the gradient, (u[i+1] - 2 u[i] + u[i-1])/h^2 for g = 1."
        )
        if max(steps) == 2 and min(steps) == 0:
            kind = "a forward difference of a forward difference"
        elif min(steps) == -2 and max(steps) == 0:
            kind = "a backward difference of a backward difference"
        elif steps == {-2, 0, 2}:
            return (
                f"The right-hand side is a central difference of a central difference along {axis}: "
                f"it uses cells {sorted(steps)} only, so the grid falls apart into two decoupled "
                f"halves and the checkerboard is never damped. {write}"
            )
        else:
            return (
                f"The right-hand side contains {shifted}, a difference quotient written by hand "
                f"(cells {sorted(steps)} along {axis}). {write}"
            )
        return (
            f"The right-hand side is {kind} along {axis}: it uses cells {sorted(steps)}, so it is not "
            f"symmetric, does not conserve the mean and is not stable. {write}"
        )
    return f"The unknown appears as {shifted} and as {unknown}; use one set of arguments."


def _unit(offsets: set[sp.Expr]) -> sp.Expr:
    nonzero = sorted((o for o in offsets if o != 0), key=lambda o: (len(str(o)), str(o)))
    ratios = [sp.nsimplify(o / nonzero[0]) for o in nonzero]
    if not all(r.is_Rational for r in ratios):
        return nonzero[0]
    factor = min(abs(r) for r in ratios)
    step = nonzero[0] * factor
    # A lone {-2h, 0, 2h} has the unit h: the coefficient of the symbol tells.
    coefficient, rest = step.as_coeff_Mul()
    return rest if rest.free_symbols else abs(coefficient)


def _in_steps(offsets: set[sp.Expr]) -> set[int]:
    if offsets == {sp.S.Zero}:
        return {0}
    unit = _unit(offsets)
    multiples = [sp.simplify(o / unit) for o in offsets]
    return {int(m) for m in multiples} if all(m.is_Integer for m in multiples) else set()
