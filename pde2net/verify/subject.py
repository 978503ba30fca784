"""The lines of a certificate that name the problem, the scheme and the grid."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from pde2net.language.schemes import (
    AOS,
    FED,
    FSI,
    RKL,
    DuFortFrankel,
    Explicit,
    Implicit,
    Multigrid,
    Scheme,
    Theta,
)
from pde2net.language.stored import options_text
from pde2net.language.text.printer import equation_line
from pde2net.scheme.stack import ALPHA, Stack
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
    scheme, tau = plan.scheme, plan.tau
    if isinstance(scheme, Explicit):
        source = " + tau r(u)" if reaction else ""
        return f"explicit, tau = {tau}, {_steps(scheme.steps)}: u <- u - tau K^T Phi(K u){source}"
    if isinstance(scheme, Implicit | Theta | AOS | Multigrid):
        return solver_lines.line(plan.semi, scheme, tau)
    line = _LINES.get(type(scheme))
    if line is None or not isinstance(plan.update, Stack):
        return f"{scheme.label}, tau = {tau}, {options_text(scheme)}"
    rate = "F(u) = -K^T Phi(K u)" + (" + r(u)" if reaction else "")
    return f"{scheme.label}, tau = {tau}, {line(scheme, plan.update)}; {rate}"


def _steps(n: int, what: str = "step") -> str:
    return f"{n} {what}{'s' if n > 1 else ''}"


def _du_fort_frankel(scheme: DuFortFrankel, update: Stack) -> str:
    return (
        f"alpha = {update.values[ALPHA]}, {_steps(scheme.steps)}: u <- a (u + F(u)/(2 alpha)) + (1 - a) u-, "
        "a = 4 tau alpha/(1 + 2 tau alpha), starting from u- = u"
    )


def _cycles(scheme: FSI | FED, update: Stack) -> str:
    when = "at the start of each cycle" if scheme.freeze == "cycle" else "in each step"
    return (
        f"{_steps(scheme.cycles, 'cycle')} of {_steps(scheme.cycle_length)}, diffusivities {when}, "
        f"time of a cycle {update.time}"
    )


def _fsi(scheme: FSI, update: Stack) -> str:
    return (
        f"{_cycles(scheme, update)}: u <- a_k (u + tau F(u)) + (1 - a_k) u-, a_k = (4 k + 2)/(2 k + 3), "
        "from u- = u in each cycle"
    )


def _fed(scheme: FED, update: Stack) -> str:
    factor = f"tau/(2 cos(pi (2 i + 1)/{4 * scheme.cycle_length + 2})^2)"
    return f"{_cycles(scheme, update)}: u <- u + tau_i F(u), tau_i = {factor} in Leja order"


def _rkl(scheme: RKL, update: Stack) -> str:
    s = scheme.stages
    if scheme.order == 1:
        stage = f"y_j = mu_j y_(j-1) + nu_j y_(j-2) + mu_j {sp.Rational(2, s * s + s)} tau F(y_(j-1))"
        weights = "mu_j = (2 j - 1)/j, nu_j = (1 - j)/j"
    else:
        stage = (
            "y_j = mu_j y_(j-1) + nu_j y_(j-2) + (1 - mu_j - nu_j) y_0 + tau (kappa_j F(y_(j-1)) + "
            "gamma_j F(y_0))"
        )
        weights = "weights of Meyer, Balsara, Aslam 2014, (21) to (24)"
    return (
        f"order {scheme.order}, {_steps(scheme.steps)} of {_steps(s, 'stage')}: {stage}, {weights}, "
        f"from y_0 = u to u <- y_{s}"
    )


_LINES: dict[type[Scheme], Callable[..., str]] = {
    DuFortFrankel: _du_fort_frankel,
    FSI: _fsi,
    FED: _fed,
    RKL: _rkl,
}
