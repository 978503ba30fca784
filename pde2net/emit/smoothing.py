"""Gaussian smoothing as functions of emitted source, one per kind of border."""

from __future__ import annotations

from pde2net.emit.tree import Function
from pde2net.language.borders import BORDERS

PROJECTION = Function(
    "projection",
    ("a: Tensor", "b: Tensor", "square: Tensor"),
    "Tensor",
    "a b/|v|^2 for two components of v, an entry of the projection onto v; 0 where |v|^2 underflows.",
    [
        "empty = square < torch.finfo(square.dtype).tiny",
        "return torch.where(empty, 0.0, a * b / torch.where(empty, 1.0, square))",
    ],
)

AWAY_FROM_ZERO = Function(
    "away_from_zero",
    ("x: Tensor", "power: float"),
    "Tensor",
    "x >= 0, kept so far from 0 that the derivative of the quotient by it does not overflow.",
    ["return x.clamp_min(torch.finfo(x.dtype).tiny ** power)"],
)


def gaussian_name(boundary: str) -> str:
    return f"gaussian{BORDERS[boundary].suffix}"


def gaussian_function(boundary: str) -> Function:
    """`gaussian(u, sigma, dim)`: smoothing along one dimension, sigma in cells."""
    border = BORDERS[boundary]
    border.require(border.factor in (-1, 0, 1), "Gaussians")
    positions = "index = torch.arange(-radius, n + radius, device=u.device)"
    if border.zero:
        lines = ["wide = F.pad(rows, (radius, radius))"]
    elif border.wraps:
        lines = [f"{positions} % n", "wide = rows[..., index]"]
    else:
        lines = [
            f"{positions} % (2 * n)",
            "wide = rows[..., torch.where(index < n, index, 2 * n - 1 - index)]",
        ]
    if border.factor == -1:
        lines.append("wide = wide * (1 - 2 * (torch.arange(-radius, n + radius, device=u.device) // n % 2))")
    return Function(
        gaussian_name(boundary),
        ("u: Tensor", "sigma: float", "dim: int"),
        "Tensor",
        f"Smooth along `dim` by a Gaussian of sigma cells, cut off at 4 sigma; u is {border.shape} beyond.",
        [
            "radius, n = int(4 * float(sigma) + 0.5), u.shape[dim]",
            "taps = torch.arange(-radius, radius + 1, dtype=u.dtype, device=u.device)",
            "weights = torch.exp(-0.5 * (taps / sigma).square())",
            "rows = u.movedim(dim, -1)",
            *lines,
            "kernel = (weights / weights.sum()).to(u.dtype).view(1, 1, -1)",
            "out = F.conv1d(wide.reshape(-1, 1, n + 2 * radius), kernel)",
            "return out.view(rows.shape).movedim(-1, dim)",
        ],
    )
