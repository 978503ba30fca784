"""The rules that all stacks of several stages share: the mean, and Lipschitz bounds of stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sympy as sp

from pde2net.audit.claims import FLUX, REACTION, SYMMETRIC, Own, Rule, closed, curvature, symmetric
from pde2net.audit.exactly import Number
from pde2net.audit.numbers import Numbers
from pde2net.audit.stages import Row, lipschitz, rounded_up
from pde2net.normalise.form import SQUARED, DivergenceForm, FirstOrder, Tensor
from pde2net.verify.certificate import Discharged


def says(*texts: str) -> Callable[[Numbers, Discharged], str]:
    """A hypothesis without figures, in one of these wordings."""
    return lambda n, h: "" if h.how in texts and not h.figures else "other words"


def linear_fluxes(form: DivergenceForm) -> bool:
    """Whether diffusivities do not depend on u."""
    changing = {form.state, form.curvature, SQUARED, *form.slopes, *form.lagging}
    found: set[sp.Symbol] = set()
    for term in form.terms:
        if isinstance(term, Tensor):
            found |= term.free_symbols
            continue
        if not isinstance(term, FirstOrder):
            found |= changing if term.diffusivity is None else term.diffusivity.free_symbols
            continue
        for component in term.components:
            found |= component.coefficient.free_symbols
            found |= changing if component.groups is None else set()
            found |= {s for g in component.groups or () for s in g.diffusivity.free_symbols}
    return not found & changing


def linear(form: DivergenceForm) -> bool:
    return linear_fluxes(form) and affine(form)


def affine(form: DivergenceForm) -> bool:
    """Whether the reaction is linear in u, up to a source."""
    r, u = form.reaction, form.state
    return bool(r.is_polynomial(u)) and sp.Poly(r, u).degree() <= 1


MEAN = Rule(
    "Constants in the kernel of K (Weickert 1998, Theorem 8)",
    "the mean of u is kept: 1^T K^T = 0",
    ("no reaction", SYMMETRIC, "closed border", "weights of states"),
    closed,
    own={"weights of states": Own("those of each stage sum to 1", says("exactly, in every stage"))},
)


def well_posed(table: Callable[[Numbers], Sequence[Row]], frozen: bool, what: str) -> Rule:
    """`table` gives the weights of the stages; `frozen` keeps diffusivities of the start of a cycle."""

    def needs(n: Numbers) -> str:
        if frozen and not linear_fluxes(n.semi.form):
            return "diffusivities are kept"
        return symmetric(n) or ("" if n.exact else "a symbol has no value")

    def factors(n: Numbers, tau: Number) -> tuple[Number, ...]:
        (low, high), (least, most) = curvature(n), n.rate
        return rounded_up(lipschitz(table(n), tau, low + least, high + most))

    return Rule(
        "Lipschitz composition of stages (triangle inequality)",
        f"‖N(u) - N(v)‖ <= factor ‖u - v‖ {what}",
        (SYMMETRIC, FLUX, REACTION, "current diffusivities", "numbers"),
        needs,
        factors=factors,
        own={
            "current diffusivities": Own(
                "each stage is a Lipschitz function of its states",
                says("diffusivities are those of the state itself, or constant"),
            ),
            "numbers": Own("tau, alpha and the bounds of F' are numbers", says("every symbol has a value")),
        },
    )
