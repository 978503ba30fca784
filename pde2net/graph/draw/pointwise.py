"""What pointwise nodes say about themselves: fluxes, coefficients, sums and updates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sympy as sp

from pde2net.graph.draw.banks import axis_name
from pde2net.graph.draw.formulas import MINUS, formula, greek, series
from pde2net.graph.draw.names import VARIABLE, Label, adjoint_symbol, names_of, of_term, state_name
from pde2net.graph.network import Graph, is_carried, loops, node_of, passes_of, sources
from pde2net.graph.nodes import (
    CHANNEL_SUM,
    Convolution,
    Crop,
    Pointwise,
    State,
    TransposedConvolution,
    TransposedFilter,
    Trial,
)
from pde2net.normalise.radial import divide
from pde2net.scheme.stack import TAU

# role -> heading, where it is another one
HEADING = {"skip": "skip connection", "step": "explicit step"}
LONG = 90  # characters of a formula whose common parts get names
PARTS = "rqhm"  # one of these letters, with a number


def pointwise(graph: Graph, name: str, node: Pointwise) -> Label:
    """Heading and formulas of one node."""
    if node.role in ("activation", "tangent"):
        return _flux(graph, name, node)
    if node.role in ("coefficient", CHANNEL_SUM):
        values = [_with_gradients(graph, name, e) for e in node.expressions]
        rows = [(" = ".join(names_of(graph, name, port)), e) for port, e in enumerate(values)]
        if node.role == CHANNEL_SUM:
            return Label(
                node.role,
                tuple(f"{left} = \N{GREEK CAPITAL LETTER SIGMA} ({formula(e)})" for left, e in rows),
            )
        return Label(node.role, _defined(rows))
    left = "" if node.role == "skip" else f"{' = '.join(names_of(graph, name, 0))} = "
    lines = [f"{left}{_update(graph, name, node.expressions[0])}"]
    in_loop = node.role == "step" and graph.nodes[name]["loop"] not in loops(graph)
    heading = "update" if in_loop else HEADING.get(node.role, node.role)
    return Label(heading, (*lines, *_weight_lines(graph, name, node)))


def _flux(graph: Graph, name: str, node: Pointwise) -> Label:
    own = f"\N{GREEK CAPITAL LETTER PHI}{of_term(graph, name)}"
    heading = f"{node.role} {own}"
    if len(node.expressions) == 1:
        return Label(heading, _defined([(own, _with_gradients(graph, name, node.expressions[0]))]))
    common = _common_factor(graph, name, node.expressions)
    if common is not None:
        factor, slopes = common
        vector = f"({', '.join(map(formula, slopes))})"
        if factor.is_number:
            return Label(
                heading, (f"{own} = {vector}" if factor == 1 else f"{own} = {formula(factor)}·{vector}",)
            )
        g = _defined([("g", _with_gradients(graph, name, factor))])
        return Label(heading, (f"{own} = g·{vector}", *g))
    rows = [
        (f"{own}_{axis_name(graph, i)}", _with_gradients(graph, name, e))
        for i, e in enumerate(node.expressions)
    ]
    return Label(heading, _defined(rows))


def _defined(rows: Sequence[tuple[str, sp.Expr]]) -> tuple[str, ...]:
    """A line per value; common parts of long ones have names and lines of their own."""
    lines = [f"{left} = {formula(e)}" for left, e in rows]
    if max(map(len, lines)) <= LONG:
        return tuple(lines)
    taken = {greek(s.name)[:1] for _, e in rows for s in e.free_symbols}
    letter = next((c for c in PARTS if c not in taken), PARTS)
    numbered = sp.numbered_symbols(letter, start=1, real=True)
    parts, values = sp.cse([e for _, e in rows], numbered, order="canonical")
    named = [f"{left} = {formula(e)}" for (left, _), e in zip(rows, values, strict=True)]
    named += [f"{formula(symbol)} = {formula(part)}" for symbol, part in parts]
    return tuple(min(named, lines, key=lambda texts: sum(map(len, texts))))


def _with_gradients(graph: Graph, name: str, expression: sp.Expr) -> sp.Expr:
    """`expression` with |\N{NABLA}u| for the length of the slopes along all axes."""
    slots: dict[str, dict[int, str]] = {}
    for slot, (producer, port) in sources(graph, name).items():
        node = node_of(graph, producer)
        if isinstance(node, Convolution) and port < len(node.bank.rows):
            row = node.bank.rows[port]
            if len(row) == 1 and row[0][1].stencil.derivative == 1:
                slots.setdefault(producer, {})[row[0][1].axis] = slot
    for along in slots.values():
        stems = {slot.strip("_").rpartition("_")[0] for slot in along.values()}
        squares = [s**2 for s in sorted(expression.free_symbols, key=str) if s.name in along.values()]
        if len(squares) == graph.graph["dimension"] > 1 and len(stems) == 1 and "" not in stems:
            length = sp.Symbol(f"|\N{NABLA}{greek(stems.pop())}|", nonnegative=True)
            expression = expression.replace(
                lambda e: e.is_Add, lambda e, of=squares, by=length**2: _gathered(e, of, by)
            )
    return expression


def _gathered(terms: sp.Add, squares: Sequence[sp.Expr], length: sp.Expr) -> sp.Expr:
    """c p^2 + c q^2 + rest as c |p, q|^2 + rest."""
    factors = {terms.coeff(square) for square in squares}
    factor = factors.pop()
    if factors or factor == 0:
        return terms
    rest = [t for t in terms.args if not any(t == sp.expand(factor * square) for square in squares)]
    whole = len(rest) + len(squares) == len(terms.args)
    return sp.Add(factor * length, *rest) if whole else terms


def _weight_lines(graph: Graph, name: str, node: Pointwise) -> Iterator[str]:
    """The values, over all blocks, of what differs from block to block."""
    passes = passes_of(graph, name)
    for symbol, _ in node.weights:
        yield f"{formula(symbol)} = {series([weights[symbol] for weights in passes])}"


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
    """u + tau * rate, in d = -K^T Phi(K u) instead of K^T Phi(K u); v and w are the variables of loops."""
    inputs = sources(graph, name)
    shown = {}
    state = None
    for symbol in (s for s in expression.free_symbols if s.name in inputs):
        producer = inputs[symbol.name][0]
        while isinstance(node_of(graph, producer), Crop):
            producer = sources(graph, producer)["u"][0]
        node = node_of(graph, producer)
        if isinstance(node, TransposedConvolution | TransposedFilter):
            shown[symbol] = -sp.Symbol(adjoint_symbol(graph, producer), real=True)
        elif isinstance(node, State | Trial) and not is_carried(graph, producer):
            shown[symbol] = sp.Symbol(VARIABLE[type(node)], real=True)
        elif symbol.name == state_name(graph):
            state = symbol
    expression = expression.xreplace(shown)
    rate = sp.S.Zero if state is None else (expression - state) / TAU
    if rate.is_Add and TAU not in rate.free_symbols:
        return f"{formula(state)} + {formula(TAU)}·({formula(rate)})"
    return _sum(expression)


def _sum(expression: sp.Expr) -> str:
    """States first, what is subtracted last, tau in front of products."""
    terms = [
        (t.could_extract_minus_sign(), not t.is_Symbol, formula(t), t) for t in sp.Add.make_args(expression)
    ]
    text = ""
    for minus, _, _, term in sorted(terms, key=lambda t: t[:3]):
        term = -term if minus else term
        rest = term / TAU
        front = term.is_Mul and TAU in term.args and rest != 1 and not rest.is_Add
        sign = (f" {MINUS} " if text else MINUS) if minus else " + " if text else ""
        text += sign + (f"{formula(TAU)}·{formula(rest)}" if front else formula(term))
    return text
