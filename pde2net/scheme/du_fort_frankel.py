"""Du Fort-Frankel: u+ = a (u + F(u)/(2 alpha)) + (1 - a) u-, a = 4 tau alpha/(1 + 2 tau alpha).

From (u+ - u-)/(2 tau) = F(u) - alpha (u+ - 2 u + u-), started with u- = u. Its network is a residual stack
whose blocks have a second skip from two blocks back (Alt et al. 2023, section 3.2; Du Fort, Frankel 1953).
"""

from __future__ import annotations

import sympy as sp

from pde2net.language.schemes import DuFortFrankel
from pde2net.scheme.method import Method, counted, staged
from pde2net.scheme.stack import ALPHA, PREVIOUS, RATE, STEP, TAU, Stack, U

EXTRAPOLATION = sp.Symbol("_a", positive=True)


def stack(scheme: DuFortFrankel, alpha: sp.Expr) -> Stack:
    a = 4 * TAU * ALPHA / (1 + 2 * TAU * ALPHA)
    return Stack(
        U + RATE / (2 * ALPHA),
        EXTRAPOLATION * STEP + (1 - EXTRAPOLATION) * PREVIOUS,
        ({EXTRAPOLATION: a},) * scheme.steps,
        TAU * scheme.steps,
        values={ALPHA: alpha},
        repeated=True,
    )


def words(scheme: DuFortFrankel, update: Stack, tau: sp.Expr, reaction: bool) -> str:
    text = (
        f"alpha = {update.values[ALPHA]}, {counted(scheme.steps)}: u <- a (u + F(u)/(2 alpha)) + (1 - a) u-, "
        "a = 4 tau alpha/(1 + 2 tau alpha), starting from u- = u"
    )
    return staged(scheme, tau, text, reaction)


METHOD = Method(DuFortFrankel, stack, words)
