"""Cycles of FSI, FED, RKL and RKC as polynomials in the operator (docs/theory.md, sections 4.9 and 4.10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import sympy as sp

from pde2net.normalise.affine import affine
from pde2net.scheme.polynomial import Polynomial
from pde2net.scheme.stack import TAU
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim
from pde2net.verify.consistency import TimeError, second_derivative, step_symbol
from pde2net.verify.polynomial import coefficients, like_exponential, polynomial
from pde2net.verify.ranges import UndecidedError
from pde2net.verify.rates import Rate, damped_rate, frozen_rate, largest_slope
from pde2net.verify.refute import claims as seek
from pde2net.verify.stages import stack_of
from pde2net.verify.theorem import Held, Hypothesis, Missing, hypothesis, quotient, underived
from pde2net.verify.theorems import data, explicit
from pde2net.verify.theorems import hypotheses as hyp
from pde2net.verify.theorems.data_of_solvers import of_stages
from pde2net.verify.theorems.stages import STAGE_LIPSCHITZ, STAGE_MEAN, claims_of_stack


def _reach(case: Case, rate: Rate) -> tuple[Polynomial, sp.Rational]:
    """P and the largest Z that is used: |P| <= 1 on [0, Z]."""
    found = polynomial(case.scheme)
    return found, found.limit(case.valued(case.tau * rate(case)))


def _bounded(rate: Rate) -> Hypothesis:
    def check(case: Case) -> Held | Missing:
        found, reach = _reach(case, rate)
        how = f"P = {found.text}, equal to the product of the stages"
        if reach > found.reach:
            how += f"; P is monotone beyond {found.reach}"
        return Held(how, (("Z", reach),))

    return Hypothesis("polynomial of a cycle", "|P| <= 1 on [0, Z]", check)


def _up_to(rate: Rate) -> Rate:
    return lambda case: quotient(_reach(case, rate)[1], rate(case))


@hypothesis("kept operator", "A and b are the same in all stages of a cycle")
def kept_operator(case: Case) -> Held | Missing:
    form = case.semi.form
    if affine(form.reaction, form.state) is None:
        return Missing(f"the reaction term {form.reaction} is not linear in u", weakens=True)
    if form.linear_flux:
        return Held("the equation is linear in u")
    if stack_of(case).frozen:
        return Held("diffusivities are those of the start of the cycle")
    return Missing("diffusivities change within a cycle", weakens=True)


linear = hyp.linear_equation("nothing is derived for several stages of a nonlinear equation")
CYCLES = "Hafner et al. 2016; Meyer et al. 2014; Sommeijer, Shampine, Verwer 1998"

L2 = explicit.L2.also(
    _bounded(damped_rate),
    kept_operator,
    title="Polynomials of symmetric operators",
    reference=CYCLES,
    conclusion="‖u+‖ <= ‖u‖ for every input, since a cycle is P(tau B), B = A + diag b, and 0 <= tau B <= Z",
    limit=_up_to(damped_rate),
)
NONEXPANSIVE = explicit.NONEXPANSIVE.also(
    linear,
    _bounded(largest_slope),
    title="Polynomials of symmetric operators, for differences",
    reference=CYCLES,
    conclusion="‖N(u) - N(v)‖ <= factor ‖u - v‖ per cycle, factor <= 1",
    limit=_up_to(largest_slope),
    factor=lambda case: sp.S.One,
)
ENERGY = explicit.ENERGY.also(
    linear,
    _bounded(largest_slope),
    title="Polynomials that commute with the operator",
    reference="spectral theorem",
    limit=_up_to(largest_slope),
)
FROZEN = explicit.FROZEN.also(
    _bounded(frozen_rate),
    title="Polynomial at the spectrum of the frozen operator",
    reference="von Neumann; Meyer et al. 2014",
    conclusion="|P(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
    limit=_up_to(frozen_rate),
    refute=seek.seek_cycle,
)


weighted_means = underived(
    "weighted means",
    "no weight of a stage is negative",
    "the stages of a cycle are no weighted means: weights may be negative",
)
MAXIMUM = replace(
    explicit.MAXIMUM, hypotheses=(hyp.two_points, hyp.symmetric, hyp.pulls, weighted_means), limit=None
)


def _as_exponential(find: Callable[[Case], Claim]) -> Callable[[Case], Claim]:
    """Where a reaction lets modes grow, the polynomial has to do what the exponential does."""

    def claimed(case: Case) -> Claim:
        rate = case.facts.rate
        if (rate is None or not rate.nonnegative) and not like_exponential(case.scheme):
            raise UndecidedError("how the polynomial of a cycle amplifies modes that grow is not known")
        return find(case)

    return claimed


def _growth(case: Case, m: sp.Expr) -> sp.Expr:
    """Of modes, at most by exp(m T) per cycle of time T."""
    return sp.exp(m * stack_of(case).time.subs(TAU, case.tau))


def time_error(case: Case) -> TimeError:
    """(1/2 - p2/p1²) T u_tt for a cycle of time T = p1 tau with the polynomial 1 - p1 z + p2 z² - ...

    tau b u_t more for steps of size tau/(1 + tau b).
    """
    stack, symbol = stack_of(case), step_symbol(case.tau)
    if stack.implicit != 0:
        first = sp.Symbol(f"{case.semi.form.state}_t", real=True)
        return TimeError(symbol, 1, symbol * (second_derivative(case.semi) / 2 + stack.implicit * first))
    p1, p2 = coefficients(stack)
    alone = len(stack.stages) == 1 or stack.repeated
    frozen = stack.frozen and not alone and not case.semi.form.linear_flux
    if stack.order > 1 and not frozen:
        return TimeError(symbol, stack.order, None)
    moving = case.facts.until is not None and not alone  # F at one time of the cycle
    if moving or frozen:
        return TimeError(symbol, 1, None)
    return TimeError(symbol, 1, (sp.S.Half - p2 / p1**2) * p1 * symbol * second_derivative(case.semi))


CLAIMS = claims_of_stack(
    (L2, NONEXPANSIVE, MAXIMUM, STAGE_MEAN, STAGE_LIPSCHITZ),
    _as_exponential(explicit.growing(FROZEN, _growth, "cycle")),
    time_error,
) | {"energy_decay": _as_exponential(ENERGY), **of_stages(L2, NONEXPANSIVE, STAGE_LIPSCHITZ)}
# Of explicit steps: one stage per cycle.
STEPS = (
    claims_of_stack(explicit.THEOREMS, explicit.frozen_stability, time_error)
    | {"well_posed": explicit.well_posed}
    | data.STEPS
)
