"""Adds the nodes of F(u) = sum_k -m_k K_k^T Phi_k(K_k u) + r(u) to a graph: K, activation, K^T.

With the weights of an earlier state in place of the activation, the flux is linear: w_i p_i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.operators import Bank
from pde2net.graph.build import filters, hessian, tensor
from pde2net.graph.build.coupling import at_rest, coupled, coupled_flux
from pde2net.graph.build.filters import splined
from pde2net.graph.build.place import Source
from pde2net.graph.build.slopes import SlopeBuilder
from pde2net.graph.nodes import (
    S2,
    Convolution,
    Pointwise,
    TransposedConvolution,
)
from pde2net.normalise.radial import divide
from pde2net.normalise.terms import Component, FirstOrder, Hessian, Learned, ScalarTerm, Tensor

FluxWeights = tuple[tuple[Source | sp.Expr, ...], ...]


@dataclass(frozen=True)
class Rate:
    """F(u) as an expression in the slots that `inputs` feeds."""

    expression: sp.Expr
    inputs: dict[str, Source]


class RateBuilder(SlopeBuilder):
    """Adds the operators of one equation."""

    def rate(self, state: Source, weights: FluxWeights | None = None) -> Rate:
        """F at `state`, with the flux weights of an earlier state if they are given."""
        diffusion, reaction = self.diffusion(state, weights), self.reaction
        return Rate(reaction + diffusion.expression, diffusion.inputs | self.local_inputs(reaction, state))

    @property
    def reaction(self) -> sp.Expr:
        """r, which acts in the domain alone."""
        return self.form.reaction * self.in_domain

    @property
    def in_domain(self) -> sp.Expr:
        """1 in the domain, 0 outside."""
        return sp.S.One if self.form.domain is None else self.form.domain

    def diffusion(self, state: Source, weights: FluxWeights | None = None) -> Rate:
        """The part of F without the reaction."""
        self.state = state
        adjoints = [self.adjoint(k, None if weights is None else weights[k]) for k in range(self.terms)]
        slots = [sp.Symbol(f"_a{k + 1}", real=True) for k in range(self.terms)]
        pairs = zip(self.form.terms, slots, strict=True)
        expression = -sp.Add(*(term.prefactor * a for term, a in pairs))
        inputs = {s.name: a for s, a in zip(slots, adjoints, strict=True)}
        return Rate(expression, inputs | self.local_inputs(expression, state))

    def weights(self, state: Source) -> FluxWeights:
        """The weights w_i of the flux, Phi_i = w_i p_i, at `state`: a node, or a constant, per axis.

        Raises EquationError for a flux that has none.
        """
        self.state = state
        return tuple(self.term_weights(k) for k in range(self.terms))

    @property
    def terms(self) -> int:
        return len(self.form.terms)

    def suffix(self, k: int) -> str:
        return str(k + 1) if self.terms > 1 else ""

    def bank(self, k: int) -> Bank:
        """K of a second-order term."""
        (found,) = self.semi.operators[k]
        assert isinstance(found, Bank)
        return found

    def adjoint(self, k: int, weights: tuple[Source | sp.Expr, ...] | None) -> Source:
        """K_k^T of the flux."""
        term, suffix = self.form.terms[k], self.suffix(k)
        if isinstance(term, Hessian):
            given = None if weights is None else weights[0]
            return hessian.adjoint(self, term, self.bank(k), suffix, given)
        if isinstance(term, ScalarTerm):
            return self.scalar(term, k, weights)
        if isinstance(term, Tensor):
            return tensor.adjoint(self, suffix, weights or tensor.entries(self, term, suffix))
        assert isinstance(term, FirstOrder)
        return self.first_order(term, suffix, weights)

    def scalar(self, term: ScalarTerm, k: int, weights: tuple[Source | sp.Expr, ...] | None) -> Source:
        """K^T Phi(q) for the one response q = K u."""
        q, suffix = term.argument(self.form), self.suffix(k)
        inputs = {q.name: self.response(k)}
        if weights is None:
            flux = splined(self, coupled_flux(self, term, suffix, inputs), q, inputs)
        else:
            (flux,) = self.weighted([q], suffix, weights, inputs)
        inputs |= self.data_inputs(flux, padded=False)
        source = self.node(f"flux{suffix}", Pointwise((flux,), "activation"), inputs)
        if isinstance(term, Learned):
            return filters.adjoint(self, term.chain, source)
        rows = {f"p{i}": source for i in range(len(self.bank(k).rows))}
        return self.node(f"K{suffix}T", TransposedConvolution(self.bank(k)), rows)

    def response(self, k: int) -> Source:
        """q = K u at the current state; the nodes of learned operators have their names."""
        term = self.form.terms[k]
        if isinstance(term, Learned):
            return filters.response(self, term.chain)
        return self.curvature(self.bank(k), self.suffix(k))

    def curvature(self, bank: Bank, suffix: str) -> Source:
        """D u of a second-order term at the current state."""
        return self.once(f"K{suffix}", Convolution(bank), {"u": self.state})

    def first_order(
        self, term: FirstOrder, suffix: str, weights: tuple[Source | sp.Expr, ...] | None
    ) -> Source:
        form = self.form
        slopes = self.slopes() if weights is None else self.plain_slopes()
        if weights is not None:
            inputs: dict[str, Source] = {}
            expressions = self.weighted(form.slopes, suffix, weights, inputs)
        elif self.semi.cell is not None:
            inputs = {}
            expressions = self.weighted(form.slopes, suffix, self.staggered(term, suffix), inputs)
        else:
            expressions, inputs = self.flux(term, suffix)
        adjoint = self.transposed(suffix, expressions, slopes | inputs, self.semi.gradient)
        return self.uncovered(suffix, adjoint)

    def weighted(
        self,
        arguments: Sequence[sp.Symbol],
        suffix: str,
        weights: Sequence[Source | sp.Expr],
        inputs: dict[str, Source],
    ) -> list[sp.Expr]:
        """w_i p_i; weights that are arrays become slots."""
        fluxes = []
        for i, (argument, weight) in enumerate(zip(arguments, weights, strict=True)):
            if isinstance(weight, tuple):
                axis = f"_{self.form.space[i]}" if len(arguments) > 1 else ""
                symbol = sp.Symbol(f"_g{suffix}{axis}", real=True)
                inputs[symbol.name] = weight
                weight = symbol
            fluxes.append(weight * argument)
        return fluxes

    def term_weights(self, k: int) -> tuple[Source | sp.Expr, ...]:
        term, suffix = self.form.terms[k], self.suffix(k)
        if isinstance(term, Hessian):
            return (hessian.weight(self, term, self.bank(k), suffix),)
        if isinstance(term, Tensor):
            return tensor.entries(self, term, suffix)
        if isinstance(term, FirstOrder):
            return (self.collocated if self.semi.cell is None else self.staggered)(term, suffix)
        assert isinstance(term, ScalarTerm)
        q = term.argument(self.form)
        inputs = {q.name: self.response(k)}
        flux = coupled_flux(self, term, suffix, inputs)
        weight = at_rest(divide(splined(self, flux, q, inputs, quotient=True), q), (q, S2))
        inputs |= self.data_inputs(weight, padded=False)
        return self.arrays(f"g{suffix}", [weight], inputs)

    def collocated(self, term: FirstOrder, suffix: str) -> tuple[Source | sp.Expr, ...]:
        """FluxWeights at the half-points or cells where the slopes are."""
        weights, inputs = self.flux(term, suffix, per_slope=True)
        weights = [e * w for e, w in zip(self.inner_edges, weights, strict=True)]
        inputs |= self.edge_inputs()
        sloped = any(w.free_symbols & set(self.form.slopes) for w in weights)
        return self.arrays(f"g{suffix}", weights, (self.slopes() if sloped else {}) | inputs)

    def flux(
        self, term: FirstOrder, suffix: str, per_slope: bool = False
    ) -> tuple[list[sp.Expr], dict[str, Source]]:
        """Flux expressions of a collocated grid: coefficients without any derivatives are edge means.

        per_slope  whether fluxes are divided by the slopes of their axes, which makes them weights
        """
        form = self.form
        expressions: list[sp.Expr] = [sp.S.Zero] * len(form.slopes)
        inputs: dict[str, Source] = {}
        for number, component in enumerate(term.components):
            name = f"c{suffix}{number + 1}"
            component, norms = coupled(self, component, self.slopes, "")
            inputs |= norms
            for axis, response in enumerate(component.responses):
                if response == 0:
                    continue
                if per_slope:
                    response = _ratio(component, axis, form.slopes)
                factor = component.coefficient
                if self.at_cell(factor):
                    symbol = sp.Symbol(f"_{name}_{form.space[axis]}", real=True)
                    at_cells = self.coefficient(name, factor, {})
                    inputs[symbol.name] = self.on_edges(f"{name}_{form.space[axis]}", axis, at_cells)
                    factor = symbol
                expressions[axis] += factor * response
        free = set().union(*(e.free_symbols for e in expressions))
        if form.state in free:
            inputs[form.state.name] = self.cell_state()
        inputs |= self.data_inputs(sp.Tuple(*expressions), padded=True)
        return expressions, inputs

    def at_cell(self, coefficient: sp.Expr) -> bool:
        """Whether a coefficient lives at cells, so that edges take means; slopes live at half-points."""
        free = coefficient.free_symbols
        norms = any(s.name.startswith(S2.name) for s in free)  # of such slopes, over channels
        if not self.half or norms or free & set(self.form.field_slopes):
            return False
        return bool(free & (self.form.data | {self.form.state}))

    def staggered(self, term: FirstOrder, suffix: str) -> tuple[Source | sp.Expr, ...]:
        """FluxWeights of a staggered grid: from cell gradients, averaged to the edges."""
        form, norms = self.form, dict[str, Source]()
        components = []
        for component in term.components:
            component, inputs = coupled(self, component, self.cell_slopes, "_cell")
            components.append(component)
            norms |= inputs
        weights = [
            sp.Add(*(c.coefficient * _ratio(c, i, form.slopes) for c in components))
            for i in range(len(form.slopes))
        ]
        found: list[Source | sp.Expr] = []
        for axis, weight in enumerate(weights):
            if not weight.free_symbols & self.moving(norms):
                found.append(weight)
                continue
            same = weights.index(weight)
            name = f"g{suffix}_{form.space[same]}" if len(set(weights)) > 1 else f"g{suffix}"
            slopes = self.cell_slopes() if weight.free_symbols & set(form.slopes) else {}
            at_cells = self.coefficient(name, weight, norms | slopes)
            found.append(self.on_edges(f"g{suffix}_{form.space[axis]}_edge", axis, at_cells))
        return tuple(found)


def _ratio(component: Component, axis: int, slopes: tuple[sp.Symbol, ...]) -> sp.Expr:
    ratio = divide(component.responses[axis], slopes[axis])
    norms = {s for s in ratio.free_symbols if s.name.startswith(S2.name)}
    return at_rest(ratio, [*slopes, *norms])
