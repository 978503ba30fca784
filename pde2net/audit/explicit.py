"""Explicit steps of size c tau, a second time."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.audit.claims import (
    Rule,
    away,
    backward,
    contraction,
    damped_rate,
    diagonal,
    every,
    frozen_rate,
    growth,
    largest_slope,
    lipschitz,
    negative,
    open_border,
    over,
    symmetric,
    two_points,
    undamped,
)
from pde2net.audit.exactly import number
from pde2net.language.schemes import FED, FSI, RKL, Explicit, Scheme
from pde2net.scheme.rkc import RKC


def size_of(scheme: Scheme) -> sp.Rational | None:
    """c if the network consists of explicit steps of size c tau: one stage per cycle."""
    if isinstance(scheme, Explicit):
        return sp.S.One
    if isinstance(scheme, FSI | FED) and scheme.cycle_length == 1:
        return sp.Rational(2, 3)
    if isinstance(scheme, RKL | RKC) and scheme.stages == 1:
        return sp.S.One
    return None


def rules(size: sp.Rational) -> Mapping[str, Rule]:
    c = number(size)
    return {
        "l2_stability": Rule(every(negative, undamped), symmetric, over(2 / c, damped_rate)),
        "nonexpansive": Rule(
            backward, symmetric, over(2 / c, largest_slope), lambda n, tau: contraction(n, c * tau)
        ),
        "maximum_principle": Rule(every(negative, away), two_points, over(1 / c, diagonal)),
        "energy_decay": Rule(negative, symmetric, over(2 / c, largest_slope)),
        "mean_preservation": Rule(open_border),
        "well_posed": Rule(applies=symmetric, factors=lambda n, tau: lipschitz(n, c * tau)),
        "frozen_stability": Rule(
            negative, symmetric, over(2 / c, frozen_rate), lambda n, tau: growth(n, c * tau)
        ),
    }
