"""Fourth-order diffusion: -laplacian(g laplacian u) in 2D, and You-Kaveh in 1D.

It is stable in the Euclidean norm but violates the maximum principle; the certificate shows where.
You, Kaveh: Fourth-order partial differential equations for noise removal. IEEE TIP 9(10), 2000.
"""

import sympy as sp

import pde2net as p2n
from pde2net import diffusivities, laplacian

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
h, tau = sp.symbols("h tau", positive=True)


def you_kaveh(u):
    v = laplacian(u)
    return sp.Eq(u.diff(t), -laplacian(diffusivities.perona_malik(v**2, lam) * v))


for arguments in ((x, t), (x, y, t)):
    u = sp.Function("u")(*arguments)
    problem = p2n.Problem(you_kaveh(u), parameters={lam: 0.1})
    symbolic = p2n.verify(problem, p2n.Explicit(tau=tau, steps=1), p2n.Grid(spacing=h))
    print(symbolic.subject["equation"])
    print(f"  stable for          {symbolic.claims['l2_stability'].condition}")
    network = p2n.compile(problem, p2n.Explicit(tau=None, steps=1))
    claim = network.certificate.claims["maximum_principle"]
    print(f"  maximum principle   {claim.status}: {claim.witness['description']}")
