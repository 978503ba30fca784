"""Graphs as JSON text and back, without loss and without evaluating anything as code.

An object with the keys

    format        "pde2net-graph-5"
    architecture, dimension, channels
    parameters    their names
    symbols       name -> assumptions of every symbol
    values        name -> value of each parameter that has one, as text
    banks         the distinct operators K, as rows, or {"rows", "mixed"}; nodes refer to them by position
    operations    the distinct nodes: {"type": ..., field: value, ...}
    nodes         {"name", "operation", "loop", "level", "inputs": [[slot, producer, port], ...]}

Expressions are text in the language of `pde2net.language.expressions`.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import networkx as nx
import sympy as sp

from pde2net.discretise.operators import Bank, Difference, Mixed
from pde2net.discretise.stencils import Stencil
from pde2net.errors import FileError
from pde2net.graph.checked import CHOICES, COUNTS, at, check_stencil, checked, hints, natural
from pde2net.graph.network import Graph, GraphError, sources, validate
from pde2net.graph.nodes import Node
from pde2net.language.expressions import from_text, symbol_table, to_text

FORMAT = "pde2net-graph-5"
_KINDS: dict[str, type] = {kind.__name__: kind for kind in Node.kinds()}
_RECORDS = (Difference, Mixed, Stencil)
_BAD_CONTENT = (
    ArithmeticError,
    AttributeError,
    GraphError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    nx.NetworkXException,
)


def to_json(graph: Graph) -> str:
    """The text that `from_json` reads back to an equal graph; the same text for the same graph.

    Raises FileError if a symbol or an expression cannot be written without loss, such as two symbols
    of one name with different assumptions.
    """
    writer = _Writer(graph)
    nodes = []
    for name, data in graph.nodes(data=True):
        inputs = [[slot, producer, port] for slot, (producer, port) in sources(graph, name).items()]
        operation = writer.operation(data["node"])
        places = {key: data[key] for key in ("loop", "level")}
        nodes.append({"name": name, "operation": operation, **places, "inputs": inputs})
    content = {
        "format": FORMAT,
        "architecture": graph.graph["architecture"],
        "dimension": graph.graph["dimension"],
        "channels": graph.graph["channels"],
        "parameters": [s.name for s in graph.graph["parameters"]],
        "symbols": writer.symbols,
        "values": {s.name: writer.text(v) for s, v in graph.graph["values"].items()},
        "banks": writer.bank_rows,
        "operations": writer.operation_rows,
        "nodes": nodes,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> Graph:
    """The validated graph that `to_json` wrote. Raises FileError for anything else."""
    try:
        content = json.loads(text)
        found = content.get("format") if isinstance(content, dict) else None
        if found != FORMAT:
            raise FileError(f'This is no network graph: its format is {found!r}, not "{FORMAT}".')
        return validate(_Reader(content).graph())
    except FileError:
        raise
    except _BAD_CONTENT as error:
        raise FileError(f"This network graph is damaged: {_reason(error)}.") from error


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error}"
    return str(error)[:200].removesuffix(".") or type(error).__name__


class _Writer:
    """Turns nodes into JSON values and collects the distinct ones."""

    def __init__(self, graph: Graph) -> None:
        nodes = {data["node"] for _, data in graph.nodes(data=True)}
        found = set(_symbols_in((graph.graph["parameters"], *graph.graph["values"].items(), *nodes)))
        names = [s.name for s in found]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise FileError(
                f'The graph cannot be written: it has two symbols called "{twice[0]}" with different '
                "assumptions; declare the symbol once, with the same assumptions everywhere."
            )
        self.symbols = symbol_table(found)
        self.bank_rows: list[Any] = []
        self.operation_rows: list[Any] = []
        self.banks: dict[Bank, int] = {}
        self.operations: dict[Node, int] = {}

    def operation(self, node: Node) -> int:
        if node not in self.operations:
            self.operation_rows.append({"type": type(node).__name__, **self.fields(node)})
            self.operations[node] = len(self.operation_rows) - 1
        return self.operations[node]

    def fields(self, record: Any) -> dict[str, Any]:
        return {f.name: self.value(getattr(record, f.name)) for f in dataclasses.fields(record)}

    def value(self, value: Any) -> Any:
        if isinstance(value, sp.Basic):
            return self.text(value)
        if isinstance(value, tuple):
            return [self.value(v) for v in value]
        if isinstance(value, Bank):
            if value not in self.banks:
                rows = self.value(value.rows)
                mixed = {"rows": rows, "mixed": self.value(value.mixed)}
                self.bank_rows.append(mixed if value.mixed else rows)
                self.banks[value] = len(self.bank_rows) - 1
            return self.banks[value]
        return self.fields(value) if isinstance(value, _RECORDS) else value

    def text(self, expression: sp.Basic) -> str:
        text = to_text(expression)
        try:
            back = from_text(text, self.symbols)
        except _BAD_CONTENT as error:
            raise FileError(f"The graph cannot be written: {text} has no text form.") from error
        if back != expression:
            raise FileError(f"The graph cannot be written: {text} would be read back as {back}.")
        return text


def _symbols_in(value: Any) -> Iterator[sp.Symbol]:
    if isinstance(value, sp.Basic):
        yield from value.free_symbols
    elif isinstance(value, tuple):
        for entry in value:
            yield from _symbols_in(entry)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from _symbols_in(getattr(value, field.name))


class _Reader:
    """Builds a graph from parsed JSON; every value is checked against the annotation of its field."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.dimension: int = checked(content["dimension"], int)
        if self.dimension < 1:
            raise ValueError(f"the dimension is {self.dimension}")
        self.symbols: dict[str, list[str]] = checked(content["symbols"], dict)
        for name, assumptions in self.symbols.items():
            for assumption in checked(assumptions, list):
                checked(assumption, str)
            self.expression(name, sp.Symbol)
        self.banks = [self.bank(b) for b in checked(content["banks"], list)]
        self.operations = [self.operation(o) for o in checked(content["operations"], list)]

    def graph(self) -> Graph:
        architecture: str = checked(self.content["architecture"], str)
        values = {
            self.expression(name, sp.Symbol): self.expression(value, sp.Expr)
            for name, value in checked(self.content["values"], dict).items()
        }
        channels = natural(self.content["channels"])
        if not channels:
            raise ValueError("a graph has at least one channel")
        parameters = [self.expression(n, sp.Symbol) for n in checked(self.content["parameters"], list)]
        graph: Graph = nx.MultiDiGraph(
            architecture=architecture,
            parameters=tuple(parameters),
            values=values,
            dimension=self.dimension,
            channels=channels,
        )
        entries = checked(self.content["nodes"], list)
        for entry in entries:
            self.add_node(graph, entry)
        for entry in entries:
            for slot, producer, port in checked(entry["inputs"], list):
                if producer not in graph:
                    raise ValueError(
                        f"{entry['name']!r} takes an input from {producer!r}, which does not exist"
                    )
                graph.add_edge(producer, entry["name"], slot=checked(slot, str), port=checked(port, int))
        return graph

    def bank(self, entry: Any) -> Bank:
        """Its rows, or {"rows": ..., "mixed": ...} if it has mixed differences."""
        if not isinstance(entry, dict):
            return Bank(self.value(entry, hints(Bank)["rows"], ("Bank", "rows")))
        bank: Bank = self.record(entry, Bank)
        if not all(len({d.axis for d in m.parts}) == len(m.parts) > 1 for m in bank.mixed):
            raise ValueError("a mixed difference has one part along each of two axes or more")
        return bank

    def add_node(self, graph: Graph, entry: Any) -> None:
        name = checked(entry["name"], str)
        if name in graph:
            raise ValueError(f"there are two nodes called {name!r}")
        node = at(self.operations, entry["operation"])
        level = None if entry["level"] is None else natural(entry["level"])
        loop = None if entry["loop"] is None else checked(entry["loop"], str)
        graph.add_node(name, node=node, loop=loop, level=level)

    def operation(self, entry: Any) -> Any:
        kind = _KINDS.get(checked(entry["type"], str))
        if kind is None:
            raise ValueError(f"there is no operation {entry['type']!r}")
        return self.record({k: v for k, v in entry.items() if k != "type"}, kind)

    def record(self, entry: Any, kind: type) -> Any:
        fields = hints(kind)
        if set(checked(entry, dict)) != set(fields):
            raise ValueError(f"{kind.__name__} has the fields {sorted(fields)}, not {sorted(entry)}")
        record = kind(**{n: self.value(entry[n], hint, (kind.__name__, n)) for n, hint in fields.items()})
        if isinstance(record, Stencil):
            check_stencil(record)
        default = kind.__dict__.get("role")
        roles = CHOICES.get((kind.__name__, "role"), (default,))
        if default is not None and record.role not in roles:
            names = " or ".join(map(repr, roles))
            raise ValueError(f"the role of {kind.__name__} is {names}, not {record.role!r}")
        return record

    def value(self, value: Any, hint: Any, field: tuple[str, str]) -> Any:
        name = field[1]
        if typing.get_origin(hint) is tuple:
            inner = typing.get_args(hint)
            entries = checked(value, list)
            if inner[-1] is Ellipsis:
                inner = (inner[0],) * len(entries)
            found = tuple(self.value(v, h, field) for v, h in zip(entries, inner, strict=True))
            return self.margin(found) if name == "margin" else found
        if hint is Bank:
            return at(self.banks, value)
        if hint in _RECORDS:
            return self.record(value, hint)
        if isinstance(hint, type) and issubclass(hint, sp.Basic):
            return self.expression(value, hint)
        checked(value, hint)
        if value not in CHOICES.get(field, (value,)):
            raise ValueError(f"there is no {name} {value!r}")
        if name in COUNTS:
            natural(value)
        if name == "axis" and not 0 <= value < self.dimension:
            raise ValueError(f"there is no axis {value} in {self.dimension} dimensions")
        return value

    def margin(self, margin: tuple[int, ...]) -> tuple[int, ...]:
        if len(margin) != self.dimension or min(margin) < 0:
            raise ValueError(f"{margin} is no margin in {self.dimension} dimensions")
        return margin

    def expression(self, text: Any, kind: type) -> Any:
        found = from_text(checked(text, str), self.symbols)
        if not isinstance(found, kind):
            raise ValueError(f"{text!r} is no {kind.__name__}")
        return found
