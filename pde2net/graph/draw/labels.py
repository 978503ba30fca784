"""What each node of a graph says about itself, for pictures and for the terminal."""

from __future__ import annotations

import sympy as sp

from pde2net.graph.draw.banks import along, filters
from pde2net.graph.draw.formulas import MINUS, formula, greek, short_number
from pde2net.graph.draw.names import (
    VARIABLE,
    Label,
    adjoint_symbol,
    forward_name,
    names_of,
    of_term,
    response,
    short,
    state_name,
)
from pde2net.graph.draw.pointwise import pointwise
from pde2net.graph.network import Graph, node_of, sources
from pde2net.graph.nodes import (
    Channel,
    Channels,
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
    SquaredAdjoint,
    State,
    TransposedConvolution,
    TransposedFilter,
    Trial,
    Tridiagonal,
    VCycle,
)

SIGMA = greek("sigma")
# What the variables of loops start from.
START = {State: "u", Trial: "0"}


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
        return Label(f"convolution {greek(short(name))}", filters(graph, name, node.bank))
    if isinstance(node, TransposedConvolution):
        operator = f"{MINUS}{forward_name(graph, name, node.bank)}ᵀ"
        flux = f"Φ{of_term(graph, sources(graph, name)['p0'][0])}"
        return Label(
            f"transposed convolution {operator}", (f"{adjoint_symbol(graph, name)} = {operator} {flux}",)
        )
    if isinstance(node, Filter | TransposedFilter):
        return _filter(graph, name, node)
    if isinstance(node, Spline):
        return _spline(graph, name, node)
    if isinstance(node, Channel):
        of = names_of(graph, *sources(graph, name)["u"])[0]
        return Label(f"channel {names_of(graph, name, 0)[0]}", (f"number {node.index + 1} of {of}",))
    if isinstance(node, Channels):
        parts = [names_of(graph, *source)[0] for source in sources(graph, name).values()]
        return Label(node.role, (f"{names_of(graph, name, 0)[0]} = ({', '.join(parts)})",))
    if isinstance(node, SquaredAdjoint):
        return Label(node.role, (f"{names_of(graph, name, 0)[0]} = diag(Kᵀ G K)",))
    if isinstance(node, Gaussian):
        of = names_of(graph, *sources(graph, name)["u"])[0]
        line = f"{names_of(graph, name, 0)[0]} = {of} smoothed, {greek('sigma')} = {formula(node.sigma)}"
        return Label(node.role, (line,))
    if isinstance(node, EdgeMean):
        of = names_of(graph, *sources(graph, name)["a"])[0]
        mean = f"mean of {of} {along(graph, node.axis)}"
        return Label("edge mean", (f"{' = '.join(names_of(graph, name, 0))} = {mean}",))
    if isinstance(node, Pointwise):
        return pointwise(graph, name, node)
    if isinstance(node, State | Trial):
        return Label(VARIABLE[type(node)], (f"{node.role}, from {_start(graph, name)} on",))
    if isinstance(node, Iterate):
        return Label("result", ("v of the last iteration",))
    if isinstance(node, LinearSolve):
        last = "w of the last iteration" + (", combined with v" if node.method == "cg" else "")
        return Label("linear solve", (f"{names_of(graph, name, 0)[0]} = {last}",))
    if isinstance(node, Tridiagonal):
        return _tridiagonal(graph, name, node)
    if isinstance(node, Operator):
        return Label("operator N on all grids", ("product, with what is frozen at v",))
    if isinstance(node, VCycle):
        return Label("multigrid cycle", ("z with N z \N{ALMOST EQUAL TO} w",))
    if isinstance(node, Output):
        return Label(greek(state_name(graph)), (node.role,))
    return Label(node.role)


def _filter(graph: Graph, name: str, node: Filter | TransposedFilter) -> Label:
    size = " x ".join([str(node.kernel_size)] * graph.graph["dimension"])
    bank = f"{node.out_channels} learned filters of {size} cells"
    if isinstance(node, Filter):
        kinds = sorted(set(node.boundary))
        where = kinds[0] if len(kinds) == 1 else ", ".join(node.boundary)
        of = response(graph, sources(graph, name)["u"])
        kept = ["each even or odd along each axis"] if node.parity else []
        kept += ["of mean 0"] if node.zero_mean else []
        kept += [f"on averages over {node.scale} cells per axis"] if node.scale != 1 else []
        lines = (
            f"{greek(names_of(graph, name, 0)[0])} = {node.operator} {of}",
            bank,
            f"{where} border",
            *kept,
        )
        return Label(f"filter {node.operator}", lines)
    producer, _ = sources(graph, name)["p"]
    inner = isinstance(node_of(graph, producer), TransposedFilter)
    flux = adjoint_symbol(graph, producer) if inner else f"Φ{of_term(graph, producer)}"
    own = f"{'' if inner else MINUS}{node.operator}ᵀ"
    line = f"{adjoint_symbol(graph, name)} = {own} {flux}"
    return Label(f"transposed filter {own}", (line, "the same weights"))


def _spline(graph: Graph, name: str, node: Spline) -> Label:
    of = greek(names_of(graph, *sources(graph, name)["q"])[0])
    shape = f"{2 * node.pieces + 1} knots up to {formula(node.width * node.pieces)}"
    own = f", {node.rows} of them" if node.rows > 1 else ""
    bounds = f"slopes in [{formula(node.lower)}, {formula(node.upper)}]"
    value = f"{greek(node.name)}({of}){f'/{of}' if node.quotient else ''}"
    return Label(
        f"spline {greek(node.name)}", (f"{greek(names_of(graph, name, 0)[0])} = {value}", shape + own, bounds)
    )


def _start(graph: Graph, name: str) -> str:
    """Where the variable of a loop starts."""
    node = node_of(graph, name)
    loop = graph.nodes[name]["loop"]
    if isinstance(node, Trial) and loop is not None and "start" in sources(graph, loop):
        return "v"
    return START[type(node)]


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
    own = names_of(graph, name, 0)[0]
    line = f"({formula(d)} + {factor}{operator}) {own} = rhs"
    return Label(f"tridiagonal solve {along(graph, node.axis)}", (line,))


def _cells(margin: tuple[int, ...]) -> str:
    """How many cells on both sides of each axis, e.g. "2 cells" or "(2, 0) cells"."""
    if len(set(margin)) == 1:
        return f"{margin[0]} cells"
    return f"({', '.join(map(str, margin))}) cells"
