"""What holds for u within a declared range that the scheme keeps (docs/theory.md, 4.25)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import sympy as sp

from pde2net.language.bounds import Interval, written
from pde2net.scheme.stack import Stack
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Discharged, Status, because
from pde2net.verify.rates import implicit, pull
from pde2net.verify.stages import pace, pace_of
from pde2net.verify.theorem import EVERY_TAU, NOTHING_FOUND, Held, Missing, Theorem, hypothesis, quotient
from pde2net.verify.theorems import hypotheses as hyp

RANGE, KEPT = "declared range", "invariant range"
HOLDS = (Status.PROVED, Status.PROVED_IF)
# From the best one on; a counterexample comes before what is not derived.
ORDER = (
    Status.PROVED,
    Status.PROVED_IF,
    Status.LINEARISED,
    Status.REFUTED,
    Status.NOT_APPLICABLE,
    Status.UNKNOWN,
)
# Claims about one u0, or about two in a convex set; of data, where these are u0 alone.
WITHIN = ("l2_stability", "nonexpansive", "energy_decay", "well_posed", "frozen_stability")
OF_U0 = ("lipschitz_in_data", "averaged")


def range_of(case: Case) -> Interval:
    """The declared range of u."""
    return case.semi.form.problem.interval(case.semi.form.state)


@hypothesis("inward reaction", "r(a) >= 0 >= r(b)")
def inward(case: Case) -> Held | Missing:
    a, b = range_of(case)
    reaction, state = case.semi.form.reaction, case.semi.form.state
    if not (case.semi.closed or a <= 0 <= b):
        return Missing(f"0 beyond the border lies outside of {written((a, b))}", violated=True)
    if case.facts.inward is None:
        return Missing(f"the signs of r at the ends are not known: {case.facts.why.get('inward')}")
    if not case.facts.inward:
        return Missing(f"the reaction {reaction} may lead out of {written((a, b))}", violated=True)
    ends = f"the values of {reaction} at {state} = {a} and at {state} = {b}"
    return Held("r = 0" if reaction == 0 else ends)


@hypothesis("explicit reaction", "u+ = u + tau (r(u) - A(u) u)")
def explicit(case: Case) -> Held | Missing:
    if isinstance(case.update, Stack) and pace(case.update) is not None and not implicit(case):
        return Held("every stage is such a step")
    return Missing("that a range is kept is derived for explicit steps")


def largest_entry(case: Case) -> sp.Expr:
    """sup(m a_ii - r'), by sums of suprema."""
    facts, degrees = case.facts, sp.S.Zero
    if facts.weights is None or facts.factors is None or facts.rate is None:
        return sp.oo
    for row, factor in zip(facts.weights, facts.factors, strict=True):
        for bounds, ((_, d),) in zip(row, case.semi.gradient.rows, strict=True):
            degrees += factor.upper * bounds.upper * sum(w**2 for w in d.stencil.weights) * d.scale**2
    return sp.Max(sp.S.Zero, degrees + facts.rate.upper) if facts.rate.upper != 0 else degrees


STAYS = Theorem(
    "maximum_principle",
    "Invariant interval by monotone steps",
    "Smoller 1994, section 14B; docs/theory.md, 4.25",
    (
        explicit,
        hyp.two_points,
        hyp.forward_factors,
        hyp.bounded,
        hyp.nonnegative_diffusivity,
        hyp.lipschitz_reaction,
        inward,
    ),
    lambda case: f"all states lie in {written(range_of(case))}, where the first one does",
    lambda case: quotient(1 / pace_of(case), largest_entry(case)),
)


def stays(case: Case, derived: Callable[[str, Case], Claim]) -> Claim:
    """That the declared range of u is kept, for a case within it.

    By the theorem about explicit steps; of others by their maximum principle, if the range contains what that
    of results includes.
    """
    if isinstance(case.update, Stack):
        claim = STAYS(case.about(STAYS.claim))
    else:
        claim = derived("maximum_principle", case)
        outside = _included(case)
        if claim.status in HOLDS and outside:
            said = because("missing", hypothesis=KEPT, why=f"{outside} may lie outside of the declared range")
            claim = Claim(claim.name, Status.UNKNOWN, theorem=claim.theorem, because=said)
    lies = f"{case.semi.form.state} lies in {written(range_of(case))} everywhere, at the start"
    assumed = Discharged(RANGE, lies, "declared")
    limited = claim.status in HOLDS or claim.limit is not None
    return replace(claim, hypotheses=(*claim.hypotheses, assumed)) if limited else claim


def _included(case: Case) -> str:
    """What the range of results includes, of a maximum principle, that is not known to lie in [a, b]."""
    a, b = range_of(case)
    beta, target = pull(case)
    if (not case.semi.closed or (beta != 0 and not target)) and not a <= 0 <= b:
        return "0"
    for name in target.split(", ") if target else ():
        field = next((f for f in case.semi.form.fields if f.name == name), None)
        low, high = case.semi.form.problem.interval(field) if field is not None else (-sp.oo, sp.oo)
        if not (a <= low and high <= b):
            return name
    return ""


def assumes_range(claim: Claim) -> bool:
    """Whether a claim is about u within its declared range."""
    return any(h.name.startswith(RANGE) for h in claim.hypotheses)


def better(one: Claim, other: Claim) -> Claim:
    return min(one, other, key=lambda claim: (ORDER.index(claim.status), claim.limit is None))


def over_range(name: str, whole: Case, case: Case, derived: Callable[[str, Case], Claim]) -> Claim:
    """The better one of a claim for all u, and that for u within its declared range, if this is kept.

    `case` is `whole` within the range. Counterexamples lie there too.
    """
    if name not in ("maximum_principle", *WITHIN, *(() if case.facts.source else OF_U0)):
        return derived(name, whole)
    plain = derived(name, replace(whole, search=None))
    if plain.status in HOLDS:
        return plain
    if name == "maximum_principle":
        return better(case.kept or stays(case, derived), plain)
    kept = case.kept or stays(replace(case, search=None), derived)
    if kept.status in HOLDS:
        return better(together(derived(name, case), kept, written(range_of(case))), plain)
    found = plain if plain.status != Status.UNKNOWN or whole.search is None else derived(name, whole)
    if found.status not in (Status.UNKNOWN, Status.REFUTED):
        return found
    found = up_to(found, derived(name, replace(case, search=None)), kept)
    why = replace(kept, because=tuple(b for b in kept.because if b.rule != NOTHING_FOUND)).reason
    said = because("not kept", range=written(range_of(case)), why=why)
    return replace(found, because=found.because + said)


def up_to(found: Claim, within: Claim, kept: Claim) -> Claim:
    """A claim that is not proved, with the limit up to which it would be that for u within its range."""
    if found.limit is not None or within.limit is None or kept.limit is None:
        return found
    assumed = tuple(h for h in kept.hypotheses if h.name == RANGE)
    limit = sp.Min(within.limit, kept.limit)
    return replace(found, limit=limit, hypotheses=(*found.hypotheses, *assumed))


def together(claim: Claim, kept: Claim, within: str) -> Claim:
    """A claim about u in [a, b], and that this is kept: tau is at most both limits."""
    if claim.status not in (*HOLDS, Status.LINEARISED):
        return claim
    limits = [c.limit for c in (claim, kept) if c.limit is not None]
    conditions = [c.condition for c in (claim, kept) if isinstance(c.condition, sp.Le | sp.Lt)]
    condition = claim.condition
    if conditions:
        strict = any(isinstance(c, sp.Lt) for c in conditions)
        smallest = sp.Min(*(c.rhs for c in conditions))
        condition = (sp.Lt if strict else sp.Le)(conditions[0].lhs, smallest)
    open_ = kept.status == Status.PROVED_IF and claim.status == Status.PROVED
    figures: Mapping[str, sp.Expr] = {} if kept.limit is None else {"limit": kept.limit}
    held = Discharged(KEPT, "all states lie where the first one does", kept.theorem, figures)
    assumed = [h for h in kept.hypotheses if h.name == RANGE]
    return replace(
        claim,
        status=Status.PROVED_IF if open_ else claim.status,
        condition=condition,
        limit=sp.Min(*limits) if limits else None,
        hypotheses=(*claim.hypotheses, *assumed, held),
        because=tuple(b for b in claim.because if b.rule != EVERY_TAU or not limits)
        + because("within", range=within),
    )
