"""What each proved claim needs, in numbers: hypotheses that must hold, the limit, the factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pde2net.audit.numbers import Numbers
from pde2net.normalise.form import SecondOrder

SLACK = 1e-9


def _nothing(numbers: Numbers) -> float:
    return 0.0


@dataclass(frozen=True)
class Rule:
    """`hypotheses` in the order of the theorem; `needs` gives the first reason why one fails, or "".

    The claim holds for tau <= numerator/rate; rate 0 stands for every tau. `figures` by their names.
    """

    hypotheses: tuple[str, ...]
    needs: Callable[[Numbers], str]
    numerator: int = 2
    rate: Callable[[Numbers], float] = _nothing
    factor: Callable[[Numbers, float], float] | None = None


def norm(n: Numbers) -> float:
    """sum sup|g| ‖K‖²."""
    return sum(max(abs(low), abs(high)) * k for (low, high), k in n.weights)


def slope_norm(n: Numbers) -> float:
    return sum(max(abs(low), abs(high)) * k for (low, high), k in n.slopes)


def curvature(n: Numbers) -> tuple[float, float]:
    """Bounds of the spectrum of K^T Phi' K."""
    lower = sum(min(low, 0.0) * k for (low, _), k in n.slopes)
    return lower, sum(max(high, 0.0) * k for (_, high), k in n.slopes)


def forward(n: Numbers) -> str:
    if not n.symmetric:
        return "the operator is not symmetric"
    return "" if all(low >= -SLACK for (low, _), _ in n.weights) else "g takes negative values"


def damped(n: Numbers) -> str:
    return forward(n) or ("" if n.damping[0] >= -SLACK else "the reaction is no damping")


def symmetric(n: Numbers) -> str:
    return "" if n.symmetric else "the operator is not symmetric"


def monotone(n: Numbers) -> str:
    lower = curvature(n)[0] + n.rate[0]
    return symmetric(n) or ("" if lower >= -SLACK else "the step is not monotone")


def two_points(n: Numbers) -> str:
    if any(isinstance(t, SecondOrder) for t in n.semi.form.terms):
        return "fourth order"
    if any(len(d.stencil.offsets) != 2 for ((_, d),) in n.semi.gradient.rows):
        return "stencils of more than two points"
    return forward(n) or ("" if pull(n) >= -SLACK else "the reaction pulls away")


def pull(n: Numbers) -> float:
    """beta of beta (f - u), or the largest damping."""
    form = n.semi.form
    if form.reaction.subs(form.state, 0) == 0:
        low, high = n.damping
        return high if low >= -SLACK else -1.0
    low, high = n.rate
    return high if high - low <= SLACK * (1 + abs(high)) else -1.0


def closed(n: Numbers) -> str:
    if n.semi.form.reaction != 0 or "dirichlet" in n.semi.boundary:
        return "there is a reaction or an open border"
    return symmetric(n)


def largest_slope(n: Numbers) -> float:
    return curvature(n)[1] + max(0.0, n.rate[1])


def contraction(n: Numbers, tau: float) -> float:
    m = curvature(n)[0] + n.rate[0]
    return max(1 - tau * m, tau * largest_slope(n) - 1) if m > SLACK else 1.0


def lipschitz(n: Numbers, tau: float) -> float:
    reaction = max(n.rate[1], -n.rate[0])
    low, high = curvature(n)
    if low >= -SLACK and tau * high <= 2 * (1 + SLACK):
        return 1 + tau * reaction
    return 1 + tau * (slope_norm(n) + reaction)


def growing(n: Numbers, tau: float) -> float:
    return 1 + tau * max(0.0, -n.rate[0])


SYMMETRIC, BOUNDED, NONNEGATIVE = "exact adjoints", "bounded diffusivity", "nonnegative diffusivity"
FLUX, REACTION = "Lipschitz flux", "Lipschitz reaction"

RULES = {
    "l2_stability": Rule(
        ("no source", "damping reaction", SYMMETRIC, BOUNDED, NONNEGATIVE),
        damped,
        rate=lambda n: norm(n) + n.damping[1],
    ),
    "nonexpansive": Rule(
        (SYMMETRIC, FLUX, REACTION, "monotone step"), monotone, rate=largest_slope, factor=contraction
    ),
    "maximum_principle": Rule(
        ("nonpositive off-diagonals", SYMMETRIC, BOUNDED, NONNEGATIVE, "pull"),
        two_points,
        numerator=1,
        rate=lambda n: n.degree + pull(n),
    ),
    "energy_decay": Rule(
        (SYMMETRIC, FLUX, "energy bounded from below", REACTION), forward, rate=largest_slope
    ),
    "mean_preservation": Rule(("no reaction", SYMMETRIC, "closed border"), closed),
    "well_posed": Rule((SYMMETRIC, FLUX, REACTION), symmetric, factor=lipschitz),
    "frozen_stability": Rule(
        (SYMMETRIC, BOUNDED, NONNEGATIVE, REACTION),
        forward,
        rate=lambda n: norm(n) + max(0.0, n.rate[1]),
        factor=growing,
    ),
}

# The figures that hypotheses carry.
FIGURES: dict[str, Callable[[Numbers], float]] = {
    "L ‖K‖²": norm,
    "L' ‖K‖²": slope_norm,
    "beta": pull,
    "inf -r'": lambda n: n.rate[0],
    "sup -r'": lambda n: n.rate[1],
    "inf F'": lambda n: curvature(n)[0] + n.rate[0],
}
