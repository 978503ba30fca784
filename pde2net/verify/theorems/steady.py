"""Steady states F(v) = 0, however they are found: uniqueness and range (docs/theory.md, 4.23)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.normalise.affine import affine
from pde2net.normalise.terms import FirstOrder, SecondOrder
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.data_term import data_term
from pde2net.verify.rates import pull, slope_bounds
from pde2net.verify.refute.claims import uphill
from pde2net.verify.theorem import Held, Missing, Table, Theorem, hypothesis, prove, searched
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


# -- masks: m K^T G K v = b (f - v), with a factor and a pull that vary --


@hypothesis("positive diffusivity", "0 < inf g")
def positive(case: Case) -> Held | Missing:
    weights = case.facts.weights
    if weights is None or not all(b.lower.is_positive for row in weights for b in row):
        return Missing("the diffusivity is not known to be bounded away from 0")
    return Held("every weight of the flux is positive")


@hypothesis("covered cells", "m >= 0, b >= 0, m + b > 0")
def covered(case: Case) -> Held | Missing:
    forward, rate, cover = hyp.forward_factors.check(case), case.facts.rate, case.facts.cover
    if isinstance(forward, Missing):
        return forward
    if rate is None or not rate.nonnegative:
        return Missing("the reaction is not known to pull")
    if cover is None or not cover.is_positive:
        return Missing(
            f"in some cells there may be neither diffusion nor data: {case.facts.why.get('cover', '')}"
        )
    return Held("the range of their sum", (("inf m + b", cover),))


@hypothesis("constants in the kernel of K", "K v = 0 only for constants, or for 0")
def connected(case: Case) -> Held | Missing:
    """Differences of neighbours, and sums of second differences with weights of one sign.

    Central differences see every second cell.
    """
    if len(case.semi.form.terms) != 1:
        return Missing("there are several divergences")
    (term,) = case.semi.form.terms
    pairs = [d.stencil for ((_, d),) in case.semi.gradient.rows]
    narrow = all(stencil.half and len(stencil.offsets) == 2 for stencil in pairs)
    if isinstance(term, FirstOrder) and narrow:
        return Held("differences of neighbours")
    seconds = [b for b in case.semi.second if b.differences and not b.mixed]
    plain = isinstance(term, SecondOrder) and term.slope == 0 and len(seconds) == 1
    if plain and case.semi.grid.order == 2 and len(seconds[0].differences) == len(case.semi.spacing):
        signs = {w.is_positive for row in seconds[0].rows for w, _ in row}
        if signs in ({True}, {False}) and all(w.is_nonzero for row in seconds[0].rows for w, _ in row):
            return Held("a sum of second differences along all axes, whose weights have one sign")
    return Missing("whether other states than constants have no slopes is not known")


PULLED = "where b > 0 in some cell"


@hypothesis("data", "b > 0 in some cell")
def some(case: Case) -> Held | Missing:
    """No declaration says it of a mask: that is left to who calls."""
    return Held("assumed")


_MASKED = Theorem(
    "well_posed",
    "Dissipation beyond a mask",
    "docs/theory.md, 4.23",
    (hyp.linear_equation("the equation is not linear"), positive, covered, connected, some),
    f"there is one steady state, {PULLED}",
)


def unique(case: Case) -> Claim:
    """well_posed: there is one steady state."""
    if case.plain and not case.semi.form.edges:
        return where_convex(_UNIQUE, case)
    if case.plain and slope_bounds(case)[0].is_positive:  # counterexamples know no sides
        found = where_convex(_UNIQUE, case)
        if found.status == Status.PROVED:
            return found
    return prove(_MASKED, case)


# -- ranges --


@hypothesis("pull", "r = s - b u with a number b > 0")
def constant_pull(case: Case) -> Held | Missing:
    return (
        Held(f"b = {pulling(case)}") if pulling(case) is not None else Missing("b is not the same everywhere")
    )


def pulling(case: Case) -> sp.Expr | None:
    """b > 0 of a reaction s - b u with a number or an expression in parameters; None for others."""
    found = affine(case.semi.form.reaction, case.semi.form.state)
    b = None if found is None else sp.simplify(-found[1])
    known = b is not None and b.free_symbols <= set(case.semi.form.problem.symbols)
    return b if known and case.valued(b).is_positive else None


def included(case: Case) -> str:
    """What steady states lie in the range of."""
    form = case.semi.form
    targets = pull(case)[1] or str(sp.simplify(form.reaction.subs(form.state, 0) / (pulling(case) or 1)))
    return f"{targets} and 0" if not case.semi.closed else targets


_FORWARD = (hyp.two_points, hyp.forward_factors, hyp.nonnegative_diffusivity)
_NEAR = Theorem(
    "maximum_principle",
    "Extrema of states with a residual",
    "docs/theory.md, 4.23",
    (*_FORWARD, constant_pull),
    lambda case: (
        f"every v lies in the range of {included(case)}, up to max|F(v)|/({pulling(case)}) beyond it"
    ),
    refute=lambda case: None,
)
_WITHIN = Theorem(
    "maximum_principle",
    "Discrete maximum principle",
    "Ciarlet 1970; docs/theory.md, 4.23",
    (*_FORWARD, hyp.pulls, positive, covered, connected, some),
    lambda case: f"every steady state lies in the range of {included(case)}, {PULLED}",
    refute=lambda case: None,
)


def steady_range(case: Case) -> Claim:
    """maximum_principle: steady states lie in the range of what pulls."""
    return prove(_NEAR if pulling(case) is not None else _WITHIN, case)


# Claims about the equation, whatever a network does to solve it.
CLAIMS: Table = {"well_posed": unique, "maximum_principle": steady_range}
