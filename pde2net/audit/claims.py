"""What the theorems need in numbers, a second time, and what follows for a claim."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pde2net.audit.exactly import INFINITY, ONE, ZERO, NoOpinionError, Number, at_most, same
from pde2net.audit.numbers import Numbers, Weighted
from pde2net.audit.rows import Pair

Find = Callable[[Numbers], Number]
Against = Callable[[Numbers], str]
Applies = Callable[[Numbers], bool]
Factors = Callable[[Numbers, Number], tuple[Number, ...]]


def nothing(n: Numbers) -> str:
    return ""


@dataclass(frozen=True)
class Rule:
    """What the numbers say about a claim; all of it may raise NoOpinionError.

    against  why the claim is false, or ""
    applies  whether limit and factors are those of the theorem that is known here
    limit    of tau; None if the claim holds for every tau
    factors  those that are admissible
    """

    against: Against = nothing
    applies: Applies = lambda n: True
    limit: Find | None = None
    factors: Factors | None = None


def every(*against: Against) -> Against:
    """The first thing that speaks against a claim."""
    return lambda n: next((text for text in (find(n) for find in against) if text), "")


def over(numerator: Number, rate: Find) -> Find:
    """The limit numerator/rate."""

    def limit(n: Numbers) -> Number:
        found = rate(n)
        return numerator / found if found > 0 else INFINITY

    return limit


def norm(n: Numbers) -> Number:
    """sum sup|g| ‖K‖²."""
    return _largest(n.weights)


def slope_norm(n: Numbers) -> Number:
    return _largest(n.slopes)


def _largest(weighted: Weighted) -> Number:
    return sum((max(abs(low), abs(high)) * k for (low, high), k in weighted), ZERO)


def curvature(n: Numbers) -> Pair:
    """Bounds of the spectrum of K^T Phi' K."""
    lower = sum((min(low, ZERO) * k for (low, _), k in n.slopes), ZERO)
    return lower, sum((max(high, ZERO) * k for (_, high), k in n.slopes), ZERO)


def least_slope(n: Numbers) -> Number:
    """A lower bound of F' = K^T Phi' K - r'; 0 where the sum vanishes but for rounding."""
    low, rate = curvature(n)[0], n.rate[0]
    return ZERO if same(-low, rate) else low + rate


def largest_slope(n: Numbers) -> Number:
    return curvature(n)[1] + max(ZERO, n.rate[1])


def pull(n: Numbers) -> Number:
    """beta of beta (f - u), or the largest damping; -1 for a reaction that pulls away."""
    if n.semi.form.reaction == 0:
        return ZERO
    if n.reaction.subs(n.semi.form.state, 0) == 0:
        low, high = n.damping
        return high if low >= 0 else -ONE
    low, high = n.rate
    if low < 0 or n.drives:
        return -ONE
    if n.clock is None and not n.varies and not same(low, high):
        raise NoOpinionError("the reaction is no pull towards a field")
    return high


# What speaks against claims: numbers only, since another theorem may need less of the structure.


def negative(n: Numbers) -> str:
    return "" if all(low >= 0 for (low, _), _ in n.weights) else "g takes negative values"


def undamped(n: Numbers) -> str:
    if n.reaction.subs(n.semi.form.state, 0) != 0:
        return "there is a source"
    return "" if n.damping[0] >= 0 else "the reaction is no damping"


def backward(n: Numbers) -> str:
    return "" if least_slope(n) >= 0 else "the step is not monotone"


def growing_reaction(n: Numbers) -> str:
    return "" if n.rate[0] >= 0 else "the reaction may grow"


def away(n: Numbers) -> str:
    return "" if pull(n) >= 0 else "the reaction pulls away"


def open_border(n: Numbers) -> str:
    if n.semi.form.reaction != 0 or not n.semi.closed:
        return "there is a reaction or an open border"
    return ""


def symmetric(n: Numbers) -> bool:
    return n.symmetric


def two_points(n: Numbers) -> bool:
    """Whether A is the Laplacian of a weighted graph."""
    plain = all(t.along_axes for t in n.semi.form.terms)
    return plain and all(len(d.stencil.offsets) == 2 for ((_, d),) in n.semi.gradient.rows)


def contraction(n: Numbers, tau: Number) -> tuple[Number, ...]:
    """Below 1 if F' >= m > 0; 1 also where the sign of m depends on parameters."""
    m = least_slope(n)
    sharp = max(1 - tau * m, tau * largest_slope(n) - 1) if m > 0 else ONE
    return (sharp,) if n.exact else (sharp, ONE)


def damped_rate(n: Numbers) -> Number:
    """L ‖K‖² + beta."""
    return norm(n) + n.damping[1]


def frozen_rate(n: Numbers) -> Number:
    """L ‖K‖² + sup(-r')."""
    return norm(n) + max(ZERO, n.rate[1])


def diagonal(n: Numbers) -> Number:
    """Of A and what pulls; the same in all cells, or as one known field has it."""
    return n.degree + pull(n) if n.symmetric and not n.varies else n.diagonal


def lipschitz(n: Numbers, tau: Number) -> tuple[Number, ...]:
    """1 + tau Lip(r) where diffusion alone is nonexpansive; else, and without numbers, with its norm."""
    reaction = max(n.rate[1], -n.rate[0])
    low, high = curvature(n)
    always = 1 + tau * (slope_norm(n) + reaction)
    if low == 0 and at_most(tau * high, 2 * ONE):
        sharp = 1 + tau * reaction
        return (sharp,) if n.exact else (sharp, always)
    return (always,)


def growth(n: Numbers, tau: Number) -> tuple[Number, ...]:
    """Of frozen modes, per step of size tau."""
    return (1 + tau * max(ZERO, -n.rate[0]),)


def one(n: Numbers, tau: Number) -> tuple[Number, ...]:
    return (ONE,)


def zero(n: Numbers, tau: Number) -> tuple[Number, ...]:
    return (ZERO,)


# What there is to say against a claim, and whether its rule applies; the rates that limit an explicit step.
STEP: Mapping[str, Rule] = {
    "l2_stability": Rule(every(negative, undamped), symmetric),
    "nonexpansive": Rule(backward, symmetric),
    "maximum_principle": Rule(every(negative, away), two_points),
    "energy_decay": Rule(negative, symmetric),
    "mean_preservation": Rule(open_border),
    "well_posed": Rule(applies=symmetric),
    "frozen_stability": Rule(negative, symmetric),
}
RATES: Mapping[str, Find] = {
    "l2_stability": damped_rate,
    "nonexpansive": largest_slope,
    "maximum_principle": diagonal,
    "energy_decay": largest_slope,
    "frozen_stability": frozen_rate,
}


def limited(
    limits: Mapping[str, Find],
    factors: Mapping[str, Factors],
    others: Mapping[str, Rule] | None = None,
    unknown: Collection[str] = (),
) -> Mapping[str, Rule]:
    """The rules of a step with limits and factors, and `others` in place of some; without those `unknown`."""
    rules = {name: rule for name, rule in {**STEP, **(others or {})}.items() if name not in unknown}
    return {
        name: replace(rule, limit=limits.get(name), factors=factors.get(name, rule.factors))
        for name, rule in rules.items()
    }
