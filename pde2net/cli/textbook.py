"""The network of a textbook: differences as convolutions with small kernels, and transposed ones."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pde2net.emit.execute import execute
from pde2net.emit.noise import noise
from pde2net.network import Network

REACH = 3  # cells on both sides that a difference may see
TINY = 24  # cells along each axis of the image on which networks are compared


def textbook(network: Network) -> torch.nn.Module | None:
    """The torch module whose K and K^T are F.conv and F.conv_transpose with one kernel for each row of K.

    Convolutions see the border value repeated, as forward differences at reflecting borders do. None where
    that is another network.
    """
    axes = len(network.semidiscrete.form.space)
    module = execute(network.source(), anew=True).double().eval()
    text = type(module).forward.__globals__
    banks = [name for name in text if f"{name}Adjoint" in text and hasattr(text[name], "of")]
    if network.architecture != "residual stack" or not banks:
        return None
    image, given = noise(network.semidiscrete.form.problem, [TINY] * axes, torch.float64)
    with torch.no_grad():
        want = module(image, **given) - image
        for name in banks:
            made = _Convolution(text[name], axes)
            text[name].of, text[f"{name}Adjoint"].of = staticmethod(made.of), staticmethod(made.adjoint)
        try:
            error = (module(image, **given) - image - want).abs().max()
        except RuntimeError:
            return None
    return module.float() if error <= 1e-6 * want.abs().max() else None


class _Convolution:
    """K of some differences as one convolution."""

    def __init__(self, bank: Any, axes: int) -> None:
        impulse = torch.zeros(1, 1, *[4 * REACH + 1] * axes)
        impulse[(0, 0, *[2 * REACH] * axes)] = 1
        near = (slice(None), 0, *[slice(REACH, 3 * REACH + 1)] * axes)
        kernels = torch.stack([response[near][0].flip(*range(axes)) for response in bank.of(impulse)])
        seen = kernels.abs().sum(0).nonzero()
        first, last = seen.min(0).values.tolist(), seen.max(0).values.tolist()
        own = tuple(slice(a, b + 1) for a, b in zip(first, last, strict=True))
        self.kernels = kernels[(slice(None), *own)].unsqueeze(1)
        self.before = [REACH - a for a in first]
        self.sides = [n for a, b in zip(first[::-1], last[::-1], strict=True) for n in (REACH - a, b - REACH)]
        self.forward = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
        self.transposed = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[axes - 1]

    def of(self, u: Tensor) -> tuple[Tensor, ...]:
        flat = F.pad(u.reshape(-1, 1, *u.shape[2:]), self.sides, mode="replicate")
        made = self.forward(flat, self.kernels.to(u.dtype))
        return tuple(row.reshape(u.shape) for row in made.unbind(1))

    def adjoint(self, *p: Tensor) -> Tensor:
        size = p[0].shape[2:]
        rows = torch.stack([row.reshape(-1, *size) for row in p], 1)
        whole = self.transposed(rows, self.kernels.to(rows.dtype))
        own = tuple(slice(b, b + n) for b, n in zip(self.before, size, strict=True))
        return whole[(slice(None), slice(None), *own)].reshape(p[0].shape)
