"""Guided diffusion: smooth a noisy picture, but not across the edges of a clean guide.

u_t = div(g(|grad f|^2) grad u) with a known field f. The equation is linear in u with a coefficient
that is at most 1 for every guide, so the step is proved for all of them.
"""

import sympy as sp
import torch

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)

g = diffusivities.exponential(norm2(grad(f)), lam)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})
network = p2n.compile(problem, p2n.Explicit(tau=None, steps=30))
print(f"l2 stability {network.certificate.claims['l2_stability'].status}, tau = {network.certificate.tau}")

generator = torch.Generator().manual_seed(0)
i = torch.arange(64)
guide = ((i[:, None] // 16 + i // 16) % 2).float()[None, None]
flat = guide.clone()
noisy = flat + 0.2 * torch.randn(flat.shape, generator=generator)
out = network.module()(noisy, f=guide)
print(f"rms error {((noisy - flat) ** 2).mean().sqrt():.4f} -> {((out - flat) ** 2).mean().sqrt():.4f}")
