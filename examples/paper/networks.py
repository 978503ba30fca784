"""The networks of the experiments in one dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import sympy as sp
import torch
import torch.nn.functional as F
from common import SIGMA
from torch import Tensor, nn

import pde2net as p2n

x, t = sp.symbols("x t", real=True)
u, f = sp.Function("u")(x, t), sp.Function("f")(x)
beta = sp.Symbol("beta", positive=True)
SIZE = 5  # cells of a filter
MULTIPLES = (4, 2, 1, sp.Rational(1, 2))  # scales of mixtures, in standard deviations of the noise in K u
REACH = sp.Rational(3, 10)  # of splines
WIDE = 9  # channels from which residual networks take a smaller rate
# Of Adam; rates.py tries others.
RATES = {"diffusion": 0.01, "symmetric": 0.01, "residual": 0.01, "wide residual": 0.003}
RATES |= {"unet": 0.003, "multigrid": 0.03}

# The flux Phi(K u) of each filter, the parameters that it adds, and the values that they start from.
Flux = tuple[sp.Expr, Sequence[Any], dict[Any, Any]]


def with_contrast(name: str) -> Callable[[p2n.LinearOperator], Flux]:
    """g(s²/lambda²) s with a contrast lambda for each filter, at first the noise in its response."""

    def flux(K: p2n.LinearOperator) -> Flux:
        lam = K.parameter("lambda", positive=True)
        g = getattr(p2n.diffusivities, name)(K(u) ** 2, lam)
        return g * K(u), [lam], {lam: p2n.learn.noise(K, SIGMA, dimension=1)}

    return flux


def with_mixture(kernel: str) -> Callable[[p2n.LinearOperator], Flux]:
    """sum_j w_j e(s²/lambda_j²) s with weights for each filter and fixed lambda_j."""

    def flux(K: p2n.LinearOperator) -> Flux:
        unit = sp.nsimplify(max(p2n.learn.noise(K, SIGMA, dimension=1)), rational=True).limit_denominator(
            10**6
        )
        w = [K.parameter(f"w{j}", nonnegative=True) for j in range(len(MULTIPLES))]
        scales = [unit * m for m in MULTIPLES]
        g = p2n.diffusivities.mixture(K(u) ** 2, weights=w, scales=scales, kernel=kernel)
        return g * K(u), w, {weight: sp.Rational(1, len(w)) for weight in w}

    return flux


def with_spline(lower: sp.Rational) -> Callable[[p2n.LinearOperator], Flux]:
    """A spline for each filter, whose slopes are at least `lower`."""

    def flux(K: p2n.LinearOperator) -> Flux:
        phi = p2n.Spline("phi", knots=31, reach=REACH, slopes=(lower, 1), filters=K)
        return phi(K(u)), [phi], {}

    return flux


FLUXES: dict[str, Callable[[p2n.LinearOperator], Flux]] = {
    "Charbonnier": with_contrast("charbonnier"),
    "Perona-Malik": with_contrast("perona_malik"),
    "exponential": with_contrast("exponential"),
    "mixture of Charbonnier": with_mixture("charbonnier"),
    "mixture of exponential": with_mixture("exponential"),
    "monotone spline": with_spline(sp.Integer(0)),
    "nonmonotone spline": with_spline(sp.Rational(-1, 2)),
}


def diffusion(
    channels: int,
    scheme: Any,
    flux: str = "Perona-Malik",
    tables: Sequence[str] = ("tau",),
    shared: bool = False,
    keep_stable: bool = True,
    data_term: bool = False,
    **kept: Any,
) -> p2n.Network:
    """u_t = -K^T Phi(K u), with a term beta (f - u) if asked for; `tables` are weights of the scheme."""
    K = p2n.LinearOperator("K", channels, SIZE, border="continued")
    value, learned, start = FLUXES[flux](K)
    rhs, trained = -K.adjoint(value), [K, *learned, *tables]
    if data_term:
        rhs, trained, start = rhs + beta * (f - u), [*trained, beta], {**start, beta: 0.1}
    problem = p2n.Problem(sp.Eq(u.diff(t), rhs), parameters=start)
    return p2n.compile(
        problem,
        scheme,
        trainable=trained,
        shared=shared,
        keep_stable=keep_stable,
        on_unstable="ignore",
        **kept,
    )


class Symmetric(nn.Module):
    """Residual blocks u - K^T relu(K u + b) with one filter bank each."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        banks = [0.3 * nn.Conv1d(1, channels, SIZE).weight.detach() for _ in range(blocks)]
        self.K = nn.ParameterList(banks)
        self.b = nn.ParameterList([torch.zeros(channels) for _ in range(blocks)])

    def forward(self, u: Tensor) -> Tensor:
        for K, b in zip(self.K, self.b, strict=True):
            flux = F.relu(F.conv1d(u, K, b, padding=SIZE // 2))
            u = u - F.conv_transpose1d(flux, K, padding=SIZE // 2)
        return u
