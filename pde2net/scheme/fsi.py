"""Fast semi-iterative scheme: u+ = a_k (u + tau F(u)) + (1 - a_k) u-, a_k = (4 k + 2)/(2 k + 3).

k = 0 .. n - 1, with u- = u at the start of each cycle; a cycle covers tau n (n + 1)/3. Its network is a
stack with extrapolating skips (Hafner, Ochs, Weickert, Reissel, Grewenig 2016; Alt et al. 2023, section 3.2).
"""

from __future__ import annotations

import sympy as sp

from pde2net.language.schemes import FED, FSI
from pde2net.scheme.stack import PREVIOUS, RATE, STEP, TAU, Stack, U

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
