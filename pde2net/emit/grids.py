"""Emits the nested grids of a U-net, and what leads from grid to grid."""

from __future__ import annotations

from collections.abc import Sequence

from pde2net.emit.grid_class import GRID
from pde2net.emit.parse import Given, parse
from pde2net.emit.tree import Definition
from pde2net.language.borders import BORDERS


def grid_definitions(
    boundary: Sequence[str],
    spacing: Sequence[str],
    smallest: Sequence[int],
    margin: Sequence[int],
    half: bool,
    cells: bool,
    second: str,
    **given: Given,
) -> list[Definition]:
    """The classes and functions of the nested grids.

    margin           cells beyond the border of first-order terms
    half, cells      whether differences are taken at half-points, and at cells
    second           the centre of the stencil of second-order terms, "" if there are none

    and, whatever the borders are,

    adjoint          whether residuals are restricted by the adjoint of the prolongation
    uneven           whether rows of the equation differ in size
    coloured         whether cells are told apart by colour
    coordinates      whether positions are needed
    time             the annotation of the time of the step, "" if coefficients do not contain it
    """
    borders = [BORDERS[b] for b in boundary]
    wraps, zero = any(b.wraps for b in borders), any(b.zero for b in borders)
    # Else the distances of all cells are alike, whatever the last cell holds.
    distances = (half or cells) and not all(b.even for b in borders)
    near = bool(second) and zero  # zeros are nearer than the next cells
    metric = (
        "self.reciprocal(g, i) for i, g in enumerate(gaps)" if distances else "1 / a.stride for a in axes"
    )
    given |= _beyond(margin, wraps, zero)
    return parse(
        GRID + _TRANSFERS,
        dimension=str(len(boundary)),
        even=all(b.even for b in borders),
        linear=("linear", "bilinear", "trilinear")[len(boundary) - 1],
        spacing=f"({', '.join(spacing)}{',' * (len(spacing) == 1)})",
        smallest=str(tuple(max(2, s) for s in smallest)),
        half=half,
        cells=cells,
        first=half or cells,
        distances=distances,
        half_gaps=half and distances,
        cell_gaps=cells and distances,
        metric=f"tuple({metric})",
        inside=' and self.boundary != "dirichlet"' * zero,
        second=second,
        near=near,
        seen=", u: Tensor | float = 0.0, factors: Sequence[float] = ()" * near,
        more=", factors: Sequence[float] = (), squares: bool = False" * near,
        **given,
    )


def _beyond(margin: Sequence[int], wraps: bool, zero: bool) -> dict[str, Given]:
    """What is said of cells beyond the border, if any are needed."""
    wide = any(margin)
    return {
        "wraps": wraps,
        "zero": zero,
        "wraps_alone": wraps and not wide,
        "zero_alone": zero and not wide,
        "margin": ", margin: int" * wide,
        "all_margins": ", margins: tuple[int, ...] = ()" * wide,
        "wide": ", wide: bool = False" * wide,
        "sides": str(tuple(m for m in reversed(margin) for _ in range(2))),
        "gaps": f"a.distances(u{', m' * wide}",
        "pair": f"a, m in zip(axes, {tuple(margin)})" if wide else "a in axes",
    }


_TRANSFERS = '''
def coarsened(axes: tuple[Axis, ...]) -> tuple[Axis, ...] | None:
    """The axes of the next grid; None if it would be too small.

    Two cells are joined along axes whose cells are not longer than others by more than a quarter.
    """
    lengths = [a.stride * h for a, h in zip(axes, $spacing)]
    shortest = min([h for a, h in zip(axes, lengths) if a.size > 1] or [0])
    fits = [a.cells > 2 * a.stride * (n - 1) for a, n in zip(axes, $smallest)]
    fits = [f and a.coarser().whole >= 0.5 for f, a in zip(fits, axes)]  # if second
    joined = [f and h <= 1.25 * shortest for f, h in zip(fits, lengths)]
    if not any(joined):
        return None
    return tuple(a.coarser() if j else a for a, j in zip(axes, joined))

def pooled(u: Tensor, fine: Grid, coarse: Grid) -> Tensor:
    """The mean of the cells that are joined, a missing one as 0: a strided convolution."""
    joined = [b.stride // a.stride for a, b in zip(fine.axes, coarse.axes)]
    missing = [a.size % k for a, k in zip(fine.axes, joined)]
    if any(missing):
        u = F.pad(u, [m for k in reversed(missing) for m in (0, k)])
    return F.avg_pool${dimension}d(u, joined)

def restrict(u: Tensor, fine: Grid, coarse: Grid, weights: Tensor | None) -> Tensor:
    """The weighted mean of the cells that are joined."""
    if weights is None and coarse.volume is None:
        return pooled(u, fine, coarse)
    weights = fine.ones() if weights is None else weights
    return pooled(weights * u, fine, coarse) / pooled(weights, fine, coarse)

def neighbours(u: Tensor, axis: Axis, dim: int) -> tuple[Tensor, Tensor]:
    """The values to the left and to the right of each cell along `dim`."""
    n = u.shape[dim]
    first, last = u.narrow(dim, 0, 1), u.narrow(dim, n - 1, 1)
    if axis.boundary == "periodic":  # if wraps
        first, last = last, first
    if axis.boundary == "dirichlet":  # if zero
        first, last = 0 * first, 0 * last
    left = torch.cat((first, u.narrow(dim, 0, n - 1)), dim)
    right = torch.cat((u.narrow(dim, 1, n - 1), last), dim)
    return left, right

def spread(u: Tensor, fine: Grid, coarse: Grid) -> Tensor:  # if adjoint
    """(1, 2, 1)/4 along each joined axis: with the mean of two cells, (1, 3, 3, 1)/8."""
    for dim, (a, b) in enumerate(zip(fine.axes, coarse.axes), start=2):
        if a.stride < b.stride:
            left, right = neighbours(u, a, dim)
            u = (left + 2 * u + right) / 4
    return u

def restrict_residual(r: Tensor, fine: Grid, coarse: Grid) -> Tensor:  # unless adjoint
    """Restrict a residual or known data: the equations of the cells that are joined, averaged."""
    return restrict(r, fine, coarse, fine.rows)

def restrict_residual(r: Tensor, fine: Grid, coarse: Grid) -> Tensor:  # if adjoint
    """Restrict a residual by the adjoint of the prolongation, (1, 3, 3, 1)/8."""
    rows = fine.ones() if fine.rows is None else fine.rows
    sums = pooled(spread(rows * r, fine, coarse), fine, coarse)
    return sums / pooled(rows, fine, coarse)

def prolong(e: Tensor, coarse: Grid, fine: Grid) -> Tensor:
    """Linear interpolation: the transposed convolution (1, 3, 3, 1)/4 along each joined axis."""
    if all(a.stride < b.stride and b.whole == 1 for a, b in zip(fine.axes, coarse.axes)):  # if even
        return F.interpolate(e, scale_factor=2, mode="$linear", align_corners=False)  # if even
    for i, (a, b) in enumerate(zip(fine.axes, coarse.axes)):
        if a.stride < b.stride:
            left, right = neighbours(e, b, i + 2)
            first, second = (
                coarse.along(s, i) if isinstance(s, Tensor) else s for s in b.shares(a, e)
            )
            pairs = (left + first * (e - left), right + second * (e - right))
            e = torch.stack(pairs, i + 3).flatten(i + 2, i + 3).narrow(i + 2, 0, a.size)
    return e
'''
