"""The largest explicit step, from which the counts of all explicit-type schemes follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, semidiscretise
from pde2net.errors import DeclarationError
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Explicit
from pde2net.normalise.recognise import recognise
from pde2net.verify.facts import Facts, gather
from pde2net.verify.plan import planned


@dataclass(frozen=True)
class Prepared:
    """A problem on a grid with its operators and what is known of them: what all schemes share."""

    problem: Problem
    grid: Grid
    semi: Semidiscrete
    facts: Facts

    def limit(self, fidelity: str = "explicit") -> sp.Expr:
        """The largest explicit step that is proved, at the values of the parameters.

        Raises StabilityError or DeclarationError if none is.
        """
        scheme = Explicit(None, fidelity=fidelity)
        return planned(self.semi, scheme, self.facts).tau.subs(self.problem.parameters)


def prepared(problem: Any, grid: Any = None) -> Prepared:
    """Raises EquationError for equations that are no diffusion PDE, DeclarationError for other objects."""
    grid = Grid() if grid is None else grid
    if not isinstance(problem, Problem):
        raise DeclarationError(f"problem must be a Problem(sp.Eq(u.diff(t), ...)), not {problem!r}.")
    if not isinstance(grid, Grid):
        raise DeclarationError(f"grid must be a Grid(spacing=...), not {grid!r}.")
    if len(problem.equations) > 1:
        raise DeclarationError("Advice is given about one equation, not about systems.")
    semi = semidiscretise(recognise(problem), grid)
    return Prepared(problem, grid, semi, gather(semi))


def explicit_limit(problem: Any, grid: Any = None, fidelity: str = "explicit") -> sp.Expr:
    """2/(L ‖K‖²), or what replaces it with reaction terms; raises as `prepared` and `limit` do."""
    return prepared(problem, grid).limit(fidelity)
