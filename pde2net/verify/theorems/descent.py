"""Steady states by gradient descent v <- v + omega F(v) (docs/theory.md, 4.20)."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pde2net.scheme.cell import MARGIN, Cell
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.iteration import iteration_of
from pde2net.verify.rates import slope_bounds
from pde2net.verify.theorem import Held, Missing, Table, Theorem, hypothesis, prove
from pde2net.verify.theorems import explicit
from pde2net.verify.theorems import hypotheses as hyp

_NESTEROV = "Nesterov 2004, Theorem 2.1.15"


def margin(case: Case) -> sp.Expr:
    """m, a bound of the slope of -F from below."""
    assert isinstance(case.update, Cell)
    return case.valued(case.update.values[MARGIN])


@hypothesis("plain steps", "v <- v + omega F(v) without extrapolation")
def plain(case: Case) -> Held | Missing:
    if iteration_of(case).accelerated:
        return Missing("nothing is derived for steps that are extrapolated, but the bound of the error")
    return Held("omega = 2/(M + |m|) <= 2/M")


def _factor(case: Case) -> sp.Expr:
    """q = (M - m)/(M + m)."""
    low, high = slope_bounds(case)
    return sp.simplify((high - low) / (high + low))


def where_convex(theorem: Theorem, case: Case) -> Claim:
    """The claim if m > 0: decided, or as the condition."""
    found, m = prove(theorem, case), margin(case)
    if found.status != Status.PROVED or m.is_positive:
        return replace(found, condition=sp.true) if found.status == Status.PROVED else found
    if m.is_nonpositive or not m.free_symbols:
        why = f"the slope of -F is at least {m} only, so the energy need not be convex"
        return Claim(
            theorem.claim,
            Status.UNKNOWN,
            theorem=str(theorem),
            because=because("missing", hypothesis="", why=why),
        )
    return replace(found, status=Status.PROVED_IF, condition=sp.Gt(m, 0), limit=None)


STRONGLY = (hyp.symmetric, hyp.penaliser, hyp.lipschitz_reaction)
CONVERGENCE = Theorem(
    "solver_convergence",
    "Gradient descent of a strongly convex energy",
    _NESTEROV,
    (*STRONGLY, plain),
    "‖v_k - v‖ <= q^k ‖v_0 - v‖ for the steady state v, q = (M - m)/(M + m) the factor",
    factor=_factor,
)
UNIQUE = Theorem(
    "well_posed",
    "Zeros of strongly monotone operators",
    _NESTEROV,
    STRONGLY,
    "there is one steady state, and ‖v - v*‖ <= ‖F(v)‖/m",
)
ENERGY = explicit.ENERGY.also(plain, limit=None)


@hypothesis("derivation", "")
def underived(case: Case) -> Held | Missing:
    return Missing("nothing is derived for the iterates of a descent here")


OTHERS = {
    theorem.claim: replace(theorem, hypotheses=(*hypotheses, underived), limit=None, factor=lambda case: None)
    for theorem, hypotheses in (
        (explicit.L2, (hyp.no_source,)),
        (explicit.NONEXPANSIVE, ()),
        (explicit.MAXIMUM, ()),
        (explicit.FROZEN, ()),
    )
}

CLAIMS: Table = {
    **OTHERS,
    "energy_decay": ENERGY,
    "mean_preservation": explicit.MEAN,
    "well_posed": lambda case: where_convex(UNIQUE, case),
    "solver_convergence": lambda case: where_convex(CONVERGENCE, case),
    "consistency": lambda case: Claim("consistency", Status.NOT_APPLICABLE, because=because("no time")),
}
