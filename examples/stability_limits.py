"""Symbolic stability limits of a table of equations and stencils, printed as a table."""

import sympy as sp
from rich.console import Console
from rich.table import Table

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2

x, y, z, t = sp.symbols("x y z t", real=True)
h, tau, lam, eps, beta = sp.symbols("h tau lambda epsilon beta", positive=True)
h_x, h_y = sp.symbols("h_x h_y", positive=True)
u1, u2, u3 = (sp.Function("u")(*(x, y, z)[:d], t) for d in (1, 2, 3))
f = sp.Function("f")(x, y)


def diffusion(u, g):
    return div(g(norm2(grad(u))) * grad(u))


ROWS = [
    ("heat 1D", u1, laplacian(u1), {}),
    ("heat 2D", u2, laplacian(u2), {}),
    ("heat 3D", u3, laplacian(u3), {}),
    ("heat 2D, unequal spacing", u2, laplacian(u2), {"spacing": {x: h_x, y: h_y}}),
    ("heat 1D, central differences", u1, laplacian(u1), {"gradient": "central"}),
    ("heat 1D, order 4", u1, laplacian(u1), {"order": 4}),
    ("biharmonic 1D", u1, -laplacian(laplacian(u1)), {}),
    ("biharmonic 2D", u2, -laplacian(laplacian(u2)), {}),
    ("Perona-Malik 2D", u2, diffusion(u2, lambda s: diffusivities.perona_malik(s, lam)), {}),
    ("Charbonnier 2D", u2, diffusion(u2, lambda s: diffusivities.charbonnier(s, lam)), {}),
    ("Weickert 2D", u2, diffusion(u2, lambda s: diffusivities.weickert(s, lam)), {}),
    ("regularised TV 2D", u2, diffusion(u2, lambda s: diffusivities.regularised_tv(s, eps)), {}),
    ("heat 2D with fidelity", u2, laplacian(u2) + beta * (f - u2), {}),
]

table = Table("equation", "stable for tau up to", "proved as", "maximum principle for")
for name, u, rhs, options in ROWS:
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs))
    grid = p2n.Grid(**({"spacing": h} | options))
    claims = p2n.verify(problem, p2n.Explicit(tau=tau, steps=1), grid).claims
    claim = claims["l2_stability"]
    if claim.status == "not applicable":
        claim = claims["frozen_stability"]
    principle = claims["maximum_principle"].limit
    table.add_row(name, str(claim.limit), claim.name.replace("_", " "), str(principle or "none"))
Console(width=124).print(table)
