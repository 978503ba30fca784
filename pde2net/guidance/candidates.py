"""The schemes that are tried: all kinds, each so that it reaches the stopping time exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sympy as sp

from pde2net.language.schemes import (
    AOS,
    FED,
    FSI,
    RKL,
    DuFortFrankel,
    Explicit,
    Implicit,
    Multigrid,
    Scheme,
    Theta,
)
from pde2net.language.solvers import Kacanov
from pde2net.language.stopping import fewest
from pde2net.scheme.rkc import RKC

MULTIGRID_FACTOR = sp.Rational(1, 5)  # residual per V(2, 2) cycle that the model assumes
LIMITED = (Explicit, DuFortFrankel, FSI, FED, RKL)  # in this order, where there is a limit for the step


@dataclass(frozen=True)
class Request:
    """What is asked for.

    time       to be reached
    cycles     numbers of cycles of FSI and FED
    steps      number of steps of the schemes that take long ones
    tolerance  relative residual to which they solve their equations
    """

    time: sp.Expr
    cycles: Sequence[int]
    steps: int
    tolerance: sp.Expr


def limited(request: Request, limit: sp.Expr) -> Iterator[Scheme]:
    """Schemes whose counts follow from the largest explicit step."""
    time, most = request.time, fewest(request.time, limit)
    yield Explicit.for_time(time, limit=limit)
    yield DuFortFrankel.for_time(time, limit=limit)
    # With as many cycles as the explicit scheme has steps, nothing is gained.
    for kind in (FSI, FED):
        for cycles in sorted({min(c, most) for c in request.cycles}):
            yield kind.for_time(time, limit=limit, cycles=cycles)
    for order in (1, 2):
        for super_steps in (RKL, RKC):
            yield super_steps.for_time(time, limit=limit, order=order, steps=min(request.steps, most))


def unlimited(request: Request, limit: sp.Expr | None, dimension: int) -> Iterator[Scheme]:
    """Schemes that solve equations, with steps as long as asked for, though never more than explicit ones."""
    time, tol = request.time, request.tolerance
    steps = request.steps if limit is None else min(request.steps, fewest(time, limit))
    semi_implicit = Kacanov(iterations=1, linear_tol=tol / 100)
    solved = Kacanov(tol=tol)
    yield Implicit.for_time(time, steps=steps, solver=semi_implicit)
    yield Implicit.for_time(time, steps=steps, solver=solved)
    yield Theta.for_time(time, steps=steps, solver=solved)
    if dimension > 1:
        yield AOS.for_time(time, steps=steps)
    cycles = max(1, int(sp.ceiling(sp.log(tol) / sp.log(MULTIGRID_FACTOR))))
    yield Multigrid.for_time(time, steps=steps, pre=2, post=2, cycles=cycles)
