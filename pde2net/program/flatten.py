"""From a function with loops to the calls of its stages, one after the other, each for arrays of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import sympy as sp

from pde2net.graph.nodes import Pointwise
from pde2net.program.extents import Extent, extents
from pde2net.program.fuse import fuse
from pde2net.program.kernels import Read, Stage, Write
from pde2net.program.records import Function, Let, Loop, Reversed, Total

Weights = Mapping[sp.Symbol, sp.Expr]
Terms = tuple[tuple[sp.Expr, str], ...]
Found = str | Terms
Place = tuple[int, ...]  # the passes of the loops around, from the outermost on


@dataclass(frozen=True)
class Call:
    """A stage whose values are these arrays, or sums over cells, with the numbers of a line."""

    stage: Stage
    arrays: Mapping[str, str]
    line: int


@dataclass(frozen=True)
class Flat:
    """Calls in order, none of them twice.

    parameters  the arrays that are handed in
    results     the array of each result; "" for derivatives by symbols
    extents     of all arrays
    places      of each line of numbers, which loops have once for each pass: the values of symbols there
                are those of the parameters, or these `weights`
    totals      derivatives of results by the symbol of a line, sums of numbers that calls make
    """

    calls: tuple[Call, ...]
    parameters: tuple[str, ...]
    results: tuple[str, ...]
    extents: Mapping[str, Extent]
    places: tuple[Place, ...]
    weights: tuple[Weights, ...]
    totals: Mapping[tuple[int, sp.Symbol], Terms]

    @property
    def terms_of_totals(self) -> dict[str, list[tuple[int, sp.Symbol, sp.Expr]]]:
        """Of each sum of numbers the derivatives that it is part of: line and symbol, and its factor.

        Derivatives by symbols that occur in one expression alone are one number.
        """
        found: dict[str, list[tuple[int, sp.Symbol, sp.Expr]]] = {}
        for (line, symbol), terms in self.totals.items():
            for factor, name in terms:
                found.setdefault(name, []).append((line, symbol, factor))
        return found


def made_by(call: Call) -> list[str]:
    """The arrays and numbers."""
    return [call.arrays[v] for v in dict.fromkeys(w.value for w in call.stage.writes)]


def read_by(call: Call) -> list[str]:
    return [call.arrays[v] for v in dict.fromkeys(r.value for _, r in call.stage.reads)]


def flatten(function: Function, given: Mapping[str, Extent], symbols: Sequence[sp.Symbol] = ()) -> Flat:
    """`given` has the extents of the parameters; the last results are derivatives by `symbols`.

    Raises EmissionError as `fuse` does.
    """
    flat = _Flattening(given)
    names = {v: v for v, _ in function.parameters}
    found = flat.run(function, names, ())
    for symbol, terms in zip(symbols, found[len(found) - len(symbols) :], strict=True):
        flat.add((), symbol, terms)
    results = tuple(r if isinstance(r, str) else "" for r in found)
    places = flat.places
    return Flat(
        tuple(flat.calls), tuple(names), results, flat.of, tuple(places), tuple(places.values()), flat.totals
    )


class _Flattening:
    def __init__(self, given: Mapping[str, Extent]) -> None:
        self.calls: list[Call] = []
        self.of: dict[str, Extent] = dict(given)
        self.used: dict[str, int] = {}
        self.fused: dict[tuple[int, int], tuple[tuple[Stage, ...], dict[str, Extent]]] = {}
        self.places: dict[Place, Weights] = {(): {}}
        self.lines: dict[Place, int] = {(): 0}
        self.totals: dict[tuple[int, sp.Symbol], Terms] = {}
        self.known: dict[object, str] = {}
        self.parts: dict[tuple[int, tuple[str, ...]], tuple[Stage, Stage]] = {}
        self.same: dict[Stage, Stage] = {}

    def run(self, function: Function, names: Mapping[str, str], place: Place) -> list[Found]:
        """Call what a function is made of, for the arrays of its parameters; its results."""
        found: dict[str, Found] = dict(names)
        for number, part in enumerate(_parts(function)):
            if isinstance(part, Function):
                self.segment((id(function), number), part, found, place)
            elif isinstance(part.op, Loop):
                found[part.outputs[0]] = self.states(part, found, place)[-1]
            elif isinstance(part.op, Reversed):
                found |= zip(part.outputs, self.reversed(part.op, part, found, place), strict=True)
            elif isinstance(part.op, Pointwise):
                found[part.outputs[0]] = _sum_of_numbers(part.op.expressions[0], part.fed, found)
        return [found[v] for v in function.results]

    def segment(self, key: tuple[int, int], part: Function, found: dict[str, Found], place: Place) -> None:
        """Operations without loops between."""
        given = {v: self.of[str(found[v])] for v, _ in part.parameters}
        if key not in self.fused:
            self.fused[key] = fuse(part, given), extents(part, given)
        stages, known = self.fused[key]
        for stage in stages:
            made = dict.fromkeys(w.value for w in stage.writes)
            found |= self.call(stage, found, {v: known[v] for v in made}, place)
        totals = {w.value for stage in stages for w in stage.writes if w.total}
        found |= {v: ((sp.S.One, str(found[v])),) for v in totals}

    def states(self, let: Let, found: Mapping[str, Found], place: Place) -> list[Found]:
        """The states before each pass of a loop, and that after the last one."""
        loop: Loop = let.op.loop if isinstance(let.op, Reversed) else let.op  # type: ignore[assignment]
        states = [found[let.fed["start"]]]
        for number in range(loop.repeat.count):
            names, inner = self.handed(loop, let, found, states, number, place)
            states += self.run(loop.body, names, inner)
        return states

    def handed(
        self,
        loop: Loop,
        let: Let,
        found: Mapping[str, Found],
        states: Sequence[Found],
        number: int,
        place: Place,
    ) -> tuple[dict[str, str], Place]:
        """What the body of a loop is handed in a pass, and the place of the pass."""
        own = {s: sp.sympify(e).xreplace(self.places[place]) for s, e in loop.repeat.weights(number).items()}
        inner = (*place, number)
        self.places.setdefault(inner, {**self.places[place], **own})
        self.lines.setdefault(inner, len(self.lines))
        state = loop.body.parameters[0][0]
        given = {state: states[number], loop.previous: states[max(number - 1, 0)]}
        names = {v: str(given.get(v) or found[let.fed[v]]) for v, _ in loop.body.parameters}
        return names, inner

    def reversed(self, op: Reversed, let: Let, found: Mapping[str, Found], place: Place) -> list[Found]:
        """From the last pass to the first; cotangents of what all passes are handed are added up."""
        loop, states = op.loop, self.states(let, found, place)
        cotangents: list[Found | None] = [None] * len(states)
        cotangents[-1] = found[let.fed["cotangent"]]
        values = [v for v, _ in loop.body.parameters]
        symbols = [*op.symbols, *sorted(loop.repeat.symbols, key=str)]
        sums: dict[str, Found | None] = {}
        for number in reversed(range(loop.repeat.count)):
            names, inner = self.handed(loop, let, found, states, number, place)
            handed_in = op.backward.parameters[len(values) :]
            names |= {v: str(cotangents[number + 1]) for v, _ in handed_in}
            slopes = self.run(op.backward, names, inner)
            of_values = dict(zip(values, slopes, strict=False))
            cotangents[number] = self.sum(cotangents[number], of_values.pop(values[0]), inner)
            if loop.previous:
                before = max(number - 1, 0)
                cotangents[before] = self.sum(cotangents[before], of_values.pop(loop.previous), inner)
            for symbol, slope in zip(symbols, slopes[len(values) :], strict=True):
                self.add(inner, symbol, slope)
            for value, slope in of_values.items():
                sums[value] = self.sum(sums.get(value), slope, inner)
        return [cotangents[0] or "", *(v or () for v in sums.values()), *(() for _ in op.symbols)]

    def add(self, place: Place, symbol: sp.Symbol, terms: Found) -> None:
        """More of the derivative by a number of a line."""
        if terms and not isinstance(terms, str):
            key = self.lines[place], symbol
            self.totals[key] = (*self.totals.get(key, ()), *terms)

    def sum(self, a: Found | None, b: Found | None, place: Place) -> Found | None:
        """Of arrays by a stage of its own, of numbers as terms."""
        if not a or not b:
            return a or b
        if not isinstance(a, str) and not isinstance(b, str):
            return (*a, *b)
        extent = self.of[str(a)]
        return self.call(_added(extent), {"a": a, "b": b}, {"sum": extent}, place)["sum"]

    def call(
        self, stage: Stage, found: Mapping[str, Found], made: Mapping[str, Extent], place: Place
    ) -> dict[str, str]:
        """The arrays that a stage makes; those that are known are not made again."""
        own, new = dict[str, str](), list[str]()
        for value, extent in made.items():
            part = self.part(stage, (value,))
            reads = tuple((r.value, str(found[r.value])) for _, r in part.reads)
            key = part, reads, place if part.numbers else None
            if key not in self.known:
                self.known[key] = self.fresh(value, extent)
                new.append(value)
            own[value] = self.known[key]
        if new:
            whole = self.part(stage, tuple(new))
            values = dict.fromkeys([r.value for _, r in whole.reads] + new)
            arrays = {v: own.get(v) or str(found[v]) for v in values}
            self.calls.append(Call(whole, arrays, self.lines[place]))
        return own

    def part(self, stage: Stage, values: tuple[str, ...]) -> Stage:
        """What makes some of the values; the same object for equal ones."""
        key = id(stage), values
        if key not in self.parts:
            made = stage.only(w for w in stage.writes if w.value in values)
            self.parts[key] = stage, self.same.setdefault(made, made)
        return self.parts[key][1]

    def fresh(self, value: str, extent: Extent) -> str:
        number = self.used[value] = self.used.get(value, -1) + 1
        self.of[f"{value}/{number}"] = extent
        return f"{value}/{number}"


@lru_cache
def _added(extent: Extent) -> Stage:
    inside = (None,) * len(extent.wide)
    a, b, both = (sp.Symbol(f"value of {name}", real=True) for name in ("a", "b", "sum"))
    reads = tuple((s, Read(n, (0,) * len(inside), inside)) for s, n in ((a, "a"), (b, "b")))
    return Stage(reads, ((both, a + b),), (Write("sum", both),), extent.channels, False, extent.wide)


def _times(slope: Found, factor: sp.Expr) -> Terms:
    """A number times a factor."""
    terms = () if isinstance(slope, str) or factor == 0 else slope
    return tuple((factor * a, name) for a, name in terms)


def _sum_of_numbers(expression: sp.Expr, fed: Mapping[str, str], found: Mapping[str, Found]) -> Terms:
    """An expression that is linear in sums over cells."""
    slots = sorted(expression.free_symbols, key=str)
    return tuple(term for s in slots for term in _times(found[fed[s.name]], expression.diff(s)))


def _numbers(let: Let, known: set[str]) -> set[str]:
    """Which outputs are sums over cells."""
    if isinstance(let.op, Reversed):
        return set(let.outputs[len(let.fed) - 1 :])
    summed = isinstance(let.op, Total) or (let.fed and known.issuperset(let.fed.values()))
    return set(let.outputs) if summed else set()


def _parts(function: Function) -> Iterator[Function | Let]:
    """Loops, and what is between them as functions; the first parameter of these is the state."""
    (state, _), *_ = function.parameters
    run: list[Let] = []
    numbers: set[str] = set()  # sums over cells
    for number, let in enumerate((*function.body, None)):
        if let is not None:
            numbers |= _numbers(let, numbers)
            if not isinstance(let.op, Loop | Reversed) and (
                isinstance(let.op, Total) or not numbers.intersection(let.outputs)
            ):
                run.append(let)
                continue
        if run:
            made = {v for part in run for v in part.outputs}
            later = {v for part in function.body[number:] for v in part.fed.values()} | {*function.results}
            taken = dict.fromkeys(v for part in run for v in part.fed.values() if v not in made)
            given = dict.fromkeys([state, *taken])
            results = tuple(v for part in run for v in part.outputs if v in later)
            yield Function(function.name, tuple((v, v) for v in given), tuple(run), results)
        run = []
        if let is not None:
            yield let
