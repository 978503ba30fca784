"""Whether an expression is affine in a symbol, as an identity and not by its derivative."""

from __future__ import annotations

import functools

import sympy as sp


def affine(expression: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """(a, b) with expression = a + b symbol for all its values; None if structure does not show it.

    A function that jumps has the derivative of an affine one, so derivatives say nothing here.
    """
    if symbol not in expression.free_symbols:
        return expression, sp.S.Zero
    if expression == symbol:
        return sp.S.Zero, sp.S.One
    if isinstance(expression, sp.Add):
        pairs = [affine(part, symbol) for part in expression.args]
        found = [pair for pair in pairs if pair is not None]
        if len(found) == len(pairs):
            return sp.Add(*(a for a, _ in found)), sp.Add(*(b for _, b in found))
    if isinstance(expression, sp.Mul):
        factor, rest = expression.as_independent(symbol, as_Add=False)
        inner = affine(rest, symbol) if factor != 1 else None
        if inner is not None:
            return factor * inner[0], factor * inner[1]
    if isinstance(expression, sp.Piecewise):
        return _pieces(expression, symbol)
    return _polynomial(expression, symbol)


def _pieces(expression: sp.Piecewise, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """Pieces that are affine, and conditions without the symbol."""
    if any(symbol in condition.free_symbols for _, condition in expression.args):
        return None
    constant, slope = [], []
    for value, condition in expression.args:
        found = affine(value, symbol)
        if found is None:
            return None
        constant.append((found[0], condition))
        slope.append((found[1], condition))
    return sp.Piecewise(*constant), sp.Piecewise(*slope)


def _polynomial(expression: sp.Expr, symbol: sp.Symbol) -> tuple[sp.Expr, sp.Expr] | None:
    """A product that multiplies out to one of degree 1, or whose higher powers cancel."""
    names = {e: sp.Dummy() for e in expression.atoms(sp.Piecewise) if symbol not in e.free_symbols}
    plain = expression.xreplace(names)
    if not plain.is_polynomial(symbol):
        return None
    found = sp.Poly(plain, symbol)
    back = {name: e for e, name in names.items()}
    if found.degree() > 1:
        return None
    return found.nth(0).xreplace(back), found.nth(1).xreplace(back)


@functools.lru_cache(maxsize=256)  # every claim asks for the parts of one reaction
def simplified(expression: sp.Expr) -> sp.Expr:
    """simplify, which is slow, where there is something to simplify: not in sums of unlike monomials."""
    factors = [f for t in sp.Add.make_args(expression) for f in sp.Mul.make_args(t) if not f.is_Rational]
    plain = all(f.is_Symbol for f in factors) and len(set(factors)) == len(factors)
    return expression if plain else sp.simplify(expression)
