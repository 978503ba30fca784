"""Errors in time: what each scheme is said to have, and how they are measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from pde2net.audit.exactly import NoOpinionError
from pde2net.audit.iterations import Solves, solves_of
from pde2net.audit.linear import fidelity_of, linear_fluxes
from pde2net.audit.order import Rate, Setting, StepError
from pde2net.audit.stacks import size_of
from pde2net.audit.stages import polynomial
from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.language.schemes import CELLS, DuFortFrankel, Explicit, Multigrid, Scheme
from pde2net.language.solvers import Kacanov, Newton
from pde2net.network import Network
from pde2net.scheme.cell import Cell
from pde2net.scheme.method import Update
from pde2net.scheme.registry import shortest, update_of
from pde2net.scheme.stack import ALPHA, TAU, Stack
from pde2net.scheme.unet import UNet

CYCLES = 400
TIGHT = sp.Rational(1, 10**15)


@dataclass(frozen=True)
class InTime:
    """The order in tau, the leading error where it is known, and how errors are measured."""

    order: int
    leading: sp.Expr | None
    measure: StepError


def in_time(network: Network, semi: Semidiscrete) -> InTime:
    """Raises NoOpinionError for schemes that are not known here."""
    scheme, certificate = network.scheme, network.certificate
    tau = certificate.tau if certificate.tau.is_Symbol else sp.Symbol("tau", positive=True)
    second = sp.Symbol(f"{semi.form.state}_tt", real=True)
    size = size_of(scheme)
    if isinstance(scheme, Explicit) and scheme.fidelity == "implicit":
        first, b = sp.Symbol(f"{semi.form.state}_t", real=True), fidelity_of(semi.form)
        return InTime(1, tau * (second / 2 + b * first), shortened_error(b))
    if size is not None:
        return InTime(1, size * tau * second / 2, explicit_error)
    if isinstance(scheme, (*CELLS, Multigrid)):
        return InTime(*orders(scheme, semi, tau), network_error(scheme))
    if isinstance(scheme, DuFortFrankel):
        return InTime(2, network.update.values[ALPHA] * tau**2 * second, two_steps)
    if not isinstance(network.update, Stack):
        raise NoOpinionError(f"the order of {scheme.label} schemes cannot be measured")
    if network.update.order == 2:
        return InTime(2, None, network_error(scheme))
    if getattr(scheme, "freeze", "") == "cycle" and not linear_fluxes(semi.form):
        return InTime(1, None, network_error(scheme))
    p1, p2 = (sp.Rational(str(abs(polynomial(scheme)[k]))) for k in (1, 2))
    return InTime(1, (p1**2 - 2 * p2) / (2 * p1) * tau * second, network_error(scheme))


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


def explicit_error(rate: Rate, u: Array, setting: Setting) -> Callable[[float], float]:
    """(exact step - explicit step)/tau, from one step of Runge and Kutta."""

    def error(tau: float) -> float:
        k1, k2, k3, k4 = _slopes(rate, u, tau)
        return float(abs((2 * k2 + 2 * k3 + k4 - 5 * k1) / 6).max())

    return error


def shortened_error(b: sp.Expr) -> StepError:
    """The same of a step of size tau/(1 + tau b)."""

    def made(rate: Rate, u: Array, setting: Setting) -> Callable[[float], float]:
        weight = float(b.subs(setting.values))

        def error(tau: float) -> float:
            k1, k2, k3, k4 = _slopes(rate, u, tau)
            left = tau * weight / (1 + tau * weight) * k1
            return float(abs((2 * k2 + 2 * k3 + k4 - 5 * k1) / 6 + left).max())

        return error

    return made


def _slopes(rate: Rate, u: Array, tau: float) -> tuple[Array, Array, Array, Array]:
    k1 = rate(u)
    k2 = rate(u + tau / 2 * k1)
    k3 = rate(u + tau / 2 * k2)
    return k1, k2, k3, rate(u + tau * k3)


def _solution(rate: Rate, u: Array, tau: float) -> Array:
    """The change of u in the time tau."""
    k1, k2, k3, k4 = _slopes(rate, u, tau)
    return np.asarray(tau / 6 * (k1 + 2 * k2 + 2 * k3 + k4))


def two_steps(rate: Rate, u: Array, setting: Setting) -> Callable[[float], float]:
    """The residual of Du Fort-Frankel with alpha = 1/tau_0 at a solution; alpha has no role in the order."""
    scale: list[float] = []

    def error(tau: float) -> float:
        scale.append(1 / tau)
        after, before = _solution(rate, u, 16 * tau), _solution(rate, u, -16 * tau)
        central = (after - before) / (32 * tau) - rate(u)
        return float(abs(central + scale[0] * (after + before)).max())

    return error


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


def network_error(scheme: Scheme) -> StepError:
    """(exact step - step of the network)/T, or of a cycle, that covers the time T."""
    update = tight(shortest(update_of(scheme)))

    def made(rate: Rate, u: Array, setting: Setting) -> Callable[[float], float]:
        graph = build(setting.semi, TAU, update)
        time = float(update.time.subs(TAU, 1)) if isinstance(update, Stack) else 1.0

        def error(total: float) -> float:
            total = 16 * total
            network = Interpreter(graph, {**setting.values, TAU: sp.Float(total / time, 17)})
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                moved = network(u, setting.fields) - u
            return float(abs((moved - _solution(rate, u, total)) / total).max())

        return error

    return made
