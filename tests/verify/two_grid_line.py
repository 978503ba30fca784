"""The one-dimensional two-grid method for two-point differences, in closed form.

With s = sin²(theta/2) and c = 1 - s the harmonics theta and theta + pi have the symbols mass + 4 t s and
mass + 4 t c, t = tau/h². The mean has the symbols (sqrt c, -sqrt s), linear interpolation
(c sqrt c, -s sqrt s) up to a common phase, and the coarse operator mass + 4 t s c.
"""

from __future__ import annotations

import sympy as sp

S = sp.Symbol("s", nonnegative=True)


def two_grid_invariants_1d(
    sweeps: int, damping: sp.Expr, mass: sp.Expr, tau: sp.Expr
) -> tuple[sp.Expr, sp.Expr]:
    """(trace, determinant) of the two-grid matrix of damped Jacobi as rational functions of s = `S`.

    sweeps: pre and post together, on which eigenvalues depend. tau stands for tau/h²; oo for the
    steady state, where the determinant is 0 and the only eigenvalue besides 0 is the trace
    s (1 - 2 omega s)^n + c (1 - 2 omega c)^n.
    """
    if sweeps < 0:
        raise ValueError(f"The number of sweeps must not be negative: {sweeps}.")
    m, t = (sp.S.Zero, sp.S.One) if tau == sp.oo else (sp.sympify(mass), sp.sympify(tau))
    c = 1 - S
    low, high, coarse = m + 4 * t * S, m + 4 * t * c, m + 4 * t * S * c
    damped = [(1 - damping * v / (m + 2 * t)) ** sweeps for v in (low, high)]
    trace = damped[0] * (1 - c**2 * low / coarse) + damped[1] * (1 - S**2 * high / coarse)
    determinant = damped[0] * damped[1] * (1 - (c**2 * low + S**2 * high) / coarse)
    return sp.cancel(trace), sp.cancel(determinant)


def two_grid_factor_1d(sweeps: int, damping: sp.Expr) -> sp.Expr:
    """The exact two-grid factor of the steady state: max |trace| over s in [0, 1/2].

    1/3, 1/9 and 0.0787 for 1, 2 and 3 sweeps with damping 2/3. `damping` must be a rational number.
    Source: Trottenberg, Oosterlee, Schüller, Multigrid, 2001, section 3.3.
    """
    omega = sp.nsimplify(damping, rational=True)
    if not omega.is_Rational:
        raise ValueError(f"The exact two-grid factor needs a rational damping, not {damping}.")
    trace = sp.Poly(two_grid_invariants_1d(sweeps, omega, sp.S.Zero, sp.oo)[0], S)
    slope = trace.diff(S)
    critical = [] if slope.is_zero else [r for r in slope.real_roots(multiple=True) if 0 <= r <= sp.S.Half]
    return max((abs(trace.eval(p)) for p in [sp.S.Zero, sp.S.Half, *critical]), key=lambda v: sp.N(v, 30))
