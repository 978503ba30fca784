"""The heat equation in 1D: the network against the exact solution.

u_t = u_xx on a ring of circumference 2 pi, u(x, 0) = sin(x), so u(x, t) = exp(-t) sin(x). Halving the
spacing, with tau proportional to h^2, divides the error by four.
"""

import math

import sympy as sp
import torch

import pde2net as p2n
from pde2net import laplacian

x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)), boundary="periodic")

print("cells    steps    error at t = 1    ratio")
previous = math.nan
for n in (32, 64, 128):
    h = 2 * math.pi / n
    steps = math.ceil(1 / (0.4 * h**2))
    network = p2n.compile(problem, p2n.Explicit(tau=1 / steps, steps=steps), p2n.Grid(spacing=h))
    u0 = torch.sin(torch.arange(n, dtype=torch.float64) * h)
    error = (network.module()(u0[None, None])[0, 0] - math.exp(-1) * u0).abs().max().item()
    print(f"{n:5d}    {steps:5d}    {error:14.3e}    {previous / error:5.2f}")
    previous = error
