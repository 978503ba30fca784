"""The explicit scheme u+ = u + tau F(u), F(u) = sum_k -m_k K_k^T Phi_k(K_k u) + r(u).

First order in tau. Its network is a residual stack: convolution K, activation Phi, transposed
convolution -K^T, skip connection (Alt et al., J. Math. Imaging Vis. 65, 2023, section 3.1).
"""

from __future__ import annotations

import sympy as sp

from pde2net.language.schemes import Explicit
from pde2net.scheme.method import Method, counted
from pde2net.scheme.stack import RATE, STEP, TAU, Stack, U


def stack(scheme: Explicit) -> Stack:
    return Stack(U + TAU * RATE, STEP, ({},) * scheme.steps, TAU * scheme.steps, repeated=True)


def words(scheme: Explicit, update: Stack, tau: sp.Expr, reaction: bool) -> str:
    source = " + tau r(u)" if reaction else ""
    return f"explicit, tau = {tau}, {counted(scheme.steps)}: u <- u - tau K^T Phi(K u){source}"


METHOD = Method(Explicit, lambda scheme, _: stack(scheme), words)
