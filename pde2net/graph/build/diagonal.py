"""Adds the diagonal of mass + step sum_k m_k K_k^T G_k K_k, G the weights of a flux, to a graph."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.graph.build import tensor
from pde2net.graph.build.place import Source
from pde2net.graph.build.rate import FluxWeights, Rate, RateBuilder
from pde2net.graph.nodes import Pointwise
from pde2net.normalise.terms import Tensor

SHORT = 100  # operations of expressions that are simplified


@dataclass(frozen=True)
class Diagonal:
    """Expressions in the slots that `inputs` feeds.

    mass       what multiplies the state beside the diffusion
    diffusion  the rest of the diagonal
    plain      the rest without prefactors
    """

    mass: sp.Expr
    diffusion: sp.Expr
    plain: sp.Expr
    inputs: dict[str, Source]


def frozen_diagonal(builder: RateBuilder, weights: FluxWeights, mass: Rate, step: sp.Expr) -> Diagonal:
    """The diagonal for flux weights `weights`; differences along several axes are bounded."""
    terms = builder.form.terms
    slots = [sp.Symbol(f"_d{k + 1}", real=True) for k in range(len(terms))]
    inputs = {s.name: _of_term(builder, k, weights[k]) for k, s in enumerate(slots)}
    # The diagonal of (K_1 + ... + K_n)^T G (K_1 + ... + K_n) is at most n times the sum of the parts.
    parts = [_differences(builder, k) * s for k, s in enumerate(slots)]
    diffusion = step * sp.Add(*(t.prefactor * d for t, d in zip(terms, parts, strict=True)))
    inputs |= mass.inputs | builder.data_inputs(diffusion, padded=False)
    return Diagonal(mass.expression, diffusion, step * sp.Add(*parts), inputs)


def coefficient(builder: RateBuilder, name: str, expression: sp.Expr, diagonal: Diagonal) -> Source:
    """A node for an expression in the parts of a diagonal."""
    return builder.once(name, Pointwise((expression,), "coefficient"), diagonal.inputs)


def nonnegative(expression: sp.Expr) -> sp.Expr:
    """max(expression, 0)."""
    expression = sp.simplify(expression) if sp.count_ops(expression) < SHORT else expression
    if expression.is_nonnegative:
        return expression
    return sp.S.Zero if expression.is_nonpositive else sp.Max(expression, 0)


def _differences(builder: RateBuilder, k: int) -> int:
    """How many differences a weight multiplies."""
    return sum(map(len, builder.bank(k).rows)) if builder.form.terms[k].order == 2 else 1


def _of_term(builder: RateBuilder, k: int, weights: tuple[Source | sp.Expr, ...]) -> Source:
    """diag(K^T G K) of one term, sums of differences taken one by one."""
    term, suffix, margin = builder.form.terms[k], builder.suffix(k), builder.semi.margin
    if isinstance(term, Tensor):
        return tensor.diagonal(builder, suffix, weights)
    if term.no_diagonal:
        raise DeclarationError(term.no_diagonal)
    if term.order == 1:
        return builder.squared_adjoint(f"d{suffix}", builder.semi.gradient, weights, margin)
    bank = builder.bank(k)
    return builder.squared_adjoint(f"d{suffix}", bank, weights * len(bank.rows), tuple(0 for _ in margin))
