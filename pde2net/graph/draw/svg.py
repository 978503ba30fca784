"""Renders a layout as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from pde2net.graph.draw.labels import Label
from pde2net.graph.draw.layout import PLUS_RADIUS, Arc, Layout, Loop, Point, Rectangle

MARGIN = 28.0
# Leaves room for the caption of the frame of a block that is nothing but a skip connection.
SKIP_WIDTH = 130.0
HEADING, LINE, STEP = 12.5, 12.0, 17.0
# Widths of a character in units of the font size; generous, for fonts that a viewer substitutes.
HEADING_WIDTH, LINE_WIDTH = 0.66, 0.62

STYLE = """
text { font-family: "DejaVu Sans", Verdana, Helvetica, Arial, sans-serif; fill: #1f2933; }
text.heading { font-size: 12.5px; font-weight: bold; }
text.line, text.caption { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12px; }
text.caption { fill: #52606d; }
text.title { font-size: 18px; font-weight: bold; }
text.frame { font-size: 13px; font-weight: bold; fill: #52606d; }
path.edge { fill: none; stroke: #616e7c; stroke-width: 1.4; }
path.arc { fill: none; stroke: #1f2933; stroke-width: 2; }
path.main { fill: none; stroke: #c05621; stroke-width: 2.4; }
path.loop { fill: none; stroke: #6b46c1; stroke-width: 2; }
text.arc { font-size: 12px; font-weight: bold; }
text.loop { font-size: 12px; font-weight: bold; fill: #553c9a; }
rect.frame { fill: #f5f7fa; stroke: #9aa5b1; stroke-width: 1.2; }
rect.box { stroke-width: 1.4; }
circle.plus { fill: #ffffff; stroke: #1f2933; stroke-width: 2; }
path.plus { stroke: #1f2933; stroke-width: 2; }
"""

LIGHT = ' style="fill: #ffffff"'
TIPS = (
    ("tip", "#616e7c", 7),
    ("arc-tip", "#1f2933", 6),
    ("loop-tip", "#6b46c1", 6),
    ("main-tip", "#c05621", 6),
)

# role -> fill, border
COLOURS = {
    "input": ("#ffffff", "#1f2933"),
    "output": ("#ffffff", "#1f2933"),
    "known field": ("#fffbea", "#b9912b"),
    "coordinate": ("#fffbea", "#b9912b"),
    "convolution": ("#dceefb", "#2b6cb0"),
    "transposed convolution": ("#c3ddf7", "#1a4f8b"),
    "filter": ("#dceefb", "#2b6cb0"),
    "transposed filter": ("#c3ddf7", "#1a4f8b"),
    "spline": ("#fde8d7", "#c05621"),
    "activation": ("#fde8d7", "#c05621"),
    "coefficient": ("#fdf3d8", "#b7791f"),
    "smoother": ("#dceefb", "#2b6cb0"),
    "bottleneck": ("#c3ddf7", "#1a4f8b"),
    "restriction": ("#fde8d7", "#c05621"),
    "prolongation": ("#e3f4e7", "#2f855a"),
    "correction": ("#e3f4e7", "#2f855a"),
    "edge mean": ("#e3f4e7", "#2f855a"),
    "rate": ("#edf2f7", "#4a5568"),
    "step": ("#edf2f7", "#4a5568"),
    "right-hand side": ("#edf2f7", "#4a5568"),
    "residual": ("#fed7e2", "#b83280"),
    "product": ("#edf2f7", "#4a5568"),
    "operator": ("#edf2f7", "#4a5568"),
    "squared adjoint": ("#c3ddf7", "#1a4f8b"),
    "multigrid cycle": ("#c3ddf7", "#1a4f8b"),
    "tangent": ("#fde8d7", "#c05621"),
    "state": ("#e9d8fd", "#6b46c1"),
    "trial": ("#e9d8fd", "#6b46c1"),
    "iterate": ("#e9d8fd", "#6b46c1"),
    "linear solve": ("#e9d8fd", "#6b46c1"),
    "tridiagonal solve": ("#d6f5f2", "#2c7a7b"),
    "pad": ("#eceff3", "#7b8794"),
    "crop": ("#eceff3", "#7b8794"),
}


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
        draw = _plus if roles[name] == "plus" else node
        parts += grouped(draw(box, labels[name], roles[name]), tooltips[name])
    return document(parts, layout.size, title, caption)


def document(parts: Sequence[str], size: Point, title: str, caption: str) -> str:
    """An SVG file of elements that fill `size`."""
    top = MARGIN + (34 if title else 0)
    texts = len(caption) * LINE * LINE_WIDTH, len(title) * 18 * HEADING_WIDTH
    width = max(size[0], *texts) + 2 * MARGIN
    height = top + size[1] + 34 + MARGIN
    name = quoteattr(_printable(title or caption))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label={name}>',
        f"<style>{STYLE}</style>",
        "<defs>",
        *(_arrow(name, colour, size) for name, colour, size in TIPS),
        "</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
        *([text(MARGIN, MARGIN + 12, title, "title")] if title else []),
        f'<g transform="translate({MARGIN:.1f} {top:.1f})">',
    ]
    return "\n".join([*head, *parts, "</g>", text(MARGIN, height - MARGIN, caption, "caption"), "</svg>", ""])


def frame(caption: str, box: Rectangle, all_frames: Sequence[tuple[str, Rectangle]]) -> list[str]:
    """A frame with its caption in the lower left corner; every other depth is white."""
    depth = sum(b.x < box.x and box.x + box.width < b.x + b.width for _, b in all_frames)
    kind = f'class="frame"{LIGHT if depth % 2 else ""}'
    return [_rectangle(box, 14, kind), text(box.x + 16, box.y + box.height - 14, caption, "frame")]


def grouped(parts: Sequence[str], tooltip: str) -> list[str]:
    """Elements with a tooltip."""
    return [f"<g><title>{escape(_printable(tooltip))}</title>", *parts, "</g>"]


def node(box: Rectangle, label: Label, role: str) -> list[str]:
    x, y = box.centre
    if role not in COLOURS:
        return [text(x, y + 6, label.heading, "title", "middle")]
    fill, border = COLOURS[role]
    parts = [_rectangle(box, 8, f'class="box" fill="{fill}" stroke="{border}"')]
    parts.append(text(x, box.y + 20, label.heading, "heading", "middle"))
    for k, line in enumerate(label.lines):
        parts.append(text(x, box.y + 21 + STEP * (k + 1), line, "line", "middle"))
    return parts


def _plus(box: Rectangle, label: Label, role: str) -> list[str]:
    x, y = box.centre
    above = y - PLUS_RADIUS - 10 - STEP * (len(label.lines) - 1)
    return [
        f'<circle class="plus" cx="{x:.1f}" cy="{y:.1f}" r="{PLUS_RADIUS:.0f}"/>',
        f'<path class="plus" d="M {x - 7:.1f} {y:.1f} h 14 M {x:.1f} {y - 7:.1f} v 14"/>',
        *(text(x, above + STEP * k, line, "line", "middle") for k, line in enumerate(label.lines)),
    ]


def _curve(points: Sequence[Point]) -> str:
    """Level pieces joined by S-shaped curves."""
    (x, y), *rest = points
    path = [f"M {x:.1f} {y:.1f}"]
    for k, (x1, y1) in enumerate(rest):
        if k % 2 == 0 or y1 == y:
            path.append(f"L {x1:.1f} {y1:.1f}")
        else:
            middle = (x + x1) / 2
            path.append(f"C {middle:.1f} {y:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
        x, y = x1, y1
    return " ".join(path)


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


def _loop(loop: Loop, r: float = 12) -> list[str]:
    """The way back of a loop: down from the result, along, up into the variable; when it ends above it."""
    (x0, y0), (x1, y1), lane = loop.result, loop.variable, loop.lane
    path = (
        f"M {x0:.1f} {y0:.1f} V {lane - r:.1f} Q {x0:.1f} {lane:.1f} {x0 - r:.1f} {lane:.1f} "
        f"H {x1 + r:.1f} Q {x1:.1f} {lane:.1f} {x1:.1f} {lane - r:.1f} V {y1:.1f}"
    )
    return [
        f'<path class="loop" marker-end="url(#loop-tip)" d="{path}"/>',
        text(x1 + 2 * r, lane - 6, loop.label, "loop"),
    ]


def _arrow(name: str, colour: str, size: int) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9.5" refY="5" markerWidth="{size}" '
        f'markerHeight="{size}" orient="auto"><path d="M 0 0.5 L 10 5 L 0 9.5 z" fill="{colour}"/></marker>'
    )


def _rectangle(box: Rectangle, radius: int, attributes: str) -> str:
    return (
        f'<rect {attributes} x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" '
        f'height="{box.height:.1f}" rx="{radius}"/>'
    )


def text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    """One line; `anchor` says which part of it is at x."""
    content = escape(_printable(content))
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{content}</text>'


def _printable(content: str) -> str:
    """`content` with a question mark for each control character, which XML does not allow."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in content)
