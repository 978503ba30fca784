"""The divergence form of an equation, with plain symbols in place of functions and derivatives.

    u_t = sum_k m_k (-D_k* Phi_k(D_k u)) + r

with terms of the kinds in terms.py, prefactors m(x, fields) and a pointwise reaction r(u, x, fields).
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import sympy as sp

from pde2net.language.linear_operator import LinearOperator
from pde2net.normalise.affine import affine
from pde2net.normalise.terms import SQUARED, Notation, Term


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
    """

    fields: tuple[sp.Symbol, ...]
    field_slopes: Mapping[sp.Symbol, tuple[sp.Symbol, int]]
    terms: tuple[Term, ...]
    reaction: sp.Expr
    smoothed: Mapping[sp.Symbol, Smoothed]

    @property
    def data(self) -> frozenset[sp.Symbol]:
        """Symbols of what varies over the grid beside u: position, fields, what is smoothed, their slopes."""
        return frozenset((*self.space, *self.fields, *self.smoothed, *self.field_slopes))

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
