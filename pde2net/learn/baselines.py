"""Standard networks to compare with, at a given number of parameters, trained by the same loop.

Each maps (batch, image_channels, *spatial) to the same shape, for images of every size, and adds what it
computes to its input.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pde2net.errors import DeclarationError
from pde2net.language.exact import count

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
CONVOLUTIONS: dict[int, type[Convolution]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


def residual(
    dimension: int = 2,
    channels: int = 16,
    blocks: int = 5,
    kernel_size: int = 5,
    image_channels: int = 1,
    parameters: int | None = None,
) -> nn.Module:
    """Residual blocks u + W2 relu(W1 u + b1) + b2 with independent filters (He et al., CVPR 2016).

    channels    of the response W1 u of each block, or
    parameters  as many channels as that many parameters allow
    """
    return _sized(
        lambda width: Residual(dimension, width, blocks, kernel_size, image_channels), channels, parameters
    )


def unet(
    dimension: int = 2,
    channels: int = 16,
    levels: int = 3,
    kernel_size: int = 3,
    image_channels: int = 1,
    parameters: int | None = None,
) -> nn.Module:
    """A U-net (Ronneberger, Fischer, Brox, MICCAI 2015).

    Two convolutions with ReLU a level, maxima of 2 x 2 down, transposed convolutions up, skips that are
    concatenated.

    channels    of the finest level; each coarser one has twice as many
    parameters  as many channels as that many parameters allow
    """
    return _sized(
        lambda width: UNet(dimension, width, levels, kernel_size, image_channels), channels, parameters
    )


def dncnn(
    dimension: int = 2,
    channels: int = 16,
    depth: int = 8,
    kernel_size: int = 3,
    image_channels: int = 1,
    parameters: int | None = None,
) -> nn.Module:
    """DnCNN, which estimates what is to be removed (Zhang et al., IEEE TIP 2017).

    Convolutions with batch normalisation and ReLU between; it has 17 layers of 64 channels there.

    parameters  as many channels as that many parameters allow
    """
    return _sized(
        lambda width: DnCNN(dimension, width, depth, kernel_size, image_channels), channels, parameters
    )


class Residual(nn.Module):
    """Residual blocks, one after the other."""

    def __init__(
        self, dimension: int, channels: int, blocks: int, kernel_size: int, image_channels: int
    ) -> None:
        super().__init__()
        made = (
            Block(dimension, channels, kernel_size, image_channels) for _ in range(count(blocks, "blocks"))
        )
        self.blocks = nn.ModuleList(made)

    def forward(self, u: Tensor) -> Tensor:
        for block in self.blocks:
            u = block(u)
        return u


class Block(nn.Module):
    """u + W2 relu(W1 u + b1) + b2; W2 starts near 0."""

    def __init__(self, dimension: int, channels: int, kernel_size: int, image_channels: int) -> None:
        super().__init__()
        self.inner = _convolution(dimension, image_channels, channels, kernel_size)
        self.outer = _convolution(dimension, channels, image_channels, kernel_size)
        with torch.no_grad():
            self.outer.weight.mul_(0.1)

    def forward(self, u: Tensor) -> Tensor:
        found: Tensor = u + self.outer(F.relu(self.inner(u)))
        return found


class DnCNN(nn.Module):
    def __init__(
        self, dimension: int, channels: int, depth: int, kernel_size: int, image_channels: int
    ) -> None:
        super().__init__()
        if count(depth, "depth") < 2:
            raise DeclarationError(f"depth is 2 at least, a layer in and one out, not {depth}.")
        layers: list[nn.Module] = [_convolution(dimension, image_channels, channels, kernel_size), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [_convolution(dimension, channels, channels, kernel_size, bias=False)]
            layers += [NORMS[dimension](channels), nn.ReLU()]
        self.layers = nn.Sequential(*layers, _convolution(dimension, channels, image_channels, kernel_size))

    def forward(self, u: Tensor) -> Tensor:
        found: Tensor = u - self.layers(u)
        return found


class UNet(nn.Module):
    def __init__(
        self, dimension: int, channels: int, levels: int, kernel_size: int, image_channels: int
    ) -> None:
        super().__init__()
        widths = [channels << level for level in range(count(levels, "levels"))]
        self.down = nn.ModuleList(
            _pair(dimension, a, b, kernel_size) for a, b in itertools.pairwise([image_channels, *widths])
        )
        self.pool = POOLS[dimension](2)
        coarse = list(reversed(list(itertools.pairwise(widths))))
        self.up = nn.ModuleList(TRANSPOSED[dimension](b, a, 2, stride=2) for a, b in coarse)
        self.merge = nn.ModuleList(_pair(dimension, 2 * a, a, kernel_size) for a, _ in coarse)
        self.last = _convolution(dimension, channels, image_channels, 1)

    def forward(self, u: Tensor) -> Tensor:
        multiple = 1 << len(self.up)
        missing = [-n % multiple for n in u.shape[2:]]
        pads = [p for m in reversed(missing) for p in (0, m)]
        v = F.pad(u, pads, mode="replicate") if any(pads) else u
        skips = []
        for level, pair in enumerate(self.down):
            v = pair(self.pool(v) if level else v)
            skips.append(v)
        skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            v = merge(torch.cat((skips.pop(), up(v)), 1))
        inner = tuple(slice(0, n) for n in u.shape[2:])
        found: Tensor = u + self.last(v)[(..., *inner)]
        return found


def _convolution(dimension: int, inner: int, outer: int, size: int, bias: bool = True) -> Convolution:
    if dimension not in CONVOLUTIONS:
        raise DeclarationError(f"Images have 1 to 3 dimensions, not {dimension}.")
    if size % 2 == 0:
        raise DeclarationError(f"kernel_size is odd, not {size}: results have the size of the image.")
    return CONVOLUTIONS[dimension](inner, outer, size, padding=size // 2, bias=bias)


def _pair(dimension: int, inner: int, outer: int, size: int) -> nn.Module:
    first = _convolution(dimension, inner, outer, size)
    return nn.Sequential(first, nn.ReLU(), _convolution(dimension, outer, outer, size), nn.ReLU())


def _sized(make: Callable[[int], nn.Module], channels: int, parameters: int | None) -> nn.Module:
    """The network of so many channels, or of as many as `parameters` allow."""
    if parameters is None:
        return make(count(channels, "channels"))

    def size(width: int) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in make(width).parameters())

    if size(1) > count(parameters, "parameters"):
        raise DeclarationError(f"One channel has {size(1)} parameters already, more than {parameters}.")
    width = 1
    while size(2 * width) <= parameters:
        width *= 2
    for step in (width >> k for k in range(1, width.bit_length())):
        width += step if size(width + step) <= parameters else 0
    return make(width)
