"""What of a graph is shown: blocks that do the same appear once, long stacks as first and last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pde2net.graph.network import Graph, blocks, in_order, node_of, sources
from pde2net.graph.nodes import Input, Output

ELLIPSIS = "..."
STATE = "state"


@dataclass(frozen=True)
class Frame:
    """A shown block: its caption, its node names in order of computation."""

    caption: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Outline:
    """The shown part of a graph.

    start    the input
    end      the output
    sides    names of the other nodes that belong to no block, in order of computation
    frames   the shown blocks
    edges    (producer, consumer) -> slots, for shown nodes; the name ELLIPSIS stands for the
             blocks between the first and the last where those are left out
    elided   how many blocks ELLIPSIS stands for
    """

    start: str
    end: str
    sides: tuple[str, ...]
    frames: tuple[Frame, ...]
    edges: Mapping[tuple[str, str], tuple[str, ...]]
    elided: int


def outline(graph: Graph) -> Outline:
    """One frame if all blocks share their weights and wiring, otherwise the first and the last."""
    rows = blocks(graph)
    one = len(rows) < 2 or _alike(graph, rows)
    shown = rows[:1] if one else [rows[0], rows[-1]]
    if one:
        captions = [f"\N{MULTIPLICATION SIGN} {len(rows)}, shared weights" if len(rows) > 1 else "one block"]
    else:
        captions = [f"block 1 of {len(rows)}", f"block {len(rows)} of {len(rows)}"]
    outside = [name for name in in_order(graph) if graph.nodes[name]["block"] is None]
    start, end = (next(n for n in outside if isinstance(node_of(graph, n), kind)) for kind in (Input, Output))
    visible = {*outside, *(name for row in shown for name in row)}
    edges: dict[tuple[str, str], set[str]] = {}
    for producer, consumer, data in graph.edges(data=True):
        if consumer in visible:
            hidden = graph.nodes[producer]["shares"] if one else ELLIPSIS
            source = producer if producer in visible else hidden
            edges.setdefault((source, consumer), set()).add(data["slot"])
        elif not one and producer in rows[0]:
            edges.setdefault((producer, ELLIPSIS), set()).add(data["slot"])
    return Outline(
        start,
        end,
        tuple(name for name in outside if name not in (start, end)),
        tuple(Frame(c, tuple(names)) for c, names in zip(captions, shown, strict=False)),
        {pair: tuple(sorted(slots)) for pair, slots in edges.items()},
        0 if one else len(rows) - 2,
    )


def _alike(graph: Graph, rows: list[list[str]]) -> bool:
    """Every block shares all weights with the first and is wired in the same way."""

    def wiring(name: str, block: int) -> dict[str, tuple[str, int]]:
        found: dict[str, tuple[str, int]] = {}
        for slot, (producer, port) in sources(graph, name).items():
            data = graph.nodes[producer]
            if data["block"] == block:
                found[slot] = data["shares"] or producer, port
            elif data["block"] is not None or isinstance(data["node"], Input):
                found[slot] = STATE, port
            else:
                found[slot] = producer, port
        return found

    first = {name: wiring(name, graph.nodes[name]["block"]) for name in rows[0]}
    return all(
        {graph.nodes[n]["shares"] for n in row} == set(first)
        and all(wiring(n, graph.nodes[n]["block"]) == first[graph.nodes[n]["shares"]] for n in row)
        for row in rows[1:]
    )
