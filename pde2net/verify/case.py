"""The case that claims are derived from, and the ways in which a claim can come out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sympy as sp

from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.verify import witness as wit
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.facts import Bounds, Facts


@dataclass(frozen=True)
class Case:
    """What the claims are derived from: operators, facts, the step, and a search for witnesses."""

    semi: Semidiscrete
    facts: Facts
    tau: sp.Expr
    search: wit.Search | None

    @property
    def plain(self) -> bool:
        """Whether every prefactor is 1, so that A(u) is symmetric."""
        return all(t.prefactor == 1 for t in self.semi.form.terms)

    @property
    def given(self) -> tuple[str, ...]:
        values = self.semi.form.problem.parameters
        signs = [
            f"{f} is {kind} everywhere (declared)"
            for f in self.semi.form.fields
            for kind in ("positive", "nonnegative", "negative", "nonpositive")
            if getattr(f, f"is_{kind}")
        ]
        return (*(f"{s} = {values[s]} (given)" for s in self.facts.given), *signs)

    @property
    def decoupled(self) -> tuple[str, ...]:
        if self.semi.grid.gradient != "central" or len(self.semi.second) == len(self.semi.form.terms):
            return ()
        return ("note: central differences do not see the checkerboard; it is kept, never damped",)

    def valued(self, expression: sp.Expr) -> sp.Expr:
        return sp.simplify(expression.subs(self.semi.form.problem.parameters))


def unknown(name: str, reason: str, theorem: str = "") -> Claim:
    return Claim(name, Status.UNKNOWN, reason=sentence(reason), theorem=theorem)


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def under(
    case: Case,
    name: str,
    rate: sp.Expr,
    numerator: int,
    theorem: str,
    assumptions: tuple[str, ...],
    refute: Callable[[], dict[str, Any] | None],
) -> Claim:
    """The claim that holds for tau <= numerator/rate: proved, proved if, refuted or unknown."""
    rate = sp.factor_terms(rate)
    limit = sp.oo if rate == 0 else sp.simplify(numerator / rate)
    assumptions = (*assumptions, *case.given, *case.decoupled)
    if limit == sp.oo:
        return Claim(
            name,
            Status.PROVED,
            sp.true,
            sp.oo,
            theorem=theorem,
            assumptions=assumptions,
            reason="Holds for every tau: the operator is zero.",
        )
    condition = sp.Le(case.tau, limit)
    shown = case.valued(limit)
    decided = condition if condition in (sp.true, sp.false) else sp.Le(case.valued(case.tau), shown)
    common = {
        "condition": condition,
        "limit": shown,
        "theorem": theorem,
        "assumptions": assumptions,
    }
    if decided == sp.true:
        return Claim(name, Status.PROVED, **common)
    if decided != sp.false and not decided.free_symbols:
        return Claim(name, Status.UNKNOWN, reason="The step and its limit could not be compared.", **common)
    if decided == sp.false:
        found = refute()
        reason = f"tau = {case.valued(case.tau)} exceeds the limit {shown}"
        if found is not None:
            return Claim(name, Status.REFUTED, witness=found, reason=reason + ".", **common)
        return Claim(name, Status.UNKNOWN, reason=reason + ", and no counterexample was found.", **common)
    return Claim(name, Status.PROVED_IF, **common)


def seek(case: Case, measure: wit.Measure, what: str) -> dict[str, Any] | None:
    return None if case.search is None else case.search.find(measure, what)


def refuted_or_unknown(
    case: Case, name: str, reason: str, measure: wit.Measure, what: str, theorem: str = ""
) -> Claim:
    found = seek(case, measure, what)
    if found is None:
        return unknown(name, reason, theorem)
    return Claim(name, Status.REFUTED, reason=sentence(reason), witness=found, theorem=theorem)


def backward(case: Case) -> str:
    """Why the weights are not known to be nonnegative."""
    bounds = [b for row in case.facts.weights or () for b in row]
    negative = [b.lower for b in bounds if b.nonnegative is False]
    if negative:
        return (
            f"the diffusivity takes negative values, down to {negative[0]}: backward diffusion "
            "amplifies oscillations"
        )
    lower = next(b.lower for b in bounds if b.nonnegative is None)
    names = ", ".join(sorted(map(str, lower.free_symbols)))
    return (
        f"the sign of the diffusivity, at least {lower}, is not known; declare its parameters with "
        f'sp.symbols("{names}", positive=True) or give them values'
    )


def nonnegative(rows: tuple[tuple[Bounds, ...], ...]) -> bool:
    return all(b.nonnegative for row in rows for b in row)


def prefactor_reason(case: Case) -> str:
    factors = ", ".join(str(t.prefactor) for t in case.semi.form.terms if t.prefactor != 1)
    return (
        f"the divergence is multiplied by {factors}, which varies in space, so the operator is not "
        "symmetric; nothing is known about the values of that field"
    )


def pair(case: Case) -> dict[str, Any] | None:
    return None if case.search is None else case.search.find_pair()
