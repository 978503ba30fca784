"""Reads a right-hand side as a linear combination of derivatives plus a reaction term."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import EquationError
from pde2net.language.problem import Problem
from pde2net.normalise.products import summands


class NotADivergenceError(EquationError):
    """Second derivatives stand outside of a divergence."""


def split(problem: Problem) -> tuple[list[tuple[sp.Expr, sp.Derivative]], sp.Expr]:
    """(coefficient, outermost derivative) pairs, and what contains no derivative of the unknown.

    Sums inside derivatives are split, constants are pulled out, and nested derivatives of the
    unknown are merged, so linear terms end as derivatives of u itself.
    """
    coefficients: dict[sp.Derivative, sp.Expr] = {}
    reaction: list[sp.Expr] = []
    for term in summands(problem.rhs, lambda e: e.has(sp.Derivative)):
        if not term.has(sp.Derivative):
            reaction.append(term)
            continue
        inside = [f for f in sp.Mul.make_args(term) if f.has(sp.Derivative)]
        outside = term / sp.Mul(*inside)
        if len(inside) != 1 or not isinstance(inside[0], sp.Derivative):
            raise_not_divergence(term, problem)
        for constant, derivative in merged(inside[0], problem):
            known = coefficients.get(derivative, sp.S.Zero)
            coefficients[derivative] = known + outside * constant
    pairs = [(c, d) for d, c in coefficients.items() if c != 0]
    return pairs, sp.Add(*reaction)


def merged(derivative: sp.Derivative, problem: Problem) -> Iterator[tuple[sp.Expr, sp.Derivative]]:
    """`derivative` as a sum of constant multiples of derivatives whose argument cannot be split."""
    inner, counts = derivative.expr, derivative.variable_count
    if isinstance(inner, AppliedUndef):
        yield sp.S.One, derivative
        return
    for term in sp.Add.make_args(inner):
        constant, rest = constant_factor(term, problem)
        if rest.is_Add or isinstance(rest, sp.Derivative):
            for coefficient, part in merged(sp.Derivative(rest, *counts), problem):
                yield constant * coefficient, part
        elif rest == 1:
            continue
        else:
            part = sp.Derivative(rest, *counts)
            if part != 0:
                yield constant, part


def constant_factor(term: sp.Expr, problem: Problem) -> tuple[sp.Expr, sp.Expr]:
    """term = constant * rest, the constant free of space, fields and the unknown."""
    varying = (*problem.space, problem.unknown, *problem.fields)
    constant, rest = term.as_independent(*varying, as_Add=False)
    return constant, rest


def raise_not_divergence(term: sp.Expr, problem: Problem) -> None:
    """Say what kind of term it is that stands outside of a divergence."""
    u = problem.unknown
    highest = max((d.derivative_count for d in term.atoms(sp.Derivative) if d.has(u)), default=0)
    if highest == 1:
        raise EquationError(
            f"The term {term} contains first derivatives of {u.func} outside of a divergence: an "
            "advection (transport) or Hamilton-Jacobi term, not diffusion. Diffusion terms have the "
            "form div(g * grad(u))."
        )
    raise NotADivergenceError(
        f"The term {term} is not in divergence form: derivatives of {u.func} are multiplied "
        "outside of the divergence, as after applying the product rule, or in g * laplacian(u). "
        "Write it as div(g * grad(u)) (second order) or -laplacian(g * laplacian(u)) (fourth order); "
        "only then is the mean conserved and the spatial operator symmetric."
    )
