"""The theorems about cycles of FSI, FED and RKL, a second time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

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
    forward,
    frozen_rate,
    largest_slope,
    monotone,
)
from pde2net.audit.exactly import CONTEXT, INFINITY, ONE, ZERO, Number
from pde2net.audit.numbers import Numbers
from pde2net.audit.stacks import MEAN, affine, linear, linear_fluxes, says, well_posed
from pde2net.audit.stages import bounded, confirm_factors, fed_rows, polynomial, rows
from pde2net.errors import RecheckError
from pde2net.language.schemes import FED, FSI, RKL
from pde2net.normalise.form import DivergenceForm
from pde2net.verify.certificate import Claim, Discharged

POLYNOMIAL, KEPT, LINEAR = "polynomial of a cycle", "kept operator", "linear equation"
UNIT = Fraction(1, 10**12)
Cycle = FSI | FED | RKL


def closed_form(scheme: Cycle) -> tuple[Fraction, str]:
    """Z with |P| <= 1 on [0, Z], and P in words."""
    if not isinstance(scheme, RKL):
        return Fraction(2), f"(1 + 2 sum T_k(1 - z))/(2 n + 1), n = {scheme.cycle_length}"
    s = scheme.stages
    if scheme.order == 1:
        return Fraction(s * (s + 1)), f"P_s(1 - {Fraction(2, s * (s + 1))} z), s = {s}"
    reach = Fraction((s - 1) * (s + 2), 2)
    b = Fraction((s - 1) * (s + 2), 2 * s * (s + 1))
    return reach, f"{1 - b} + {b} P_s(1 - {2 / reach} z), s = {s}"


def reach(scheme: Cycle, claim: Claim) -> Fraction:
    """Z as the claim states it, after it was confirmed: in closed form, or the largest of 12 decimals."""
    stated = [h.figures.get("Z") for h in claim.hypotheses if h.name == POLYNOMIAL]
    if len(stated) != 1 or not isinstance(stated[0], sp.Rational):
        raise RecheckError("Z of the polynomial of a cycle is not stated")
    z, p = Fraction(int(stated[0].p), int(stated[0].q)), polynomial(scheme)
    known, _ = closed_form(scheme)
    if not bounded(p, z) or (isinstance(scheme, FED) and not confirm_factors(scheme)):
        raise RecheckError(f"|P| exceeds 1 on [0, {z}]")
    if z != known and (z < known or (z / UNIT).denominator != 1 or bounded(p, z + UNIT)):
        raise RecheckError(f"Z = {z} is not the largest one of 12 decimals")
    return z


def limit(scheme: Cycle, rate: Find) -> Callable[[Numbers, Claim], Number]:
    def found(n: Numbers, claim: Claim) -> Number:
        z, here = reach(scheme, claim), rate(n)
        return z.numerator * ONE / z.denominator / here if here > 0 else INFINITY

    return found


def bound(scheme: Cycle) -> Own:
    """That hypothesis; `reach` confirms its figure."""
    known, text = closed_form(scheme)

    def wrong(n: Numbers, h: Discharged) -> str:
        beyond = "" if h.figures.get("Z") == sp.Rational(known.numerator, known.denominator) else known
        more = f"; P is monotone beyond {beyond}" if beyond else ""
        words = f"P = {text}, equal to the product of the stages{more}"
        return "" if h.how == words and list(h.figures) == ["Z"] else "other words"

    return Own("|P| <= 1 on [0, Z]", wrong)


def changing(scheme: Cycle) -> Callable[[Numbers], str]:
    """Why the operator changes within a cycle, or ""."""
    frozen = getattr(scheme, "freeze", "") == "cycle"

    def why(n: Numbers) -> str:
        form = n.semi.form
        if not affine(form):
            return f"the reaction term {form.reaction} is not linear in u"
        return "" if frozen or linear_fluxes(form) else "diffusivities change within a cycle"

    return why


def kept_words(form: DivergenceForm) -> str:
    if linear(form):
        return "the equation is linear in u"
    return "diffusivities are those of the start of the cycle"


def time_of(scheme: Cycle, tau: Number) -> Number:
    n = 0 if isinstance(scheme, RKL) else scheme.cycle_length
    return tau * (n * n + n) / 3 if n else tau


def rules(scheme: Cycle, tau: sp.Expr) -> Mapping[str, Rule]:
    polynomials = {POLYNOMIAL: bound(scheme)}
    only_linear = polynomials | {
        LINEAR: Own("F(u) - F(v) = -B (u - v) with a constant B", says("the equation is linear in u"))
    }
    kept = Own(
        "A and b are the same in all stages of a cycle",
        lambda n, h: says(kept_words(n.semi.form))(n, h),
    )

    def linearly(first: Callable[[Numbers], str]) -> Callable[[Numbers], str]:
        return lambda n: first(n) or ("" if linear(n.semi.form) else "the equation is not linear")

    def growth(n: Numbers, step: Number) -> tuple[Number, ...]:
        return (CONTEXT.exp(max(ZERO, -n.rate[0]) * time_of(scheme, step)),)

    frozen = getattr(scheme, "freeze", "") == "cycle"
    table = fed_rows(scheme) if isinstance(scheme, FED) else rows(scheme)
    return {
        "l2_stability": Rule(
            "Polynomials of symmetric operators (Hafner et al. 2016; Meyer et al. 2014)",
            "‖u+‖ <= ‖u‖ for every input, since a cycle is P(tau B), B = A + diag b, and 0 <= tau B <= Z",
            ("no source", "damping reaction", SYMMETRIC, BOUNDED, NONNEGATIVE, POLYNOMIAL, KEPT),
            damped,
            limit=limit(scheme, damped_rate),
            own=polynomials | {KEPT: kept},
            weak=changing(scheme),
        ),
        "nonexpansive": Rule(
            "Polynomials of symmetric operators, for differences (Hafner et al. 2016; Meyer et al. 2014)",
            "‖N(u) - N(v)‖ <= factor ‖u - v‖ per cycle, factor <= 1",
            (SYMMETRIC, FLUX, REACTION, "monotone step", LINEAR, POLYNOMIAL),
            linearly(monotone),
            limit=limit(scheme, largest_slope),
            factors=lambda n, step: (ONE,),
            own=only_linear,
        ),
        "maximum_principle": Rule(
            "Maximum-minimum principle by nonnegative weights (Weickert 1998, Theorem 8)",
            "every value of u+ is a weighted mean of values of u (and what the range includes)",
            (),
            lambda n: "weights of stages may be negative",
        ),
        "energy_decay": Rule(
            "Polynomials that commute with the operator (spectral theorem)",
            "E(u+) <= E(u) for E(u) = 1/2 sum Psi(|K u|²) - sum R(u), Psi' = g, R' = r",
            (SYMMETRIC, FLUX, BELOW, REACTION, LINEAR, POLYNOMIAL),
            linearly(forward),
            limit=limit(scheme, largest_slope),
            own=only_linear,
        ),
        "mean_preservation": MEAN,
        "well_posed": well_posed(lambda n: table, frozen, "per cycle"),
        "frozen_stability": Rule(
            "Polynomial at the spectrum of the frozen operator (von Neumann; Meyer et al. 2014)",
            "|P(tau mu)| <= 1 for every eigenvalue mu of A - r' at any frozen state",
            (SYMMETRIC, BOUNDED, NONNEGATIVE, REACTION, POLYNOMIAL),
            forward,
            limit=limit(scheme, frozen_rate),
            factors=growth,
            own=polynomials,
            per="cycle",
        ),
    }
