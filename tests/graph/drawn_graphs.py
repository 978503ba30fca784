"""The networks that are drawn: from one convolution to several terms with data and padding."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy as sp
from support import diffusion, equation, lam, network_of, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import build
from pde2net.graph.network import Graph, validate
from pde2net.graph.nodes import Pointwise
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of

u = unknown(2)
f = sp.Function("f")(x, y)


def stack(rhs: sp.Expr, steps: int = 3, grid: Any = None, dim: int = 2, **options: Any) -> Graph:
    return network_of(p2n.Problem(equation(rhs, dim), **options), sp.Rational(1, 99), steps, grid).looped


def edge_preserving(v: sp.Expr) -> sp.Expr:
    return div(grad(v) / (1 + norm2(grad(v)) / lam**2))


def several_terms() -> Graph:
    rhs = edge_preserving(u) + f * div(sp.exp(-(x**2)) * grad(u)) - laplacian(laplacian(u)) + y * (f - u)
    return stack(rhs, grid=p2n.Grid(gradient="staggered"), boundary={x: "dirichlet", y: "reflecting"})


def long_formula() -> Graph:
    slopes = sp.symbols("u_x u_y", real=True)
    s2 = sum(p**2 for p in slopes)
    g = sum(sp.exp(-s2 * k) / (1 + k * s2) for k in range(1, 30))
    graph = stack(edge_preserving(u), steps=1)
    graph.nodes["block.flux"]["node"] = Pointwise(tuple(sp.expand_mul(g * p) for p in slopes), "activation")
    return validate(graph)


GRAPHS = {
    "perona_malik": lambda: stack(edge_preserving(u), 20, parameters={lam: sp.Rational(1, 10)}),
    "heat_1d": lambda: network_of(diffusion(lambda s2: sp.S.One), sp.Rational(1, 4)).looped,
    "fourth_order_3d": lambda: stack(
        -laplacian(laplacian(unknown(3))), dim=3, grid=p2n.Grid(sp.Rational(1, 2), 4)
    ),
    "staggered_dirichlet": lambda: stack(
        edge_preserving(u), grid=p2n.Grid(gradient="staggered"), boundary="dirichlet"
    ),
    "several_terms": several_terms,
    "guided": lambda: stack(div(sp.exp(-norm2(grad(f))) * grad(u)) + f - u, 4),
    "long_formula": long_formula,
    "no_diffusion": lambda: stack(f - u),
}


def of_scheme(scheme: Any, dim: int = 2) -> Graph:
    """The graph alone: certificates of cells take long."""
    problem = p2n.Problem(equation(edge_preserving(unknown(dim)), dim), parameters={lam: sp.Rational(2, 5)})
    semi = semidiscretise(recognise(problem), p2n.Grid())
    return build(semi, sp.nsimplify(scheme.tau), update_of(scheme, getattr(scheme, "alpha", None)))


def inpainting() -> Graph:
    c = sp.Function("c")(x, y)
    rhs = (1 - c) * laplacian(u) - c * (u - f)
    semi = semidiscretise(recognise(p2n.Problem(equation(rhs, 2))), p2n.Grid())
    return build(semi, sp.Integer(50), update_of(p2n.Multigrid(tau=50, levels=3)))


STACKS = {
    "du_fort_frankel": lambda: of_scheme(p2n.DuFortFrankel(tau=3, alpha=2, steps=6)),
    "fsi": lambda: of_scheme(p2n.FSI(tau=0.25, cycle_length=5, cycles=2)),
    "fsi_step": lambda: of_scheme(p2n.FSI(tau=0.25, cycle_length=5, cycles=2, freeze="step")),
    "fsi_one_cycle": lambda: of_scheme(p2n.FSI(tau=0.25, cycle_length=5, cycles=1)),
    "fed": lambda: of_scheme(p2n.FED(tau=0.25, cycle_length=6, cycles=2)),
    "fed_step": lambda: of_scheme(p2n.FED(tau=0.25, cycle_length=6, cycles=2, freeze="step")),
    "rkl1": lambda: of_scheme(p2n.RKL(order=1, tau=2, stages=5, steps=2)),
    "rkl2": lambda: of_scheme(p2n.RKL(order=2, tau=2, stages=5, steps=2)),
}
CELLS = {
    "fixed_point": lambda: of_scheme(
        p2n.Implicit(tau=sp.Rational(1, 9), steps=1, solver=p2n.FixedPoint(iterations=4))
    ),
    "kacanov": lambda: of_scheme(p2n.Implicit(tau=5, steps=3, solver=p2n.Kacanov(preconditioner="none"))),
    "kacanov_multigrid": lambda: of_scheme(
        p2n.Implicit(tau=5, steps=3, solver=p2n.Kacanov(preconditioner="multigrid"))
    ),
    "kacanov_1d": lambda: of_scheme(p2n.Implicit(tau=5, steps=2), 1),
    "newton": lambda: of_scheme(p2n.Implicit(tau=5, steps=2, solver=p2n.Newton(preconditioner="none"))),
    "newton_1d": lambda: of_scheme(p2n.Implicit(tau=5, steps=2, solver=p2n.Newton()), 1),
    "theta": lambda: of_scheme(p2n.Theta(tau=5, steps=2)),
    "aos": lambda: of_scheme(p2n.AOS(tau=5, steps=3)),
}
NESTED = STACKS | CELLS
U_NETS = {
    "v": lambda: of_scheme(p2n.Multigrid(tau=20, levels=4, pre=2, cycles=3)),
    "w": lambda: of_scheme(p2n.Multigrid(tau=20, levels=4, cycle="W")),
    "fmg": lambda: of_scheme(p2n.Multigrid(tau=20, steps=2, levels=3, cycle="FMG", cycles=8, tol=1e-6)),
    "all_grids": lambda: of_scheme(p2n.Multigrid(tau=20)),
    "inpainting": inpainting,
}


@cache
def graph_of(name: str) -> Graph:
    return (GRAPHS | NESTED | U_NETS)[name]()
