"""An implicit step as a recurrent cell, and its gradient in memory that does not grow with iterations.

v = u + tau F(v) is solved by lagged diffusivities (Kacanov) or by Newton's method, to a tolerance. The
gradient comes from the implicit function theorem: one linear solve, no iteration is stored.
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

generator = torch.Generator().manual_seed(0)
image = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
image[..., 8:24, 8:24] = 1
image += 0.1 * torch.randn(image.shape, generator=generator, dtype=torch.float64)

certificates = []
print("one step of tau = 10    iterations    residual    d loss/d lambda    by differences")
for solver in (p2n.Kacanov(tol=1e-8), p2n.Newton(tol=1e-8)):
    network = p2n.compile(problem, p2n.Implicit(tau=10, solver=solver), trainable=[lam])
    module = network.module().double()
    iterations = []
    module.cell.register_forward_hook(lambda *_, seen=iterations: seen.append(1))

    v = module(image)
    count = len(iterations)
    residual = module.cell.residual(v, image).norm() / image.norm()
    v.square().sum().backward()
    (parameter,) = module.parameters()
    with torch.no_grad():
        values = []
        for shift in (1e-5, -1e-5):
            parameter += shift
            values.append(module(image).square().sum().item())
            parameter -= shift
    difference = (values[0] - values[1]) / 2e-5
    by_theorem = parameter.grad.item()
    print(f"{solver.label:<24}{count:10d}{residual.item():12.1e}{by_theorem:19.5f}{difference:18.5f}")
    certificates.append(network.certificate)

print("\n                    Kacanov        Newton")
for name in ("l2_stability", "nonexpansive", "maximum_principle", "solver_convergence"):
    first, second = (str(c.claims[name].status) for c in certificates)
    print(f"{name.replace('_', ' '):<20}{first:<15}{second}")
