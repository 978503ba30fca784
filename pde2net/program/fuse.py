"""From operations on whole arrays to loops over cells: what is read at other cells is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import sympy as sp

from pde2net.discretise.arrays import Extension
from pde2net.discretise.operators import Bank, Difference, Operation, factors
from pde2net.discretise.stencils import Stencil
from pde2net.errors import EmissionError
from pde2net.graph.nodes import (
    Channel,
    Channels,
    Convolution,
    Coordinate,
    Crop,
    EdgeMean,
    Pad,
    Pointwise,
    TransposedConvolution,
)
from pde2net.language.borders import closing
from pde2net.program.extents import Extent, channel_by_channel, extents, sums_channels
from pde2net.program.kernels import REPEATED, ZERO, Read, Rule, Rules, Stage, Write, position, size, symbol_of
from pde2net.program.records import Fold, Function, Let, Line, Op, Squares, Sum, Total, Transposed

Offset = tuple[int, ...]
Tap = tuple[Offset, sp.Expr]  # of a stencil: where it reads, and its weight
SPATIAL = Convolution | TransposedConvolution | EdgeMean | Sum | Squares
Group = tuple[Offset, int, bool]  # cells beyond the image, channels, whether these are summed over


def fuse(function: Function, given: Mapping[str, Extent]) -> tuple[Stage, ...]:
    """The stages of a function without loops, in order; `given` says how large its parameters are.

    Raises EmissionError for operations that no stage has: solvers, learned filters and splines,
    and the adjoint of repeated values.
    """
    return _Fusion(function, given).stages()


class _Fusion:
    def __init__(self, function: Function, given: Mapping[str, Extent]) -> None:
        self.function, state = function, given[function.parameters[0][0]]
        self.dimension, self.channels = len(state.wide), state.channels
        self.made: dict[str, Let] = {v: let for let in function.body for v in let.outputs}
        self.extents = extents(function, given)
        self.kept = self._kept()
        self.levels: dict[str, int] = {}

    # -- what is known of values ---------------------------------------------------------------------

    def _kept(self) -> set[str]:
        """Values that are arrays."""
        found = {v for v, _ in self.function.parameters} | {v for v in self.function.results if v}
        for let in self.function.body:
            op, inputs = let.op, let.fed
            if isinstance(op, SPATIAL | Pad) or _is(op, EdgeMean):
                found |= {self.source(v) for v in inputs.values()}
            if isinstance(op, Channel):
                found.add(self.source(inputs["u"]))
            if self.summed(let) or channel_by_channel(op):
                found |= set(let.outputs)
        return found

    def summed(self, let: Let) -> bool:
        """Whether an operation sums over channels."""
        if isinstance(let.op, Fold):
            return self.extents[let.fed["a"]].channels > self.extents[let.outputs[0]].channels
        return sums_channels(let.op, self.channels)

    def source(self, value: str) -> str:
        """The array that a padded value is."""
        let = self.made.get(value)
        return self.source(let.fed["u"]) if let and isinstance(let.op, Pad) else value

    # -- stages ----------------------------------------------------------------------------------------

    def stages(self) -> tuple[Stage, ...]:
        found: dict[tuple[int, Group], list[str]] = {}
        for value in (v for let in self.function.body for v in let.outputs if v in self.kept):
            found.setdefault((self.level(value), self.group(value)), []).append(value)
        ordered = sorted(found.items(), key=lambda pair: pair[0][0])
        return tuple(_Stage(self, *group).of(values) for (_, group), values in ordered)

    def group(self, value: str) -> Group:
        """What the values of a stage have in common."""
        let = self.made[value]
        own = self.extents[let.fed["a"] if isinstance(let.op, Total) else value]
        return own.wide, 1 if channel_by_channel(let.op) else own.channels, self.summed(let)

    def level(self, value: str) -> int:
        """0 for parameters, and how many stages are before that which makes the value."""
        if value not in self.made:
            return 0
        if value not in self.levels:
            let = self.made[value]
            apart = isinstance(let.op, SPATIAL | Pad | Channel) or _is(let.op, EdgeMean)
            found = [1]
            for v in dict.fromkeys(let.fed.values()):
                array = v in self.kept and v in self.made
                above = array and (apart or self.group(v) != self.group(value))
                found.append(self.level(v) + above)
            self.levels[value] = max(found)
        return self.levels[value]


class _Stage:
    """The stage that makes some values."""

    def __init__(self, fusion: _Fusion, frame: Offset, channels: int, summed: bool) -> None:
        self.fusion, self.frame, self.channels, self.summed = fusion, frame, channels, summed
        self.origin: Offset = (0,) * fusion.dimension
        self.inside: Rules = (None,) * fusion.dimension
        self.reads: dict[Read, sp.Symbol] = {}
        self.body: dict[sp.Symbol, sp.Expr] = {}
        self.values: dict[str, sp.Symbol] = {}
        self.made: set[str] = set()

    def of(self, values: Sequence[str]) -> Stage:
        writes: list[Write] = []
        self.made = set(values)
        for value in values:
            writes += self.written(value)
        reads = tuple((symbol, read) for read, symbol in self.reads.items())
        body = tuple(self.body.items())
        return Stage(reads, body, tuple(writes), self.channels, self.summed, self.frame)

    def written(self, value: str) -> list[Write]:
        let = self.fusion.made[value]
        if isinstance(let.op, Channels):
            return [Write(value, self.here(let.fed[f"c{i}"]), i) for i in range(let.op.count)]
        if isinstance(let.op, Transposed) and isinstance(let.op.node, Channel):
            own, zero = self.here(let.fed["u"]), self.named(f"{value} elsewhere", sp.S.Zero)
            every = range(self.fusion.channels)
            return [Write(value, own if i == let.op.node.index else zero, i) for i in every]
        return [Write(value, self.own(value), total=isinstance(let.op, Total))]

    def named(self, value: str, expression: sp.Expr) -> sp.Symbol:
        symbol = sp.Symbol(f"value of {value}", real=True)
        self.body[symbol] = expression
        return symbol

    def here(self, value: str, channel: int | None = None) -> sp.Symbol:
        """The value at the cell that is made: read, made by this stage already, or computed."""
        fusion = self.fusion
        if value in fusion.kept and value not in self.made:
            return self.read(value, self.origin, self.inside, channel)
        return self.own(value)

    def own(self, value: str) -> sp.Symbol:
        if value not in self.values:
            let = self.fusion.made[value]
            self.values[value] = self.named(value, self.computed(let, let.outputs.index(value)))
        return self.values[value]

    def read(
        self, value: str, offset: Offset, rules: Sequence[Rule | None], channel: int | None = None
    ) -> sp.Symbol:
        """The value of an array; of one that is padded that of the array before, by the rule of padding."""
        let = self.fusion.made.get(value)
        if let is not None and isinstance(let.op, Pad):
            beyond = ZERO if let.op.mode == "zero" else REPEATED
            own = [beyond if m else r for m, r in zip(let.op.margin, rules, strict=True)]
            return self.read(let.fed["u"], offset, own, channel)
        read = Read(value, offset, tuple(rules), channel)
        return self.reads.setdefault(read, symbol_of(read))

    def at(self, value: str, offset: Offset, kinds: Mapping[int, Extension]) -> sp.Symbol:
        """The value of an array at another cell, of which the rules of some axes are known.

        A cell of the image itself needs none, unless the border is a cell, where a rule says what is read.
        """
        wide, rules = self.fusion.extents[value].wide, list(self.inside)
        for axis, kind in kinds.items():
            if not wide[axis] and (offset[axis] or kind.edge):
                rules[axis] = Rule.of(kind)
        return self.read(value, offset, rules)

    # -- expressions ---------------------------------------------------------------------------------

    def computed(self, let: Let, output: int) -> sp.Expr:
        op, fed = let.op, let.fed
        if isinstance(op, Pointwise):
            found = op.expressions[output].subs(dict(op.weights))
            used = sorted((s for s in found.free_symbols if s.name in fed), key=str)
            return found.xreplace({s: self.here(fed[s.name]) for s in used})
        if isinstance(op, Convolution):
            return self.row(op.bank, output, fed["u"], False)
        if isinstance(op, TransposedConvolution):
            rows = range(len(op.bank.operations))
            return sp.Add(*(self.row(op.bank, r, fed[f"p{r}"], True) for r in rows))
        if isinstance(op, Squares):
            return self.squares(op, fed)
        if isinstance(op, Sum):
            return self.line(op, fed["u"])
        if isinstance(op, EdgeMean):
            border = closing(op.closure)
            return self.pair(fed["a"], op.axis, 1, Extension(border.wraps, border.factor)) / 2
        if isinstance(op, Transposed) and isinstance(op.node, EdgeMean):
            return self.mean_adjoint(op.node, fed["a"])
        if isinstance(op, Line | Coordinate):
            node = op.node if isinstance(op, Line) else op
            return node.origin + position(node.axis) * node.spacing
        if isinstance(op, Channel):
            return self.here(fed["u"], op.index)
        if isinstance(op, Pad):
            return self.read(let.outputs[0], self.origin, self.inside)
        if isinstance(op, Crop):
            return self.here(fed["u"])
        if isinstance(op, Fold | Total):
            return self.here(fed["a"])
        what = type(op.node).__name__ if isinstance(op, Transposed) else type(op).__name__
        of = f"the adjoint of {what}" if isinstance(op, Transposed) else what
        raise EmissionError(f"There is no kernel of {of} yet.")

    def squares(self, op: Squares, fed: Mapping[str, str]) -> sp.Expr:
        """The diagonal of K^T G K."""
        terms = []
        for row, operations in enumerate(op.node.bank.operations):
            for weight, operation in operations:
                kinds = {d.axis: d.squared_extension for d in factors(operation)}
                for offset, w in taps(operation, self.fusion.dimension, True):
                    if f"p{row}" in fed:
                        found = self.at(fed[f"p{row}"], offset, kinds)
                    else:
                        own = {a: kind for a, kind in kinds.items() if not op.node.margin[a]}
                        found = _inside(op.node.constants[row], offset, own)
                    terms.append((weight * operation.scale * w) ** 2 * found)
        return sp.Add(*terms)

    def line(self, op: Sum, value: str) -> sp.Expr:
        """A weighted sum along an axis."""
        zero, radius = self.origin, len(op.weights) // 2
        ends = [(*zero[: op.axis], k - radius, *zero[op.axis + 1 :]) for k in range(len(op.weights))]
        reads = (self.at(value, end, {op.axis: op.extension}) for end in ends)
        return sp.Add(*(w * r for w, r in zip(op.weights, reads, strict=True)))

    def pair(self, value: str, axis: int, step: int, kind: Extension) -> sp.Expr:
        """The sum of the values of a cell and of its neighbour along an axis."""
        zero = self.origin
        ends = [(*zero[:axis], d, *zero[axis + 1 :]) for d in (0, step)]
        return sp.Add(*(self.at(value, end, {axis: kind}) for end in ends))

    def mean_adjoint(self, node: EdgeMean, value: str) -> sp.Expr:
        """A mirrored mean has the last cell twice in the last of them, and no cell before the first."""
        border, axis = closing(node.closure), node.axis
        if border.wraps or self.fusion.extents[value].wide[axis]:
            return self.pair(value, axis, -1, Extension(True, 1)) / 2
        both = self.pair(value, axis, -1, Extension(False, 0))
        own = border.factor * self.at(value, self.origin, {axis: Extension(False, 0)})
        last = sp.Eq(position(axis), size(axis) - 1)
        return (both + sp.Piecewise((own, last), (sp.S.Zero, True))) / 2

    def row(self, bank: Bank, row: int, value: str, adjoint: bool) -> sp.Expr:
        """A row of K, or of K^T, as a weighted sum of reads."""
        terms = []
        for weight, operation in bank.operations[row]:
            kinds = {d.axis: d.dual_extension if adjoint else d.extension for d in factors(operation)}
            for offset, w in taps(operation, self.fusion.dimension, adjoint):
                terms.append(weight * operation.scale * w * self.at(value, offset, kinds))
        return sp.Add(*terms)


def _inside(constant: sp.Expr, offset: Offset, kinds: Mapping[int, Extension]) -> sp.Expr:
    """A number that stands in all cells, and beyond borders as their rules say, squared."""
    zero = []
    for axis, kind in kinds.items():
        at, last = position(axis) + offset[axis], size(axis) - 1
        if kind.edge:
            zero += [sp.Eq(at, -1), sp.Eq(at, last)]
        elif not kind.wraps and kind.factor == 0:
            zero += [sp.Lt(at, 0), sp.Gt(at, last)]
    return sp.Piecewise((sp.S.Zero, sp.Or(*zero)), (constant, True)) if constant and zero else constant


def taps(operation: Operation, dimension: int, adjoint: bool) -> Iterable[Tap]:
    """Where a difference, or a product of some, reads, and the weights for the spacing 1."""
    parts = factors(operation)
    lines = [[(d, pair) for pair in _pairs(d, adjoint)] for d in parts]
    for chosen in product(*lines):
        offset = [0] * dimension
        for d, (k, _) in chosen:
            offset[d.axis] = k
        yield tuple(offset), sp.Mul(*(w for _, (_, w) in chosen))


def _pairs(difference: Difference, adjoint: bool) -> Iterable[tuple[int, sp.Expr]]:
    stencil: Stencil = difference.stencil.mirrored if adjoint else difference.stencil
    return zip(stencil.offsets, stencil.weights, strict=True)


def _is(op: Op, kind: type) -> bool:
    """Whether an operation is the adjoint of that kind."""
    return isinstance(op, Transposed) and isinstance(op.node, kind)
