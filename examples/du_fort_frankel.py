"""Du Fort-Frankel: long steps are stable with frozen coefficients, but consistent only if tau/h tends to 0.

u_t = u_xx on a ring, u(x, 0) = sin(x). Written out, the scheme carries alpha tau^2 u_tt, and alpha is
1/h^2: with tau proportional to h it solves another, hyperbolic equation, however fine the grid is.
Du Fort, Frankel: Stability conditions in the numerical treatment of parabolic equations. 1953.
"""

import math

import sympy as sp
import torch

import pde2net as p2n
from pde2net import laplacian

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), boundary="periodic")


def error(cells: int, steps: int) -> float:
    """The largest error at t = 1."""
    h = 2 * math.pi / cells
    scheme = p2n.DuFortFrankel.for_time(1, steps=steps)
    network = p2n.compile(problem, scheme, p2n.Grid(spacing=h), on_unstable="ignore")
    u0 = torch.sin(torch.arange(cells, dtype=torch.float64) * h)
    return (network.module()(u0[None, None])[0, 0] - math.exp(-1) * u0).abs().max().item()


for tau in (sp.Rational(1, 2), 5):
    claims = p2n.verify(problem, p2n.DuFortFrankel(tau=tau, steps=20), p2n.Grid(spacing=1)).claims
    print(f"h = 1, tau = {tau}")
    for name in ("l2_stability", "frozen_stability"):
        print(f"  {name.replace('_', ' '):<18}{claims[name].status}")

print("\n         tau = h/2         tau = h^2/2")
print("cells    steps    error    steps    error")
for n in (32, 64, 128):
    few, many = math.ceil(n / math.pi), math.ceil(n**2 / (2 * math.pi**2))
    print(f"{n:5d}    {few:5d} {error(n, few):8.4f}    {many:5d} {error(n, many):8.4f}")
