"""Cycles of FSI, FED and RKL a second time: the polynomials of their stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import sympy as sp

from pde2net.audit.claims import (
    Find,
    Rule,
    backward,
    curvature,
    damped_rate,
    every,
    frozen_rate,
    largest_slope,
    negative,
    one,
    open_border,
    symmetric,
    undamped,
)
from pde2net.audit.exactly import CONTEXT, INFINITY, ONE, ZERO, NoOpinionError, Number
from pde2net.audit.linear import linear, linear_fluxes
from pde2net.audit.numbers import Numbers
from pde2net.audit.stages import (
    Row,
    bounded,
    confirm_factors,
    fed_rows,
    lipschitz,
    polynomial,
    rounded_up,
    rows,
)
from pde2net.errors import RecheckError
from pde2net.language.schemes import FED, Scheme
from pde2net.verify.certificate import Claim


def reach(scheme: Scheme, claim: Claim) -> Fraction:
    """The Z of the claim, on whose [0, Z] it takes P to be bounded, after that was confirmed.

    Raises RecheckError where it is not.
    """
    found = [h.figures["Z"] for h in claim.hypotheses if "Z" in h.figures]
    if len(found) != 1 or not isinstance(found[0], sp.Rational):
        raise NoOpinionError("the claim names no Z")
    z = Fraction(int(found[0].p), int(found[0].q))
    if not bounded(polynomial(scheme), z):
        raise RecheckError(f"the polynomial of a cycle exceeds 1 on [0, {z}]")
    if isinstance(scheme, FED) and not confirm_factors(scheme):
        raise RecheckError("the steps of a cycle are not the zeros of its polynomial")
    return z


def well_posed(table: Callable[[Numbers], Sequence[Row]], frozen: bool) -> Rule:
    """`table` gives the weights of the stages; `frozen` keeps diffusivities of the start of a cycle."""

    def applies(n: Numbers) -> bool:
        return n.symmetric and n.exact and (not frozen or linear_fluxes(n.semi.form))

    def factors(n: Numbers, tau: Number) -> tuple[Number, ...]:
        (low, high), (least, most) = curvature(n), n.rate
        return rounded_up(lipschitz(table(n), tau, low + least, high + most))

    return Rule(applies=applies, factors=factors)


def rules(scheme: Scheme, claims: Mapping[str, Claim]) -> Mapping[str, Rule]:
    frozen = getattr(scheme, "freeze", "") == "cycle"
    time = scheme.span.p * ONE / scheme.span.q  # of a cycle, in units of tau

    def limit(name: str, rate: Find) -> Find:
        def found(n: Numbers) -> Number:
            z, here = reach(scheme, claims[name]), rate(n)
            return z.numerator * ONE / z.denominator / here if here > 0 else INFINITY

        return found

    def known(n: Numbers) -> bool:
        return n.symmetric and linear(n.semi.form)

    def growth(n: Numbers, step: Number) -> tuple[Number, ...]:
        return (CONTEXT.exp(max(ZERO, -n.rate[0]) * time * step),)

    table = fed_rows(scheme) if isinstance(scheme, FED) else rows(scheme)
    return {
        "l2_stability": Rule(every(negative, undamped), symmetric, limit("l2_stability", damped_rate)),
        "nonexpansive": Rule(backward, known, limit("nonexpansive", largest_slope), one),
        "energy_decay": Rule(negative, known, limit("energy_decay", largest_slope)),
        "mean_preservation": Rule(open_border),
        "well_posed": well_posed(lambda n: table, frozen),
        "frozen_stability": Rule(negative, symmetric, limit("frozen_stability", frozen_rate), growth),
    }
