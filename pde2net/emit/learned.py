"""Emits what is learned besides single numbers: filters, values per filter, slopes of splines.

Each is a tensor of the block. What is kept of it whatever is trained (signs, parities, means, bounds of
slopes) is computed by a property of its name, from a tensor that is stored under another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import Any

import sympy as sp

from pde2net.discretise.filters import Parity
from pde2net.emit.filters import filters_of, has_odd, shape
from pde2net.emit.parse import parse
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Definition, Function
from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import Filter, Spline
from pde2net.language.arrays import Array
from pde2net.language.assumptions import SIGNS, assumed
from pde2net.language.spline import falling
from pde2net.language.symbols import FilterParameter
from pde2net.program.names import Namer

WIDTH = 100


@dataclass(frozen=True)
class Thing:
    """One learned tensor of a block.

    name      that of the declaration
    variable  the attribute of the block, and the variable of what is handed to it
    start     its values to start from; None for those that are made
    trained   whether it is a parameter
    """

    name: str
    variable: str
    start: Array | None
    trained: bool

    @property
    def constant(self) -> str:
        """What its values are called in the module."""
        return f"{self.name.upper()}_START"

    @property
    def made(self) -> str:
        """An expression for what is stored."""
        return f"torch.tensor({self.constant}, dtype=torch.float64)"

    @property
    def changed(self) -> bool:
        """Whether its value is computed from what is stored."""
        return False

    def stored(self) -> list[str]:
        """Statements of the constructor."""
        return self._kept(f"raw_{self.variable}" if self.changed else self.variable)

    def _kept(self, attribute: str) -> list[str]:
        if self.trained:
            return [f"self.{attribute} = nn.Parameter({self.made})"]
        return [f'self.register_buffer("{attribute}", {self.made})']

    def properties(self) -> list[Function]:
        """That of its value, if this is computed."""
        if not self.changed:
            return []
        return [
            Function(self.variable, ("self",), "Tensor", self.doc, [f"return {self.value}"], ("@property",))
        ]

    @property
    def doc(self) -> str:
        raise NotImplementedError

    @property
    def value(self) -> str:
        raise NotImplementedError

    def handed(self, dtype: str) -> str:
        """What a block is handed: the value in the dtype of the state."""
        return f"self.{self.variable}.to({dtype})"


@dataclass(frozen=True)
class Bank(Thing):
    """The filters of an operator, of `channels` channels."""

    node: Filter

    @property
    def made(self) -> str:
        return super().made if self.start else f"filters({shape(self.node)})"

    @property
    def changed(self) -> bool:
        return bool(self.node.parity) or self.node.zero_mean

    def stored(self) -> list[str]:
        lines = super().stored()
        if self.node.parity:
            own, inner = self.node.parity, self.node.inner
            signs = [[[a * b for a, b in zip(o, c, strict=True)] for c in _same(inner)] for o in own]
            lines += _buffer(f"parity_{self.variable}", signs)
        if has_odd(self.node.inner):
            lines += _buffer(f"sides_{self.variable}", [list(c) for c in self.node.inner])
        return lines

    @property
    def doc(self) -> str:
        kept = ["each even or odd along each axis"] if self.node.parity else []
        kept += ["without response to constants"] if self.node.zero_mean else []
        return f"The filters, {' and '.join(kept)}."

    @property
    def value(self) -> str:
        found = f"self.raw_{self.variable}"
        found = f"symmetric({found}, self.parity_{self.variable})" if self.node.parity else found
        return f"without_mean({found})" if self.node.zero_mean else found


@dataclass(frozen=True)
class Column(Thing):
    """A parameter with a value per filter, in a network of `dimension` axes."""

    symbol: sp.Symbol
    dimension: int

    @property
    def changed(self) -> bool:
        return self.trained and self.sign != ""

    @property
    def sign(self) -> str:
        """The sign that was declared, "" if there is none."""
        return next(iter(assumed(self.symbol, SIGNS)), "")

    def stored(self) -> list[str]:
        if not self.changed or (self.sign.startswith("non") and self.sign != "nonzero"):
            return super().stored()
        logarithm = f"self.log_{self.variable} = nn.Parameter(torch.zeros_like(self.initial_{self.variable}))"
        return [f'self.register_buffer("initial_{self.variable}", {self.made})', logarithm]

    @property
    def doc(self) -> str:
        return "One value per filter; they keep their sign."

    @property
    def value(self) -> str:
        if self.sign == "nonnegative":
            return f"folded(self.raw_{self.variable})"
        if self.sign == "nonpositive":
            return f"-folded(-self.raw_{self.variable})"
        return f"self.initial_{self.variable} * torch.exp(self.log_{self.variable}.clamp(-40.0, 40.0))"

    def handed(self, dtype: str) -> str:
        return f"self.{self.variable}.view(-1{', 1' * self.dimension}).to({dtype})"


@dataclass(frozen=True)
class Slopes(Thing):
    """The slopes of a spline."""

    node: Spline

    @property
    def changed(self) -> bool:
        return self.trained

    @property
    def doc(self) -> str:
        return f"Slopes in [{number(self.node.lower)}, {number(self.node.upper)}], with phi(q) q >= 0."

    @property
    def value(self) -> str:
        bounds = f"{number(self.node.lower)}, {number(self.node.upper)}"
        return f"{'signed' if self.node.lower < 0 else 'bounded'}_slopes(self.raw_{self.variable}, {bounds})"


def things(
    graph: Graph, arrays: Mapping[str, Array], trainable: Collection[str], namer: Namer, taken: Iterable[str]
) -> list[Thing]:
    """What is learned in a graph: filters, values per filter, slopes, each sorted by name."""
    dimension, names = graph.graph["dimension"], list(taken)

    def options(name: str) -> tuple[str, str, Array | None, bool]:
        names.append(namer.attribute(name, names))
        return name, names[-1], arrays.get(name), name in trainable

    found: list[Thing] = [Bank(*options(name), node) for name, node in filters_of(graph).items()]
    columns = [s for s in graph.graph["parameters"] if isinstance(s, FilterParameter)]
    found += [Column(*options(s.name), s, dimension) for s in columns]
    nodes = [node_of(graph, name) for name in graph]
    splines = {node.name: node for node in nodes if isinstance(node, Spline)}
    for name, spline in sorted(splines.items()):
        slopes = Slopes(*options(name), spline)
        found.append(replace(slopes, start=slopes.start or falling(spline)))
    return found


def constants(found: Sequence[Thing]) -> list[str]:
    """Lines that define the values to start from."""
    lines: list[str] = []
    for thing in found:
        if thing.start is not None:
            lines += ["", *_assigned(thing.constant, thing.start.nested())]
    return lines


def _assigned(name: str, nested: Any) -> list[str]:
    first, *rest = _rows(nested, "")
    return [f"{name} = {first}", *rest]


def _rows(nested: Any, indent: str) -> list[str]:
    """Lines of a list of lists; those of numbers are filled."""
    inner = indent + "    "
    if isinstance(nested[0], list):
        lines = []
        for entry in nested:
            *first, last = _rows(entry, inner)
            lines += [*first, last + ","]
        return [f"{indent}[", *lines, f"{indent}]"]
    text = ", ".join(map(number, nested))
    if len(text) + len(indent) + 20 < WIDTH:
        return [f"{indent}[{text}]"]
    filled = wrap(f"{text},", WIDTH, initial_indent=inner, subsequent_indent=inner)
    return [f"{indent}[", *filled, f"{indent}]"]


def _same(inner: Parity) -> Sequence[Sequence[int]]:
    """The parities of channels, or that of one if all are even."""
    return inner if has_odd(inner) else inner[:1]


def _buffer(name: str, entries: Any) -> list[str]:
    return [f'self.register_buffer("{name}", torch.tensor({entries}, dtype=torch.float64))']


def functions(found: Sequence[Thing], nodes: Collection[Any]) -> list[Definition]:
    """What properties of things and operations of splines call."""
    values = " ".join(thing.value for thing in found if thing.changed)
    splines = [n for n in nodes if isinstance(n, Spline)]
    asked = {name: f"{name}(" in values for name in ("symmetric", "without_mean", "signed_slopes")}
    bounded = asked["signed_slopes"] or "bounded_slopes(" in values
    return parse(
        _FUNCTIONS,
        **asked,
        folded="folded(" in values,
        bounded=bounded,
        spline=any(not n.quotient for n in splines),
        quotient=any(n.quotient for n in splines),
        splines=bool(splines),
        averaged=any(isinstance(n, Filter) and n.scale > 1 for n in nodes),
    )


_FUNCTIONS = '''
def symmetric(weight: Tensor, parity: Tensor) -> Tensor:  # if symmetric
    """The even (1) or odd (-1) part of each filter along each axis."""
    for axis in range(2, weight.dim()):
        signs = parity[..., axis - 2].to(weight.dtype)
        signs = signs.view(*signs.shape, *[1] * (weight.dim() - 2))
        weight = (weight + signs * weight.flip(axis)) / 2
    return weight

def without_mean(weight: Tensor) -> Tensor:  # if without_mean
    """Filters without response to constants."""
    return weight - weight.mean(tuple(range(2, weight.dim())), keepdim=True)

def averaged(u: Tensor, scale: int) -> Tensor:  # if averaged
    """Sums over blocks of `scale` cells along each axis, over the root of their number."""
    axes = u.dim() - 2
    sizes = [n for size in u.shape[2:] for n in (size // scale, scale)]
    blocks = u.reshape(*u.shape[:2], *sizes).sum([3 + 2 * axis for axis in range(axes)])
    return blocks / scale ** (axes / 2)

def spread(p: Tensor, scale: int) -> Tensor:  # if averaged
    """The transpose of averaged."""
    axes = p.dim() - 2
    wide = p[(..., *[x for _ in range(axes) for x in (slice(None), None)])]
    sizes = [n for size in p.shape[2:] for n in (size, scale)]
    wide = wide.expand(*p.shape[:2], *sizes).reshape(*p.shape[:2], *[scale * n for n in p.shape[2:]])
    return wide / scale ** (axes / 2)

def folded(raw: Tensor) -> Tensor:  # if folded
    """|raw|, whose derivative at 0 is that from the right."""
    return torch.where(raw < 0, -raw, raw)

def bounded_slopes(raw: Tensor, lower: float, upper: float) -> Tensor:  # if bounded
    """`raw` in [lower, upper]; what lies outside is mirrored at the bounds."""
    width = upper - lower
    if width == 0:
        return torch.full_like(raw, lower)
    beyond = torch.remainder(raw - lower, 2 * width)
    inside = lower + torch.where(beyond > width, 2 * width - beyond, beyond)
    return torch.where((raw >= lower) & (raw <= upper), raw, inside)

def signed_slopes(raw: Tensor, lower: float, upper: float) -> Tensor:  # if signed_slopes
    """Slopes in [lower, upper] of a flux that is not negative for q > 0: its heights stop at 0."""
    slopes = bounded_slopes(raw, lower, upper)
    sums = F.pad(slopes[:, :-1].cumsum(1), (1, 0))
    heights = sums - sums.cummin(1).values
    last = torch.where(slopes[:, -1:] < 0, -slopes[:, -1:], slopes[:, -1:]).clamp(max=upper)
    return torch.cat((heights.diff(dim=1), last), 1)

def odd_pieces(slopes: Tensor, width: float) -> tuple[Tensor, Tensor]:  # if splines
    """Slopes and offsets of all pieces, those of numbers below 0 first."""
    knots = width * torch.arange(slopes.shape[1], dtype=slopes.dtype, device=slopes.device)
    offsets = F.pad(width * slopes[:, :-1].cumsum(1), (1, 0)) - slopes * knots
    return torch.cat((slopes.flip(1), slopes), 1), torch.cat((-offsets.flip(1), offsets), 1)

def pieces(slopes: Tensor, q: Tensor, width: float) -> tuple[Tensor, Tensor]:  # if splines
    """Slope and offset of the piece that q is in: phi(q) = slope q + offset. No number is in the last one."""
    rows, count = slopes.shape
    last = torch.full((), count - 1, dtype=q.dtype, device=q.device)
    piece = torch.fmin(q.detach() / width, last).floor().clamp(min=-count).int()
    first = torch.arange(count, 2 * rows * count, 2 * count, dtype=torch.int32, device=q.device)
    piece = (piece + first.view(-1, *[1] * (q.dim() - 2))).flatten()
    slope, offset = (t.flatten().index_select(0, piece).view(q.shape) for t in odd_pieces(slopes, width))
    return slope, offset

def spline(slopes: Tensor, q: Tensor, width: float) -> Tensor:  # if spline
    """phi(q), odd and linear on pieces of one width: a row of slopes for each channel, or one for all."""
    slope, offset = pieces(slopes, q, width)
    return torch.addcmul(offset, slope, q)

def spline_quotient(slopes: Tensor, q: Tensor, width: float) -> Tensor:  # if quotient
    """phi(q)/q, at 0 the slope there."""
    slope, offset = pieces(slopes, q, width)
    return slope + offset / torch.where(q.abs() < width, width, q)
'''
