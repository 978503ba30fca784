"""Consistency of the explicit scheme, from the Taylor series of the Fourier symbols."""

from __future__ import annotations

import sympy as sp

from pde2net.discretise.operators import Difference
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.normalise.form import SecondOrder
from pde2net.scheme.explicit import TAU
from pde2net.verify.certificate import Claim, Discharged, Status

_REFERENCE = "Taylor expansion of the Fourier symbol (docs/theory.md, section 6)"


def consistency(semi: Semidiscrete, tau: sp.Expr) -> Claim:
    """Order in tau and h, proved for linear equations with constant coefficients.

    For these the symbol of A equals that of the differential operator up to O(h^order), and
    the explicit step contributes O(tau). Nonlinear equations are left unknown.
    """
    form = semi.form
    if not form.is_linear:
        return Claim(
            "consistency",
            Status.UNKNOWN,
            reason="Derived for linear equations with constant coefficients only.",
        )
    orders = [squared_order(d) for axis in range(len(semi.spacing)) for d in _differences(semi, axis)]
    symbol = tau if tau.is_Symbol else TAU
    error = [str(symbol)]
    if orders:
        same = len(set(semi.spacing)) == 1
        for axis, h in zip(form.space, semi.spacing, strict=True):
            name = str(h) if h.is_Symbol else "h" if same else f"h_{axis}"
            error.append(f"{name}**{min(orders)}")
    return Claim(
        "consistency",
        Status.PROVED,
        theorem=_REFERENCE,
        reason=f"Truncation error O({' + '.join(dict.fromkeys(error))}) away from the border.",
        hypotheses=(
            Discharged("linear", "constant coefficients", "every coefficient is a number"),
            Discharged("smoothness", "u is smooth", "assumed"),
        ),
    )


def _differences(semi: Semidiscrete, axis: int) -> list[Difference]:
    used = list(semi.second)
    if any(not isinstance(t, SecondOrder) for t in semi.form.terms):
        used.append(semi.gradient)
    return [d for bank in used for row in bank.rows for _, d in row if d.axis == axis]


def squared_order(difference: Difference) -> int:
    """p with |symbol(theta)|² = theta^(2 derivative) (1 + O(theta^p)), by series."""
    theta = sp.Symbol("theta")
    stencil = difference.stencil
    m = 2 * stencil.derivative
    symbol = stencil.squared_symbol.as_expr().subs(stencil.squared_symbol.gen, sp.cos(theta))
    expansion = sp.series(symbol, theta, 0, m + 8).removeO() - theta**m
    lowest = min(sp.Poly(expansion, theta).monoms(), default=(m + 8,))[0]
    return int(lowest) - m
