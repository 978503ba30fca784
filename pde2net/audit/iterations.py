"""What an implicit cell iterates and how it solves its systems, read from the declaration once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.audit.exactly import ZERO, NoOpinionError, Number
from pde2net.audit.linear import linear as is_linear
from pde2net.audit.numbers import Numbers
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build.linear import LinearSystems, linear_systems
from pde2net.language.schemes import AOS, Implicit, Scheme, Theta
from pde2net.language.solvers import FixedPoint, Kacanov, Newton
from pde2net.normalise.terms import SQUARED
from pde2net.scheme.cell import cell
from pde2net.verify.bounds import POINTWISE, Answer

NO_SYSTEMS = LinearSystems("", "none", 0, once=False, means=False)


@dataclass(frozen=True)
class Solves:
    """kind is Picard, Kacanov, Newton or AOS; count None with a tolerance; method of the linear systems."""

    kind: str
    theta: sp.Expr
    count: int | None
    method: str
    systems: LinearSystems
    accelerated: bool
    linear: bool
    steady: bool

    @property
    def single(self) -> bool:
        return self.kind == "Picard" and self.count == 1


def solves_of(scheme: Scheme, semi: Semidiscrete) -> Solves:
    linear = is_linear(semi.form)
    if isinstance(scheme, AOS):
        return Solves("AOS", sp.S.One, 1, "elimination", NO_SYSTEMS, False, linear, False)
    if not isinstance(scheme, Implicit | Theta):
        raise NoOpinionError(f"{scheme.label} schemes have no cells")
    solver, theta = scheme.solver, scheme.theta if isinstance(scheme, Theta) else sp.S.One
    kinds = {FixedPoint: "Picard", Kacanov: "Kacanov", Newton: "Newton"}
    if type(solver) not in kinds:
        raise NoOpinionError(f"the iterations of {solver.label} have rules of their own")
    kind = kinds[type(solver)]
    mixed = isinstance(solver, FixedPoint) and solver.anderson > 0
    method = "" if kind == "Picard" else _method(semi, kind)
    systems = linear_systems(semi, cell(scheme))
    count = 1 if systems.once and solver.iterations is not None else solver.iterations
    return Solves(kind, theta, count, method, systems, mixed, linear, scheme.tau == sp.oo)


def linear_step() -> Solves:
    """A step of a linear equation by one system that conjugate gradients solve."""
    once = replace(NO_SYSTEMS, method="cg", once=True)
    return Solves("Kacanov", sp.S.One, 1, "cg", once, accelerated=False, linear=True, steady=False)


def joint(parts: Sequence[Semidiscrete], s: Solves) -> Solves:
    """The same for several equations, whose linear systems are solved as one."""
    if s.kind in ("AOS", "Picard"):
        return s
    if s.theta != 1:
        raise NoOpinionError("theta schemes of systems are not derived a second time")
    if s.kind == "Newton":
        return replace(s, method="bicgstab")
    if all(not p.form.terms or _method(p, s.kind) == "elimination" for p in parts):
        return replace(s, method="elimination")
    symmetric = all(t.prefactor == 1 for p in parts for t in p.form.terms)
    return replace(s, method="cg" if symmetric else "bicgstab")


def _method(semi: Semidiscrete, kind: str) -> str:
    """Elimination for one divergence of two-point differences on a line; Newton needs Phi' at each slope."""
    form = semi.form
    line = len(semi.spacing) == 1 and len(form.terms) == 1 and form.terms[0].along_axes
    narrow = line and semi.gradient.rows[0][0][1].stencil.offsets == (0, 1)
    if kind == "Newton":
        inside = [e for t in form.terms for c in t.parts for e in (c.coefficient, *c.responses)]
        local = semi.cell is None and not any(e.has(form.state) for e in inside)
        return "elimination" if narrow and local else "bicgstab"
    if narrow:
        return "elimination"
    return "cg" if all(t.prefactor == 1 for t in form.terms) else "bicgstab"


def implicit(n: Numbers) -> bool:
    """Whether r = s - b u with b >= 0 and b, s free of u."""
    u, r = n.semi.form.state, n.semi.form.reaction
    return r == 0 or (not sp.simplify(sp.diff(r, u)).has(u) and bool(n.rate[0] >= 0))


def parts(n: Numbers) -> list[tuple[sp.Expr, sp.Expr]]:
    """(g, factor) of every part of the flux whose diffusivity varies with the slope."""
    found = [
        (group.diffusivity, part.coefficient * weight)
        for term in n.semi.form.terms
        for part in term.parts
        for group in part.groups or ()
        for weight in group.weights
    ]
    return [(g.subs(n.given), w.subs(n.given)) for g, w in found if g.has(SQUARED)]


def change(n: Numbers, g: sp.Expr) -> tuple[Answer | None, Answer | None]:
    """The stated ranges of 2 s g'/g and of g'; both are then questions about the problem."""
    slope = sp.diff(g, SQUARED)
    return (
        n.rows.find(POINTWISE, sp.together(2 * SQUARED * slope / g), SQUARED),
        n.rows.find(POINTWISE, slope, SQUARED),
    )


def decreasing(n: Numbers) -> bool:
    """Whether every part of the flux has a diffusivity that does not increase."""
    for g, factor in parts(n):
        known = [a for a in change(n, g) if a is not None]
        if not known or n.number(known[0].found.upper) > 0 or n.number(factor) < 0:
            return False
    return True


def elasticity(n: Numbers) -> Number:
    """sup |2 s g'/g|. Raises NoOpinionError if it is not stated or infinite."""
    largest = ZERO
    for g, _ in parts(n):
        relative = change(n, g)[0]
        if relative is None:
            raise NoOpinionError(f"the range of 2 s g'/g for g = {g} is not stated")
        low, high = n.rows.bounds(relative)
        largest = max(largest, -low, high)
    return largest
