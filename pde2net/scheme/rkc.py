"""Runge-Kutta-Chebyshev super-steps of s stages, with damping.

With Chebyshev polynomials T_j, w_0 = 1 + damping/s^2 and b_j > 0,

    y_1 = y_0 + kappa_1 tau F(y_0),
    y_j = mu_j y_{j-1} + nu_j y_{j-2} + (1 - mu_j - nu_j) y_0 + kappa_j tau F(y_{j-1}) + gamma_j tau F(y_0),
    kappa_1 = b_1 w_1,  mu_j = 2 w_0 b_j/b_{j-1},  nu_j = -b_j/b_{j-2},  kappa_j = 2 w_1 b_j/b_{j-1},
    gamma_j = -a_{j-1} kappa_j,  a_j = 1 - b_j T_j(w_0),

whose polynomial is a_s + b_s T_s(w_0 - w_1 z). Order 1 (Verwer, Appl. Numer. Math. 22, 1996):
b_j = 1/T_j(w_0), w_1 = T_s(w_0)/T_s'(w_0), and damping 1/20 if none is given. Order 2 (Sommeijer, Shampine,
Verwer, J. Comput. Appl. Math. 88, 1998): b_j = T_j''(w_0)/T_j'(w_0)^2 with b_0 = b_2 and b_1 = 1/w_0,
w_1 = T_s'(w_0)/T_s''(w_0), and damping 2/13.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import sympy as sp

from pde2net.errors import DeclarationError, known_options
from pde2net.language.exact import chosen, positive
from pde2net.language.schemes import Scheme, set_stages
from pde2net.language.stopping import StagedTime
from pde2net.scheme.method import Method, staged
from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.rkl import GAMMA, KAPPA, MU, NU, SECOND, super_step
from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, STEP, TAU, Stack, U, Z

DAMPING = {1: sp.Rational(1, 20), 2: sp.Rational(2, 13)}
MOST = 1000  # stages that `for_time` tries


@dataclass(frozen=True)
class RKC(StagedTime, Scheme):
    """Runge-Kutta-Chebyshev of order 1 or 2 with `stages` stages per step tau.

    (Verwer 1996; Sommeijer, Shampine, Verwer 1998.)
    Order 2 needs at least 2 stages. A step is stable up to about s^2, or s^2/3, explicit ones. `damping`, a
    positive rational number, keeps the amplification of all but the lowest frequencies below 1; None: 1/20
    or, for order 2, 2/13.
    """

    label: ClassVar[str] = "RKC"
    order: int = 1
    stages: int = 1
    steps: int = 1
    damping: Any = None

    @known_options
    def __init__(self, order: int, tau: Any, stages: int, steps: int = 1, damping: Any = None) -> None:
        set_stages(self, 2, order, tau, stages, steps)
        if damping is not None:
            damping = positive(damping, "The damping")
            if not damping.is_Rational:
                raise DeclarationError(f"The damping of RKC must be a rational number, not {damping}.")
        chosen(self, damping=damping)

    @classmethod
    def fewest_stages(cls, ratio: sp.Expr, order: int, **options: Any) -> int:
        """Those of a step that is as long as `ratio` explicit ones, of 2; by bisection."""

        def enough(stages: int) -> bool:
            return bool(reach_of(cls(order=order, tau=1, stages=stages, **options)) >= 2 * ratio)

        high = order
        while not enough(high):
            high *= 2
            if high > MOST:
                raise DeclarationError(f"More than {MOST} stages would be needed; take more steps.")
        return bisect_left(range(high + 1), True, lo=max(order, high // 2), key=enough)


@dataclass(frozen=True)
class Table:
    """w_0, w_1, and a_j, b_j for j = 0 ... s."""

    w0: sp.Rational
    w1: sp.Rational
    a: tuple[sp.Rational, ...]
    b: tuple[sp.Rational, ...]


@cache
def table(order: int, s: int, damping: sp.Rational | None) -> Table:
    """The numbers that the weights of all stages are made of."""
    w0 = 1 + (DAMPING[order] if damping is None else damping) / sp.Integer(s) ** 2
    # T_j, T_j', T_j'' at w_0, by the recursion of the T_j and its derivatives.
    rows = [(sp.S.One, sp.S.Zero, sp.S.Zero), (w0, sp.S.One, sp.S.Zero)]
    for _ in range(2, max(s, 2) + 1):
        (t, d, dd), (t_, d_, dd_) = rows[-1], rows[-2]
        rows.append((2 * w0 * t - t_, 2 * t + 2 * w0 * d - d_, 4 * d + 2 * w0 * dd - dd_))
    last, slope, bend = rows[s]
    if order == 1:
        b = [1 / t for t, _, _ in rows]
        w1 = last / slope
    else:
        b = [1 / w0, 1 / w0, *(dd / d**2 for _, d, dd in rows[2:])]
        b[0] = b[2]
        w1 = slope / bend
    a = [1 - scale * t for scale, (t, _, _) in zip(b, rows, strict=True)]
    return Table(w0, w1, tuple(a[: s + 1]), tuple(b[: s + 1]))


def reach_of(scheme: RKC) -> sp.Rational:
    """2 w_0/w_1: the arguments w_0 - w_1 z of T_s lie in [-w_0, w_0]."""
    made = table(scheme.order, scheme.stages, scheme.damping)
    return 2 * made.w0 / made.w1


def stack(scheme: RKC) -> Stack:
    made, s = table(scheme.order, scheme.stages, scheme.damping), scheme.stages
    a, b, w0, w1 = made.a, made.b, made.w0, made.w1
    stages = [{MU: sp.S.One, NU: sp.S.Zero, KAPPA: b[1] * w1, GAMMA: sp.S.Zero}]
    for j in range(2, s + 1):
        kappa = 2 * w1 * b[j] / b[j - 1]
        stages.append(
            {MU: 2 * w0 * b[j] / b[j - 1], NU: -b[j] / b[j - 2], KAPPA: kappa, GAMMA: -a[j - 1] * kappa}
        )
    skip = MU * U + NU * PREVIOUS + KAPPA * TAU * RATE
    if scheme.order == 1:
        for stage in stages:
            del stage[GAMMA]
    else:
        skip += (1 - MU - NU) * START + TAU * GAMMA * START_RATE
    return Stack(skip, STEP, tuple(stages), TAU, cycles=scheme.steps, order=scheme.order)


def words(scheme: RKC, update: Stack, tau: sp.Expr, reaction: bool) -> str:
    damping = DAMPING[scheme.order] if scheme.damping is None else scheme.damping
    stage = "y_j = mu_j y_(j-1) + nu_j y_(j-2) + kappa_j tau F(y_(j-1))" if scheme.order == 1 else SECOND
    source = "Verwer 1996" if scheme.order == 1 else "Sommeijer, Shampine, Verwer 1998"
    weights = f"weights of {source} with damping {damping}"
    text = super_step(scheme.order, scheme.steps, scheme.stages, stage, weights)
    return staged(scheme, tau, text, reaction)


def polynomial(scheme: RKC) -> Polynomial:
    """a + b T_s(w_0 - w_1 z), whose bound docs/theory.md, section 4.9, derives."""
    made, s = table(scheme.order, scheme.stages, scheme.damping), scheme.stages
    x, one = sp.Poly(made.w0 - made.w1 * Z, Z, domain="QQ"), sp.Poly(1, Z, domain="QQ")
    now = sp.chebyshevt_poly(s, Z, polys=True).set_domain("QQ").compose(x)
    constant = f"{made.a[s]} + " if made.a[s] else ""
    text = f"{constant}{made.b[s]} T_s({made.w0} - {made.w1} z), s = {s}"
    return Polynomial(made.b[s] * now + made.a[s] * one, reach_of(scheme), _short(text, s), known=True)


def _short(text: str, s: int) -> str:
    """The closed form; with letters where the numbers are long."""
    return text if len(text) < 80 else f"a + b T_s(w_0 - w_1 z), s = {s}"


METHOD = Method(RKC, lambda scheme, _: stack(scheme), words, polynomial)
