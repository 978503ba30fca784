"""What noise does to the responses of filters, for contrasts to start from."""

from __future__ import annotations

from typing import SupportsFloat

import sympy as sp

from pde2net.compiler import compile as compiled
from pde2net.errors import DeclarationError
from pde2net.language.exact import count
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.language.schemes import Explicit
from pde2net.learn.values import values


def noise(
    operator: LinearOperator, sigma: SupportsFloat, dimension: int = 2, channels: int = 1
) -> list[float]:
    """The standard deviation that white noise of standard deviation sigma has in each channel of K u.

    sigma ‖k_o‖, Euclidean norms of the filters k_o that training starts from, for an operator K that is
    applied to u itself, of so many channels: a contrast to start from, below which a response may be noise,

        parameters={lam: p2n.learn.noise(K, 25 / 255)}.

    The filters of one channel are those that modules get; random ones are drawn anew by each module, those
    here from the seed 0. Raises DeclarationError for a sigma that is not positive.
    """
    import torch

    deviation = float(sigma)
    if not 0 < deviation < float("inf"):
        raise DeclarationError(f"The standard deviation of noise is a positive number, not {sigma}.")
    axes = sp.symbols("x y z", real=True)[: count(dimension, "dimension")]
    if len(axes) < dimension:
        raise DeclarationError(f"Images have 1 to 3 dimensions, not {dimension}.")
    t = sp.Symbol("t", real=True)
    u = sp.Function("u")(*axes, t)
    problem = Problem(sp.Eq(u.diff(t), -operator.adjoint(operator(u))), channels=channels)
    step = Explicit(tau=1, steps=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = compiled(problem, step, trainable=[operator], on_unstable="ignore").module()
    found: list[float] = (deviation * values(module)[operator.name].flatten(1).norm(dim=1)).tolist()
    return found
