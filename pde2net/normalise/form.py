"""The divergence form of an equation, with plain symbols in place of functions and derivatives.

    u_t = sum_k m_k (-D_k* Phi_k(D_k u)) + r

with D the gradient (first order) or a weighted sum of second derivatives (second order), prefactors
m(x, fields) and a pointwise reaction r(u, x, fields).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from dataclasses import dataclass

import sympy as sp

from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.normalise.affine import affine

# The argument of a diffusivity g(s2), s2 = |D u|^2.
SQUARED = sp.Symbol("s2", nonnegative=True)


@dataclass(frozen=True)
class Component:
    """A part of a flux: component i is coefficient * responses[i].

    coefficient  free of derivatives: a function of u, position and known fields
    responses    one expression in the slopes per axis
    groups       for each set of axes that share a diffusivity, responses[i] = w_i g(s2) p_i with
                 s2 the sum of the squared slopes over the set; None where it has no such form
    """

    coefficient: sp.Expr
    responses: tuple[sp.Expr, ...]
    groups: tuple[RadialGroup, ...] | None


@dataclass(frozen=True)
class RadialGroup:
    """axes, their constant weights, and the diffusivity g as an expression in SQUARED."""

    axes: tuple[int, ...]
    weights: tuple[sp.Expr, ...]
    diffusivity: sp.Expr


class TermKind(ABC):
    """What a term of any kind answers about itself."""

    @property
    @abstractmethod
    def fluxes(self) -> tuple[sp.Expr, ...]:
        """What may depend on time: the flux in symbols of slopes, evaluated at every step."""

    @abstractmethod
    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        """What may not, each with its name; `varying` are the symbols of u and of known data."""

    @property
    @abstractmethod
    def weights_of_flux(self) -> tuple[sp.Expr, ...] | None:
        """What multiplies slopes in the flux, in SQUARED; None if the flux is no such product."""


@dataclass(frozen=True)
class FirstOrder(TermKind):
    """prefactor * div(F), F the sum of the components."""

    prefactor: sp.Expr
    components: tuple[Component, ...]

    @property
    def fluxes(self) -> tuple[sp.Expr, ...]:
        return tuple(r for c in self.components for r in c.responses)

    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        mixed = tuple(("The flux", r) for r in self.fluxes if r.free_symbols & varying)
        return (*(("The coefficient", c.coefficient) for c in self.components), *mixed)

    @property
    def weights_of_flux(self) -> tuple[sp.Expr, ...] | None:
        if any(c.groups is None for c in self.components):
            return None
        inner = tuple(g.diffusivity for c in self.components for g in c.groups or ())
        return (*(c.coefficient for c in self.components), *inner)


@dataclass(frozen=True)
class SecondOrder(TermKind):
    """-prefactor * D(Phi(D u)), D the sum of weights[i] d^2/dx_i^2.

    flux         Phi as an expression in the curvature symbol
    diffusivity  g with Phi(q) = g(q^2) q as an expression in SQUARED, or None
    slope        in one dimension, D = slope d/dx + weights[0] d^2/dx^2, and D* has the slope negated
    """

    prefactor: sp.Expr
    weights: tuple[sp.Expr, ...]
    flux: sp.Expr
    diffusivity: sp.Expr | None
    slope: sp.Expr = sp.S.Zero

    @property
    def fluxes(self) -> tuple[sp.Expr, ...]:
        return (self.flux,)

    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        weights = tuple(("The weight of a second derivative", w) for w in self.weights)
        return (*weights, ("The weight of a first derivative", self.slope))

    @property
    def weights_of_flux(self) -> tuple[sp.Expr, ...] | None:
        return None if self.diffusivity is None else (self.diffusivity,)


@dataclass(frozen=True)
class Hessian(SecondOrder):
    """-prefactor * sum_ij d_i d_j (g(|H u|^2) u_ij), H u the matrix of all u_ij, in two dimensions or more.

    That is -D*(Phi(D u)) for D u with the entries of H u; `weights` are 1, and `flux` is that of one entry
    which the others vanish beside.
    """


@dataclass(frozen=True)
class Tensor(TermKind):
    """prefactor * div(D grad u), D a symmetric matrix of coefficients; they may contain `projection`s."""

    prefactor: sp.Expr
    matrix: tuple[tuple[sp.Expr, ...], ...]

    @property
    def fluxes(self) -> tuple[sp.Expr, ...]:
        return ()

    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        return tuple(("The entry of a diffusion tensor", e) for e in self.weights_of_flux)

    @property
    def weights_of_flux(self) -> tuple[sp.Expr, ...]:
        return tuple(e for row in self.matrix for e in row)

    @property
    def free_symbols(self) -> set[sp.Symbol]:
        return {s for e in self.weights_of_flux for s in e.free_symbols}


@dataclass(frozen=True)
class Smoothed:
    """A Gaussian of standard deviation `sigma`, applied to an expression in symbols."""

    argument: sp.Expr
    sigma: sp.Expr


@dataclass(frozen=True)
class Learned(TermKind):
    """-K^T Phi(K u) with a learned operator K.

    response     symbol of K u
    flux         Phi as an expression in it
    diffusivity  g with Phi(q) = g(q^2) q as an expression in SQUARED, or None
    """

    operator: LinearOperator
    response: sp.Symbol
    flux: sp.Expr
    diffusivity: sp.Expr | None

    @property
    def prefactor(self) -> sp.Expr:
        return sp.S.One

    @property
    def fluxes(self) -> tuple[sp.Expr, ...]:
        return (self.flux,)

    def constant(self, varying: Set[sp.Symbol]) -> tuple[tuple[str, sp.Expr], ...]:
        return ()

    @property
    def weights_of_flux(self) -> tuple[sp.Expr, ...] | None:
        return None if self.diffusivity is None else (self.diffusivity,)


Term = FirstOrder | SecondOrder | Tensor | Learned


@dataclass(frozen=True)
class DivergenceForm:
    """The equation of `problem` in divergence form.

    state         symbol of u
    slopes        symbols of the first derivatives of u, one per axis
    curvature     symbol of D u in second-order terms
    fields        symbols of the known fields, sorted by name
    field_slopes  symbol of each derivative of a known field or of a smoothed expression -> (its symbol, axis)
    smoothed      symbol of each smoothed expression, those inside of others first
    """

    problem: Problem
    state: sp.Symbol
    slopes: tuple[sp.Symbol, ...]
    curvature: sp.Symbol
    fields: tuple[sp.Symbol, ...]
    field_slopes: Mapping[sp.Symbol, tuple[sp.Symbol, int]]
    terms: tuple[Term, ...]
    reaction: sp.Expr
    smoothed: Mapping[sp.Symbol, Smoothed]

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        return self.problem.space

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
    def learned(self) -> tuple[Learned, ...]:
        """The terms with learned operators."""
        return tuple(t for t in self.terms if isinstance(t, Learned))

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
