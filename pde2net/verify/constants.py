"""Constants that training keeps below given values: filters are scaled for them (docs/theory.md, 8.7)."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.exact import exact
from pde2net.language.schemes import Explicit
from pde2net.scheme.stack import TAU, Stack
from pde2net.verify.bounds import Bounds
from pde2net.verify.case import Case
from pde2net.verify.compositions import averaged_with_data
from pde2net.verify.data_term import data_term
from pde2net.verify.facts import Facts
from pde2net.verify.plan import Plan
from pde2net.verify.rates import implicit

BITS = 40  # of the largest share of a step that is averaged enough


@dataclass(frozen=True)
class Constants:
    """What was asked for: a Lipschitz constant in the data, and by how much the map is averaged."""

    lipschitz: sp.Rational | None = None
    averaged: sp.Rational | None = None

    @property
    def any(self) -> bool:
        return self.lipschitz is not None or self.averaged is not None


def asked(lipschitz: Any, averaged: Any, keep_stable: bool) -> Constants:
    """Raises DeclarationError for numbers that no network has, and if nothing is kept."""
    found = Constants(_number(lipschitz, "lipschitz"), _number(averaged, "averaged"))
    if found.any and not keep_stable:
        raise DeclarationError("lipschitz and averaged are constants that keep_stable=True keeps.")
    if found.lipschitz is not None and found.lipschitz < 1:
        raise DeclarationError(
            f"lipschitz = {found.lipschitz} is below what is possible: where the flux vanishes the data are "
            "returned, so the constant is at least 1."
        )
    if found.averaged is not None and not 0 < found.averaged < 1:
        raise DeclarationError(f"averaged is a number between 0 and 1, not {found.averaged}.")
    return found


def _number(value: Any, name: str) -> sp.Rational | None:
    if value is None:
        return None
    number = exact(value, name)
    if not number.is_Rational:
        raise DeclarationError(f"{name} must be a number, not {number}.")
    return number


@dataclass(frozen=True)
class Bounded:
    """Facts under the bounds that are kept.

    bounds  (rate, room): filters are scaled such that each rate is at most its room
    step    (rate, room) with tau rate <= room beside the condition of stability; None if there is none
    """

    facts: Facts
    bounds: tuple[tuple[sp.Expr, sp.Expr], ...] = ()
    step: tuple[sp.Expr, sp.Expr] | None = None


def bounded(plan: Plan, facts: Facts, constants: Constants, trained: Set[sp.Symbol]) -> Bounded:
    """What has to be kept for the constants. Raises DeclarationError where they cannot be kept."""
    found = Bounded(facts)
    if constants.lipschitz is not None:
        found = _lipschitz(plan, facts, constants.lipschitz, trained)
    if constants.averaged is not None:
        found = _averaged(plan, found, constants.averaged, trained)
    return found


def _lipschitz(plan: Plan, facts: Facts, constant: sp.Rational, trained: Set[sp.Symbol]) -> Bounded:
    """rho_m <= (1 - 1/C) b."""
    term, curvature = data_term(plan.semi.form), facts.curvature
    if term is None or curvature is None:
        raise DeclarationError(
            "lipschitz keeps the constant with which results depend on the data of a fidelity b (f - u), for "
            "a constant b >= 0 and a flux with bounded slopes; the equation has none."
        )
    rate = -curvature.lower
    found = _with_step(plan, facts, term.weight, curvature.upper, trained)
    if rate == 0:
        return found
    values = {s: v for s, v in plan.semi.form.problem.parameters.items() if s not in trained}
    room = sp.factor_terms((1 - 1 / constant) * term.weight)
    fixed = rate.subs(dict.fromkeys(facts.filter_norms, 0))
    left = (room - fixed).subs(values)
    if not left.is_positive:
        least = sp.cancel(term.weight / (term.weight - fixed)).subs(values)
        raise DeclarationError(
            f"lipschitz = {constant} is below what is possible: the flux is not monotone, so it has to be "
            f"more than {max(least, 1) if least.is_number and least.is_positive else 1}."
        )
    if rate == fixed:
        return found
    kept = replace(facts, curvature=Bounds(-room, curvature.upper))
    return replace(found, facts=kept, bounds=((rate, room), *found.bounds))


def _with_step(plan: Plan, facts: Facts, weight: sp.Expr, slope: sp.Expr, trained: Set[sp.Symbol]) -> Bounded:
    """tau (rho' + 2 b) <= 2, for a fidelity at the old state; at the new one the step is small enough."""
    scheme = plan.scheme
    if not isinstance(scheme, Explicit) or scheme.fidelity == "implicit":
        return Bounded(facts)
    if scheme.tau is None:
        return Bounded(facts, step=(slope + 2 * weight, sp.Integer(2)))
    if weight.free_symbols & trained:
        raise DeclarationError(
            "With an explicit fidelity, lipschitz takes tau=None or a weight that is not trained; or take "
            'fidelity="implicit".'
        )
    return Bounded(facts, bounds=((slope, 2 / scheme.tau - 2 * weight),))


def _averaged(plan: Plan, found: Bounded, share: sp.Rational, trained: Set[sp.Symbol]) -> Bounded:
    """s rho' <= 2 a, a the largest one with which the steps compose to a map that is averaged enough."""
    form, curvature, update = plan.semi.form, found.facts.curvature, plan.update
    if not isinstance(update, Stack) or not update.repeated or len(update.skip.free_symbols) != 1:
        raise DeclarationError("averaged is kept by explicit steps, p2n.Explicit.")
    if curvature is None or curvature.lower != 0:
        raise DeclarationError(
            "averaged needs a monotone flux, Phi' >= 0, as of Charbonnier or of splines with slopes=(0, 1)."
        )
    term, case = data_term(form), Case(plan.semi, found.facts, plan.scheme, update, TAU, None)
    if term is None and form.reaction != 0:
        raise DeclarationError(f"averaged is not derived for the reaction {form.reaction}.")
    n, tau = len(update.stages), plan.scheme.tau
    a = share / (n - (n - 1) * share)
    weight = sp.S.Zero if term is None else term.weight
    if term is not None and tau is not None and not weight.free_symbols & trained:
        b = weight.subs(form.problem.parameters)
        w = sp.cancel(tau * b / (1 + tau * b)) if implicit(case) else tau * b
        if w.is_number and w < 1:
            a = _largest(share, w, n)
    if term is not None and not implicit(case):
        if tau is None or weight.free_symbols & trained:
            raise DeclarationError(
                "With an explicit fidelity, averaged takes numbers for tau and b; otherwise take "
                'fidelity="implicit".'
            )
        scale = 1 - tau * weight.subs(form.problem.parameters)
        if not scale.is_positive:
            raise DeclarationError(f"averaged needs tau b < 1, not {1 - scale}.")
        return replace(found, bounds=(*found.bounds, (curvature.upper, 2 * a * scale / tau)))
    if tau is None:
        return replace(found, step=(curvature.upper, 2 * a))
    return replace(found, bounds=(*found.bounds, (curvature.upper, 2 * a / tau)))


def _largest(share: sp.Rational, w: sp.Rational, count: int) -> sp.Rational:
    """The largest a <= 1 whose steps are averaged enough, rounded down."""
    if averaged_with_data(sp.S.One, w, count) <= share:
        return sp.S.One
    low, high = 0, 2**BITS
    while high - low > 1:
        middle = (low + high) // 2
        enough = averaged_with_data(sp.Rational(middle, 2**BITS), w, count) <= share
        low, high = (middle, high) if enough else (low, middle)
    return sp.Rational(low, 2**BITS)
