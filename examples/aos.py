"""Additive operator splitting: any step is stable, and only tridiagonal systems are solved.

Perona-Malik diffusion of a noisy square until T = 20, against the explicit scheme with small steps.
Weickert, ter Haar Romeny, Viergever: Efficient and reliable schemes for nonlinear diffusion filtering.
IEEE TIP 7(3), 1998.
"""

import time

import sympy as sp
import torch

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)
g = diffusivities.perona_malik(norm2(grad(u)), lam)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})
T = 20

generator = torch.Generator().manual_seed(0)
square = torch.zeros(1, 1, 128, 128)
square[..., 32:96, 32:96] = 1
noisy = square + 0.05 * torch.randn(square.shape, generator=generator)

schemes = [("explicit", p2n.Explicit(tau=sp.Rational(1, 20), steps=20 * T))]
schemes += [(f"AOS, {n} steps", p2n.AOS.for_time(T, steps=n)) for n in (1, 4, 16)]
reference = None
print("                 tau    seconds    difference    error to the clean square")
for name, scheme in schemes:
    network = p2n.compile(problem, scheme)
    module = network.module()
    start = time.perf_counter()
    out = module(noisy)
    seconds = time.perf_counter() - start
    reference = out if reference is None else reference
    difference, error = ((out - other).square().mean().sqrt() for other in (reference, square))
    print(f"{name:<14}{network.certificate.tau!s:>6}{seconds:11.3f}{difference:14.4f}{error:29.4f}")

for name in ("l2_stability", "maximum_principle", "mean_preservation"):
    print(f"{name.replace('_', ' '):<20}{network.certificate.claims[name].status}")
