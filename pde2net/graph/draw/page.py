"""The page around a picture: title, legend, caption."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from pde2net.graph.draw.places import Point
from pde2net.graph.draw.style import (
    COLOURS,
    HEADING_WIDTH,
    LINE,
    LINE_WIDTH,
    STEP,
    STYLE,
    TIPS,
    TITLE,
    colours,
)

PAGE, MARGIN = 1600.0, 28.0
INNER = PAGE - 2 * MARGIN  # the width that pictures have
NARROW = 560.0  # as much as texts are given below and above a picture that is smaller
TITLE_STEP, SWATCH = 24.0, 13.0
ROUND = ("skip", "step")  # roles of circles
# What follows an underscore, up to an exponent.
_INDEX = re.compile(r"(?<=\w)_((?:(?![\u00b2\u00b3\u00b9\u2070-\u207b\u1d40])\w)+)")


def document(parts: Sequence[str], size: Point, title: str, caption: str, roles: Iterable[str]) -> str:
    """An SVG file of elements that fill `size`, with a legend of `roles`."""
    inside = max(size[0], NARROW)
    titles = [row for line in title.splitlines() for row in _wrapped(line, inside, TITLE * HEADING_WIDTH)]
    captions = _wrapped(caption, inside, LINE * LINE_WIDTH)
    top = MARGIN + (10 + TITLE_STEP * len(titles) if titles else 0)
    below = top + size[1] + 34
    legend, high = _legend(roles, below, inside)
    width, last = inside + 2 * MARGIN, below + high
    height = last + STEP * (len(captions) - 1) + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escaped(title or caption)}">',
            f"<style>{STYLE}</style>",
            "<defs>",
            *(_arrow(*tip) for tip in TIPS),
            "</defs>",
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>',
            *(text(MARGIN, MARGIN + 12 + TITLE_STEP * k, row, "title") for k, row in enumerate(titles)),
            f'<g transform="translate({MARGIN:.1f} {top:.1f})">',
            *parts,
            "</g>",
            *legend,
            *(text(MARGIN, last + STEP * k, row, "caption") for k, row in enumerate(captions)),
            "</svg>",
            "",
        ]
    )


def _wrapped(line: str, width: float, character: float) -> list[str]:
    return textwrap.wrap(line, int(width / character), subsequent_indent="    ", break_on_hyphens=False)


def _legend(roles: Iterable[str], top: float, width: float) -> tuple[list[str], float]:
    """A swatch and the name of each role, in rows; and their height."""
    order = {role: k for k, role in enumerate(COLOURS)}
    shown = sorted(set(roles), key=lambda role: (order.get(role, len(order)), role))
    parts, x, y = [], MARGIN, top
    for role in shown:
        wide = SWATCH + 6 + len(role) * LINE * HEADING_WIDTH + 14
        if x + wide > MARGIN + width and x > MARGIN:
            x, y = MARGIN, y + STEP + 4
        fill, border = colours(role)
        corner = SWATCH / 2 if role in ROUND else 3
        size = f'width="{SWATCH:.0f}" height="{SWATCH:.0f}" rx="{corner:.1f}"'
        place = f'x="{x:.1f}" y="{y - SWATCH + 2:.1f}"'
        parts.append(f'<rect class="swatch" fill="{fill}" stroke="{border}" {place} {size}/>')
        parts.append(text(x + SWATCH + 6, y, role, "legend"))
        x += wide
    return parts, y - top + 26


def _arrow(name: str, colour: str, size: int) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9.5" refY="5" markerWidth="{size}" '
        f'markerHeight="{size}" orient="auto"><path d="M 0 0.5 L 10 5 L 0 9.5 z" fill="{colour}"/></marker>'
    )


def text(x: float, y: float, content: str, kind: str, anchor: str = "start") -> str:
    """One line; `anchor` says which part of it is at x; u_x has an index."""
    pieces, lowered = [], False
    for k, piece in enumerate(_INDEX.split(content)):
        if not piece:
            continue
        if k % 2:
            pieces.append(f'<tspan class="sub" dy="3">{escaped(piece.replace("_", ","))}</tspan>')
        else:
            pieces.append(f'<tspan dy="-3">{escaped(piece)}</tspan>' if lowered else escaped(piece))
        lowered = bool(k % 2)
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{"".join(pieces)}</text>'


def escaped(content: str) -> str:
    """`content` as it stands in XML, with a question mark for each control character, which XML has not."""
    printable = "".join(c if c.isprintable() or c == "\n" else "?" for c in content)
    return escape(printable, {'"': "&quot;"})
