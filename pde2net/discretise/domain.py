"""Equations on the cells in which a field m is 1 (docs/theory.md, section 2).

With E, diagonal, 1 for the edges between two cells of the domain and 0 for the others, K becomes E K. Its
norm is at most that of K, E K 1 = 0, and K^T E G E K has entries of the same signs, so that all that is
proved of K is true of E K on the cells of the domain. Certificates are therefore those of the equation on a
whole image; the graph of the network has E, and states that are 0 outside.
"""

from __future__ import annotations

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.grid import Grid
from pde2net.normalise.form import DivergenceForm
from pde2net.normalise.terms import SQUARED, FirstOrder

_LEAD = "Domains are derived for"


def require_domain(form: DivergenceForm, grid: Grid) -> None:
    """Raises DeclarationError for terms and grids that would see what is outside of the domain."""
    if form.problem.domain is None:
        return
    if form.learned:
        raise DeclarationError(f"{_LEAD} differences, not for learned operators.")
    if any(t.order == 2 for t in form.terms):
        raise DeclarationError(
            "A term of fourth order has two conditions at the border of a domain, and that nothing flows is "
            "one: domains are for divergences of gradients."
        )
    if not all(isinstance(t, FirstOrder) for t in form.terms):
        raise DeclarationError(
            f"{_LEAD} scalar diffusivities: the mixed differences of diffusion tensors reach across corners."
        )
    if form.smoothed:
        raise DeclarationError("smooth(...) sees what is outside of the domain: domains take no smoothing.")
    parts = [c for t in form.terms for c in t.parts]
    groups = [
        g.diffusivity for c in parts for g in c.groups or () if form.state in g.diffusivity.free_symbols
    ]
    flat = (g.subs(SQUARED, 0) for g in groups)
    expressions = (form.reaction, *(c.coefficient for c in parts), *flat)
    if any(e.subs(form.state, 0).has(sp.nan, sp.zoo, sp.oo, -sp.oo) for e in expressions):
        raise DeclarationError(
            f"States are 0 outside of the domain, so the equation needs a value at {form.state} = 0."
        )
    if grid.gradient != "forward" or grid.order != 2:
        raise DeclarationError(f'{_LEAD} differences of two neighbours: gradient="forward", order=2.').spelt(
            f"{_LEAD} differences of two neighbours: gradient = forward, order = 2."
        )
