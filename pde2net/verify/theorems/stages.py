"""What holds for the stages of every stack: means, Lipschitz bounds (docs/theory.md, section 4.10)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction

import sympy as sp

from pde2net.scheme.stack import PREVIOUS, RATE, START, START_RATE, TAU, U
from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.consistency import TimeError, consistency
from pde2net.verify.rates import slope_bounds
from pde2net.verify.stages import STATES, StageWeights, stack_of, stage_weights
from pde2net.verify.theorem import Held, Missing, Table, Theorem, hypothesis
from pde2net.verify.theorems.explicit import LIPSCHITZ, MEAN

DIGITS, KEPT = 6, 60  # of a factor, and of what it is computed with
_FINE = 10**40  # numbers that are not rational are rounded up to this denominator

SOLVER = Claim("solver_convergence", Status.NOT_APPLICABLE, because=because("explicit"))


def claims_of_stack(
    theorems: Iterable[Theorem], frozen: Callable[[Case], Claim], in_time: Callable[[Case], TimeError]
) -> Table:
    """The claims about a stack, which solves no equations."""
    return {
        **{theorem.claim: theorem for theorem in theorems},
        "frozen_stability": frozen,
        "solver_convergence": lambda case: SOLVER,
        "consistency": lambda case: consistency(case.semi, in_time(case)),
    }


@hypothesis("weights of states", "those of each stage sum to 1")
def combination(case: Case) -> Held | Missing:
    if all(sp.simplify(sum(w[s] for s in STATES) - 1) == 0 for w in stage_weights(stack_of(case))):
        return Held("exactly, in every stage")
    return Missing("the weights of a stage do not sum to 1")


@hypothesis("current diffusivities", "each stage is a Lipschitz function of its states")
def current(case: Case) -> Held | Missing:
    if not stack_of(case).frozen or case.semi.form.linear_flux:
        return Held("diffusivities are those of the state itself, or constant")
    return Missing("diffusivities of the start of a cycle multiply later states, which no constant bounds")


@hypothesis("numbers", "tau, alpha and the bounds of F' are numbers")
def numbers(case: Case) -> Held | Missing:
    weights = {w for row in stage_weights(stack_of(case)) for w in row.values()}
    known = {TAU, *case.semi.form.problem.parameters}
    open_ = {s for e in (case.valued(case.tau), *slope_bounds(case)) for s in e.free_symbols}
    open_ |= {s for w in weights for s in w.free_symbols - known}
    if open_:
        names = ", ".join(sorted(map(str, open_)))
        return Missing(f"a bound of all stages is computed in numbers, and {names} has no value")
    return Held("every symbol has a value")


def factor(case: Case) -> sp.Expr:
    """The bound of a cycle, by recursion over its stages, rounded up."""
    m, big = slope_bounds(case)
    step = case.valued(case.tau)
    known: dict[int, tuple[Fraction, Fraction, Fraction]] = {}
    now = before = Fraction(1)
    for weights in stage_weights(stack_of(case)):
        if id(weights) not in known:
            known[id(weights)] = _stage(case, weights, step, m, big)
        own, previous, start = known[id(weights)]
        now, before = rounded_up(own * now + previous * before + start, KEPT), now
    bound = rounded_up(now, DIGITS)
    return sp.Rational(bound.numerator, bound.denominator)


def _stage(
    case: Case, weights: StageWeights, step: sp.Expr, m: sp.Expr, big: sp.Expr
) -> tuple[Fraction, Fraction, Fraction]:
    """Constants of v -> w v - c F(v) for u, of the weight of u-, and of the first for the start."""
    values = case.semi.form.problem.parameters
    value = {s: w.subs(TAU, step).subs(values) for s, w in weights.items()}

    def both(state: sp.Symbol, rate: sp.Symbol) -> Fraction:
        return max(above(sp.Abs(value[state] - step * value[rate] * bound)) for bound in (m, big))

    return both(U, RATE), above(sp.Abs(value[PREVIOUS])), both(START, START_RATE)


def above(number: sp.Expr) -> Fraction:
    """A rational number that is not below: the number itself if it is rational."""
    if number.is_Rational:
        return Fraction(int(number.p), int(number.q))
    near = sp.Rational(sp.N(number, 80))
    return Fraction(math.floor(Fraction(int(near.p), int(near.q)) * _FINE) + 2, _FINE)


def rounded_up(number: Fraction, digits: int) -> Fraction:
    """The smallest number of so many significant digits that is not below."""
    if number == 0:
        return number
    exponent = len(str(number.numerator)) - len(str(number.denominator))
    while Fraction(10) ** exponent > number:
        exponent -= 1
    unit = Fraction(10) ** (exponent + 1 - digits)
    return math.ceil(number / unit) * unit


STAGE_MEAN = MEAN.also(combination)
STAGE_LIPSCHITZ = LIPSCHITZ.also(
    current,
    numbers,
    title="Lipschitz composition of stages",
    conclusion=lambda case: (
        "‖N(u) - N(v)‖ <= factor ‖u - v‖ "
        + ("for the whole network" if stack_of(case).repeated else "per cycle")
    ),
    factor=factor,
)
