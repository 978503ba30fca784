"""Bounds of algebraic functions with parameters, proved by z3 over the real numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import reduce
from typing import Any

import sympy as sp

from pde2net.verify.ranges.exact import limit, sign_on_half_line
from pde2net.verify.ranges.record import Method, Range, UndecidedError

RESOURCES = 2_000_000  # of z3 per proof, about two seconds; unlike time, the same on every machine


def enclose(expression: sp.Expr, s: sp.Symbol) -> Range:
    """The range of an algebraic expression over s in (0, oo) for all values of its parameters.

    Candidates are the limits at both ends and the critical points that a formula gives; z3 proves that
    nothing lies beyond. The bounds are sharp where every candidate is approached for all parameters.
    """
    import z3

    _Translator(z3).term(expression)  # what is not algebraic is refused at once
    places = list(_candidates(expression, s))
    upper, upper_at = _bound(expression, s, places, sp.Max)
    lower, lower_at = _bound(expression, s, places, sp.Min)
    sharp = _uniform(expression, s)
    return Range(lower, upper, lower_at, upper_at, Method.SMT, sharp, sharp)


def _bound(
    expression: sp.Expr, s: sp.Symbol, places: list[tuple[sp.Expr, sp.Expr]], extreme: Any
) -> tuple[sp.Expr, sp.Expr]:
    end = sp.oo if extreme is sp.Max else -sp.oo
    for value, place in places:
        if value == end:
            return value, place
    finite = [(v, p) for v, p in places if v.is_finite is not False]
    ends = [v for v, p in finite if p in (sp.S.Zero, sp.oo)]
    for value, place in [*finite, (extreme(*ends), sp.S.Zero)] if ends else finite:
        claim = sp.Le(expression, value) if extreme is sp.Max else sp.Ge(expression, value)
        if holds(claim, s):
            return value, place
    raise UndecidedError(f"no bound of {expression} could be proved for all values of its parameters")


def _candidates(expression: sp.Expr, s: sp.Symbol) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """(value, place) of the ends and of the critical points that are known to be positive."""
    for place, side in ((sp.S.Zero, "+"), (sp.oo, "-")):
        value = limit(expression, s, place, side)
        if value is not None:
            yield value, place
    slope = sp.fraction(sp.together(sp.diff(expression, s)))[0]
    for factor in sp.Mul.make_args(sp.factor(slope)):
        base = factor.base if factor.is_Pow else factor
        if s not in base.free_symbols or not base.is_polynomial(s) or sp.degree(base, s) > 2:
            continue
        for root in sp.roots(sp.Poly(base, s)):
            if holds(root > 0, s):
                yield sp.simplify(expression.subs(s, root)), root


def _uniform(expression: sp.Expr, s: sp.Symbol) -> bool:
    """Whether limits hold for all parameters: k s/(1 + k s) tends to 1 at oo, but not for k = 0."""
    for power in expression.atoms(sp.Pow):
        if s not in power.base.free_symbols or sign_on_half_line(power.base, s) is not None:
            continue
        if power.exp.is_Integer and power.exp.is_nonnegative:
            continue
        if not power.base.is_polynomial(s):
            return False
        terms = sp.Poly(power.base, s).all_coeffs()
        last = next(c for c in reversed(terms) if c != 0)
        if not (terms[0].is_nonzero and last.is_nonzero):
            return False
    return True


def holds(claim: Any, s: sp.Symbol) -> bool:
    """Whether a comparison holds for every s > 0 and all values that the assumptions admit."""
    if claim in (sp.true, sp.false):
        return bool(claim)
    import z3

    translator = _Translator(z3)
    try:
        left, right = translator.term(claim.lhs), translator.term(claim.rhs)
    except UndecidedError:
        return False
    for known, base in translator.obligations:  # every root must be one of a nonnegative number
        if not _proves(z3, known, base >= 0):
            return False
    compare = {sp.Le: left <= right, sp.Ge: left >= right, sp.Gt: left > right, sp.Lt: left < right}
    return _proves(z3, translator.constraints, compare[type(claim)])


def _proves(z3: Any, known: list[Any], claim: Any) -> bool:
    solver = z3.SolverFor("QF_NRA")
    solver.set("rlimit", RESOURCES)
    solver.add(*known, z3.Not(claim))
    return bool(solver.check() == z3.unsat)


class _Translator:
    """SymPy to z3 terms, with what is known of symbols and roots as constraints."""

    def __init__(self, z3: Any) -> None:
        self.z3 = z3
        self.constraints: list[Any] = []
        self.obligations: list[tuple[list[Any], Any]] = []
        self.known: dict[sp.Basic, Any] = {}
        self.number = itertools.count()  # names must differ, those of nested roots too

    def term(self, expression: sp.Expr) -> Any:
        if expression not in self.known:
            self.known[expression] = self._term(expression)
        return self.known[expression]

    def _term(self, e: sp.Expr) -> Any:
        if e.is_Rational:
            return self.z3.RealVal(f"{e.p}/{e.q}")
        if e.is_Symbol:
            return self.symbol(e)
        if e.is_Add or e.is_Mul:
            terms = [self.term(a) for a in e.args]
            return reduce(lambda a, b: a + b if e.is_Add else a * b, terms)
        if isinstance(e, sp.Min | sp.Max):
            smaller = isinstance(e, sp.Min)
            terms = [self.term(a) for a in e.args]
            return reduce(lambda a, b: self.z3.If((a <= b) if smaller else (a >= b), a, b), terms)
        if e.is_Pow and e.exp.is_Rational:
            base = self.term(e.base) if e.exp.is_Integer else self.root(e.base, int(e.exp.q))
            power = reduce(lambda a, b: a * b, [base] * abs(int(e.exp.p)))
            if e.exp.is_nonnegative:
                return power
            # Division by 0 means anything in z3: then no bound is proved.
            return 1 / power
        raise UndecidedError(f"{e} is not algebraic")

    def symbol(self, symbol: sp.Symbol) -> Any:
        variable = self.z3.Real(f"{symbol.name}!{next(self.number)}")
        signs = {
            "positive": variable > 0,
            "negative": variable < 0,
            "nonnegative": variable >= 0,
            "nonpositive": variable <= 0,
            "nonzero": variable != 0,
        }
        self.constraints += [c for kind, c in signs.items() if getattr(symbol, f"is_{kind}")]
        return variable

    def root(self, base: sp.Expr, degree: int) -> Any:
        """The nonnegative root; that its base is nonnegative is an obligation of its own."""
        variable = self.z3.Real(f"root!{next(self.number)}")
        power = reduce(lambda a, b: a * b, [variable] * degree)
        inside = self.term(base)
        self.obligations.append((list(self.constraints), inside))
        self.constraints += [variable >= 0, power == inside]
        return variable
