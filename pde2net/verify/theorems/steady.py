"""Uniqueness of steady states F(v) = 0, however they are found (docs/theory.md, 4.23)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.data_term import data_term
from pde2net.verify.rates import slope_bounds
from pde2net.verify.refute.claims import uphill
from pde2net.verify.theorem import Missing, Theorem, prove, searched
from pde2net.verify.theorems import hypotheses as hyp

NESTEROV = "Nesterov 2004, Theorem 2.1.15"


def where_convex(theorem: Theorem, case: Case) -> Claim:
    """The claim if m > 0: decided, or as the condition; otherwise a counterexample is looked for."""
    found, m = prove(theorem, case), slope_bounds(case)[0]
    if found.status != Status.PROVED or m.is_positive:
        return replace(found, condition=sp.true) if found.status == Status.PROVED else found
    if m.is_nonpositive or not m.free_symbols:
        why = f"the slope of -F is at least {m} only, so the energy need not be convex"
        claim = Claim(theorem.claim, Status.UNKNOWN, theorem=str(theorem))
        reason = because("missing", hypothesis="", why=why)
        if theorem.refute is None:
            return replace(claim, because=reason)
        return searched(claim, reason, theorem.refute(case))
    return replace(found, status=Status.PROVED_IF, condition=sp.Gt(m, 0), limit=None)


def two_states(case: Case) -> dict[str, Any] | None:
    """Data with two steady states, of an energy that has a minimum."""
    term, needed = data_term(case.semi.form), (hyp.symmetric, hyp.penaliser, hyp.nonnegative_diffusivity)
    if term is None or not case.valued(term.weight).is_positive:
        return None
    return None if any(isinstance(h.check(case), Missing) for h in needed) else uphill(case)


STRONGLY = (hyp.symmetric, hyp.penaliser, hyp.lipschitz_reaction)
_UNIQUE = Theorem(
    "well_posed",
    "Zeros of strongly monotone operators",
    NESTEROV,
    STRONGLY,
    "there is one steady state, and ‖v - v*‖ <= ‖F(v)‖/m",
    refute=two_states,
)


def unique(case: Case) -> Claim:
    """well_posed: there is one steady state."""
    return where_convex(_UNIQUE, case)
