"""Inpainting with a mask: known pixels are kept, diffusion fills in the rest.

u_t = c (f - u) + (1 - c) laplacian(u) with the mask c (1 where the picture f is known, else 0). The
known pixels drive the solution, so its norm may grow, and the mask varies in space, so the operator is
not symmetric: no norm is claimed. With c in [0, 1] the result stays in the range of u and f.
Galic et al.: Image compression with anisotropic diffusion. J. Math. Imaging Vis. 31, 2008.
"""

import sympy as sp
import torch

import pde2net as p2n
from pde2net import laplacian

x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
f, c = sp.Function("f")(x, y), sp.Function("c")(x, y)

problem = p2n.Problem(sp.Eq(u.diff(t), c * (f - u) + (1 - c) * laplacian(u)), bounds={c: (0, 1)})
scheme = p2n.Explicit(tau=None, steps=1600)

if __name__ == "__main__":
    network = p2n.compile(problem, scheme)
    for name in ("l2_stability", "maximum_principle"):
        claim = network.certificate.claims[name]
        print(f"{name}: {claim.status}. {claim.reason}")

    i = torch.arange(48, dtype=torch.float32)
    picture = (torch.sin(i[:, None] / 9) * torch.cos(i / 7) / 2 + 0.5)[None, None]
    mask = (torch.rand(picture.shape, generator=torch.Generator().manual_seed(0)) < 0.05).float()
    filled = network.module()(mask * picture, f=picture, c=mask)
    print(f"known pixels {int(mask.sum())} of {mask.numel()}")
    print(f"rms error of the mask alone  {((mask * picture - picture) ** 2).mean().sqrt():.4f}")
    print(f"rms error after inpainting   {((filled - picture) ** 2).mean().sqrt():.4f}")
    print(f"range {filled.min():.3f} to {filled.max():.3f}")
