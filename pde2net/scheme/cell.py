"""Implicit schemes: v = u + tau ((1 - theta) F(u) + theta F(v)), solved by iterating a recurrent cell.

The implicit scheme has theta = 1, Crank-Nicolson 1/2. F(v) = -A(v) v + r(v) is brought to systems
v + theta tau (A v + b v) = rhs by lagging (Kacanov) or linearising (Newton); AOS solves one such system per
axis and step, with A from the old state (Alt et al. 2023, section 3.3; Weickert et al. 1998).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import sympy as sp

from pde2net.language.schemes import AOS, Implicit, Theta
from pde2net.language.solvers import Solver
from pde2net.scheme.stack import TAU

OMEGA = sp.Symbol("_omega", positive=True)  # no parameter of an equation is called so
MARGIN = sp.Symbol("_margin", real=True)


class ImplicitSteps:
    """What networks of implicit steps have in common.

    steps   their number
    theta   weight of the new state
    steady  whether tau is infinite: F(v) = 0 is solved from the input on
    """

    steps: int
    theta: sp.Expr
    steady: bool

    @property
    def step(self) -> sp.Expr:
        """The factor of F(v): theta tau, or 1 for the steady state."""
        return sp.S.One if self.steady else self.theta * TAU

    def clock(self, step: int | sp.Expr) -> sp.Expr:
        """The time at which a step evaluates F, that of its end for theta = 1."""
        return (step + self.theta) * TAU

    @property
    def last_clock(self) -> sp.Expr:
        return self.clock(self.steps - 1)

    def clocks(self) -> Iterator[sp.Expr]:
        """All times at which F is evaluated."""
        return (self.clock(step) for step in range(self.steps))

    @property
    def mass(self) -> sp.Expr:
        """The factor of v."""
        return sp.S.Zero if self.steady else sp.S.One


@dataclass(frozen=True)
class Cell(ImplicitSteps):
    """A network of `steps` implicit steps.

    solver  of the system of a step; None for AOS, which solves linear systems axis by axis
    order   in time
    values  of OMEGA, the step of a descent, and of MARGIN, by which its residual is divided for a bound
    """

    architecture: ClassVar[str] = "recurrent cell"
    steps: int
    theta: sp.Expr
    solver: Solver | None
    steady: bool
    order: int = 1
    values: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)


def cell(scheme: Implicit | Theta | AOS) -> Cell:
    """The cell of an implicit scheme."""
    if isinstance(scheme, AOS):
        return Cell(scheme.steps, sp.S.One, None, steady=False)
    theta = scheme.theta if isinstance(scheme, Theta) else sp.S.One
    order = 2 if theta == sp.Rational(1, 2) else 1
    return Cell(scheme.steps, theta, scheme.solver, scheme.tau == sp.oo, order)
