"""Charbonnier diffusion of a volume: a noisy ball, 3D, unequal spacing.

The flux is monotone, so one block is nonexpansive: it never moves two volumes apart. The step is the
largest one that is proved.
"""

import sympy as sp
import torch

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2

x, y, z, t = sp.symbols("x y z t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, z, t)

g = diffusivities.charbonnier(norm2(grad(u)), lam)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.05})
grid = p2n.Grid(spacing={x: 1, y: 1, z: 2})
network = p2n.compile(problem, p2n.Explicit(tau=None, steps=6), grid)
claims = network.certificate.claims
print(f"largest proved step  {claims['l2_stability'].limit}")
print(f"nonexpansive         {claims['nonexpansive'].status}")
print(f"maximum principle    {claims['maximum_principle'].status}")

generator = torch.Generator().manual_seed(0)
axis = torch.linspace(-1, 1, 40)
radius = (axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2).sqrt()
ball = (radius < 0.6).float()[None, None]
noisy = ball + 0.1 * torch.randn(ball.shape, generator=generator)
clean = network.module()(noisy)
for name, volume in (("noisy", noisy), ("smoothed", clean)):
    print(f"{name:<9}rms error {((volume - ball) ** 2).mean().sqrt():.4f}  mean {volume.mean():.5f}")
