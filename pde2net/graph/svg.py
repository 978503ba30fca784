"""Renders a layout as SVG text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from pde2net.graph.labels import Label
from pde2net.graph.layout import PLUS_RADIUS, Layout, Point, Rectangle

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
rect.frame { fill: #f5f7fa; stroke: #9aa5b1; stroke-width: 1.2; }
rect.box { stroke-width: 1.4; }
circle.plus { fill: #ffffff; stroke: #1f2933; stroke-width: 2; }
path.plus { stroke: #1f2933; stroke-width: 2; }
"""

# role -> fill, border
COLOURS = {
    "input": ("#ffffff", "#1f2933"),
    "output": ("#ffffff", "#1f2933"),
    "known field": ("#fffbea", "#b9912b"),
    "coordinate": ("#fffbea", "#b9912b"),
    "convolution": ("#dceefb", "#2b6cb0"),
    "transposed convolution": ("#c3ddf7", "#1a4f8b"),
    "activation": ("#fde8d7", "#c05621"),
    "coefficient": ("#fdf3d8", "#b7791f"),
    "edge mean": ("#e3f4e7", "#2f855a"),
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
    top = MARGIN + (34 if title else 0)
    texts = len(caption) * LINE * LINE_WIDTH, len(title) * 18 * HEADING_WIDTH
    width = max(layout.size[0], *texts) + 2 * MARGIN
    height = top + layout.size[1] + 34 + MARGIN
    name = quoteattr(_printable(title or caption))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label={name}>',
        f"<style>{STYLE}</style>",
        "<defs>" + _arrow("tip", "#616e7c", 7) + _arrow("arc-tip", "#1f2933", 6) + "</defs>",
        f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
    ]
    if title:
        parts.append(_text(MARGIN, MARGIN + 12, title, "title"))
    parts.append(f'<g transform="translate({MARGIN:.1f} {top:.1f})">')
    for name, frame in layout.frames:
        parts.append(_rectangle(frame, 14, 'class="frame"'))
        parts.append(_text(frame.x + 16, frame.y + frame.height - 14, name, "frame"))
    for _, _, points in layout.routes:
        parts.append(f'<path class="edge" marker-end="url(#tip)" d="{_curve(points)}"/>')
    for producer, skip, branch, lane in layout.arcs:
        parts += _arc(layout.boxes[producer], layout.boxes[skip], branch, lane)
    for name, box in layout.boxes.items():
        parts.append(f"<g><title>{escape(_printable(tooltips[name]))}</title>")
        draw = _skip if roles[name] == "skip" else _box
        parts += draw(box, labels[name], roles[name])
        parts.append("</g>")
    parts.append("</g>")
    parts.append(_text(MARGIN, height - MARGIN, caption, "caption"))
    return "\n".join([*parts, "</svg>", ""])


def _box(box: Rectangle, label: Label, role: str) -> list[str]:
    x, y = box.centre
    if role not in COLOURS:
        return [_text(x, y + 6, label.heading, "title", "middle")]
    fill, border = COLOURS[role]
    parts = [_rectangle(box, 8, f'class="box" fill="{fill}" stroke="{border}"')]
    parts.append(_text(x, box.y + 20, label.heading, "heading", "middle"))
    for k, line in enumerate(label.lines):
        parts.append(_text(x, box.y + 21 + STEP * (k + 1), line, "line", "middle"))
    return parts


def _skip(box: Rectangle, label: Label, role: str) -> list[str]:
    x, y = box.centre
    above = y - PLUS_RADIUS - 10 - STEP * (len(label.lines) - 1)
    return [
        f'<circle class="plus" cx="{x:.1f}" cy="{y:.1f}" r="{PLUS_RADIUS:.0f}"/>',
        f'<path class="plus" d="M {x - 7:.1f} {y:.1f} h 14 M {x:.1f} {y - 7:.1f} v 14"/>',
        *(_text(x, above + STEP * k, line, "line", "middle") for k, line in enumerate(label.lines)),
    ]


def _curve(points: Sequence[Point]) -> str:
    """Level pieces joined by S-shaped curves."""
    (x, y), *rest = points
    text = [f"M {x:.1f} {y:.1f}"]
    for k, (x1, y1) in enumerate(rest):
        if k % 2 == 0 or y1 == y:
            text.append(f"L {x1:.1f} {y1:.1f}")
        else:
            middle = (x + x1) / 2
            text.append(f"C {middle:.1f} {y:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
        x, y = x1, y1
    return " ".join(text)


def _arc(start: Rectangle, skip: Rectangle, branch: float, lane: float, r: float = 12) -> list[str]:
    """The way of the state around the block: down, along, up into the plus."""
    (_, y), (x, centre) = start.centre, skip.centre
    path = (
        f"M {start.x + start.width:.1f} {y:.1f} H {branch - r:.1f} "
        f"Q {branch:.1f} {y:.1f} {branch:.1f} {y + r:.1f} V {lane - r:.1f} "
        f"Q {branch:.1f} {lane:.1f} {branch + r:.1f} {lane:.1f} H {x - r:.1f} "
        f"Q {x:.1f} {lane:.1f} {x:.1f} {lane - r:.1f} V {centre + PLUS_RADIUS:.1f}"
    )
    return [f'<path class="arc" marker-end="url(#arc-tip)" d="{path}"/>']


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


def _text(x: float, y: float, text: str, kind: str, anchor: str = "start") -> str:
    content = escape(_printable(text))
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{content}</text>'


def _printable(text: str) -> str:
    """`text` with a question mark for each control character, which XML does not allow."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
