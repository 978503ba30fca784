"""The data of a network: the field f of a fidelity b (f - u), else its input u0 (docs/theory.md, 4.22)."""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.normalise.affine import affine, simplified
from pde2net.normalise.form import DivergenceForm


@dataclass(frozen=True)
class DataTerm:
    """b (f - u) with a number, or an expression in parameters, b >= 0."""

    weight: sp.Expr
    field: sp.Symbol


def data_term(form: DivergenceForm) -> DataTerm | None:
    """That of a reaction which is nothing else."""
    found = affine(form.reaction, form.state)
    if found is None or found[0] == 0:
        return None
    source, weight = found[0], simplified(-found[1])
    problem = form.problem
    known = weight.is_nonnegative or weight.subs(problem.parameters).is_nonnegative
    if weight == 0 or not known or not weight.free_symbols <= set(problem.symbols):
        return None
    field = sp.cancel(source / weight)
    return DataTerm(weight, field) if field in form.fields else None
