"""Implicit cells a second time: Picard iterates by the recursion of their polynomials, and solved systems."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from pde2net.audit import claims as its
from pde2net.audit import stacks
from pde2net.audit.claims import RATES, Rule, every, limited, over, symmetric
from pde2net.audit.exactly import CONTEXT, INFINITY, ONE, ZERO, Number, number
from pde2net.audit.iterations import Solves, elasticity
from pde2net.audit.numbers import Numbers

SHORT = 12  # iterations whose geometric sums are written out
DIGITS = 12
FALLING = Rule(every(its.negative, its.growing_reaction), symmetric)


def rules(s: Solves, dimension: int) -> Mapping[str, Rule]:
    """Of all claims but consistency."""
    found = _picard(s) if s.kind == "Picard" else _solved(s, dimension)
    if s.single:
        found = stacks.of_steps(sp.S.One)
    solver = _convergence(s)
    return found if solver is None else {**found, "solver_convergence": solver}


# -- Picard iterates --


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
    return its.slope_norm(n) + max(n.rate[1], -n.rate[0])


def geometric(q: Number, count: int) -> Number:
    if count <= SHORT:
        return sum((q**i for i in range(count)), ZERO)
    return count * max(ONE, q) ** (count - 1)


def _picard(s: Solves) -> Mapping[str, Rule]:
    """Of the claims that Picard iterates may have; more than one of them."""
    t, end = number(s.theta), reach(s)

    def factors(n: Numbers, tau: Number) -> tuple[Number, ...]:
        z, count = tau * slopes(n), s.count or 1
        return ((1 + (1 - t) * z) * geometric(t * z, count) + (t * z) ** count,)

    def growth(n: Numbers, tau: Number) -> tuple[Number, ...]:
        z = tau * max(ZERO, -n.rate[0])
        return (1 + z * geometric(t * z, s.count or 1),)

    stable = over(end, its.damped_rate) if s.linear else over(ONE if s.count == 2 else ONE / 2, slopes)
    frozen = over(end, its.frozen_rate)
    return limited(
        {"l2_stability": stable, "nonexpansive": frozen, "frozen_stability": frozen},
        {"nonexpansive": its.one, "well_posed": factors, "frozen_stability": growth},
        {"nonexpansive": FALLING},
        unknown=("maximum_principle", "energy_decay"),
    )


# -- solved systems --


def _solved(s: Solves, dimension: int) -> Mapping[str, Rule]:
    linear = s.kind == "Newton" or (s.linear and (s.method == "elimination" or s.systems.once))
    theta = number(s.theta)
    exact = INFINITY if 2 * theta >= 1 else 2 / (1 - 2 * theta)  # |1 - (1 - theta) z| <= 1 + theta z

    def explicit_part(share: int) -> Number:
        """Where (1 - theta) z reaches what an explicit step may have."""
        return INFINITY if s.theta == 1 else share / (1 - theta)

    def amplification(z: Number) -> Number:
        return (1 - (1 - theta) * z) / (1 + theta * z)

    def factors(n: Numbers, tau: Number) -> tuple[Number, ...]:
        low = amplification(tau * n.rate[0])
        return (low,) if s.theta == 1 else (max(low, -amplification(tau * its.frozen_rate(n))),)

    reaches = {
        "l2_stability": exact if linear else explicit_part(2),
        "nonexpansive": exact,
        "maximum_principle": explicit_part(1),
        "frozen_stability": exact,
        "energy_decay": exact if s.linear else INFINITY,
    }
    rates = {**RATES, "nonexpansive": its.frozen_rate, "energy_decay": its.frozen_rate}
    unknown = ["energy_decay"] if s.kind == "AOS" and dimension > 1 else []
    return limited(
        {name: over(reach, rates[name]) for name, reach in reaches.items() if reach != INFINITY},
        {"nonexpansive": factors, "well_posed": factors},
        dict.fromkeys(("nonexpansive", "well_posed", "frozen_stability"), FALLING),
        ["maximum_principle", "energy_decay"] if s.kind == "Newton" and not s.linear else unknown,
    )


def _convergence(s: Solves) -> Rule | None:
    """Of the iterations of a step."""
    theta = number(s.theta)

    def local(n: Numbers, tau: Number) -> tuple[Number, ...]:
        mass, step = (ZERO, ONE) if s.steady else (ONE, theta * tau)
        moved = step * its.norm(n)
        return (elasticity(n) * moved / (mass + moved),)

    if s.kind == "AOS":
        return None
    if s.kind == "Picard":
        return Rule(
            applies=symmetric,
            limit=over(1 / theta, slopes),
            factors=lambda n, tau: (theta * tau * slopes(n),),
        )
    if s.linear:
        solved = s.method == "elimination"
        return replace(FALLING, factors=its.zero) if solved else replace(FALLING, applies=lambda n: False)
    return Rule(its.negative, symmetric, factors=its.zero if s.kind == "Newton" else local)
