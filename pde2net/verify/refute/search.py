"""The search for an input that violates a claim, by running candidates through the network in batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.graph.build import explicit_steps
from pde2net.graph.interpret import WIDE, Interpreter
from pde2net.graph.network import Graph, depth, repeats, shortened
from pde2net.normalise.form import DivergenceForm, SystemForm
from pde2net.verify.refute.ascent import CELLS, ascend
from pde2net.verify.refute.candidates import Candidate, candidates, sizes

HUGE = 1e300
PARTS = (16, 256, 4096)  # passes of deep networks that are run before all
STEPS = 3000  # of deep networks, run in one search
SHALLOW = 4  # steps of a network that is run as a whole; of deeper ones a step comes first
NUDGES = tuple(1 + k * 1e-12 for k in (1, -1, 2, -2, 3, -3))  # of an input that counts
# Nodes evaluated, as an interpreter counts its work: about 40 000 in a second.
ONE = 4_000  # in one search
ALL = 8_000  # in all searches for one certificate, though
LEAST = 800  # in each
MOST = 50_000  # entries of the states that are run together

Fields = Mapping[str, Array]
Outputs = tuple[Array, Array]


@dataclass
class Shared:
    """What the searches for one certificate share: the work that is left, and what was run before."""

    left: float = field(default_factory=lambda: ALL)
    interpreters: dict[Graph, Interpreter] = field(default_factory=dict)
    outputs: dict[tuple[Graph, str, tuple[int, ...], bytes], Outputs] = field(default_factory=dict)
    beginnings: dict[tuple[Graph, int], Graph] = field(default_factory=dict)

    def interpreter(self, graph: Graph, values: Mapping[sp.Symbol, sp.Expr]) -> Interpreter:
        if graph not in self.interpreters:
            self.interpreters[graph] = Interpreter(graph, values)
        return self.interpreters[graph]

    def beginning(self, graph: Graph, count: int) -> Graph:
        """The first passes of a network."""
        if (graph, count) not in self.beginnings:
            found = shortened(graph, count)
            self.beginnings[graph, count] = found
            self.interpreters[found] = Interpreter(found, self.interpreters[graph].values)
        return self.beginnings[graph, count]

    def run(self, graph: Graph, states: Array, fields: Fields, data: str) -> Outputs:
        """The outputs of a network for a batch, and for which of them an iteration ended with an error."""
        key = (graph, data, states.shape, states.tobytes())
        if key not in self.outputs:
            self.outputs[key] = self.interpreters[graph].batch(states, fields, data)
        return self.outputs[key]


class Runs:
    """Runs states through a network, and remembers for which inputs an iteration ended with an error.

    `data` is the name of a known field that each state is itself, "" for none.
    """

    def __init__(
        self, run: Callable[[Array, Fields, str], Outputs], fields: Fields, inputs: int, data: str
    ) -> None:
        self.run, self.fields, self.data = run, fields, data
        self.failed: Array = np.zeros(inputs, dtype=bool)

    def __call__(self, states: Array) -> Array:
        """The outputs for the inputs, or for as many states of each of them in turn."""
        outputs, failed = self.run(states, self.fields, self.data)
        self.failed = self.failed | failed.reshape(len(self.failed), -1).any(axis=1)
        return outputs


# How much each input of a batch violates a claim about the network that is run.
Violation = Callable[[Runs, Array], Array]


@dataclass(frozen=True)
class Hit:
    """An input that violates a claim, when it is run through the whole network.

    pattern  None if it was optimised
    stated  what is reported of it, if it was not searched for
    """

    pattern: Candidate | None
    u0: Array
    fields: Fields
    network: Interpreter
    values: Mapping[sp.Symbol, sp.Expr]
    excess: float
    stated: Mapping[str, Any] | None = None
    data: str = ""

    @property
    def runs(self) -> Runs:
        """Runs this one input."""
        return Runs(self.network.batch, self.fields, 1, self.data)


@dataclass(frozen=True)
class Search:
    """Runs inputs through one step and then through the whole network of a declaration.

    step        the graph of the first part of the network
    tau         the step, an expression in parameters
    amplitudes  of the patterns that are tried
    shared      by all searches for one certificate
    data        the name of a known field that the input is too, "" for none
    """

    semi: Semidiscrete | SemidiscreteSystem
    step: Graph
    network: Graph
    tau: sp.Expr
    amplitudes: tuple[float, ...]
    shared: Shared = field(default_factory=Shared)
    data: str = ""

    def about(self, claim: str) -> Search:
        """The search for a counterexample to one claim."""
        return self

    @property
    def declared(self) -> Sequence[tuple[float, float]]:
        """The ranges of the unknowns, within which counterexamples lie; empty if none is declared."""
        return [(float(a), float(b)) for a, b in self.semi.form.problem.ranges or ()]

    def first(
        self, violation: Violation, margin: float, most_cells: int, *used: Interpreter, copies: int = 1
    ) -> Hit | None:
        """The smallest pattern that violates, else what ascent finds from the most promising ones.

        The work of the interpreters that `violation` uses besides its own counts too; `copies` is how many
        states these run for each input.
        """
        runner = _Runner(self, violation, margin, used)
        try:
            return self._first(runner, most_cells, MOST // copies)
        finally:
            self.shared.left -= runner.spent

    def _first(self, runner: _Runner, most_cells: int, most: int) -> Hit | None:
        best: list[tuple[float, Array]] = []
        previous = max(self.semi.roomy) - 1
        together = 1  # most violations are found by the first patterns
        for n in sizes(self.semi):
            cells = n ** len(self.semi.spacing)
            if cells > most_cells:
                break
            fitting = [c for c in candidates(self.semi, self.amplitudes) if n <= c.largest]
            while fitting and not runner.late:
                chunk = max(1, min(together, most // cells))
                some, fitting = fitting[:chunk], fitting[chunk:]
                together *= 4
                states = np.stack([c.on(n) for c in some])
                found = runner.first_violation(states)
                hit = runner.hit(some, states, found)
                if hit is not None and hit.pattern is not None:
                    return runner.shrunk(hit, hit.pattern, previous, n)
                if states[0].size <= CELLS:
                    best += [(v, u0) for v, u0 in zip(found, states, strict=True) if np.isfinite(v)]
            previous = n
        for _, u0 in sorted(best, key=lambda entry: -entry[0])[:4]:
            if not runner.affords_gradient:
                break
            u0 = ascend(runner.first_violation, u0, lambda: runner.late)
            hit = runner.hit([None], u0[None])
            if hit is not None:
                return hit
        return None


@dataclass(frozen=True)
class Stated(Search):
    """Finds the counterexample that is stated for a claim, and nothing else.

    With it a certificate is derived again; that counterexamples are some was checked before (pde2net.audit).
    """

    witnesses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claim: str = ""

    def about(self, claim: str) -> Search:
        return replace(self, claim=claim)

    def first(
        self, violation: Violation, margin: float, most_cells: int, *used: Interpreter, copies: int = 1
    ) -> Hit | None:
        witness = self.witnesses.get(self.claim)
        if witness is None:
            return None
        values = sample_values(self.semi, self.network)
        network = Interpreter(self.network, values)
        u0 = np.array(witness["u0"], dtype=float)
        fields = {name: np.array(v, dtype=float) for name, v in witness.get("fields", {}).items()}
        return Hit(None, u0, fields, network, values, witness["excess"], witness, self.data)


class _Runner:
    """Interpreters of one step and of the network, with the limits of a search."""

    def __init__(
        self, search: Search, violation: Violation, margin: float, used: Sequence[Interpreter]
    ) -> None:
        self.search, self.violation, self.margin = search, violation, margin
        self.values = sample_values(search.semi, search.network)
        self.depth = depth(search.network)
        self.whole = self.depth <= SHALLOW or self.depth == depth(search.step)
        self.first = search.network if self.whole else search.step
        self.steps = max(STEPS, self.depth)
        self.allowed = max(LEAST, min(ONE, search.shared.left))
        self.dearest = 0.0
        self.shared, self.used = search.shared, used
        for graph in (self.first, search.network):
            self.shared.interpreter(graph, self.values)
        self.before = self.work

    @property
    def work(self) -> float:
        return sum(run.work for run in (*self.shared.interpreters.values(), *self.used))

    @property
    def spent(self) -> float:
        return self.work - self.before

    @property
    def late(self) -> bool:
        return self.spent > self.allowed

    def fields(self, u0: Array) -> dict[str, Array]:
        """Known fields are inputs too; 0 makes fidelity terms homogeneous."""
        form = self.search.semi.form
        like = u0[0] if len(form.problem.equations) > 1 else u0  # those of a system have one channel
        found = {f.name: np.full_like(like, neutral(f)) for f in form.fields}
        return {**found, self.search.data: u0} if self.search.data else found

    def first_violation(self, states: Array) -> Array:
        """By how much the inputs violate the claim: about a step of deep networks, about shallow ones."""
        return self.measured(self.first, states)

    def measured(self, graph: Graph, states: Array) -> Array:
        """A network that stops with an error violates nothing."""
        before = self.spent
        runs = Runs(partial(self.shared.run, graph), self.fields(states[0]), len(states), self.search.data)
        with np.errstate(all="ignore"):
            found = self.violation(runs, states)
        self.dearest = max(self.dearest, self.spent - before)
        return np.where(runs.failed, -np.inf, found)

    @property
    def affords_gradient(self) -> bool:
        """Whether enough is left for the gradient of the violation, taken by differences."""
        return self.spent + 2 * self.dearest < self.allowed

    def hit(
        self, patterns: Sequence[Candidate | None], states: Array, found: Array | None = None
    ) -> Hit | None:
        """The first input that violates the claim about the whole network; deep ones are run a few times.

        found  by how much the inputs violate it at first, if that is known
        """
        found = self.first_violation(states) if found is None else found
        found = np.where(admitted(states, self.search.declared), found, -np.inf)
        chosen = np.flatnonzero(found > self.margin)
        if not len(chosen):
            return None
        if not self.whole:
            for part in self.parts:
                chosen = chosen[self.measured(part, states[chosen]) > self.margin]
                if not len(chosen):
                    return None
            self.steps -= self.depth
            if self.steps < 0:
                return None
            found = np.full(len(states), -np.inf)
            found[chosen] = self.measured(self.search.network, states[chosen])
        for k in map(int, np.flatnonzero(found > self.margin)):
            if self.lasts(states[k], float(found[k])):
                u0, excess = states[k], float(found[k])
                network = self.shared.interpreters[self.search.network]
                fields = self.fields(u0)
                return Hit(patterns[k], u0, fields, network, self.values, excess, data=self.search.data)
        return None

    @cached_property
    def parts(self) -> list[Graph]:
        """The beginnings of a deep network, in which a violation that fades away is seen to do so."""
        count = repeats(self.search.network)[0].count
        return [self.shared.beginning(self.search.network, k) for k in PARTS if k < count]

    def lasts(self, u0: Array, found: float) -> bool:
        """Whether it is more than the last digits of the input, as in tan(1e12), or overflow on the way."""
        if np.isinf(found):
            return self.leaves_all_numbers(u0)
        nudged = np.stack([u0 * n for n in NUDGES])
        return bool((self.measured(self.search.network, nudged) > self.margin).all())

    def leaves_all_numbers(self, u0: Array) -> bool:
        """Whether the output is infinite or none, and not just what floating point makes of it.

        Decided by one explicit step where the network is no stack.
        """
        graph = self.search.network
        if graph.graph["architecture"] != "residual stack":
            graph = explicit_steps(self.search.semi, self.search.tau, 1)
            if np.isfinite(Interpreter(graph, self.values)(u0, self.fields(u0))).all():
                return True
        try:
            output = Interpreter(graph, self.values, WIDE)(u0, self.fields(u0))
        except ZeroDivisionError:
            return True
        except (OverflowError, ValueError):
            return False
        return any(not isinstance(v, mpmath.mpf) or not abs(v) < HUGE for v in output.flat)

    def shrunk(self, hit: Hit, candidate: Candidate, low: int, high: int) -> Hit:
        """The same pattern on the smallest grid of more than `low` cells per axis, by bisection."""
        while high - low > 1 and not self.late:
            middle = (low + high) // 2
            smaller = self.hit([candidate], candidate.on(middle)[None])
            if smaller is None:
                low = middle
            else:
                hit, high = smaller, middle
        return hit


def sample_values(semi: Semidiscrete | SemidiscreteSystem, graph: Graph) -> dict[sp.Symbol, sp.Expr]:
    """1, or -1 if it is negative, for every parameter without a value: one value refutes the claim."""
    known = graph.graph["values"]
    free = {s for h in semi.spacing + semi.origin for s in h.free_symbols}
    free |= set(semi.form.problem.symbols)
    return {s: -sp.S.One if s.is_nonpositive else sp.S.One for s in sorted(free, key=str) if s not in known}


def admitted(states: Array, declared: Sequence[tuple[float, float]]) -> Array:
    """Which of the states lie in the declared ranges; those of a system have a channel for each."""
    found = np.ones(len(states), dtype=bool)
    for k, (lower, upper) in enumerate(declared):
        values = (states if len(declared) == 1 else states[:, k]).reshape(len(states), -1)
        found &= (values.min(axis=1) >= lower) & (values.max(axis=1) <= upper)
    return found


def testable(form: DivergenceForm | SystemForm) -> bool:
    """Whether the values that known fields have in a search are among those that are declared."""
    return all(lower <= neutral(f) <= upper for f, (lower, upper) in form.intervals.items())


def neutral(field: sp.Symbol) -> float:
    """0, unless the field was declared to be positive or negative."""
    return 1.0 if field.is_positive else -1.0 if field.is_negative else 0.0
