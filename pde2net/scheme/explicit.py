"""The explicit scheme u+ = u + tau * (sum_k -m_k K_k^T Phi_k(K_k u) + r(u)).

First order in tau. Its network is a residual stack: convolution K, activation Phi, transposed
convolution -K^T, skip connection (Alt et al., J. Math. Imaging Vis. 65, 2023, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp

from pde2net.normalise.form import DivergenceForm

TAU = sp.Symbol("tau", positive=True)
ORDER = 1
ARCHITECTURE = "residual stack"


def update(form: DivergenceForm, adjoints: Sequence[sp.Symbol]) -> sp.Expr:
    """The new state in the old one and adjoints[k] = K_k^T Phi_k(K_k u)."""
    rate = form.reaction - sum(term.prefactor * a for term, a in zip(form.terms, adjoints, strict=True))
    return form.state + TAU * rate
