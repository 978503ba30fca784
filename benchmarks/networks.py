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
    """Perona-Malik 2D as one would write it by hand: pad, conv2d, activation, conv_transpose2d.

    `size` 2 uses the smallest kernels that hold a forward difference; 3 the usual 3 x 3 ones.
    """

    def __init__(self, steps: int, size: int) -> None:
        super().__init__()
        kernel = torch.zeros(2, 1, size, size)
        c = size - 2
        kernel[:, 0, c, c] = -1
        kernel[0, 0, c + 1, c] = 1
        kernel[1, 0, c, c + 1] = 1
        self.steps, self.size = steps, size
        self.register_buffer("kernel", kernel)

    def forward(self, u: Tensor) -> Tensor:
        before = self.size - 2
        for _ in range(self.steps):
            d = F.conv2d(F.pad(u, (before, 1, before, 1), mode="replicate"), self.kernel)
            flux = d / (1 + (d**2).sum(1, keepdim=True) / LAMBDA**2)
            adjoint = F.conv_transpose2d(flux, self.kernel)
            n, m = u.shape[-2:]
            u = u - TAU * adjoint[..., before : before + n, before : before + m]
        return u


def generated(steps: int) -> nn.Module:
    """The module that pde2net emits for the same scheme."""
    x, y, t = sp.symbols("x y t", real=True)
    lam = sp.Symbol("lambda", positive=True)
    u = sp.Function("u")(x, y, t)
    equation = sp.Eq(u.diff(t), div(grad(u) / (1 + norm2(grad(u)) / lam**2)))
    problem = p2n.Problem(equation, parameters={lam: LAMBDA})
    return p2n.compile(problem, p2n.Explicit(tau=TAU, steps=steps), p2n.Grid(spacing=1)).module()
