"""How cycles of stages, recurrent cells and U-nets depend on the data (docs/theory.md, 4.22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from pde2net.language.expressions import to_text
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status
from pde2net.verify.compositions import whole
from pde2net.verify.data_term import data_term
from pde2net.verify.iteration import Iteration, iteration_of
from pde2net.verify.theorem import Held, Hypothesis, Missing, Table, Theorem, hypothesis
from pde2net.verify.theorems import cell_hypotheses as cell
from pde2net.verify.theorems import hypotheses as hyp
from pde2net.verify.theorems.data import (
    blind,
    constant,
    fidelity,
    filtered,
    is_filter,
    of_input,
    small,
    term_of,
    underivable,
    unfollowed,
)

POSITIVE = (Status.PROVED, Status.PROVED_IF)
STAGES = "nothing is derived about data that enter several stages of a nonlinear equation"
AVERAGES = "nothing is derived about averages for several stages"
CYCLES = "nothing is derived about data for truncated cycles"
RESOLVENTS = (
    "a step with a monotone flux that is solved exactly is averaged, with the factor 1/2; nothing is claimed "
    "of iterations that are not known to reach its solution"
)


def composed(claim: Claim, name: str, repeats: int, says: str) -> Claim:
    """The claim about the whole network of one about a step or a cycle."""
    factor = None if claim.factor is None else whole(claim.factor, repeats)
    said = tuple(
        replace(part, figures={"says": says}) if part.rule == "conclusion" else part for part in claim.because
    )
    return small(replace(claim, name=name, factor=factor, because=said))


WHOLE = "‖N(f) - N(h)‖ <= factor ‖f - h‖ for the whole network"


def _quietly(theorem: Theorem) -> Theorem:
    """Without a search for counterexamples."""
    return replace(theorem, refute=lambda case: None)


def _differences(nonexpansive: Theorem, well_posed: Theorem, case: Case, repeats: int) -> Claim:
    """The constant of all steps or cycles, by the first of the two theorems that holds."""
    claims = [_quietly(theorem)(case) for theorem in (nonexpansive, well_posed)]
    found = next((c for c in claims if c.status in POSITIVE), claims[-1])
    return composed(found, "lipschitz_in_data", repeats, WHOLE)


# -- stacks of several stages --


def of_stages(l2: Theorem, nonexpansive: Theorem, well_posed: Theorem) -> Table:
    """`nonexpansive` and `well_posed` are about a cycle, or about all stages where these are the steps."""

    def bounded(case: Case) -> Claim:
        name = "bounded_by_data"
        if data_term(case.semi.form) is None:
            return of_input(l2, case)
        return filtered(nonexpansive, name)(case) if is_filter(case) else underivable(name, STAGES)

    def lipschitz(case: Case) -> Claim:
        name = "lipschitz_in_data"
        if data_term(case.semi.form) is None:
            update = case.update
            repeats = getattr(update, "cycles", 1)
            return unfollowed(name, case) or _differences(nonexpansive, well_posed, case, repeats)
        return filtered(nonexpansive, name)(case) if is_filter(case) else underivable(name, STAGES)

    def averaged(case: Case) -> Claim:
        return unfollowed("averaged", case) or underivable("averaged", AVERAGES)

    return {"bounded_by_data": bounded, "lipschitz_in_data": lipschitz, "averaged": averaged}


# -- recurrent cells --


@hypothesis("regular systems", "mass > 0, or b > 0")
def regular(case: Case) -> Held | Missing:
    """The system of the steady state is b + A."""
    if not iteration_of(case).steady:
        return Held("the mass of a step is 1")
    weight = case.valued(term_of(case).weight)
    return Held(f"b = {weight}") if weight.is_positive else Missing("b may be 0")


# A >= 0 and no operator but A: <(mass + t (A + b)) x, x> >= (mass + t b) ‖x‖².
_FORWARD = (fidelity, hyp.symmetric, hyp.nonnegative_diffusivity, cell.implicit)
_IMPLICIT = (*_FORWARD, regular)
_RESOLVENT = (blind, cell.linear, hyp.penaliser, cell.exact, cell.fixed)
BOUNDED = Theorem(
    "bounded_by_data",
    "Energy estimate of a solve",
    "Lax, Milgram 1954",
    (*_IMPLICIT, cell.bounded_solves),
    "‖v‖ <= max(‖u‖, ‖f‖), so ‖N(f)‖ <= ‖f‖: (m + t b) ‖v‖² <= <m u + t b f, v> for every iterate v",
)
LIPSCHITZ = Theorem(
    "lipschitz_in_data",
    "Resolvents of a linear monotone operator",
    "Minty 1962",
    (*_IMPLICIT, *_RESOLVENT),
    "‖N(f) - N(h)‖ <= factor ‖f - h‖: a step is J((1 - w) u + w f) with ‖J‖ <= 1",
    factor=lambda case: sp.S.One,
)


def _share(case: Case) -> sp.Expr:
    """n/(n + 1) of n firmly nonexpansive steps; 1/2 of the steady state."""
    n = 1 if iteration_of(case).steady else case.scheme.repeats
    return sp.Rational(n, n + 1)


AVERAGED = Theorem(
    "averaged",
    "Composition of firmly nonexpansive steps",
    "Minty 1962; Combettes, Yamada 2015",
    (*_RESOLVENT, hyp.symmetric, hyp.nonnegative_diffusivity, cell.decreasing, cell.implicit),
    "N = (1 - factor) I + factor R with a nonexpansive R: each step is a resolvent",
    factor=_share,
)


def _solved(it: Iteration) -> bool:
    """Whether every step solves systems (mass + t (A(v) + b)) x = rhs."""
    return it.theta == 1 and (it.kind in ("Kacanov", "AOS") or (it.kind == "Newton" and it.linear))


def _exactly(it: Iteration) -> bool:
    """Whether these are linear in the data and solved exactly."""
    return _solved(it) and it.linear and it.systems.method == "direct"


def _approached(case: Case, steady: bool) -> str:
    """What is known of exact solutions with a fidelity, and of results that are not known to reach them."""
    found = constant(case) if case.plain else None
    if found is None:
        return ""
    left = sp.cancel(case.valued(term_of(case).weight) / found)
    per = left if steady else 1 + case.valued(case.tau) * left
    least = to_text(per) if per.is_Integer or per.is_Symbol else f"({to_text(per)})"
    return (
        f"; the constant of exact solutions is {found}, and results differ from them by at most "
        f"‖residual‖/{least}"
    )


def _open(name: str, it: Iteration) -> Callable[[Case], Claim]:
    """Nothing is claimed of iterations that end before they reach the solution."""
    why = "nothing is derived about data for iterations that end before they reach the solution of a step"
    if it.kind == "AOS":
        why = "nothing is derived about data for coefficients of the last state"
        return lambda case: underivable(name, why)
    return lambda case: underivable(name, why + _approached(case, it.steady))


def of_cells(
    l2: Callable[[Iteration, Case], Theorem],
    nonexpansive: Callable[[Iteration, Case], Theorem],
    well_posed: Callable[[Iteration, Case], Theorem],
) -> dict[str, Callable[[Iteration, Case], Callable[[Case], Claim]]]:
    """How the theorem about the data is chosen for each iteration."""

    def bounded(it: Iteration, case: Case) -> Callable[[Case], Claim]:
        name = "bounded_by_data"
        if data_term(case.semi.form) is None:
            theorem = l2(it, case)
            return lambda case: of_input(theorem, case)
        if _solved(it):
            return BOUNDED
        if is_filter(case) and not it.steady:
            return filtered(nonexpansive(it, case), name)
        return _open(name, it)

    def lipschitz(it: Iteration, case: Case) -> Callable[[Case], Claim]:
        name = "lipschitz_in_data"
        if data_term(case.semi.form) is None:
            pair = nonexpansive(it, case), well_posed(it, case)
            return lambda case: unfollowed(name, case) or _differences(*pair, case, case.scheme.repeats)
        if _exactly(it):
            return LIPSCHITZ
        if is_filter(case) and not it.steady and it.kind != "AOS":
            found = _quietly(filtered(nonexpansive(it, case), name))(case)
            if found.status in POSITIVE:
                return lambda case: found
        return _open(name, it)

    def averaged(it: Iteration, case: Case) -> Callable[[Case], Claim]:
        steady = it.steady and data_term(case.semi.form) is None
        if _exactly(it) and not steady:
            return lambda case: unfollowed("averaged", case) or AVERAGED(case)
        return lambda case: unfollowed("averaged", case) or underivable("averaged", RESOLVENTS)

    return {"bounded_by_data": bounded, "lipschitz_in_data": lipschitz, "averaged": averaged}


# -- U-nets --


def of_unets(l2: Callable[[Case], Theorem], combined: Hypothesis) -> Table:
    """`combined` says that <rhs - N(v), v> = 0 at the end of a step."""
    theorem = replace(BOUNDED, hypotheses=(*_FORWARD, combined))

    def bounded(case: Case) -> Claim:
        if data_term(case.semi.form) is None:
            return of_input(l2(case), case)
        if isinstance(combined.check(case), Held):
            return theorem(case)
        return underivable("bounded_by_data", CYCLES + _approached(case, case.tau == sp.oo))

    def other(name: str) -> Callable[[Case], Claim]:
        def claimed(case: Case) -> Claim:
            known = "" if data_term(case.semi.form) is None else _approached(case, case.tau == sp.oo)
            return unfollowed(name, case) or underivable(name, CYCLES + known)

        return claimed

    return {
        "bounded_by_data": bounded,
        **{name: other(name) for name in ("lipschitz_in_data", "averaged")},
    }
