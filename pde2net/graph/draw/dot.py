"""The graph as text for Graphviz: the nodes, frames and lines of the picture, laid out by `dot`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pde2net.graph.draw.bands import Frame, frames_of
from pde2net.graph.draw.labels import caption, label
from pde2net.graph.draw.names import Label
from pde2net.graph.draw.outline import Group, Member, Outline, outline
from pde2net.graph.draw.style import colours
from pde2net.graph.draw.ushape import Part, UShape, is_u_shaped, ushape
from pde2net.graph.draw.usvg import caption_of, part_label, role_of
from pde2net.graph.network import Graph, node_of

HEAD = (
    "digraph network {",
    '  graph [rankdir=LR, labelloc=t, labeljust=l, fontname="DejaVu Sans"];',
    '  node [shape=box, style="rounded,filled", fontname="DejaVu Sans", fontsize=11];',
    '  edge [fontname="DejaVu Sans", fontsize=10];',
)


def to_dot(graph: Graph, title: str = "") -> str:
    """A network in the language of Graphviz; the same text for the same graph."""
    name = "\n".join([*([title] if title else []), caption(graph)])
    body = _of_parts(graph, ushape(graph)) if is_u_shaped(graph) else _of_outline(graph, outline(graph))
    return "\n".join([*HEAD, f"  label={_quoted(name)};", *body, "}", ""])


def _of_outline(graph: Graph, shown: Outline) -> Iterator[str]:
    yield from _members(graph, shown, shown.root.members, "  ", "cluster")
    for edge in shown.edges:
        options = [f"label={_quoted(edge.skip)}", "penwidth=2"] if edge.skip else []
        yield _edge(edge.producer, edge.consumer, options)
    for group in shown.root.groups():
        if group.feedback:
            options = [f"label={_quoted(group.feedback.label)}", 'color="#6b46c1"', "constraint=false"]
            yield _edge(group.feedback.result, group.feedback.variable, options)


def _members(
    graph: Graph, shown: Outline, members: Sequence[Member], indent: str, cluster: str
) -> Iterator[str]:
    for number, member in enumerate(members):
        if isinstance(member, Group):
            own = f"{cluster}_{number}"
            yield f"{indent}subgraph {_quoted(own)} {{"
            yield f"{indent}  label={_quoted(member.caption)};"
            yield from _members(graph, shown, member.members, f"{indent}  ", own)
            yield f"{indent}}}"
        else:
            text = label(graph, member)
            heading = "+" if member in shown.pluses else text.heading
            yield indent + _node(member, Label(heading, text.lines), node_of(graph, member).role)


def _of_parts(graph: Graph, shape: UShape) -> Iterator[str]:
    captions = {loop: caption_of(graph, loop) for loop in shape.loops}
    frames = frames_of(shape, captions)
    yield from _stages(graph, shape, frames, range(len(shape.stages)), "  ", "cluster")
    for flow in shape.flows:
        options = [f"label={_quoted(flow.carries)}", "penwidth=2"] if flow.carries else []
        yield _edge(_part(flow.source), _part(flow.target), options)


def _stages(
    graph: Graph, shape: UShape, frames: Sequence[Frame], stages: Sequence[int], indent: str, cluster: str
) -> Iterator[str]:
    """The parts of some stages, those in frames inside of these."""
    done = -1
    for k in stages:
        if k <= done:
            continue
        frame = next((f for f in frames if f.first == k), None)
        if frame is None:
            for part in shape.stages[k].parts:
                yield indent + _node(_part(part), part_label(shape, graph, part), role_of(graph, part))
            continue
        own, inside = f"{cluster}_{k}", [f for f in frames if f != frame]
        yield f"{indent}subgraph {_quoted(own)} {{"
        yield f"{indent}  label={_quoted(frame.caption)};"
        yield from _stages(graph, shape, inside, range(frame.first, frame.end), f"{indent}  ", own)
        yield f"{indent}}}"
        done = frame.end - 1


def _part(part: Part) -> str:
    return f"{part.names[0]} {part.number}"


def _node(name: str, text: Label, role: str) -> str:
    fill, border = colours(role)
    shown = "\n".join((text.heading, *text.lines))
    return f'{_quoted(name)} [label={_quoted(shown)}, fillcolor="{fill}", color="{border}"];'


def _edge(source: str, target: str, options: Sequence[str]) -> str:
    end = f" [{', '.join(options)}]" if options else ""
    return f"  {_quoted(source)} -> {_quoted(target)}{end};"


def _quoted(text: str) -> str:
    """A string of Graphviz, with a question mark for each control character."""
    printable = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
    escaped = printable.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
