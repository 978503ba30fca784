"""Counterexamples to the convergence of a solver: residuals that grow when its iterations are run again."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.graph.build import build, explicit_steps
from pde2net.graph.interpret import Interpreter
from pde2net.network import Network
from pde2net.scheme.cell import Cell
from pde2net.scheme.method import Update
from pde2net.scheme.registry import shortest
from pde2net.scheme.stack import Stack

FEW, MANY = 4, 8  # cycles
LEAST = 1e-6  # of a residual that is compared, relative to the input


def growth(
    network: Network,
    semi: Semidiscrete,
    values: Mapping[sp.Symbol, sp.Expr],
    u0: Array,
    fields: Mapping[str, Array],
) -> float:
    """Of the residual of the first step: from its start to its end, of cycles from the 4th to the 8th."""
    update, tau = shortest(network.update), network.certificate.tau
    if isinstance(update, Stack):
        return 0.0
    steady = bool(tau.is_infinite)
    size = sp.S.One if steady else tau
    explicit = Interpreter(explicit_steps(semi, size, 1), values)
    theta = float(update.theta) if isinstance(update, Cell) else 1.0

    def rate(v: Array) -> Array:
        """tau F(v)."""
        return np.asarray(explicit(v, fields) - v)

    def left(v: Array) -> float:
        change = 0 * v if steady else v - u0
        return float(np.linalg.norm(change - (1 - theta) * rate(u0) - theta * rate(v)))

    def after(made: Update) -> Array:
        return Interpreter(build(semi, tau, made), values)(u0, fields)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if isinstance(update, Cell):
            if update.solver is None:
                return 0.0
            before = float(np.linalg.norm(rate(u0)))
            end = after(replace(update, solver=update.solver.counted()))
        else:
            plain = replace(update, tol=None, gradients="unrolled")
            before = left(after(replace(plain, cycles=FEW)))
            end = after(replace(plain, cycles=MANY))
        last = left(end)
    if before <= LEAST * float(np.linalg.norm(u0)):
        return 0.0
    return last / before - 1 if math.isfinite(last) else math.inf
