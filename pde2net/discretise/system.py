"""The operators of a system: those of its equations, side by side."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.discretise.semidiscretise import Semidiscrete, semidiscretise
from pde2net.language.grid import Grid
from pde2net.normalise.system import SystemForm


@dataclass(frozen=True)
class SemidiscreteSystem:
    """`parts` in the order of the equations, all on one grid."""

    form: SystemForm
    grid: Grid
    parts: tuple[Semidiscrete, ...]

    @property
    def spacing(self) -> tuple[sp.Expr, ...]:
        return self.parts[0].spacing

    @property
    def origin(self) -> tuple[sp.Expr, ...]:
        return self.parts[0].origin

    @property
    def boundary(self) -> tuple[str, ...]:
        return self.parts[0].boundary

    @property
    def second(self) -> tuple[Bank, ...]:
        return tuple(bank for part in self.parts for bank in part.second)

    @property
    def smallest(self) -> tuple[int, ...]:
        return tuple(map(max, zip(*(part.smallest for part in self.parts), strict=True)))

    @property
    def banks(self) -> tuple[Bank, ...]:
        return tuple(dict.fromkeys(bank for part in self.parts for bank in part.banks))


def semidiscretise_system(form: SystemForm, grid: Grid) -> SemidiscreteSystem:
    """The operators of every equation on `grid`."""
    return SemidiscreteSystem(form, grid, tuple(semidiscretise(part, grid) for part in form.parts))
