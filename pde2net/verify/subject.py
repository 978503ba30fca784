"""The lines of a certificate that name the problem, the scheme and the grid."""

from __future__ import annotations

import sympy as sp

from pde2net.language.schemes import Explicit, Scheme
from pde2net.language.stored import options_text
from pde2net.verify.plan import Plan


def subject(plan: Plan) -> dict[str, str]:
    semi = plan.semi
    form, grid, problem = semi.form, semi.grid, semi.form.problem
    boundary = {a.name: kind for a, kind in problem.boundary.items()}
    kinds = sorted(set(boundary.values()))
    spacing = dict(zip((a.name for a in form.space), semi.spacing, strict=True))
    same = len(set(spacing.values())) == 1
    return {
        "equation": str(form),
        "boundary": kinds[0]
        if len(kinds) == 1
        else ", ".join(f"{a}: {kind}" for a, kind in boundary.items()),
        "parameters": ", ".join(f"{s} = {v}" for s, v in problem.parameters.items()),
        "scheme": scheme_line(plan.scheme, plan.tau, form.reaction != 0),
        "grid": (f"h = {semi.spacing[0]}" if same else ", ".join(f"h_{a} = {h}" for a, h in spacing.items()))
        + f", {grid.gradient} differences of order {grid.order}",
    }


def scheme_line(scheme: Scheme, tau: sp.Expr, reaction: bool) -> str:
    """Name, step, options and update of a scheme."""
    if isinstance(scheme, Explicit):
        plural, source = "s" if scheme.steps > 1 else "", " + tau r(u)" if reaction else ""
        return f"explicit, tau = {tau}, {scheme.steps} step{plural}: u <- u - tau K^T Phi(K u){source}"
    return f"{scheme.label}, tau = {tau}, {options_text(scheme)}"
