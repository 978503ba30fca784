"""Splits a function with Piecewise, Min, Max and Abs at its breakpoints into smooth pieces."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import sympy as sp
from sympy.core.relational import Relational

from pde2net.verify.ranges.exact import positive_roots
from pde2net.verify.ranges.record import UndecidedError

KINKS = (sp.Piecewise, sp.Min, sp.Max, sp.Abs, sp.sign, sp.Heaviside)


@dataclass(frozen=True)
class Piece:
    """f = body on the open interval (start, end), end possibly oo."""

    start: sp.Expr
    end: sp.Expr
    body: sp.Expr

    def on_half_line(self, s: sp.Symbol) -> sp.Expr:
        """The body as a function of r in (0, oo), with s = `place(r)`."""
        if self.start == 0 and self.end == sp.oo:
            return self.body
        return self.body.subs(s, self.place(s))

    def place(self, r: sp.Expr) -> sp.Expr:
        """start + r, or for a bounded piece end - (end - start)/(1 + r), in which r occurs once."""
        if self.end == sp.oo:
            return self.start + r
        return self.end if r == sp.oo else self.end - (self.end - self.start) / (1 + r)


def pieces(expression: sp.Expr, s: sp.Symbol) -> tuple[Piece, ...]:
    """The smooth pieces over (0, oo), s positive. Raises UndecidedError for gaps."""
    if not expression.has(*KINKS):
        return (Piece(sp.S.Zero, sp.oo, expression),)
    unfolded = _as_piecewise(expression)
    conditions = sorted(unfolded.atoms(Relational), key=str)
    places = {b for c in conditions for b in _breakpoints(c.lhs - c.rhs, s)}
    if not all(b.is_number for b in places):
        raise UndecidedError(f"the places where the pieces of {expression} meet depend on its parameters")
    inner = sorted(places, key=float)
    points = [sp.S.Zero, *inner, sp.oo]
    found = []
    for start, end in itertools.pairwise(points):
        inside = start + 1 if end == sp.oo else _between(start, end)
        body = _decided(unfolded, {c: c.subs(s, inside) for c in conditions})
        if body.has(sp.nan) or body.has(sp.Piecewise):
            raise UndecidedError(
                f"{expression} has no value between {start} and {end}; end the Piecewise with (value, True)"
            )
        found.append(Piece(start, end, body))
    return tuple(found)


def _as_piecewise(expression: sp.Expr) -> sp.Expr:
    for kind in (sp.Abs, sp.sign, sp.Heaviside, sp.Min, sp.Max):
        expression = expression.replace(
            lambda e, kind=kind: isinstance(e, kind), lambda e: e.rewrite(sp.Piecewise)
        )
    return expression


def _decided(unfolded: sp.Expr, truth: dict[sp.Basic, sp.Basic]) -> sp.Expr:
    """The expression with every comparison replaced by its truth value."""
    undecided = [c for c, value in truth.items() if value not in (sp.true, sp.false)]
    if undecided:
        raise UndecidedError(f"the condition {undecided[0]} depends on parameters; give them values")
    return unfolded.xreplace(truth)


def _breakpoints(difference: sp.Expr, s: sp.Symbol) -> list[sp.Expr]:
    """Where a comparison may change: zeros and poles of lhs - rhs in (0, oo)."""
    root = sp.Dummy("q", positive=True)
    powers = [p.exp.q for p in difference.atoms(sp.Pow) if p.base == s and p.exp.is_Rational]
    degree = sp.ilcm(1, 1, *powers)
    top, bottom = sp.fraction(sp.together(difference.subs(s, root**degree)))
    try:
        zeros = [r for e in (top, bottom) for r in positive_roots(sp.factor(e), root)]
    except UndecidedError:
        raise UndecidedError(
            f"the breakpoints of the pieces, where {difference} = 0, could not be found exactly"
        ) from None
    return [sp.expand(r**degree) if r.is_algebraic else r**degree for r in zeros]


def _between(start: sp.Expr, end: sp.Expr) -> sp.Rational:
    """A rational number strictly between two real numbers."""
    for digits in (3, 15, 40):
        middle = sp.Rational(str(sp.N((start + end) / 2, digits)))
        if start < middle and middle < end:
            return middle
    raise UndecidedError(f"{start} and {end} are too close")
