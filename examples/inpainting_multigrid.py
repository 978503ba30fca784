"""A photograph from 5 % of its pixels: the steady state, tau = oo, by multigrid.

(1 - c) laplacian(u) + c (f - u) = 0 with the mask c. Explicit steps pass what is known from
cell to cell, and need thousands of blocks; the coarse grids of a cycle pass it over long distances.
Mainberger, Bruhn, Weickert, Forchhammer: Edge-based compression of cartoon-like images with homogeneous
diffusion. Pattern Recognition 44, 2011.
"""

import sympy as sp
import torch

import pde2net as p2n
from pde2net import laplacian

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
f, c = sp.Function("f")(x, y), sp.Function("c")(x, y)

problem = p2n.Problem(sp.Eq(u.diff(t), c * (f - u) + (1 - c) * laplacian(u)))
scheme = p2n.Multigrid(tau=sp.oo, pre=2, post=2, cycles=30, tol=1e-6)

if __name__ == "__main__":
    try:
        from skimage import data
    except ImportError:
        raise SystemExit('This example needs scikit-image: pip install "pde2net[demo]".') from None

    network = p2n.compile(problem, scheme)
    for name in ("solver_convergence", "l2_stability"):
        print(f"{name}: {network.certificate.claims[name].status}")

    picture = torch.from_numpy(data.camera() / 255.0)[None, None]
    mask = (torch.rand(picture.shape, generator=torch.Generator().manual_seed(0)) < 0.05).double()
    module = network.module()
    cycles = []
    module.net.register_forward_hook(lambda net, inputs, out: cycles.append(inputs[0].shape))
    with torch.no_grad():
        filled = module(mask * picture, f=picture, c=mask)
    print(f"known pixels  {int(mask.sum())} of {mask.numel()}")
    print(f"cycles        {cycles.count(picture.shape)}")
    print(f"rms error     {((filled - picture) ** 2).mean().sqrt():.4f}")
    print(f"range         {filled.min():.3f} to {filled.max():.3f}")
