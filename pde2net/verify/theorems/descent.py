"""Steady states by gradient descent v <- v + omega F(v) (docs/theory.md, 4.23)."""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from pde2net.verify.case import Case
from pde2net.verify.certificate import Claim, Status, because
from pde2net.verify.iteration import iteration_of
from pde2net.verify.rates import slope_bounds
from pde2net.verify.theorem import Held, Missing, Table, Theorem, hypothesis
from pde2net.verify.theorems import data, explicit
from pde2net.verify.theorems import hypotheses as hyp
from pde2net.verify.theorems.steady import NESTEROV, STRONGLY, where_convex


@hypothesis("plain steps", "v <- v + omega F(v) without extrapolation")
def plain(case: Case) -> Held | Missing:
    if iteration_of(case).accelerated:
        return Missing("nothing is derived for steps that are extrapolated, but the bound of the error")
    return Held("omega = 2/(M + |m|) <= 2/M")


def _factor(case: Case) -> sp.Expr:
    """q = (M - m)/(M + m)."""
    low, high = slope_bounds(case)
    return sp.simplify((high - low) / (high + low))


CONVERGENCE = Theorem(
    "solver_convergence",
    "Gradient descent of a strongly convex energy",
    NESTEROV,
    (*STRONGLY, plain),
    "‖v_k - v‖ <= q^k ‖v_0 - v‖ for the steady state v, q = (M - m)/(M + m) the factor",
    factor=_factor,
)
ENERGY = explicit.ENERGY.also(plain, limit=None)


@hypothesis("derivation", "")
def underived(case: Case) -> Held | Missing:
    return Missing("nothing is derived for the iterates of a descent here")


OTHERS = {
    theorem.claim: replace(theorem, hypotheses=(*hypotheses, underived), limit=None, factor=lambda case: None)
    for theorem, hypotheses in (
        (explicit.L2, (hyp.no_source,)),
        (explicit.NONEXPANSIVE, ()),
        (explicit.MAXIMUM, ()),
        (explicit.FROZEN, ()),
    )
}


@hypothesis("fixed number", "the number of steps does not depend on the data")
def counted(case: Case) -> Held | Missing:
    count = iteration_of(case).count
    if count is not None:
        return Held(f"{count} steps")
    return Missing(
        "steps end by a tolerance, each result within ‖F‖/(b - rho_m) of a solution that depends on the data "
        f"with the constant {data.constant(case)}"
    )


@hypothesis("weighted means", "omega <= 2/(rho + 2 b)")
def weighted_means(case: Case) -> Held | Missing:
    curvature, norm = case.facts.curvature, case.facts.norm
    if curvature is None or norm is None or curvature.lower != 0:
        return Missing("the flux is not known to be monotone")
    if not sp.simplify(curvature.upper - norm).is_nonnegative:
        return Missing("rho is not known to be at most rho'")
    return Held("omega = 2/(rho' + 2 b), rho <= rho'")


BOUNDED = Theorem(
    "bounded_by_data",
    "Weighted means with the data",
    "triangle inequality",
    (data.fidelity, *hyp.FORWARD, hyp.penaliser, plain, weighted_means),
    "‖v+‖ <= max(‖v‖, ‖f‖) for every step, so ‖N(f)‖ <= ‖f‖ from u = f on",
    refute=lambda case: None,
)
LIPSCHITZ = Theorem(
    "lipschitz_in_data",
    "Contraction towards the data",
    "Banach 1922",
    (data.fidelity, data.blind, hyp.symmetric, hyp.penaliser, data.strong, plain, counted),
    "‖N(f) - N(h)‖ <= factor ‖f - h‖ for any number of steps, from u = f or from one u on, C = b/(b - rho_m)",
    factor=data.constant,
    refute=lambda case: None,
)


def averaged(case: Case) -> Claim:
    """The exact solution is firmly nonexpansive for a monotone flux; what is short of it is not, exactly."""
    why = (
        "the exact steady state of a monotone flux is averaged with the factor 1/2, iterates are not exactly"
    )
    return data.unfollowed("averaged", case) or data.underivable("averaged", why)


CLAIMS: Table = {
    **OTHERS,
    "bounded_by_data": lambda case: data.unfollowed("bounded_by_data", case) or BOUNDED(case),
    "lipschitz_in_data": lambda case: data.unfollowed("lipschitz_in_data", case) or LIPSCHITZ(case),
    "averaged": averaged,
    "energy_decay": ENERGY,
    "mean_preservation": explicit.MEAN,
    "solver_convergence": lambda case: where_convex(CONVERGENCE, case),
    "consistency": lambda case: Claim("consistency", Status.NOT_APPLICABLE, because=because("no time")),
}
