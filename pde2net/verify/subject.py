"""The lines of a certificate that name the problem, the scheme and the grid."""

from __future__ import annotations

from pde2net.language.schemes import AOS, Implicit, Multigrid, Theta
from pde2net.language.stored import options_text
from pde2net.language.text.printer import equation_line
from pde2net.scheme.registry import method_of
from pde2net.verify import solver_lines
from pde2net.verify.plan import Plan, SystemPlan


def subject(plan: Plan | SystemPlan) -> dict[str, str]:
    semi = plan.semi
    form, grid, problem = semi.form, semi.grid, semi.form.problem
    boundary = {a.name: kind for a, kind in problem.boundary.items()}
    kinds = sorted(set(boundary.values()))
    spacing = dict(zip((a.name for a in form.space), semi.spacing, strict=True))
    same = len(set(spacing.values())) == 1
    return {
        "equation": equation_line(problem),
        "boundary": kinds[0]
        if len(kinds) == 1
        else ", ".join(f"{a}: {kind}" for a, kind in boundary.items()),
        "parameters": ", ".join(f"{s} = {v}" for s, v in problem.parameters.items()),
        "scheme": scheme_line(plan, form.reaction != 0),
        "grid": (f"h = {semi.spacing[0]}" if same else ", ".join(f"h_{a} = {h}" for a, h in spacing.items()))
        + f", {grid.gradient} differences of order {grid.order}",
    }


def scheme_line(plan: Plan | SystemPlan, reaction: bool) -> str:
    """Name, step, options and update of a scheme."""
    scheme, tau, words = plan.scheme, plan.tau, method_of(plan.scheme).words
    if words is not None:
        return words(scheme, plan.update, tau, reaction)
    if isinstance(scheme, Implicit | Theta | AOS | Multigrid):
        return solver_lines.line(plan.semi, scheme, tau)
    return f"{scheme.label}, tau = {tau}, {options_text(scheme)}"
