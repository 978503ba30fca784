"""The ranges of a certificate, checked by balls and samples; later figures rest on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sympy as sp

from pde2net.audit.exactly import NoOpinionError, Number, as_far_as_known, at_most, number, same
from pde2net.audit.ranges import BESIDE, Enclosure, ball_range, outliers, slope, slope_range, value_near
from pde2net.verify.bounds import FLUX_SLOPE, Answer
from pde2net.verify.ranges import Method, UndecidedError

Pair = tuple[Number, Number]
Values = Mapping[sp.Symbol, sp.Expr]
_V = sp.Dummy("v", positive=True)
_BENT = (sp.Heaviside, sp.Piecewise, sp.sign)
CLOSE = 1e-12  # of two enclosures, relative to the size of the function
WIDE = 3e-6  # of bounds that are not attained


@dataclass(frozen=True)
class Rows:
    """Answers by the function they are about, at `values` for parameters and spacing."""

    answers: Sequence[Answer]
    values: Values

    def range(self, quantity: str, function: sp.Expr, variable: sp.Symbol) -> Pair:
        """The bounds stated for a function. Raises NoOpinionError where the certificate has none."""
        answer = self.find(quantity, function, variable)
        if variable not in function.free_symbols:
            both = number(function.subs(self.values))
            return both, both
        if answer is None:
            raise NoOpinionError(f"the range of {function} is not stated")
        return self.bounds(answer)

    def find(self, quantity: str, function: sp.Expr, variable: sp.Symbol) -> Answer | None:
        """The answer about a function."""
        wanted = function.xreplace({variable: _V})
        near = [a for a in self.answers if a.quantity == quantity]
        own = [(a, a.function.xreplace({a.variable: _V})) for a in near]
        same_text = next((a for a, stated in own if stated == wanted), None)
        return same_text or next((a for a, stated in own if sp.simplify(stated - wanted) == 0), None)

    def bounds(self, answer: Answer) -> Pair:
        found = answer.found
        if not (found.lower.is_finite and found.upper.is_finite):
            raise NoOpinionError(f"{answer.function} is not bounded")
        return number(found.lower.subs(self.values)), number(found.upper.subs(self.values))


def disagreements(answers: Sequence[Answer], values: Values, thorough: bool) -> Iterator[str]:
    """What is wrong with the stated ranges at these values: by balls if `thorough`, else by samples."""
    for answer in answers:
        with as_far_as_known():
            yield from _wrong(answer, values, thorough)


def _wrong(answer: Answer, values: Values, thorough: bool) -> Iterator[str]:
    found, v = answer.found, answer.variable
    form = answer.function.subs(values)
    function = slope(form, v) if answer.quantity == FLUX_SLOPE else form
    if found.method == Method.EXACT and not (found.lower_tight and found.upper_tight):
        yield f"The exact range of {answer.function} is not said to be attained."
    lower, upper = (number(b.subs(values)) for b in (found.lower, found.upper))
    outside = outliers(function, v, float(lower), float(upper))
    if outside is not None:
        yield f"{answer.function} takes the value {outside:.6g}, outside of [{found.lower}, {found.upper}]."
    elif thorough:
        yield from _compared(answer, form, function, lower, upper, values)


def _compared(
    answer: Answer, form: sp.Expr, function: sp.Expr, lower: Number, upper: Number, values: Values
) -> Iterator[str]:
    found, v = answer.found, answer.variable
    try:
        again: Enclosure | None = (slope_range if answer.quantity == FLUX_SLOPE else ball_range)(form, v)
    except UndecidedError:
        if found.lower.is_finite and found.upper.is_finite:
            raise
        again = None
    if again is not None and not math.isfinite(again.size):
        again = None  # an unbounded function, on which nothing can rest
    if again is None:
        if found.lower.is_finite and found.upper.is_finite:
            yield f"{answer.function} is not bounded."
        for end, stated in (("lower", lower), ("upper", upper)):
            place = getattr(found, f"{end}_at").subs(values)
            value = _limit(function.subs(v, _V), place) if getattr(found, f"{end}_tight") else None
            if value is not None and not same(value, stated):
                yield f"{answer.function} is not {getattr(found, end)} at {v} = {place}."
        return
    for end, stated, here, sign in (("lower", lower, again.lower, -1), ("upper", upper, again.upper, 1)):
        bound, tight = getattr(found, end), getattr(found, f"{end}_tight")
        if not _close(sign * (stated - here), again, tight) or not _sign_holds(
            stated, here, sign, function, v
        ):
            yield f"The {end} bound {bound} of {answer.function} should be {float(here):.15g}."
            continue
        place = getattr(found, f"{end}_at").subs(values)
        if tight and _attained(function, v, place, stated, bound, again) is False:
            yield f"The {end} bound {bound} of {answer.function} is not attained at {v} = {place}."


def _close(outside: Number, again: Enclosure, tight: bool) -> bool:
    """Whether a bound lies not within the enclosure, nor outside of it by more than it may."""
    most = WIDE * again.size
    slack = min(max(CLOSE * again.size, 2 * again.slack), most)
    return bool(-slack <= outside <= (slack if tight else most))


def _sign_holds(stated: Number, here: Number, sign: int, function: sp.Expr, v: sp.Symbol) -> bool:
    """A bound that is 0 decides on signs: rounding may not hide values beyond it."""
    if stated != 0 or at_most(sign * here, sign * stated):
        return True
    top, bottom = sp.fraction(sp.together(function))
    if not (top.is_polynomial(v) and bottom.is_polynomial(v)):
        return True
    return all(_one_sign(p, v) for p in (top, bottom)) and bool(function.subs(v, 1) * sign <= 0)


def _one_sign(polynomial: sp.Expr, v: sp.Symbol) -> bool:
    """No change of sign on (0, oo), by Sturm's theorem."""
    factors = sp.Poly(polynomial, v).sqf_list()[1] if polynomial.has(v) else []
    return all(k % 2 == 0 or p.count_roots(0) == int(p.eval(0) == 0) for p, k in factors)


def _attained(
    function: sp.Expr, v: sp.Symbol, place: sp.Expr, stated: Number, bound: sp.Expr, again: Enclosure
) -> bool | None:
    """Whether the function has (or tends to) the stated value there; None where that is not known."""
    if place.is_finite:  # a kink has slopes on both sides
        sides = (place, place + BESIDE, place - BESIDE) if function.has(*_BENT) else (place,)
        values = [w for w in (value_near(function, v, p) for p in sides) if w is not None]
        value = min(values, key=lambda w: abs(w - stated), default=None)
    elif place == sp.oo:
        value = _limit(function.subs(v, _V), place)
    else:
        return None
    if value is None or same(value, stated, again.size * number(sp.S.One)):
        return None if value is None else True
    if bound.has(sp.Max, sp.Min):  # which place it is depends on parameters
        return None
    return False


def _limit(function: sp.Expr, place: sp.Expr) -> Number | None:
    """At a place or oo; None where SymPy does not find it, and balls must do."""
    try:
        limit = sp.limit(function, _V, place)
        return None if limit.has(sp.Limit, sp.AccumBounds, sp.nan) else number(limit)
    except Exception:  # SymPy gives up in many ways
        return None
