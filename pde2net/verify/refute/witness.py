"""The search for a counterexample, and what is reported of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import mpmath  # type: ignore[import-untyped]  # mpmath has no types
import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.discretise.system import SemidiscreteSystem
from pde2net.errors import ConvergenceError
from pde2net.graph.interpret import WIDE, Interpreter
from pde2net.graph.network import Graph, blocks
from pde2net.graph.nodes import Operator
from pde2net.graph.stack import explicit_steps
from pde2net.verify.refute.ascent import CELLS, ascend, most_expanded
from pde2net.verify.refute.candidates import Candidate, candidates, sizes
from pde2net.verify.refute.measures import bounds, energies, growth, leaves_range, mean_change

__all__ = [
    "Search",
    "Stated",
    "growth",
    "mean_change",
    "neutral",
    "seek",
    "seek_energy",
    "seek_extremum",
    "seek_pair",
]

# A claim counts as violated only beyond what rounding explains.
MARGIN = 1e-9
HUGE = 1e300
STEPS = 3000  # of deep networks, run in one search
SHALLOW = 4  # steps of a network that is itself differentiated
PAIR_MARGIN = 1e-6  # two nearby inputs are known to fewer digits than their difference needs
ENERGY_MARGIN = 1e-6  # of the quadrature
NEARBY = 1e-4
NUDGE = 1e-12  # of an input, after which it must violate the claim still
# Nodes evaluated, as an interpreter counts its work: about 40 000 in a second.
ONE = 30_000  # in one search
ALL = 60_000  # in all searches for one certificate, though
LEAST = 4_000  # in each

Fields = Mapping[str, Array]
Measure = Callable[[Array, Array], float]
Violation = Callable[[Interpreter, Array, Fields], float]


@dataclass(frozen=True)
class Hit:
    """An input that violates a claim, when it is run through the whole network.

    stated  what is reported of it, if it was not searched for
    """

    name: str
    u0: Array
    fields: Fields
    network: Interpreter
    step: Interpreter
    values: Mapping[sp.Symbol, sp.Expr]
    excess: float
    stated: Mapping[str, Any] | None = None


@dataclass
class Budget:
    """The work that is left for the searches of one certificate."""

    left: float = field(default_factory=lambda: ALL)


@dataclass(frozen=True)
class Search:
    """Runs inputs through one step and then through the whole network of a declaration.

    step        the graph of the first part of the network
    tau         the step, an expression in parameters
    amplitudes  of the patterns that are tried
    budget      shared by all searches
    """

    semi: Semidiscrete | SemidiscreteSystem
    step: Graph
    network: Graph
    tau: sp.Expr
    amplitudes: tuple[float, ...]
    budget: Budget = field(default_factory=Budget)

    def about(self, claim: str) -> Search:
        """The search for a counterexample to one claim."""
        return self

    def first(self, violation: Violation, margin: float, most_cells: int, *used: Interpreter) -> Hit | None:
        """The smallest pattern that violates, else what ascent finds from the most promising ones.

        The work of the interpreters that `violation` uses besides its own counts too.
        """
        runner = _Runner(self, violation, margin, used)
        try:
            return self._first(runner, margin, most_cells)
        finally:
            self.budget.left -= runner.spent

    def _first(self, runner: _Runner, margin: float, most_cells: int) -> Hit | None:
        best: list[tuple[float, Array]] = []
        previous = max(self.semi.smallest) - 1
        for n in sizes(self.semi):
            if n ** len(self.semi.spacing) > most_cells:
                break
            for candidate in candidates(self.semi, self.amplitudes):
                if n > candidate.largest or runner.late:
                    continue
                u0 = candidate.on(n)
                found = runner.step_violation(u0)
                hit = runner.hit(str(candidate), u0) if found > margin else None
                if hit is not None:
                    return runner.shrunk(hit, candidate, previous, n)
                if u0.size <= CELLS and np.isfinite(found):
                    best.append((found, u0))
            previous = n
        for _, u0 in sorted(best, key=lambda entry: -entry[0])[:4]:
            if not runner.affords_gradient(u0):
                break
            hit = runner.hit("optimised input", ascend(runner.objective, u0, lambda: runner.late))
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

    def first(self, violation: Violation, margin: float, most_cells: int, *used: Interpreter) -> Hit | None:
        witness = self.witnesses.get(self.claim)
        if witness is None:
            return None
        values = sample_values(self.semi, self.network)
        step, network = (Interpreter(graph, values) for graph in (self.step, self.network))
        u0 = np.array(witness["u0"], dtype=float)
        fields = {name: np.array(v, dtype=float) for name, v in witness.get("fields", {}).items()}
        return Hit("", u0, fields, network, step, values, witness["excess"], witness)


class _Runner:
    """Interpreters of one step and of the network, with the limits of a search."""

    def __init__(
        self, search: Search, violation: Violation, margin: float, used: Sequence[Interpreter]
    ) -> None:
        self.search, self.violation, self.margin = search, violation, margin
        self.values = sample_values(search.semi, search.network)
        self.step = Interpreter(search.step, self.values)
        self.network = Interpreter(search.network, self.values)
        self.depth = len(blocks(search.network))
        self.whole = self.depth == len(blocks(search.step))
        self.steps = max(STEPS, self.depth)
        self.allowed = max(LEAST, min(ONE, search.budget.left))
        self.dearest = 0.0
        self.interpreters = (self.step, self.network, *used)
        self.before = sum(run.work for run in used)

    @property
    def spent(self) -> float:
        return sum(run.work for run in self.interpreters) - self.before

    @property
    def late(self) -> bool:
        return self.spent > self.allowed

    def fields(self, u0: Array) -> dict[str, Array]:
        """Known fields are inputs too; 0 makes fidelity terms homogeneous."""
        form = self.search.semi.form
        like = u0[0] if len(form.problem.equations) > 1 else u0  # those of a system have one channel
        return {f.name: np.full_like(like, neutral(f)) for f in form.fields}

    def step_violation(self, u0: Array) -> float:
        return self.measured(self.step, u0)

    def network_violation(self, u0: Array) -> float:
        return self.measured(self.network, u0)

    def measured(self, run: Interpreter, u0: Array) -> float:
        """A network that stops with an error violates nothing."""
        before = self.spent
        try:
            with np.errstate(all="ignore"):
                return self.violation(run, u0, self.fields(u0))
        except ConvergenceError:
            return -np.inf
        finally:
            self.dearest = max(self.dearest, self.spent - before)

    def affords_gradient(self, u0: Array) -> bool:
        """Whether enough is left for the gradient of the violation, taken by differences."""
        return self.spent + 2 * u0.size * self.dearest < self.allowed

    @property
    def objective(self) -> Callable[[Array], float]:
        """What ascent increases: the violation of the network, of deep ones that of a step."""
        return self.network_violation if self.depth <= SHALLOW else self.step_violation

    def hit(self, name: str, u0: Array) -> Hit | None:
        """The input, if it violates the claim about the whole network; deep ones are run a few times."""
        found = self.step_violation(u0)
        if not self.whole and found > self.margin:
            self.steps -= self.depth
            if self.steps < 0:
                return None
            found = self.network_violation(u0)
        if not found > self.margin:
            return None
        # What the last digits of the input decide, as in tan(1e12), is another output in another library.
        again = self.step_violation if self.whole else self.network_violation
        nudges = (1 + k * NUDGE for k in (1, -1, 2, -2, 3, -3))
        if np.isfinite(found) and not all(again(u0 * n) > self.margin for n in nudges):
            return None
        if np.isinf(found) and not self.leaves_all_numbers(u0):
            return None
        return Hit(name, u0, self.fields(u0), self.network, self.step, self.values, found)

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
            smaller = self.hit(str(candidate), candidate.on(middle))
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


def neutral(field: sp.Symbol) -> float:
    """0, unless the field was declared to be positive or negative."""
    return 1.0 if field.is_positive else -1.0 if field.is_negative else 0.0


def described(hit: Hit, what: str, **more: Any) -> dict[str, Any]:
    """What is reported of a hit: inputs, parameters assumed, by how much, and one line."""
    if hit.stated is not None:
        return dict(hit.stated)
    size = " x ".join(map(str, hit.u0.shape))
    entries: dict[str, Any] = {"u0": hit.u0.tolist(), **more, "excess": hit.excess}
    if hit.values:
        entries["parameters"] = {str(k): str(v) for k, v in hit.values.items()}
    if hit.fields:
        entries["fields"] = {k: v.tolist() for k, v in hit.fields.items()}
    return entries | {"description": f"{hit.name} on {size} cells: {what} {hit.excess:.3g}"}


def seek(search: Search | None, measure: Measure, what: str) -> dict[str, Any] | None:
    """An input for which measure(u0, network(u0)) is positive."""
    hit = _first(search, lambda run, u0, fields: measure(u0, run(u0, fields)))
    return None if hit is None else described(hit, what)


def seek_extremum(search: Search | None, includes_zero: bool) -> dict[str, Any] | None:
    """An input whose range the output leaves, with the offending value and where it is."""
    measure = leaves_range(includes_zero)
    hit = _first(search, lambda run, u0, fields: measure(u0, run(u0, fields)))
    if hit is None:
        return None
    u1 = hit.network(hit.u0, hit.fields)
    low, high = bounds(hit.u0, includes_zero)
    index = np.unravel_index(np.argmax(np.maximum(u1 - high, low - u1)), u1.shape)
    extremum = {"index": [int(i) for i in index], "value": float(u1[index]), "range": [low, high]}
    return described(hit, "range is exceeded by", extremum=extremum)


def seek_pair(search: Search | None) -> dict[str, Any] | None:
    """Two nearby inputs that the network moves apart."""
    if search is None:
        return None
    nested = any(isinstance(data["node"], Operator) for _, data in search.network.nodes(data=True))
    for partner, most in ((_scaled, 2000), (_expanded, CELLS)):
        if partner is _expanded and nested:
            continue  # the derivative of a network of nested grids by differences takes too long

        def violation(run: Interpreter, u0: Array, fields: Fields, partner: Partner = partner) -> float:
            v0 = partner(run, u0, fields)
            return growth(v0 - u0, run(v0, fields) - run(u0, fields))

        hit = search.first(violation, PAIR_MARGIN, most)
        if hit is not None:
            v0 = partner(hit.network, hit.u0, hit.fields)
            return described(hit, "distance to a nearby input grows by", v0=v0.tolist())
    return None


Partner = Callable[[Interpreter, Array, Fields], Array]


def _scaled(run: Interpreter, u0: Array, fields: Fields) -> Array:
    return (1 + NEARBY) * u0


def _expanded(run: Interpreter, u0: Array, fields: Fields) -> Array:
    """u0 moved in the direction that the linearised network expands most."""
    direction = most_expanded(lambda w: run(w, fields), u0)
    return u0 + NEARBY * float(abs(u0).max()) * direction


def seek_energy(search: Search | None) -> dict[str, Any] | None:
    """An input whose energy grows, with its energies before and after."""
    if search is None:
        return None
    one = explicit_steps(search.semi, search.tau, 1)
    step = Interpreter(one, sample_values(search.semi, search.network))
    tau = float(step.number(search.tau))

    def both(run: Interpreter, u0: Array, fields: Fields) -> tuple[float, float] | None:
        return energies(u0, run(u0, fields), lambda w: step(w, fields), tau)

    def violation(run: Interpreter, u0: Array, fields: Fields) -> float:
        found = both(run, u0, fields)
        if found is None:
            return -np.inf
        before, after = found
        return float((after - before) / max(abs(before), abs(after), np.finfo(float).tiny))

    hit = search.first(violation, ENERGY_MARGIN, 2000, step)
    if hit is None:
        return None
    before, after = both(hit.network, hit.u0, hit.fields) or (np.nan, np.nan)
    return described(hit, "energy grows by", energy={"before": before, "after": after})


def _first(search: Search | None, violation: Violation) -> Hit | None:
    return None if search is None else search.first(violation, MARGIN, 10**9)
