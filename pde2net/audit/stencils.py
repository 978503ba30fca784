"""The norm of a stencil, a second time."""

from __future__ import annotations

from functools import cache

import numpy as np
import sympy as sp

from pde2net.audit.exactly import Number, number
from pde2net.discretise.stencils import Stencil
from pde2net.errors import RecheckError


@cache
def largest_square(stencil: Stencil) -> Number:
    """sup over theta of |sum_k w_k exp(i k theta)|²: a polynomial in cos theta, confirmed by samples."""
    c = sp.Symbol("c")
    taps = list(zip(stencil.offsets, stencil.weights, strict=True))
    square = sp.Poly(sum(v * w * sp.chebyshevt(abs(j - k), c) for j, v in taps for k, w in taps), c)
    places = [-1, 1, *(r for r in square.diff().real_roots() if -1 < r < 1)]
    largest = max(number(square.as_expr().subs(c, p)) for p in places)
    theta = np.linspace(0, np.pi, 2001)
    sampled = abs(sum(float(w) * np.exp(1j * k * theta) for k, w in taps)) ** 2
    if not -1e-12 <= float(largest) / sampled.max() - 1 <= 1e-5:
        raise RecheckError("the norm of a stencil could not be confirmed")
    return largest
