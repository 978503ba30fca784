"""Fast explicit diffusion: explicit steps, most of them too long alone, in an order that survives rounding.

A cycle of FED is the same polynomial as one of FSI. Its steps reach about 0.4 n^2 times the stable one and
are unstable one by one; all of them together are stable, in exact arithmetic in any order. In single
precision the order decides.
Grewenig, Weickert, Bruhn: From box filtering to fast explicit diffusion. DAGM 2010.
"""

import sympy as sp
import torch

import pde2net as p2n
from pde2net import laplacian

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
problem = p2n.Problem(sp.Eq(u.diff(t), laplacian(u)))
generator = torch.Generator().manual_seed(0)
image = torch.rand(1, 1, 64, 64, generator=generator, dtype=torch.float64)

print("steps     time    l2 stability    rounding error    with the steps in ascending order")
for n in (10, 100):
    scheme = p2n.FED(tau=None, cycle_length=n)
    network = p2n.compile(problem, scheme)
    module = network.module()
    exact = module(image)
    errors = []
    for factors in (module.factors, sorted(module.factors)):
        module.factors = factors
        errors.append((module(image.float()) - exact).abs().max().item())
    claim, tau = network.certificate.claims["l2_stability"], network.certificate.tau
    time = float(scheme.duration(tau))
    print(f"{n:5d}{time:9.1f}    {claim.status:<12}{errors[0]:18.1e}{errors[1]:37.1e}")
