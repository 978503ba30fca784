"""How what explicit steps compute depends on the data (docs/theory.md, 4.22)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.compositions import averaged_with_data, composed, whole
from pde2net.verify.data_term import DataTerm, data_term
from pde2net.verify.rates import implicit, slope_bounds
from pde2net.verify.stages import pace_of, stack_of, step_of
from pde2net.verify.theorem import Held, Missing, Table, Theorem, hypothesis, quotient, strictly
from pde2net.verify.theorems import explicit
from pde2net.verify.theorems import hypotheses as hyp


def term_of(case: Case) -> DataTerm:
    found = data_term(case.semi.form)
    if found is None:
        raise TypeError("there is no fidelity")
    return found


# -- hypotheses --


@hypothesis("data term", "r = b (f - u) with a field f and a constant b >= 0")
def fidelity(case: Case) -> Held | Missing:
    found = data_term(case.semi.form)
    if found is None:
        return Missing(
            f"the reaction {case.semi.form.reaction} is not b (f - u) with a field f and a constant b >= 0"
        )
    return Held(f"the data are {found.field}, with which the network starts", (("b", found.weight),))


@hypothesis("operator of no data", "A does not depend on the data")
def blind(case: Case) -> Held | Missing:
    """A(f) u is another map for other data, and differences of results have a part (A(f) - A(h)) u."""
    found = data_term(case.semi.form)
    if found is None:
        return Held("the data are the input")
    if case.semi.form.sees(found.field):
        return Missing(f"the data {found.field} stand in the diffusion, which is another one for other data")
    return Held(f"{found.field} stands in the data term alone")


@hypothesis("one operator", "F is the same in all steps")
def one_operator(case: Case) -> Held | Missing:
    """Blocks may have learned operators of their own, or coefficients at times of their own."""
    if case.semi.form.learned or case.free or case.facts.until is not None:
        return Missing("the operators of two steps may differ")
    return Held("no block has parameters or times of its own")


linear = hyp.linear_equation("the equation is not linear")


@hypothesis("monotone flux", "Phi' >= 0")
def monotone_flux(case: Case) -> Held | Missing:
    curvature = case.facts.curvature
    if curvature is not None and curvature.lower == 0:
        return Held("every eigenvalue of Phi' is nonnegative")
    return Missing("the flux is not monotone, or not known to be", violated=True)


@hypothesis("pull to the data", "b > 0")
def positive(case: Case) -> Held | Missing:
    weight = case.valued(term_of(case).weight)
    return Held(f"b = {weight}") if weight.is_positive else Missing("b may be 0")


def excess(case: Case) -> sp.Expr | None:
    """b - rho_m, rho_m = sup(-Phi')+ ‖K‖²: a lower bound of the slopes of -F."""
    curvature = case.facts.curvature
    return None if curvature is None else case.valued(term_of(case).weight + curvature.lower)


@hypothesis("strong pull", "b > rho_m = sup(-Phi')+ ‖K‖²")
def strong(case: Case) -> Held | Missing:
    left, curvature = excess(case), case.facts.curvature
    if left is not None and curvature is not None and left.is_positive:
        return Held(f"b - rho_m = {left}", (("rho_m", -curvature.lower),))
    kept = "; compile(..., keep_stable=True, lipschitz=C) scales filters such that it does"
    return Missing(
        "the weight b is not known to exceed rho_m, which bounds how the flux pushes states apart"
        + (kept if case.semi.form.learned else "")
    )


# -- limits and factors --


def weighted(share: int, rate: Callable[[Case], sp.Expr]) -> Callable[[Case], sp.Expr]:
    """tau <= 2/(c (rate + share b)) for a fidelity at u, 2/rate for one at u+."""

    def limit(case: Case) -> sp.Expr:
        if implicit(case):
            return quotient(sp.Integer(2), rate(case))
        return quotient(2 / pace_of(case), rate(case) + share * term_of(case).weight)

    return limit


def upper_slope(case: Case) -> sp.Expr:
    """rho' of 0 <= K^T Phi' K <= rho'."""
    curvature = case.facts.curvature
    return sp.oo if curvature is None else curvature.upper


def _spread(case: Case) -> sp.Expr:
    """rho' - rho_m; rho' where its sign is not known, with a fidelity at u+."""
    curvature = case.facts.curvature
    if curvature is None:
        return sp.oo
    found = sp.expand(curvature.upper + curvature.lower)
    if not implicit(case) or found.is_positive:
        return found
    return sp.S.Zero if found.is_nonpositive else curvature.upper


def constant(case: Case) -> sp.Expr | None:
    """C = b/(b - rho_m)."""
    left = excess(case)
    if left is None or not left.is_positive:
        return None
    return sp.cancel(case.valued(term_of(case).weight) / left)


def steps_of(case: Case) -> int:
    stack = stack_of(case)
    return len(stack.stages) * stack.cycles


def _lipschitz(case: Case) -> sp.Expr | None:
    """‖I - t J‖ <= max(1 - t m, t M - 1) for m <= J <= M, step after step."""
    m, big = slope_bounds(case)
    if m == -sp.oo or big == sp.oo:
        return None
    t = case.valued(step_of(case))
    q = sp.Max(sp.expand(1 - t * m), sp.expand(t * big - 1))
    found = data_term(case.semi.form)
    share = sp.S.Zero if found is None else case.valued(t * found.weight)
    return composed(q, share, steps_of(case))


def _contraction(case: Case) -> sp.Expr | None:
    once = explicit.contraction(case)
    return None if once is None else whole(once, steps_of(case))


def _averaged(case: Case) -> sp.Expr | None:
    """n a/(1 + (n - 1) a) of n steps that are a-averaged, a = t M/2."""
    n, a = steps_of(case), case.valued(step_of(case) * slope_bounds(case)[1] / 2)
    return sp.cancel(n * a / (1 + (n - 1) * a))


def _averaged_with_data(case: Case) -> sp.Expr | None:
    """alpha+ = (1 - w) (a + alpha - 2 a alpha)/(1 - a alpha), a = s rho'/2; 1 - w without numbers."""
    b, tau = case.valued(term_of(case).weight), case.valued(case.tau * pace_of(case))
    w = sp.cancel(tau * b / (1 + tau * b)) if implicit(case) else tau * b
    rate = case.valued(upper_slope(case))
    a = sp.S.Zero if rate == 0 else sp.cancel(tau * rate / 2 / (1 if implicit(case) else 1 - w))
    if not (a.is_number and w.is_number):
        return sp.cancel(1 - w)
    if not (0 <= a <= 1 and 0 <= w <= 1):
        return None
    return averaged_with_data(a, w, steps_of(case))


def _expanded(case: Case) -> Mapping[str, Any] | None:
    """Two inputs that refute `nonexpansive`: no averaged map moves them apart."""
    earlier = case.known.get("nonexpansive")
    return None if earlier is None else earlier.witness


# -- theorems --

BOUNDED = Theorem(
    "bounded_by_data",
    "Weighted means with the data",
    "triangle inequality",
    (fidelity, *hyp.FORWARD),
    "‖u+‖ <= max(‖u‖, ‖f‖), so ‖N(f)‖ <= ‖f‖ from u = f on: u+ = (1 - w) P u + w f with ‖P‖ <= 1",
    weighted(2, lambda case: case.facts.norm),
)
FILTERS = "‖N f‖ <= ‖f‖ for the linear N = p + (1 - p) b/(A + b), a function of A with |p| <= 1"
LIPSCHITZ = Theorem(
    "lipschitz_in_data",
    "Contraction towards the data",
    "Banach 1922",
    (fidelity, blind, hyp.symmetric, hyp.penaliser, strong),
    "‖N(f) - N(h)‖ <= factor ‖f - h‖ for any number of steps from u = f, factor C = b/(b - rho_m)",
    lambda case: (
        quotient(sp.Integer(2), _spread(case))
        if implicit(case)
        else quotient(2 / pace_of(case), _spread(case) + 2 * term_of(case).weight)
    ),
    constant,
)
STEPWISE = Theorem(
    "lipschitz_in_data",
    "Lipschitz constant of all steps",
    "triangle inequality",
    (blind, hyp.symmetric, hyp.penaliser, hyp.lipschitz_reaction),
    "‖N(f) - N(h)‖ <= factor ‖f - h‖ for the whole network",
    factor=_lipschitz,
)
DIFFERENCES = replace(
    explicit.NONEXPANSIVE,
    claim="lipschitz_in_data",
    conclusion=STEPWISE.conclusion,
    factor=_contraction,
    refute=lambda case: None,
)
AVERAGED = replace(
    explicit.NONEXPANSIVE,
    claim="averaged",
    title="Composition of averaged steps",
    reference="Baillon, Haddad 1977; Combettes, Yamada 2015",
    conclusion="N = (1 - factor) I + factor R with a nonexpansive R",
    factor=_averaged,
    refute=lambda case: dict(_expanded(case) or {}) or None,
)
AVERAGED_WITH_DATA = replace(
    AVERAGED,
    hypotheses=(fidelity, blind, hyp.symmetric, hyp.penaliser, monotone_flux, positive),
    limit=weighted(2, upper_slope),
    factor=_averaged_with_data,
    refute=None,
)


def filtered(differences: Theorem, claim: str) -> Theorem:
    """From a theorem about differences, for linear equations with one operator: N is a function of A."""
    factor = sp.S.One if claim == "lipschitz_in_data" else None
    other = () if claim == "bounded_by_data" else (blind,)
    own = (fidelity, *other, linear, one_operator, hyp.penaliser, *differences.hypotheses)
    hypotheses = tuple(dict.fromkeys(own))
    return replace(
        differences,
        claim=claim,
        title="Spectral filters of the data",
        reference="spectral theorem",
        hypotheses=hypotheses,
        conclusion=FILTERS,
        factor=lambda case: factor,
        refute=None,
    )


def is_filter(case: Case) -> bool:
    """Whether such a theorem may hold."""
    alike = isinstance(one_operator.check(case), Held)
    return case.linear and case.facts.curvature is not None and alike


def underivable(claim: str, why: str) -> Claim:
    return Claim(claim, Status.UNKNOWN, because=because("missing", hypothesis="data", why=why))


def unfollowed(claim: str, case: Case) -> Claim | None:
    """The claim where data enter in another way: the reaction has a source, and is no fidelity."""
    if data_term(case.semi.form) is not None or not case.facts.source:
        return None
    outcome = fidelity.check(case)
    return underivable(claim, outcome.reason) if isinstance(outcome, Missing) else None


def of_input(l2: Theorem, case: Case) -> Claim:
    """What l2 stability says, where the data are the input."""
    name = "bounded_by_data"
    earlier = case.known.get(l2.claim)
    return unfollowed(name, case) or replace(l2(case) if earlier is None else earlier, name=name)


def small(claim: Claim) -> Claim:
    """A constant that is beyond all use is none."""
    if claim.factor != sp.oo:
        return claim
    return Claim(claim.name, Status.UNKNOWN, theorem=claim.theorem, because=because("large constant"))


# -- explicit steps --


def bounded_by_data(case: Case) -> Claim:
    if data_term(case.semi.form) is None:
        return of_input(explicit.L2, case)
    if is_filter(case):
        return filtered(explicit.NONEXPANSIVE, "bounded_by_data")(case)
    return BOUNDED(case)


def lipschitz_in_data(case: Case) -> Claim:
    """With the constant C or 1 where there is one for any number of steps, else of the steps one by one."""
    other = unfollowed("lipschitz_in_data", case)
    if other is not None:
        return other
    if data_term(case.semi.form) is None:
        monotone = isinstance(hyp.monotone.check(case), Held)
        small_step = monotone and _within(DIFFERENCES, case)
        return small((DIFFERENCES if small_step else STEPWISE)(case))
    if is_filter(case):
        return filtered(explicit.NONEXPANSIVE, "lipschitz_in_data")(case)
    left = excess(case)
    return small((STEPWISE if left is not None and left.is_nonpositive else LIPSCHITZ)(case))


def _within(theorem: Theorem, case: Case) -> bool:
    """Whether the step is not known to exceed the limit."""
    limit = sp.oo if theorem.limit is None else theorem.limit(case)
    return bool(limit == sp.oo or sp.Le(case.valued(case.tau), case.valued(limit)) != sp.false)


def averaged(case: Case) -> Claim:
    other = unfollowed("averaged", case)
    if other is not None:
        return other
    if data_term(case.semi.form) is not None:
        found = AVERAGED_WITH_DATA(case)
    else:
        found = strictly(AVERAGED, case, "not averaged")
    norms = set(case.facts.filter_norms)
    if found.status == Status.PROVED and found.factor is not None and found.factor.free_symbols & norms:
        return replace(found, status=Status.UNKNOWN, factor=None, because=because("open factor"))
    return found


STEPS: Table = {
    "bounded_by_data": bounded_by_data,
    "lipschitz_in_data": lipschitz_in_data,
    "averaged": averaged,
}
