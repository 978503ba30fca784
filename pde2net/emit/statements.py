"""One or a few statements per graph node."""

from __future__ import annotations

import itertools

import sympy as sp

from pde2net.emit.filters import ADJOINT, RESPOND
from pde2net.emit.guards import AtLeast, guarded
from pde2net.emit.operators import mean_name
from pde2net.emit.smoothing import gaussian_name
from pde2net.emit.squares import squares_statement
from pde2net.emit.torch_expressions import TorchPrinter, number
from pde2net.emit.values import Printer, Values
from pde2net.graph.network import Graph, channel_name, fields_of, node_of, sources
from pde2net.graph.nodes import (
    CHANNEL_SUM,
    Channel,
    Channels,
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Filter,
    Gaussian,
    LinearSolve,
    Operator,
    Pad,
    Pointwise,
    SquaredAdjoint,
    TransposedConvolution,
    TransposedFilter,
    Tridiagonal,
)
from pde2net.graph.overflow import accurate

UPDATES = ("step", "skip", "rate", "residual", "right-hand side", "product")


def statements(name: str, values: Values, printer: Printer) -> list[str]:
    """The statements that compute node `name`; its outputs are bound in `values`."""
    node = node_of(values.graph, name)
    local = name.rpartition(".")[2]
    if isinstance(node, Operator):
        return [_cycle(name, values)]
    inputs = values.inputs(name)
    if isinstance(node, Convolution):
        (array,) = inputs.values()
        outputs = [values.fresh(o) for o in _output_names(values, name, local, len(node.bank.operations))]
        values.bind(name, *outputs)
        left = ", ".join(outputs) if len(outputs) > 1 else f"({outputs[0]},)"
        return [f"{left} = {values.banks[node.bank]}.of({array})"]
    if isinstance(node, TransposedConvolution):
        variable = values.fresh(f"{local}_flux")
        values.bind(name, variable)
        return [f"{variable} = {values.banks[node.bank]}Adjoint.of({', '.join(inputs.values())})"]
    if isinstance(node, Filter):
        (array,) = inputs.values()
        (output,) = _output_names(values, name, local, 1)
        variable = values.fresh(output)
        values.bind(name, variable)
        return [f"{variable} = {RESPOND}({values.filters[node.operator]}, {array})"]
    if isinstance(node, TransposedFilter):
        variable = values.fresh(f"{node.operator}T_flux")
        values.bind(name, variable)
        return [f"{variable} = {ADJOINT}({values.filters[node.operator]}, {inputs['p']})"]
    if isinstance(node, Pointwise):
        return _pointwise(name, local, node, values, printer)
    if isinstance(node, Gaussian):
        return gaussian_statements(name, node, values, printer)
    if isinstance(node, LinearSolve):
        return _krylov(name, local, node, inputs, values)
    if isinstance(node, Tridiagonal):
        return _tridiagonal(name, local, node, inputs, values, printer)
    if isinstance(node, SquaredAdjoint):
        return [squares_statement(name, local, node, values, printer)]
    variable = values.fresh(channel_name(name) if isinstance(node, Channel) else local)
    if isinstance(node, Channel):
        text = f"{inputs['u']}[:, {node.index}:{node.index + 1}]"
    elif isinstance(node, Channels):
        text = f"torch.cat(({', '.join(inputs[f'c{i}'] for i in range(node.count))}), 1)"
    elif isinstance(node, Coordinate):
        text = _coordinate(name, node, values)
    elif isinstance(node, EdgeMean):
        dim = node.axis - len(values.axes)
        text = f"{mean_name(node.closure)}({inputs['a']}, {dim})"
    elif isinstance(node, Pad | Crop):
        sides = [str(w) for w in reversed(node.margin) for _ in range(2)]
        if isinstance(node, Crop):
            sides = [s if s == "0" else f"-{s}" for s in sides]
        mode = ', mode="replicate"' if isinstance(node, Pad) and node.mode == "replicate" else ""
        text = f"F.pad({inputs['u']}, ({', '.join(sides)}){mode})"
    else:
        raise TypeError(f"no statement for {type(node).__name__}")
    values.bind(name, variable)
    return [f"{variable} = {text}"]


def _cycle(name: str, values: Values) -> str:
    """The preconditioner that a linear operator on all grids makes."""
    variable = values.fresh("cycle")
    values.bind(name, variable)
    state = values.bound[sources(values.graph, name)["state"]]
    known = [values.bound[node, 0] for node in fields_of(values.graph, name)]
    known += values.captured.get(name, [])
    return f"{variable} = MultigridCycle({', '.join(['self.operator', state, *known])})"


def _krylov(name: str, local: str, node: LinearSolve, inputs: dict[str, str], values: Values) -> list[str]:
    """A linear system by conjugate gradients or by BiCGStab, preconditioned or not."""
    variable, rhs = values.fresh(local), inputs["rhs"]
    values.bind(name, variable)
    captured = ", ".join(["", *values.captured[name]])
    product = f"lambda trial: self.product(trial{captured})" if values.captured[name] else "self.product"
    preconditioner = []
    if node.preconditioner == "diagonal":
        preconditioner.append(f"lambda r: r / {inputs['diagonal']}")
    elif node.preconditioner == "multigrid":
        cycle, _ = sources(values.graph, name)["preconditioner"]
        preconditioner.append(values.bound[sources(values.graph, cycle)["operator"]])
    v = inputs.get("start", f"torch.zeros_like({rhs})")
    limits = ["self.linear_tol", "self.linear_iterations", *preconditioner]
    method = "bicgstab" if node.method == "bicgstab" else "nearest_by_conjugate_gradients"
    return [f"{variable} = linear_solution({', '.join([method, product, rhs, v, *limits])})"]


def _tridiagonal(
    name: str, local: str, node: Tridiagonal, inputs: dict[str, str], values: Values, printer: Printer
) -> list[str]:
    """The weights of the edges beside each cell, and the solution of the system that they make."""
    variable = values.fresh(local)
    values.bind(name, variable)
    names = {slot: inputs[slot] for slot in ("g", "d", "m") if slot in inputs}
    symbols = {slot: sp.Symbol(f"_{slot}", real=True) for slot in names}
    entries = {slot: symbols.get(slot, getattr(node, slot)) for slot in ("g", "d", "m")}
    left, right = sp.symbols("_left _right", real=True)
    bound = {f"_{slot}": text for slot, text in names.items()} | {"_left": "left", "_right": "right"}
    printed, rhs, dim = printer(bound), inputs["rhs"], node.axis - len(values.axes)
    g = names.get("g") or _filled(entries["g"], rhs, printed)
    if node.closure == "dirichlet":
        edges = f"edge_weights_padded({g}, {dim}, {node.margin})" if "g" in names else f"({g},) * 2"
    else:
        edges = f"edge_weights{'_periodic' if node.closure == 'periodic' else ''}({g}, {dim})"
    factor = node.scale * entries["m"]
    rows = [-factor * left, entries["d"] + factor * (left + right), -factor * right]
    solve = "solve_cyclic" if node.closure == "periodic" else "solve_tridiagonal"
    lower, middle, upper = map(printed.doprint, rows)
    return [
        f"left, right = {edges}",
        f"{variable} = {solve}({lower}, {middle}, {upper}, {rhs}, {dim})",
    ]


def _filled(constant: sp.Expr, like: str, printer: TorchPrinter) -> str:
    """An array of one value, which may be a tensor that is trained."""
    if {s.name for s in constant.free_symbols} & printer.trained:
        return f"{printer.parenthesize(constant, 50)} * torch.ones_like({like})"
    return f"torch.full_like({like}, {printer.doprint(constant)})"


def _output_names(values: Values, name: str, local: str, count: int) -> list[str]:
    """The names under which consumers know the outputs of a convolution."""
    names = [f"{local}_{i}" for i in range(count)]
    for _, consumer, data in values.graph.out_edges(name, data=True):
        if isinstance(node_of(values.graph, consumer), Pointwise):
            names[data["port"]] = data["slot"]
    return [f"{n}_cell" for n in names] if local == "K_cell" else names


def _coordinate(name: str, node: Coordinate, values: Values) -> str:
    margin = node.margin[node.axis]
    size = f"u.shape[{node.axis + 2}]"
    stop = f"{size} + {margin}" if margin else size
    start = f"{-margin}, " if margin else ""
    text = f"torch.arange({start}{stop}, dtype=u.dtype, device=u.device)"
    h, origin = values.value(node.spacing), values.value(node.origin)
    if h != 1:
        text = f"{number(h)} * {text}"
    if origin != 0:
        text = f"{number(origin)} + {text}"
    after = len(values.axes) - 1 - node.axis
    whole = len(values.axes) > 1 and _needed_everywhere(name, values.graph)
    if after or whole:
        text = f"({text}).view({'1, ' * node.axis if whole else ''}-1{', 1' * after})"
    if not whole:
        return text
    sizes = [f"u.shape[{i + 2}]" + (f" + {2 * m}" if m else "") for i, m in enumerate(node.margin)]
    return f"{text}.expand({', '.join(sizes)})"


def _needed_everywhere(name: str, graph: Graph) -> bool:
    """Whether something that looks at neighbours takes what is computed from coordinates alone."""
    for consumer in graph.successors(name):
        if not isinstance(node_of(graph, consumer), Pointwise):
            return True
        if _of_coordinates(consumer, graph) and _needed_everywhere(consumer, graph):
            return True
    return False


def _of_coordinates(name: str, graph: Graph) -> bool:
    node = node_of(graph, name)
    if isinstance(node, Pointwise):
        return all(_of_coordinates(producer, graph) for producer in graph.predecessors(name))
    return isinstance(node, Coordinate)


def _pointwise(name: str, local: str, node: Pointwise, values: Values, printer: Printer) -> list[str]:
    inputs = values.inputs(name)
    if node.role in UPDATES:
        return _update(name, node, values, printer)
    if node.role == CHANNEL_SUM:
        return [_channel_sum(name, local, node, values, printer)]
    slots = {s for e in node.expressions for s in e.free_symbols if s.name in inputs}
    lines, expressions, names = _shared(node.expressions, slots, inputs, values, printer)
    outputs = []
    for i, expression in enumerate(expressions):
        if expression.is_Symbol and expression.name in names:
            outputs.append(names[expression.name])
            continue
        axis = f"_{_suffixes(values.axes, len(expressions), local)[i]}"
        variable = values.fresh(local if len(expressions) == 1 else local + axis)
        values.bind(name, *outputs, variable)
        clamped, expression = _clamped(expression, names, values, printer)
        lines += [*clamped, f"{variable} = {printer(names).doprint(expression)}"]
        outputs.append(variable)
    values.bind(name, *outputs)
    return lines


def gaussian_statements(
    name: str, node: Gaussian, values: Values, printer: Printer, scale: str = ""
) -> list[str]:
    """Smoothing along one axis after the other; `scale` follows sigma, with the axis in its place."""
    array, variable = values.inputs(name)["u"], values.fresh(name.rpartition(".")[2])
    values.bind(name, variable)
    lines = []
    for axis, (h, boundary) in enumerate(zip(node.spacing, node.boundary, strict=True)):
        width = node.sigma / values.value(h)
        sigma = (
            f"{printer({}).parenthesize(width, 50)}{scale.format(axis)}"
            if scale
            else printer({}).doprint(width)
        )
        lines.append(f"{variable} = {gaussian_name(boundary)}({array}, {sigma}, {axis - len(values.axes)})")
        array = variable
    return lines


def _suffixes(axes: tuple[str, ...], count: int, local: str) -> list[str]:
    """x, y for as many outputs as axes; xx, xy, yy for those of a diffusion tensor D; else numbers."""
    pairs = [a + b for a, b in itertools.combinations_with_replacement(axes, 2)]
    if count == len(axes):
        return list(axes)
    return pairs if count == len(pairs) and local.startswith("D") else [str(i) for i in range(count)]


def _channel_sum(name: str, local: str, node: Pointwise, values: Values, printer: Printer) -> str:
    (expression,) = node.expressions
    printed = printer(values.inputs(name))
    variable = values.fresh(local)
    values.bind(name, variable)
    text = printed.doprint(expression)
    return f"{variable} = {text if expression.is_Pow else f'({text})'}.sum(1, keepdim=True)"


def _shared(
    expressions: tuple[sp.Expr, ...],
    slots: set[sp.Symbol],
    inputs: dict[str, str],
    values: Values,
    printer: Printer,
) -> tuple[list[str], list[sp.Expr], dict[str, str]]:
    """Statements for common subexpressions: s2 = |p|², then whatever occurs more than once."""
    names, lines = dict(inputs), []
    found = list(expressions)
    squared = {p.base for e in found for p in e.atoms(sp.Pow) if p.exp == 2 and p.base in slots}
    slopes = sorted(squared, key=lambda s: s.name)
    square = sp.Add(*(s**2 for s in slopes))
    branched = any(e.has(sp.Piecewise) for e in found)
    if slopes and (len(slopes) > 1 or branched) and any(e.has(square) for e in found):
        s2 = sp.Symbol("s2", nonnegative=True)
        names["s2"] = values.fresh("s2")
        lines.append(f"{names['s2']} = {' + '.join(f'{names[s.name]}.square()' for s in slopes)}")
        found = [e.subs(square, s2) for e in found]
    found = [guarded(accurate(e), names.keys()) for e in found]
    fresh = (sp.Symbol(f"g{k if k > 1 else ''}", real=True) for k in itertools.count(1))
    common, reduced = sp.cse(found, symbols=fresh, order="none")
    inlined: dict[sp.Symbol, sp.Expr] = {}
    for symbol, found_expression in common:
        expression = found_expression.xreplace(inlined)
        if not any(s.name in names for s in expression.free_symbols):
            # A function of parameters alone is read more easily where it is used.
            inlined[symbol] = expression
            continue
        clamped, expression = _clamped(expression, names, values, printer)
        text = printer(names).doprint(expression)
        names[symbol.name] = values.fresh(symbol.name)
        lines += clamped
        lines.append(f"{names[symbol.name]} = {text}")
    return lines, [e.xreplace(inlined) for e in reduced], names


def _clamped(
    expression: sp.Expr, names: dict[str, str], values: Values, printer: Printer
) -> tuple[list[str], sp.Expr]:
    """Statements for the arguments of decays, and the expression that contains their variables."""
    lines, found = [], sorted(expression.atoms(AtLeast), key=str)
    if found:
        lines.append("# exp is 0 where its argument is clamped, so that no power underflows.")
    for part in found:
        name = values.namer.identifier("ratio", [*values.bound.values(), *names.values()])
        lines.append(f"{name} = {printer(names).doprint(part)}")
        names[name] = name
        expression = expression.xreplace({part: sp.Symbol(name, positive=True)})
    return lines, expression


def _update(name: str, node: Pointwise, values: Values, printer: Printer) -> list[str]:
    """The update of a block: a variable for its explicit step, the value returned for its skip."""
    inputs = values.inputs(name)
    expression = guarded(accurate(node.expressions[0]), inputs.keys())
    printed = printer({**inputs, **values.weights})
    states = [s for s in expression.free_symbols if inputs.get(s.name) == "u"]
    rate = (expression - states[0]) / values.factor if states else sp.S.Zero
    if node.role != "rate" and states and not node_weights(rate, values):
        text = _residual(rate, values.factor, printed)
    else:
        text = printed.doprint(expression)
    if node.role == "skip":
        return [f"return {text}"]
    variable = values.fresh(node.role if node.role in ("step", "rate") else name.rpartition(".")[2])
    values.bind(name, variable)
    return [f"{variable} = {text}"]


def node_weights(rate: sp.Expr, values: Values) -> bool:
    """Whether a rate still contains weights of its stage: then the update is no residual step."""
    return any(s.name in values.weights for s in rate.free_symbols)


def _residual(rate: sp.Expr, factor: sp.Expr, printer: TorchPrinter) -> str:
    """u + factor * rate, with a negative rate subtracted."""
    sign = "+"
    if all(term.could_extract_minus_sign() for term in sp.Add.make_args(rate)):
        sign, rate = "-", -rate
    below = sp.denom(sp.together(factor))
    text = printer.parenthesize(rate, 50)
    if below != 1 and sp.numer(sp.together(factor)) == 1:
        return f"u {sign} {text} / {printer.parenthesize(below, 51)}"
    return f"u {sign} {printer.doprint(factor)} * {text}"


def returned(body: list[str]) -> list[str]:
    """`x = ...; return x` in one statement."""
    if len(body) > 1 and body[-1].startswith("return "):
        variable = body[-1].removeprefix("return ")
        if body[-2].startswith(f"{variable} = "):
            return [*body[:-2], "return " + body[-2].removeprefix(f"{variable} = ")]
    return body
