"""The line of the subject about an implicit or multigrid scheme, written again."""

from __future__ import annotations

from pde2net.audit.iterations import Solves, joint, solves_of
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.language.schemes import AOS, Implicit, Multigrid, Theta
from pde2net.language.solvers import FixedPoint, Kacanov, Newton, Solver
from pde2net.verify.certificate import Certificate

SYSTEMS = {"elimination": "exact solves", "cg": "conjugate gradients", "bicgstab": "BiCGStab"}


def line(certificate: Certificate, semi: Semidiscrete | SemidiscreteSystem) -> str | None:
    """None for other schemes."""
    scheme = certificate.declaration.scheme
    if not isinstance(scheme, AOS | Implicit | Theta | Multigrid):
        return None
    reaction = semi.form.reaction != 0
    start = f"{scheme.label}, tau = {certificate.tau}, {many(scheme.steps, 'step')}"
    if isinstance(scheme, AOS):
        return f"{start}: {_axes(len(semi.spacing), reaction)}"
    rate = f"F(u) = -K^T Phi(K u){' + r(u)' * reaction}"
    if isinstance(scheme, Multigrid):
        how, weight = _cycles(scheme), None
    else:
        s = joint(semi, scheme) if isinstance(semi, SemidiscreteSystem) else solves_of(scheme, semi)
        how = ", ".join(_iterations(scheme.solver, s))
        weight = None if s.theta == 1 else s.theta
    solution = "v = u + tau F(v)" if weight is None else f"v = u + tau ({1 - weight} F(u) + {weight} F(v))"
    if certificate.tau.is_infinite:
        solution = "F(v) = 0"
    return f"{start}, {how}: {solution}; {rate}"


def many(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)


def _axes(d: int, reaction: bool) -> str:
    step, index, mean = ("tau", "", "") if d == 1 else (f"{d} tau", "_i", f"1/{d} sum_i ")
    if not reaction:
        return f"u <- {mean}(I + {step} A{index}(u))^-1 u"
    return f"u <- {mean}((1 + tau b) I + {step} A{index}(u))^-1 (u + tau s(u)), r = s - b u"


def _iterations(solver: Solver, s: Solves) -> list[str]:
    if s.count is not None:
        words = many(s.count, f"{s.kind} iteration")
    else:
        beyond = {"warn": "a warning", "error": "an error", "best": "a warning and the best iterate"}
        most = (
            f"at most {1 if s.systems.once else solver.max_iterations} ({beyond[solver.on_failure]} beyond)"
        )
        words = f"{s.kind} iteration to {float(solver.tol or 0):g}, {most}"
    if isinstance(solver, FixedPoint):
        return [words + (f" with Anderson acceleration of depth {solver.anderson}" if s.accelerated else "")]
    assert isinstance(solver, Kacanov | Newton)
    systems = SYSTEMS[s.method]
    if s.method == "elimination":
        return [words, systems]
    limits = [f"{systems} to {float(solver.linear_tol):g}", f"at most {s.systems.most}"]
    kind = s.systems.preconditioner
    return [words, *limits, *([f"preconditioner {kind}"] if kind != "none" else [])]


def _cycles(scheme: Multigrid) -> str:
    name = {"V": "V", "W": "W", "FMG": "full multigrid, V"}[scheme.cycle]
    words = f"{scheme.cycles} {name}({scheme.pre},{scheme.post})-cycle" + "s" * (scheme.cycles != 1)
    words += " on as many grids as fit" if scheme.levels is None else f" on at most {scheme.levels} grids"
    words += f", {scheme.smoother}" + (f" damped by {scheme.damping}" if scheme.damping is not None else "")
    return words if scheme.tol is None else f"at most {words}, to {float(scheme.tol):g}"
