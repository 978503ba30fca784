"""Where an expression is smooth: bases of roots, logarithms and denominators must keep away from 0.

Intervals alone do not show it: 1/(s - 3)**2 on [2, 4] is [1, oo], without a hint of the pole inside, and
atan((s**2 - 9)/(s - 3)**2) jumps there although its derivative, as a product, is negative throughout.
"""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp

from pde2net.verify.ranges.enclosures import Enclosing, attempt
from pde2net.verify.ranges.evaluate import image
from pde2net.verify.ranges.exact import sign_on_half_line
from pde2net.verify.ranges.intervals import ZERO, Interval
from pde2net.verify.ranges.pieces import KINKS


class Regularity:
    """Decides whether f, a composition of smooth functions, is smooth on an interval within (0, oo)."""

    def __init__(self, expression: sp.Expr, s: sp.Symbol) -> None:
        bases = [(_Base(g, s, signed), root) for g, signed, root in _bases(expression, s)]
        self.poles = [b for b, root in bases if not (root or b.known)]
        self.roots = [b for b, root in bases if root and not b.known]
        self.start = [(image(g, s), signed, root) for g, signed, root in _bases(expression, s)]
        self.bent = expression.has(*KINKS)

    def __call__(self, x: Interval) -> bool:
        return self.free_of_poles(x) and all(b.holds(x) for b in self.roots)

    def free_of_poles(self, x: Interval) -> bool:
        return all(b.holds(x) for b in self.poles)

    def at_zero(self) -> bool:
        """Whether f is continuous from the right at 0, with the value that its operations give there."""
        return not self.bent and attempt(self._starts) is True

    def _starts(self) -> bool:
        for g, signed, root in self.start:
            found = g(Interval(ZERO, ZERO))
            if not (found.lo > 0 or (root and found.lo >= 0) or (not signed and found.hi < 0)):
                return False
        return True


class _Base:
    """An expression that must not vanish, or (signed) be positive."""

    def __init__(self, g: sp.Expr, s: sp.Symbol, signed: bool) -> None:
        self.signed = signed
        sign = attempt(lambda: sign_on_half_line(g, s))
        self.known = sign == 1 or (sign == -1 and not signed)
        if self.known:
            return
        bent = g.has(*KINKS)
        self.f = Enclosing(g, s, not bent)
        # From 0 on g may rise or fall, if it starts there by continuity.
        rises = not bent and g.subs(s, 0) == 0 and Regularity(g, s).at_zero()
        self.slope = attempt(lambda: Enclosing(sp.diff(g, s), s, False)) if rises else None

    def holds(self, x: Interval) -> bool:
        found = (self.slope if x.lo == 0 and self.slope is not None else self.f)(x)
        return bool(found.lo > 0 or (found.hi < 0 and not self.signed))


def _bases(expression: sp.Expr, s: sp.Symbol) -> Iterator[tuple[sp.Expr, bool, bool]]:
    """What must not vanish for smoothness, whether it must be positive, and whether 0 is continuous."""
    for node in sp.preorder_traversal(expression):
        if s not in node.free_symbols:
            continue
        if isinstance(node, sp.log):
            yield node.args[0], True, False
        elif node.is_Pow and s in node.exp.free_symbols and node.base != sp.E:
            yield node.base, True, False
        elif node.is_Pow and not (node.exp.is_Integer and node.exp.is_nonnegative):
            yield node.base, not node.exp.is_Integer, bool(node.exp.is_positive)
