"""Emits the nested grids of a U-net: cells, distances, restriction and prolongation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pde2net.emit.tree import Class, Function


@dataclass(frozen=True)
class Layout:
    """What the grids of one network need.

    margin           cells beyond the border of first-order terms
    half, cells      whether differences are taken at half-points, and at cells
    second           the centre of the stencil of second-order terms, "" if there are none
    adjoint          residuals are restricted by the adjoint of the prolongation
    uneven           rows of the equation differ in size
    coloured         cells are told apart by colour
    coordinates      positions are needed
    """

    boundary: Sequence[str]
    spacing: Sequence[str]
    smallest: Sequence[int]
    margin: Sequence[int]
    half: bool
    cells: bool
    second: str
    adjoint: bool
    uneven: bool
    coloured: bool
    coordinates: bool

    @property
    def dimension(self) -> int:
        return len(self.boundary)

    @property
    def reflecting(self) -> bool:
        """Whether the distances of all cells are alike, whatever the last cell holds."""
        return set(self.boundary) == {"reflecting"}


def grid_definitions(layout: Layout) -> list[Function | Class]:
    """The classes and functions of the nested grids."""
    found: list[Function | Class] = [_axis(layout), _grid(layout), _coarsened(layout), _pooled(layout)]
    found += [RESTRICT, neighbours(layout)]
    if layout.adjoint:
        found.append(SPREAD)
    found += [_restrict_rows(layout), PROLONG]
    return found


def _axis(layout: Layout) -> Class:
    margin = any(layout.margin)
    extended = "torch.cat((-1 - beyond.flip(0), inner, last, self.cells + beyond))"
    centres = [
        "inner = self.stride * torch.arange(self.size - 1, dtype=like.dtype, device=like.device)",
        "last = like.new_full((1,), self.cells - (self.rest + 1) / 2)",
    ]
    if margin:
        centres += [
            "beyond = self.stride * torch.arange(margin, dtype=like.dtype, device=like.device)",
            "inner = inner + (self.stride - 1) / 2",
            f"return {extended}",
        ]
    else:
        centres.append("return torch.cat((inner + (self.stride - 1) / 2, last))")
    arguments = ("self", "like: Tensor", *(("margin: int = 0",) if margin else ()))
    doc = "Their positions" + (
        ", and `margin` more on both sides, the nearest where u = 0." if margin else "."
    )
    members = [
        Function(
            "__init__",
            ("self", "cells: int", "stride: int", "boundary: str"),
            "None",
            "",
            [
                "self.cells, self.stride, self.boundary = cells, stride, boundary",
                "self.size = -(-cells // stride)",
                "self.rest = cells - (self.size - 1) * stride",
                "self.whole = self.rest / stride",
            ],
        ),
        Function(
            "coarser", ("self",), "Axis", "", ["return Axis(self.cells, 2 * self.stride, self.boundary)"]
        ),
        Function("centres", arguments, "Tensor", doc, centres),
        VOLUMES,
    ]
    if not layout.reflecting and (layout.half or layout.cells):
        members.append(_distances(layout))
    members.append(_shares(layout))
    return Class(
        "Axis",
        "",
        "The cells of a grid along one axis: `stride` of the finest grid each, `rest` in the last one.\n\n"
        "Positions are in cells of the finest grid, whose centres are 0, 1, ...\n",
        members,
    )


def _distances(layout: Layout) -> Function:
    margin = any(layout.margin)
    q = "self.centres(like, margin)" if margin else "self.centres(like)"
    body = ['if self.boundary == "reflecting" or self.stride == 1:', "    return self.stride"]
    if "periodic" in layout.boundary:
        body += [
            f"q = {q}",
            'if self.boundary == "periodic":',
            "    q = torch.cat((q[-1:] - self.cells, q, q[:1] + self.cells))",
            "    return torch.diff(q)[1:] if half else (q[2:] - q[:-2]) / 2",
        ]
    elif margin:
        body.append(f"q = {q}")
    if margin:
        body += [
            "gaps = torch.diff(q) if half else (q[2:] - q[:-2]) / 2",
            "return F.pad(gaps, (0 if half else 1, 1), value=self.stride)",
        ]
    elif "dirichlet" in layout.boundary:
        body.append("return self.stride")
    doc = "Of the centres i and i + 1 (half), or half that of i - 1 and i + 1."
    arguments = ("self", "like: Tensor", *(("margin: int",) if margin else ()), "half: bool")
    return Function("distances", arguments, "Tensor | float", doc, body)


def _shares(layout: Layout) -> Function:
    same = 'self.whole == 1 and self.boundary != "dirichlet"'
    if "dirichlet" not in layout.boundary:
        same = "self.whole == 1"
    body = [
        f"if {same}:",
        "    return 0.75, 0.75",
        "q, p = self.centres(like), fine.centres(like)",
        "before, after = q[:1] - self.stride, q[-1:] + self.stride",
    ]
    if "periodic" in layout.boundary:
        body += [
            'if self.boundary == "periodic":',
            "    before, after = q[-1:] - self.cells, q[:1] + self.cells",
        ]
    if "dirichlet" in layout.boundary:
        body += [
            'if self.boundary == "dirichlet":',
            "    before, after = torch.full_like(before, -1), torch.full_like(after, self.cells)",
        ]
    body += [
        "left, right = torch.cat((before, q[:-1])), torch.cat((q[1:], after))",
        "odd = F.pad(p[1::2], (0, fine.size % 2))",
        "return (p[::2] - left) / (q - left), (right - odd) / (right - q)",
    ]
    doc = (
        "The weight of a cell in the values at the two finer centres in it, by linear interpolation;\n\n"
        "the rest is that of the neighbour to the left, and to the right.\n"
    )
    kind = "tuple[Tensor | float, Tensor | float]"
    return Function("shares", ("self", "fine: Axis", "like: Tensor"), kind, doc, body)


def _grid(layout: Layout) -> Class:
    body = [
        "self.axes, self.like = axes, u.new_empty(0)",
        "self.sizes = tuple(a.size for a in axes)",
        "self.finest = all(a.stride == 1 for a in axes)",
        "self.known: dict[str, Tensor] = {}",
        "self.volume: Tensor | None = None",
        "if any(a.whole < 1 for a in axes):",
        "    lines = [self.along(a.volumes(u), i) for i, a in enumerate(axes)]",
        "    self.volume = math.prod(lines, start=self.ones())",
        "    self.areas = [self.volume / line for line in lines]",
        "self.rows = self.volume",
    ]
    margin = any(layout.margin)
    if margin:
        sides = tuple(m for m in reversed(layout.margin) for _ in range(2))
        body += [
            "if self.volume is not None:",
            f"    self.wide_volume = F.pad(self.volume, {sides}, value=1)",
            f"    self.wide_areas = [F.pad(a, {sides}, value=1) for a in self.areas]",
        ]
    for attribute, half, used in (("edges", True, layout.half), ("centred", False, layout.cells)):
        if used:
            body += _metric(layout, attribute, half)
    if layout.coloured:
        body += [
            "lines = (self.along(torch.arange(n, device=u.device), i) for i, n in enumerate(self.sizes))",
            "self.odd = (sum(lines) % 2).bool()",
        ]
    if layout.uneven:
        body.append("self.kept: Tensor | float = 1.0")
    members = [
        Function("__init__", ("self", "axes: tuple[Axis, ...]", "u: Tensor"), "None", "", body),
        Function(
            "along",
            ("self", "line: Tensor", "axis: int"),
            "Tensor",
            "A line as an array that varies along one axis.",
            ["return line.view(-1, *(1,) * (len(self.axes) - 1 - axis))"],
        ),
        _ones(margin),
        *([_centres(margin)] if layout.coordinates else []),
        *_scalings(layout),
    ]
    if layout.uneven:
        members.append(WEIGH)
    return Class(
        "Grid",
        "",
        "A grid: its cells, and what is known on it.\n\n"
        "known   data that the operator needs\n"
        "volume  of the cells, relative to a whole one; None if all are whole\n"
        "rows    how much the equation of a cell counts in means; None for equal weights\n",
        members,
    )


WEIGH = Function(
    "weigh",
    ("self", "rows: Tensor", "kept: Tensor"),
    "None",
    "Set the weights of rows, and how much of a correction each cell takes.",
    ["self.rows = rows * (self.ones() if self.volume is None else self.volume)", "self.kept = kept"],
)


def _metric(layout: Layout, attribute: str, half: bool) -> list[str]:
    """Statements for 1 over the distances of centres."""
    if layout.reflecting:
        return [f"self.{attribute} = tuple(1 / a.stride for a in axes)"]
    gaps = f"gaps = [a.distances(u, {half}) for a in axes]"
    if any(layout.margin):
        gaps = f"gaps = [a.distances(u, m, {half}) for a, m in zip(axes, {tuple(layout.margin)})]"
    return [gaps, f"self.{attribute} = tuple(self.reciprocal(g, i) for i, g in enumerate(gaps))"]


def _ones(margin: bool) -> Function:
    if not margin:
        return Function("ones", ("self",), "Tensor", "", ["return self.like.new_ones(1, 1, *self.sizes)"])
    return Function(
        "ones",
        ("self", "margins: tuple[int, ...] = ()"),
        "Tensor",
        "",
        [
            "sizes = (n + 2 * m for n, m in zip(self.sizes, margins)) if margins else self.sizes",
            "return self.like.new_ones(1, 1, *sizes)",
        ],
    )


def _centres(margin: bool) -> Function:
    """Positions as arrays."""
    doc = "The positions of the cells along `axis`, in cells of the finest grid."
    if not margin:
        body = [
            "line = self.axes[axis].centres(self.like)",
            "return self.along(line, axis).expand(self.sizes)",
        ]
        return Function("centres", ("self", "axis: int"), "Tensor", doc, body)
    body = [
        "margins = margins or (0,) * len(self.axes)",
        "line = self.along(self.axes[axis].centres(self.like, margins[axis]), axis)",
        "return line.expand([n + 2 * m for n, m in zip(self.sizes, margins)])",
    ]
    return Function("centres", ("self", "axis: int", "margins: tuple[int, ...] = ()"), "Tensor", doc, body)


def _scalings(layout: Layout) -> list[Function]:
    """The methods by which an operator of the finest grid becomes one of this grid."""
    found = []
    arrays = ("self", "p: tuple[Tensor, ...]")
    if not layout.reflecting and (layout.half or layout.cells):
        found.append(
            Function(
                "reciprocal",
                ("self", "line: Tensor | float", "axis: int"),
                "Tensor | float",
                "",
                ["return self.along(1 / line, axis) if isinstance(line, Tensor) else 1 / line"],
            )
        )
    for name, attribute, used in (
        ("slopes", "edges", layout.half),
        ("centred_slopes", "centred", layout.cells),
    ):
        if used:
            doc = "Differences over the distances of the cells of this grid, from those of the finest grid."
            body = f"return p if self.finest else tuple(a * b for a, b in zip(p, self.{attribute}))"
            found.append(Function(name, arrays, "tuple[Tensor, ...]", doc, [body]))
    if layout.half or layout.cells:
        found.append(_adjoint(any(layout.margin)))
    return found + (_second(layout) if layout.second else [])


def _adjoint(margin: bool) -> Function:
    body = [
        "if self.finest:",
        "    return transpose(*p)",
        "p = tuple(a / b.stride for a, b in zip(p, self.axes))",
        "if self.volume is None:",
        "    return transpose(*p)",
    ]
    if margin:
        body += [
            "areas = self.wide_areas if wide else self.areas",
            "p = tuple(a * b for a, b in zip(p, areas))",
            "return transpose(*p) / (self.wide_volume if wide else self.volume)",
        ]
    else:
        body += [
            "p = tuple(a * b for a, b in zip(p, self.areas))",
            "return transpose(*p) / self.volume",
        ]
    doc = "K^T of fluxes through the faces of the cells, over their lengths and volumes."
    arguments = ("self", "transpose: Callable[..., Tensor]", "p: tuple[Tensor, ...]")
    return Function(
        "adjoint", (*arguments, *(("wide: bool = False",) if margin else ())), "Tensor", doc, body
    )


def _second(layout: Layout) -> list[Function]:
    """The methods for second-order terms."""
    curvatures = ["if self.finest:", "    return p"]
    adjoint = [
        "if self.finest:",
        "    return transpose(*p)",
        "p = tuple(a / b.stride**2 for a, b in zip(p, self.axes))",
        "if self.volume is not None:",
        "    p = tuple(a * b for a, b in zip(p, self.areas))",
        "out = transpose(*p)",
    ]
    more: tuple[str, ...] = ()
    methods = []
    if "dirichlet" in layout.boundary:
        more = ("factors: Sequence[float] = ()",)
        curvatures += [
            "if factors:",
            "    p = tuple(a + f * self.border(i) * u for i, (a, f) in enumerate(zip(p, factors)))",
        ]
        adjoint += [
            "for i, (a, f) in enumerate(zip(p, factors)):",
            "    line = self.border(i)",
            f"    out = out + f * (line * (line + 2 * {layout.second}) if squares else line) * a",
        ]
        methods.append(BORDER)
    curvatures += [
        "p = tuple(a / b.stride**2 for a, b in zip(p, self.axes))",
        "if self.volume is None:",
        "    return p",
        "return tuple(a * b / self.volume for a, b in zip(p, self.areas))",
    ]
    adjoint.append("return out if self.volume is None else out / self.volume")
    pairs = "p: tuple[Tensor, ...]"
    seen = ("u: Tensor | float = 0.0", *more) if more else ()
    squares = (*more, "squares: bool = False") if more else ()
    doc = "Second differences over lengths and volumes of this grid, from those of the finest grid."
    kind = "tuple[Tensor, ...]"
    methods.append(Function("curvatures", ("self", pairs, *seen), kind, doc, curvatures))
    doc = "K^T of fluxes through the faces of cells, over their lengths and volumes, for second differences."
    arguments = ("self", "transpose: Callable[..., Tensor]", pairs, *squares)
    methods.append(Function("second_adjoint", arguments, "Tensor", doc, adjoint))
    return methods


BORDER = Function(
    "border",
    ("self", "axis: int"),
    "Tensor",
    "What second differences have more of u at a cell, since zeros are nearer than the next cells.",
    [
        "a = self.axes[axis]",
        "line = self.like.new_zeros(a.size)",
        'if a.boundary == "dirichlet":',
        "    line[0] = (1 - a.stride) / (1 + a.stride)",
        "    line[-1] = 1 - 2 * a.stride / (a.rest + 1)",
        "return self.along(line, axis)",
    ],
)

VOLUMES = Function(
    "volumes",
    ("self", "like: Tensor"),
    "Tensor",
    "Of the cells, relative to a whole one.",
    ["line = like.new_ones(self.size)", "line[-1] = self.whole", "return line"],
)


def _coarsened(layout: Layout) -> Function:
    smallest = tuple(max(2, s) for s in layout.smallest)
    spacing = f"({', '.join(layout.spacing)}{',' if layout.dimension == 1 else ''})"
    body = [
        f"lengths = [a.stride * h for a, h in zip(axes, {spacing})]",
        "shortest = min((h for a, h in zip(axes, lengths) if a.size > 1), default=0)",
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


def _pooled(layout: Layout) -> Function:
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


def _restrict_rows(layout: Layout) -> Function:
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


def neighbours(layout: Layout) -> Function:
    """The values beside each cell."""
    body = ["n = u.shape[dim]", "first, last = u.narrow(dim, 0, 1), u.narrow(dim, n - 1, 1)"]
    if "periodic" in layout.boundary:
        body += ['if axis.boundary == "periodic":', "    first, last = last, first"]
    if "dirichlet" in layout.boundary:
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
    "Linear interpolation between centres: the transposed convolution (1, 3, 3, 1)/4 along each joined axis.",
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
