"""Time as a variable of ranges: t in [0, T), for coefficients that contain it (docs/theory.md, 4.17)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.errors import DeclarationError, EquationError
from pde2net.language.exact import at
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.normalise.time import moving
from pde2net.scheme.method import Update
from pde2net.scheme.registry import update_of
from pde2net.scheme.stack import TAU
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.finite import require_finite_until
from pde2net.verify.ranges import UndecidedError


@dataclass(frozen=True)
class Clock:
    """t in [0, end), in terms of `symbol` in [0, oo): t itself, or t = end s/(1 + s).

    time   the symbol of t in the problem
    until  the last time that matters: end for continuous coefficients, whose bounds hold there too
    """

    time: sp.Symbol
    until: sp.Expr = sp.oo
    end: sp.Expr = sp.oo

    @property
    def symbol(self) -> sp.Symbol:
        return sp.Symbol("_s" if self.end.is_finite else self.time.name, nonnegative=True)

    @property
    def value(self) -> sp.Expr:
        s = self.symbol
        return self.end * s / (1 + s) if self.end.is_finite else s

    def hidden(self, g: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
        """`g` with a positive parameter for each positive expression in t alone; their meaning.

        A bound for all values of these parameters is one for all t. Raises UndecidedError if t is left.
        """
        names: dict[sp.Expr, sp.Symbol] = {}
        hidden = self._hidden(sp.expand_power_exp(g), names)
        if self.symbol in hidden.free_symbols:
            raise UndecidedError(f"the diffusivity {g} contains an expression in t of unknown sign")
        return hidden, {name: e for e, name in names.items()}

    def _hidden(self, e: sp.Expr, names: dict[sp.Expr, sp.Symbol]) -> sp.Expr:
        if e.free_symbols == {self.symbol} and e.is_positive:
            return names.setdefault(e, sp.Symbol(f"_c{len(names) + 1}_", positive=True))
        if self.symbol not in e.free_symbols or not e.args:
            return e
        return e.func(*(self._hidden(a, names) for a in e.args))


def require_time(problem: Problem, scheme: Scheme) -> None:
    """Raises DeclarationError for a steady state of coefficients that contain t."""
    if problem.depends_on_time and scheme.tau == sp.oo:
        raise DeclarationError(
            f"tau = oo asks for a steady state, but coefficients depend on {problem.time}: "
            "take a finite step."
        )


def of_network(semi: Semidiscrete, scheme: Scheme) -> Clock | None:
    """The times up to the last one at which the network evaluates coefficients; None if it is no number."""
    clock = update_of(scheme, sp.S.One).last_clock
    last, tau = (e.subs(TAU, scheme.tau).subs(semi.form.problem.parameters) for e in (clock, TAU))
    if not (last.is_number and last.is_finite):
        return None
    time = semi.form.problem.time
    jumps = any(p.has(time) for e in moving(semi.form) for p in e.atoms(sp.Piecewise, sp.sign, sp.Heaviside))
    return Clock(time, last, last + tau if jumps else last)


def require_values(semi: Semidiscrete, update: Update, tau: sp.Expr) -> None:
    """Raises EquationError for coefficients that have no real value at the time of a step."""
    problem = semi.form.problem
    if not problem.depends_on_time or tau.subs(problem.parameters).free_symbols:
        return
    coefficients = [e for e in moving(semi.form) if problem.time in e.free_symbols]
    end = update.last_clock.subs(TAU, tau).subs(problem.parameters)
    try:
        for coefficient in coefficients:
            require_finite_until(coefficient.subs(problem.parameters), problem.time, end)
        return
    except UndecidedError:  # at some time, but perhaps at none that the network takes
        pass
    for number, clock in enumerate(update.clocks()):
        now = clock.subs(TAU, tau).subs(problem.parameters)
        for coefficient in coefficients:
            value = at(coefficient.subs(problem.parameters), {problem.time: now})
            if value.has(sp.nan, sp.zoo, sp.oo, sp.S.NegativeInfinity) or not _real(value):
                raise EquationError(
                    f"{coefficient} has no value at {problem.time} = {now}, where step or cycle {number + 1} "
                    "evaluates it."
                )


def _real(value: sp.Expr) -> bool:
    """Whether no number in an expression is known to be complex, such as acos(2)."""
    numbers = (e for e in sp.preorder_traversal(value) if isinstance(e, sp.Expr) and e.is_number)
    return all(e.is_extended_real is not False for e in numbers)


def until_the_end(claim: Claim, until: sp.Expr) -> Claim:
    """The claim about a network whose bounds hold for t < T alone: its limit would be one for other T too."""
    if not until.is_finite:
        return claim
    if claim.status in (Status.NOT_APPLICABLE, Status.REFUTED, Status.UNKNOWN):
        return replace(claim, limit=None, condition=None, hypotheses=())
    said = claim.because + because("until", time=until)
    condition = claim.condition if claim.status == Status.PROVED_IF else None
    return replace(claim, limit=None, condition=condition, because=said)
