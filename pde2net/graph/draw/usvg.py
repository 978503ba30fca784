"""Renders a U-net as SVG text and as a tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pde2net.graph.draw.formulas import formula
from pde2net.graph.draw.labels import caption, condition, label
from pde2net.graph.draw.names import Label
from pde2net.graph.draw.page import INNER, document, text
from pde2net.graph.draw.svg import box_size, frame, grouped, node, rounded
from pde2net.graph.draw.ulayout import Route, u_layout
from pde2net.graph.draw.ushape import DEEPEST, Part, UShape, ushape
from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import (
    CoarseRightHandSide,
    Coordinate,
    Correction,
    Field,
    Input,
    Iterate,
    Nearest,
    Output,
    Pointwise,
    Residual,
)

PARTS = {
    Residual: "rhs \N{MINUS SIGN} N(v)",
    CoarseRightHandSide: "N(v) + r",
    Correction: "v + e",
    Nearest: "of v and the input, to the solution",
}


def u_svg(graph: Graph, title: str) -> str:
    """The picture of a U-net: encoders descend, decoders ascend, skips run level."""
    shape = ushape(graph)
    parts = [p for stage in shape.stages for p in stage.parts]
    labels = {p: part_label(shape, graph, p) for p in parts}
    captions = {loop: caption_of(graph, loop) for loop in shape.loops}
    roles = {p: role_of(graph, p) for p in parts}
    layout = u_layout(shape, {p: box_size(text_) for p, text_ in labels.items()}, captions, INNER)
    lines = [line for shown in layout.frames for line in frame(*shown, layout.frames)]
    for kind in ("edge", "skip", "main"):
        lines += [line for route in layout.routes if route.kind == kind for line in _route(route)]
    for part, box in layout.boxes.items():
        role = roles[part]
        lines += grouped(node(box, labels[part], role), _tooltip(graph, part), part.names, role)
    return document(lines, layout.size, title, caption(graph), roles.values())


def role_of(graph: Graph, part: Part) -> str:
    """What a part is for; grids that are shown together end in the bottleneck."""
    if part.below:
        return "bottleneck"
    return "operator" if part.role == "operator" else node_of(graph, part.names[0]).role


def u_tree(graph: Graph) -> Iterator[str]:
    """One line for each visit of a level, indented by the level."""
    shape = ushape(graph)
    if shape.steps > 1:
        yield f"\N{MULTIPLICATION SIGN} {shape.steps} steps, {shape.weights}"
    loop = None
    for stage in shape.stages:
        if stage.loop is not None and stage.loop != loop:
            yield caption_of(graph, stage.loop)
        loop = stage.loop
        names = ", ".join(" ".join(_heading(shape, graph, p)) for p in stage.parts)
        yield f"{'   ' * stage.level}└─ level {stage.level + 1}: {names}{_received(shape, stage.parts)}"


def _heading(shape: UShape, graph: Graph, part: Part) -> tuple[str, ...]:
    text_ = part_label(shape, graph, part)
    role = node_of(graph, part.names[0]).role
    return (role, text_.heading) if role in ("input", "output", "known field") else (text_.heading,)


def caption_of(graph: Graph, loop: str) -> str:
    """How often the cycles of a loop are done."""
    node_ = node_of(graph, loop)
    if isinstance(node_, Iterate) and node_.iterations:
        return f"\N{MULTIPLICATION SIGN} {node_.iterations} cycles" if node_.iterations > 1 else "one cycle"
    return f"cycles {condition(graph, loop)}"


def part_label(shape: UShape, graph: Graph, part: Part) -> Label:
    """The name of a part and how often it is repeated; of the input, output and known data what they are."""
    first = node_of(graph, part.names[0])
    if part.below:
        heading = f"levels {DEEPEST + 1} to {shape.grids}"
        return Label(heading, ("the same,", "bottleneck at the last"))
    if part.role == "operator":
        return Label("operator N", ("known to all parts",))
    if isinstance(first, Input | Output | Field | Coordinate):
        return label(graph, part.names[0])
    times = f" \N{MULTIPLICATION SIGN} {part.count}" if part.count > 1 else ""
    lines: tuple[str, ...] = (PARTS[type(first)],) if type(first) in PARTS else ()
    if isinstance(first, Pointwise):
        lines = tuple(formula(e) for e in first.expressions)
    return Label(f"{first.role}{times}", lines)


def _received(shape: UShape, parts: Sequence[Part]) -> str:
    """What skips bring to the parts of a stage."""
    carried = sorted({f.carries for f in shape.flows if f.carries and f.target in parts}, reverse=True)
    return f" (skip: {', '.join(carried)})" if carried else ""


def _tooltip(graph: Graph, part: Part) -> str:
    names = dict.fromkeys(part.names)
    texts = dict.fromkeys(label(graph, n) for n in names if not part.below)
    return "\n".join("\n".join((t.heading, *t.lines)) for t in texts)


def _route(route: Route) -> list[str]:
    css, tip = {"edge": ("edge", "tip"), "skip": ("arc", "arc-tip"), "main": ("main", "main-tip")}[route.kind]
    parts = [f'<path class="{css}" marker-end="url(#{tip})" d="{rounded(route.points)}"/>']
    if route.label:
        parts.append(text(*route.at, route.label, "arc", "middle"))
    return parts
