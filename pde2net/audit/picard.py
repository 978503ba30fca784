"""The theorems about Picard iterates, a second time: their polynomials by recursion."""

from __future__ import annotations

from collections.abc import Mapping

from pde2net.audit.cell_parts import (
    BACKWARD,
    CONTRACTION,
    FALLING,
    FALLS,
    FIXED,
    FORWARD,
    LINEAR,
    LIPSCHITZ,
    PLAIN,
    STABLE,
    Cell,
    made,
    when,
)
from pde2net.audit.claims import (
    FLUX,
    REACTION,
    SYMMETRIC,
    Rule,
    closed,
    damped,
    damped_rate,
    forward,
    frozen_rate,
    over,
    slope_norm,
    symmetric,
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


def rules(cell: Cell) -> Mapping[str, Rule]:
    """Of the claims that Picard iterates may have; more than one of them."""
    s, t = cell.s, number(cell.s.theta)
    end = reach(s)

    def factors(n: Numbers, tau: Number) -> tuple[Number, ...]:
        z, count = tau * slopes(n), s.count or 1
        return ((1 + (1 - t) * z) * geometric(t * z, count) + (t * z) ** count,)

    def growth(n: Numbers, tau: Number) -> tuple[Number, ...]:
        z = tau * max(ZERO, -n.rate[0])
        return (1 + z * geometric(t * z, s.count or 1),)

    linear = made(
        "picard",
        "‖v‖ = ‖p(tau B) u‖ <= ‖u‖ for the polynomial p of the iterates",
        (*STABLE, LINEAR, *FORWARD, PLAIN),
        damped,
        cell.linear,
        cell.plain,
        limit=over(end, damped_rate),
    )
    nonlinear = made(
        "extragradient",
        "‖v‖ <= ‖u‖ for every input, since the differences of F at the iterates decrease",
        (*STABLE, *FORWARD, FLUX, REACTION, BACKWARD, PLAIN),
        damped,
        when(s.theta == 1, "theta is below 1"),
        cell.plain,
        limit=over(ONE if s.count == 2 else ONE / 2, slopes),
    )
    bounded = when(
        lambda n: s.count is not None or bool(n.rate[0] >= 0), "modes may grow with every iteration"
    )
    return {
        "l2_stability": linear if s.linear else nonlinear,
        "nonexpansive": made(
            "picard",
            CONTRACTION,
            (LINEAR, *FORWARD, FALLING, PLAIN, FIXED),
            cell.linear,
            forward,
            FALLS,
            cell.plain,
            cell.fixed,
            limit=over(end, frozen_rate),
            factors=lambda n, tau: (ONE,),
        ),
        "mean_preservation": made(
            "mean", "the mean of u is kept: 1^T K^T = 0", ("no reaction", SYMMETRIC, "closed border"), closed
        ),
        "well_posed": made(
            "lipschitz",
            LIPSCHITZ,
            (SYMMETRIC, FLUX, REACTION, PLAIN, FIXED),
            symmetric,
            cell.plain,
            cell.fixed,
            factors=factors,
        ),
        "frozen_stability": made(
            "picard",
            "|p(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
            (*FORWARD, REACTION, PLAIN),
            forward,
            cell.plain,
            bounded,
            limit=over(end, frozen_rate),
            factors=growth,
        ),
    }
