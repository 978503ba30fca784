"""The theorems about explicit steps of size c tau, a second time."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from pde2net.audit.claims import (
    BELOW,
    BOUNDED,
    FLUX,
    NONNEGATIVE,
    REACTION,
    SYMMETRIC,
    Rule,
    closed,
    contraction,
    damped,
    damped_rate,
    diagonal,
    forward,
    frozen_rate,
    growing,
    largest_slope,
    lipschitz,
    monotone,
    over,
    symmetric,
    two_points,
)
from pde2net.audit.exactly import number
from pde2net.language.schemes import FED, FSI, RKL, Explicit, Scheme


def size_of(scheme: Scheme) -> sp.Rational | None:
    """c if the network consists of explicit steps of size c tau: one stage per cycle."""
    if isinstance(scheme, Explicit):
        return sp.S.One
    if isinstance(scheme, FSI | FED) and scheme.cycle_length == 1:
        return sp.Rational(2, 3)
    if isinstance(scheme, RKL) and scheme.stages == 1:
        return sp.S.One
    return None


def rules(size_in_tau: sp.Rational) -> Mapping[str, Rule]:
    c = number(size_in_tau)
    size = "tau" if size_in_tau == 1 else f"{size_in_tau} tau"
    return {
        "l2_stability": Rule(
            "Explicit l2 stability (Alt et al. 2023, Theorem 1)",
            f"‖u+‖ <= ‖u‖ for every input, since 0 <= {size} (A(u) + diag b) <= 2",
            ("no source", "damping reaction", SYMMETRIC, BOUNDED, NONNEGATIVE),
            damped,
            limit=over(2 / c, damped_rate),
        ),
        "nonexpansive": Rule(
            "Cocoercive gradients (Baillon, Haddad 1977; Nesterov 2004, Theorem 2.1.15)",
            "‖N(u) - N(v)‖ <= factor ‖u - v‖ per step, factor <= 1",
            (SYMMETRIC, FLUX, REACTION, "monotone step"),
            monotone,
            limit=over(2 / c, largest_slope),
            factors=lambda n, tau: contraction(n, c * tau),
        ),
        "maximum_principle": Rule(
            "Maximum-minimum principle by nonnegative weights (Weickert 1998, Theorem 8)",
            "every value of u+ is a weighted mean of values of u (and what the range includes)",
            ("nonpositive off-diagonals", SYMMETRIC, BOUNDED, NONNEGATIVE, "pull"),
            two_points,
            limit=over(1 / c, diagonal),
        ),
        "energy_decay": Rule(
            "Descent lemma (Nesterov 2004, Lemma 1.2.3)",
            "E(u+) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r",
            (SYMMETRIC, FLUX, BELOW, REACTION),
            forward,
            limit=over(2 / c, largest_slope),
        ),
        "mean_preservation": Rule(
            "Constants in the kernel of K (Weickert 1998, Theorem 8)",
            "the mean of u is kept: 1^T K^T = 0",
            ("no reaction", SYMMETRIC, "closed border"),
            closed,
        ),
        "well_posed": Rule(
            "Lipschitz composition (triangle inequality)",
            "‖N(u) - N(v)‖ <= factor ‖u - v‖ per step",
            (SYMMETRIC, FLUX, REACTION),
            symmetric,
            factors=lambda n, tau: lipschitz(n, c * tau),
        ),
        "frozen_stability": Rule(
            "Spectrum of the frozen operator (von Neumann; Strikwerda 2004, section 2.2)",
            f"|1 - {size} mu| <= 1 for every eigenvalue mu of A - r' at any frozen state",
            (SYMMETRIC, BOUNDED, NONNEGATIVE, REACTION),
            forward,
            limit=over(2 / c, frozen_rate),
            factors=lambda n, tau: growing(n, c * tau),
        ),
    }
