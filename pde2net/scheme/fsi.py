"""Fast semi-iterative scheme: u+ = a_k (u + tau F(u)) + (1 - a_k) u-, a_k = (4 k + 2)/(2 k + 3).

k = 0 .. n - 1, with u- = u at the start of each cycle; a cycle covers tau n (n + 1)/3. Its network is a
stack with extrapolating skips (Hafner, Ochs, Weickert, Reissel, Grewenig 2016; Alt et al. 2023, section 3.2).
"""

from __future__ import annotations

import sympy as sp

from pde2net.language.schemes import FED, FSI
from pde2net.scheme.method import Method, counted, staged
from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.stack import PREVIOUS, RATE, STEP, TAU, Stack, U, Z

EXTRAPOLATION = sp.Symbol("_a", positive=True)


def stack(scheme: FSI | FED) -> Stack:
    n = scheme.cycle_length
    return Stack(
        U + TAU * RATE,
        EXTRAPOLATION * STEP + (1 - EXTRAPOLATION) * PREVIOUS,
        tuple({EXTRAPOLATION: sp.Rational(4 * k + 2, 2 * k + 3)} for k in range(n)),
        TAU * sp.Rational(n * (n + 1), 3),
        cycles=scheme.cycles,
        frozen=scheme.freeze == "cycle",
    )


def course(scheme: FSI | FED, update: Stack) -> str:
    when = "at the start of each cycle" if scheme.freeze == "cycle" else "in each step"
    return (
        f"{counted(scheme.cycles, 'cycle')} of {counted(scheme.cycle_length)}, diffusivities {when}, "
        f"time of a cycle {update.time}"
    )


def words(scheme: FSI, update: Stack, tau: sp.Expr, reaction: bool) -> str:
    text = (
        f"{course(scheme, update)}: u <- a_k (u + tau F(u)) + (1 - a_k) u-, a_k = (4 k + 2)/(2 k + 3), "
        "from u- = u in each cycle"
    )
    return staged(scheme, tau, text, reaction)


def polynomial(scheme: FSI | FED) -> Polynomial:
    """(1 + 2 sum T_k(1 - z))/(2 n + 1), with n zeros in (0, 2): bounded up to 2, monotone beyond."""
    n = scheme.cycle_length
    # The sum is U_n + U_(n-1), Chebyshev polynomials of the second kind.
    total = sp.chebyshevu_poly(n, Z, polys=True) + sp.chebyshevu_poly(n - 1, Z, polys=True)
    total = total.set_domain("QQ").compose(sp.Poly(1 - Z, Z, domain="QQ"))
    text = f"(1 + 2 sum T_k(1 - z))/(2 n + 1), n = {n}"
    return Polynomial(total * sp.Rational(1, 2 * n + 1), sp.Integer(2), text, known=True)


METHOD = Method(FSI, lambda scheme, _: stack(scheme), words, polynomial)
