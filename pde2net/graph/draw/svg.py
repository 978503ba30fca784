"""Renders a layout as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pde2net.graph.draw.names import Label
from pde2net.graph.draw.page import document, escaped, text
from pde2net.graph.draw.places import PLUS_RADIUS, Arc, Layout, Loop, Point, Rectangle
from pde2net.graph.draw.style import HEADING, HEADING_WIDTH, LINE, LINE_WIDTH, STEP, colours

# Leaves room for the caption of the frame of a block that is nothing but a skip connection.
SKIP_WIDTH = 130.0
ROUND = 9.0
LIGHT = ' style="fill: #ffffff"'


def box_size(label: Label) -> tuple[float, float]:
    """Width and height that hold the heading and the lines."""
    widths = [len(label.heading) * HEADING * HEADING_WIDTH]
    widths += [len(line) * LINE * LINE_WIDTH for line in label.lines]
    return max(56.0, max(widths) + 20), 16 + STEP * (1 + len(label.lines))


def skip_size(lines: Sequence[str]) -> tuple[float, float]:
    """Width and height of a plus with lines above it; symmetric about the plus."""
    width = max((len(line) * LINE * LINE_WIDTH for line in lines), default=0.0)
    return max(SKIP_WIDTH, width), 2 * (PLUS_RADIUS + 8 + STEP * len(lines))


def render(
    layout: Layout,
    labels: Mapping[str, Label],
    roles: Mapping[str, str],
    tooltips: Mapping[str, str],
    pluses: Sequence[str],
    title: str,
    caption: str,
) -> str:
    """The picture: frames, edges, boxes on top; `title` above and `caption` below."""
    parts = [line for shown in layout.frames for line in frame(*shown, layout.frames)]
    for edge, points in layout.routes.items():
        if edge not in layout.arcs:
            parts.append(f'<path class="edge" marker-end="url(#tip)" d="{_curve(points)}"/>')
    for edge, arc in sorted(layout.arcs.items(), key=lambda item: item[1].lane):
        parts += _arc(layout.routes[edge], arc)
    for loop in layout.loops:
        parts += _loop(loop)
    for name, box in layout.boxes.items():
        draw = _plus if name in pluses else node
        parts += grouped(draw(box, labels[name], roles[name]), tooltips[name], [name], roles[name])
    return document(parts, layout.size, title, caption, roles.values())


def frame(caption: str, box: Rectangle, all_frames: Sequence[tuple[str, Rectangle]]) -> list[str]:
    """A frame with its caption in the lower left corner; every other depth is white."""
    depth = sum(b.x < box.x and box.x + box.width < b.x + b.width for _, b in all_frames)
    kind = f'class="frame"{LIGHT if depth % 2 else ""}'
    return [_rectangle(box, 14, kind), text(box.x + 16, box.y + box.height - 14, caption, "frame")]


def grouped(parts: Sequence[str], tooltip: str, names: Sequence[str], role: str) -> list[str]:
    """Elements with a tooltip; whose they are, for programs that read pictures."""
    data = f'data-nodes="{escaped(" ".join(names))}" data-role="{escaped(role)}"'
    return [f"<g {data}><title>{escaped(tooltip)}</title>", *parts, "</g>"]


def node(box: Rectangle, label: Label, role: str) -> list[str]:
    x, _ = box.centre
    fill, border = colours(role)
    parts = [_rectangle(box, 8, f'class="box" fill="{fill}" stroke="{border}"')]
    parts.append(text(x, box.y + 20, label.heading, "heading", "middle"))
    for k, line in enumerate(label.lines):
        parts.append(text(x, box.y + 21 + STEP * (k + 1), line, "line", "middle"))
    return parts


def _plus(box: Rectangle, label: Label, role: str) -> list[str]:
    x, y = box.centre
    fill, border = colours(role)
    above = y - PLUS_RADIUS - 10 - STEP * (len(label.lines) - 1)
    circle = f'cx="{x:.1f}" cy="{y:.1f}" r="{PLUS_RADIUS:.0f}" fill="{fill}" stroke="{border}"'
    return [
        f'<circle class="box" {circle}/>',
        f'<path class="plus" d="M {x - 7:.1f} {y:.1f} h 14 M {x:.1f} {y - 7:.1f} v 14"/>',
        *(text(x, above + STEP * k, line, "line", "middle") for k, line in enumerate(label.lines)),
    ]


def _curve(points: Sequence[Point]) -> str:
    """Level pieces joined by S-shaped curves, or along the axes where they lie above each other."""
    path, run = "", [points[0]]
    for k, point in enumerate(points[1:]):
        (x, y), (x1, y1) = run[-1], point
        if k % 2 == 0 or y1 == y or x1 == x:
            run.append(point)
            continue
        path += f"{rounded(run).removeprefix('M ' if path else '')} C "
        middle = (x + x1) / 2
        path += f"{middle:.1f} {y:.1f} {middle:.1f} {y1:.1f} "
        run = [point]
    return path + rounded(run).removeprefix("M " if path else "")


def rounded(points: Sequence[Point]) -> str:
    """Straight pieces along the axes with round corners."""
    path = [f"M {points[0][0]:.1f} {points[0][1]:.1f}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(ROUND, _distance(before, corner) / 2, _distance(corner, after) / 2)
        (x0, y0), (x1, y1) = _towards(corner, before, reach), _towards(corner, after, reach)
        path.append(f"L {x0:.1f} {y0:.1f} Q {corner[0]:.1f} {corner[1]:.1f} {x1:.1f} {y1:.1f}")
    path.append(f"L {points[-1][0]:.1f} {points[-1][1]:.1f}")
    return " ".join(path)


def _distance(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(start: Point, end: Point, reach: float) -> Point:
    size = _distance(start, end) or 1.0
    return start[0] + (end[0] - start[0]) / size * reach, start[1] + (end[1] - start[1]) / size * reach


def _arc(points: Sequence[Point], arc: Arc, r: float = 12) -> list[str]:
    """The way of a state around the block: down, along, up into the plus; its name above it."""
    (branch, y), (x, end) = points[-1], arc.target
    path = _curve((*points[:-1], (branch - r, y)))
    if y != arc.lane:
        path += f" Q {branch:.1f} {y:.1f} {branch:.1f} {y + r:.1f} V {arc.lane - r:.1f} "
        path += f"Q {branch:.1f} {arc.lane:.1f} {branch + r:.1f} {arc.lane:.1f}"
    path += f" H {x - r:.1f} Q {x:.1f} {arc.lane:.1f} {x:.1f} {arc.lane - r:.1f} V {end:.1f}"
    parts = [f'<path class="arc" marker-end="url(#arc-tip)" d="{path}"/>']
    if arc.label:
        parts.append(text(branch + r, arc.lane - 5, arc.label, "arc"))
    return parts


def _loop(loop: Loop) -> list[str]:
    return [
        f'<path class="loop" marker-end="url(#loop-tip)" d="{rounded(loop.points)}"/>',
        text(*loop.at, loop.label, "loop"),
    ]


def _rectangle(box: Rectangle, radius: int, attributes: str) -> str:
    return (
        f'<rect {attributes} x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{radius}"/>'
    )
