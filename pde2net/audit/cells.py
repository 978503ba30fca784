"""Implicit cells whose systems are solved, a second time."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.audit import explicit, picard
from pde2net.audit.claims import (
    Find,
    Rule,
    away,
    damped_rate,
    diagonal,
    every,
    frozen_rate,
    growing_reaction,
    negative,
    norm,
    open_border,
    over,
    symmetric,
    two_points,
    undamped,
    zero,
)
from pde2net.audit.exactly import INFINITY, ONE, ZERO, Number, number
from pde2net.audit.iterations import Solves, elasticity
from pde2net.audit.numbers import Numbers


def rules(s: Solves, dimension: int) -> Mapping[str, Rule]:
    """Of all claims but consistency."""
    found = picard.rules(s) if s.kind == "Picard" else _solved(s, dimension)
    if s.single:
        found = explicit.rules(sp.S.One)
    solver = _convergence(s)
    return found if solver is None else {**found, "solver_convergence": solver}


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
        return (low,) if s.theta == 1 else (max(low, -amplification(tau * frozen_rate(n))),)

    split = s.kind == "AOS"
    falling = every(negative, growing_reaction)
    end = exact if linear else explicit_part(2)
    found = {
        "l2_stability": Rule(
            every(negative, undamped), symmetric, None if split else _limited(end, damped_rate)
        ),
        "nonexpansive": Rule(falling, symmetric, _limited(exact, frozen_rate), factors),
        "mean_preservation": Rule(open_border),
        "well_posed": Rule(falling, symmetric, None, factors),
        "frozen_stability": Rule(falling, symmetric, None if split else _limited(exact, frozen_rate)),
    }
    if s.kind == "Newton" and not s.linear:
        return found
    found["maximum_principle"] = Rule(every(negative, away), two_points, _limited(explicit_part(1), diagonal))
    if not (split and dimension > 1):
        found["energy_decay"] = Rule(negative, symmetric, _limited(exact, frozen_rate) if s.linear else None)
    return found


def _limited(reach: Number, rate: Find) -> Find | None:
    """tau <= reach/rate, where the reach is finite."""
    return None if reach == INFINITY else over(reach, rate)


def _convergence(s: Solves) -> Rule | None:
    """Of the iterations of a step."""
    theta = number(s.theta)

    def scaled(tau: Number) -> tuple[Number, Number]:
        """(mass, theta tau)."""
        return (ZERO, ONE) if s.steady else (ONE, theta * tau)

    def local(n: Numbers, tau: Number) -> tuple[Number, ...]:
        mass, step = scaled(tau)
        moved = step * norm(n)
        return (elasticity(n) * moved / (mass + moved),)

    if s.kind == "AOS":
        return None
    if s.kind == "Picard":
        return Rule(
            applies=symmetric,
            limit=over(1 / theta, picard.slopes),
            factors=lambda n, tau: (theta * tau * picard.slopes(n),),
        )
    if s.linear:
        solved = s.method == "elimination"
        against = every(negative, growing_reaction)
        return Rule(against, symmetric, factors=zero) if solved else Rule(against, lambda n: False)
    return Rule(negative, symmetric, factors=zero if s.kind == "Newton" else local)
