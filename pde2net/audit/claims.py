"""What the theorems need in numbers, a second time, and what a claim rests on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp

from pde2net.audit.exactly import INFINITY, ONE, ZERO, Number, at_most, same
from pde2net.audit.numbers import Numbers, Weighted
from pde2net.audit.rows import Pair
from pde2net.normalise.form import SecondOrder, Tensor
from pde2net.verify.certificate import Claim, Discharged, Status

Find = Callable[[Numbers], Number]


@dataclass(frozen=True)
class Own:
    """A hypothesis of some schemes only: its statement, and what is wrong with how it is said to hold."""

    statement: str
    wrong: Callable[[Numbers, Discharged], str]


@dataclass(frozen=True)
class Rule:
    """What a claim rests on: it holds for tau <= limit if every hypothesis does.

    hypotheses  names, in order
    needs       the first reason why a hypothesis fails, or ""
    compares    the same where it depends on the values of parameters, as the comparison with the limit does
    limit       at some numbers, for the claim as it is stated; None if it holds for every tau
    factors     those that are admissible
    own         hypotheses that are not in STATEMENTS
    weak        why the claim holds with frozen coefficients only, without its last hypothesis; or ""
    per         what factors are about
    reasons     patterns of reasons for claims that are not proved, with the figures in them
    """

    title: str
    conclusion: str
    hypotheses: tuple[str, ...]
    needs: Callable[[Numbers], str]
    limit: Callable[[Numbers, Claim], Number] | None = None
    factors: Callable[[Numbers, Number], tuple[Number, ...]] = lambda n, tau: ()
    compares: Callable[[Numbers], str] = lambda n: ""
    own: Mapping[str, Own] = field(default_factory=dict)
    weak: Callable[[Numbers], str] = lambda n: ""
    per: str = "step"
    reasons: Mapping[str, Callable[[Numbers], Sequence[Number]]] = field(default_factory=dict)


def out_of_time(claim: Claim) -> bool:
    """Whether nothing is claimed, since the derivation ended before there was anything to say."""
    given_up = re.fullmatch(r"The derivation took longer than [0-9.e+-]+ s\.", claim.reason) is not None
    return given_up and claim == Claim(claim.name, Status.UNKNOWN, reason=claim.reason)


def over(numerator: Number, rate: Find) -> Callable[[Numbers, Claim], Number]:
    """The limit numerator/rate."""

    def limit(n: Numbers, claim: Claim) -> Number:
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
    """beta of beta (f - u), or the largest damping; -1 for any other reaction."""
    if n.semi.form.reaction == 0:
        return ZERO
    if n.reaction.subs(n.semi.form.state, 0) == 0:
        low, high = n.damping
        return high if low >= 0 else -ONE
    low, high = n.rate
    if n.clock is not None:
        return high if low >= 0 and _one_target(n) else -ONE
    return high if same(low, high) and high > 0 else -ONE


def _one_target(n: Numbers) -> bool:
    """Whether the reaction is beta(t) (f - u), with an f that is the same at all times."""
    form, time = n.semi.form, n.semi.form.problem.time
    beta = sp.simplify(-sp.diff(form.reaction, form.state))
    if beta == 0 or beta.free_symbols & ({form.state} | form.data):
        return False
    return time not in sp.simplify(form.reaction / beta + form.state).free_symbols


def forward(n: Numbers) -> str:
    return symmetric(n) or ("" if all(low >= 0 for (low, _), _ in n.weights) else "g takes negative values")


def damped(n: Numbers) -> str:
    if n.reaction.subs(n.semi.form.state, 0) != 0:
        return "there is a source"
    return forward(n) or ("" if n.damping[0] >= 0 else "the reaction is no damping")


def symmetric(n: Numbers) -> str:
    return "" if n.symmetric else "the operator is not symmetric"


def monotone(n: Numbers) -> str:
    return symmetric(n) or ("" if least_slope(n) >= 0 else "the step is not monotone")


def two_points(n: Numbers) -> str:
    if n.semi.form.learned:
        return "learned filters"
    if any(isinstance(t, SecondOrder) for t in n.semi.form.terms):
        return "fourth order"
    if any(isinstance(t, Tensor) for t in n.semi.form.terms):
        return "mixed derivatives"
    if any(len(d.stencil.offsets) != 2 for ((_, d),) in n.semi.gradient.rows):
        return "stencils of more than two points"
    return forward(n) or ("" if pull(n) >= 0 else "the reaction pulls away")


def closed(n: Numbers) -> str:
    if n.semi.form.reaction != 0 or "dirichlet" in n.semi.boundary or n.semi.form.learned:
        return "there is a reaction, an open border or a learned filter"
    return symmetric(n)


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
    return n.degree + pull(n)


def lipschitz(n: Numbers, tau: Number) -> tuple[Number, ...]:
    """1 + tau Lip(r) where diffusion alone is nonexpansive; else, and without numbers, with its norm."""
    reaction = max(n.rate[1], -n.rate[0])
    low, high = curvature(n)
    always = 1 + tau * (slope_norm(n) + reaction)
    if low == 0 and at_most(tau * high, 2 * ONE):
        sharp = 1 + tau * reaction
        return (sharp,) if n.exact else (sharp, always)
    return (always,)


def growing(n: Numbers, tau: Number) -> tuple[Number, ...]:
    return (1 + tau * max(ZERO, -n.rate[0]),)


SYMMETRIC, BOUNDED, NONNEGATIVE = "exact adjoints", "bounded diffusivity", "nonnegative diffusivity"
FLUX, REACTION, BELOW = "Lipschitz flux", "Lipschitz reaction", "energy bounded from below"

STATEMENTS = {
    SYMMETRIC: "A(u) = K^T G(u) K is symmetric",
    BOUNDED: "g <= L, and ‖K^T G K‖ <= L ‖K‖²",
    NONNEGATIVE: "0 <= g",
    BELOW: "0 <= g",
    FLUX: "Phi is the gradient of a penaliser and |Phi'| <= L'",
    REACTION: "r' is bounded",
    "no source": "r(0) = 0",
    "damping reaction": "r(u) = -b(u) u with 0 <= b <= beta",
    "monotone step": "F(u) = K^T Phi(K u) - r(u) is monotone",
    "nonpositive off-diagonals": "A_ij <= 0 for i != j, and A 1 = 0",
    "pull": "r = beta (f - u), or r = -b(u) u with 0 <= b <= beta",
    "no reaction": "r = 0",
    "closed border": "K 1 = 0",
}

# The figures that a hypothesis must carry; nonnegative ones list the infima of the weights.
FIGURES: Mapping[str, Mapping[str, Find]] = {
    BOUNDED: {"L ‖K‖²": norm},
    FLUX: {"L' ‖K‖²": slope_norm},
    REACTION: {"inf -r'": lambda n: n.rate[0], "sup -r'": lambda n: n.rate[1]},
    "damping reaction": {"beta": lambda n: n.damping[1]},
    "monotone step": {"inf F'": least_slope},
    "pull": {"beta": pull},
}
