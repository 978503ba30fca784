"""Errors in time of implicit steps: orders of iterates, and how they are measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.audit.iterations import Solves, solves_of
from pde2net.audit.order import Rate, Setting, StepError
from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.language.schemes import CELLS, Multigrid, Scheme
from pde2net.language.solvers import Kacanov, Newton
from pde2net.scheme.cell import Cell
from pde2net.scheme.method import Update
from pde2net.scheme.registry import shortest, update_of
from pde2net.scheme.stack import TAU
from pde2net.scheme.unet import UNet

CYCLES = 400
TIGHT = sp.Rational(1, 10**15)


def orders(scheme: Scheme, semi: Semidiscrete, tau: sp.Symbol) -> tuple[int, sp.Expr | None]:
    """(order, leading error or None).

    The iterates of a step agree with its solution up to the power of tau that `accuracy` gives.
    """
    second, third = (sp.Symbol(f"{semi.form.state}_{k * 't'}", real=True) for k in (2, 3))
    if not isinstance(scheme, CELLS):
        return 1, -tau * second / 2
    s = solves_of(scheme, semi)
    if s.single:
        return 1, tau * second / 2
    if s.kind == "AOS":
        return 1, None
    full = 2 if 2 * s.theta == 1 else 1
    error = -(tau**2) * third / 12 if full == 2 else (1 - 2 * s.theta) * tau * second / 2
    power = accuracy(s, semi)
    if power is None or power >= full + 2:
        return full, error
    return min(full, power - 1), None


def accuracy(s: Solves, semi: Semidiscrete) -> int | None:
    """None: no power of tau is missing."""
    rate = sp.simplify(-sp.diff(semi.form.reaction, semi.form.state))
    lagged = s.kind == "Kacanov" and rate != 0 and bool(rate.is_nonpositive)
    if s.count is None or (s.linear and s.kind != "Picard" and not lagged):
        return None
    power = 1  # v_0 = u
    for _ in range(min(s.count, 5)):
        power = 2 * power + 1 if s.kind == "Newton" else power + 1
    return power


def tight(update: Update) -> Any:
    """The update with nothing left to a tolerance."""
    if isinstance(update, UNet):
        return replace(update, cycles=CYCLES, tol=TIGHT, on_failure="best")
    if not isinstance(update, Cell) or update.solver is None:
        return update
    solver = update.solver
    changes: dict[str, Any] = {"on_failure": "best"}
    if solver.tol is not None:
        changes["tol"] = TIGHT
    if isinstance(solver, Kacanov | Newton):
        changes |= {"linear_tol": TIGHT, "linear_iterations": 500}
    return replace(update, solver=replace(solver, **changes))


def step_error(scheme: Scheme, solution: Callable[[Rate, Array, float], Array]) -> StepError:
    """(exact step - step of the network)/tau."""
    update = tight(shortest(update_of(scheme)))

    def made(rate: Rate, u: Array, setting: Setting) -> Callable[[float], float]:
        graph = build(setting.semi, TAU, update)

        def error(total: float) -> float:
            total = 16 * total
            network = Interpreter(graph, {**setting.values, TAU: sp.Float(total, 17)})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                moved = network(u, setting.fields) - u
            return float(abs((moved - solution(rate, u, total)) / total).max())

        return error

    return made


def implicit(scheme: Scheme) -> bool:
    return isinstance(scheme, (*CELLS, Multigrid))
