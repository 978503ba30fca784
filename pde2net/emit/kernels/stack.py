"""A residual stack for numba: the torch module, which has passes over memory for images on the CPU."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import sympy as sp

from pde2net.emit.base import Request
from pde2net.emit.kernels.drive import (
    ARRAYS,
    CONSTANTS,
    DRIVE,
    HIDDEN,
    OPERATORS,
    REGISTER,
    THREADS,
    schemas,
)
from pde2net.emit.kernels.engine import LIBRARIES, OPTIONS, SWEEP
from pde2net.emit.kernels.tables import Tables, Trip
from pde2net.emit.kernels.text import (
    called_after,
    equal,
    functions_of_lines,
    limits,
    listed,
    numbered,
    range_of,
    sizes_of,
    smallest,
    tables,
    tuple_of,
)
from pde2net.emit.parse import parse
from pde2net.emit.stack import StackEmitter
from pde2net.emit.torch_expressions import number
from pde2net.emit.tree import Class, Definition, Function
from pde2net.errors import EmissionError
from pde2net.graph.network import node_of, repeats
from pde2net.graph.nodes import CHANNEL_SUM, Gaussian, Pointwise
from pde2net.program.parts import network
from pde2net.program.passes import Journey, Leg, journey
from pde2net.program.records import Program, Transform
from pde2net.scheme.registry import table_of
from pde2net.scheme.stack import TAU

# A model of caches. Steps in a pass at most, and in one that keeps what derivatives need, by dimension; fewer
# where rings have more rows than ROWS, 4 MiB of 4096 numbers, or where rows are made so late that bands of
# threads, which make LATE rows twice, were too few.
STEPS = {1: (20, 8), 2: (40, 16), 3: (10, 4)}
ROWS, LATE = 256, 48
OPERATOR = "net_of_this_text"


def planned(request: Request, program: Program, rows: bool = True) -> Journey:
    """The passes of a network, which go by `rows` or make whole arrays.

    Raises EmissionError for operations that have no kernels.
    """
    graph, update = request.graph, request.update
    trained = set(request.trainable)
    if request.kept is not None and request.kept.norms:
        raise EmissionError("There are no kernels of networks that bound the norms of their filters yet.")
    own = program.parameters
    symbols = [p.symbol for p in own if p.symbol.name in trained or p.transform != Transform.IDENTITY]
    weights = [w for w in update.stages[0] if table_of(w) in trained]
    weights += [w for w, e in update.stages[0].items() if sp.sympify(e).free_symbols.intersection(symbols)]
    weights += [t for repeat in repeats(graph) for t, _ in repeat.clock if TAU in symbols]
    whole, dimension = network(graph, request.axes), len(request.axes)
    handed = whole, dimension, graph.graph["channels"], symbols, weights, graph.graph["values"]
    most = request.steps or STEPS[dimension]
    made = journey(*handed, most, rows)
    if request.steps or not rows:
        return made
    steps = _fewer(made, made.forward, most[0]), _fewer(made, (*made.keeping, *made.backward), most[1])
    return made if steps == most else journey(*handed, steps, rows)


def _fewer(made: Journey, legs: Sequence[Leg], most: int) -> int:
    """Steps of which rings are small enough: their rows grow a little faster than the steps."""
    share, of = 1.0, made.flat.extents
    depth = max(map(len, made.flat.places))
    inner = [{c.line for c in leg.calls if len(made.flat.places[c.line]) == depth} for leg in legs]
    steps = max(map(len, inner), default=most)
    for own in (leg.made for leg in legs):
        count = sum(ring.rows * of[ring.array].channels for ring in own.rings if ring.carried is None)
        late = max(turn.lag for turn in own.turns)
        share = min(share, (ROWS / max(count, 1)) ** 0.75, LATE / max(late, 1))
    return most if share == 1 else max(2, int(steps * share))


class PassesEmitter(StackEmitter):
    """The torch module whose network asks passes first; it runs without them where these do not apply."""

    def __init__(self, request: Request, program: Program, *, journey: Journey) -> None:
        super().__init__(request, program)
        self.journey = journey
        self.numbered = self._symbols()
        legs = (*journey.keeping, *journey.backward)
        self.slots = numbered([*journey.flat.parameters, *journey.kept, *_arrays(legs)], 0)
        own = numbered([*journey.given, *_arrays(journey.forward)], len(self.slots))
        self.plain = {a: self.slots[a] if a in journey.given else k for a, k in own.items()}
        self.legs = {
            "forward": (journey.forward, self.plain),
            "keeping": (journey.keeping, self.slots),
            "backward": (journey.backward, self.slots),
        }
        self.field_names = [self.names[v.rpartition(".")[2]] for v in journey.given[1:]]

    def _symbols(self) -> list[sp.Symbol]:
        """The numbers of a line."""
        flat = self.journey.flat
        used = set().union(*(call.stage.numbers for call in flat.calls), (s for _, s in flat.totals))
        return sorted(used, key=str)

    # -- text ------------------------------------------------------------------------------------

    def checks(self) -> list[str]:
        """The kernels follow the checks."""
        handed = ", ".join(["u", *self.field_names])
        found = self.namer.identifier("found", [*self.names.values(), *self.data.values()])
        return [
            *super().checks(),
            f"{found} = self.by_kernels({handed})",
            f"if {found} is not None:",
            f"    return {self.finished(found)}",
        ]

    def network(self) -> Class:
        made = super().network()
        return replace(made, members=[*made.members, self._by_kernels(), self._numbers()])

    @abstractmethod
    def tabled(self) -> tuple[list[str], dict[str, Sequence[Trip]], list[str]]:
        """Lines of the module for passes, before what all have, and after; trips forward and backward."""

    def constants(self) -> list[str]:
        before, trips, after = self.tabled()
        flat = self.journey.flat
        slope, end = self.slots[flat.parameters[-1]], flat.results[0]
        arrays = [*self.slots, *sorted(self.plain, key=lambda a: self.plain[a])]
        results = self.plain[end], self.slots.get(end, 0)
        lines = ["", *schemas(OPERATOR), *before]
        lines += [f"# Derivatives by torch: {self.journey.why}"] if self.journey.why else []
        lines += listed("ARRAYS", equal([sizes_of(flat.extents[a], self.dimension) for a in arrays]))
        lines += [line for name, own in trips.items() for line in listed(name.upper(), _regular(own))]
        lines += [f"GIVEN = {tuple_of([self.slots[a] for a in self.journey.given])}"]
        lines += [f"RESULTS = {tuple_of(results)}"]
        lines += [f"KEPT = {range_of([self.slots[a] for a in self.journey.kept])}", f"SLOPE = {slope}"]
        cotangents = [self.slots[a] for a in flat.results[1:] if a] if trips["backward"] else []
        lines += [f"COTANGENTS = {tuple_of(cotangents)}", f"LINES = {len(flat.places)}"]
        return [*super().constants(), *lines, *after]

    def text(self, definitions: list[Definition]) -> str:
        return called_after(super().text(definitions), OPERATOR, "net")

    def _by_kernels(self) -> Function:
        names = self.field_names
        doc = "The state after all steps, by passes over memory; None where these do not apply."
        arguments = ["self", "u: Tensor", *(f"{n}: Tensor" for n in names)]
        body = []
        if self.channels > 1 and names and self._sums_of_data():
            shapes = ", ".join(f"{n}.shape[1]" for n in names)
            body += [f"if {{{shapes}}} != {{u.shape[1]}}:", "    return None"]
        for owner, value in self._widths():
            body += [f"if not is_still({owner}, {number(value)}):", "    return None"]
        body += [f"fields = [{', '.join(f'{n}.expand_as(u)' for n in names)}]", "numbers = self.numbers()"]
        body += ["keep = is_kept((u, *fields, numbers))"]
        body += ["if not suited(u, fields, numbers, keep):", "    return None"]
        body += ["return advance(u, fields, numbers, keep)[0]"]
        return Function("by_kernels", arguments, "Tensor | None", doc, body)

    def _sums_of_data(self) -> bool:
        """Whether channels of known data are summed: those of one channel are not as many equal ones."""
        ops = (op for op in self.program["known"].ops if isinstance(op, Pointwise))
        return any(op.role == CHANNEL_SUM for op in ops)

    def _widths(self) -> list[tuple[str, sp.Expr]]:
        """The parameters that widths of Gaussians have, and their values, which are numbers in kernels."""
        nodes = [node_of(self.graph, name) for name in self.graph]
        used = set().union(*(n.sigma.free_symbols for n in nodes if isinstance(n, Gaussian)))
        owners = "(block.{} for block in self.blocks)" if self.own else "(self.block.{},)"
        kept = sorted(used.intersection(self.scalars), key=str)
        return [(owners.format(self.scalar_name(s)), self.value(s)) for s in kept]

    def _numbers(self) -> Function:
        """The method that fills the matrix of numbers, with the loops of the forward method."""
        first, owner = (
            ("self.blocks[0]." if self.own else "self.block."),
            "block." if self.own else "self.block.",
        )
        zero = {
            **dict.fromkeys(self.weights, "0.0"),
            **({self.clock: "0.0"} if self.clock is not None else {}),
        }
        body = [f"lines = [{self._entries(first, zero)}]"]
        depth = max(map(len, self.journey.flat.places))
        begin, start, after = self._times(first)
        indent = "" if self.stack.repeated else "    "
        if self.own and not self.stack.repeated and not self.per_cycle:
            body.append("blocks = iter(self.blocks)")
        body += [line.replace(", device=u.device", "") for line in begin]
        if self.per_cycle:
            body.append("for block in self.blocks:")
        elif not self.stack.repeated:
            body.append(f"for {'_' if self.clock is None else self.counter} in range(self.cycles):")
        now = {} if self.clock is None else {self.clock: self.now}
        inner = [*start]
        if depth > 1:
            own = "self.block." if not self.own else "block." if self.per_cycle else "self.blocks[0]."
            inner.append(f"lines.append({self._entries(own, {**zero, **now})})")
        loop, block, ends = self._stages()
        weights = {}
        for weight in self.weights:
            weights[weight] = self.weight_names[weight]
            if weight not in self.tables:
                weights[weight] = self.printer({}, owner).doprint(self.stack.stages[0][weight])
        if self.clock is not None:
            weights[self.clock] = self._clock_of_stage()
        inner += loop
        if block == "next(blocks)":
            inner.append("    block = next(blocks)")
        inner.append(f"    lines.append({self._entries(owner, weights)})")
        body += [indent + line for line in (*inner, *ends, *after)]
        named = ", ".join(map(str, self.numbered)) or "nothing"
        doc = f"What each step computes with, a line for each: {named}."
        return Function("numbers", ["self"], "Tensor", doc, [*body, "return matrix(lines)"])

    def _entries(self, owner: str, own: dict[sp.Symbol, str]) -> str:
        printer = self.printer({}, owner)
        found = [own[s] if s in own else printer.doprint(s) for s in self.numbered]
        return tuple_of(found)


class KernelEmitter(PassesEmitter):
    """Passes by rows, for numba."""

    def __init__(self, request: Request, program: Program, *, journey: Journey) -> None:
        super().__init__(request, program, journey=journey)
        self.made = Tables(journey, self.numbered)
        self.trips = {name: self.made.trips(*own) for name, own in self.legs.items()}

    def libraries(self) -> list[str]:
        return [*LIBRARIES, *super().libraries()]

    def functions(self) -> list[Definition]:
        texts = (SWEEP, THREADS, DRIVE, ARRAYS, HIDDEN, REGISTER, OPERATORS)
        after = [d for text in texts for d in parse(text)]
        return [*super().functions(), *functions_of_lines(list(self.made.lines.values())), *after]

    def tabled(self) -> tuple[list[str], dict[str, Sequence[Trip]], list[str]]:
        functions, printed = list(self.made.lines.values()), list(self.made.tables)
        before = [OPTIONS, *CONSTANTS, "", "# How to read these: see sweep and travel."]
        after = limits([trip for own in self.trips.values() for trip in own], functions)
        after += [f"SMALLEST = {tuple_of(smallest(printed, self.dimension))}"]
        return [*before, *tables(printed, functions)], {**self.trips}, after


def _arrays(legs: Sequence[Leg]) -> Iterator[str]:
    """What is in memory between passes, in order."""
    return (a for leg in legs for a in (*leg.given, *leg.results))


def _regular(trips: Sequence[Trip]) -> Iterator[str]:
    """Entries of a tuple; trips whose numbers grow by the same steps as one expression."""
    rest = [(t.table, t.line, *t.given, None, *t.results) for t in trips]
    shapes = [(len(t.given), len(t.results)) for t in trips]
    k = 0
    while k < len(rest):
        count, steps = 1, tuple[int, ...]()
        while k + count < len(rest) and shapes[k + count] == shapes[k]:
            new = tuple(
                b - a for a, b in zip(_whole(rest[k + count - 1]), _whole(rest[k + count]), strict=True)
            )
            if new[0] or (steps and new != steps):
                break
            count, steps = count + 1, new
        if count < 4:
            count, steps = 1, ()
        yield _trip(trips[k], steps, count)
        k += count


def _whole(numbers: Iterable[int | None]) -> list[int]:
    return [n for n in numbers if n is not None]


def _trip(trip: Trip, steps: Sequence[int], count: int) -> str:
    numbers = (trip.table, trip.line, *trip.given, *trip.results)
    said = [
        f"{n}{' + ' if step > 0 else ' - '}{f'{abs(step)} * ' if abs(step) > 1 else ''}k" if step else str(n)
        for n, step in zip(numbers, steps or (0,) * len(numbers), strict=True)
    ]
    split = 2 + len(trip.given)
    entry = tuple_of([*said[:2], tuple_of(said[2:split]), tuple_of(said[split:])])
    return entry if count == 1 else f"*({entry} for k in range({count}))"
