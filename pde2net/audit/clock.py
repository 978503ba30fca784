"""Coefficients that contain t: the times that a certificate is about, and the problem at one of them."""

from __future__ import annotations

import re

import sympy as sp

from pde2net.audit.exactly import drawn
from pde2net.errors import RecheckError
from pde2net.language.expressions import from_text
from pde2net.language.problem import Problem
from pde2net.language.schemes import CELLS, Multigrid, Scheme
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.time import moving
from pde2net.verify.certificate import Certificate
from pde2net.verify.clock import Clock

_JUMPS = (sp.Piecewise, sp.sign, sp.Heaviside)


def last_time(scheme: Scheme, tau: sp.Expr) -> sp.Expr:
    """Of all times at which the network evaluates coefficients (docs/theory.md, 4.17)."""
    steps = sp.Integer(scheme.repeats)
    if isinstance(scheme, (*CELLS, Multigrid)):
        return (steps - 1 + getattr(scheme, "theta", 1)) * tau
    begun = sp.Rational(1, 2) if getattr(scheme, "order", 1) == 2 else 1  # of the last step or cycle
    return (steps - begun) * scheme.span * tau


def clock_of(certificate: Certificate, form: DivergenceForm) -> Clock | None:
    """The times whose coefficients are bounded, as the claims say; None if there are no such coefficients.

    Raises RecheckError if claims are about other times than those of the network.
    """
    problem = form.problem
    if not problem.depends_on_time:
        return None
    said = [found["time"] for c in certificate.claims.values() if (found := c.said("until")) is not None]
    stated = {s for a in certificate.ranges for s in (*a.function.free_symbols, a.variable)}
    finite = any(s.name.strip("|") == "_s" for s in stated)
    if not (said or finite):
        return Clock(problem.time)
    last, tau = (
        e.subs(problem.parameters)
        for e in (last_time(certificate.declaration.scheme, certificate.tau), certificate.tau)
    )
    if last.free_symbols or any(from_text(text, {}) != last for text in said):
        raise RecheckError(f"the network evaluates coefficients up to the time {last}")
    jumps = any(p.has(problem.time) for e in moving(form) for p in e.atoms(*_JUMPS))
    return Clock(problem.time, last, last + tau if jumps else last)


def at_time(problem: Problem, now: sp.Expr) -> Problem:
    """The problem with the coefficients of one time; inside, what holds at sides is of no matter."""
    still = {u: sp.Function(f"_{u.func}")(*problem.space) for u in problem.unknowns}
    rhs = problem.rhs.xreplace(still).subs(problem.time, now).xreplace({v: k for k, v in still.items()})
    used = {s: v for s, v in problem.parameters.items() if s in rhs.free_symbols}
    (equation,) = problem.equations
    inner = dict(problem.boundary)
    return problem.changed(equation=sp.Eq(equation.lhs, rhs, evaluate=False), boundary=inner, parameters=used)


def hidden_values(certificate: Certificate, clock: Clock | None, draw: int) -> dict[sp.Symbol, sp.Expr]:
    """Positive numbers, drawn for the symbols of stated ranges that stand for functions of t, and for t."""
    if clock is None:
        return {}
    found = {s for a in certificate.ranges for s in a.function.free_symbols}
    chosen = {s for s in found if re.fullmatch(r"_c\d+_", s.name) or s == clock.time}
    return {s: abs(v) for s, v in drawn(chosen, draw).items()}
