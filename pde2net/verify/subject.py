"""The lines of a certificate that name the problem, the scheme and the grid."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.errors import DeclarationError
from pde2net.graph.build.linear import LinearSystems, linear_systems
from pde2net.language.problem import where
from pde2net.language.schemes import AOS, Implicit, Multigrid, Theta
from pde2net.language.solvers import Descent, FixedPoint, Kacanov, Newton, Solver
from pde2net.language.stored import options_text
from pde2net.language.text.printer import equation_line
from pde2net.scheme.cell import cell
from pde2net.scheme.registry import method_of
from pde2net.verify.iteration import KINDS
from pde2net.verify.plan import Plan, SystemPlan

FAILURES = {"warn": "a warning", "error": "an error", "best": "a warning and the best iterate"}
METHODS = {"cg": "conjugate gradients", "bicgstab": "BiCGStab"}


def subject(plan: Plan | SystemPlan) -> dict[str, str]:
    semi = plan.semi
    form, grid, problem = semi.form, semi.grid, semi.form.problem
    spacing = dict(zip((a.name for a in form.space), semi.spacing, strict=True))
    same = len(set(spacing.values())) == 1
    return {
        "equation": equation_line(problem),
        "boundary": where(problem),
        "parameters": values_line(problem.parameters),
        "scheme": scheme_line(plan, form.reaction != 0),
        "grid": (f"h = {semi.spacing[0]}" if same else ", ".join(f"h_{a} = {h}" for a, h in spacing.items()))
        + f", {grid.gradient} differences of order {grid.order}",
    }


def values_line(parameters: Mapping[sp.Symbol, sp.Expr]) -> str:
    return ", ".join(f"{s} = {v}" for s, v in parameters.items())


def scheme_line(plan: Plan | SystemPlan, reaction: bool) -> str:
    """Name, step, options and update of a scheme."""
    scheme, tau, words = plan.scheme, plan.tau, method_of(plan.scheme).words
    if words is not None:
        line = words(scheme, plan.update, tau, reaction)
        if not isinstance(line, str) or not line.isprintable():
            raise DeclarationError(f"The words of {scheme.label} are one printable line, not {line!r}.")
        return line
    if isinstance(scheme, Implicit | Theta | AOS | Multigrid):
        return _solver_line(plan.semi, scheme, tau)
    return f"{scheme.label}, tau = {tau}, {options_text(scheme)}"


def _solver_line(
    semi: Semidiscrete | SemidiscreteSystem, scheme: Implicit | Theta | AOS | Multigrid, tau: sp.Expr
) -> str:
    """Such as "implicit, tau = 5, 1 step, Kacanov iteration to 1e-06, exact solves: v = u + tau F(v)"."""
    steps = f"{scheme.steps} step{'s' if scheme.steps > 1 else ''}"
    head = f"{scheme.label}, tau = {tau}, {steps}"
    rate = "F(u) = -K^T Phi(K u)" + (" + r(u)" if semi.form.reaction != 0 else "")
    if isinstance(scheme, AOS):
        return f"{head}: {_split(semi)}"
    if isinstance(scheme, Multigrid):
        return f"{head}, {_cycles(scheme)}: {_equation(tau, sp.S.One)}; {rate}"
    theta = scheme.theta if isinstance(scheme, Theta) else sp.S.One
    systems = linear_systems(semi, cell(scheme))
    solves = _systems(scheme.solver, systems)
    return f"{head}, {_iteration(scheme.solver, systems.once)}{solves}: {_equation(tau, theta)}; {rate}"


def _equation(tau: sp.Expr, theta: sp.Expr) -> str:
    """That a step solves."""
    if tau == sp.oo:
        return "F(v) = 0"
    if theta == 1:
        return "v = u + tau F(v)"
    return f"v = u + tau ({1 - theta} F(u) + {theta} F(v))"


def _iteration(solver: Solver, once: bool) -> str:
    name, count = KINDS[type(solver)], 1 if once else solver.iterations
    if solver.tol is None:
        text = f"{count} {name} iteration{'s' if count != 1 else ''}"
    else:
        most = 1 if once else solver.max_iterations
        text = f"{name} iteration to {float(solver.tol):g}, at most {most}"
        text += f" ({FAILURES[solver.on_failure]} beyond)"
    if isinstance(solver, Descent) and solver.weights != "none":
        text += f", extrapolated as {solver.weights} says"
    if isinstance(solver, FixedPoint) and solver.anderson:
        text += f" with Anderson acceleration of depth {solver.anderson}"
    return text


def _systems(solver: Solver, systems: LinearSystems) -> str:
    if not isinstance(solver, Kacanov | Newton):
        return ""
    if systems.method == "direct":
        return ", exact solves"
    text = f", {METHODS[systems.method]} to {float(solver.linear_tol):g}, at most {systems.most}"
    if systems.preconditioner != "none":
        text += f", preconditioner {systems.preconditioner}"
    return text


def _split(semi: Semidiscrete | SemidiscreteSystem) -> str:
    d = len(semi.spacing)
    operator, mean = ("tau A(u)", "") if d == 1 else (f"{d} tau A_i(u)", f"1/{d} sum_i ")
    if semi.form.reaction == 0:
        return f"u <- {mean}(I + {operator})^-1 u"
    return f"u <- {mean}((1 + tau b) I + {operator})^-1 (u + tau s(u)), r = s - b u"


def _cycles(scheme: Multigrid) -> str:
    kind = "full multigrid, V" if scheme.cycle == "FMG" else scheme.cycle
    levels = "as many grids as fit" if scheme.levels is None else f"at most {scheme.levels} grids"
    damping = "" if scheme.damping is None else f" damped by {scheme.damping}"
    plural = "s" if scheme.cycles > 1 else ""
    text = f"{scheme.cycles} {kind}({scheme.pre},{scheme.post})-cycle{plural} on {levels}"
    text += f", {scheme.smoother}{damping}"
    if scheme.tol is not None:
        text = "at most " + text + f", to {float(scheme.tol):g}"
    return text
