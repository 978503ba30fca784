"""What a figure of a certificate is about, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.figures.factors import Amplification, Array, amplification
from pde2net.scheme.stack import TAU
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.claims import table
from pde2net.verify.facts import Facts
from pde2net.verify.plan import Plan


@dataclass(frozen=True)
class Scene:
    """What is drawn: a scheme with its operators and step, facts, and the claims about it."""

    plan: Plan
    facts: Facts
    claims: Mapping[str, Claim]

    @property
    def semi(self) -> Semidiscrete:
        return self.plan.semi

    @property
    def values(self) -> Mapping[sp.Symbol, sp.Expr]:
        """Those that are given; of parameters of filters those of the first one."""
        problem = self.semi.form.problem
        own = [s for s in problem.symbols if s not in problem.parameters and s.name in problem.arrays]
        return {**problem.parameters, **{s: problem.arrays[s.name].entries[0] for s in own}}

    @cached_property
    def case(self) -> Case:
        """The same case with the step left open."""
        return Case(self.semi, self.facts, self.plan.scheme, self.plan.update, TAU, None)

    @cached_property
    def stability(self) -> Claim:
        """l2 stability, or frozen stability where that is not applicable, with the step left open."""
        found = table(self.case)
        claim = found["l2_stability"](self.case)
        return found["frozen_stability"](self.case) if claim.status == Status.NOT_APPLICABLE else claim

    @cached_property
    def amplification(self) -> Amplification | None:
        """The factor of a mode; None where it is not drawn."""
        return amplification(self.plan.update, self.step, self.number)

    @property
    def verdict(self) -> Claim:
        """What is claimed about the step itself."""
        return self.claims[self.stability.name]

    @property
    def limit(self) -> sp.Expr | None:
        """The largest proved tau, in the parameters and the spacing; None if none is proved."""
        claim = self.stability
        condition = claim.condition
        if claim.status not in (Status.PROVED_IF, Status.LINEARISED) or not isinstance(condition, sp.Le):
            return None
        limit: sp.Expr = condition.rhs
        return limit

    @property
    def open(self) -> bool:
        """Whether tau contains symbols of its own, so that no value of it is meant."""
        known = {*self.semi.form.problem.symbols, *(s for h in self.semi.spacing for s in h.free_symbols)}
        return bool(self.plan.tau.free_symbols - known)

    @property
    def step(self) -> float:
        """tau; its limit where tau is open and a limit is proved."""
        return self.number(self.limit if self.open and self.limit is not None else self.plan.tau)

    def number(self, expression: sp.Expr) -> float:
        """`expression` with every parameter at its value, and other symbols at 1; nan if not real."""
        valued = expression.subs(self.values)
        try:
            return float(valued.subs(dict.fromkeys(valued.free_symbols, 1)))
        except TypeError:
            return float("nan")


def sample(expression: sp.Expr, variable: sp.Symbol, points: Array) -> Array:
    """Values at `points`; nan where the expression is not defined or not real."""
    function = sp.lambdify(variable, expression, "mpmath")

    def value(point: float) -> float:
        try:
            return float(function(point))
        except (ArithmeticError, TypeError, ValueError):
            return float("nan")

    return np.array([value(float(p)) for p in points])
