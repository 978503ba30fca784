"""Gaussian smoothing as functions of emitted source, one per kind of border."""

from __future__ import annotations

from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition
from pde2net.language.borders import BORDERS


def gaussian_name(boundary: str) -> str:
    return f"gaussian{BORDERS[boundary].suffix}"


def gaussian_function(boundary: str) -> list[Definition]:
    """`gaussian(u, sigma, dim)`: smoothing along one dimension, sigma in cells.

    ONNX has no remainder by a size that is open, but by a tensor of it.
    """
    border = BORDERS[boundary]
    border.require(border.factor in (-1, 0, 1), "Gaussians")
    return parse(
        _GAUSSIAN,
        name=gaussian_name(boundary),
        shape=border.shape,
        zero=border.zero,
        wraps=border.wraps,
        mirrors=not (border.zero or border.wraps),
        odd=border.factor == -1,
        period="n" if border.wraps else "2 * n",
    )


_GAUSSIAN = '''
def $name(u: Tensor, sigma: float, dim: int) -> Tensor:
    """Smooth along `dim` by a Gaussian of sigma cells, cut off at 4 sigma; u is $shape beyond."""
    radius, n = int(4 * float(sigma) + 0.5), u.shape[dim]
    taps = torch.arange(-radius, radius + 1, dtype=u.dtype, device=u.device)
    weights = torch.exp(-0.5 * (taps / sigma).square())
    rows = u.movedim(dim, -1)
    wide = F.pad(rows, (radius, radius))  # if zero
    cells = torch.arange(-radius, n + radius, device=u.device)  # unless zero
    index = cells % torch.full_like(cells, $period)  # unless zero
    wide = rows[..., index]  # if wraps
    wide = rows[..., torch.where(index < n, index, 2 * n - 1 - index)]  # if mirrors
    wide = wide * (1 - 2 * (cells // torch.full_like(cells, n) % 2))  # if odd
    kernel = (weights / weights.sum()).to(u.dtype).view(1, 1, -1)
    out = F.conv1d(wide.reshape(-1, 1, n + 2 * radius), kernel)
    return out.view(rows.shape).movedim(-1, dim)
'''
