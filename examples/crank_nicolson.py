"""Crank-Nicolson, the theta scheme at 1/2: second order in time, where the implicit scheme has the first.

Charbonnier diffusion of a smooth signal until T = 40. The price: high frequencies are hardly damped by long
steps, and the maximum principle keeps a limit for the step, which the implicit scheme does not have.
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
signal = torch.cos((torch.arange(40, dtype=torch.float64) + 0.5) * math.pi / 20)[None, None]
solver = p2n.Kacanov(tol=1e-11)
T = 40


def network(theta, steps: int) -> p2n.Network:
    return p2n.compile(problem, p2n.Theta.for_time(T, steps=steps, theta=theta, solver=solver))


half = sp.Rational(1, 2)
reference = network(half, 160).module()(signal)
claims = []
print("theta    steps    largest error    ratio")
for theta in (1, half):
    previous = math.nan
    for steps in (5, 10, 20):
        solved = network(theta, steps)
        error = (solved.module()(signal) - reference).abs().max().item()
        print(f"{theta!s:>5}    {steps:5d}{error:17.2e}{previous / error:9.1f}")
        previous = error
    claims.append(solved.certificate.claims)

print("\ntau = 2                implicit         Crank-Nicolson")
for name in ("l2_stability", "frozen_stability", "maximum_principle"):
    words = [str(c[name].status) for c in claims]
    print(f"{name.replace('_', ' '):<23}{words[0]:<17}{words[1]}")
