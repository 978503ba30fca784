"""Emits the class of a grid: distances, areas and volumes of its cells, and data that is known on it."""

from __future__ import annotations

from pde2net.emit.grid_kind import GridKind
from pde2net.emit.tree import Class, Function


def grid_class(layout: GridKind) -> Class:
    """The class `Grid`."""
    members = [
        Function("__init__", ("self", "axes: tuple[Axis, ...]", "u: Tensor"), "None", "", _initial(layout)),
        Function(
            "along",
            ("self", "line: Tensor", "axis: int"),
            "Tensor",
            "A line as an array that varies along one axis.",
            ["return line.view(-1, *(1,) * (len(self.axes) - 1 - axis))"],
        ),
        _ones(any(layout.margin)),
        *([_centres(any(layout.margin))] if layout.coordinates else []),
        *_scalings(layout),
    ]
    if layout.uneven:
        members += [WEIGH, HOLD, TIED]
    return Class(
        "Grid",
        "",
        "A grid: its cells, and what is known on it.\n\n"
        "known   data that the operator needs\n"
        "volume  of the cells, relative to a whole one; None if all are whole\n"
        "rows    how much the equation of a cell counts in means; None for equal weights\n"
        + (_TIES if layout.uneven else "")
        + ("time    of the step\n" if layout.time else ""),
        members,
    )


def _initial(layout: GridKind) -> list[str]:
    """The body of `__init__`."""
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
    if any(layout.margin):
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
        body += ["self.kept = self.held = self.passed = self.ones()"]
    if layout.time:
        body.append(f"self.time: {layout.time} = 0.0")
    return body


_TIES = (
    "kept    how much of a correction a cell takes: none if it is known\n"
    "held    what is added to the operator, so that cells are tied to known ones as on the finer grid\n"
)

WEIGH = Function(
    "weigh",
    ("self", "rows: Tensor", "kept: Tensor"),
    "None",
    "Set the weights of rows, and how much of a correction each cell takes.",
    [
        "self.rows = rows * (self.ones() if self.volume is None else self.volume)",
        "self.kept, self.held = kept, torch.zeros_like(kept)",
    ],
)

HOLD = Function(
    "hold",
    ("self", "tied: Tensor", "own: Tensor", "fine: Grid | None"),
    "None",
    "Tie cells to known ones as strongly as the cells of the finer grid are.\n\n"
    "A tie is passed on in series with the half cell to the centre, of which the diagonal `own` tells.",
    [
        "if fine is not None:",
        "    inherited = restrict(fine.passed, fine, self, fine.rows)",
        "    self.held = (inherited - tied).clamp_min(0)",
        "    tied = torch.maximum(inherited, tied)",
        "self.passed = quotient(tied * own, own + len(self.axes) * tied)",
    ],
)

TIED = Function(
    "tie",
    ("self", "value: Tensor", "v: Tensor | float"),
    "Tensor",
    "The operator of this grid at v, from that without ties.",
    ["return value if self.finest else value + self.held * v"],
)


def _metric(layout: GridKind, attribute: str, half: bool) -> list[str]:
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


def _scalings(layout: GridKind) -> list[Function]:
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


def _second(layout: GridKind) -> list[Function]:
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
    if layout.zero:
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
