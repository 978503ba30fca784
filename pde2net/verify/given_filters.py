"""Claims about learned operators whose filters are given and not trained: their norms are numbers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy as sp
from flint import arb

from pde2net.discretise.filters import shaped
from pde2net.discretise.semidiscretise import Semidiscrete
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.symbols import per_filter
from pde2net.verify.bounds import Bounds
from pde2net.verify.certificate import Discharged
from pde2net.verify.facts import Facts
from pde2net.verify.norms import FilterNorm
from pde2net.verify.ranges.evaluate import number
from pde2net.verify.ranges.intervals import Interval
from pde2net.verify.sampled_norms import Inexact, enclosed

GIVEN = "norms of given filters"
HOW = "samples of the symbol, with all rounding bounded (Ehlich, Zeller 1964)"
DIGITS = 7


def with_given_filters(facts: Facts, semi: Semidiscrete, trained: Collection[str]) -> Facts:
    """Facts with numbers in place of norms whose filters, and scales, have values that are not trained.

    They are upper bounds, in which the bounds of the facts ascend.
    """
    known = {}
    for symbol, norm in facts.filter_norms.items():
        used = {k.name for k in norm.chain.operators} | {s.name for s in norm.scale.free_symbols}
        if used <= _valued(semi).difference(trained):
            upper = _enclosed(semi, norm).hi
            if upper.is_finite():
                known[symbol] = _above(upper)
    if not known:
        return facts

    def valued(bound: sp.Expr | None) -> sp.Expr | None:
        return None if bound is None else bound.subs(known)

    curvature = facts.curvature and Bounds(
        *(e.subs(known) for e in (facts.curvature.lower, facts.curvature.upper))
    )
    held = Discharged(
        GIVEN, ", ".join(f"{s} <= {float(v):.7g}" for s, v in known.items()), HOW, _named(known)
    )
    return replace(
        facts,
        norm=valued(facts.norm),
        slope_norm=valued(facts.slope_norm),
        curvature=curvature,
        filter_norms={s: n for s, n in facts.filter_norms.items() if s not in known},
        given_norms=(held,),
    )


def _named(known: Mapping[sp.Symbol, sp.Rational]) -> dict[str, sp.Expr]:
    return {str(symbol): value for symbol, value in known.items()}


def _valued(semi: Semidiscrete) -> set[str]:
    problem = semi.form.problem
    return set(problem.arrays) | {s.name for s in problem.parameters}


def _enclosed(semi: Semidiscrete, norm: FilterNorm) -> Interval:
    found: Inexact | None = None
    *inner, last = norm.chain.operators
    for operator in inner:
        filters = Inexact.of(exact_filters(semi, operator))
        found = filters if found is None else filters.after(found)
    filters = Inexact.of(exact_filters(semi, last))
    if norm.scale != 1:
        filters = filters.scaled(_roots(semi, norm.scale, last))
    return enclosed(filters if found is None else filters.after(found))


def exact_filters(
    semi: Semidiscrete, operator: LinearOperator
) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    """The filters that the network applies, as fractions.

    They are of the values that are given, parities and means kept.
    """
    problem = semi.form.problem
    array = problem.arrays[operator.name]
    entries = np.array([Fraction(int(e.p), int(e.q)) for e in array.entries], dtype=object)
    inner, own = semi.parities[operator]
    found: np.ndarray[tuple[int, ...], np.dtype[np.object_]] = shaped(
        entries.reshape(array.shape), own, inner, operator.zero_mean
    )
    return found


def _roots(semi: Semidiscrete, scale: sp.Expr, operator: LinearOperator) -> list[Interval]:
    """Square roots of the scale of each filter."""
    problem = semi.form.problem
    own = sorted(per_filter(scale), key=str)
    columns = {s: problem.arrays[s.name].entries for s in own}
    plain = {s: v for s, v in problem.parameters.items() if s in scale.free_symbols}
    rows = ({**plain, **{s: columns[s][k] for s in own}} for k in range(operator.out_channels))
    return [number(sp.sqrt(scale.subs(row))) for row in rows]


def _above(end: arb) -> sp.Rational:
    """A number with few digits that is not less, and positive."""
    value = max(float(end.mid()), 1e-300)
    unit = Fraction(10) ** (math.floor(math.log10(value)) + 1 - DIGITS)
    found = (math.floor(Fraction(value) / unit) + 1) * unit
    return sp.Rational(found.numerator, found.denominator)
