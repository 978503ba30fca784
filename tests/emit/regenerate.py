"""Rewrites the golden sources: `python tests/emit/regenerate.py`, then read the difference.

A golden source is what the compiler emits for a declaration below, byte for byte. A change there is
a change that every user sees in a generated file, so it is reviewed as text.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import sympy as sp

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2

GOLDEN = Path(__file__).parent / "golden"

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)


def perona_malik_2d() -> p2n.Network:
    u = sp.Function("u")(x, y, t)
    g = 1 / (1 + norm2(grad(u)) / lam**2)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})
    return p2n.compile(problem, p2n.Explicit(tau=0.2, steps=20), p2n.Grid(), trainable=[lam])


def heat_1d_dirichlet() -> p2n.Network:
    u = sp.Function("u")(x, t)
    problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), boundary="dirichlet")
    return p2n.compile(problem, p2n.Explicit(tau=sp.Rational(1, 9), steps=5), p2n.Grid(spacing=0.5))


def fourth_order_2d() -> p2n.Network:
    u = sp.Function("u")(x, y, t)
    v = laplacian(u)
    problem = p2n.Problem(sp.Eq(u.diff(t), -laplacian(v / (1 + v**2 / lam**2))), parameters={lam: 0.5})
    return p2n.compile(problem, p2n.Explicit(tau=None, steps=10), p2n.Grid())


def inpainting() -> p2n.Network:
    u = sp.Function("u")(x, y, t)
    f, c = sp.Function("f")(x, y), sp.Function("c")(x, y)
    problem = p2n.Problem(sp.Eq(u.diff(t), c * (f - u) + (1 - c) * laplacian(u)))
    return p2n.compile(problem, p2n.Explicit(tau=0.2, steps=100), p2n.Grid())


def domain_2d() -> p2n.Network:
    u, m = sp.Function("u")(x, y, t), sp.Function("m")(x, y)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u))))), domain=m)
    return p2n.compile(problem, p2n.Explicit(tau=0.2, steps=20), p2n.Grid())


def charbonnier(dimension: int, scheme: p2n.Scheme) -> p2n.Network:
    axes = (x, y)[:dimension]
    u = sp.Function("u")(*axes, t)
    g = 1 / sp.sqrt(1 + norm2(grad(u)) / lam**2)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})
    return p2n.compile(problem, scheme, p2n.Grid())


def edge_enhancing_2d() -> p2n.Network:
    u = sp.Function("u")(x, y, t)
    v = grad(p2n.smooth(u, 1))
    tensor = p2n.tensor(v, 1 / (1 + norm2(v) / lam**2), 1)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(tensor * grad(u))), parameters={lam: 0.1})
    return p2n.compile(problem, p2n.Explicit(tau=0.2, steps=20), p2n.Grid(gradient="staggered"))


def gray_scott_2d() -> p2n.Network:
    u, v = (sp.Function(name)(x, y, t) for name in "uv")
    feed, kill = sp.symbols("F k", positive=True)
    reactants = sp.Eq(u.diff(t), sp.Rational(4, 25) * laplacian(u) - u * v**2 + feed * (1 - u))
    products = sp.Eq(v.diff(t), sp.Rational(2, 25) * laplacian(v) + u * v**2 - (feed + kill) * v)
    values = {feed: 0.035, kill: 0.065}
    problem = p2n.Problem([reactants, products], boundary="periodic", parameters=values)
    return p2n.compile(problem, p2n.Explicit(tau=1, steps=4000), p2n.Grid())


def colour_2d() -> p2n.Network:
    u = sp.Function("u")(x, y, t)
    g = 1 / (1 + norm2(grad(u)) / lam**2)
    problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1}, channels=3)
    return p2n.compile(problem, p2n.FSI(tau=sp.Rational(1, 4), cycle_length=10), p2n.Grid())


def du_fort_frankel_1d() -> p2n.Network:
    return charbonnier(1, p2n.DuFortFrankel(tau=sp.Rational(1, 2), alpha=1, steps=10))


def fast_semi_iterative_2d() -> p2n.Network:
    return charbonnier(2, p2n.FSI(tau=sp.Rational(1, 4), cycle_length=20, cycles=3))


def crank_nicolson_1d() -> p2n.Network:
    solver = p2n.Kacanov(tol=1e-6, max_iterations=50, gradients="implicit")
    return charbonnier(1, p2n.Theta(2, solver=solver, steps=3))


def additive_splitting_2d() -> p2n.Network:
    return charbonnier(2, p2n.AOS(tau=5, steps=4))


def newton_2d() -> p2n.Network:
    return charbonnier(2, p2n.Implicit(10, solver=p2n.Newton(tol=1e-6, preconditioner="diagonal")))


def multigrid_2d() -> p2n.Network:
    return charbonnier(2, p2n.Multigrid(tau=20, pre=2, post=2, cycles=4))


def multigrid_inpainting() -> p2n.Network:
    u = sp.Function("u")(x, y, t)
    f, c = sp.Function("f")(x, y), sp.Function("c")(x, y)
    problem = p2n.Problem(sp.Eq(u.diff(t), c * (f - u) + (1 - c) * laplacian(u)))
    scheme = p2n.Multigrid(tau=sp.oo, cycle="FMG", smoother="red-black", tol=1e-6, cycles=20)
    return p2n.compile(problem, scheme, p2n.Grid())


NETWORKS: tuple[Callable[[], p2n.Network], ...] = (
    perona_malik_2d,
    heat_1d_dirichlet,
    fourth_order_2d,
    inpainting,
    domain_2d,
    edge_enhancing_2d,
    gray_scott_2d,
    colour_2d,
    du_fort_frankel_1d,
    fast_semi_iterative_2d,
    crank_nicolson_1d,
    additive_splitting_2d,
    newton_2d,
    multigrid_2d,
    multigrid_inpainting,
)


def main() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for make in NETWORKS:
        make().save(GOLDEN / f"{make.__name__}.py")


if __name__ == "__main__":
    main()
