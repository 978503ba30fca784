"""Norms of given filters, found by power iterations on noise, beside those that claims rest on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from pde2net.discretise.filters import adjoint, response
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.symbols import per_filter
from pde2net.network import Network
from pde2net.verify.engine import gather_until
from pde2net.verify.given_filters import GIVEN, exact_filters
from pde2net.verify.norms import FilterNorm

ITERATIONS, CELLS = 60, {1: 96, 2: 24, 3: 12}
SLACK = 1 + 1e-9
TIGHT, LEAST = 1.2, 1e-12  # more than coarse samples of a symbol leave open

Floats = NDArray[np.float64]


def stated(network: Network) -> dict[sp.Symbol, sp.Expr]:
    """The norms that claims of a certificate rest on, as they are stated."""
    return {symbol: figure for symbol, figure, _ in _rows(network)}


def disagreements(network: Network) -> Iterator[str]:
    """Norms that are stated to be smaller than they are, or much larger."""
    for symbol, figure, norm in _rows(network):
        assert isinstance(network.semidiscrete, Semidiscrete)
        found = _norm(network.semidiscrete, norm)
        if not found <= float(figure) * SLACK <= found * TIGHT + LEAST:
            yield f"{symbol} <= {float(figure):.7g} is stated, and it is {found:.7g} at least."


def _rows(network: Network) -> list[tuple[sp.Symbol, sp.Expr, FilterNorm]]:
    claims, semi = network.certificate.claims.values(), network.semidiscrete
    figures = {n: v for c in claims for h in c.hypotheses if h.name == GIVEN for n, v in h.figures.items()}
    if not figures or not isinstance(semi, Semidiscrete):
        return []
    norms = gather_until(semi, network.scheme).filter_norms
    return [(s, figures[str(s)], norm) for s, norm in norms.items() if str(s) in figures]


def _norm(semi: Semidiscrete, norm: FilterNorm) -> float:
    """A lower bound of ‖sqrt(scale) K_n ... K_1‖ on large grids, by the quotient on a periodic one."""
    banks = [exact_filters(semi, k).astype(np.float64) for k in norm.chain.operators]
    if norm.scale != 1:
        factors = np.sqrt(_scales(semi, norm))
        banks[-1] = banks[-1] * factors.reshape(-1, *[1] * (banks[-1].ndim - 1))
    axes = banks[0].ndim - 2
    boundary = ("periodic",) * axes
    cells = max(CELLS[axes], max(max(b.shape[2:]) for b in banks))
    u = np.random.default_rng(0).normal(size=(*[cells] * axes, banks[0].shape[1]))
    found = 0.0
    for _ in range(ITERATIONS):
        size = float(np.linalg.norm(u))
        if size == 0:
            return 0.0
        p: Any = u / size
        for bank in banks:
            p = response(bank, p, boundary)
        found = max(found, float(np.linalg.norm(p)))
        for bank in reversed(banks):
            p = adjoint(bank, p, boundary)
        u = p
    return found


def _scales(semi: Semidiscrete, norm: FilterNorm) -> Floats:
    problem = semi.form.problem
    columns: Mapping[sp.Symbol, Any] = {s: problem.arrays[s.name].entries for s in per_filter(norm.scale)}
    count = norm.chain.last.out_channels
    rows = ({**problem.parameters, **{s: e[k] for s, e in columns.items()}} for k in range(count))
    return np.array([float(norm.scale.subs(row)) for row in rows])
