"""Perona-Malik diffusion in 2D: denoise a picture, keep its edges.

    pde2net verify examples/perona_malik.py
    pde2net run examples/perona_malik.py noisy.png clean.png

The values fit noise of standard deviation sigma = 20/255 on a scale of [0, 1], by two rules:

- contrast parameter lambda = 0.9 sigma: a step must exceed the noise to count as an edge;
- stopping time by the discrepancy principle (Morozov 1966): stop when the root mean square of what was
  removed, u - u0, comes close to sigma. Here that is T = 2.4. `pde2net run --stop-at T` tries others.
"""

import sympy as sp

import pde2net as p2n
from pde2net import div, grad, norm2

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)

g = 1 / (1 + norm2(grad(u)) / lam**2)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.07})
grid = p2n.Grid(spacing=1)
scheme = p2n.Explicit(tau=sp.Rational(1, 5), steps=12)

if __name__ == "__main__":
    print(p2n.verify(problem, scheme, grid))
