"""The explicit scheme u+ = u + tau F(u), F(u) = sum_k -m_k K_k^T Phi_k(K_k u) + r(u).

With fidelity="implicit", r = s - b u is taken at u+: a step of size tau/(1 + tau b) (docs/theory.md, 4.21).
First order in tau. Its network is a residual stack: convolution K, activation Phi, transposed
convolution -K^T, skip connection (Alt et al., J. Math. Imaging Vis. 65, 2023, section 3.1).
"""

from __future__ import annotations

import sympy as sp

from pde2net.language.schemes import Explicit
from pde2net.scheme.method import Method, counted
from pde2net.scheme.stack import RATE, STEP, TAU, Stack, U


def stack(scheme: Explicit, b: sp.Expr | None = None) -> Stack:
    """`b` is that of a term that is taken implicitly."""
    implicit = sp.S.Zero if scheme.fidelity == "explicit" or b is None else b
    step = U + TAU / (1 + TAU * implicit) * RATE
    return Stack(step, STEP, ({},) * scheme.steps, TAU * scheme.steps, implicit=implicit, repeated=True)


def words(scheme: Explicit, update: Stack, tau: sp.Expr, reaction: bool) -> str:
    head = f"explicit, tau = {tau}, {counted(scheme.steps)}"
    if scheme.fidelity == "implicit":
        return f"{head}: u <- (u - tau K^T Phi(K u) + tau s)/(1 + tau b), r = s - b u, b = {update.implicit}"
    source = " + tau r(u)" if reaction else ""
    return f"{head}: u <- u - tau K^T Phi(K u){source}"


METHOD = Method(Explicit, stack, words)
