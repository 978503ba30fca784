"""The theorems about implicit cells whose systems are solved, a second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import sympy as sp

from pde2net.audit import explicit, picard
from pde2net.audit.cell_parts import (
    BACKWARD,
    CONCAVE,
    CONTRACTION,
    EXACT,
    FALLING,
    FALLS,
    FIXED,
    FORWARD,
    FROM_U,
    IMPLICIT,
    LINEAR,
    LIPSCHITZ,
    SOLVED,
    STABLE,
    STEP,
    TAKEN,
    WITH_MEAN,
    Cell,
    limited,
    made,
    when,
)
from pde2net.audit.claims import (
    BELOW,
    FLUX,
    REACTION,
    SYMMETRIC,
    Rule,
    closed,
    curvature,
    damped,
    damped_rate,
    diagonal,
    forward,
    frozen_rate,
    two_points,
)
from pde2net.audit.exactly import INFINITY, Number, number
from pde2net.audit.iterations import Solves, change, decreasing, parts
from pde2net.audit.numbers import Numbers

KRYLOV = {
    "cg": "conjugate gradients stop at a tolerance",
    "bicgstab": "BiCGStab is truncated, and its iterates have no bound",
}
NOTHING = when(False, "nothing is derived for these iterates")


def rules(s: Solves, n: Numbers) -> Mapping[str, Rule]:
    """Of all claims but the convergence of solvers and consistency."""
    if s.kind == "Kacanov":
        for g, _ in parts(n):
            change(n, g)  # ranges that are asked for
    cell = Cell(s)
    if s.single:
        return explicit.rules(sp.S.One)
    if s.kind == "Picard":
        derived = picard.rules(cell)
    else:
        derived = {
            "l2_stability": l2_stability(cell),
            "nonexpansive": linear_step(cell, CONTRACTION, reach(s.theta)),
            "mean_preservation": mean(cell),
            "well_posed": linear_step(cell, LIPSCHITZ, INFINITY),
            "frozen_stability": spectrum(cell),
        }
    return {**derived, "maximum_principle": maximum(cell), "energy_decay": energy(cell, len(n.semi.spacing))}


def reach(theta: sp.Expr) -> Number:
    """Where |R| reaches 1: |1 - (1 - theta) z| = 1 + theta z."""
    t = number(theta)
    return INFINITY if 2 * t >= 1 else 2 / (1 - 2 * t)


def explicit_part(theta: sp.Expr, share: int) -> Number:
    """Where (1 - theta) z reaches what an explicit step may have."""
    return INFINITY if theta == 1 else share / (1 - number(theta))


def factors(s: Solves) -> Callable[[Numbers, Number], tuple[Number, ...]]:
    t = number(s.theta)

    def amplification(z: Number) -> Number:
        return (1 - (1 - t) * z) / (1 + t * z)

    def found(n: Numbers, tau: Number) -> tuple[Number, ...]:
        low = amplification(tau * n.rate[0])
        return (low,) if s.theta == 1 else (max(low, -amplification(tau * frozen_rate(n))),)

    return found


def l2_stability(cell: Cell) -> Rule:
    s = cell.s
    if s.kind == "AOS":
        return made(
            "axes",
            "‖u+‖ <= ‖u‖, since the inverse of every axis has norm at most 1",
            (*STABLE, IMPLICIT, *FORWARD, EXACT),
            damped,
            TAKEN,
            cell.exact,
        )
    if s.kind == "Newton" or (s.linear and (s.method == "elimination" or s.systems.once)):
        return made(
            "function",
            "‖v‖ <= ‖u‖ for every iterate v, as for R(tau B) u",
            (STEP, *STABLE, LINEAR, *FORWARD, FROM_U),
            cell.finite,
            damped,
            cell.linear,
            cell.from_u,
            **limited(reach(s.theta), damped_rate),
        )
    return made(
        "lagged",
        "‖v‖ <= ‖rhs‖ <= ‖u‖ for every iterate v, as ‖v‖² <= <v, (I + theta tau B(w)) v> = <v, rhs>",
        (STEP, *STABLE, IMPLICIT, *FORWARD, SOLVED),
        cell.finite,
        damped,
        TAKEN,
        cell.solved,
        **limited(explicit_part(s.theta, 2), damped_rate),
    )


def linear_step(cell: Cell, conclusion: str, end: Number) -> Rule:
    return made(
        "resolvent",
        conclusion,
        (STEP, LINEAR, *FORWARD, FALLING, EXACT, FIXED),
        cell.finite,
        cell.linear,
        forward,
        FALLS,
        cell.exact,
        cell.fixed,
        factors=factors(cell.s),
        **limited(end, frozen_rate),
    )


def maximum(cell: Cell) -> Rule:
    s = cell.s
    found = made(
        "inverse",
        "every value of every iterate is a weighted mean of values of u (and what the range includes)",
        (STEP, "nonpositive off-diagonals", *FORWARD, "pull", IMPLICIT, EXACT),
        cell.finite,
        two_points,
        TAKEN,
        cell.exact,
        **limited(explicit_part(s.theta, 1), diagonal),
    )
    underived = s.kind == "Picard" or (s.kind == "Newton" and not s.linear)
    return replace(found, needs=NOTHING) if underived else found


def energy(cell: Cell, dimension: int) -> Rule:
    s = cell.s
    underived = (
        s.kind == "Picard" or (s.kind == "Newton" and not s.linear) or (s.kind == "AOS" and dimension > 1)
    )
    if s.linear and not underived:
        return made(
            "energy",
            "E(v) <= E(u) for E(u) = 1/2 <B u, u> - <s, u>, r = s - b u",
            (STEP, LINEAR, *FORWARD, FALLING, FROM_U),
            cell.finite,
            cell.linear,
            forward,
            FALLS,
            cell.from_u,
            **limited(reach(s.theta), frozen_rate),
        )
    found = made(
        "majorised",
        "E(v) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r, and every iterate v",
        (STEP, SYMMETRIC, FLUX, BELOW, REACTION, CONCAVE, IMPLICIT, BACKWARD, SOLVED),
        cell.finite,
        forward,
        when(decreasing, "a diffusivity may increase"),
        TAKEN,
        when(s.theta == 1, "theta is below 1"),
        cell.solved,
    )
    return replace(found, needs=NOTHING) if underived else found


def mean(cell: Cell) -> Rule:
    s = cell.s

    def regular(n: Numbers) -> bool:
        return s.kind != "Newton" or s.linear or curvature(n)[0] == 0

    return made(
        "mean",
        "the mean of u is kept: 1^T A = 0, so every solve keeps it",
        (STEP, "no reaction", SYMMETRIC, "closed border", WITH_MEAN),
        cell.finite,
        closed,
        cell.with_mean,
        when(regular, "systems may be singular"),
    )


def spectrum(cell: Cell) -> Rule:
    s = cell.s
    if s.kind == "AOS":
        return made(
            "axes",
            "the inverse of every axis has norm at most 1 at any frozen state",
            (*FORWARD, FALLING, IMPLICIT, EXACT),
            forward,
            FALLS,
            TAKEN,
            cell.exact,
        )

    def weak(n: Numbers) -> str:
        if s.kind == "Newton" and not s.linear:
            return "in Newton's systems Phi' takes the place of g"
        source = n.reaction.subs(n.semi.form.state, 0) != 0
        nearest = s.method == "cg" and not source and (s.theta == 1 or s.systems.once)
        if s.method == "elimination" or nearest:
            return ""
        return f"linear systems are not solved exactly: {KRYLOV[s.method]}"

    return made(
        "spectrum",
        "|R(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
        (STEP, *FORWARD, FALLING, IMPLICIT, SOLVED),
        cell.finite,
        forward,
        FALLS,
        TAKEN,
        weak=weak,
        **limited(reach(s.theta), frozen_rate),
    )
