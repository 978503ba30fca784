"""The stages of a residual stack as exact weights, and what stays the same from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, STEP, TAU, Stack, U
from pde2net.verify.case import Case

STATES, RATES = (U, PREVIOUS, START), (RATE, START_RATE)
StageWeights = Mapping[sp.Symbol, sp.Expr]


def stage_weights(stack: Stack) -> tuple[StageWeights, ...]:
    """Per stage the weights of u, u-, the start of the cycle; in units of tau, of F at u and the start."""
    update = stack.skip.subs(STEP, stack.step)
    general = {s: sp.diff(update, s) / (TAU if s in RATES else 1) for s in (*STATES, *RATES)}
    found: dict[tuple[tuple[sp.Symbol, sp.Expr], ...], StageWeights] = {}
    rows = []
    for stage in stack.stages:
        key = tuple(stage.items())
        if key not in found:
            values = {**stage, **stack.values}
            found[key] = {s: sp.cancel(w.subs(values).subs(stack.values)) for s, w in general.items()}
        rows.append(found[key])
    return tuple(rows)


def stack_of(case: Case) -> Stack:
    """The update of a case about a residual stack."""
    if not isinstance(case.update, Stack):
        raise TypeError(f"{case.scheme.label} schemes are no residual stacks")
    return case.update


def pace(stack: Stack) -> sp.Expr | None:
    """c if every stage is an explicit step of size c tau whose operator is its own: one stage per cycle.

    With b u taken implicitly, the size is c tau/(1 + tau b).
    """
    if len(stack.stages) > 1 and (not stack.repeated or stack.uses(PREVIOUS) or stack.uses(START)):
        return None
    weights = stage_weights(stack)[0]
    if sp.simplify(sum(weights[s] for s in STATES) - 1) != 0:
        return None
    c = sp.cancel((weights[RATE] + weights[START_RATE]) * (1 + TAU * stack.implicit))
    return c if c.is_Rational and c.is_positive else None


def pace_of(case: Case) -> sp.Expr:
    """c of the explicit steps of such a stack."""
    found = pace(stack_of(case))
    if found is None:
        raise TypeError(f"{case.scheme.label} schemes are no explicit steps")
    return found


def step_of(case: Case) -> sp.Expr:
    """The size c tau/(1 + tau b) of these steps."""
    return pace_of(case) * case.tau / (1 + case.tau * stack_of(case).implicit)


def step_text(case: Case) -> str:
    """That size in words: tau, 2/3 tau, or tau/(1 + tau b)."""
    c = pace_of(case)
    size = "tau" if c == 1 else f"{c} tau"
    return size if stack_of(case).implicit == 0 else f"{size}/(1 + tau b)"
