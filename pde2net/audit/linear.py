"""Whether fluxes and reactions are linear in u, read from the divergence form."""

from __future__ import annotations

import sympy as sp

from pde2net.normalise.form import SQUARED, DivergenceForm, FirstOrder, Tensor


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
