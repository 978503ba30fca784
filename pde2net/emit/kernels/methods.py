"""Cells and U-nets for numba: the torch module, whose methods ask kernels first, one pass each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.emit.base import Emitter, Request
from pde2net.emit.cell import CellEmitter
from pde2net.emit.kernels.drive import CONSTANTS, DRIVE, HIDDEN, METHODS, REGISTER, THREADS
from pde2net.emit.kernels.engine import LIBRARIES, OPTIONS, SWEEP
from pde2net.emit.kernels.tables import Tables, Trip
from pde2net.emit.kernels.text import (
    called_after,
    equal,
    functions_of_lines,
    library,
    limits,
    listed,
    sizes_of,
    smallest,
    tables,
    tuple_of,
)
from pde2net.emit.kernels.transfers import NORM, TRANSFERS
from pde2net.emit.kernels.tridiagonal import LANES, OPERATOR, SCHEMA, TRIDIAGONAL
from pde2net.emit.parse import parse
from pde2net.emit.precondition import PreconditionerEmitter
from pde2net.emit.torch_expressions import TorchPrinter, number
from pde2net.emit.tree import Class, Definition, Function
from pde2net.emit.unet import UNetEmitter
from pde2net.emit.unet_operator import OperatorEmitter
from pde2net.errors import EmissionError
from pde2net.graph.network import block, node_of
from pde2net.graph.nodes import (
    Convolution,
    Gaussian,
    Operator,
    Pointwise,
    Smooth,
    TransposedConvolution,
    Tridiagonal,
)
from pde2net.program.coarsen import uniform
from pde2net.program.extents import Extent, extents
from pde2net.program.passes import Journey, single
from pde2net.program.records import Function as Described
from pde2net.program.records import Let, Program, Squares
from pde2net.scheme.unet import UNet

ON_GRIDS = "on grids: "  # how methods of operators are called among those of cells
RELAXED, DEFECT, CORRECTED, RHS = "relaxed", "defect", "corrected", "right-hand side"
TIES = "ties"
TINY = sp.Symbol("smallest divisor", positive=True)  # of quotients that are not 0
SIGN = sp.Symbol("sign of N", real=True)  # -1 for a defect


@dataclass(frozen=True)
class Method:
    """A function as one pass, its parameters in the order in which they are handed, distances of its grid."""

    journey: Journey
    given: tuple[str, ...]
    distances: str


class Methods:
    """The passes of a network, with the tables and functions of lines of all."""

    def __init__(self, request: Request, program: Program) -> None:
        graph = request.graph.graph
        self.dimension, self.channels = len(request.axes), graph["channels"]
        self.values: Mapping[sp.Symbol, sp.Expr] = graph["values"]
        self.factors = [sp.Symbol(f"difference along {a}", positive=True) for a in range(self.dimension)]
        self.why = ""
        self.found: dict[str, Method] = {}
        if request.kept is not None:
            raise EmissionError("There are no kernels of cells that keep what is trained stable yet.")
        if graph["architecture"] == "u-net":
            self._of_operator(request, program)
        else:
            self._of_cell(program)
            if program.operator is not None:
                self._of_operator(request, program.operator)
        nodes = (node_of(request.graph, n) for n in block(request.graph))
        self.lined = any(isinstance(node, Tridiagonal) for node in nodes)
        if not self.found and not self.lined:
            raise EmissionError(self.why or "There are no kernels of this cell yet.")
        own = (m.journey.flat.calls for m in self.found.values())
        used = {s for calls in own for call in calls for s in call.stage.numbers}
        self.columns = [*sorted(used - {*self.factors}, key=str), *self.factors]
        self.slots: list[str] = []
        self.trips: dict[str, Trip] = {}
        self.order: dict[str, tuple[list[int], list[int]]] = {}  # of what is handed in and returned
        made: Tables | None = None
        for name, method in self.found.items():
            made = made or Tables(method.journey, self.columns)
            flat, (leg,) = method.journey.flat, method.journey.forward
            names = dict.fromkeys([*method.given, *flat.results])
            places = {array: len(self.slots) + k for k, array in enumerate(names)}
            self.slots += [sizes_of(flat.extents[a], self.dimension) for a in names]
            self.trips[name] = replace(made, journey=method.journey).trip(leg, places)
            self.order[name] = ([places[a] for a in method.given], [places[a] for a in flat.results])
        self.tables, self.lines = (list(made.tables), list(made.lines.values())) if made else ([], [])

    # -- what has kernels ------------------------------------------------------------------------

    @property
    def state(self) -> Extent:
        return Extent((0,) * self.dimension, self.channels)

    def _of_cell(self, program: Program) -> None:
        known = self._known(program)
        for function in program.functions:
            if function.name == "known":
                continue
            captured = self._captured(program, function, known) if function.name == "product" else {}
            read = function.read
            own = replace(function, parameters=tuple(p for p in function.parameters if p[0] in read))
            self._add("", own, {v: {**known, **captured}.get(v, self.state) for v in read})

    def _captured(
        self, program: Program, product: Described, known: Mapping[str, Extent]
    ) -> dict[str, Extent]:
        """What a product takes of the body around it."""
        whole = program["forward"]
        made = extents(whole, {v: known.get(v, self.state) for v, _ in whole.parameters})
        return {v: made[v] for v, _ in product.parameters[1:] if v in made}

    def _of_operator(self, request: Request, program: Program) -> None:
        known = self._known(program)
        for function in self._on_grids(request, program):
            try:
                placed = uniform(function, self.factors)
            except EmissionError as error:
                self.why = str(error)
                continue
            frozen = self.found.get(f"{ON_GRIDS}frozen")
            made = {} if frozen is None else frozen.journey.flat.extents
            results = self._results(program, frozen)
            own = {r: replace(made[a], wide=made[a].wide[-self.dimension :]) for r, a in results}
            *captured, (state, _) = function.parameters
            if captured and function.name == "product":
                if not all(v in own for v, _ in captured):
                    continue
                known = {**known, **own}
            given = {v: known.get(v, self.state) for v, _ in placed.parameters}
            first = [state, *(v for v in given if v != state)]
            placed = replace(placed, parameters=tuple((v, v) for v in first))
            self._add(ON_GRIDS, placed, {v: given[v] for v in first})

    @staticmethod
    def _results(program: Program, frozen: Method | None) -> Iterator[tuple[str, str]]:
        return zip(program["frozen"].results, frozen.journey.flat.results if frozen else (), strict=False)

    def _on_grids(self, request: Request, program: Program) -> Iterator[Described]:
        """The functions of an operator, what is handed on first; a sweep and rhs -+ N(v) of U-nets."""
        yield from sorted((f for f in program.functions if f.name != "known"), key=lambda f: f.name)
        unet = request.update
        if not isinstance(unet, UNet) or "linearised" not in program:
            return
        whole = program["linearised"]
        state, (value, diagonal) = whole.parameters[-1][0], whole.results
        v, r, h, n, d = (sp.Symbol(f"_{w}", real=True) for w in "vrhnd")
        fed = {"_v": state, "_r": RHS, "_h": TIES, "_n": value, "_d": diagonal}
        tied = self._tied(request)
        left, below = (n + h * v, d + h) if tied else (n, d)

        def ended(name: str, function: Described, expression: sp.Expr) -> Described:
            used = {s.name for s in expression.free_symbols}
            inputs = tuple((slot, a) for slot, a in fed.items() if slot in used)
            let = Let((name,), Pointwise((expression,), "step"), inputs, (name,))
            parameters = ((RHS, "rhs"), *[(TIES, "ties")] * tied, *function.parameters)
            return Described(name, parameters, (*function.body, let), (name,))

        yield ended(DEFECT, program["forward"], r + SIGN * left)
        damping, change = self._damping(request), (r - left) / below
        if damping is not None:
            change = sp.Piecewise((0, sp.Abs(below) < TINY), (change, True)) if unet.steady else change
            yield ended(RELAXED, whole, v + damping * change)

    @staticmethod
    def _tied(request: Request) -> bool:
        """Whether cells are tied to known ones."""
        nodes = (node_of(request.graph, n) for n in block(request.graph))
        return any(isinstance(node, Operator) and node.weighted for node in nodes)

    @staticmethod
    def _damping(request: Request) -> sp.Expr | None:
        """That of a Jacobi sweep."""
        nodes = (node_of(request.graph, n) for n in block(request.graph))
        smooth = next((n for n in nodes if isinstance(n, Smooth)), None)
        return smooth.damping if smooth is not None and smooth.kind == "jacobi" else None

    def _known(self, program: Program) -> dict[str, Extent]:
        """Known data: what a network computes once, and fields."""
        whole = program["known"]
        made = extents(whole, {v: self.state for v, _ in whole.parameters})
        return {v: made.get(v, self.state) for v, _ in program.data}

    def _add(self, prefix: str, function: Described, given: Mapping[str, Extent]) -> None:
        try:
            if self.channels > 1 and any(v for v in given if given[v].channels != self.channels):
                raise EmissionError("There are no kernels of cells whose channels share data yet.")
            if any(isinstance(op, Gaussian) and op.sigma.free_symbols for op in function.ops):
                raise EmissionError("There are no kernels of cells that smooth by a parameter yet.")
            made = single(function, given, self.values)
            if not {*made.flat.results} <= {a for leg in made.forward for a in leg.results}:
                return
            self.found[prefix + function.name] = Method(
                made, tuple(given), _distances(function) if prefix else ""
            )
        except EmissionError as error:
            self.why = str(error)

    # -- text ------------------------------------------------------------------------------------

    def definitions(self) -> list[Definition]:
        texts = (SWEEP, THREADS, DRIVE, HIDDEN, METHODS) if self.found else (THREADS, HIDDEN)
        before = functions_of_lines(self.lines) if self.found else library([])
        return [*before, *(d for text in texts for d in parse(text))]

    def constants(self) -> list[str]:
        lines = ["", OPTIONS, *CONSTANTS, *([LANES, SCHEMA] if self.lined else [])]
        if not self.found:
            return lines
        lines += ["", "# How to read these: see sweep and travel."]
        lines += [*tables(self.tables, self.lines), *listed("ARRAYS", equal(self.slots))]
        rows = []
        for name, trip in self.trips.items():
            least = tuple_of(smallest([self.tables[trip.table]], self.dimension))
            passed = tuple_of([trip.table, 0, tuple_of(trip.given), tuple_of(trip.results)])
            entry = tuple_of([passed, *map(tuple_of, self.order[name]), least])
            rows.append(f'    "{name}": {entry},')
        return [*lines, *limits(list(self.trips.values()), self.lines), "METHODS = {", *rows, "}"]


def _distances(function: Described) -> str:
    """What differences on a grid are over those of the finest, by axis, as the grid has them."""
    banks = [op.bank for op in function.ops if isinstance(op, Convolution | TransposedConvolution)]
    banks += [op.node.bank for op in function.ops if isinstance(op, Squares)]
    kinds = {d.stencil.half for bank in banks for d in bank.differences}
    if len(kinds) > 1:
        raise EmissionError("There are no kernels of differences at cells and at half-points on grids yet.")
    return "()" if not kinds else "grid.edges" if kinds.pop() else "grid.centred"


class Asking(Emitter):
    """An emitter whose methods ask kernels first."""

    methods: Methods
    prefix = ""

    def asked(
        self, name: str, arrays: Sequence[str], several: bool = False, tied: Sequence[str] = ()
    ) -> list[str]:
        key = self.prefix + name
        if key not in self.methods.found:
            return []
        flat = self.methods.found[key].journey.flat
        used = {s for call in flat.calls for s in call.stage.numbers}
        printer = self.of_numbers()
        last = len(self.methods.columns) - self.dimension
        tiny = f"16 * torch.finfo({arrays[0]}.dtype).tiny"
        own = {TINY: tiny, SIGN: "sign"}
        texts = (own.get(s) or printer.doprint(s) for s in self.methods.columns[:last])
        numbers = [text if s in used else "0.0" for s, text in zip(self.methods.columns, texts, strict=False)]
        found = self.namer.identifier("found", [*self.names.values(), *self.data.values(), *arrays])
        grid = [f"grid, {self.methods.found[key].distances}"] if self.prefix else []
        handed = ", ".join([f'"{key}"', tuple_of(arrays), tuple_of(numbers), *grid])
        call = f"{'on_grid' if grid else 'by_kernels'}({handed})"
        returned = found if several else f"{found}[0]"
        if tied:
            returned = ", ".join(t.format(f"{found}[{k}]") for k, t in enumerate(tied))
        return [f"{found} = {call}", f"if {found} is not None:", f"    return {returned}"]

    def of_numbers(self) -> TorchPrinter:
        return self.printer({})


class _OnGrids(Asking, OperatorEmitter):
    prefix = ON_GRIDS

    def of_numbers(self) -> TorchPrinter:
        return self.grid_printer({})


class KernelPreconditioner(_OnGrids, PreconditionerEmitter):
    def __init__(self, request: Request, program: Program, methods: Methods) -> None:
        self.methods = methods
        super().__init__(request, program)


class _Whole(Asking):
    """The emitter of a module."""

    def __init__(self, request: Request, program: Program, *, methods: Methods) -> None:
        self.methods = methods
        super().__init__(request, program)

    def libraries(self) -> list[str]:
        return [*LIBRARIES, *super().libraries()]

    def functions(self) -> list[Definition]:
        return [*super().functions(), *self.methods.definitions()]

    def constants(self) -> list[str]:
        return [*super().constants(), *self.methods.constants()]


class KernelCell(_Whole, CellEmitter):
    def solvers(self) -> list[Definition]:
        """Tridiagonal systems by elimination, where kernels apply."""
        found = super().solvers()
        if not self.methods.lined:
            return found
        known = (replace(d, name="solve_by_reduction") if d.name == "solve_tridiagonal" else d for d in found)
        return [*known, *parse(REGISTER), *parse(TRIDIAGONAL)]

    def text(self, definitions: list[Definition]) -> str:
        return called_after(super().text(definitions), OPERATOR, "lines")

    def preconditioner_of(self, request: Request, operator: Program) -> PreconditionerEmitter:
        return KernelPreconditioner(request, operator, self.methods)


class KernelUNet(_Whole, _OnGrids, UNetEmitter):
    @property
    def fused(self) -> frozenset[str]:
        own = (RELAXED, DEFECT)
        return frozenset(name for name in own if ON_GRIDS + name in self.methods.found) | {CORRECTED}

    @property
    def residual(self) -> str:
        return "net.operator.defect(v, rhs, grids[0])" if DEFECT in self.fused else super().residual

    def grid_definitions(self) -> list[Definition]:
        """What leads from grid to grid, by kernels where these apply."""
        known = super().grid_definitions()
        known = [replace(d, name="pooled_by_torch") if d.name == "pooled" else d for d in known]
        return [*known, *parse(TRANSFERS)]

    def _helpers(self) -> list[Function | Class]:
        """The norm too, where kernels apply."""
        known = super()._helpers()
        known = [replace(d, name="norm_by_torch") if d.name == "norm" else d for d in known]
        return [*known, *parse(NORM)]

    def more(self) -> list[Function]:
        """A sweep, and the defect, each in one loop."""
        change = "quotient(rhs - value, diagonal)" if self.unet.steady else "(rhs - value) / diagonal"
        assert self.smoother is not None or RELAXED not in self.fused
        found = []
        arguments = ("self", "v: Tensor", "rhs: Tensor", "grid: Grid")
        if RELAXED in self.fused:
            damping = self.smoother.damping if self.smoother else sp.S.One
            body = ["value, diagonal = self.linearised(v, grid)"]
            body.append(f"return v + {change if damping == 1 else f'{number(damping)} * {change}'}")
            body = [*self.asked(RELAXED, self._arrays(RELAXED)), *body]
            found.append(Function(RELAXED, arguments, "Tensor", "v after a sweep of damped Jacobi.", body))
        if DEFECT in self.fused:
            body = [*self.asked(DEFECT, self._arrays(DEFECT)), "return rhs + sign * self(v, grid)"]
            signed, doc = (*arguments, "sign: float = -1.0"), "rhs + sign N(v)."
            found.append(Function(DEFECT, signed, "Tensor", doc, body))
        return found

    def _arrays(self, name: str) -> list[str]:
        """What a sweep or a defect is made from."""
        own = {RHS: "rhs", TIES: "grid.held", **{slot: f'grid.known["{v}"]' for slot, v in self.data.items()}}
        _, *others = self.methods.found[ON_GRIDS + name].given
        return ["v", *(own[slot] for slot in others)]
