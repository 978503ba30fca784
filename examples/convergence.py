"""Orders of convergence, measured by the method of manufactured solutions.

Perona-Malik diffusion of u = exp(-t) cos(pi x) cos(pi y), which is no solution: the source with which it is
one is derived and added. Forward differences take the slopes of a diffusivity half a cell apart, which costs
an order; staggered ones do not.
"""

import sympy as sp

import pde2net as p2n
from pde2net import div, grad, norm2

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)
g = 1 / (1 + norm2(grad(u)) / lam**2)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 5})
exact = sp.exp(-t) * sp.cos(sp.pi * x) * sp.cos(sp.pi * y)
scheme = p2n.Explicit(tau=sp.Rational(1, 256), steps=4)

for gradient in ("forward", "staggered"):
    grid = p2n.Grid(gradient=gradient)
    print(f"{gradient} differences")
    print(p2n.convergence(problem, exact, scheme, domain=(0, 1), cells=8, grid=grid), "\n")
