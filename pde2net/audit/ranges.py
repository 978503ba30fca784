"""Ranges of functions without parameters, by ball arithmetic and, against it, by sampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import sympy as sp

from pde2net.audit.exactly import NoOpinionError, Number, number
from pde2net.errors import RecheckError
from pde2net.verify.ranges import UndecidedError, require_continuous
from pde2net.verify.ranges.balls import enclose
from pde2net.verify.ranges.half_line import value_at_zero
from pde2net.verify.ranges.pieces import KINKS, Piece, pieces

_S = sp.Dummy("s", positive=True)
_SAMPLES = np.concatenate([[0.0], np.geomspace(1e-12, 1e12, 241), np.linspace(0.05, 20, 400)])
BESIDE = sp.Rational(1, 10**70)
FEW = 8  # samples outside that are looked at exactly
ROUNDING = 1e-9  # of samples, relative to the size of the function


@dataclass(frozen=True)
class Enclosure:
    """lower <= f <= upper; each bound is off by at most `slack`, of a function of size `size`."""

    lower: Number
    upper: Number
    slack: float
    size: float


@cache
def ball_range(expression: sp.Expr, variable: sp.Symbol) -> Enclosure:
    """Bounds of a function of one variable over [0, oo)."""
    body = expression.subs(variable, _S)
    parts = [_enclosed([p.on_half_line(_S)]) for p in pieces(body, _S)]
    if expression.has(*KINKS):
        places = [body.subs(_S, p.start) for p in pieces(body, _S)[1:]]
        parts += [_constant(v) for v in (*places, value_at_zero(expression, variable))]
    return _confirmed(_hull(parts), expression, variable)


@cache
def slope_range(diffusivity: sp.Expr, variable: sp.Symbol) -> Enclosure:
    """Bounds of Phi'(q), Phi(q) = g(q²) q, over q² in [0, oo)."""
    body = diffusivity.subs(variable, _S)
    require_continuous(body, _S, None)
    hull = _hull([_enclosed(_slopes(piece)) for piece in pieces(body, _S)])
    return _confirmed(hull, slope(diffusivity, variable), variable)


def slope(diffusivity: sp.Expr, variable: sp.Symbol) -> sp.Expr:
    """Phi' as a function of variable = q²."""
    return diffusivity + 2 * variable * sp.diff(diffusivity, variable)


def _slopes(piece: Piece) -> list[sp.Expr]:
    """The slope as a function of q, and for where that is hard to bound as g + 2 s2 g'."""
    flux = sp.powdenest(_S * piece.body.subs(_S, _S**2), force=True)
    ways = [sp.diff(sp.expand(flux), _S).subs(_S, sp.sqrt(_S)), slope(piece.body, _S)]
    if piece.start == 0 and piece.end == sp.oo:
        return ways
    return [sp.together(w.subs(_S, piece.place(_S))) for w in ways]


def _enclosed(ways: list[sp.Expr]) -> Enclosure:
    """Bounds of one function, by the first of several forms of it that works."""
    for form in ways:
        if _S not in form.free_symbols:
            return _constant(form)
        try:
            found = enclose(form, _S)
        except UndecidedError:
            continue
        lower, upper = number(found.lower), number(found.upper)
        ends = ((lower, found.lower_at, found.lower_tight), (upper, found.upper_at, found.upper_tight))
        gaps = [0.0 if tight else _gap(form, bound, at) for bound, at, tight in ends]
        return Enclosure(lower, upper, max(gaps), float(max(abs(lower), abs(upper))))
    raise UndecidedError(f"{ways[0]} could not be bounded")


def _gap(form: sp.Expr, bound: Number, place: sp.Expr) -> float:
    """How far from a bound a value of the function is known."""
    value = value_near(form, _S, place)
    return float("inf") if value is None else float(abs(bound - value))


def value_near(function: sp.Expr, variable: sp.Symbol, place: sp.Expr) -> Number | None:
    """The function at a finite place; where it has no value there, its limit from the right."""
    if not place.is_finite:
        return None
    for near in (place, place + BESIDE):
        try:
            return number(function.subs(variable, near).doit())
        except (NoOpinionError, ValueError):  # nan, or Min(1, 1/0)
            continue
    return None


def _constant(value: sp.Expr) -> Enclosure:
    exact = number(value)
    return Enclosure(exact, exact, 0.0, float(abs(exact)))


def _hull(parts: list[Enclosure]) -> Enclosure:
    return Enclosure(
        min(p.lower for p in parts),
        max(p.upper for p in parts),
        max(p.slack for p in parts),
        max(p.size for p in parts),
    )


def _confirmed(found: Enclosure, function: sp.Expr, variable: sp.Symbol) -> Enclosure:
    """Samples may not lie outside: balls are shared with the first verifier, floats are not."""
    outside = outliers(function, variable, float(found.lower), float(found.upper))
    if outside is not None:
        raise RecheckError(f"{function} takes the value {outside}, outside of its enclosure")
    return found


def outliers(function: sp.Expr, variable: sp.Symbol, lower: float, upper: float) -> float | None:
    """A sampled value outside of [lower, upper], beyond rounding: found in floats, confirmed in 80 digits."""
    with np.errstate(all="ignore"):
        try:
            values = sp.lambdify(variable, function, "numpy")(_SAMPLES) + 0 * _SAMPLES
        except (TypeError, ValueError, NameError, NotImplementedError, ZeroDivisionError, AttributeError):
            return None  # a function that NumPy lacks, or pieces without a condition
        values = np.real_if_close(values)
    if np.iscomplexobj(values):
        return None
    finite = np.isfinite(values)
    usual = float(np.median(abs(values[finite]))) if finite.any() else 0.0
    slack = ROUNDING * max(abs(lower), abs(upper), usual)
    places = _SAMPLES[finite & ((values < lower - slack) | (values > upper + slack))]
    for place in places[:FEW]:
        value = value_near(function, variable, sp.Rational(float(place)))
        if value is not None and not lower - slack <= value <= upper + slack:
            return float(value)
    return None
