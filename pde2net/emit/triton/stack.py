"""A residual stack for Triton: the torch module, which launches kernels for images on a GPU."""

from __future__ import annotations

from collections.abc import Sequence

from pde2net.emit.base import Request
from pde2net.emit.kernels.drive import ARRAYS, HIDDEN, OPERATORS, REGISTER
from pde2net.emit.kernels.stack import PassesEmitter
from pde2net.emit.kernels.tables import Trip, code
from pde2net.emit.kernels.text import MIRRORED, tuple_of
from pde2net.emit.parse import parse
from pde2net.emit.tree import Definition, Function
from pde2net.emit.triton.cells import Kernel, kernel
from pde2net.emit.triton.text import BLOCK, CELLS, DEVICE, DRIVE, LIBRARIES
from pde2net.program.extents import Extent
from pde2net.program.flatten import Call, made_by, read_by
from pde2net.program.kernels import Stage
from pde2net.program.passes import Journey, Leg
from pde2net.program.records import Program


class TritonEmitter(PassesEmitter):
    """Passes that make whole arrays, a kernel for each of their stages."""

    def __init__(self, request: Request, program: Program, *, journey: Journey) -> None:
        super().__init__(request, program, journey=journey)
        self.kernels: dict[tuple[Stage, tuple[Extent, ...]], Kernel] = {}
        self.printed: list[list[str]] = []
        self.terms = journey.flat.terms_of_totals
        known: dict[int, int] = {}
        self.trips: dict[str, Sequence[Trip]] = {}
        for name, (legs, places) in self.legs.items():
            trips = []
            for leg in legs:
                first = leg.first or leg
                if id(first) not in known:
                    known[id(first)] = len(self.printed)
                    self.printed.append(self.table(first))
                given, results = (tuple(places[a] for a in own) for own in (leg.given, leg.results))
                trips.append(Trip(known[id(first)], leg.line, given, results))
            self.trips[name] = trips

    def table(self, leg: Leg) -> list[str]:
        """The lines of a pass: its kernels, and what it returns."""
        places = {a: k for k, a in enumerate(leg.given)}
        last: dict[str, int] = {}
        for k, call in enumerate(leg.calls):
            last |= dict.fromkeys((*made_by(call), *read_by(call)), k)
        places |= {a: k for k, a in enumerate((a for a in last if a not in places), len(places))}
        kept = {*leg.given, *leg.results}
        lines = []
        for k, call in enumerate(leg.calls):
            free = [places[a] for a in last if last[a] == k and a not in kept]
            lines.append(self.launch(call, leg.line, places, free))
        return [*lines, tuple_of(places[a] for a in leg.results)]

    def launch(self, call: Call, line: int, places: dict[str, int], free: Sequence[int]) -> str:
        number, found = self.kernel_of(call)
        reads = tuple_of(places[call.arrays[v]] for v in found.reads)
        made, sums = [], []
        totals = {w.value for w in call.stage.writes if w.total}
        for value in found.writes:
            array = call.arrays[value]
            own = self.extent(call, value)
            made.append(tuple_of([places[array], own.channels, *own.wide]))
            for row, symbol, factor in self.terms.get(array, ()) if value in totals else ():
                column = self.numbered.index(symbol)
                sums.append(tuple_of([places[array], row - line, column, float(factor)]))
        parts = [number, call.line - line, reads, tuple_of(made), tuple_of(sums)]
        return tuple_of([*parts, tuple_of(free)])

    def extent(self, call: Call, value: str) -> Extent:
        """That of an array that is read or made; values that are summed up are those of all channels."""
        known = self.journey.flat.extents.get(call.arrays[value])
        if known is None or any(w.value == value and w.total for w in call.stage.writes):
            return Extent(call.stage.wide, call.stage.channels)
        return known

    def kernel_of(self, call: Call) -> tuple[int, Kernel]:
        stage = call.stage
        values = dict.fromkeys([*(r.value for _, r in stage.reads), *(w.value for w in stage.writes)])
        extents = {v: self.extent(call, v) for v in values}
        key = stage, tuple(extents.values())
        if key not in self.kernels:
            name = f"kernel_{len(self.kernels)}"
            self.kernels[key] = kernel(stage, extents, self.numbered, name, self.namer)
        return list(self.kernels).index(key), self.kernels[key]

    def smallest(self) -> list[int]:
        """Cells along each axis, of which each beyond the border that is read mirrors one."""
        least = [1] * self.dimension
        for stage, _ in self.kernels:
            for _, read in stage.reads:
                for axis, (d, rule) in enumerate(zip(read.offset, read.rules, strict=True)):
                    if code(rule) % 8 in MIRRORED:
                        least[axis] = max(least[axis], abs(d) + stage.wide[axis] + code(rule) // 8)
        return least

    # -- text ------------------------------------------------------------------------------------

    def libraries(self) -> list[str]:
        return [*super().libraries(), *LIBRARIES]

    def functions(self) -> list[Definition]:
        kernels = [own.text for own in self.kernels.values()]
        names = tuple_of(own.text.name for own in self.kernels.values())
        chosen = Function("kernel_of", ["number: int"], "Callable", "", [f"return {names}[number]"])
        after = [d for text in (DRIVE, ARRAYS, HIDDEN, REGISTER, OPERATORS) for d in parse(text)]
        return [*super().functions(), *parse(CELLS), *kernels, chosen, *after]

    def tabled(self) -> tuple[list[str], dict[str, Sequence[Trip]], list[str]]:
        lines = ["TABLES = ["]
        for *launches, returned in self.printed:
            lines += ["    (", "        [", *(f"            {text}," for text in launches), "        ],"]
            lines += [f"        {returned},", "    ),"]
        channels = tuple_of(1 if stage.summed else stage.channels for stage, _ in self.kernels)
        after = [f"CHANNELS = {channels}", f"SMALLEST = {tuple_of(self.smallest())}"]
        return [DEVICE, BLOCK, "", "# How to read these: see travel.", *lines, "]"], self.trips, after
