"""Infimum and supremum of a function over [0, oo), by the first of three engines that decides.

1. exact.py: critical points and limits, with SymPy; parameters stay symbols
2. smt.py: candidates that z3 proves to be bounds, for algebraic functions with parameters
3. balls.py: branch and bound with Arb, for any function of one variable

Positive parameters are scaled out first, and the function is cut into smooth pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import sympy as sp

from pde2net import deadline
from pde2net.language.exact import at
from pde2net.verify.ranges import exact
from pde2net.verify.ranges.continuity import require_continuous
from pde2net.verify.ranges.crosscheck import crosscheck
from pde2net.verify.ranges.exact import limit
from pde2net.verify.ranges.pieces import KINKS, Piece, pieces
from pde2net.verify.ranges.record import Method, Range, UndecidedError, given_up, positive_symbol, within

SECONDS = 10.0  # per question
SHARE_EXACT = 0.3


def half_line(expression: sp.Expr, variable: sp.Symbol, seconds: float = SECONDS) -> Range:
    """The range of `expression` over variable in [0, oo); its parameters are symbols.

    Raises UndecidedError with the reason if none of the engines decides within `seconds`.
    """
    return _answer(expression, seconds, lambda end: _range(expression, variable, end))


def flux_slope(diffusivity: sp.Expr, variable: sp.Symbol, seconds: float = SECONDS) -> Range:
    """The range of Phi'(s) = g(s^2) + 2 s^2 g'(s^2), in terms of variable = s^2.

    Where g has kinks this is the range of all slopes of Phi, which is Lipschitz if g has no jumps.
    Raises UndecidedError.
    """
    return _answer(diffusivity, seconds, lambda end: _slope_range(diffusivity, variable, end))


def _answer(expression: sp.Expr, seconds: float, find: Callable[[float], Range]) -> Range:
    end = deadline.thread_time() + seconds
    try:
        return within(seconds, f"the range of {expression}", lambda: find(end))
    except UndecidedError:
        raise
    except Exception as error:
        raise UndecidedError(given_up(f"the range of {expression}", error)) from error


def _range(expression: sp.Expr, variable: sp.Symbol, end: float) -> Range:
    s = positive_symbol(expression)
    start = _at_zero(expression, variable)
    scale, body = exact.scaled(expression.subs(variable, s), s)
    parts = pieces(body, s)
    found = [_placed(_engines(p.on_half_line(s), s, end), p.place) for p in parts]
    powers = any(variable in p.exp.free_symbols for p in expression.atoms(sp.Pow))
    if powers or expression.has(*KINKS):  # there may be values of their own at single points, such as 0**0
        values = [(p.start, _value(body, s, p.start)) for p in parts[1:]]
        found += [start, *(Range(v, v, p, p) for p, v in values)]
    result = _placed(_hull(found), lambda p: p * scale)
    crosscheck(expression, variable, result)
    return result


def _slope_range(g: sp.Expr, variable: sp.Symbol, end: float) -> Range:
    s = positive_symbol(g)
    _at_zero(g, variable)
    scale, body = exact.scaled(g.subs(variable, s), s)
    parts = pieces(body, s)
    require_continuous(body, s, None)
    slopes = [Piece(p.start, p.end, _slope(p.body, s)) for p in parts]
    result = _hull([_placed(_engines(p.on_half_line(s), s, end), p.place) for p in slopes])
    if len(slopes) == 1:
        crosscheck(slopes[0].body, s, result)
    return _placed(result, lambda p: p * scale)


def _slope(g: sp.Expr, s: sp.Symbol) -> sp.Expr:
    """Phi' = g + 2 s g'; by way of Phi(q) = q g(q^2) where g contains roots, which cancel there."""
    if any(p.base == s and p.exp.is_Rational and p.exp.q == 2 for p in g.atoms(sp.Pow)):
        flux = sp.expand(s * g.subs(s, s**2))
        return sp.diff(flux, s).subs(s, sp.sqrt(s))
    return g + 2 * s * sp.diff(g, s)


def _at_zero(expression: sp.Expr, variable: sp.Symbol) -> Range:
    """The value at 0 itself; a function that is 0/0 there gives no network."""
    s = positive_symbol(expression)
    value = value_at_zero(expression, variable)
    if value.has(sp.nan, sp.zoo, sp.oo, sp.AccumBounds) or value.is_real is False:
        end = limit(expression.subs(variable, s), s, sp.S.Zero)
        if end in (sp.oo, -sp.oo):
            return Range(end, end, sp.S.Zero, sp.S.Zero)
        shown = "value" if end is None else end
        raise UndecidedError(
            f"{expression} is not defined at 0; write Piecewise(({shown}, Eq({variable}, 0)), (..., True))"
        )
    return Range(value, value, sp.S.Zero, sp.S.Zero)


def value_at_zero(expression: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """The value at 0, where Min(1, 1/0) is 1 as it is in floating point."""
    if not expression.has(sp.Min, sp.Max):
        return expression.subs(variable, 0)
    values = [value_at_zero(a, variable) for a in expression.args]
    if isinstance(expression, sp.Min | sp.Max):
        s = positive_symbol(expression)
        ends = [limit(a.subs(variable, s), s, sp.S.Zero) for a in expression.args]
        values = [e if v is sp.zoo and e is not None else v for v, e in zip(values, ends, strict=True)]
    return expression.func(*values)


def _value(body: sp.Expr, s: sp.Symbol, place: sp.Expr) -> sp.Expr:
    value = at(body, {s: place})
    if value.has(sp.nan, sp.zoo) or value.is_real is False:
        raise UndecidedError(f"{body} has no value at {place}")
    return value


def _engines(body: sp.Expr, s: sp.Symbol, end: float) -> Range:
    """The first answer; what each engine missed, if there is none."""
    reasons = []
    for find in _candidates(body, s, end):
        try:
            return find()
        except UndecidedError as error:
            reasons.append(str(error))
        except Exception as error:
            reasons.append(given_up(f"the range of {body}", error))
    raise UndecidedError("; ".join(dict.fromkeys(reasons)))


def _candidates(body: sp.Expr, s: sp.Symbol, end: float) -> Iterator[Callable[[], Range]]:
    def left() -> float:
        return end - deadline.thread_time()

    yield lambda: within(SHARE_EXACT * left(), f"the exact search for {body}", lambda: exact.extrema(body, s))
    if body.free_symbols - {s}:
        from pde2net.verify.ranges import smt

        yield lambda: within(left(), f"the proof by z3 for {body}", lambda: smt.enclose(body, s))
    else:
        from pde2net.verify.ranges import balls

        yield lambda: within(left(), f"ball arithmetic for {body}", lambda: balls.enclose(body, s))


def _placed(found: Range, move: Callable[[sp.Expr], sp.Expr]) -> Range:
    return replace(found, lower_at=move(found.lower_at), upper_at=move(found.upper_at))


def _hull(found: list[Range]) -> Range:
    """The range of a function that has these ranges on the parts of its domain."""
    low, high = found[0], found[0]
    for other in found[1:]:
        if other.lower != low.lower and exact.at_least(low.lower, other.lower):
            low = other
        if other.upper != high.upper and exact.at_least(other.upper, high.upper):
            high = other
    last = max((f.method for f in found), key=list(Method).index)
    return replace(low, upper=high.upper, upper_at=high.upper_at, upper_tight=high.upper_tight, method=last)
