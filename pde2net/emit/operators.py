"""Emits K and K^T of a bank as a pair of autograd functions, each the backward pass of the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.discretise.arrays import EVEN, Extension
from pde2net.discretise.operators import Bank, Difference, Operation, factors
from pde2net.discretise.stencils import Stencil
from pde2net.emit.parse import parse
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Definition
from pde2net.language.borders import closing

Number = Callable[[sp.Expr], sp.Expr]


@dataclass(frozen=True)
class Along:
    """The emitted functions for one difference, of spacing 1: K along a dimension, and its adjoint."""

    difference: Difference

    @property
    def name(self) -> str:
        """A function name that says what the stencil is."""
        stencil = self.difference.stencil
        even = {-o for o in stencil.offsets} == set(stencil.offsets)
        place = "forward" if stencil.half else "central" if even else "one_sided"
        if stencil.derivative > 1:
            place = "second" if stencil.derivative == 2 else f"order{stencil.derivative}"
        order = "" if stencil.order == 2 else f"_order{stencil.order}"
        return f"{place}_difference{order}{self.difference.border.suffix}"

    @property
    def adjoint_name(self) -> str:
        return f"{self.name}_adjoint"

    @property
    def over_edge(self) -> str:
        """Of differences of two neighbours: how edges meet the border, "closed" or "wraps"; else ""."""
        stencil, border = self.difference.stencil, self.difference.border
        if not stencil.half or len(stencil.offsets) != 2 or not border.keeps_constants:
            return ""
        return "wraps" if border.wraps else "closed"


def along(difference: Difference) -> Along:
    return Along(replace(difference, axis=0, spacing=sp.S.One))


def difference_functions(item: Along) -> list[Definition]:
    """`difference(u, dim)` and `difference_adjoint(p, dim)` for spacing 1."""
    difference, stencil = item.difference, item.difference.stencil
    border = difference.border.said
    taps = ", ".join(map(str, stencil.weights))
    at = ", ".join(f"i{o:+d}" if o else "i" for o in stencil.offsets)
    doc = f"({taps}) at ({at}) along `dim`; u is {border}."
    if len(doc) > 85:
        doc = f"({taps}) at ({at}) along `dim`.\n\n    The extension of u is {border}.\n    "
    if item.over_edge == "closed":
        forward = ["return F.pad(torch.diff(u, dim=dim), beyond(dim, 0, 1))"]
        backward = [
            "inner = p.narrow(dim, 0, p.shape[dim] - 1)",
            "out = F.pad(inner, beyond(dim, 1, 0))",
            "out.narrow(dim, 0, inner.shape[dim]).sub_(inner)",
            "return out",
        ]
    elif item.over_edge == "wraps":
        forward = ["return torch.roll(u, -1, dim) - u"]
        backward = ["return torch.roll(p, 1, dim) - p"]
    else:
        forward = correlation("u", stencil, difference.extension)
        backward = correlation("p", stencil.mirrored, difference.dual_extension)
    return parse(_DIFFERENCE, name=item.name, doc=doc, forward=forward, backward=backward)


def correlation(array: str, stencil: Stencil, kind: Extension) -> list[str]:
    """Statements that extend `array` and sum its weighted shifts."""
    left, right = stencil.left, stencil.right
    factor = {1: "", -1: "-"}.get(kind.factor, f"{kind.factor} * ")
    lines = [f"n = {array}.shape[dim]"]
    if kind.factor == 0:
        lines.append(f"wide = F.pad({array}, beyond(dim, {left}, {right}))")
    elif kind.edge:
        # p lives at half-points, the last of which is the border: p = 0 there, mirrored beyond.
        lines.append(f"inner = F.pad({array}.narrow(dim, 0, n - 1), beyond(dim, 1, 1))")
        before = f"{factor}inner.narrow(dim, 1, {left - 1}).flip(dim)"
        after = f"{factor}inner.narrow(dim, n - {right}, {right}).flip(dim)"
        lines += _joined(before, "inner", after, left - 1, right)
    else:
        ends = f"{array}.narrow(dim, n - {left}, {left})", f"{array}.narrow(dim, 0, {right})"
        if not kind.wraps:
            first, last = f"{array}.narrow(dim, 0, {left})", f"{array}.narrow(dim, n - {right}, {right})"
            ends = f"{first}.flip(dim)", f"{last}.flip(dim)"
        lines += _joined(f"{factor}{ends[0]}", array, f"{factor}{ends[1]}", left, right)
    zero_end = stencil.half and kind == EVEN
    length = "n - 1" if zero_end else "n"
    terms = _shifts(stencil, left, length)
    if not zero_end:
        return [*lines, f"return {terms}"]
    return [*lines, f"inner = {terms}", "return F.pad(inner, beyond(dim, 0, 1))"]


def _joined(before: str, middle: str, after: str, left: int, right: int) -> list[str]:
    parts = [*([before] if left > 0 else []), middle, *([after] if right > 0 else [])]
    return [f"wide = torch.cat(({', '.join(parts)}), dim)"]


def _shifts(stencil: Stencil, left: int, length: str) -> str:
    parts = []
    for offset, weight in zip(stencil.offsets, stencil.weights, strict=True):
        size = number(abs(weight))
        factor = "" if size == "1" else f"{size} * "
        sign = "-" if weight < 0 else ""
        parts.append(f"{sign}{factor}wide.narrow(dim, {left + offset}, {length})")
    return _sum(parts)


def mean_name(closure: str) -> str:
    return f"edge_mean{closing(closure).suffix}"


def mean_function(closure: str) -> list[Definition]:
    """`edge_mean(a, dim)`: the mean over the two cells of each edge."""
    border = closing(closure)
    border.require(border.keeps_constants, "Means over edges")
    return parse(_MEAN, name=mean_name(closure), wraps=border.wraps)


def bank_classes(name: str, what: str, bank: Bank, dimension: int, value: Number) -> list[Definition]:
    """The linear functions `name` (K) and `nameAdjoint` (K^T)."""
    outputs = [f"p{i}" for i in range(len(bank.operations))]
    rows = [_row(row, dimension, value) for row in bank.operations]
    forward = [f"{p} = {r}" for p, r in zip(outputs, rows, strict=True)]
    forward.append(f"return {', '.join(outputs)}" if len(rows) > 1 else "return (p0,)")
    parts = [
        scaled(_transposed(d, p, dimension), value(w * d.scale))
        for p, row in zip(outputs, bank.operations, strict=True)
        for w, d in row
    ]
    adjoint = [f"u{i} = {part}" for i, part in enumerate(parts)]
    adjoint.append(f"return {' + '.join(f'u{i}' for i in range(len(parts)))}")
    return parse(
        _BANK,
        name=name,
        what=what,
        many=f"tuple[{', '.join(['Tensor'] * len(rows))}]",
        slopes=", ".join(f"{p}: Tensor" for p in outputs),
        passed=", ".join(outputs),
        forward=forward,
        adjoint=adjoint,
    )


def _row(row: tuple[tuple[sp.Expr, Operation], ...], dimension: int, value: Number) -> str:
    return _sum([scaled(_applied(d, "u", dimension), value(w * d.scale)) for w, d in row])


def _applied(operation: Operation, array: str, dimension: int) -> str:
    """A difference of an array; mixed ones are differences of differences."""
    for d in factors(operation):
        array = f"{along(d).name}({array}, {d.axis - dimension})"
    return array


def _transposed(operation: Operation, array: str, dimension: int) -> str:
    for d in reversed(factors(operation)):
        array = f"{along(d).adjoint_name}({array}, {d.axis - dimension})"
    return array


def scaled(text: str, factor: sp.Expr) -> str:
    if factor == 1:
        return text
    if factor == -1:
        return f"-{text}"
    if factor.is_Rational and factor.p in (1, -1) and factor.q != 1:
        return f"{'-' if factor.p < 0 else ''}{text} / {factor.q}"
    return f"{number(factor)} * {text}"


def _sum(parts: list[str]) -> str:
    text = parts[0]
    for part in parts[1:]:
        text += f" - {part[1:]}" if part.startswith("-") else f" + {part}"
    return text


# What other definitions may call, if they do.
HELPERS = parse('''
def beyond(dim: int, before: int, after: int) -> tuple[int, ...]:
    """Padding for F.pad: entries before and after along the negative dimension `dim`."""
    return (0, 0) * (-1 - dim) + (before, after)

def projection(a: Tensor, b: Tensor, square: Tensor) -> Tensor:
    """a b/|v|^2 for two components of v, an entry of the projection onto v; 0 where |v|^2 underflows."""
    empty = square < torch.finfo(square.dtype).tiny
    return torch.where(empty, 0.0, a * b / torch.where(empty, 1.0, square))

def away_from_zero(x: Tensor, power: float) -> Tensor:
    """x >= 0, kept so far from 0 that the derivative of the quotient by it does not overflow."""
    return x.clamp_min(torch.finfo(x.dtype).tiny ** power)
''')

LINEAR = parse('''
class LinearFunction(torch.autograd.Function):
    """A linear map, which is its own derivative, with its transpose as backward pass."""

    generate_vmap_rule = True

    @classmethod
    def of(cls, *arrays: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The map. While it is traced it is differentiated itself: torch.compile takes no `jvp`."""
        return cls.forward(*arrays) if torch.compiler.is_compiling() else cls.apply(*arrays)

    @staticmethod
    def setup_context(ctx: object, inputs: object, output: object) -> None:
        """A linear map keeps nothing."""
''')

_DIFFERENCE = '''
def $name(u: Tensor, dim: int) -> Tensor:
    """$doc"""
    $forward

def ${name}_adjoint(p: Tensor, dim: int) -> Tensor:
    """The transpose of $name."""
    $backward
'''

_MEAN = '''
def $name(a: Tensor, dim: int) -> Tensor:
    """The mean over cells i and i+1 along `dim`, the ends of edge i."""
    return (a + torch.roll(a, -1, dim)) / 2  # if wraps
    n = a.shape[dim]  # unless wraps
    after = torch.cat((a.narrow(dim, 1, n - 1), a.narrow(dim, n - 1, 1)), dim)  # unless wraps
    return (a + after) / 2  # unless wraps
'''

_BANK = '''
class $name(LinearFunction):
    """K: $what. Its backward pass is K^T."""

    @staticmethod
    def forward(u: Tensor) -> $many:
        $forward

    @staticmethod
    def backward(ctx: object, $slopes) -> Tensor:
        return ${name}Adjoint.of($passed)

    @staticmethod
    def jvp(ctx: object, u: Tensor) -> $many:
        return $name.of(u)

class ${name}Adjoint(LinearFunction):
    """K^T, the exact transpose of $name. Its backward pass is K."""

    @staticmethod
    def forward($slopes) -> Tensor:
        $adjoint

    @staticmethod
    def backward(ctx: object, u: Tensor) -> $many:
        return $name.of(u)

    @staticmethod
    def jvp(ctx: object, $slopes) -> Tensor:
        return ${name}Adjoint.of($passed)
'''
