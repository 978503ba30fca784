"""Systems of evolution equations: one divergence form per unknown, in which the others are known fields.

That is how an equation looks at one instant, so what holds for every value of these fields holds for the
system, step by step. The unknowns are the channels of one image.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.language.problem import Problem
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import Term

STATE = sp.Symbol("_state", real=True)  # all unknowns, stacked


@dataclass(frozen=True)
class SystemForm:
    """The divergence forms of the equations of `problem`, in their order."""

    problem: Problem
    parts: tuple[DivergenceForm, ...]

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        return self.problem.space

    @property
    def state(self) -> sp.Symbol:
        return STATE

    @property
    def states(self) -> tuple[sp.Symbol, ...]:
        """The symbols of the unknowns."""
        return tuple(part.state for part in self.parts)

    @property
    def fields(self) -> tuple[sp.Symbol, ...]:
        """Known fields, without the unknowns."""
        names = {s.name for s in self.states}
        found = {f for part in self.parts for f in part.fields if f.name not in names}
        return tuple(sorted(found, key=lambda f: f.name))

    @property
    def terms(self) -> tuple[Term, ...]:
        return tuple(t for part in self.parts for t in part.terms)

    @property
    def reaction(self) -> sp.Expr:
        """A reaction of one of the equations, 0 if none has any."""
        return next((part.reaction for part in self.parts if part.reaction != 0), sp.S.Zero)

    @property
    def lagging(self) -> frozenset[sp.Symbol]:
        return frozenset(s for part in self.parts for s in part.lagging)

    @property
    def slopes(self) -> tuple[sp.Symbol, ...]:
        return tuple(s for part in self.parts for s in part.slopes)

    @property
    def curvatures(self) -> tuple[sp.Symbol, ...]:
        return tuple(part.curvature for part in self.parts)

    def others(self, part: DivergenceForm) -> set[sp.Symbol]:
        """The fields of a part that are unknowns of other equations."""
        names = {s.name for s in self.states}
        return {f for f in part.fields if f.name in names}

    @property
    def coupled(self) -> bool:
        return any(self.others(part) for part in self.parts)
