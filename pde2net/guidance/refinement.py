"""Records of a convergence test: runs on ever finer grids or with ever smaller steps, and observed orders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import sympy as sp

from pde2net.guidance.notation import notation
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.text.printer import equation_line

ROUNDING = 1e-12  # relative to the solution: errors below are those of floating point


@dataclass(frozen=True)
class Level:
    """One run, and the error e of its result.

    shape    numbers of cells
    spacing  of each axis
    tau      the step; oo for a steady state
    steps    their number, or that of cycles
    l2       sqrt(h_1 .. h_d sum e²), over all unknowns
    maximum  max |e|
    """

    shape: tuple[int, ...]
    spacing: tuple[sp.Expr, ...]
    tau: sp.Expr
    steps: int
    l2: float
    maximum: float


@dataclass(frozen=True)
class Refinement:
    """Runs of which each has half the spacing, or half the step, of the one before.

    levels  the coarsest first
    size    of the solution, max |u|, against which errors of rounding are judged
    """

    levels: tuple[Level, ...]
    size: float

    @property
    def orders(self) -> tuple[float | None, ...]:
        """log2 of the quotients of successive l2 errors; None where the smaller one is that of rounding."""
        return self._slopes([level.l2 for level in self.levels])

    @property
    def orders_of_maximum(self) -> tuple[float | None, ...]:
        """The same of max norms."""
        return self._slopes([level.maximum for level in self.levels])

    @property
    def order(self) -> float | None:
        """The observed order, in l2: the slope between the two finest levels."""
        return self.orders[-1]

    def _slopes(self, errors: Sequence[float]) -> tuple[float | None, ...]:
        pairs = pairwise(errors)
        least = ROUNDING * self.size
        return tuple(math.log2(e / finer) if finer > least else None for e, finer in pairs)


@dataclass(frozen=True)
class Convergence:
    """What `pde2net.convergence` measured.

    problem  without a source
    scheme   of the coarsest grid
    exact    the solution of each unknown
    source   u_t - F(u), which was added to each equation; 0 where the solution satisfies it as it is
    end      the time at which errors are measured, None for a steady state
    space    errors against the exact solution, h halved
    time     errors against a much smaller step, tau halved, on the coarsest grid; None for a steady state

    `space.order` and `time.order` are the observed orders.
    """

    problem: Problem
    scheme: Scheme
    exact: tuple[sp.Expr, ...]
    source: tuple[sp.Expr, ...]
    end: sp.Expr | None
    space: Refinement
    time: Refinement | None

    @property
    def manufactured(self) -> bool:
        """Whether a source had to be added."""
        return any(s != 0 for s in self.source)

    def __str__(self) -> str:
        """The orders, then the errors they come from."""
        return "\n".join(_lines(self))


def _lines(found: Convergence) -> Iterator[str]:
    names = [str(u.func) for u in found.problem.unknowns]
    sourced = [n for n, s in zip(names, found.source, strict=True) if s != 0]
    added = f"added to the equation of {', '.join(sourced)}" if sourced else "none is needed"
    yield f"scheme    {notation(found.scheme)}"
    yield f"equation  {equation_line(found.problem)}"
    for name, solution in zip(names, found.exact, strict=True):
        yield f"exact     {name} = {solution}"
    yield f"source    {added}"
    yield f"errors    of the {'steady state' if found.end is None else f'result at time {found.end}'}"
    yield ""
    yield f"in space: order {_order(found.space.order)}"
    yield from _table(found.space, ("cells", "h", "tau", "steps"))
    if found.time is not None:
        shape = " x ".join(map(str, found.time.levels[0].shape))
        yield ""
        yield f"in time: order {_order(found.time.order)}, on {shape} cells"
        yield from _table(found.time, ("tau", "steps"))


def _table(found: Refinement, columns: tuple[str, ...]) -> Iterator[str]:
    """The levels, aligned, with what `columns` names of each."""
    rows = [[*columns, "l2", "order", "max", "order"]]
    orders = zip((None, *found.orders), (None, *found.orders_of_maximum), strict=True)
    for k, (level, pair) in enumerate(zip(found.levels, orders, strict=True)):
        texts = {
            "cells": " x ".join(map(str, level.shape)),
            "h": ", ".join(f"{float(h):.3g}" for h in dict.fromkeys(level.spacing)),
            "tau": f"{float(level.tau):.3g}",
            "steps": str(level.steps),
        }
        l2, maximum = ("" if k == 0 else _order(order) for order in pair)
        errors = [f"{level.l2:.2e}", l2, f"{level.maximum:.2e}", maximum]
        rows.append([*(texts[name] for name in columns), *errors])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _order(order: float | None) -> str:
    return "none" if order is None else f"{order:.2f}"
