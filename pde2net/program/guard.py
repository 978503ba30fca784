"""Forms of expressions whose gradients are finite wherever their values are.

Backpropagation multiplies the derivatives of all parts of an expression, also of those that
`torch.where` leaves out, and inf * 0 is NaN. So the argument of a part that may have no finite
derivative is replaced by a harmless value

    in a branch of a Piecewise, where the branch is not taken,
    in a root, sqrt(s2) for one, where it is 0: |v| then has the derivative 0 at its minimum,
    in a decay exp(-c/x^n), where x is so small that it is 0: powers of x underflow there,
    in a quotient by x >= 0, where its derivative overflows: min(1, 1/x) has the derivative 0 there.

The values stay the same, to rounding; 1/0 becomes a large number.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace

import sympy as sp
from sympy.codegen.cfunctions import expm1, log1p
from sympy.logic.boolalg import Boolean

from pde2net.graph.nodes import Pointwise
from pde2net.graph.overflow import accurate
from pde2net.program.records import Function, Let

_GONE = 1000  # exp(-1000) is 0 in double precision
_HARMLESS = {
    sp.log: 1,
    sp.asin: 0,
    sp.acos: 0,
    sp.tan: 0,
    sp.sinh: 0,
    sp.cosh: 0,
    sp.exp: 0,
    log1p: 0,
    expm1: 0,
}


def guard(function: Function) -> Function:
    """The same function of such expressions, where no common parts are wanted."""
    return replace(function, body=tuple(map(_guarded, function.body)))


def _guarded(let: Let) -> Let:
    if not isinstance(let.op, Pointwise):
        return let
    expressions = tuple(guarded(e, let.fed.keys()) for e in let.op.expressions)
    return replace(let, op=replace(let.op, expressions=expressions))


def guarded(expression: sp.Expr, tensors: Set[str]) -> sp.Expr:
    """`expression`, accurate and with its singular parts guarded; `tensors` names what varies in it."""
    return _Guard(tensors).within(accurate(expression), sp.false)


class Where(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """Where(condition, a, b): a where the condition holds, else b. Unlike a Piecewise it stays as it is."""

    is_real = True


class AtLeast(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """AtLeast(y, y0) = max(y, y0), of a y > 0 whose exp(-c/y^n) is 0 up to y0."""

    is_positive = True


class AwayFromZero(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """AwayFromZero(x, p) = max(x, tiny^p) of an x >= 0, tiny the smallest normal number of its type."""

    is_positive = True


@dataclass(frozen=True)
class _Decay:
    """-c a/x^n, c a number, with x >= 0 and c, a > 0."""

    x: sp.Expr
    n: sp.Expr
    c: sp.Rational
    a: sp.Expr

    def bounded(self) -> sp.Expr:
        """-c'/max(y, y0)^n of y = k x/a^(1/n), whose powers neither underflow nor overflow."""
        c, root = self.c, 1 / self.n
        k = sp.S.One if sp.Rational(1, 100) <= c <= 100 else _rounded((1 / c) ** root)
        c *= k**self.n
        return -c / AtLeast(k * self.x / self.a**root, _rounded((c / _GONE) ** root)) ** self.n


@dataclass(frozen=True)
class _Guard:
    tensors: Set[str]

    def varies(self, part: sp.Basic) -> bool:
        return any(s.name in self.tensors for s in part.free_symbols)

    def within(self, expression: sp.Expr, left_out: Boolean) -> sp.Expr:
        """The form of a part whose value does not matter under the condition `left_out`."""
        if expression.is_Atom or not self.varies(expression):
            return expression
        if self._is_even_pole(expression):
            square = sp.Pow(expression.base, 2, evaluate=False)
            return self.within(sp.Pow(square, expression.exp / 2, evaluate=False), left_out)
        if isinstance(expression, sp.Piecewise):
            return self._pieces(expression, left_out)
        if isinstance(expression, sp.exp):
            terms = [self._decay(term) for term in sp.Add.make_args(expression.args[0])]
            expression = sp.exp(sp.Add(*terms))
        argument, *others = (self.within(a, left_out) for a in expression.args)
        harmless = self._harmless(expression)
        if self._is_root(expression):
            base = expression.base
            zero = sp.Eq(base, 0, evaluate=False)
            outside = zero if base.is_nonnegative else sp.Or(left_out, zero)
            return Where(zero, 0, expression.func(Where(outside, 1, argument), *others))
        if left_out != sp.false and harmless is not None:
            argument = Where(left_out, harmless, argument)
        elif self._is_quotient(expression):
            argument = AwayFromZero(argument, 1 / (1 - expression.exp))
        return expression.func(argument, *others)

    def _pieces(self, expression: sp.Piecewise, left_out: Boolean) -> sp.Expr:
        """Each value is guarded where it is not the one that is taken."""
        pieces, before = [], left_out
        (first, condition), *others = expression.args
        if len(others) == 1 and isinstance(condition, sp.Eq) and self._covers(others[0][0], condition, first):
            return self.within(others[0][0], left_out)
        for value, condition in expression.args:
            pieces.append((self.within(value, sp.Or(before, sp.Not(condition))), condition))
            before = sp.Or(before, condition)
        return sp.Piecewise(*pieces, evaluate=False)

    def _covers(self, rest: sp.Expr, condition: sp.Eq, value: sp.Expr) -> bool:
        """Whether only decays of `rest` are singular where x = 0, and it is `value` there: 1 - exp(-1/x)."""
        if condition.rhs != 0:
            return False
        decays = {e: self._decaying(e.args[0]) for e in rest.atoms(sp.exp)}
        at = (condition.lhs, condition.lhs**2)
        if not decays or any(d is None or d.x not in at for d in decays.values()):
            return False
        return bool(sp.expand(rest.xreplace(dict.fromkeys(decays, sp.S.Zero)) - value) == 0)

    def _decay(self, term: sp.Expr) -> sp.Expr:
        """A term of which exp is taken, bounded from below where that is 0."""
        found = self._decaying(term)
        return term if found is None else found.bounded()

    def _decaying(self, term: sp.Expr) -> _Decay | None:
        """-c a/x^n with an x that may be 0; None of other terms."""
        powers = [f for f in sp.Mul.make_args(term) if f.is_Pow and f.exp.is_number and f.exp.is_negative]
        poles = [p for p in powers if self.varies(p) and not p.base.is_positive]
        if len(poles) != 1:
            return None
        x, n = poles[0].base, -poles[0].exp
        if not x.is_nonnegative and x.is_real and n.is_even:
            x, n = x**2, n / 2
        c, a = (-term * x**n).as_coeff_Mul()
        known = x.is_nonnegative and c.is_Rational and c.is_positive and a.is_positive
        return _Decay(x, n, c, a) if known else None

    def _harmless(self, expression: sp.Expr) -> int | None:
        """A regular argument of a function that may overflow or have a pole; None of others."""
        if expression.is_Pow and not expression.base.is_positive:
            regular = expression.exp.is_Integer and expression.exp.is_nonnegative
            return None if regular or not self.varies(expression.base) else 1
        if isinstance(expression, sp.exp) and expression.args[0].is_nonpositive:
            return None
        return _HARMLESS.get(expression.func)

    def _is_root(self, expression: sp.Expr) -> bool:
        """x^p, 0 < p < 1, or of an unknown p > 0, of an x that may be 0."""
        if not expression.is_Pow or expression.base.is_positive or not self.varies(expression.base):
            return False
        p = expression.exp
        return bool(p.is_positive and (p < 1 if p.is_number else True))

    def _is_even_pole(self, expression: sp.Expr) -> bool:
        """1/x^4, say, of an x of any sign: 1/(x^2)^2."""
        if not expression.is_Pow or not expression.exp.is_even or not expression.exp.is_negative:
            return False
        return bool(expression.base.is_real and not expression.base.is_nonnegative)

    def _is_quotient(self, expression: sp.Expr) -> bool:
        """x^-p of an x >= 0 that may be 0, as in min(1, 1/x): oo, whose derivative is taken 0 times."""
        if not expression.is_Pow or not expression.exp.is_Rational or not expression.exp.is_negative:
            return False
        x = expression.base
        return bool(self.varies(x) and x.is_nonnegative and not x.is_positive)


def _rounded(number: sp.Expr) -> sp.Rational:
    """The number, to its first digit, towards 0."""
    digits, _, exponent = f"{float(number):e}".partition("e")
    return sp.Rational(f"{digits[0]}e{exponent}")
