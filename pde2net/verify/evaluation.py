"""Whether a network evaluates to finite real numbers for every input: what every claim rests on.

The values of the slots of a node are any real numbers, with the signs that they have as squares or by
declaration (docs/theory.md, 4.18); known fields, and states where they keep it, lie in their declared ranges.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete, SemidiscreteSystem
from pde2net.graph.build import explicit_steps
from pde2net.graph.network import Graph, node_of, passes_of, repeats, sources
from pde2net.graph.nodes import (
    PASS,
    S2,
    EdgeMean,
    Field,
    Pad,
    Pointwise,
    SquaredAdjoint,
    Tridiagonal,
    Weighted,
    expressions_of,
)
from pde2net.graph.overflow import hidden
from pde2net.language.bounds import Interval
from pde2net.verify.certificate import Claim, Discharged, Status, because
from pde2net.verify.finite import require_finite
from pde2net.verify.ranges import UndecidedError, within
from pde2net.verify.ranges.several import domain
from pde2net.verify.theorems.invariance import assumes_range
from pde2net.verify.theorems.steady import CLAIMS

SECONDS = 10.0

FOR_ALL = "for all values of the slots of every node"
STATED = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)


@dataclass(frozen=True)
class Evaluation:
    """missing  the expression that is not known to have a value, in words; empty if all have one
    given    parameters whose values were needed
    within   the same for unknowns within their declared ranges
    steady   the same for F alone, where claims are about its zeros
    """

    missing: str = ""
    given: tuple[sp.Symbol, ...] = ()
    within: Evaluation | None = None
    steady: Evaluation | None = None

    def rests(self, claim: Claim) -> Claim:
        """The claim with this hypothesis, under which alone it was derived; unknown if it is missing."""
        if claim.status not in STATED:
            return claim
        if self.steady is not None and claim.name in CLAIMS:
            return self.steady.rests(claim)
        if self.within is not None and assumes_range(claim):
            return self.within.rests(claim)
        if self.missing:
            said = because("no value", why=self.missing)
            return Claim(claim.name, Status.UNKNOWN, theorem=claim.theorem, because=said)
        at = f" at the values of {', '.join(map(str, self.given))}" if self.given else ""
        held = Discharged("finite values", "every expression has a finite real value", FOR_ALL + at)
        own = sum(h.how not in ("given", "declared") and h.name != "note" for h in claim.hypotheses)
        return replace(claim, hypotheses=(*claim.hypotheses[:own], held, *claim.hypotheses[own:]))


def evaluation(graph: Graph, semi: Semidiscrete | SemidiscreteSystem) -> Evaluation:
    """Whether every pointwise expression of `graph` has a finite real value for every input."""
    parts = semi.parts if isinstance(semi, SemidiscreteSystem) else (semi,)
    inner = [part.within for part in parts]
    found = _evaluation(graph, semi.form.intervals)
    if found.missing and None not in inner:
        ranges = {s: pair for part in inner if part is not None for s, pair in part.form.intervals.items()}
        if semi.form.problem.domain is not None:  # outside of which states are 0
            states = {part.form.state for part in parts}
            ranges = {
                s: (sp.Min(a, 0), sp.Max(b, 0)) if s in states else (a, b) for s, (a, b) in ranges.items()
            }
        found = replace(found, within=_evaluation(graph, ranges))
    return found


def steady_evaluation(graph: Graph, semi: Semidiscrete, tau: sp.Expr) -> Evaluation:
    """The same; of zeros of F, F has to have values, not what finds them."""
    found = evaluation(graph, semi)
    if tau != sp.oo or not found.missing:
        return found
    return replace(found, steady=evaluation(explicit_steps(semi, sp.S.One, 1), semi))


def _evaluation(graph: Graph, intervals: Mapping[sp.Symbol, Interval]) -> Evaluation:
    values: Mapping[sp.Symbol, sp.Expr] = graph.graph["values"]
    known_ranges = {s.name: pair for s, pair in intervals.items()}
    given: set[sp.Symbol] = set()
    try:
        for expression, variables in _expressions(graph, SECONDS):
            known = {s: v for s, v in values.items() if s in expression.free_symbols}
            try:
                _decide_within(expression, variables, known_ranges, SECONDS)
            except UndecidedError:
                if not known:
                    raise
                _decide_within(expression.subs(known), variables, known_ranges, SECONDS)
                given |= set(known)
    except UndecidedError as error:
        return Evaluation(str(error))
    return Evaluation(given=tuple(sorted(given, key=str)))


def _decide_within(
    expression: sp.Expr, variables: Set[sp.Symbol], intervals: Mapping[str, Interval], seconds: float
) -> None:
    """The same with slots of known range, if it is not decided without that."""
    ranged = [s for s in sorted(variables, key=str) if s.name in intervals]
    try:
        _decide(expression, variables, seconds)
        return
    except UndecidedError:
        if not ranged:
            raise
    places = (domain(s, intervals[s.name]).places(s.name) for s in ranged)
    for chosen in itertools.product(*places):
        moved = expression.xreplace(dict(zip(ranged, chosen, strict=True)))
        numbers = {p for place in chosen for p in place.free_symbols}
        _decide(moved, (set(variables) - set(ranged)) | numbers, seconds)


def _decide(expression: sp.Expr, variables: Set[sp.Symbol], seconds: float) -> None:
    within(seconds, f"the search for poles of {expression}", lambda: require_finite(expression))
    part = hidden(expression, variables)
    if part is not None:
        raise UndecidedError(f"where an exponential overflows in floating point, {part} has no value there")


def _nonnegative(graph: Graph, weights: Sequence[sp.Symbol]) -> bool:
    """Whether weights and times are so in all passes of all loops."""
    number = {PASS: sp.Dummy(integer=True, nonnegative=True)}
    found: dict[sp.Symbol, list[sp.Expr]] = {}
    for repeat in repeats(graph):
        clocks = ((t, (now.xreplace(number),)) for t, now in repeat.clock)
        for symbol, values in (*repeat.tables, *clocks):
            found.setdefault(symbol, []).extend(values)
    return all(s in found and all(v.is_nonnegative for v in found[s]) for s in weights)


def _at_all(expression: sp.Expr, slots: Set[str], own: Sequence[sp.Symbol], seconds: float) -> bool:
    """Whether an expression has a value for all nonnegative weights and times, so for those of each block."""
    weights = {s: sp.Dummy(s.name, nonnegative=True) for s in own}
    general = _squares(expression.xreplace(weights))
    variables = {s for s in general.free_symbols if s.name in slots} | set(weights.values())
    try:
        _decide(general, variables, seconds)
    except UndecidedError:
        return False
    return True


def _squares(expression: sp.Expr) -> sp.Expr:
    """Norms are not negative."""
    norms = {s for s in expression.free_symbols if s.name.startswith(S2.name)}
    return expression.xreplace({s: sp.Symbol(s.name, nonnegative=True) for s in norms})


def _is_nonnegative(graph: Graph, source: tuple[str, int]) -> bool:
    """Whether what a slot is fed is so in all cells, as the diagonals of K^T G K for G >= 0 are."""
    name, port = source
    node, fed = node_of(graph, name), sources(graph, name)
    if isinstance(node, Field):
        return bool(node.symbol.is_nonnegative)
    if isinstance(node, SquaredAdjoint) and not all(c.is_nonnegative for c in node.constants):
        return False
    if isinstance(node, Pointwise):
        return bool(_signed(graph, name, node.expressions[port]).is_nonnegative)
    return isinstance(node, SquaredAdjoint | EdgeMean | Pad) and all(
        _is_nonnegative(graph, s) for s in fed.values()
    )


def _signed(graph: Graph, name: str, expression: sp.Expr) -> sp.Expr:
    """An expression of a node whose slots have the signs of what they are fed."""
    known = {s.name: s for s in expression.free_symbols}
    signed = {
        known[slot]: sp.Symbol(slot, nonnegative=True)
        for slot, source in sources(graph, name).items()
        if slot in known and not known[slot].is_nonnegative and _is_nonnegative(graph, source)
    }
    return expression.xreplace(signed)


def _expressions(graph: Graph, seconds: float) -> Iterator[tuple[sp.Expr, set[sp.Symbol]]]:
    """The different expressions of all nodes, at the times and weights of their blocks, and their slots.

    Those that have a value whatever the weights and times are not looked at block by block.
    """
    seen: set[sp.Expr] = set()
    for name in graph:
        node = node_of(graph, name)
        if not isinstance(node, Weighted):
            continue
        own, slots = [s for s, _ in node.weights], sources(graph, name)
        signed = bool(own) and _nonnegative(graph, own)
        for expression in (*expressions_of(node), *([node.scale] if isinstance(node, Tridiagonal) else [])):
            if signed and _at_all(expression, set(slots), own, seconds):
                continue
            for values in passes_of(graph, name) if own else [{}]:
                plain = _squares(_signed(graph, name, expression.xreplace({s: values[s] for s in own})))
                if plain not in seen:
                    seen.add(plain)
                    yield plain, {s for s in plain.free_symbols if s.name in slots}
