"""Runge-Kutta-Legendre and -Chebyshev: s stages make one step of about s^2/2 or s^2 explicit ones.

The error of Charbonnier diffusion of a smooth signal at T = 64, when the number of steps doubles.
Meyer, Balsara, Aslam: A stabilized Runge-Kutta-Legendre method for explicit super-time-stepping of
parabolic and mixed equations. J. Comput. Phys. 257, 2014. Sommeijer, Shampine, Verwer: RKC, an explicit
solver for parabolic PDEs. J. Comput. Appl. Math. 88, 1998.
"""

import math

import sympy as sp
import torch

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2

x, t = sp.symbols("x t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, t)
g = diffusivities.charbonnier(norm2(grad(u)), lam)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})
grid, T = p2n.Grid(spacing=1), 64

signal = torch.sin(torch.arange(100, dtype=torch.float64) * math.pi / 25)[None, None]
fine = p2n.RKL.for_time(T, problem, grid, order=2, steps=128)
reference = p2n.compile(problem, fine, grid).module()(signal)

print(f"explicit steps: {p2n.Explicit.for_time(T, problem, grid).steps}")
print("scheme  order    steps x stages    largest error    ratio    frozen stability")
for kind in (p2n.RKL, p2n.RKC):
    for order in (1, 2):
        previous = math.nan
        for steps in (4, 8, 16):
            scheme = kind.for_time(T, problem, grid, order=order, steps=steps)
            network = p2n.compile(problem, scheme, grid)
            error = (network.module()(signal) - reference).abs().max().item()
            blocks = f"{kind.__name__}{order:9d}    {f'{steps} x {scheme.stages}':>14}"
            status = network.certificate.claims["frozen_stability"].status
            print(f"{blocks}{error:17.2e}{previous / error:9.1f}    {status}")
            previous = error
