"""Pictures of a network: SVG for documents, DOT for Graphviz, a tree for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType

from pde2net.files import check_output, write_text
from pde2net.graph.draw.dot import to_dot
from pde2net.graph.draw.formulas import DOTS
from pde2net.graph.draw.labels import caption, label
from pde2net.graph.draw.layout import layered
from pde2net.graph.draw.names import Label
from pde2net.graph.draw.outline import CARRIED, Group, Member, Outline, outline
from pde2net.graph.draw.page import INNER
from pde2net.graph.draw.svg import box_size, render, skip_size
from pde2net.graph.draw.ushape import is_u_shaped
from pde2net.graph.draw.usvg import u_svg, u_tree
from pde2net.graph.network import Graph, node_of

BOX_CHARACTERS, BOX_LINES, BOX_MOST = 34, 5, 22
TREE_WIDTH = 88


def to_svg(graph: Graph, title: str = "") -> str:
    """A self-contained SVG picture of a network; the same text for the same graph.

    Blocks and cycles are drawn once, in frames that say how many there are. The full text of an abbreviated
    formula is its tooltip.
    """
    if is_u_shaped(graph):
        return u_svg(graph, title)
    shown = outline(graph)
    names = list(shown.root.names())
    full = {name: label(graph, name) for name in names}
    roles = {name: node_of(graph, name).role for name in names}
    labels = {name: _fitted(text) for name, text in full.items()}
    tooltips = {name: "\n".join((text.heading, *text.lines)) for name, text in full.items()}
    sizes = {n: skip_size(t.lines) if n in shown.pluses else box_size(t) for n, t in labels.items()}
    layout = layered(shown, sizes, INNER)
    return render(layout, labels, roles, tooltips, shown.pluses, title, caption(graph))


FORMATS = MappingProxyType({".svg": to_svg, ".dot": to_dot})


def write_picture(graph: Graph, title: str, path: str | Path) -> None:
    """Write the picture to a file, in the format that its suffix says: .svg, or .dot for Graphviz.

    Raises FileError for other suffixes, and for a path that cannot be written.
    """
    check_output(path, tuple(FORMATS))
    write_text(path, FORMATS[Path(path).suffix.lower()](graph, title))


def to_text(graph: Graph) -> str:
    """A tree of the same outline in plain Unicode text, at most 88 columns wide, for a terminal."""
    if is_u_shaped(graph):
        return "\n".join([*textwrap.wrap(caption(graph), TREE_WIDTH), *u_tree(graph)]) + "\n"
    shown = outline(graph)
    *members, end = shown.root.members
    outside = [m for m in members if isinstance(m, str)]
    start = [m for m in outside if node_of(graph, m).role == "input"]
    sides = tuple(m for m in outside if m not in start)
    known = [Group("known before the first block", sides)] if sides else []
    rest = [m for m in members if m not in outside]
    rows = textwrap.wrap(caption(graph), TREE_WIDTH)
    return "\n".join([*rows, *_tree(graph, shown, (*start, *known, *rest, end), "")]) + "\n"


def _tree(graph: Graph, shown: Outline, members: Sequence[Member], indent: str) -> Iterator[str]:
    for number, member in enumerate(members):
        last = number == len(members) - 1
        branch, stem = (f"{indent}└─ ", f"{indent}   ") if last else (f"{indent}├─ ", f"{indent}│  ")
        if isinstance(member, Group):
            until = f", {member.feedback.label}" if member.feedback else ""
            yield from _wrapped(member.caption + until, branch, stem)
            yield from _tree(graph, shown, member.members, stem)
        elif node_of(graph, member).role in ("input", "output"):
            node = label(graph, member)
            yield f"{branch}{' '.join(node.lines)} {node.heading}"
        else:
            yield from _leaf(label(graph, member), _carried(shown, member), branch, stem)


def _leaf(node: Label, carried: Sequence[str], branch: str, stem: str) -> Iterator[str]:
    start = branch + node.heading
    lines = (*node.lines, f"reads {', '.join(carried)}") if carried else node.lines
    if len(lines) == 1 and len(start) + len(lines[0]) + 2 <= TREE_WIDTH:
        yield f"{start}: {lines[0]}"
        return
    yield start
    for line in lines:
        yield from _wrapped(line, stem + "   ", stem + "     ")


def _carried(shown: Outline, name: str) -> list[str]:
    """The states that a plus reads past the layers; none if its block knows only one."""
    block = next((g for g in shown.root.groups() if name in g.members), shown.root)
    several = len({e.skip for e in shown.edges if e.skip and e.consumer in block.members}) > 1
    found = [e.skip for e in shown.edges if several and e.skip and e.consumer == name]
    return sorted(found, key=CARRIED.index)


def _wrapped(line: str, first: str, further: str, width: int = TREE_WIDTH, most: int = 6) -> list[str]:
    return textwrap.wrap(
        line,
        width,
        initial_indent=first,
        subsequent_indent=further,
        break_on_hyphens=False,
        max_lines=most,
        placeholder=f" {DOTS}",
    )


def _fitted(text: Label) -> Label:
    """`text` in lines that fit a box; what is left out is marked with an ellipsis."""
    lines = [part for line in text.lines for part in _wrapped(line, "", "  ", BOX_CHARACTERS, BOX_LINES)]
    shown = lines if len(lines) <= BOX_MOST else [*lines[: BOX_MOST - 1], DOTS]
    return Label(textwrap.shorten(text.heading, BOX_CHARACTERS, placeholder=f" {DOTS}"), tuple(shown))
