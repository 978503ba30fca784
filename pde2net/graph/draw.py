"""Pictures of a network: SVG for documents, a tree for the terminal."""

from __future__ import annotations

import textwrap

from pde2net.graph.labels import Label, caption, label
from pde2net.graph.layout import layered
from pde2net.graph.network import Graph, node_of
from pde2net.graph.outline import ELLIPSIS, Outline, outline
from pde2net.graph.svg import box_size, render, skip_size

BOX_CHARACTERS, BOX_LINES = 34, 3
TREE_WIDTH = 88


def to_svg(graph: Graph, title: str = "") -> str:
    """A self-contained SVG picture of a residual stack; the same text for the same graph.

    Blocks that share their weights are drawn once, in a frame that says how many there are; of
    blocks with weights of their own the first and the last. The full text of an abbreviated formula
    is its tooltip.
    """
    shown = outline(graph)
    names = [shown.start, *shown.sides, *(n for f in shown.frames for n in f.names), shown.end]
    full = {name: label(graph, name) for name in names}
    roles = {name: node_of(graph, name).role for name in names}
    labels = {name: _fitted(text) for name, text in full.items()}
    tooltips = {name: "\n".join((text.heading, *text.lines)) for name, text in full.items()}
    if shown.elided:
        labels[ELLIPSIS], roles[ELLIPSIS] = Label("\N{MIDLINE HORIZONTAL ELLIPSIS}"), "elided blocks"
        tooltips[ELLIPSIS] = _elided(shown)
    skips = [name for name, role in roles.items() if role == "skip"]
    sizes = {n: skip_size(text.lines) if n in skips else box_size(text) for n, text in labels.items()}
    return render(layered(shown, sizes, skips), labels, roles, tooltips, title, caption(graph))


def to_text(graph: Graph) -> str:
    """A tree of the same outline in plain Unicode text, at most 88 columns wide, for a terminal."""
    shown = outline(graph)
    rows = textwrap.wrap(caption(graph), TREE_WIDTH)
    groups: list[tuple[str, list[Label]]] = [(_line(label(graph, shown.start)), [])]
    if shown.sides:
        groups.append(("known before the first block", [label(graph, n) for n in shown.sides]))
    for number, frame in enumerate(shown.frames):
        if number and shown.elided:
            groups.append((_elided(shown), []))
        groups.append((frame.caption, [label(graph, n) for n in frame.names]))
    groups.append((_line(label(graph, shown.end)), []))
    for number, (heading, nodes) in enumerate(groups):
        last = number == len(groups) - 1
        rows.append(f"{'└─' if last else '├─'} {heading}")
        for k, node in enumerate(nodes):
            rows += _branch(node, "   " if last else "│  ", k == len(nodes) - 1)
    return "\n".join(rows) + "\n"


def _branch(node: Label, indent: str, last: bool) -> list[str]:
    start = f"{indent}{'└─' if last else '├─'} {node.heading}"
    if len(node.lines) == 1 and len(start) + len(node.lines[0]) + 2 <= TREE_WIDTH:
        return [f"{start}: {node.lines[0]}"]
    rows = [start]
    stem = f"{indent}{'   ' if last else '│  '}   "
    for line in node.lines:
        rows += textwrap.wrap(
            line,
            TREE_WIDTH,
            initial_indent=stem,
            subsequent_indent=stem + "  ",
            break_on_hyphens=False,
            max_lines=6,
            placeholder=" …",
        )
    return rows


def _line(node: Label) -> str:
    return f"{' '.join(node.lines)} {node.heading}"


def _elided(shown: Outline) -> str:
    if shown.elided == 1:
        return "block 2, with weights of its own"
    return f"blocks 2 to {shown.elided + 1}, each with weights of its own"


def _fitted(text: Label) -> Label:
    """`text` in lines that fit a box; what is left out is marked with an ellipsis."""
    lines = [
        part
        for line in text.lines
        for part in textwrap.wrap(
            line,
            BOX_CHARACTERS,
            subsequent_indent="  ",
            break_on_hyphens=False,
            max_lines=BOX_LINES,
            placeholder=" …",
        )
    ]
    return Label(textwrap.shorten(text.heading, BOX_CHARACTERS, placeholder=" …"), tuple(lines))
