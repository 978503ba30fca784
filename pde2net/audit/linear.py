"""Whether fluxes and reactions are linear in u, read from the divergence form."""

from __future__ import annotations

import sympy as sp

from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import SQUARED, Tensor


def linear_fluxes(form: DivergenceForm) -> bool:
    """Whether diffusivities do not depend on u."""
    changing = {form.state, form.curvature, SQUARED, *form.slopes, *form.lagging}
    found: set[sp.Symbol] = set()
    for term in form.terms:
        if isinstance(term, Tensor):
            found |= term.free_symbols
        for part in term.parts:
            found |= part.coefficient.free_symbols
            found |= changing if part.groups is None else set()
            found |= {s for g in part.groups or () for s in g.diffusivity.free_symbols}
    return not found & changing


def linear(form: DivergenceForm) -> bool:
    return linear_fluxes(form) and affine(form)


def fidelity_of(form: DivergenceForm) -> sp.Expr:
    """b of a reaction s - b u."""
    return sp.simplify(-sp.diff(form.reaction, form.state))


def affine(form: DivergenceForm) -> bool:
    """Whether the reaction is linear in u, up to a source."""
    r, u = form.reaction, form.state
    return bool(r.is_polynomial(u)) and sp.Poly(r, u).degree() <= 1
