"""Counterexamples to stability with frozen coefficients: those of the input are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pde2net.discretise.arrays import Array
from pde2net.errors import Pde2NetError
from pde2net.graph.build import build
from pde2net.normalise.affine import affine
from pde2net.scheme.stack import Stack
from pde2net.verify.case import Case
from pde2net.verify.refute.measures import growth
from pde2net.verify.refute.search import Runs, Search, neutral
from pde2net.verify.refute.witness import MARGIN, described

POWERS = (8, 32, 128, 512)  # steps of Du Fort-Frankel
CELLS = 2000
CYCLE_SAYS = "with its coefficients kept, the norm grows by"
POWERS_SAY = "with its coefficients kept, the norm after {0} steps exceeds {1} times its own by"


def seek_cycle(case: Case) -> dict[str, Any] | None:
    """An input whose norm grows in one cycle with its own coefficients."""
    search = _kept(case, 0)
    if search is None:
        return None
    hit = search.first(lambda run, u0: growth(u0, run(u0)), MARGIN, 10**9)
    return None if hit is None else described(hit, CYCLE_SAYS)


def seek_powers(case: Case) -> dict[str, Any] | None:
    """An input whose norm exceeds (2 k + 1) times its own after k steps of Du Fort-Frankel.

    With all zeros in the unit disc that is impossible (docs/theory.md, section 4.8).
    """
    for k in POWERS:
        search = _kept(case, k)
        if search is None:
            return None

        def violation(run: Runs, u0: Array, k: int = k) -> Array:
            return beyond(u0, run(u0), k)

        hit = search.first(violation, MARGIN, CELLS)
        if hit is not None:
            return described(hit, POWERS_SAY.format(k, 2 * k + 1), steps=k)
    return None


def beyond(u0: Array, u1: Array, steps: int) -> Array:
    """‖u1‖/((2 k + 1) ‖u0‖) - 1."""
    return (growth(u0, u1) + 1) / (2 * steps + 1) - 1


def _kept(case: Case, powers: int) -> Search | None:
    """The search, through one cycle (or `powers` steps) of a network that keeps its first coefficients.

    None where the reaction is not linear in u and 0 at u = 0, or the flux has no coefficients.
    """
    semi, update = case.semi, case.update
    if case.search is None or not isinstance(update, Stack):
        return None
    form = semi.form
    reaction = form.reaction.subs({f: neutral(f) for f in form.fields})
    found = affine(reaction, form.state)
    if found is None or found[0] != 0:
        return None
    stages = update.stages[:1] * powers if powers else update.stages
    try:
        graph = build(semi, case.tau, replace(update, frozen=True, cycles=1, stages=stages))
    except Pde2NetError:
        return None
    return replace(case.search, step=graph, network=graph)
