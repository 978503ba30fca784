"""The networks that are compared: the textbook Perona-Malik network and the generated one."""

from __future__ import annotations

import sympy as sp
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import pde2net as p2n
from pde2net import div, grad, norm2

TAU, LAMBDA = 0.2, 0.1


class Textbook(nn.Module):
    """Perona-Malik as one would write it by hand: pad, convolution, activation, transposed convolution.

    `size` 2 uses the smallest kernels that hold a forward difference; 3 the usual ones of 3 cells an axis.
    """

    def __init__(self, steps: int, size: int, dimension: int = 2) -> None:
        super().__init__()
        kernel = torch.zeros(dimension, 1, *[size] * dimension)
        middle = [size - 2] * dimension
        for axis in range(dimension):
            after = [m + (k == axis) for k, m in enumerate(middle)]
            kernel[axis, 0][tuple(middle)], kernel[axis, 0][tuple(after)] = -1, 1
        self.steps, self.size, self.dimension = steps, size, dimension
        self.register_buffer("kernel", kernel)

    def forward(self, u: Tensor) -> Tensor:
        before, d = self.size - 2, self.dimension
        convolve = {2: F.conv2d, 3: F.conv3d}[d]
        transposed = {2: F.conv_transpose2d, 3: F.conv_transpose3d}[d]
        inside = (..., *(slice(before, before + n) for n in u.shape[-d:]))
        for _ in range(self.steps):
            slopes = convolve(F.pad(u, (before, 1) * d, mode="replicate"), self.kernel)
            flux = slopes / (1 + (slopes**2).sum(1, keepdim=True) / LAMBDA**2)
            u = u - TAU * transposed(flux, self.kernel)[inside]
        return u


def generated(steps: int) -> nn.Module:
    """The module that pde2net emits for the same scheme."""
    x, y, t = sp.symbols("x y t", real=True)
    lam = sp.Symbol("lambda", positive=True)
    u = sp.Function("u")(x, y, t)
    equation = sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2)))
    problem = p2n.Problem(equation, parameters={lam: LAMBDA})
    return p2n.compile(problem, p2n.Explicit(tau=TAU, steps=steps), p2n.Grid(spacing=1)).module()
