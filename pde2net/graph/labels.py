"""What each node of a graph says about itself, for pictures and for the terminal."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from sympy.printing.str import StrPrinter

from pde2net.discretise.operators import Bank, Difference
from pde2net.graph.network import Graph, node_of, sources
from pde2net.graph.nodes import (
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Field,
    Input,
    Pad,
    Pointwise,
    TransposedConvolution,
)
from pde2net.normalise.radial import divide
from pde2net.scheme.stack import TAU

MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Label:
    """A heading and lines of formulas below it."""

    heading: str
    lines: tuple[str, ...] = ()


class _Printer(StrPrinter):  # type: ignore[misc]
    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return greek(symbol.name.lstrip("_"))

    def _print_Abs(self, expression: sp.Expr) -> str:
        return f"|{self._print(expression.args[0])}|"


def formula(expression: sp.Expr) -> str:
    """One line in Unicode: Greek letters, dots for products, raised integer exponents."""
    text: str = _Printer().doprint(expression)
    text = re.sub(r"\*\*(\d+)", lambda m: m.group(1).translate(_SUPERSCRIPT), text)
    return text.replace("**", "^").replace("*", "·").replace("-", MINUS)


def greek(name: str) -> str:
    """`name` with a leading spelled-out Greek letter as that letter."""
    head, mark, rest = name.partition("_")
    spelled = "lamda" if head == "lambda" else head
    try:
        return unicodedata.lookup(f"greek small letter {spelled}") + mark + rest
    except KeyError:
        return name


def caption(graph: Graph) -> str:
    """Architecture, dimension and the values of the parameters."""
    values = sorted(graph.graph["values"].items(), key=lambda item: item[0].name)
    settings = [f"{formula(s)} = {formula(v)}" for s, v in values if s != v]
    dimension = f"{graph.graph['dimension']}D"
    return ", ".join([f"{graph.graph['architecture']}, {dimension}", *settings])


def label(graph: Graph, name: str) -> Label:
    """Heading and formulas of one node; every name on a right-hand side is a left-hand side elsewhere."""
    node = node_of(graph, name)
    if isinstance(node, Input | Field | Coordinate):
        return Label(greek(node.symbol.name), (node.role,))
    if isinstance(node, Pad):
        return Label(
            "pad", (f"{_cells(node.margin)} of {'zeros' if node.mode == 'zero' else 'border values'}",)
        )
    if isinstance(node, Crop):
        return Label("crop", (_cells(node.margin),))
    if isinstance(node, Convolution):
        return Label(f"convolution {short(name)}", _convolution(graph, name, node.bank))
    if isinstance(node, TransposedConvolution):
        operator = f"{MINUS}{_forward_name(graph, name, node.bank)}ᵀ"
        flux = f"Φ{_number(sources(graph, name)['p0'][0])}"
        return Label(f"transposed convolution {operator}", (f"{_adjoint_symbol(name)} = {operator} {flux}",))
    if isinstance(node, EdgeMean):
        own, of = short(name), short(sources(graph, name)["a"][0])
        return Label("edge mean", (f"{greek(own)} = mean of {greek(of)} {_along(graph, node.axis)}",))
    if isinstance(node, Pointwise):
        return _pointwise(graph, name, node)
    return Label(greek(_state(graph)), (node.role,))


def short(name: str) -> str:
    """The name within its block."""
    return name.rpartition(".")[2]


def _pointwise(graph: Graph, name: str, node: Pointwise) -> Label:
    if node.role == "skip":
        return Label("skip connection", (_update(graph, name, node.expressions[0]),))
    if node.role == "coefficient":
        return Label("coefficient", (f"{greek(short(name))} = {formula(node.expressions[0])}",))
    own = f"Φ{_number(name)}"
    heading = f"activation {own}"
    if len(node.expressions) == 1:
        return Label(heading, (f"{own} = {formula(node.expressions[0])}",))
    common = _common_factor(graph, name, node.expressions)
    if common is not None:
        factor, slopes = common
        vector = f"({', '.join(map(formula, slopes))})"
        if factor.is_number:
            return Label(
                heading, (f"{own} = {vector}" if factor == 1 else f"{own} = {formula(factor)}·{vector}",)
            )
        return Label(heading, (f"{own} = g·{vector}", f"g = {formula(factor)}"))
    lines = (f"{own}_{_axis(graph, i)} = {formula(e)}" for i, e in enumerate(node.expressions))
    return Label(heading, tuple(lines))


def _common_factor(
    graph: Graph, name: str, expressions: tuple[sp.Expr, ...]
) -> tuple[sp.Expr, list[sp.Symbol]] | None:
    """(g, slopes) if expressions[i] = g * slopes[i], slopes[i] the input from output i of a convolution."""
    inputs = sources(graph, name)
    fed = {
        inputs[s.name][1]: s
        for s in sorted(set().union(*(e.free_symbols for e in expressions)), key=str)
        if s.name in inputs and isinstance(node_of(graph, inputs[s.name][0]), Convolution)
    }
    if sorted(fed) != list(range(len(expressions))):
        return None
    slopes = [fed[i] for i in range(len(expressions))]
    factors = {divide(e, s) for e, s in zip(expressions, slopes, strict=True)}
    return (factors.pop(), slopes) if len(factors) == 1 else None


def _update(graph: Graph, name: str, expression: sp.Expr) -> str:
    """u + tau * rate, in d = -K^T Phi(K u) instead of K^T Phi(K u)."""
    inputs = sources(graph, name)
    signed = {}
    state = None
    for symbol in (s for s in expression.free_symbols if s.name in inputs):
        producer = inputs[symbol.name][0]
        while isinstance(node_of(graph, producer), Crop):
            producer = sources(graph, producer)["u"][0]
        if isinstance(node_of(graph, producer), TransposedConvolution):
            signed[symbol] = -sp.Symbol(_adjoint_symbol(producer), real=True)
        elif symbol.name == _state(graph):
            state = symbol
    expression = expression.xreplace(signed)
    rate = sp.S.Zero if state is None else (expression - state) / TAU
    if rate == 0 or TAU in rate.free_symbols:
        return formula(expression)
    return f"{formula(state)} + {formula(TAU)}·" + (formula(rate) if rate.is_Symbol else f"({formula(rate)})")


def _adjoint_symbol(name: str) -> str:
    return f"d{_number(name)}"


def _number(name: str) -> str:
    """The number of the term that a node such as flux2 or K2T belongs to; empty if there is one term."""
    return re.sub(r"\D", "", short(name))


def _forward_name(graph: Graph, name: str, bank: Bank) -> str:
    """The convolution of the same block whose adjoint `name` is."""
    block = graph.nodes[name]["block"]
    for other, data in graph.nodes(data=True):
        if data["block"] == block and data["node"] == Convolution(bank):
            return short(other)
    return "K"


def _convolution(graph: Graph, name: str, bank: Bank) -> tuple[str, ...]:
    named = {data["port"]: data["slot"] for *_, data in graph.out_edges(name, data=True)}
    lines = []
    for port, row in enumerate(bank.rows):
        left = f"{greek(named[port])} = " if port in named else ""
        lines.append(left + _row(graph, row))
    closures = sorted({d.closure for row in bank.rows for _, d in row})
    if len(closures) == 1:
        return (*lines, f"{closures[0]} border")
    of = {d.axis: d.closure for row in bank.rows for _, d in row}
    return (*lines, *(f"{of[axis]} border {_along(graph, axis)}" for axis in sorted(of)))


def _row(graph: Graph, row: Sequence[tuple[sp.Expr, Difference]]) -> str:
    terms = [_weights(w * d.scale, d) for w, d in row]
    if len(set(terms)) == 1:
        everywhere = len(row) == graph.graph["dimension"] > 1
        return f"{terms[0]} along {'each axis' if everywhere else _axis(graph, row[0][1].axis)}"
    return " + ".join(f"{t} {_along(graph, d.axis)}" for t, (_, d) in zip(terms, row, strict=True))


def _weights(scale: sp.Expr, difference: Difference) -> str:
    """(-1, 1)/h: integer weights from the leftmost offset to the rightmost, and their factor."""
    stencil = difference.stencil
    taps = dict(zip(stencil.offsets, stencil.weights, strict=True))
    common = sp.ilcm(*(w.q for w in stencil.weights))
    span = range(stencil.offsets[0], stencil.offsets[-1] + 1)
    entries = ", ".join(formula(sp.Integer(taps.get(o, 0) * common)) for o in span)
    numerator, denominator = sp.fraction(sp.together(scale / common))
    text = f"({entries})" if numerator == 1 else f"{formula(numerator)}·({entries})"
    return text if denominator == 1 else f"{text}/{_factor(denominator)}"


def _factor(expression: sp.Expr) -> str:
    text = formula(expression)
    return f"({text})" if expression.is_Add or expression.is_Mul else text


def _along(graph: Graph, axis: int) -> str:
    return f"along {_axis(graph, axis)}"


def _axis(graph: Graph, axis: int) -> str:
    """The name of an axis, read off a coordinate or a slope such as u_x; its number otherwise."""
    for name, data in graph.nodes(data=True):
        node = data["node"]
        if isinstance(node, Coordinate) and node.axis == axis:
            return greek(node.symbol.name)
        if isinstance(node, Convolution) and len(node.bank.rows) == graph.graph["dimension"]:
            for _, _, edge in graph.out_edges(name, data=True):
                row = node.bank.rows[edge["port"]]
                if len(row) == 1 and row[0][1].axis == axis and row[0][1].stencil.derivative == 1:
                    _, mark, suffix = edge["slot"].rpartition("_")
                    if mark:
                        return greek(suffix)
    return f"axis {axis + 1}"


def _state(graph: Graph) -> str:
    found = (d["node"].symbol.name for _, d in graph.nodes(data=True) if isinstance(d["node"], Input))
    return next(found, "u")


def _cells(margin: tuple[int, ...]) -> str:
    """How many cells on both sides of each axis, e.g. "2 cells" or "(2, 0) cells"."""
    if len(set(margin)) == 1:
        return f"{margin[0]} cells"
    return f"({', '.join(map(str, margin))}) cells"
