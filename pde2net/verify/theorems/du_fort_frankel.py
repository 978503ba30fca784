"""Du Fort-Frankel: convex combinations for tau <= 1/(2 alpha), companion matrices for every tau.

docs/theory.md, sections 4.8, 4.10 and 6. S is the explicit step of size 1/(2 alpha).
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from pde2net.scheme.stack import ALPHA
from pde2net.verify.case import Case
from pde2net.verify.certificate import because
from pde2net.verify.consistency import TimeError, second_derivative, step_symbol
from pde2net.verify.rates import Rate, damped_rate, frozen_rate, largest_diagonal, largest_slope
from pde2net.verify.refute import claims as seek
from pde2net.verify.stages import stack_of
from pde2net.verify.theorem import Held, Hypothesis, Missing, Theorem
from pde2net.verify.theorems import explicit
from pde2net.verify.theorems import hypotheses as hyp
from pde2net.verify.theorems.data_of_solvers import of_stages
from pde2net.verify.theorems.stages import STAGE_LIPSCHITZ, STAGE_MEAN, claims_of_stack


def alpha_of(case: Case) -> sp.Expr:
    return stack_of(case).values[ALPHA]


def _at_least(rate: Rate, share: int, statement: str) -> Hypothesis:
    """alpha >= rate/share, a part of the largest eigenvalue or diagonal entry of the operator."""

    def check(case: Case) -> Held | Missing:
        alpha, bound = alpha_of(case), sp.simplify(rate(case) / share)
        margin = case.valued(alpha - bound)
        if margin.is_nonnegative:
            return Held("compared", (("alpha", alpha), ("least alpha", bound)))
        shown = f"the damping alpha = {case.valued(alpha)} is"
        if margin.is_negative:
            return Missing(f"{shown} below {case.valued(bound)}", violated=True)
        return Missing(f"{shown} not known to be at least {case.valued(bound)}")

    return Hypothesis("damping alpha", statement, check)


def _convex(
    of_step: Theorem, reference: str, conclusion: str, *hypotheses: Hypothesis, **more: Any
) -> Theorem:
    """What u+ inherits as a convex combination of u- and S u: a = 4 tau alpha/(1 + 2 tau alpha) <= 1."""
    return of_step.also(
        *hypotheses,
        title="Convex combinations of explicit steps",
        reference=f"Alt et al. 2023, section 3.2; {reference}",
        conclusion=conclusion,
        limit=lambda case: 1 / (2 * alpha_of(case)),
        **more,
    )


SLOPES = _at_least(largest_slope, 4, "alpha >= sup F'/4")
DIAGONAL = _at_least(largest_diagonal, 2, "alpha >= half of the largest diagonal entry of A + beta")

L2 = _convex(
    explicit.L2,
    "Theorem 1",
    "‖u+‖ <= max(‖u‖, ‖u-‖) <= ‖u0‖: a <= 1, and explicit steps of size 1/(2 alpha) are stable",
    _at_least(damped_rate, 4, "alpha >= (L ‖K‖² + beta)/4"),
)
NONEXPANSIVE = _convex(
    explicit.NONEXPANSIVE,
    "Baillon, Haddad 1977",
    "‖N(u) - N(v)‖ <= factor ‖u - v‖ for the whole network, factor <= 1",
    SLOPES,
    factor=lambda case: sp.S.One,
)
ENERGY = _convex(
    explicit.ENERGY,
    "Nesterov 2004, Lemma 1.2.3",
    "E(u+) <= max(E(u), E(u-)) <= E(u0), E(u) = 1/2 sum Psi(|K u|²) - sum R(u), which is convex",
    hyp.monotone,
    SLOPES,
)
MAXIMUM = _convex(
    explicit.MAXIMUM,
    explicit.MAXIMUM.reference,
    "every value of u+ is a weighted mean of values of u and u- (and what the range includes)",
    DIAGONAL,
)
COMPANION = explicit.FROZEN.also(
    _at_least(frozen_rate, 4, "alpha >= (L ‖K‖² + sup(-r'))/4"),
    title="Companion matrix of the frozen operator",
    reference="Du Fort, Frankel 1953; Strikwerda 2004, section 5",
    conclusion="the companion matrix of every mode has spectral radius at most 1 at any frozen state",
    limit=None,
    refute=seek.seek_powers,
)


def time_error(case: Case) -> TimeError:
    """alpha tau² u_tt and O(tau²): alpha grows like 1/h², or 1/h⁴ for fourth-order terms."""
    step, terms = step_symbol(case.tau), case.semi.form.terms
    power = "**2" if case.semi.second else ""
    per = "**4" if power else "**2"
    ratio = because("converges if", ratio=f"{step}/h{power}", growth=f"1/h{per}")
    return TimeError(
        step,
        2,
        alpha_of(case) * step**2 * second_derivative(case.semi),
        (f"{step}**2/h{per}",) if terms else (),
        (ratio if terms else ()) + because("start", step=step),
    )


CLAIMS = claims_of_stack(
    (L2, NONEXPANSIVE, MAXIMUM, ENERGY, STAGE_MEAN, STAGE_LIPSCHITZ),
    explicit.growing(COMPANION, lambda case, m: 1 + 2 * m * case.tau),
    time_error,
) | of_stages(L2, NONEXPANSIVE, STAGE_LIPSCHITZ)
