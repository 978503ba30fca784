"""From a function with loops to the calls of its stages, one after the other, each for arrays of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pde2net.graph.nodes import Pointwise
from pde2net.program.extents import Extent, extents
from pde2net.program.fuse import fuse
from pde2net.program.kernels import Read, Stage, Write
from pde2net.program.records import Function, Let, Loop, Reversed, Total

Weights = Mapping[sp.Symbol, sp.Expr]


@dataclass(frozen=True)
class Call:
    """A stage whose values are these arrays, or sums over cells, with the weights of its pass of loops."""

    stage: Stage
    arrays: Mapping[str, str]
    weights: Weights


@dataclass(frozen=True)
class Flat:
    """Calls in order.

    parameters  the arrays that are handed in
    results     the array of each result, or the numbers that it is the sum of, each times a factor
    extents     of all arrays
    """

    calls: tuple[Call, ...]
    parameters: tuple[str, ...]
    results: tuple[str | tuple[tuple[sp.Expr, str], ...], ...]
    extents: Mapping[str, Extent]


def flatten(function: Function, given: Mapping[str, Extent]) -> Flat:
    """`given` has the extents of the parameters. Raises EmissionError as `fuse` does."""
    flat = _Flattening(function, given)
    names = {v: v for v, _ in function.parameters}
    results = tuple(flat.run(function, names, {}))
    return Flat(tuple(flat.calls), tuple(names), results, flat.of)


Terms = tuple[tuple[sp.Expr, str], ...]
Found = str | Terms


class _Flattening:
    def __init__(self, function: Function, given: Mapping[str, Extent]) -> None:
        self.calls: list[Call] = []
        self.of: dict[str, Extent] = dict(given)
        self.used: dict[str, int] = {}
        self.fused: dict[tuple[int, int], tuple[tuple[Stage, ...], dict[str, Extent]]] = {}

    def run(self, function: Function, names: Mapping[str, str], weights: Weights) -> list[Found]:
        """Call what a function is made of, for the arrays of its parameters; its results."""
        found: dict[str, Found] = dict(names)
        for place, part in enumerate(_parts(function)):
            if isinstance(part, Function):
                self.segment((id(function), place), part, found, weights)
            elif isinstance(part.op, Loop):
                found[part.outputs[0]] = self.states(part, found, weights)[-1]
            elif isinstance(part.op, Reversed):
                found |= zip(part.outputs, self.reversed(part.op, part, found, weights), strict=True)
            elif isinstance(part.op, Pointwise):
                found[part.outputs[0]] = _sum_of_numbers(part.op.expressions[0], part.fed, found)
        return [found[v] for v in function.results]

    def segment(
        self, key: tuple[int, int], part: Function, found: dict[str, Found], weights: Weights
    ) -> None:
        """Operations without loops between."""
        given = {v: self.of[str(found[v])] for v, _ in part.parameters}
        if key not in self.fused:
            self.fused[key] = fuse(part, given), extents(part, given)
        stages, known = self.fused[key]
        for stage in stages:
            for value in dict.fromkeys(w.value for w in stage.writes):
                found[value] = self.fresh(value, known[value])
            self.call(stage, found, weights)
        totals = {w.value for stage in stages for w in stage.writes if w.total}
        found |= {v: ((sp.S.One, str(found[v])),) for v in totals}

    def states(self, let: Let, found: Mapping[str, Found], weights: Weights) -> list[Found]:
        """The states before each pass of a loop, and that after the last one."""
        loop: Loop = let.op.loop if isinstance(let.op, Reversed) else let.op  # type: ignore[assignment]
        states = [found[let.fed["start"]]]
        for number in range(loop.repeat.count):
            names, own = self.handed(loop, let, found, states, number, weights)
            states += self.run(loop.body, names, own)
        return states

    def handed(
        self,
        loop: Loop,
        let: Let,
        found: Mapping[str, Found],
        states: Sequence[Found],
        number: int,
        weights: Weights,
    ) -> tuple[dict[str, str], Weights]:
        """What the body of a loop is handed in a pass, and the weights of the pass."""
        own = {s: sp.sympify(e).xreplace(dict(weights)) for s, e in loop.repeat.weights(number).items()}
        state = loop.body.parameters[0][0]
        given = {state: states[number], loop.previous: states[max(number - 1, 0)]}
        names = {v: str(given.get(v) or found[let.fed[v]]) for v, _ in loop.body.parameters}
        return names, {**weights, **own}

    def reversed(self, op: Reversed, let: Let, found: Mapping[str, Found], weights: Weights) -> list[Found]:
        """From the last pass to the first; cotangents of what all passes are handed are added up."""
        loop, states = op.loop, self.states(let, found, weights)
        cotangents: list[Found | None] = [None] * len(states)
        cotangents[-1] = found[let.fed["cotangent"]]
        values = [v for v, _ in loop.body.parameters]
        sums: dict[object, Found | None] = {}
        for number in reversed(range(loop.repeat.count)):
            names, own = self.handed(loop, let, found, states, number, weights)
            handed_in = op.backward.parameters[len(values) :]
            names |= {v: str(cotangents[number + 1]) for v, _ in handed_in}
            slopes = self.run(op.backward, names, own)
            of_values = dict(zip(values, slopes, strict=False))
            cotangents[number] = self.sum(cotangents[number], of_values.pop(values[0]))
            if loop.previous:
                before = max(number - 1, 0)
                cotangents[before] = self.sum(cotangents[before], of_values.pop(loop.previous))
            rest = slopes[len(values) :]
            of_symbols = dict[object, Found](zip(op.symbols, rest, strict=False))
            weighted = zip(sorted(loop.repeat.symbols, key=str), rest[len(op.symbols) :], strict=True)
            for weight, slope in weighted:
                for symbol in op.symbols:
                    inner = own[weight].diff(symbol)
                    of_symbols[symbol] = self.sum(of_symbols[symbol], _times(slope, inner)) or ()
            for key, slope in (*of_values.items(), *of_symbols.items()):
                sums[key] = self.sum(sums.get(key), slope)
        return [cotangents[0] or "", *(sums[key] or () for key in sums)]

    def sum(self, a: Found | None, b: Found | None) -> Found | None:
        """Of arrays by a stage of its own, of numbers as terms."""
        if not a or not b:
            return a or b
        if not isinstance(a, str) and not isinstance(b, str):
            return (*a, *b)
        extent = self.of[str(a)]
        made = self.fresh("sum", extent)
        self.call(_added(extent), {"a": a, "b": b, "sum": made}, {})
        return made

    def fresh(self, value: str, extent: Extent) -> str:
        number = self.used[value] = self.used.get(value, -1) + 1
        self.of[f"{value}/{number}"] = extent
        return f"{value}/{number}"

    def call(self, stage: Stage, found: Mapping[str, Found], weights: Weights) -> None:
        values = dict.fromkeys([r.value for _, r in stage.reads] + [w.value for w in stage.writes])
        self.calls.append(Call(stage, {v: str(found[v]) for v in values}, weights))


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
