"""Whether the blocks of a stack repeat: the same weights, and earlier states read in the same way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pde2net.graph.network import Graph, blocks, cycles, is_data, node_of, sources
from pde2net.graph.nodes import Input, Weighted

# The states that a block may read: of the block before it, of the one before that, of the start of the cycle.
NOW, PREVIOUS, START = "u", "u previous", "u at start of cycle"
RATE_AT_START = "rate at start of cycle"
CARRIED = (NOW, PREVIOUS, START, RATE_AT_START)


@dataclass(frozen=True)
class Repeats:
    """`cycles` times `length` blocks that are all alike.

    states  (node of the first block, slot) -> the state that it reads
    """

    cycles: int
    length: int
    states: Mapping[tuple[str, str], str]


def repeats(graph: Graph) -> Repeats | None:
    """How the blocks repeat; None if one has weights of its own or is wired in another way.

    Weights that differ from stage to stage of a cycle, such as extrapolations, are no weights of its own,
    nor is the time.
    """
    rows, once = blocks(graph), cycles(graph)
    if not rows:
        return Repeats(1, 0, {})
    for length in _lengths(len(rows), len(once)):
        found = _states(graph, rows, once, length)
        if found is not None:
            one = length == 1 and not once
            return Repeats(1 if one else len(rows) // length, len(rows) if one else length, found)
    return None


def _lengths(count: int, cycle_count: int) -> Iterator[int]:
    """Possible lengths of a cycle."""
    if cycle_count:
        yield from [count // cycle_count] if count % cycle_count == 0 else []
    else:
        yield from (n for n in range(1, count + 1) if count % n == 0)


def _states(
    graph: Graph, rows: list[list[str]], once: list[list[str]], length: int
) -> dict[tuple[str, str], str] | None:
    ends = _ends(graph, rows)
    possible: dict[tuple[str, str], list[str]] = {}
    fixed: dict[tuple[str, str], tuple[str, int]] = {}
    for number, row in enumerate([*rows, *once]):
        block = number if number < len(rows) else (number - len(rows)) * length
        first = rows[0] if number < len(rows) else once[0]
        if not _same_nodes(graph, row, first, rows[block % length] if number < len(rows) else row):
            return None
        states = _readable(ends, block, length)
        for name in row:
            twin = graph.nodes[name]["shares"] or name
            for slot, (producer, port) in sources(graph, name).items():
                key = (twin, slot)
                names = [label for label, state in states.items() if state == producer]
                if names:
                    possible[key] = [n for n in possible.get(key, names) if n in names]
                    if not possible[key] or key in fixed:
                        return None
                    continue
                index = graph.nodes[producer]["cycle"]
                foreign = producer in ends or index not in (None, block // length)
                source = (graph.nodes[producer]["shares"] or producer, port)
                local = is_data(graph, producer) or index is not None or producer in row
                if foreign or not local or fixed.setdefault(key, source) != source or key in possible:
                    return None
    return {key: _named(key[1], names) for key, names in possible.items()}


def _ends(graph: Graph, rows: list[list[str]]) -> list[str]:
    """The states: the input and the results of the blocks."""
    start = next(n for n, d in graph.nodes(data=True) if isinstance(d["node"], Input))
    return [start, *(next(n for n in row if node_of(graph, n).role in ("skip", "iterate")) for row in rows)]


def _readable(ends: list[str], block: int, length: int) -> dict[str, str]:
    """What a block may read, by its name."""
    stage = block % length
    return {
        NOW: ends[block],
        PREVIOUS: ends[block - 1] if stage else ends[block],
        START: ends[block - stage],
    }


def _same_nodes(graph: Graph, row: list[str], first: list[str], stage: list[str]) -> bool:
    """`row` shares all weights with `first`; those that differ between stages are those of `stage`."""
    twins = [graph.nodes[n]["shares"] or n for n in row]
    if row != first and {graph.nodes[n]["shares"] for n in row} != set(first):
        return False
    weights = {graph.nodes[n]["shares"] or n: _weights(graph, n) for n in stage}
    return all(weights.get(t) == _weights(graph, n) for t, n in zip(twins, row, strict=True))


def _weights(graph: Graph, name: str) -> object:
    """Those of the stage: their symbols have a leading underscore, that of the time has none."""
    node = node_of(graph, name)
    return [w for w in node.weights if w[0].name.startswith("_")] if isinstance(node, Weighted) else ()


def _named(slot: str, names: list[str]) -> str:
    """The name of a state; where the first block reads the same state twice, that of the slot decides."""
    for ending, name in (("_previous", PREVIOUS), ("_start", START)):
        if slot.endswith(ending) and name in names:
            return name
    return names[0]
