"""Multiplies out products of sums, where asked and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sympy as sp


def has_factor(term: sp.Expr, symbol: sp.Symbol) -> bool:
    """Whether a symbol, or a positive power of it, is a factor of a term."""
    factors = sp.Mul.make_args(term)
    return any(f == symbol or (f.is_Pow and f.base == symbol and f.exp.is_positive) for f in factors)


def summands(expression: sp.Expr, opens: Callable[[sp.Expr], bool]) -> Iterator[sp.Expr]:
    """The terms of `expression` after multiplying out those sums for which `opens` is true.

    Denominators and other powers are left as they are written, unlike in SymPy's expand.
    """
    for term in sp.Add.make_args(expression):
        factors = sp.Mul.make_args(term)
        position = next((i for i, f in enumerate(factors) if f.is_Add and opens(f)), None)
        if position is None:
            yield term
            continue
        rest = factors[:position] + factors[position + 1 :]
        for part in factors[position].args:
            yield from summands(sp.Mul(*rest, part), opens)
