"""What a question about a range is answered with."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import sympy as sp


class UndecidedError(Exception):
    """The range could not be decided; the message says why."""


class Method(enum.StrEnum):
    """Which of the three engines produced an answer."""

    EXACT = "exact (SymPy)"
    SMT = "real arithmetic (z3)"
    BALLS = "ball arithmetic (Arb)"


@dataclass(frozen=True)
class Range:
    """Certified bounds of a function: lower <= f <= upper everywhere; either may be infinite.

    lower_at, upper_at  where the bound is attained or approached: 0 .. oo
    method              the engine that decided
    upper_tight, lower_tight  the bound is the supremum (infimum) itself; otherwise it lies outside of
                        it by at most 1e-6, relative to the size of the function
    """

    lower: sp.Expr
    upper: sp.Expr
    lower_at: sp.Expr
    upper_at: sp.Expr
    method: Method = Method.EXACT
    upper_tight: bool = True
    lower_tight: bool = True
