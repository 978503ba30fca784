"""Du Fort-Frankel a second time: convex combinations of explicit steps of size 1/(2 alpha)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import sympy as sp

from pde2net.audit.claims import (
    Against,
    Find,
    Rule,
    as_number,
    away,
    backward,
    damped_rate,
    diagonal,
    every,
    frozen_rate,
    largest_slope,
    negative,
    norm,
    one,
    open_border,
    over,
    symmetric,
    two_points,
    undamped,
)
from pde2net.audit.cycles import well_posed
from pde2net.audit.exactly import ONE, ZERO, NoOpinionError, Number, at_most, same
from pde2net.audit.numbers import Numbers
from pde2net.audit.stages import Row
from pde2net.language.schemes import DuFortFrankel
from pde2net.verify.ranges import UndecidedError


def smallest(n: Numbers) -> Number:
    """A quarter of the largest eigenvalue of A with the reaction."""
    rates = [ZERO]
    for name in ("rate", "damping"):
        with contextlib.suppress(NoOpinionError, UndecidedError):
            rates.append(getattr(n, name)[1])
    return (norm(n) + max(rates)) / 4


def rules(scheme: DuFortFrankel, alpha: sp.Expr, tau: sp.Expr) -> Mapping[str, Rule]:
    damping = as_number(alpha)

    def at_least(least: Find, share: int) -> Against:
        def against(n: Numbers) -> str:
            if scheme.alpha is None and not same(damping(n), smallest(n)):
                return f"alpha = {alpha} is not the smallest one"
            return "" if at_most(least(n) / share, damping(n)) else f"alpha = {alpha} is too small"

        return against

    def growth(n: Numbers, step: Number) -> tuple[Number, ...]:
        return (1 + 2 * step * max(ZERO, -n.rate[0]),)

    def table(n: Numbers) -> list[Row]:
        product = n.number(tau) * damping(n)
        a = 4 * product / (1 + 2 * product)
        return [(a, 1 - a, ZERO, a / (2 * product), ZERO)] * scheme.steps

    convex = over(ONE / 2, damping)
    slopes = at_least(largest_slope, 4)
    return {
        "l2_stability": Rule(every(negative, undamped, at_least(damped_rate, 4)), symmetric, convex),
        "nonexpansive": Rule(every(backward, slopes), symmetric, convex, one),
        "maximum_principle": Rule(every(negative, away, at_least(diagonal, 2)), two_points, convex),
        "energy_decay": Rule(every(negative, backward, slopes), symmetric, convex),
        "mean_preservation": Rule(open_border),
        "well_posed": well_posed(table, frozen=False),
        "frozen_stability": Rule(every(negative, at_least(frozen_rate, 4)), symmetric, factors=growth),
    }
