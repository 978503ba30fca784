"""The theorems about Du Fort-Frankel, a second time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

import sympy as sp

from pde2net.audit.claims import (
    BELOW,
    BOUNDED,
    FLUX,
    NONNEGATIVE,
    REACTION,
    SYMMETRIC,
    Find,
    Own,
    Rule,
    damped,
    damped_rate,
    diagonal,
    forward,
    frozen_rate,
    largest_slope,
    monotone,
    norm,
    two_points,
)
from pde2net.audit.exactly import ONE, ZERO, Number, at_most, same
from pde2net.audit.numbers import Numbers
from pde2net.audit.stacks import MEAN, well_posed
from pde2net.audit.stages import Row
from pde2net.errors import RecheckError
from pde2net.language.schemes import DuFortFrankel
from pde2net.verify.certificate import Claim, Discharged
from pde2net.verify.ranges import UndecidedError

ALPHA = "damping alpha"
TITLE = "Convex combinations of explicit steps (Alt et al. 2023, section 3.2; {})"


def smallest(n: Numbers) -> Number:
    """A quarter of the largest eigenvalue of A with the reaction."""
    rates = [ZERO]
    with contextlib.suppress(RecheckError, UndecidedError):
        rates.append(n.rate[1])
    if n.reaction.subs(n.semi.form.state, 0) == 0:
        with contextlib.suppress(RecheckError, UndecidedError):
            rates.append(n.damping[1])
    return (norm(n) + max(rates)) / 4


def rules(scheme: DuFortFrankel, alpha: sp.Expr, tau: sp.Expr, n: Numbers) -> Mapping[str, Rule]:
    """Raises RecheckError if alpha is not the smallest one, where that was asked for."""
    if scheme.alpha is None and not same(n.number(alpha), smallest(n)):
        raise RecheckError(f"alpha = {alpha} is not the smallest one")

    def convex(n: Numbers, claim: Claim) -> Number:
        return 1 / (2 * n.number(alpha))

    def at_least(least: Find, statement: str) -> Mapping[str, object]:
        """The hypothesis about alpha, its comparison, and the reasons that name it."""

        def wrong(n: Numbers, h: Discharged) -> str:
            if list(h.figures) != ["alpha", "least alpha"] or h.how != "compared":
                return "other figures"
            stated = [n.number(v) for v in h.figures.values()]
            right = same(stated[0], n.number(alpha)) and same(stated[1], least(n), ONE)
            return "" if right else "other figures"

        def figures(n: Numbers) -> list[Number]:
            return [n.number(alpha), least(n)]

        return {
            "own": {ALPHA: Own(statement, wrong)},
            "compares": lambda n: "" if at_most(least(n), n.number(alpha)) else "alpha is too small",
            "reasons": {
                r"The damping alpha = (.*) is below (.*)\.": figures,
                r"The damping alpha = (.*) is not known to be at least (.*)\.": figures,
            },
        }

    def part(rate: Find, share: int) -> Find:
        return lambda n: rate(n) / share

    def growth(n: Numbers, step: Number) -> tuple[Number, ...]:
        return (1 + 2 * step * max(ZERO, -n.rate[0]),)

    def table(n: Numbers) -> list[Row]:
        product = n.number(tau) * n.number(alpha)
        a = 4 * product / (1 + 2 * product)
        return [(a, 1 - a, ZERO, a / (2 * product), ZERO)] * scheme.steps

    slopes = at_least(part(largest_slope, 4), "alpha >= sup F'/4")
    made: Callable[..., Rule] = Rule
    return {
        "l2_stability": made(
            TITLE.format("Theorem 1"),
            "‖u+‖ <= max(‖u‖, ‖u-‖) <= ‖u0‖: a <= 1, and explicit steps of size 1/(2 alpha) are stable",
            ("no source", "damping reaction", SYMMETRIC, BOUNDED, NONNEGATIVE, ALPHA),
            damped,
            limit=convex,
            **at_least(part(damped_rate, 4), "alpha >= (L ‖K‖² + beta)/4"),
        ),
        "nonexpansive": made(
            TITLE.format("Baillon, Haddad 1977"),
            "‖N(u) - N(v)‖ <= factor ‖u - v‖ for the whole network, factor <= 1",
            (SYMMETRIC, FLUX, REACTION, "monotone step", ALPHA),
            monotone,
            limit=convex,
            factors=lambda n, step: (ONE,),
            **slopes,
        ),
        "maximum_principle": made(
            TITLE.format("Weickert 1998, Theorem 8"),
            "every value of u+ is a weighted mean of values of u and u- (and what the range includes)",
            ("nonpositive off-diagonals", SYMMETRIC, BOUNDED, NONNEGATIVE, "pull", ALPHA),
            two_points,
            limit=convex,
            **at_least(part(diagonal, 2), "alpha >= half of the largest diagonal entry of A + beta"),
        ),
        "energy_decay": made(
            TITLE.format("Nesterov 2004, Lemma 1.2.3"),
            "E(u+) <= max(E(u), E(u-)) <= E(u0), E(u) = 1/2 sum Psi(|K u|²) - sum R(u), which is convex",
            (SYMMETRIC, FLUX, BELOW, REACTION, "monotone step", ALPHA),
            lambda n: forward(n) or monotone(n),
            limit=convex,
            **slopes,
        ),
        "mean_preservation": MEAN,
        "well_posed": well_posed(table, False, "for the whole network"),
        "frozen_stability": made(
            "Companion matrix of the frozen operator (Du Fort, Frankel 1953; Strikwerda 2004, section 5)",
            "the companion matrix of every mode has spectral radius at most 1 at any frozen state",
            (SYMMETRIC, BOUNDED, NONNEGATIVE, REACTION, ALPHA),
            forward,
            factors=growth,
            **at_least(part(frozen_rate, 4), "alpha >= (L ‖K‖² + sup(-r'))/4"),
        ),
    }
