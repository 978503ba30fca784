"""Modules with learned filters for numba: those of torch, which ask kernels for K^T phi(K u)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pde2net.emit.base import Emitter, Request
from pde2net.emit.cell import CellEmitter
from pde2net.emit.filters import borders, convolving, has_odd, is_split
from pde2net.emit.kernels.drive import CONSTANTS, HIDDEN, REGISTER, THREADS
from pde2net.emit.kernels.engine import LIBRARIES, OPTIONS
from pde2net.emit.kernels.filters import FILTERS, RESPONSES, SPLINES, SUMMING, adding, group_of, summing
from pde2net.emit.kernels.lines import line
from pde2net.emit.kernels.text import called_after, library, tuple_of
from pde2net.emit.parse import parse
from pde2net.emit.stack import StackEmitter
from pde2net.emit.statements import Printer, Scope, statements
from pde2net.emit.torch_expressions import TorchPrinter, number
from pde2net.emit.tree import Definition, Function
from pde2net.errors import EmissionError
from pde2net.graph.nodes import Spline
from pde2net.program import name as naming
from pde2net.program.differentiate import differentiate
from pde2net.program.extents import Extent
from pde2net.program.fuse import fuse
from pde2net.program.guard import guard
from pde2net.program.kernels import Stage
from pde2net.program.names import Namer
from pde2net.program.records import Activation, Program
from pde2net.program.records import Function as Described
from pde2net.program.share import share

LONGEST = "LONGEST = 1024  # cells of a tile, which with what is made of them are in the first cache"
OPERATOR = "filters_of_this_text"
SCHEMAS = [
    f'ACTIVATED = "{OPERATOR}(int kind, Tensor weight, Tensor[] arrays, Tensor numbers) -> Tensor"',
    f'PRODUCTS = "{OPERATOR}_products(int kind, Tensor weight, Tensor[] arrays, Tensor numbers, '
    'Tensor slope) -> Tensor[]"',
]


class Activations:
    """The activations of a network, and the functions of lines for phi and its product.

    Raises EmissionError if there are none, or one has a function that kernels do not have.
    """

    def __init__(self, program: Program) -> None:
        found = dict.fromkeys(op for f in program.functions for op in f.ops if isinstance(op, Activation))
        if not found:
            raise EmissionError(
                "There are no kernels of this use of learned filters yet: of averages (scale), or with "
                "diffusivities that a cycle freezes."
            )
        self.program, self.ops = program, tuple(found)
        self.flux = [_stage(op.flux, op) for op in self.ops]
        made = [_product(op) for op in self.ops]
        self.products = [_stage(function, op) for function, op in zip(made, self.ops, strict=True)]
        self.results = [function.results for function in made]

    def named(self, namer: Namer) -> dict[Activation, str]:
        """The functions that are called."""
        names: dict[Activation, str] = {}
        for op in self.ops:
            names[op] = namer.identifier(f"activated_by_{op.node.operator}", names.values())
        return names


def _product(op: Activation) -> Described:
    """phi, and the cotangents of responses and of numbers for that of phi."""
    made = differentiate(op.flux, op.symbols)
    return replace(made, results=(*op.flux.results, *made.results))


def _stage(function: Described, op: Activation) -> Stage:
    """A function of numbers as one loop."""
    stages = fuse(guard(function), {v: Extent((0,), 1) for v, _ in function.parameters})
    if len(stages) != 1:
        raise EmissionError(f"There is no kernel of the activation of {op.node.operator}.")
    return stages[0]


class _Printed:
    """The text of one activation, number `k`."""

    def __init__(self, k: int, activations: Activations, name: str, namer: Namer) -> None:
        op = activations.ops[k]
        self.k, self.op, self.name, self.namer = k, op, name, namer
        self.axes, self.taps = len(op.node.boundary), op.node.kernel_size
        lines = op.node.channels * self.taps ** (self.axes - 1)
        self.group, self.spread = group_of(op.node.out_channels, self.taps), group_of(lines, self.taps)
        self.arrays = op.responses
        self.pieces = [v for v, _ in op.flux.parameters[len(self.arrays) :]]  # slope, offset of each spline
        self.flux = self.of_lines(activations.flux[k], f"flux_{k}")
        self.product = self.of_lines(activations.products[k], f"slopes_{k}")
        self.stages = activations.flux[k], activations.products[k]
        self.results = activations.results[k]

    def of_lines(self, stage: Stage, name: str) -> Function:
        made = line(stage, [(i,) for i in range(len(stage.reads))], self.op.symbols, self.namer)
        return replace(made.text, name=name)

    def functions(self) -> list[Definition]:
        """For phi and its product, and loops over tiles."""
        more = self.taps - 1
        middle = f"{more} : m + {more}" if more else ":m"
        p = f"p[{middle}]"
        places = {"cotangent:0": "s[own, :m]"}
        places |= {v: f"q[{a * self.group} + own, :m]" for a, v in enumerate(self.arrays)}
        places |= {v: f"pieces[{k}, :m]" for k, v in enumerate(self.pieces)}
        numbers = len(self.op.symbols)
        rows = [f"p[own, {middle}]"]
        rows += [f"t[{a * self.group} + own, {middle}]" for a in range(len(self.arrays))]
        rows += [f"of[{numbers + k}, :m]" for k in range(len(self.pieces))]
        rows += [f"of[{k}, :m]" for k in range(numbers)]
        found = parse(
            RESPONSES,
            k=str(self.k),
            group=str(self.group),
            spread=str(self.spread),
            arrays=str(len(self.arrays)),
            splines=bool(self.op.splines),
            numbers=str(numbers),
            kinds=str(len(self.op.splines)),
            of=str(numbers + len(self.pieces)),
            find=list(self.found()),
            gather=list(self.gathered()),
            more=str(more),
            of_q=", ".join(f"own[{g}, :m]" for g in range(self.group)),
            of_z=", ".join(f"own[{g}, :m]" for g in range(self.spread)),
            of_p=", ".join(f"p[{g}, {middle}]" for g in range(self.group)),
            of_t=", ".join(f"t[a * {self.group} + {g}, {middle}]" for g in range(self.group)),
            flux=self.call(self.flux, self.stages[0], places, {self.op.flux.results[0]: p}),
            slopes=self.call(
                self.product, self.stages[1], places, dict(zip(self.results, rows, strict=False))
            ),
        )
        return [self.flux, self.product, *found]

    def tables(self) -> Iterator[tuple[int, int, int, Spline]]:
        """The splines: which, the column where its slopes begin, its response, itself."""
        column = len(self.op.symbols)
        for k, (spline, response) in enumerate(self.op.splines):
            yield k, column, response, spline
            column += 4 * (spline.pieces + 1)

    def found(self) -> Iterator[str]:
        """Statements that find pieces, slopes and offsets of the responses of a filter."""
        for k, column, a, spline in self.tables():
            count = spline.pieces + 1
            table = f"numbers[c, {column} : {column + 4 * count}]"
            q, width = f"q[{a * self.group} + own, :m]", number(spline.width)
            made = [f"places[{k}, :m]", f"pieces[{2 * k}, :m]", f"pieces[{2 * k + 1}, :m]"]
            yield f"find(m, {', '.join([q, table, width, *made])})"

    def gathered(self) -> Iterator[str]:
        """Statements that add up derivatives by slopes and offsets of pieces."""
        numbers = len(self.op.symbols)
        for k, column, _, spline in self.tables():
            rows = (f"of[{numbers + 2 * k + j}]" for j in range(2))
            found = f"of_numbers[c, {column} : {column + 4 * (spline.pieces + 1)}]"
            yield f"gather(n, {', '.join(rows)}, places[{k}], {found})"

    @staticmethod
    def call(function: Function, stage: Stage, reads: dict[str, str], writes: dict[str, str]) -> str:
        handed = [*(reads[r.value] for _, r in stage.reads), *(writes[w.value] for w in stage.writes)]
        return f"{function.name}({', '.join(['m', 'numbers[c]', *handed])})"

    def in_torch(self, scope: Scope) -> Function:
        """The function that is called: by kernels, or by convolutions where these do not apply."""
        several = len(self.arrays) > 1
        arrays = [f"u{k}" for k in range(len(self.arrays))] if several else ["u"]
        numbers = [f"c{k}" for k in range(len(self.op.symbols))]
        slopes = [f"slopes{k}" for k in range(len(self.op.splines))]
        responses = [f"response{k}" for k in range(len(self.arrays))] if several else ["response"]
        convolved, transposed = convolving(self.axes, is_split(self.op.node))
        known = dict(zip(self.arrays, responses, strict=True))
        known |= {v: v.replace(":", "") for v in self.pieces}
        taken = [*arrays, *numbers, *slopes, "weight", "out"]
        flux = naming.name(share(self.op.flux), self.namer, known, taken)
        symbols = {s.name: n for s, n in zip(self.op.symbols, numbers, strict=True)}
        own = replace(scope, printer=lambda tensors: TorchPrinter({**symbols, **tensors}, {}))
        sides = has_odd(self.op.node.inner)
        handed_splines = zip(slopes, self.op.splines, strict=True)
        splines = [(s, a, number(spline.width)) for s, (spline, a) in handed_splines]
        tables = [f"torch.cat(odd_pieces({s}, {width}), 1)" for s, _, width in splines]
        found = f"of_filters({tuple_of(numbers)}, {tuple_of(tables)}, weight, {arrays[0]})"
        body = [f"numbers = {found}"]
        after = list[str]()
        for array in arrays:
            before, after = borders(self.op.node.boundary, array, "sides" if sides else "None")
            body += before
        handed = ", ".join(arrays)
        body += [f"if takes(weight, [{handed}], numbers):"]
        body += [f"    out = activated({self.k}, weight, [{handed}], numbers)", "else:"]
        if numbers:
            shape = ", ".join(["-1, len(weight)", *["1"] * self.axes])
            left = ", ".join(numbers) + "," * (len(numbers) == 1)
            columns = f"numbers[..., :{len(numbers)}]" if slopes else "numbers"
            body += [f"    {left} = (c.view({shape}) for c in {columns}.unbind(-1))"]
        body += [f"    {r} = {convolved}({a}, weight)" for r, a in zip(responses, arrays, strict=True)]
        for k, (s, a, width) in enumerate(splines):
            body += [f"    slope{k}, offset{k} = pieces({s}, {responses[a]}, {width})"]
        body += [f"    {text}" for text in statements(flux, own)]
        body += [f"    out = {transposed}({flux.results[0]}, weight)"]
        body += after
        arguments = ["weight: Tensor", *(f"{a}: Tensor" for a in arrays)]
        arguments += [f"{c}: Tensor | float" for c in numbers]
        arguments += [f"{s}: Tensor" for s in (*slopes, *(["sides"] if sides else []))]
        doc = f"K^T phi(K u) of {self.op.node.operator}, by kernels where these apply."
        return Function(self.name, arguments, "Tensor", doc, [*body, "return out"])


class _Activating(Emitter):
    """An emitter of a program with activations."""

    def __init__(self, request: Request, program: Program, *, activations: Activations) -> None:
        self.activations = activations
        super().__init__(request, activations.program)
        names = activations.named(self.namer)
        self.printed = [_Printed(k, activations, names[op], self.namer) for k, op in enumerate(names)]

    def libraries(self) -> list[str]:
        return [*LIBRARIES, *super().libraries()]

    def scope(self, printer: Printer | None = None) -> Scope:
        names = {own.op: own.name for own in getattr(self, "printed", ())}
        return replace(super().scope(printer), activated=names)

    def functions(self) -> list[Definition]:
        taps = sorted({(own.group, own.taps) for own in self.printed})
        both = sorted({(n, own.taps) for own in self.printed for n in (own.group, own.spread)})
        lines = [*(adding(*size) for size in both), *(summing(*size) for size in taps)]
        own = [d for printed in self.printed for d in printed.functions()]
        pairs = (f"(activated_{k}, product_{k})" for k in range(len(self.printed)))
        chosen = Function(
            "kernels_of", ["kind: int"], "tuple[Callable, Callable]", "", [f"return {tuple_of(pairs)}[kind]"]
        )
        after = [d for text in (THREADS, HIDDEN, REGISTER, FILTERS) for d in parse(text)]
        called = [printed.in_torch(self.scope()) for printed in self.printed]
        splines = SPLINES if any(printed.op.splines for printed in self.printed) else ""
        found = library([*parse(SUMMING + splines), *lines, *own])
        return [*super().functions(), *found, chosen, *after, *called]

    def constants(self) -> list[str]:
        groups = (tuple_of([own.group, own.spread]) for own in self.printed)
        beyond = 64 + max(own.taps for own in self.printed)
        zeros = f"ZEROS = {beyond}  # after the cells of an image, which loops read"
        lines = ["", OPTIONS, *CONSTANTS, LONGEST, zeros, *SCHEMAS, f"GROUPS = {tuple_of(groups)}"]
        return [*super().constants(), *lines]

    def text(self, definitions: list[Definition]) -> str:
        return called_after(super().text(definitions), OPERATOR, "filters")


class ActivatedStack(_Activating, StackEmitter):
    pass


class ActivatedCell(_Activating, CellEmitter):
    pass
