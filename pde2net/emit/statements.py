"""Prints the operations of a function, one or a few statements each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.emit.filters import has_odd, suffix
from pde2net.emit.operators import mean_name
from pde2net.emit.smoothing import gaussian_name
from pde2net.emit.squares import squares_name
from pde2net.emit.torch_expressions import TorchPrinter, number
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
    Spline,
    SquaredAdjoint,
    TransposedConvolution,
    TransposedFilter,
    Tridiagonal,
)
from pde2net.language.borders import BORDERS
from pde2net.program.guard import AtLeast
from pde2net.program.records import Activation, Function, Let, Line, OnGrid, Op, Squares, Stored
from pde2net.program.slice import UPDATES
from pde2net.scheme.stack import TAU

Printer = Callable[[Mapping[str, str]], TorchPrinter]
Statement = tuple[Sequence[str], str]  # statements before, and an expression
_CLAMPED = "# exp is 0 where its argument is clamped, so that no power underflows."


@dataclass(frozen=True)
class Scope:
    """What the statements of a method refer to.

    channels  of the image
    value     the number of a constant
    weights   variables of weights that differ from block to block
    factor    c of the step u + c F(u)
    filters   variables of the weights of learned operators
    time      the time as what methods are handed
    """

    axes: Sequence[str]
    channels: int
    banks: Mapping[Bank, str]
    value: Callable[[sp.Expr], sp.Expr]
    printer: Printer
    weights: Mapping[str, str] = field(default_factory=dict)
    factor: sp.Expr = TAU
    filters: Mapping[str, str] = field(default_factory=dict)
    time: Sequence[str] = ()
    activated: Mapping[Activation, str] = field(default_factory=dict)

    def dim(self, axis: int) -> int:
        """The dimension of an axis, counted from the last one."""
        return axis - len(self.axes)


def statements(function: Function, scope: Scope) -> list[str]:
    """Those that compute the body of a function, which has identifiers."""
    return [line for let in noted(function) for line in _assignment(*let, scope)]


def returning(function: Function, scope: Scope) -> list[str]:
    """The same, and what the function returns."""
    lets = list(noted(function))
    if not lets or lets[-1][0].outputs != function.results or _gives_tuple(lets[-1][0]):
        return [*statements(function, scope), f"return {', '.join(function.results)}"]
    *first, (last, note) = lets
    before, text = _printed(last, scope)
    return [*(line for let in first for line in _assignment(*let, scope)), *note, *before, f"return {text}"]


def noted(function: Function) -> Iterator[tuple[Let, list[str]]]:
    """The operations of a function, and what is said of them."""
    clamped = False
    for let in _without_numbers(function.body):
        said, clamped = clamped, isinstance(let.op, Pointwise) and let.op.expressions[0].func == AtLeast
        yield let, [_CLAMPED] if clamped and not said else []


def _without_numbers(body: Sequence[Let]) -> Iterator[Let]:
    """Fluxes that are 0 along an axis are arrays, which K^T takes, and no numbers."""
    zeros = {let.outputs[0] for let in body if isinstance(let.op, Pointwise) and let.op.expressions == (0,)}
    for let in body:
        node = let.op.node if isinstance(let.op, OnGrid) else let.op
        arrays = [v for _, v in let.inputs if v not in zeros]
        if isinstance(node, TransposedConvolution) and len(arrays) < len(let.inputs):
            yield let.with_inputs(dict.fromkeys(zeros, f"torch.zeros_like({arrays[0]})"))
        elif let.outputs[0] not in zeros:
            yield let


def _assignment(let: Let, note: Sequence[str], scope: Scope) -> list[str]:
    before, text = _printed(let, scope)
    left = f"({let.outputs[0]},)" if _gives_tuple(let) and len(let.outputs) == 1 else ", ".join(let.outputs)
    return [*note, *before, f"{left} = {text}"]


def _gives_tuple(let: Let) -> bool:
    return isinstance(let.op.node if isinstance(let.op, OnGrid) else let.op, Convolution)


def _printed(let: Let, scope: Scope) -> Statement:
    """What is computed first, and the expression of an operation."""
    op, fed = let.op, let.fed
    if isinstance(op, OnGrid):
        return _on_grid(op, let, scope)
    if isinstance(op, Stored):
        return (), f'grid.known["{let.outputs[0]}"]'
    if isinstance(op, Pointwise):
        return (), _pointwise(op, fed, scope)
    if isinstance(op, Gaussian):
        return _gaussian(op, let, scope)
    if isinstance(op, Tridiagonal):
        return _tridiagonal(op, fed, scope)
    return (), _call(op, fed, scope)


def _call(op: Op, fed: Mapping[str, str], scope: Scope) -> str:
    """The expression of an operation that is a call."""
    if isinstance(op, Convolution):
        return f"{scope.banks[op.bank]}.of({fed['u']})"
    if isinstance(op, TransposedConvolution):
        return f"{scope.banks[op.bank]}Adjoint.of({', '.join(fed.values())})"
    if isinstance(op, Filter):
        array = fed["u"] if op.scale == 1 else f"averaged({fed['u']}, {op.scale})"
        return f"respond{suffix(op)}({_filtering(op, array, scope)})"
    if isinstance(op, TransposedFilter):
        text = f"respond{suffix(op)}_adjoint({_filtering(op, fed['p'], scope)})"
        return text if op.scale == 1 else f"spread({text}, {op.scale})"
    if isinstance(op, Activation):
        return _activation(op, fed, scope)
    if isinstance(op, Spline):
        name = "spline_quotient" if op.quotient else "spline"
        return f"{name}({scope.filters[op.name]}, {fed['q']}, {number(scope.value(op.width))})"
    if isinstance(op, Operator):
        known = [v for slot, v in fed.items() if slot.startswith("known")]
        return f"MultigridCycle({', '.join(['self.operator', fed['state'], *known, *scope.time])})"
    if isinstance(op, LinearSolve):
        return _krylov(op, fed, scope)
    if isinstance(op, Squares):
        return _squares(op, fed, scope)
    if isinstance(op, Channel):
        return f"{fed['u']}[:, {op.index}:{op.index + 1}]"
    if isinstance(op, Channels):
        return f"torch.cat(({', '.join(fed[f'c{i}'] for i in range(op.count))}), 1)"
    if isinstance(op, Coordinate | Line):
        return _coordinate(op, scope)
    if isinstance(op, EdgeMean):
        return f"{mean_name(op.closure)}({fed['a']}, {scope.dim(op.axis)})"
    if isinstance(op, Pad | Crop):
        mode = ', mode="replicate"' if isinstance(op, Pad) and op.mode == "replicate" else ""
        return f"F.pad({fed['u']}, {_sides(op.margin, '-' if isinstance(op, Crop) else '')}{mode})"
    raise TypeError(f"no statement for {type(op).__name__}")


def _filtering(op: Filter | TransposedFilter, array: str, scope: Scope) -> str:
    """The arguments of a filter: its weights, what is filtered, and which of its channels are odd."""
    weights = scope.filters[op.operator]
    return f"{weights}, {array}, self.sides_{weights}" if has_odd(op.inner) else f"{weights}, {array}"


def _activation(op: Activation, fed: Mapping[str, str], scope: Scope) -> str:
    """The call of the function for K^T phi(K u)."""
    weights, printer = scope.filters[op.node.operator], scope.printer(fed)
    arrays = [v for slot, v in fed.items() if slot.startswith("u")]
    slopes = [scope.filters[spline.name] for spline, _ in op.splines]
    sides = [f"self.sides_{weights}"] if has_odd(op.node.inner) else []
    handed = [weights, *arrays, *map(printer.doprint, op.numbers), *slopes, *sides]
    return f"{scope.activated[op]}({', '.join(handed)})"


def _sides(margin: Sequence[int], sign: str = "") -> str:
    """Cells on both sides of each axis, the last axis first."""
    sides = [f"{sign}{w}" if w else "0" for w in reversed(margin) for _ in range(2)]
    return f"({', '.join(sides)})"


# -- expressions, cell by cell ---------------------------------------------------------------------


def _pointwise(op: Pointwise, fed: Mapping[str, str], scope: Scope) -> str:
    (expression,) = op.expressions
    if op.role == CHANNEL_SUM:
        text = scope.printer(fed).doprint(expression)
        return f"{text if expression.is_Pow else f'({text})'}.sum(1, keepdim=True)"
    if op.role not in UPDATES:
        return scope.printer(fed).doprint(expression)
    printer = scope.printer({**fed, **scope.weights})
    states = [s for s in sp.Add.make_args(expression) if s.is_Symbol and fed.get(s.name) == "u"]
    rate = (expression - states[0]) / scope.factor if states else sp.S.Zero
    # With weights of its stage, an update is no residual step.
    staged = any(s.name in scope.weights for s in rate.free_symbols)
    if op.role == "rate" or not states or staged:
        return printer.doprint(expression)
    return _residual(rate, scope.factor, printer)


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


# -- solvers ---------------------------------------------------------------------------------------


def _krylov(op: LinearSolve, fed: Mapping[str, str], scope: Scope) -> str:
    """A linear system by conjugate gradients or by BiCGStab, preconditioned or not."""
    taken = [v for slot, v in fed.items() if slot.startswith("captured")] + [*scope.time]
    product = f"lambda trial: self.product({', '.join(['trial', *taken])})" if taken else "self.product"
    start = fed.get("start", f"torch.zeros_like({fed['rhs']})")
    arguments = [product, fed["rhs"], start, "self.linear_tol", "self.linear_iterations"]
    if op.preconditioner == "diagonal":
        arguments.append(f"lambda r: r / {fed['diagonal']}")
    elif op.preconditioner == "multigrid":
        arguments.append(fed["preconditioner"])
    method = "bicgstab" if op.method == "bicgstab" else "nearest_by_conjugate_gradients"
    return f"linear_solution({', '.join([method, *arguments])})"


def _tridiagonal(op: Tridiagonal, fed: Mapping[str, str], scope: Scope) -> Statement:
    """The weights of the edges beside each cell, and the solution of the system that they make."""
    names = {slot: fed[slot] for slot in ("g", "d", "m") if slot in fed}
    symbols = {slot: sp.Symbol(f"_{slot}", real=True) for slot in names}
    entries = {slot: symbols.get(slot, getattr(op, slot)) for slot in ("g", "d", "m")}
    left, right = sp.symbols("_left _right", real=True)
    bound = {f"_{slot}": text for slot, text in names.items()} | {"_left": "left", "_right": "right"}
    printer, rhs, dim = scope.printer(bound), fed["rhs"], scope.dim(op.axis)
    g = names.get("g") or _filled(entries["g"], rhs, printer)
    border = BORDERS[op.closure]
    if border.zero:
        edges = f"edge_weights_padded({g}, {dim}, {op.margin})" if "g" in names else f"({g},) * 2"
    else:
        edges = f"edge_weights{border.suffix}({g}, {dim})"
    factor = op.scale * entries["m"]
    rows = [-factor * left, entries["d"] + factor * (left + right), -factor * right]
    solve = "solve_cyclic" if border.wraps else "solve_tridiagonal"
    return [f"left, right = {edges}"], f"{solve}({', '.join(map(printer.doprint, rows))}, {rhs}, {dim})"


def _filled(constant: sp.Expr, like: str, printer: TorchPrinter) -> str:
    """An array of one value, which may be a tensor that is trained."""
    if {s.name for s in constant.free_symbols} & printer.trained:
        return f"{printer.parenthesize(constant, 50)} * torch.ones_like({like})"
    return f"torch.full_like({like}, {printer.doprint(constant)})"


def _squares(op: Squares, fed: Mapping[str, str], scope: Scope) -> str:
    """The diagonal of K^T G K; weights that are constant or known are brought to the full shape."""
    node, moving = op.node, [v for slot, v in fed.items() if slot not in op.known and slot != "image"]
    like = moving[0] if moving else fed["image"] + ("[:, :1]" if scope.channels > 1 else "")
    ones = f"torch.ones_like({like})"
    if not moving and any(node.margin):
        ones = f"F.pad({ones}, {_sides(node.margin)}, value=1)"
    weights = []
    for i, constant in enumerate(node.constants):
        text = fed.get(f"p{i}") or scope.printer({}).parenthesize(constant, 50)
        weights.append(text if text in moving else f"{text} * {ones}")
    return f"{squares_name(scope.banks[node.bank])}({', '.join(weights)})"


# -- coordinates and smoothing ---------------------------------------------------------------------


def _coordinate(op: Coordinate | Line, scope: Scope) -> str:
    node, whole = (op.node, False) if isinstance(op, Line) else (op, len(scope.axes) > 1)
    margin = node.margin[node.axis]
    size = f"u.shape[{node.axis + 2}]"
    stop = f"{size} + {margin}" if margin else size
    start = f"{-margin}, " if margin else ""
    text = _placed(f"torch.arange({start}{stop}, dtype=u.dtype, device=u.device)", node, scope)
    after = len(scope.axes) - 1 - node.axis
    if after or whole:
        text = f"({text}).view({'1, ' * node.axis if whole else ''}-1{', 1' * after})"
    if not whole:
        return text
    sizes = [f"u.shape[{i + 2}]" + (f" + {2 * m}" if m else "") for i, m in enumerate(node.margin)]
    return f"{text}.expand({', '.join(sizes)})"


def _placed(text: str, node: Coordinate, scope: Scope) -> str:
    """Positions from numbers of cells."""
    spacing, origin = scope.value(node.spacing), scope.value(node.origin)
    text = text if spacing == 1 else f"{number(spacing)} * {text}"
    return text if origin == 0 else f"{number(origin)} + {text}"


def _gaussian(node: Gaussian, let: Let, scope: Scope, scale: str = "") -> Statement:
    """Smoothing along one axis after the other; `scale` follows sigma, with the axis in its place."""
    array, calls = let.fed["u"], []
    for axis, (h, boundary) in enumerate(zip(node.spacing, node.boundary, strict=True)):
        width, printer = node.sigma / scope.value(h), scope.printer({})
        sigma = printer.parenthesize(width, 50) + scale.format(axis) if scale else printer.doprint(width)
        calls.append(f"{gaussian_name(boundary)}({array}, {sigma}, {scope.dim(axis)})")
        (array,) = let.outputs
    *before, last = calls
    return [f"{array} = {call}" for call in before], last


# -- with the distances and volumes of a grid ------------------------------------------------------


def _on_grid(op: OnGrid, let: Let, scope: Scope) -> Statement:
    node, fed = op.node, let.fed
    if isinstance(node, Gaussian):
        return _gaussian(node, let, scope, " / grid.axes[{}].stride")
    if isinstance(node, Coordinate):
        margin = f", {node.margin}" if any(node.margin) else ""
        return (), _placed(f"grid.centres({node.axis}{margin})", node, scope)
    if isinstance(node, Convolution):
        return (), _differences(_call(node, fed, scope), node.bank, scope, fed["u"])
    wide = ", wide=True" if op.wide else ""
    if isinstance(node, TransposedConvolution):
        transpose = f"{scope.banks[node.bank]}Adjoint.of"
        return (), _adjoint(transpose, _tuple(fed.values()), node.bank, scope, wide)
    if isinstance(node, SquaredAdjoint):
        ones = f"grid.ones({node.margin})" if any(node.margin) else "grid.ones()"
        weights = [
            fed.get(f"p{i}") or (ones if c == 1 else f"{scope.printer({}).parenthesize(c, 50)} * {ones}")
            for i, c in enumerate(node.constants)
        ]
        scaled, name = _differences(_tuple(weights), node.bank, scope), squares_name(scope.banks[node.bank])
        return (), _adjoint(name, scaled, node.bank, scope, wide, squares=True)
    raise TypeError(f"no statement for {type(node).__name__} on a grid")


def _tuple(texts: Iterable[str]) -> str:
    found = list(texts)
    return f"({', '.join(found)}{',' if len(found) == 1 else ''})"


def _differences(apply: str, bank: Bank, scope: Scope, of: str = "") -> str:
    """Differences of this grid, from those of the finest; `of` is what they are taken of."""
    stencil = bank.rows[0][0][1].stencil
    if stencil.derivative == 1:
        return f"grid.{'slopes' if stencil.half else 'centred_slopes'}({apply})"
    more = f", {of}, {_factors(bank, scope)}" if of and _near_zero(bank) else ""
    return f"grid.curvatures({apply}{more})"


def _near_zero(bank: Bank) -> bool:
    """Whether zeros beyond the border are nearer than the next cells."""
    return any(d.border.zero for d in bank.differences)


def _factors(bank: Bank, scope: Scope, power: int = 1) -> str:
    return _tuple(number(scope.value(w * d.scale) ** power) for ((w, d),) in bank.rows)


def _adjoint(transpose: str, arrays: str, bank: Bank, scope: Scope, wide: str, squares: bool = False) -> str:
    if bank.rows[0][0][1].stencil.derivative == 1:
        return f"grid.adjoint({transpose}, {arrays}{wide})"
    if not _near_zero(bank):
        return f"grid.second_adjoint({transpose}, {arrays})"
    factors = _factors(bank, scope, 2 if squares else 1)
    return f"grid.second_adjoint({transpose}, {arrays}, {factors}{', squares=True' if squares else ''})"
