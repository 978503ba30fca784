"""A stage as a kernel of Triton: a block of cells of one image, all axes in one index."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.printing.precedence import PRECEDENCE

from pde2net.emit.kernels.lines import Body, LinePrinter, plain
from pde2net.emit.kernels.tables import code
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Function
from pde2net.errors import EmissionError
from pde2net.program.extents import Extent
from pde2net.program.kernels import Read, Stage, position, size
from pde2net.program.names import Namer

WORDS = (
    *("tl", "triton", "at", "image", "channel", "there", "numbers", "cells", "BLOCK", "mirrored", "largest"),
    *("least", "square", "tiny", "real", "blocks"),
    *(f"{letter}{axis}" for letter in "ijkn" for axis in range(3)),
)


@dataclass(frozen=True)
class Kernel:
    """A kernel.

    reads   the arrays that it is handed, as values of its stage
    writes  what it makes, as values
    text    the function
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    text: Function


def kernel(
    stage: Stage, extents: Mapping[str, Extent], columns: Sequence[sp.Symbol], name: str, namer: Namer
) -> Kernel:
    """`extents` are those of its values. Raises EmissionError for functions that Triton does not have."""
    return _Kernel(stage, extents, columns, name, namer).made()


class _Kernel(Body):
    def __init__(
        self,
        stage: Stage,
        extents: Mapping[str, Extent],
        columns: Sequence[sp.Symbol],
        name: str,
        namer: Namer,
    ) -> None:
        super().__init__(stage, namer, WORDS)
        self.extents, self.columns, self.name = extents, columns, name
        self.reads = tuple(dict.fromkeys(r.value for _, r in stage.reads))
        self.writes = tuple(dict.fromkeys(w.value for w in stage.writes))
        self.pointers = {v: self.fresh(plain(v)) for v in (*self.reads, *self.writes)}
        self.loaded = {symbol: self.fresh(f"{plain(r.value)}_at") for symbol, r in stage.reads}
        self.words |= self.loaded

    def made(self) -> Kernel:
        axes, sizes = range(self.axes), [f"n{a}" for a in range(self.axes)]
        self.varying |= {position(a) for a in axes}
        places = {position(a): f"i{a}.to(real)" for a in axes}
        places |= {size(a): f"tl.full((1,), n{a}, real)" for a in axes}
        before, inside = self.statements(_Printer, places)
        text = "\n".join([*before, *inside])
        found = set(re.findall(r"\w+", text))
        used = [(k, s) for k, s in enumerate(self.columns) if self.words.get(s) in found]
        body = ["blocks = (cells + BLOCK - 1) // BLOCK"]
        body += ["at = tl.program_id(0) % blocks * BLOCK + tl.arange(0, BLOCK)", "there = at < cells"]
        body += [*self.indices(), *self.channels()]
        body += [f"{self.words[s]} = tl.load(numbers + {k})" for k, s in used]
        loop: list[str] = []
        for symbol, read in self.stage.reads:
            loop += self.load(self.loaded[symbol], read)
        loop += [*before, *inside]
        values = [self.words[w.symbol] for w in self.stage.writes]
        if self.stage.summed:
            count = max(self.extents[v].channels for v in self.reads)
            sums = [self.fresh(f"sum_of_{plain(w.value)}") for w in self.stage.writes]
            body += [f"{s} = 0.0" for s in sums]
            body += [f"for channel in tl.static_range({count}):", *("    " + line for line in loop)]
            body += [f"    {s} += {v}" for s, v in zip(sums, values, strict=True)]
            values = sums
        else:
            body += loop
        for write, value in zip(self.stage.writes, values, strict=True):
            body.append(self.store(write.value, write.channel, value))
        if any(re.search(r"\breal\b", line) for line in body):
            body.insert(0, f"real = {next(iter(self.pointers.values()))}.dtype.element_ty")
        handed = ["numbers", *self.pointers.values(), *sizes, "cells", "BLOCK: tl.constexpr"]
        doc = f"{', '.join(plain(v) for v in self.writes)}, of a block of cells."
        return Kernel(
            self.reads, self.writes, Function(self.name, handed, "None", doc, body, ["@triton.jit"])
        )

    def indices(self) -> list[str]:
        """Where cells are in the image, by axis; those of the frame before it have negative numbers."""
        lines, rest = [], "at"
        for axis in reversed(range(self.axes)):
            wide = self.stage.wide[axis]
            whole = f"(n{axis} + {2 * wide})" if wide else f"n{axis}"
            found = rest if axis == 0 else f"{rest} % {whole}"
            lines.append(f"i{axis} = {found}{f' - {wide}' if wide else ''}")
            rest = f"{rest} // {whole}"
        return lines

    def channels(self) -> list[str]:
        if self.stage.summed or self.stage.channels == 1:
            channel = [] if self.stage.summed else ["channel = 0"]
            return ["image = tl.program_id(0).to(tl.int64) // blocks", *channel]
        count = self.stage.channels
        return [
            f"image = tl.program_id(0).to(tl.int64) // blocks // {count}",
            f"channel = tl.program_id(0) // blocks % {count}",
        ]

    def load(self, name: str, read: Read) -> list[str]:
        """A value at other cells, as rules say; what no rule knows is 0."""
        own, place, lines, counts, factors = self.extents[read.value], "", [], ["there"], []
        for axis, (d, rule) in enumerate(zip(read.offset, read.rules, strict=True)):
            at = f"i{axis} {'+' if d > 0 else '-'} {abs(d)}" if d else f"i{axis}"
            wide, whole = own.wide[axis], f"n{axis}"
            if wide:
                at, whole = f"{at} + {wide}", f"(n{axis} + {2 * wide})"
            kind = 0 if wide else code(rule)
            if kind or d or self.stage.wide[axis]:
                lines.append(f"k{axis}, j{axis} = mirrored({at}, {whole}, {kind % 8}, {kind // 8})")
                counts.append(f"j{axis}")
                if kind % 8 == 4:
                    factors.append(f"tl.where(({at} >= 0) & ({at} < {whole}), 1, -1)")
                at = f"k{axis}"
            place = f"{place if place.isidentifier() else f'({place})'} * {whole} + {at}" if place else at
        of = str(read.channel) if read.channel is not None else "channel" if own.channels > 1 else ""
        lead = f"(image * {own.channels} + {of})" if own.channels > 1 else "image"
        where = f"{self.pointers[read.value]} + {lead} * {self.cells(own)} + {place}"
        loaded = f"tl.load({where}, mask={' & '.join(counts)}, other=0)"
        return [*lines, f"{name} = {' * '.join([loaded, *factors])}"]

    def store(self, value: str, channel: int | None, text: str) -> str:
        own = self.extents[value]
        of = str(channel) if channel is not None else "channel" if own.channels > 1 else ""
        lead = f"(image * {own.channels} + {of})" if own.channels > 1 else "image"
        return f"tl.store({self.pointers[value]} + {lead} * cells + at, {text}, mask=there)"

    def cells(self, own: Extent) -> str:
        sizes = [f"(n{a} + {2 * w})" if w else f"n{a}" for a, w in enumerate(own.wide)]
        return f"({' * '.join(sizes)})" if len(sizes) > 1 else sizes[0]


_BY_EXP: dict[str, Callable[[sp.Expr], sp.Expr]] = {
    "tanh": lambda x: 2 / (1 + sp.exp(-2 * x)) - 1,
    "sinh": lambda x: (sp.exp(x) - sp.exp(-x)) / 2,
    "cosh": lambda x: (sp.exp(x) + sp.exp(-x)) / 2,
    "tan": lambda x: sp.sin(x) / sp.cos(x),
}


class _Printer(LinePrinter):
    """Numbers of the text have the type of the arrays that they meet; where they meet none, they are told."""

    def _print(self, expr: sp.Basic, **options: Any) -> str:
        if isinstance(expr, sp.Expr) and expr.is_number and not expr.is_Rational:
            return self._print_Rational(sp.Rational(float(expr)))
        return str(super()._print(expr, **options))

    def branch(self, expr: sp.Basic) -> str:
        """What a choice chooses; of numbers alone it would be in single precision."""
        text = self._print(expr)
        return f"tl.full((1,), {text}, real)" if isinstance(expr, sp.Expr) and expr.is_number else text

    def _print_Rational(self, expr: sp.Rational) -> str:
        text = number(expr)
        return f"({text})" if "/" in text or text.startswith("-") else text

    def _print_Mul(self, expr: sp.Mul) -> str:
        text = super()._print_Mul(expr)
        return text.replace("real(1)", "1.0")

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        if expr.exp == sp.S.Half:
            return f"tl.sqrt({self._print(expr.base)})"
        if not (2 * expr.exp).is_Integer and not (expr.exp.is_number and expr.exp.is_negative):
            logarithm = self._print(sp.log(expr.base)) if expr.base.is_number else ""
            logarithm = logarithm or f"tl.log({self._print(expr.base)})"
            return f"tl.exp({self.parenthesize(expr.exp, 50)} * {logarithm})"
        text = super()._print_Pow(expr)
        return text.replace("real(1)", "1.0").replace("math.sqrt", "tl.sqrt")

    def _print_Function(self, expr: sp.Expr) -> str:
        name, arguments = type(expr).__name__, [str(self._print(a)) for a in expr.args]
        if name in ("exp", "log", "sin", "cos", "erf"):
            return f"tl.{name}({arguments[0]})"
        if name in _BY_EXP:
            return f"({self._print(_BY_EXP[name](expr.args[0]))})"
        if name == "Where":
            return f"tl.where({arguments[0]}, {', '.join(map(self.branch, expr.args[1:]))})"
        if name == "AwayFromZero":
            return f"largest({arguments[0]}, tiny({arguments[0]}, {arguments[1]}))"
        if name == "projection":
            a, b, square = arguments
            return f"tl.where({square} < tiny({square}, 1), 0.0, {a} * {b} / {square})"
        raise EmissionError(f"There is no kernel of Triton for the function {name}.")

    def _print_Abs(self, expr: sp.Abs) -> str:
        return f"tl.abs({self._print(expr.args[0])})"

    def _print_sign(self, expr: sp.sign) -> str:
        text = self._print(expr.args[0])
        one, zero = self.branch(sp.S.One), self.branch(sp.S.Zero)
        return f"(tl.where({text} > 0, {one}, {zero}) - tl.where({text} < 0, {one}, {zero}))"

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        (value, condition), *others = expr.args
        if condition == sp.true or not others:
            return self.branch(value)
        rest = sp.Piecewise(*others, evaluate=False) if len(others) > 1 else others[0][0]
        return f"tl.where({self._print(condition)}, {self.branch(value)}, {self.branch(rest)})"

    def _print_Relational(self, expr: sp.Rel) -> str:
        left, right = (self.parenthesize(a, PRECEDENCE["Relational"] + 1) for a in expr.args)
        return f"({left} {expr.rel_op} {right})"

    def _print_Not(self, expr: sp.Basic) -> str:
        return f"(~{self._print(expr.args[0])})"

    def _joined(self, operator: str, expr: sp.Basic) -> str:
        return f"({operator.join(str(self._print(a)) for a in expr.args)})"
