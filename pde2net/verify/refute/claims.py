"""Counterexamples to the claims about a network, by the searches of `witness`."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from pde2net.discretise.arrays import Array
from pde2net.errors import Pde2NetError
from pde2net.graph.build import build, explicit_steps
from pde2net.graph.build.linear import linear_systems
from pde2net.graph.interpret import Interpreter
from pde2net.normalise.affine import affine
from pde2net.scheme.cell import Cell
from pde2net.scheme.stack import TAU, Stack
from pde2net.scheme.unet import UNet
from pde2net.verify.case import Case
from pde2net.verify.data_term import data_term
from pde2net.verify.rates import pull, slope_bounds
from pde2net.verify.refute import measures
from pde2net.verify.refute import witness as wit
from pde2net.verify.refute.measures import energies, norms, or_infinite
from pde2net.verify.refute.search import Runs, Search, neutral, sample_values

Found = dict[str, Any] | None
EARLY, LATE = 4, 8
LARGE = 0.5  # violation of truncated BiCGStab
LEAST = 1e-6  # of the residual at the start, relative to the input
POWERS = (8, 32, 128, 512)  # steps of Du Fort-Frankel
CELLS = 2000
UPHILL = "F pushes two nearby states apart with the slope"
BEYOND = "distance to nearby data, beyond the constant, grows by"
CYCLE_SAYS = "with its coefficients kept, the norm grows by"
POWERS_SAY = "with its coefficients kept, the norm after {0} steps exceeds {1} times its own by"


def growth(case: Case) -> Found:
    """An input whose norm grows."""
    return _robust(case, wit.seek(case.search, measures.growth, "norm grows by"))


def _of_data(case: Case) -> Search | None:
    """The search whose inputs are the data; none for data of a declared sign or range, which inputs lack."""
    term = data_term(case.semi.form)
    if case.search is None or term is None:
        return case.search
    signed = term.field.is_nonnegative or term.field.is_nonpositive or term.field in case.semi.form.intervals
    return None if signed else replace(case.search, data=term.field.name)


def data_growth(case: Case) -> Found:
    """Data whose norm grows."""
    return _robust(case, wit.seek(_of_data(case), measures.growth, "norm grows by"))


def data_pair(case: Case) -> Found:
    """Two nearby data that the network moves apart: no averaged map does."""
    return _robust(case, wit.seek_pair(_of_data(case)))


def data_constant(case: Case) -> Found:
    """Two nearby data that the network moves apart by more than C."""
    term, curvature = data_term(case.semi.form), case.facts.curvature
    if case.search is None or term is None or curvature is None:
        return None
    values = sample_values(case.search.semi, case.search.network)
    weight, lower = (case.valued(e).subs(values) for e in (term.weight, curvature.lower))
    constant = float(weight / (weight + lower)) if weight + lower > 0 else math.inf
    if constant == math.inf:
        return None
    return _robust(case, wit.seek_pair(_of_data(case), measures.growth_beyond(constant), BEYOND))


def uphill(case: Case) -> Found:
    """Two nearby states that F pushes apart: then some data have two steady states (docs/theory.md, 4.23).

    By a slope that is more than rounding beside the largest one, M.
    """
    search, steepest = _of_data(case), slope_bounds(case)[1]
    if search is None or not steepest.is_number:
        return None
    step = explicit_steps(search.semi, sp.S.One, 1)
    least = wit.PAIR_MARGIN * max(1.0, float(steepest))
    return wit.seek_pair(replace(search, step=step, network=step, data=""), measures.slope(least), UPHILL)


def mean(case: Case) -> Found:
    return _robust(case, wit.seek(case.search, measures.mean_change, "mean changes by"))


def pair(case: Case) -> Found:
    return _robust(case, wit.seek_pair(case.search))


def growth_or_pair(case: Case) -> Found:
    """With a source, two inputs that the network moves apart stand for a growing mode."""
    return pair(case) if case.facts.source else growth(case)


def extremum(case: Case) -> Found:
    """An input whose range the output leaves; none is known for targets of unknown values."""
    beta, target = pull(case)
    if target and target not in {f.name for f in case.semi.form.fields if neutral(f) == 0}:
        return None
    # Known fields are 0 in the search, so a fidelity term adds 0 to the admissible range.
    zero = not case.semi.closed or beta != 0
    return _robust(case, wit.seek_extremum(case.search, zero))


def _robust(case: Case, found: Found) -> Found:
    """Rounding decides what truncated BiCGStab returns, also in cycles: small violations may not recur."""
    cell = case.update
    if found is None or not isinstance(cell, Cell) or cell.solver is None:
        return found
    systems = case.systems or linear_systems(case.semi, cell)
    fragile = systems.method == "bicgstab" or systems.preconditioner == "multigrid"
    return None if fragile and found["excess"] < LARGE else found


def energy(case: Case) -> Found:
    """An input whose energy grows, with its energies before and after.

    Of steps that are iterated, by more than what rounding does to differences of large states.
    """
    search = case.search
    if search is None:
        return None
    one = Interpreter(explicit_steps(search.semi, search.tau, 1), sample_values(search.semi, search.network))
    tau = float(one.number(search.tau))

    def both(run: Runs, u0: Array) -> tuple[Array, Array]:
        return energies(u0, run(u0), lambda w: one.batch(w, run.fields)[0], tau)

    def violation(run: Runs, u0: Array) -> Array:
        before, after = both(run, u0)
        known = np.isfinite(after)
        scale = np.maximum(np.maximum(abs(before), abs(after)), np.finfo(float).tiny)
        if not isinstance(case.update, Stack):
            moved = norms(one.batch(u0, run.fields)[0] - u0) * norms(u0) / tau
            known &= ~((scale < LEAST * moved) | (moved * tau < LEAST * norms(u0) ** 2))
        return np.where(known, (after - before) / scale, -np.inf)

    hit = search.first(violation, wit.ENERGY_MARGIN, 2000, one, copies=measures.COPIES)
    if hit is None:
        return None
    before, after = (float(e[0]) for e in both(hit.runs, hit.u0[None]))
    u1 = hit.runs(hit.u0[None])[0]
    grown = measures.growth_along(hit.u0, u1, lambda w: one.batch(w, hit.fields)[0], tau)
    if not grown > 0.5 * (after - before):
        return None
    said = wit.described(hit, "energy grows by", energy={"before": before, "after": after})
    return _robust(case, said)


def residual(case: Case) -> Found:
    """An input for which the residual of the first step is larger at the end of its iterations."""
    search, cell = case.search, case.update
    if search is None or not isinstance(cell, Cell) or cell.solver is None:
        return None
    graph = build(search.semi, search.tau, replace(cell, steps=1, solver=cell.solver.counted()))
    one = Interpreter(explicit_steps(search.semi, search.tau, 1), sample_values(search.semi, graph))
    theta = float(cell.theta)

    def violation(run: Runs, u0: Array) -> Array:
        start = one.batch(u0, run.fields)[0] - u0
        v = run(u0)
        left = v - u0 - (1 - theta) * start - theta * (one.batch(v, run.fields)[0] - v)
        # Below, rounding is all there is.
        moves = norms(start) > LEAST * norms(u0)
        return or_infinite(v, np.where(moves, norms(left) / norms(start) - 1, -np.inf))

    hit = replace(search, step=graph, network=graph).first(violation, wit.MARGIN, 10**9, one)
    return wit.described(hit, "residual grows by")


def cycles(case: Case) -> Found:
    """An input for which the residual of the first step is larger after LATE cycles than after EARLY ones."""
    search, unet = case.search, case.update
    if search is None or not isinstance(unet, UNet):
        return None
    early, late = (
        build(search.semi, search.tau, replace(unet, steps=1, cycles=n, tol=None, gradients="unrolled"))
        for n in (EARLY, LATE)
    )
    values = sample_values(search.semi, late)
    first = Interpreter(early, values)
    one = Interpreter(explicit_steps(search.semi, unet.step.subs(TAU, search.tau), 1), values)
    mass = float(unet.mass)

    def violation(run: Runs, u0: Array) -> Array:
        def left(v: Array) -> Array:
            return norms(mass * (v - u0) - (one.batch(v, run.fields)[0] - v))

        before, after = left(first.batch(u0, run.fields)[0]), left(run(u0))
        starts = before > LEAST * norms(u0)
        return np.where(np.isfinite(after), np.where(starts, after / before - 1, -np.inf), np.inf)

    hit = replace(search, step=late, network=late).first(violation, wit.MARGIN, 2000, first, one)
    return wit.described(hit, "residual grows by")


# -- stability with frozen coefficients: those of the input are kept --


def seek_cycle(case: Case) -> Found:
    """An input whose norm grows in one cycle with its own coefficients."""
    return wit.seek(_kept(case, 0), measures.growth, CYCLE_SAYS)


def seek_powers(case: Case) -> Found:
    """An input whose norm exceeds (2 k + 1) times its own after k steps of Du Fort-Frankel.

    With all zeros in the unit disc that is impossible (docs/theory.md, section 4.8).
    """
    for k in POWERS:
        search = _kept(case, k)
        if search is None:
            return None

        def violation(run: Runs, u0: Array, k: int = k) -> Array:
            return measures.growth_beyond(2 * k + 1)(u0, run(u0))

        hit = search.first(violation, wit.MARGIN, CELLS)
        if hit is not None:
            return wit.described(hit, POWERS_SAY.format(k, 2 * k + 1), steps=k)
    return None


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


# What is looked for where a theorem has no search of its own; of other claims, nothing.
SEARCHES = {
    "l2_stability": growth,
    "nonexpansive": pair,
    "maximum_principle": extremum,
    "energy_decay": energy,
    "mean_preservation": mean,
    "frozen_stability": growth_or_pair,
    "bounded_by_data": data_growth,
    "lipschitz_in_data": data_constant,
    "averaged": data_pair,
}
