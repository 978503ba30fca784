"""Emits the nested grids of a U-net: what they need, their axes, and all definitions together."""

from __future__ import annotations

from pde2net.emit.grid_class import grid_class
from pde2net.emit.grid_kind import GridKind
from pde2net.emit.transfers import transfers
from pde2net.emit.tree import Class, Function


def grid_definitions(layout: GridKind) -> list[Function | Class]:
    """The classes and functions of the nested grids."""
    return [_axis(layout), grid_class(layout), *transfers(layout)]


def _axis(layout: GridKind) -> Class:
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


def _distances(layout: GridKind) -> Function:
    margin = any(layout.margin)
    q = "self.centres(like, margin)" if margin else "self.centres(like)"
    body = ['if self.boundary == "reflecting" or self.stride == 1:', "    return self.stride"]
    if layout.wraps:
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
    elif layout.zero:
        body.append("return self.stride")
    doc = "Of the centres i and i + 1 (half), or half that of i - 1 and i + 1."
    arguments = ("self", "like: Tensor", *(("margin: int",) if margin else ()), "half: bool")
    return Function("distances", arguments, "Tensor | float", doc, body)


def _shares(layout: GridKind) -> Function:
    same = 'self.whole == 1 and self.boundary != "dirichlet"'
    if not layout.zero:
        same = "self.whole == 1"
    body = [
        f"if {same}:",
        "    return 0.75, 0.75",
        "q, p = self.centres(like), fine.centres(like)",
        "before, after = q[:1] - self.stride, q[-1:] + self.stride",
    ]
    if layout.wraps:
        body += [
            'if self.boundary == "periodic":',
            "    before, after = q[-1:] - self.cells, q[:1] + self.cells",
        ]
    if layout.zero:
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


VOLUMES = Function(
    "volumes",
    ("self", "like: Tensor"),
    "Tensor",
    "Of the cells, relative to a whole one.",
    ["line = like.new_ones(self.size)", "line[-1] = self.whole", "return line"],
)
