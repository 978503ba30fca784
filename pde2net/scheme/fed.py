"""Fast explicit diffusion: explicit steps tau_i = tau/(2 cos^2(pi (2 i + 1)/(4 n + 2))), i = 0 .. n - 1.

A cycle covers tau n (n + 1)/3 and is the polynomial of the FSI cycle in exact arithmetic; single steps
are unstable, so their order matters in floating point (Grewenig, Weickert, Bruhn 2010). They are taken in
Leja order (Reichel, BIT 30, 1990), in which no partial product grows.
"""

from __future__ import annotations

import math

import sympy as sp

from pde2net.language.schemes import FED
from pde2net.scheme import fsi
from pde2net.scheme.method import Method, staged
from pde2net.scheme.stack import RATE, STEP, TAU, Stack, U

FACTOR = sp.Symbol("_c", positive=True)


def stack(scheme: FED) -> Stack:
    n = scheme.cycle_length
    same = fsi.stack(scheme)
    return Stack(
        U + FACTOR * TAU * RATE,
        STEP,
        tuple({FACTOR: 1 / (2 * sp.cos(sp.pi * sp.Rational(2 * i + 1, 4 * n + 2)) ** 2)} for i in leja(n)),
        same.time,
        cycles=scheme.cycles,
        frozen=same.frozen,
        product=same.amplification().as_expr(),
    )


def leja(n: int) -> list[int]:
    """An order of the n step sizes: each root is as far as possible, in product, from those before it."""
    roots = [2 * math.cos(math.pi * (2 * i + 1) / (4 * n + 2)) ** 2 for i in range(n)]
    order = [max(range(n), key=roots.__getitem__)]
    distance = [0.0] * n
    while len(order) < n:
        for i in range(n):
            gap = abs(roots[i] - roots[order[-1]])
            distance[i] += math.log(gap) if gap else -math.inf
        order.append(max(range(n), key=distance.__getitem__))
    return order


def words(scheme: FED, update: Stack, tau: sp.Expr, reaction: bool) -> str:
    factor = f"tau/(2 cos(pi (2 i + 1)/{4 * scheme.cycle_length + 2})^2)"
    text = f"{fsi.course(scheme, update)}: u <- u + tau_i F(u), tau_i = {factor} in Leja order"
    return staged(scheme, tau, text, reaction)


METHOD = Method(FED, lambda scheme, _: stack(scheme), words, fsi.polynomial)
