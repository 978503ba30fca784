"""One implicit step on a photograph by full approximation cycles: each V-cycle is a U-net.

Charbonnier diffusion with tau = 20, 80 times the explicit limit. The residual falls by about the same
factor per cycle, whatever the size of the picture.
"""

import time

import sympy as sp
import torch

import pde2net as p2n
from pde2net import diffusivities, div, grad, norm2

try:
    from skimage import data
except ImportError:
    raise SystemExit('This example needs scikit-image: pip install "pde2net[demo]".') from None

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)
g = diffusivities.charbonnier(norm2(grad(u)), lam)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})
tau = 20

network = p2n.compile(problem, p2n.Multigrid(tau=tau, pre=2, post=2, cycles=4))
claim = network.certificate.claims["solver_convergence"]
print(f"{network.architecture}; by Fourier analysis {float(claim.factor):.3f} per cycle, {claim.status}")
module = network.module()
rate = p2n.compile(problem, p2n.Explicit(tau=1), on_unstable="ignore").module()
camera = torch.from_numpy(data.camera() / 255.0)[None, None]

print("size    seconds    residual after 2 and 4 cycles")
for stride in (4, 2, 1):
    image, residuals = camera[..., ::stride, ::stride], []
    for module.cycles in (2, 4):
        start = time.perf_counter()
        with torch.no_grad():
            v = module(image)
            seconds = time.perf_counter() - start
            residual = v - tau * (rate(v) - v) - image
        residuals.append((residual.norm() / image.norm()).item())
    words = "  ".join(f"{r:.1e}" for r in residuals)
    print(f"{image.shape[-1]:4d}²{seconds:10.2f}    {words}")
