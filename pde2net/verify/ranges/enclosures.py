"""The sharpest bounds of a function on an interval that several of its forms give."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

import sympy as sp

from pde2net.verify.ranges.algebra import rearranged
from pde2net.verify.ranges.evaluate import Image, image
from pde2net.verify.ranges.intervals import EVERYTHING, Interval, UndefinedError
from pde2net.verify.ranges.quotients import quotient, tails

T = TypeVar("T")

SHORT = 60  # operations, for SymPy to rearrange


def sharpest(expression: sp.Expr, s: sp.Symbol) -> Image:
    """Bounds of an expression as it stands and as a product, whichever say more."""
    forms = [image(expression, s)]
    if sp.count_ops(expression) < SHORT:
        product = attempt(lambda: rearranged(expression, sp.factor))
        if product is not None and product != expression:
            forms += [f for f in [attempt(lambda: image(product, s))] if f is not None]

    def meet(x: Interval) -> Interval:
        found: Interval | None = None
        for form in forms:
            try:
                value = form(x)
            except UndefinedError:
                continue
            found = value if found is None else found.meet(value)
        return found if found is not None else forms[0](x)

    return meet


class Enclosing:
    """Bounds f, where that works, with what else is known at both ends of the half-line.

    Cauchy's theorem is for differentiable functions: `smooth` says that f is one.
    """

    def __init__(self, expression: sp.Expr, s: sp.Symbol, smooth: bool) -> None:
        self.f = attempt(lambda: sharpest(expression, s))
        self.parts = attempt(lambda: quotient(expression, s)) if smooth else None
        self.tails = attempt(lambda: tails(expression, s)) or [] if smooth else []

    def __call__(self, x: Interval) -> Interval:
        found = EVERYTHING
        if self.f is None:
            return found
        ways: list[Image] = [self.f]
        if self.parts is not None and x.lo == 0:
            ways.append(self.parts.near_zero)
        if not x.hi.is_finite():
            ways += [*self.tails, *([self.parts.tail] if self.parts is not None else [])]
        for way in ways:
            if found.lo.is_finite() and found.hi.is_finite() and not found.lo < 0 < found.hi:
                break
            with contextlib.suppress(UndefinedError):
                found = found.meet(way(x))
        return found


def attempt(work: Callable[[], T]) -> T | None:
    """work(), or None where SymPy or an interval cannot; a missing aid only costs sharpness."""
    try:
        return work()
    except Exception:
        return None
