"""Certificates of many kinds of declarations, each made once."""

import functools

import sympy as sp
from support import diffusion, eps, equation, h, lam, tau, unknown, x, y

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2

u1, u2, u3 = unknown(1), unknown(2), unknown(3)
f, m = sp.Function("f"), sp.Function("m", nonnegative=True)
beta, kappa = sp.symbols("beta kappa", positive=True)
k = sp.Symbol("k", real=True)
v1 = laplacian(u1)


def rational(s):
    return 1 / (1 + s / lam**2)


def charbonnier(s):
    return 1 / sp.sqrt(1 + s / lam**2)


def made(rhs, dim, tau_, steps=3, boundary="reflecting", parameters=None, **grid):
    problem = p2n.Problem(equation(rhs, dim), boundary=boundary, parameters=parameters or {})
    return lambda: p2n.verify(problem, p2n.Explicit(tau_, steps), p2n.Grid(**grid))


def stack(rhs, dim, scheme, boundary="reflecting", parameters=None, **grid):
    """A certificate of another scheme."""
    problem = p2n.Problem(equation(rhs, dim), boundary=boundary, parameters=parameters or {})
    return lambda: p2n.verify(problem, scheme, p2n.Grid(**grid))


def diffused(g, dim=1):
    return diffusion(g, dim).rhs


def radial(g, dim, tau_, parameters=None, **options):
    return made(diffusion(g, dim).rhs, dim, tau_, parameters=parameters, **options)


GENUINE = {
    "heat": made(laplacian(u1), 1, tau, spacing=h),
    "heat in 3D": made(laplacian(u3), 3, 0.1),
    "heat beyond the limit": made(laplacian(u1), 1, 0.51, 1),
    "heat in 3D beyond the limit": made(laplacian(u3), 3, 0.5),
    "step of the spacing": made(laplacian(u1), 1, h**2 / 5, spacing=h),
    "step of a parameter": made(lam * laplacian(u1), 1, 1 / (4 * lam), parameters={lam: 0.5}),
    "unequal": made(laplacian(u2), 2, 0.1, boundary={x: "periodic", y: "dirichlet"}, spacing={x: h, y: lam}),
    "anisotropic": made(u2.diff(x, 2) + 3 * u2.diff(y, 2), 2, tau, spacing={x: 1, y: h}),
    "Perona-Malik": radial(rational, 2, 0.2, {lam: 0.1}),
    "Perona-Malik beyond the limit": radial(rational, 2, 0.4, {lam: 0.1}),
    "symbolic": radial(rational, 2, tau, spacing=h),
    "valued": radial(rational, 2, tau, {lam: 0.1}, boundary="periodic"),
    "central": radial(rational, 2, 0.2, {lam: 0.1}, gradient="central"),
    "staggered": radial(rational, 1, 0.2, gradient="staggered", order=4),
    "order 4": radial(rational, 1, 0.3, order=4),
    "Charbonnier": radial(charbonnier, 2, 0.25, {lam: 0.5}),
    "exponential": radial(lambda s: sp.exp(-s / (2 * lam**2)), 2, tau),
    "Weickert": radial(lambda s: diffusivities.weickert(s, lam), 1, 0.2, {lam: 0.3}),
    "total variation": radial(lambda s: 1 / sp.sqrt(s + eps**2), 1, tau, spacing=h),
    "unbounded": radial(lambda s: 1 / sp.sqrt(s), 1, tau),
    "interior maximum": radial(lambda s: (s + 3) / (s**2 + 2), 1, tau),
    "interior exponential": radial(lambda s: s * sp.exp(-s), 1, tau),
    "forward and backward": radial(lambda s: 2 * sp.exp(-s) - sp.exp(-s / 16), 1, 0.01),
    "pieces in 3D": radial(
        lambda s: sp.Piecewise((1, s <= 20), (sp.sqrt(20 / s), True)), 3, 0.1, boundary="periodic", order=4
    ),
    "nearly linear": made(
        div(x**2 / (1 + x**2) * (sp.cos(norm2(grad(u2)) / 1000) / 2 + 1) * grad(u2)), 2, 1.05, 1
    ),
    "small nonlinear part": made(
        div((2 * sp.exp(-2 * norm2(grad(u2))) - sp.exp(-norm2(grad(u2)) / 8)) * grad(u2))
        + 1000 * laplacian(u2),
        2,
        sp.Rational(1, 8008),
    ),
    "reaction with kinks": made(laplacian(u1) - 2 * u1 + sp.Min(1, sp.Abs(u1)), 1, 1.001, 2, "dirichlet"),
    "slopes of a field": made(
        div(sp.exp(-(f(x).diff(x) ** 2) / 2) * grad(u1)), 1, 1, 1, "dirichlet", spacing=2
    ),
    "irrational extrema": radial(lambda s: sp.exp(-2 * s) * sp.Abs(2 * s - 1), 1, 0.5),
    "kinks": radial(lambda s: sp.Min(1, 1 / s), 1, 0.4),
    "fourth order": made(-laplacian(v1 / (1 + v1**2)), 1, sp.Rational(1, 8)),
    "fourth order, open": made(-laplacian(laplacian(u2)), 2, 0.01, boundary="dirichlet", order=4),
    "mixed orders": made(laplacian(u2) - laplacian(laplacian(u2)), 2, 0.01),
    "fidelity": made(laplacian(u1) - beta * (u1 - f(x)), 1, tau, spacing=h),
    "fidelity beyond the limit": made(laplacian(u1) - beta * (u1 - f(x)), 1, 2, parameters={beta: 2}),
    "denoising": made(
        div(grad(u2) * charbonnier(norm2(grad(u2)))) - beta * (u2 - f(x, y)),
        2,
        0.2,
        parameters={beta: 0.5, lam: 0.3},
    ),
    "fidelity, nonlinear": made(
        diffusion(charbonnier, 1).rhs + 2 * (f(x) - u1), 1, 0.2, parameters={lam: 0.3}
    ),
    "fidelity, nonlinear, beyond the limit": made(diffusion(charbonnier, 1).rhs + 2 * (f(x) - u1), 1, 0.6, 2),
    "fidelity, not monotone": made(diffusion(rational, 1).rhs + 2 * (f(x) - u1), 1, 0.2, 7),
    "fidelity, not monotone, weak": made(diffusion(rational, 1).rhs + (f(x) - u1) / 4, 1, 0.2, 7),
    "fidelity, not monotone, beyond the limit": made(diffusion(rational, 1).rhs + 2 * (f(x) - u1), 1, 0.6, 2),
    "damping": made(laplacian(u1) - kappa * u1, 1, tau),
    "nonlinear damping": made(laplacian(u1) - u1 / (1 + u1**2), 1, 0.1),
    "growth": made(laplacian(u1) + u1, 1, 0.1),
    "any sign": made(laplacian(u1) + k * u1, 1, tau),
    "unbounded reaction": made(laplacian(u1) + u1 - u1**3, 1, 0.1),
    "known fields": made(div(m(x, y) / (1 + m(x, y)) * grad(u2)), 2, 0.2),
    "inpainting": made(f(x, y) * laplacian(u2), 2, 0.2),
    "coefficient of u": made(div(grad(u1) / (1 + u1**2)), 1, 0.4),
    "coefficient of x": made(div((1 + sp.exp(-(x**2))) * grad(u1)), 1, 0.2),
    "open border": made(laplacian(u1), 1, 0.3, boundary="dirichlet"),
    "backward": made(-laplacian(u1), 1, 0.1),
    "largest step": radial(rational, 2, None, {lam: 0.1}),
    "largest step with a source": made(laplacian(u1) - beta * (u1 - f(x)), 1, None, parameters={beta: 2}),
}


# Residual stacks with earlier states, by name too; both proofs and refutations.
STACKS = {
    "Du Fort-Frankel": stack(diffused(charbonnier), 1, p2n.DuFortFrankel(0.5, 1, 4), parameters={lam: 0.4}),
    "Du Fort-Frankel, long step": stack(
        diffused(rational), 1, p2n.DuFortFrankel(10, 1, 4), parameters={lam: 0.4}
    ),
    "Du Fort-Frankel, small alpha": stack(laplacian(u1), 1, p2n.DuFortFrankel(10, 0.9, 3)),
    "Du Fort-Frankel, none given": stack(laplacian(u2) - beta * u2, 2, p2n.DuFortFrankel(None), spacing=h),
    "Du Fort-Frankel, growth": stack(laplacian(u1) + u1, 1, p2n.DuFortFrankel(1, 2, 3)),
    "Du Fort-Frankel, fidelity": stack(laplacian(u1) - 2 * (u1 - f(x)), 1, p2n.DuFortFrankel(None)),
    "Du Fort-Frankel, fourth order": stack(-laplacian(laplacian(u1)), 1, p2n.DuFortFrankel(tau, 4)),
    "FSI": stack(diffused(rational, 2), 2, p2n.FSI(0.25, 6, 2), parameters={lam: 0.4}),
    "FSI, each step": stack(diffused(charbonnier), 1, p2n.FSI(tau, 5, freeze="step")),
    "FSI beyond 2": stack(laplacian(u1), 1, p2n.FSI(0.51, 10)),
    "FSI beyond the limit": stack(diffused(rational), 1, p2n.FSI(0.53, 25), parameters={lam: 0.4}),
    "FSI, one step": stack(diffused(charbonnier), 1, p2n.FSI(0.75, 1), parameters={lam: 0.4}),
    "FED": stack(laplacian(u1) - beta * u1, 1, p2n.FED(tau, 4, 2), spacing=h),
    "FED, numeric": stack(laplacian(u2), 2, p2n.FED(0.2, 7)),
    "RKL 1": stack(laplacian(u1), 1, p2n.RKL(1, 5, 4, 2)),
    "RKL 1, nonlinear": stack(diffused(rational), 1, p2n.RKL(1, None, 4), parameters={lam: 0.4}),
    "RKL 2": stack(laplacian(u1) - 2 * (u1 - f(x)), 1, p2n.RKL(2, 1, 4)),
    "RKL 2, growth": stack(laplacian(u1) + u1, 1, p2n.RKL(2, 1, 5)),
    "RKL 2 beyond the limit": stack(laplacian(u1), 1, p2n.RKL(2, 5, 4)),
    "proximal": stack(laplacian(u1) + beta * (f(x) - u1), 1, p2n.Explicit(tau, 3, "implicit"), spacing=h),
    "proximal, largest": stack(
        diffusion(charbonnier, 1).rhs + beta * (f(x) - u1), 1, p2n.Explicit(None, 3, "implicit")
    ),
    "proximal, not monotone": stack(
        diffusion(rational, 1).rhs + 2 * (f(x) - u1), 1, p2n.Explicit(0.5, 5, "implicit")
    ),
    "proximal beyond the limit": stack(
        diffusion(charbonnier, 1).rhs + (f(x) - u1) / 2, 1, p2n.Explicit(0.9, 3, "implicit")
    ),
    "FSI, fidelity": stack(laplacian(u1) + (f(x) - u1) / 4, 1, p2n.FSI(0.3, 5, 2)),
    "FSI, one step, fidelity": stack(diffused(charbonnier) + (f(x) - u1) / 4, 1, p2n.FSI(0.3, 1, 2)),
    "RKC 1": stack(laplacian(u1), 1, p2n.RKC(1, 5, 4, 2)),
    "RKC 2": stack(diffused(rational), 1, p2n.RKC(2, None, 5, damping=1), parameters={lam: 0.4}),
    "RKC 2, growth": stack(laplacian(u1) + u1, 1, p2n.RKC(2, 1, 5)),
}
GENUINE |= STACKS


@functools.cache
def text_of(name):
    return GENUINE[name]().to_json()
