"""Emits what leads from grid to grid: coarsening, restriction, prolongation."""

from __future__ import annotations

from pde2net.emit.grid_kind import GridKind
from pde2net.emit.tree import Class, Function


def transfers(layout: GridKind) -> list[Function | Class]:
    """Functions between a grid and the next one."""
    found: list[Function | Class] = [_coarsened(layout), _pooled(layout), RESTRICT, _neighbours(layout)]
    if layout.adjoint:
        found.append(SPREAD)
    return [*found, _restrict_rows(layout), PROLONG]


def _coarsened(layout: GridKind) -> Function:
    smallest = tuple(max(2, s) for s in layout.smallest)
    spacing = f"({', '.join(layout.spacing)}{',' if layout.dimension == 1 else ''})"
    body = [
        f"lengths = [a.stride * h for a, h in zip(axes, {spacing})]",
        "shortest = min([h for a, h in zip(axes, lengths) if a.size > 1] or [0])",
        f"fits = [a.cells > 2 * a.stride * (n - 1) for a, n in zip(axes, {smallest})]",
        *(("fits = [f and a.coarser().whole >= 0.5 for f, a in zip(fits, axes)]",) if layout.second else ()),
        "joined = [f and h <= 1.25 * shortest for f, h in zip(fits, lengths)]",
        "if not any(joined):",
        "    return None",
        "return tuple(a.coarser() if j else a for a, j in zip(axes, joined))",
    ]
    doc = (
        "The axes of the next grid; None if it would be too small.\n\n"
        "Two cells are joined along axes whose cells are not longer than others by more than a quarter.\n"
    )
    return Function("coarsened", ("axes: tuple[Axis, ...]",), "tuple[Axis, ...] | None", doc, body)


def _pooled(layout: GridKind) -> Function:
    d = layout.dimension
    return Function(
        "pooled",
        ("u: Tensor", "fine: Grid", "coarse: Grid"),
        "Tensor",
        "The mean of the cells that are joined, a missing one as 0: a strided convolution.",
        [
            "joined = [b.stride // a.stride for a, b in zip(fine.axes, coarse.axes)]",
            "missing = [a.size % k for a, k in zip(fine.axes, joined)]",
            "if any(missing):",
            "    u = F.pad(u, [m for k in reversed(missing) for m in (0, k)])",
            f"return F.avg_pool{d}d(u, joined)",
        ],
    )


RESTRICT = Function(
    "restrict",
    ("u: Tensor", "fine: Grid", "coarse: Grid", "weights: Tensor | None"),
    "Tensor",
    "The weighted mean of the cells that are joined.",
    [
        "if weights is None and coarse.volume is None:",
        "    return pooled(u, fine, coarse)",
        "weights = fine.ones() if weights is None else weights",
        "return pooled(weights * u, fine, coarse) / pooled(weights, fine, coarse)",
    ],
)

SPREAD = Function(
    "spread",
    ("u: Tensor", "fine: Grid", "coarse: Grid"),
    "Tensor",
    "(1, 2, 1)/4 along each joined axis: with the mean of two cells, (1, 3, 3, 1)/8.",
    [
        "for dim, (a, b) in enumerate(zip(fine.axes, coarse.axes), start=2):",
        "    if a.stride < b.stride:",
        "        left, right = neighbours(u, a, dim)",
        "        u = (left + 2 * u + right) / 4",
        "return u",
    ],
)


def _restrict_rows(layout: GridKind) -> Function:
    doc = "Restrict a residual or known data: the equations of the cells that are joined, averaged."
    body = ["return restrict(r, fine, coarse, fine.rows)"]
    if layout.adjoint:
        body = [
            "rows = fine.ones() if fine.rows is None else fine.rows",
            "sums = pooled(spread(rows * r, fine, coarse), fine, coarse)",
            "return sums / pooled(rows, fine, coarse)",
        ]
        doc = "Restrict a residual by the adjoint of the prolongation, (1, 3, 3, 1)/8."
    return Function("restrict_residual", ("r: Tensor", "fine: Grid", "coarse: Grid"), "Tensor", doc, body)


def _neighbours(layout: GridKind) -> Function:
    """The values beside each cell."""
    body = ["n = u.shape[dim]", "first, last = u.narrow(dim, 0, 1), u.narrow(dim, n - 1, 1)"]
    if layout.wraps:
        body += ['if axis.boundary == "periodic":', "    first, last = last, first"]
    if layout.zero:
        body += ['if axis.boundary == "dirichlet":', "    first, last = 0 * first, 0 * last"]
    body += [
        "left = torch.cat((first, u.narrow(dim, 0, n - 1)), dim)",
        "right = torch.cat((u.narrow(dim, 1, n - 1), last), dim)",
        "return left, right",
    ]
    doc = "The values to the left and to the right of each cell along `dim`."
    return Function("neighbours", ("u: Tensor", "axis: Axis", "dim: int"), "tuple[Tensor, Tensor]", doc, body)


PROLONG = Function(
    "prolong",
    ("e: Tensor", "coarse: Grid", "fine: Grid"),
    "Tensor",
    "Linear interpolation: the transposed convolution (1, 3, 3, 1)/4 along each joined axis.",
    [
        "for i, (a, b) in enumerate(zip(fine.axes, coarse.axes)):",
        "    if a.stride < b.stride:",
        "        left, right = neighbours(e, b, i + 2)",
        "        first, second = (",
        "            coarse.along(s, i) if isinstance(s, Tensor) else s for s in b.shares(a, e)",
        "        )",
        "        pairs = (left + first * (e - left), right + second * (e - right))",
        "        e = torch.stack(pairs, i + 3).flatten(i + 2, i + 3).narrow(i + 2, 0, a.size)",
        "return e",
    ],
)
