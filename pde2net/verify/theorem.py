"""Theorems as data: hypotheses that can be checked, a conclusion, a reference; and their application.

A theorem says: if its hypotheses hold and tau <= limit, then its conclusion holds. `prove` checks the
hypotheses of a case one by one and turns the outcome into a claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Because, Claim, Discharged, Status, because
from pde2net.verify.refute.claims import SEARCHES

# Rules that others take out again.
EVERY_TAU, NOTHING_FOUND = "every tau", "nothing found"

Refute = Callable[[Case], dict[str, Any] | None]
Table = dict[str, Callable[[Case], Claim]]  # how each claim is derived, by name


@dataclass(frozen=True)
class Held:
    """How a hypothesis was discharged, and the figures that this rests on."""

    how: str
    figures: tuple[tuple[str, sp.Expr], ...] = ()


@dataclass(frozen=True)
class Missing:
    """Why a hypothesis was not discharged.

    outcome  unknown, or not applicable if the claim is no question here
    violated  whether a counterexample to the claim is worth looking for
    weakens   whether the conclusion still holds with frozen coefficients: `linearised`, not `proved`
    """

    reason: str
    outcome: Status = Status.UNKNOWN
    violated: bool = False
    weakens: bool = False


@dataclass(frozen=True)
class Hypothesis:
    """A named condition. `check` discharges it for a case or says what is missing."""

    name: str
    statement: str
    check: Callable[[Case], Held | Missing]


def hypothesis(name: str, statement: str) -> Callable[[Callable[[Case], Held | Missing]], Hypothesis]:
    """Makes a hypothesis of the function that checks it."""
    return partial(Hypothesis, name, statement)


def underived(name: str, statement: str, reason: str) -> Hypothesis:
    """What is never known to hold: a counterexample is looked for, and that is all."""
    return Hypothesis(name, statement, lambda case: Missing(reason, violated=True))


@dataclass(frozen=True)
class Theorem:
    """If all hypotheses hold and tau <= limit, then the conclusion.

    claim       the name of the claim in the certificate
    limit       of tau, for a case, oo if the operator is zero; None if the conclusion holds for every tau
    factor      a factor that goes with the conclusion
    refute      looks for a counterexample that is run through the network; None for that of the claim
    """

    claim: str
    title: str
    reference: str
    hypotheses: tuple[Hypothesis, ...]
    conclusion: str | Callable[[Case], str]
    limit: Callable[[Case], sp.Expr] | None = None
    factor: Callable[[Case], sp.Expr | None] = lambda case: None
    refute: Refute | None = None

    def __str__(self) -> str:
        return f"{self.title} ({self.reference})"

    def __call__(self, case: Case) -> Claim:
        return prove(self, case)

    def also(self, *hypotheses: Hypothesis, **changes: Any) -> Theorem:
        """The theorem under further hypotheses; what else is otherwise is among `changes`."""
        return replace(self, hypotheses=(*self.hypotheses, *hypotheses), **changes)

    def counterexample(self, case: Case) -> dict[str, Any] | None:
        search = self.refute or SEARCHES.get(self.claim)
        return None if search is None else search(case)


def quotient(numerator: sp.Expr, rate: sp.Expr) -> sp.Expr:
    """numerator/rate, oo if the rate is zero."""
    rate = sp.factor_terms(rate)
    return sp.oo if rate == 0 else sp.simplify(numerator / rate)


def prove(theorem: Theorem, case: Case) -> Claim:
    """The claim of `theorem` for `case`: linearised if no other hypotheses fail than those that weaken."""
    discharged: list[Discharged] = []
    changing = ""
    for hypothesis in theorem.hypotheses:
        outcome = hypothesis.check(case)
        if isinstance(outcome, Missing) and outcome.weakens:
            changing = outcome.reason
            continue
        if isinstance(outcome, Missing):
            return _without(theorem, case, hypothesis, outcome)
        figures = {key: sp.expand(value) for key, value in outcome.figures}
        discharged.append(Discharged(hypothesis.name, hypothesis.statement, outcome.how, figures))
    claim = _concluded(theorem, case, (*discharged, *case.given))
    if not changing or claim.status not in (Status.PROVED, Status.PROVED_IF):
        return claim
    said = because("frozen") + claim.because + because("not frozen", why=changing)
    return replace(claim, status=Status.LINEARISED, because=said)


def _without(theorem: Theorem, case: Case, hypothesis: Hypothesis, missing: Missing) -> Claim:
    said = because("missing", hypothesis=hypothesis.name, why=missing.reason)
    if missing.violated:
        witness = theorem.counterexample(case)
        if witness is not None:
            return Claim(theorem.claim, Status.REFUTED, theorem=str(theorem), because=said, witness=witness)
    name = "" if missing.outcome == Status.NOT_APPLICABLE else str(theorem)
    return Claim(theorem.claim, missing.outcome, theorem=name, because=said)


def _concluded(theorem: Theorem, case: Case, hypotheses: tuple[Discharged, ...]) -> Claim:
    """The hypotheses hold: compare tau with the limit."""
    limit = sp.oo if theorem.limit is None else theorem.limit(case)
    conclusion = theorem.conclusion if isinstance(theorem.conclusion, str) else theorem.conclusion(case)
    concluded = because("conclusion", says=conclusion)
    common: dict[str, Any] = {
        "theorem": str(theorem),
        "hypotheses": hypotheses,
        "factor": theorem.factor(case),
    }
    if limit == sp.oo:
        said = concluded + (because(EVERY_TAU) if case.tau != sp.oo else ())
        said += () if theorem.limit is None else because("zero operator")
        return Claim(theorem.claim, Status.PROVED, sp.true, sp.oo, because=said, **common)
    shown = case.valued(limit)
    common |= {"condition": sp.Le(case.tau, limit), "limit": shown}
    tau = case.valued(case.tau)
    decided = sp.Le(tau, shown)
    if decided == sp.true:
        return Claim(theorem.claim, Status.PROVED, because=concluded, **common)
    if decided != sp.false and not decided.free_symbols:
        return Claim(theorem.claim, Status.UNKNOWN, because=because("incomparable"), **common)
    if decided != sp.false:
        return Claim(theorem.claim, Status.PROVED_IF, because=concluded, **common)
    return searched(
        Claim(theorem.claim, Status.UNKNOWN, **common | {"factor": None}),
        because("exceeds", tau=tau, limit=shown),
        theorem.counterexample(case),
    )


def strictly(theorem: Theorem, case: Case, at_limit: str) -> Claim:
    """The claim for tau < limit; `at_limit` is the rule that says why it is open at the limit itself."""
    claim = theorem(case)
    if claim.limit in (None, sp.oo) or theorem.limit is None:
        return claim
    claim = replace(claim, condition=sp.Lt(case.tau, theorem.limit(case)))
    if claim.status == Status.PROVED and sp.Lt(case.valued(case.tau), claim.limit) != sp.true:
        return replace(claim, status=Status.UNKNOWN, factor=None, because=because(at_limit))
    if claim.status not in (Status.PROVED, Status.PROVED_IF):
        return claim
    return replace(claim, because=claim.because + because("strict"))


def searched(claim: Claim, reason: tuple[Because, ...], witness: Mapping[str, Any] | None) -> Claim:
    """The claim, refuted if there is a counterexample, or open since none was found."""
    if witness is None:
        return replace(claim, because=reason + because(NOTHING_FOUND))
    return replace(claim, status=Status.REFUTED, because=reason, witness=witness)
