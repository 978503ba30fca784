"""Fast semi-iterative diffusion: a long stopping time in few block evaluations.

FSI.for_time chooses the cycle length. A cycle of n blocks covers the time tau n (n + 1)/3, about n^2/3
steps of the explicit scheme. With diffusivities frozen over each cycle l2 stability is proved.
Hafner et al.: FSI schemes: fast semi-iterative solvers for PDEs and optimisation methods. GCPR 2016.
"""

import sympy as sp
import torch

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)
g = diffusivities.charbonnier(norm2(grad(u)), lam)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})
grid, T = p2n.Grid(spacing=1), 100

generator = torch.Generator().manual_seed(0)
image = torch.zeros(1, 1, 96, 96, dtype=torch.float64)
image[..., 24:72, 24:72] = 1
image += 0.1 * torch.randn(image.shape, generator=generator, dtype=torch.float64)

rows = [("fine", p2n.Explicit(tau=sp.Rational(1, 16), steps=16 * T), 16 * T)]
explicit = p2n.Explicit.for_time(T, problem, grid)
rows.append(("explicit", explicit, explicit.steps))
for cycles in (1, 3, 10):
    fsi = p2n.FSI.for_time(T, problem, grid, cycles=cycles)
    rows.append((f"FSI, {cycles} x {fsi.cycle_length}", fsi, cycles * fsi.cycle_length))

print(f"T = {T}         blocks    rms error    l2 stability")
reference = None
for name, scheme, blocks in rows:
    network = p2n.compile(problem, scheme, grid)
    out = network.module()(image)
    reference = out if reference is None else reference
    error = (out - reference).square().mean().sqrt().item()
    print(f"{name:<14}{blocks:8d}{error:13.4f}    {network.certificate.claims['l2_stability'].status}")
