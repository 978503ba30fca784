"""Certificates of implicit schemes, AOS and multigrid, each made once."""

import functools

import sympy as sp
from support import diffusion, equation, h, lam, tau, unknown, x, y

import pde2net as p2n
from pde2net import AOS, FixedPoint, Implicit, Kacanov, Multigrid, Newton, Theta, laplacian

u1, u2 = unknown(1), unknown(2)
f = sp.Function("f")
HALF, QUARTER, EIGHTH = sp.Rational(1, 2), sp.Rational(1, 4), sp.Rational(1, 8)


def rational(s):
    return 1 / (1 + s / lam**2)


def charbonnier(s):
    return 1 / sp.sqrt(1 + s / lam**2)


def made(rhs, dim, scheme, boundary="reflecting", parameters=None, **grid):
    problem = p2n.Problem(equation(rhs, dim), boundary=boundary, parameters=parameters or {})
    return lambda: p2n.verify(problem, scheme, p2n.Grid(**grid))


def radial(g, dim, scheme, valued=True, **options):
    return made(diffusion(g, dim).rhs, dim, scheme, parameters={lam: 0.4} if valued else {}, **options)


HEAT, FIDELITY = laplacian(u1), laplacian(u1) + 2 * (f(x) - u1)
GENUINE = {
    "Kacanov": radial(charbonnier, 1, Implicit(100, 1, Kacanov(iterations=3))),
    "Kacanov, symbols": radial(rational, 1, Implicit(tau, 2, Kacanov(iterations=3)), False, spacing=h),
    "Kacanov, exponential": radial(lambda s: sp.exp(-s / (2 * lam**2)), 1, Implicit(3), False),
    "Kacanov in 2D": radial(charbonnier, 2, Implicit(5)),
    "preconditioned": made(laplacian(u2), 2, Implicit(5, 1, Kacanov(preconditioner="diagonal"))),
    "preconditioned by multigrid": radial(
        charbonnier, 2, Implicit(5, 1, Kacanov(preconditioner="multigrid"))
    ),
    "open": radial(rational, 1, Implicit(5, 1, Kacanov(iterations=1)), boundary="dirichlet"),
    "fidelity": made(FIDELITY, 1, Implicit(5, 1, Kacanov(iterations=1))),
    "fidelity in 2D": made(laplacian(u2) + 2 * (f(x, y) - u2), 2, Implicit(5, 1, Kacanov(iterations=1))),
    "damping": made(HEAT - 3 * u1, 1, Theta(1, 1, HALF, Kacanov(iterations=1))),
    "lagged reaction": made(HEAT - u1**3, 1, Implicit(5, 1, Kacanov(iterations=2))),
    "growth": made(HEAT + u1 / 2, 1, Implicit(QUARTER, 1, FixedPoint(iterations=2))),
    "fourth order": made(-u1.diff(x, 4), 1, Implicit(5, 1, Kacanov(iterations=1))),
    "steady": made(FIDELITY, 1, Implicit(sp.oo)),
    "Picard beyond": made(HEAT, 1, Implicit(1, 1, FixedPoint(iterations=4))),
    "Picard, odd": made(HEAT, 1, Implicit(tau, 1, FixedPoint(iterations=3)), spacing=h),
    "Picard at its limit": made(HEAT, 1, Implicit(QUARTER, 1, FixedPoint(iterations=4))),
    "one Picard iteration": radial(rational, 1, Implicit(HALF, 2, FixedPoint(iterations=1))),
    "Picard, nonlinear": radial(charbonnier, 1, Implicit(EIGHTH, 1, FixedPoint())),
    "accelerated": radial(charbonnier, 1, Implicit(EIGHTH, 1, FixedPoint(anderson=3))),
    "Newton": radial(charbonnier, 1, Implicit(5, 1, Newton(iterations=3))),
    "Newton in 2D": made(laplacian(u2), 2, Implicit(5, 1, Newton(iterations=1))),
    "Crank-Nicolson": made(HEAT, 1, Theta(3, 1, HALF, Kacanov(iterations=1))),
    "Crank-Nicolson, nonlinear": radial(rational, 1, Theta(1, 1, HALF, Kacanov(iterations=2))),
    "theta beyond": made(HEAT, 1, Theta(3, 1, QUARTER, Kacanov(iterations=1))),
    "theta, largest step": made(HEAT, 1, Theta(None, 1, QUARTER)),
    "AOS": radial(rational, 2, AOS(100, 2)),
    "AOS, fidelity": made(laplacian(u2) + 2 * (f(x, y) - u2), 2, AOS(5)),
    "multigrid": made(HEAT, 1, Multigrid(10**9, levels=2, damping=sp.Rational(2, 3))),
    "multigrid diverging": made(HEAT, 1, Multigrid(50, levels=2, damping=1.9, cycles=3)),
    "multigrid in 2D": made(laplacian(u2), 2, Multigrid(50, levels=3, cycles=2)),
    "multigrid, red-black": made(laplacian(u2), 2, Multigrid(50, levels=2, smoother="red-black")),
    "multigrid, fourth order": made(-u1.diff(x, 4), 1, Multigrid(50, levels=2, pre=2, post=2)),
    "multigrid, steady": made(FIDELITY, 1, Multigrid(sp.oo, pre=2, smoother="chebyshev")),
}


@functools.cache
def text_of(name):
    """Its JSON."""
    return GENUINE[name]().to_json()
