"""The divergence form of an equation, with plain symbols in place of functions and derivatives.

    u_t = sum_k m_k (-D_k* Phi_k(D_k u)) + r

with terms of the kinds in terms.py, prefactors m(x, fields) and a pointwise reaction r(u, x, fields). A
system has one form per unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import sympy as sp

from pde2net.language.bounds import LINE, Interval, within
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.language.symbols import Domain, Edge
from pde2net.normalise.affine import affine
from pde2net.normalise.terms import SQUARED, Notation, Term, symbols_in

STATE = sp.Symbol("_state", real=True)  # all unknowns, stacked


@dataclass(frozen=True)
class Smoothed:
    """A Gaussian of standard deviation `sigma`, applied to an expression in symbols."""

    argument: sp.Expr
    sigma: sp.Expr


@dataclass(frozen=True)
class DivergenceForm(Notation):
    """The equation of `problem` in divergence form.

    fields        symbols of the known fields, sorted by name
    field_slopes  symbol of each derivative of a known field or of a smoothed expression -> (its symbol, axis)
    smoothed      symbol of each smoothed expression, those inside of others first
    edges         symbols of the outermost cells of sides across which something flows
    within        whether u is taken to lie within its declared bounds
    domain        the field to which a network restricts K and the reaction; None for what is proved, which
                  is about K on any set of cells (discretise/domain.py)
    """

    fields: tuple[sp.Symbol, ...]
    field_slopes: Mapping[sp.Symbol, tuple[sp.Symbol, int]]
    terms: tuple[Term, ...]
    reaction: sp.Expr
    smoothed: Mapping[sp.Symbol, Smoothed]
    edges: tuple[Edge, ...] = ()
    within: bool = False
    domain: Domain | None = None

    @property
    def data(self) -> frozenset[sp.Symbol]:
        """Symbols of what varies over the grid beside u: position, fields, what is smoothed, their slopes."""
        own = () if self.domain is None else (self.domain,)
        return frozenset((*self.space, *self.fields, *self.smoothed, *self.field_slopes, *self.edges, *own))

    @property
    def intervals(self) -> Mapping[sp.Symbol, Interval]:
        """Where known fields with declared bounds lie, edges and, if it is taken to lie `within` them, u."""
        symbols = (*self.fields, self.state) if self.within else self.fields
        found = ((f, self.problem.interval(f)) for f in symbols)
        own = {f: within(pair, f) for f, pair in found if pair != LINE}
        return {**own, **dict.fromkeys(self.edges, (sp.S.Zero, sp.S.One))}

    @property
    def inputs(self) -> frozenset[sp.Symbol]:
        """Numbers that are given when the network is called: constants of each image."""
        return frozenset(self.problem.inputs)

    @property
    def curvatures(self) -> tuple[sp.Symbol, ...]:
        return (self.curvature,)

    @property
    def lagging(self) -> frozenset[sp.Symbol]:
        """Those of data that depend on u all the same: smoothed expressions of it and their slopes."""
        found = {self.state, *self.slopes}
        for symbol, smoothed in self.smoothed.items():
            slopes = {s for s, (owner, _) in self.field_slopes.items() if owner in found}
            if smoothed.argument.free_symbols & (found | slopes):
                found.add(symbol)
        slopes = {s for s, (owner, _) in self.field_slopes.items() if owner in found}
        return frozenset(found | slopes) - {self.state, *self.slopes}

    def sees(self, field: sp.Symbol) -> bool:
        """Whether a known field stands in the divergences, itself or smoothed, or its slopes."""
        found = {field}
        for _ in range(1 + len(self.smoothed)):
            found |= {s for s, smoothed in self.smoothed.items() if smoothed.argument.free_symbols & found}
            found |= {s for s, (owner, _) in self.field_slopes.items() if owner in found}
        return any(symbols_in(term) & found for term in self.terms)

    @property
    def learned(self) -> tuple[LinearOperator, ...]:
        """The learned operators of all terms, whose filters nothing is known about."""
        return tuple(k for t in self.terms for k in t.learned)

    @property
    def linear_flux(self) -> bool:
        """Whether every flux is linear in u; its coefficients may vary in space."""
        return self._free_of({self.state, *self.slopes, self.curvature, SQUARED, *self.lagging})

    @property
    def is_linear(self) -> bool:
        """Linear in u with coefficients that depend on neither u nor position."""
        moving = {self.state, *self.slopes, self.curvature, SQUARED, *self.data}
        found = affine(self.reaction, self.state)
        still = self._free_of(moving) and not any(t.prefactor.free_symbols & moving for t in self.terms)
        return still and found is not None and not found[1].free_symbols & moving

    def _free_of(self, moving: Set[sp.Symbol]) -> bool:
        """Whether every flux is a product of slopes with weights that do not contain `moving`."""
        weights = [term.weights_of_flux for term in self.terms]
        return all(w is not None and not any(e.free_symbols & moving for e in w) for w in weights)


@dataclass(frozen=True)
class SystemForm:
    """The divergence forms of the equations of `problem`, in their order; others are known fields of each.

    That is how an equation looks at one instant, so what holds for every value of these fields holds for the
    system, step by step. The unknowns are the channels of one image.
    """

    problem: Problem
    parts: tuple[DivergenceForm, ...]

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        return self.problem.space

    @property
    def state(self) -> sp.Symbol:
        return STATE

    @property
    def states(self) -> tuple[sp.Symbol, ...]:
        """The symbols of the unknowns."""
        return tuple(part.state for part in self.parts)

    @property
    def fields(self) -> tuple[sp.Symbol, ...]:
        """Known fields, without the unknowns."""
        names = {s.name for s in self.states}
        found = {f for part in self.parts for f in part.fields if f.name not in names}
        return tuple(sorted(found, key=lambda f: f.name))

    @property
    def intervals(self) -> Mapping[sp.Symbol, Interval]:
        return {f: pair for part in self.parts for f, pair in part.intervals.items()}

    @property
    def terms(self) -> tuple[Term, ...]:
        return tuple(t for part in self.parts for t in part.terms)

    @property
    def reaction(self) -> sp.Expr:
        """A reaction of one of the equations, 0 if none has any."""
        return next((part.reaction for part in self.parts if part.reaction != 0), sp.S.Zero)

    @property
    def lagging(self) -> frozenset[sp.Symbol]:
        return frozenset(s for part in self.parts for s in part.lagging)

    @property
    def slopes(self) -> tuple[sp.Symbol, ...]:
        return tuple(s for part in self.parts for s in part.slopes)

    @property
    def curvatures(self) -> tuple[sp.Symbol, ...]:
        return tuple(part.curvature for part in self.parts)

    def others(self, part: DivergenceForm) -> set[sp.Symbol]:
        """The fields of a part that are unknowns of other equations."""
        names = {s.name for s in self.states}
        return {f for f in part.fields if f.name in names}

    @property
    def coupled(self) -> bool:
        return any(self.others(part) for part in self.parts)
