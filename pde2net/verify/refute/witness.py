"""Counterexamples to the claims about a network, and what is reported of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pde2net.discretise.arrays import Array
from pde2net.graph.nodes import Operator
from pde2net.verify.refute.ascent import CELLS, most_expanded
from pde2net.verify.refute.measures import Measure, bounds, growth, largest, leaves_range
from pde2net.verify.refute.search import Hit, Runs, Search

# A claim counts as violated only beyond what rounding explains.
MARGIN = 1e-9
PAIR_MARGIN = 1e-6  # two nearby inputs are known to fewer digits than their difference needs
ENERGY_MARGIN = 1e-6  # of the quadrature
NEARBY = 1e-4


def described(hit: Hit | None, what: str, **more: Any) -> dict[str, Any] | None:
    """What is reported of a hit, if there is one: inputs, parameters assumed, by how much, and one line."""
    if hit is None:
        return None
    if hit.stated is not None:
        return dict(hit.stated)
    size = " x ".join(map(str, hit.u0.shape))
    entries: dict[str, Any] = {"u0": hit.u0.tolist(), **more, "excess": hit.excess}
    if hit.values:
        entries["parameters"] = {str(k): str(v) for k, v in hit.values.items()}
    if hit.fields:
        entries["fields"] = {k: v.tolist() for k, v in hit.fields.items()}
    if hit.pattern is not None:
        entries |= {"pattern": hit.pattern.name, "amplitude": hit.pattern.amplitude}
    shown = hit.pattern or "optimised input"
    return entries | {"description": f"{shown} on {size} cells: {what} {hit.excess:.3g}"}


def seek(search: Search | None, measure: Measure, what: str) -> dict[str, Any] | None:
    """An input for which measure(u0, network(u0)) is positive."""
    return described(_first(search, measure), what)


def seek_extremum(search: Search | None, includes_zero: bool) -> dict[str, Any] | None:
    """An input whose range, or the declared one, the output leaves, with the value there and its place."""
    (declared,) = (search.declared if search is not None else ()) or (None,)
    hit = _first(search, leaves_range(includes_zero, declared))
    if hit is None:
        return None
    u1 = hit.network(hit.u0, hit.fields)
    low, high = (float(b[0]) for b in bounds(hit.u0[None], includes_zero, declared))
    index = np.unravel_index(np.argmax(np.maximum(u1 - high, low - u1)), u1.shape)
    extremum = {"index": [int(i) for i in index], "value": float(u1[index]), "range": [low, high]}
    return described(hit, "range is exceeded by", extremum=extremum)


def seek_pair(
    search: Search | None, measure: Measure = growth, what: str = "distance to a nearby input grows by"
) -> dict[str, Any] | None:
    """Two nearby inputs that the network moves apart, as measured by their differences before and after."""
    if search is None or search.declared:  # the second input may lie outside of what is declared
        return None
    nested = any(isinstance(data["node"], Operator) for _, data in search.network.nodes(data=True))
    for partner, most in ((_scaled, 2000), (_expanded, CELLS)):
        if partner is _expanded and nested:
            continue  # the derivative of a network of nested grids by differences takes too long

        def violation(run: Runs, u0: Array, partner: Partner = partner) -> Array:
            v0 = partner(run, u0)
            outputs = run(np.stack([u0, v0], 1).reshape(-1, *u0.shape[1:])).reshape(-1, 2, *u0.shape[1:])
            return measure(v0 - u0, outputs[:, 1] - outputs[:, 0])

        hit = search.first(violation, PAIR_MARGIN, most)
        if hit is not None:
            v0 = partner(hit.runs, hit.u0[None])[0]
            return described(hit, what, v0=v0.tolist())
    return None


Partner = Callable[[Runs, Array], Array]


def _scaled(run: Runs, u0: Array) -> Array:
    return (1 + NEARBY) * u0


def _expanded(run: Runs, u0: Array) -> Array:
    """u0 moved in the direction that the linearised network expands most."""
    size = largest(u0).reshape(-1, *(1,) * (u0.ndim - 1))
    return u0 + NEARBY * size * most_expanded(run, u0)


def _first(search: Search | None, measure: Measure) -> Hit | None:
    return None if search is None else search.first(lambda run, u0: measure(u0, run(u0)), MARGIN, 10**9)
