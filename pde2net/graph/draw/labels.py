"""What each node of a graph says about itself, for pictures and for the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.graph.draw.banks import along, axis_name, filters
from pde2net.graph.draw.formulas import MINUS, formula, greek, series, short_number
from pde2net.graph.network import Graph, body, channel_name, is_carried, loops, node_of, passes_of, sources
from pde2net.graph.nodes import (
    Channel,
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Field,
    Filter,
    Gaussian,
    Input,
    Iterate,
    LinearSolve,
    Operator,
    Output,
    Pad,
    Pointwise,
    Spline,
    State,
    TransposedConvolution,
    TransposedFilter,
    Trial,
    Tridiagonal,
    VCycle,
)
from pde2net.normalise.radial import divide
from pde2net.scheme.stack import TAU

# The letters of the variables of loops, and what they start from.
VARIABLE = {State: "v", Trial: "w"}
START = {State: "u", Trial: "0"}
# What gives its inputs names of its own.
NAMING = Pointwise | Iterate | LinearSolve | Tridiagonal
# role -> heading, of nodes with one expression in states, rates and adjoints
PLAIN = {
    "skip": "skip connection",
    "step": "explicit step",
    "rate": "rate",
    "right-hand side": "right-hand side",
    "residual": "residual",
    "product": "product",
}


@dataclass(frozen=True)
class Label:
    """A heading and lines of formulas below it."""

    heading: str
    lines: tuple[str, ...] = ()


def weights(graph: Graph) -> str:
    """Whose the weights of what is repeated are."""
    return "shared weights" if graph.graph.get("shared", True) else "weights of their own"


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
        return Label(f"convolution {short(name)}", filters(graph, name, node.bank))
    if isinstance(node, TransposedConvolution):
        operator = f"{MINUS}{_forward_name(graph, name, node.bank)}ᵀ"
        flux = f"Φ{_number(sources(graph, name)['p0'][0])}"
        return Label(
            f"transposed convolution {operator}", (f"{_adjoint_symbol(graph, name)} = {operator} {flux}",)
        )
    if isinstance(node, Filter | TransposedFilter):
        return _filter(graph, name, node)
    if isinstance(node, Spline):
        return _spline(graph, name, node)
    if isinstance(node, Channel):
        return Label(f"channel {greek(channel_name(name))}")
    if isinstance(node, Gaussian):
        of = _names(graph, *sources(graph, name)["u"])[0]
        line = f"{_names(graph, name, 0)[0]} = {of} smoothed, sigma = {formula(node.sigma)}"
        return Label(node.role, (line,))
    if isinstance(node, EdgeMean):
        of = short(sources(graph, name)["a"][0])
        mean = f"mean of {greek(of)} {along(graph, node.axis)}"
        return Label("edge mean", (f"{' = '.join(_names(graph, name, 0))} = {mean}",))
    if isinstance(node, Pointwise):
        return _pointwise(graph, name, node)
    if isinstance(node, State | Trial):
        return Label(VARIABLE[type(node)], (f"{node.role}, from {_start(graph, name)} on",))
    if isinstance(node, Iterate):
        return Label("result", ("v of the last iteration",))
    if isinstance(node, LinearSolve):
        last = "w of the last iteration" + (", combined with v" if node.method == "cg" else "")
        return Label("linear solve", (f"{_names(graph, name, 0)[0]} = {last}",))
    if isinstance(node, Tridiagonal):
        return _tridiagonal(graph, name, node)
    if isinstance(node, Operator):
        return Label("operator N on all grids", ("product, with what is frozen at v",))
    if isinstance(node, VCycle):
        return Label("multigrid cycle", ("z with N z \N{ALMOST EQUAL TO} w",))
    if isinstance(node, Output):
        return Label(greek(_state(graph)), (node.role,))
    return Label(node.role)


def _filter(graph: Graph, name: str, node: Filter | TransposedFilter) -> Label:
    size = " x ".join([str(node.kernel_size)] * graph.graph["dimension"])
    bank = f"{node.out_channels} learned filters of {size} cells"
    if isinstance(node, Filter):
        kinds = sorted(set(node.boundary))
        where = kinds[0] if len(kinds) == 1 else ", ".join(node.boundary)
        of = _response(graph, sources(graph, name)["u"])
        kept = ["each even or odd along each axis"] if node.parity else []
        kept += ["of mean 0"] if node.zero_mean else []
        kept += [f"on averages over {node.scale} cells per axis"] if node.scale != 1 else []
        lines = (f"{greek(_names(graph, name, 0)[0])} = {node.operator} {of}", bank, f"{where} border", *kept)
        return Label(f"filter {node.operator}", lines)
    producer, _ = sources(graph, name)["p"]
    inner = isinstance(node_of(graph, producer), TransposedFilter)
    flux = _adjoint_symbol(graph, producer) if inner else f"Φ{_number(producer)}"
    own = f"{'' if inner else MINUS}{node.operator}ᵀ"
    line = f"{_adjoint_symbol(graph, name)} = {own} {flux}"
    return Label(f"transposed filter {own}", (line, "the same weights"))


def _response(graph: Graph, source: tuple[str, int]) -> str:
    """What a filter is applied to: the state, or the response of another one."""
    inner = isinstance(node_of(graph, source[0]), Filter)
    return greek(_names(graph, *source)[0]) if inner else _state(graph)


def _spline(graph: Graph, name: str, node: Spline) -> Label:
    of = greek(_names(graph, *sources(graph, name)["q"])[0])
    shape = f"{2 * node.pieces + 1} knots up to {formula(node.width * node.pieces)}"
    own = f", {node.rows} of them" if node.rows > 1 else ""
    bounds = f"slopes in [{formula(node.lower)}, {formula(node.upper)}]"
    value = f"{greek(node.name)}({of}){f'/{of}' if node.quotient else ''}"
    return Label(
        f"spline {greek(node.name)}", (f"{greek(_names(graph, name, 0)[0])} = {value}", shape + own, bounds)
    )


def _start(graph: Graph, name: str) -> str:
    """Where the variable of a loop starts."""
    node = node_of(graph, name)
    loop = graph.nodes[name]["loop"]
    if isinstance(node, Trial) and loop is not None and "start" in sources(graph, loop):
        return "v"
    return START[type(node)]


def short(name: str) -> str:
    """The name within its block."""
    return name.rpartition(".")[2]


def iteration(node: Iterate | LinearSolve) -> str:
    """What a loop does."""
    if isinstance(node, LinearSolve):
        preconditioner = "" if node.preconditioner == "none" else f", preconditioner: {node.preconditioner}"
        return {"cg": "conjugate gradients", "bicgstab": "BiCGSTAB"}.get(
            node.method, node.method
        ) + preconditioner
    anderson = f", Anderson acceleration of depth {node.anderson}" if node.anderson else ""
    return f"{node.method.replace('Kacanov', 'Kačanov')} iteration{anderson}"


def condition(graph: Graph, name: str) -> str:
    """When a loop ends."""
    node = node_of(graph, name)
    if isinstance(node, Iterate) and node.iterations:
        return f"{node.iterations} time{'s' if node.iterations > 1 else ''}"
    if not isinstance(node, Iterate | LinearSolve):
        raise TypeError(f"{name} is no loop")
    size = "‖first residual‖" if isinstance(node, Iterate) and "rhs" not in sources(graph, name) else "‖rhs‖"
    residual = "‖residual‖" if isinstance(node, Iterate) else f"‖product {MINUS} rhs‖"
    return f"until {residual} ≤ {short_number(node.tol)}·{size}, at most {node.most} times"


def _tridiagonal(graph: Graph, name: str, node: Tridiagonal) -> Label:
    fed = sources(graph, name)
    d, m, g = (sp.Symbol(k) if k in fed else getattr(node, k) for k in ("d", "m", "g"))
    factor = formula(node.scale * m)
    factor = f"({factor})·" if (node.scale * m).is_Add else "" if factor == "1" else f"{factor}·"
    operator = "DᵀD" if g == 1 else f"Dᵀ {formula(g)} D"
    own = _names(graph, name, 0)[0]
    line = f"({formula(d)} + {factor}{operator}) {own} = rhs"
    return Label(f"tridiagonal solve {along(graph, node.axis)}", (line,))


def _names(graph: Graph, name: str, port: int) -> list[str]:
    """What the consumers of an output call it; the name of the node where they give it none of their own."""
    slots = [
        data["slot"]
        for _, consumer, data in graph.out_edges(name, data=True)
        if data["port"] == port and isinstance(node_of(graph, consumer), NAMING)
    ]
    own = {slot.strip("_") for slot in sources(graph, name)}
    shown = [f"new {s}" if s.strip("_") in own else "next v" if s == "next" else greek(s) for s in slots]
    return list(dict.fromkeys(shown)) or [greek(short(name))]


def _pointwise(graph: Graph, name: str, node: Pointwise) -> Label:
    if node.role in PLAIN:
        left = "" if node.role == "skip" else f"{' = '.join(_names(graph, name, 0))} = "
        lines = [f"{left}{_update(graph, name, node.expressions[0])}"]
        in_loop = node.role == "step" and graph.nodes[name]["loop"] not in loops(graph)
        return Label("update" if in_loop else PLAIN[node.role], (*lines, *_weight_lines(graph, name, node)))
    if node.role not in ("activation", "tangent"):
        lines = [
            f"{' = '.join(_names(graph, name, port))} = {formula(e)}"
            for port, e in enumerate(node.expressions)
        ]
        return Label(node.role, tuple(lines))
    own = f"Φ{_number(name)}"
    heading = f"{node.role} {own}"
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
    rows = [f"{own}_{axis_name(graph, i)} = {formula(e)}" for i, e in enumerate(node.expressions)]
    return Label(heading, tuple(rows))


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
            shown[symbol] = -sp.Symbol(_adjoint_symbol(graph, producer), real=True)
        elif isinstance(node, State | Trial) and not is_carried(graph, producer):
            shown[symbol] = sp.Symbol(VARIABLE[type(node)], real=True)
        elif symbol.name == _state(graph):
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


def _adjoint_symbol(graph: Graph, name: str) -> str:
    node = node_of(graph, name)
    if isinstance(node, TransposedFilter):
        inner = any(isinstance(node_of(graph, n), TransposedFilter) for n in graph.predecessors(name))
        return f"d_{node.operator}{'_' + short(name).split('_of_')[1].split('_')[0] if inner else ''}"
    return f"d{_number(name)}"


def _number(name: str) -> str:
    """The number of the term that a node such as flux2 or K2T belongs to; empty if there is one term."""
    return re.sub(r"\D", "", short(name))


def _forward_name(graph: Graph, name: str, bank: Bank) -> str:
    """The convolution of the same block whose adjoint `name` is."""
    for rows in (body(graph, loop) for loop in reversed(loops(graph))):
        if name in rows:
            return next((short(n) for n in rows if node_of(graph, n) == Convolution(bank)), "K")
    return "K"


def _state(graph: Graph) -> str:
    found = (d["node"].symbol.name for _, d in graph.nodes(data=True) if isinstance(d["node"], Input))
    return next(found, "u")


def _cells(margin: tuple[int, ...]) -> str:
    """How many cells on both sides of each axis, e.g. "2 cells" or "(2, 0) cells"."""
    if len(set(margin)) == 1:
        return f"{margin[0]} cells"
    return f"({', '.join(map(str, margin))}) cells"
