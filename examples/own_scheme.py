"""A scheme and a diffusivity of your own: Heun's method, with network, certificate and text like any other.

u1 = u + tau F(u), u+ = (u + u1 + tau F(u1))/2 (Heun 1900; as convex combinations, Shu and Osher 1988).
What is claimed is derived from the weights of the two stages: that 1 - z + z^2/2 is their polynomial, at
most 1 up to z = 2, and of order 2.
"""

from dataclasses import dataclass
from typing import ClassVar

import sympy as sp
import torch

import pde2net as p2n
from pde2net import diffusivities, div, extend, grad, norm2
from pde2net.extend import RATE, START, STEP, TAU, Method, OwnScheme, Polynomial, Stack, U, Z

WEIGHT = sp.Symbol("_b", real=True)


@dataclass(frozen=True)
class Heun(OwnScheme):
    """u+ = (u + u1 + tau F(u1))/2, u1 = u + tau F(u)."""

    label: ClassVar[str] = "Heun"


def heun(scheme: Heun, _: None) -> Stack:
    stages = ({WEIGHT: sp.S.One}, {WEIGHT: sp.Rational(1, 2)})
    skip = WEIGHT * STEP + (1 - WEIGHT) * START
    return Stack(U + TAU * RATE, skip, stages, time=TAU, cycles=scheme.steps, order=2)


def words(scheme: Heun, stack: Stack, tau: sp.Expr, reaction: bool) -> str:
    return f"Heun, tau = {tau}, steps = {scheme.steps}: u <- (u + u1 + tau F(u1))/2, u1 = u + tau F(u)"


def polynomial(scheme: Heun) -> Polynomial:
    return Polynomial(sp.Poly(1 - Z + Z**2 / 2, Z, domain="QQ"), sp.Integer(2), "1 - z + z^2/2")


@extend.register_diffusivity
def geman_mcclure(s2: sp.Expr, lam: sp.Expr) -> sp.Expr:
    """g = 1/(1 + s2/lam^2)^2 (Geman, McClure 1985)."""
    return 1 / (1 + s2 / lam**2) ** 2


extend.register_scheme(Method(Heun, heun, words, polynomial))

x, y, t = sp.symbols("x y t", real=True)
lam = sp.Symbol("lambda", positive=True)
u = sp.Function("u")(x, y, t)
heat = p2n.Problem(sp.Eq(u.diff(t), p2n.laplacian(u)))
g = diffusivities.geman_mcclure(norm2(grad(u)), lam)
problem = p2n.Problem(sp.Eq(u.diff(t), div(g * grad(u))), parameters={lam: 0.1})

network = p2n.compile(problem, Heun(tau=sp.Rational(1, 5), steps=10))
print(network.certificate.subject["scheme"])
for name, declared in (("heat", heat), ("Geman-McClure", problem)):
    claims = p2n.verify(declared, Heun(tau=sp.Rational(1, 5), steps=10)).claims
    for claim in ("l2_stability", "frozen_stability", "consistency"):
        limit = claims[claim].limit
        print(f"{name:14} {claim:17} {claims[claim].status}{'' if limit is None else f', tau <= {limit}'}")
print(network.module()(torch.rand(1, 1, 32, 32)).shape)
