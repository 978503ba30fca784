"""Residual stacks a second time: explicit steps, cycles by their polynomials, Du Fort-Frankel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

import sympy as sp

from pde2net.audit import claims as its
from pde2net.audit.claims import RATES, STEP, Factors, Find, Rule, limited, over
from pde2net.audit.exactly import CONTEXT, INFINITY, ONE, ZERO, NoOpinionError, Number, at_most, number, same
from pde2net.audit.linear import fidelity_of, linear, linear_fluxes
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
from pde2net.language.schemes import FED, FSI, RKL, DuFortFrankel, Explicit, Scheme
from pde2net.scheme.rkc import RKC
from pde2net.verify.certificate import Claim
from pde2net.verify.ranges import UndecidedError

OF_A_STEP: Mapping[str, Factors] = {
    "nonexpansive": its.contraction,
    "well_posed": its.lipschitz,
    "frozen_stability": its.growth,
}


def size_of(scheme: Scheme) -> sp.Rational | None:
    """c if the network consists of explicit steps of size c tau: one stage per cycle."""
    if isinstance(scheme, Explicit):
        return sp.S.One
    if isinstance(scheme, FSI | FED) and scheme.cycle_length == 1:
        return sp.Rational(2, 3)
    if isinstance(scheme, RKL | RKC) and scheme.stages == 1:
        return sp.S.One
    return None


def of_proximal_steps() -> Mapping[str, Rule]:
    """Steps that take b u at their end, of size s = tau/(1 + tau b): s (a + b) <= 2 if tau a <= 2."""
    rates: Mapping[str, Find] = {
        "l2_stability": its.norm,
        "nonexpansive": lambda n: its.curvature(n)[1],
        "maximum_principle": lambda n: n.degree if n.symmetric else n.diagonal,
        "energy_decay": lambda n: its.curvature(n)[1],
        "frozen_stability": its.norm,
    }

    def shortened(find: Factors) -> Factors:
        return lambda n, tau: find(n, tau / (1 + tau * n.number(fidelity_of(n.semi.form))))

    limits = {name: over((1 if name == "maximum_principle" else 2) * ONE, r) for name, r in rates.items()}
    return limited(limits, {name: shortened(find) for name, find in OF_A_STEP.items()})


def of_steps(size: sp.Rational) -> Mapping[str, Rule]:
    """Explicit steps of size c tau."""
    c = number(size)
    limits = {name: over((1 if name == "maximum_principle" else 2) / c, rate) for name, rate in RATES.items()}
    return limited(limits, {name: partial(_of_size, c, found) for name, found in OF_A_STEP.items()})


def _of_size(c: Number, factors: Factors, n: Numbers, tau: Number) -> tuple[Number, ...]:
    return factors(n, c * tau)


# -- cycles --


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
        (low, high), (least, most) = its.curvature(n), n.rate
        return rounded_up(lipschitz(table(n), tau, low + least, high + most))

    return Rule(applies=applies, factors=factors)


def of_cycles(scheme: Scheme, claims: Mapping[str, Claim]) -> Mapping[str, Rule]:
    """FSI, FED, RKL and RKC; nothing is known of maxima."""
    time = scheme.span.p * ONE / scheme.span.q  # of a cycle, in units of tau

    def limit(name: str) -> Find:
        def found(n: Numbers) -> Number:
            z, here = reach(scheme, claims[name]), RATES[name](n)
            return z.numerator * ONE / z.denominator / here if here > 0 else INFINITY

        return found

    def linear_step(n: Numbers) -> bool:
        return n.symmetric and linear(n.semi.form)

    def growth(n: Numbers, step: Number) -> tuple[Number, ...]:
        return (CONTEXT.exp(max(ZERO, -n.rate[0]) * time * step),)

    table = fed_rows(scheme) if isinstance(scheme, FED) else rows(scheme)
    others = {name: replace(STEP[name], applies=linear_step) for name in ("nonexpansive", "energy_decay")}
    others["well_posed"] = well_posed(lambda n: table, getattr(scheme, "freeze", "") == "cycle")
    factors = {"nonexpansive": its.one, "frozen_stability": growth}
    return limited({name: limit(name) for name in RATES}, factors, others, unknown=("maximum_principle",))


# -- Du Fort-Frankel --


def smallest(n: Numbers) -> Number:
    """A quarter of the largest eigenvalue of A with the reaction."""
    rates = [ZERO]
    for name in ("rate", "damping"):
        with contextlib.suppress(NoOpinionError, UndecidedError):
            rates.append(getattr(n, name)[1])
    return (its.norm(n) + max(rates)) / 4


def of_du_fort_frankel(scheme: DuFortFrankel, alpha: sp.Expr, tau: sp.Expr) -> Mapping[str, Rule]:
    """Convex combinations of explicit steps of size 1/(2 alpha)."""

    def damping(n: Numbers) -> Number:
        return n.number(alpha)

    def admissible(name: str) -> Rule:
        """What there is against the explicit step, and alpha below the share of its rate."""
        share = 2 if name == "maximum_principle" else 4

        def small(n: Numbers) -> str:
            if scheme.alpha is None and not same(damping(n), smallest(n)):
                return f"alpha = {alpha} is not the smallest one"
            return "" if at_most(RATES[name](n) / share, damping(n)) else f"alpha = {alpha} is too small"

        step = its.every(its.negative, its.backward) if name == "energy_decay" else STEP[name].against
        return replace(STEP[name], against=its.every(step, small))

    def growth(n: Numbers, step: Number) -> tuple[Number, ...]:
        return (1 + 2 * step * max(ZERO, -n.rate[0]),)

    def table(n: Numbers) -> list[Row]:
        product = n.number(tau) * damping(n)
        a = 4 * product / (1 + 2 * product)
        return [(a, 1 - a, ZERO, a / (2 * product), ZERO)] * scheme.steps

    others = {name: admissible(name) for name in RATES} | {"well_posed": well_posed(table, frozen=False)}
    limits = {name: over(ONE / 2, damping) for name in RATES if name != "frozen_stability"}
    return limited(limits, {"nonexpansive": its.one, "frozen_stability": growth}, others)
