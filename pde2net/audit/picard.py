"""Picard iterates a second time: their polynomials by recursion."""

from __future__ import annotations

from collections.abc import Mapping

from pde2net.audit.claims import (
    Rule,
    damped_rate,
    every,
    frozen_rate,
    growing_reaction,
    negative,
    one,
    open_border,
    over,
    slope_norm,
    symmetric,
    undamped,
)
from pde2net.audit.exactly import CONTEXT, ONE, ZERO, Number, number
from pde2net.audit.iterations import Solves
from pde2net.audit.numbers import Numbers

SHORT = 12  # iterations whose geometric sums are written out
DIGITS = 12


def value(theta: Number, count: int, z: Number) -> Number:
    """p_l(z)."""
    p = ONE
    for _ in range(count):
        p = 1 - (1 - theta) * z - theta * z * p
    return p


def reach(s: Solves) -> Number:
    """Where the recursion of the polynomial leaves [-1, 1], for odd counts to 12 decimals."""
    t = number(s.theta)
    if s.count is None or not s.theta.is_Rational:
        return min(2 * ONE, 1 / t)
    if s.count % 2 == 0:
        return 1 / t if 2 * t >= 1 else min(1 / t, 2 / (1 - 2 * t))
    low, high = ZERO, ONE
    while value(t, s.count, high) >= -1:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if value(t, s.count, middle) >= -1 else (low, middle)
    unit = CONTEXT.mpf(10) ** -DIGITS
    return CONTEXT.floor(low / unit) * unit


def slopes(n: Numbers) -> Number:
    """A Lipschitz constant of F."""
    return slope_norm(n) + max(n.rate[1], -n.rate[0])


def geometric(q: Number, count: int) -> Number:
    if count <= SHORT:
        return sum((q**i for i in range(count)), ZERO)
    return count * max(ONE, q) ** (count - 1)


def rules(s: Solves) -> Mapping[str, Rule]:
    """Of the claims that Picard iterates may have; more than one of them."""
    t, end = number(s.theta), reach(s)

    def factors(n: Numbers, tau: Number) -> tuple[Number, ...]:
        z, count = tau * slopes(n), s.count or 1
        return ((1 + (1 - t) * z) * geometric(t * z, count) + (t * z) ** count,)

    def growth(n: Numbers, tau: Number) -> tuple[Number, ...]:
        z = tau * max(ZERO, -n.rate[0])
        return (1 + z * geometric(t * z, s.count or 1),)

    stable = over(end, damped_rate) if s.linear else over(ONE if s.count == 2 else ONE / 2, slopes)
    falling = every(negative, growing_reaction)
    return {
        "l2_stability": Rule(every(negative, undamped), symmetric, stable),
        "nonexpansive": Rule(falling, symmetric, over(end, frozen_rate), one),
        "mean_preservation": Rule(open_border),
        "well_posed": Rule(applies=symmetric, factors=factors),
        "frozen_stability": Rule(negative, symmetric, over(end, frozen_rate), growth),
    }
