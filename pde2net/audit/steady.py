"""Steady states a second time: by numbers, and by systems of a few cells that are solved."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import sympy as sp

from pde2net.audit import claims as its
from pde2net.audit.claims import Rule, every
from pde2net.audit.descent import convex
from pde2net.audit.exactly import ZERO, NoOpinionError
from pde2net.audit.invariance import drawn
from pde2net.audit.linear import affine, linear_fluxes
from pde2net.audit.numbers import Numbers
from pde2net.graph.build import explicit_steps
from pde2net.graph.interpret import Interpreter
from pde2net.language import bounds
from pde2net.language.symbols import Edge

CELLS, DRAWS, CLOSE = 4, 6, 1e-7

Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def masked(n: Numbers) -> bool:
    """Whether factors or pulls vary, so that F is no gradient of a convex energy."""
    return not n.symmetric or n.varies


def unique(n: Numbers) -> str:
    """What there is against one steady state."""
    if not masked(n):
        return convex(n)
    if not (linear_fluxes(n.semi.form) and affine(n.semi.form)):
        return "the equation is not linear"
    if n.rate[0] < ZERO or any(n.pointwise(t.prefactor.subs(n.known))[0] < ZERO for t in n.semi.form.terms):
        return "factors or pulls are negative"
    return next((why for why, _, _ in solved(n) if why), "")


def outside(n: Numbers) -> str:
    """Whether a steady state leaves the range of what pulls: of linear equations, those of a few cells."""
    form = n.semi.form
    if not (linear_fluxes(form) and affine(form)) or form.edges:
        raise NoOpinionError("steady states are not solved for")
    found = sp.simplify(form.reaction.subs(form.state, 0) / -sp.diff(form.reaction, form.state))
    target = next((f.name for f in form.fields if f == found), None)
    for why, v, fields in solved(n):
        if why or target is None:
            continue
        low, high = float(fields[target].min()), float(fields[target].max())
        low, high = (low, high) if n.semi.closed else (min(low, 0.0), max(high, 0.0))
        slack = CLOSE * (1 + max(abs(low), abs(high)))
        if not low - slack <= v.min() <= v.max() <= high + slack:
            return "a steady state leaves the range of the data"
    return ""


def solved(n: Numbers) -> list[tuple[str, Array, Mapping[str, Array]]]:
    """For drawn fields, why the system F(v) = 0 has not one solution, or "", and its solution."""
    semi, found = n.semi, list[tuple[str, Array, Mapping[str, Array]]]()
    random, shape = np.random.default_rng(1), tuple(max(CELLS, m) for m in semi.smallest)
    step = Interpreter(explicit_steps(semi, sp.S.One, 1), dict(n.rows.values))
    cells = int(np.prod(shape))
    for k in range(DRAWS):
        fields = {
            f.name: drawn(random, k, shape, *bounds.within(semi.intervals.get(f, bounds.LINE), f))
            for f in semi.form.fields
            if not isinstance(f, Edge)
        }
        start = step(np.zeros(shape), fields).ravel()
        units = np.eye(cells).reshape(cells, *shape)
        matrix = np.stack([(step(e, fields) - e).ravel() - start for e in units], axis=1)
        sizes = np.linalg.svd(matrix, compute_uv=False)
        if sizes[-1] <= 1e-12 * sizes[0]:
            found.append(("the system of the steady state is singular", start, fields))
            continue
        found.append(("", np.linalg.solve(matrix, -start), fields))
    return found


RULES: Mapping[str, Rule] = {
    "well_posed": Rule(unique),
    "maximum_principle": Rule(every(its.negative, its.away, outside)),
}
