"""What a question about a range is answered with, and how it is given up."""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sympy as sp
from sympy.core.symbol import uniquely_named_symbol

from pde2net import deadline

LOG = logging.getLogger("pde2net.verify")
T = TypeVar("T")


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


def positive_symbol(*expressions: sp.Expr) -> sp.Symbol:
    """A symbol of the half-line that none of the expressions has: parameters may be called s too."""
    return uniquely_named_symbol("s", expressions, positive=True)


def within(seconds: float, what: str, work: Callable[[], T]) -> T:
    """work(), or UndecidedError after `seconds` of processor time."""
    return deadline.within(seconds, what, work, UndecidedError)


def given_up(what: str, error: Exception) -> str:
    """The sentence "no answer was found for ..."; the exception goes to the log "pde2net.verify".

    SymPy gives up in many ways, none of which may become an answer or a traceback; each is a fault to mend.
    """
    LOG.debug("%s: %s", what, type(error).__name__, exc_info=error)
    return f"no answer was found for {what}"
