"""Extrema over several variables: one by one where a function is monotone, else by parts of a box."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import sympy as sp

from pde2net.language.bounds import LINE, within
from pde2net.verify.ranges.algebra import rearranged
from pde2net.verify.ranges.boxes import supremum
from pde2net.verify.ranges.exact import limit
from pde2net.verify.ranges.record import UndecidedError
from pde2net.verify.ranges.record import within as within_time

ENTIRE = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.asinh, sp.atan, sp.erf)
SECONDS = 5.0  # of processor time, that only unusual functions take
SAMPLES = (0.001, 0.07, 0.6, 1.7, 13.0, 2000.0)
_P = sp.Dummy("p", positive=True)
Ask = Callable[[sp.Expr, sp.Symbol], tuple[sp.Expr, sp.Expr]]


@dataclass(frozen=True)
class Domain:
    """Where one variable lies: from lower to upper, which may be infinite; without 0, an end, if `open`."""

    lower: sp.Expr
    upper: sp.Expr
    open: bool = False

    @property
    def line(self) -> bool:
        return (self.lower, self.upper) == (-sp.oo, sp.oo)

    def places(self, name: str) -> Iterator[sp.Expr]:
        """The variable as functions of a number p >= 0 (p > 0 from an open end) that together reach all of
        the domain."""
        for end, towards, sign in ((self.lower, self.upper, 1), (self.upper, self.lower, -1)):
            if end.is_finite:
                known = {"positive": True} if self.open and end == 0 else {"nonnegative": True}
                p = sp.Symbol(f"|{name}|", **known)
                yield (end + towards * p) / (1 + p) if towards.is_finite else end + sign * p

    def inside(self, p: sp.Symbol) -> sp.Expr:
        """The variable as a function of p > 0 that reaches all of the inside of the domain."""
        place = next(self.places(p.name))
        return place.xreplace(dict.fromkeys(place.free_symbols, p))


def domain(variable: sp.Symbol, interval: tuple[sp.Expr, sp.Expr] | None) -> Domain:
    """Where a variable lies, by its interval, if it has one, and its sign."""
    lower, upper = within(interval or LINE, variable)
    return Domain(lower, upper, open=bool(variable.is_nonzero) and sp.S.Zero in (lower, upper))


def extrema(expression: sp.Expr, domains: Mapping[sp.Symbol, Domain], ask: Ask) -> tuple[sp.Expr, sp.Expr]:
    """(inf, sup) of an expression over a box, or bounds of them.

    Where its derivative in a variable has one sign on the inside of the box, which is enough for a continuous
    function, the values or limits at both ends of the variable take its place. `ask` bounds what is left of
    one variable, as a function of p >= 0. Where several are left, parts of the box are bounded (boxes.py), of
    functions without parameters. Raises UndecidedError for functions that are not smooth on all of the box,
    and where that shows no bound.
    """
    for v, own in domains.items():
        if own.line:
            half = {**domains, v: Domain(sp.S.Zero, sp.oo)}
            mirrored = expression.xreplace({v: -v})
            both = [expression] if sp.expand(mirrored - expression) == 0 else [expression, mirrored]
            found = [extrema(e, half, ask) for e in both]
            return sp.Min(*(low for low, _ in found)), sp.Max(*(high for _, high in found))
    require_smooth(expression, domains)
    low, high = (_bound(expression, domains, sign, ask) for sign in (-1, 1))
    _crosschecked(expression, domains, low, high)
    return low, high


def _crosschecked(
    expression: sp.Expr, domains: Mapping[sp.Symbol, Domain], lower: sp.Expr, upper: sp.Expr
) -> None:
    """Raise UndecidedError if a value inside of the box lies outside of the bounds; samples never prove."""
    names = sorted({s for e in (expression, lower, upper) for s in e.free_symbols} - set(domains), key=str)
    values = {s: sp.Rational(3 + 2 * i, 4) * (-1 if s.is_nonpositive else 1) for i, s in enumerate(names)}
    low, high = (float(e.subs(values)) for e in (lower, upper))
    used = [v for v in domains if v in expression.free_symbols]
    function = sp.lambdify(used, expression.subs(values), "mpmath")
    for numbers in itertools.product(SAMPLES, repeat=len(used)):
        pairs = zip(used, numbers, strict=True)
        value = function(*(float(domains[v].inside(_P).subs(_P, number)) for v, number in pairs))
        slack = 1e-9 * (1 + abs(value))
        if not low - slack <= value <= high + slack:
            raise UndecidedError(f"a sample contradicts the range found for {expression}")


def _bound(expression: sp.Expr, domains: Mapping[sp.Symbol, Domain], sign: int, ask: Ask) -> sp.Expr:
    """The supremum or infimum, or a bound of it by branch and bound where it lies inside of the box."""
    try:
        return _end(expression, domains, sign, ask)
    except UndecidedError as error:
        try:
            ends = {v: (own.lower, own.upper) for v, own in domains.items()}
            return sign * within_time(
                SECONDS, f"the range of {expression}", lambda: supremum(sign * expression, ends)
            )
        except UndecidedError:
            raise error from None


def _end(form: sp.Expr, domains: Mapping[sp.Symbol, Domain], sign: int, ask: Ask) -> sp.Expr:
    """The supremum (sign 1) or infimum (-1) over the inside of a box."""
    left = [v for v in domains if v in form.free_symbols]
    if not left:
        return form
    if len(left) == 1:
        (v,) = left
        p = sp.Symbol(f"|{v}|", nonnegative=True)
        return ask(form.xreplace({v: domains[v].inside(p)}), p)[sign > 0]
    for v in left:
        direction = _direction(form, v, domains)
        if direction is None:
            continue
        at = _at_end(form, v, domains, domains[v].upper if direction * sign > 0 else domains[v].lower)
        if at is not None:
            return _end(at, domains, sign, ask)
    names = ", ".join(map(str, left))
    raise UndecidedError(f"{form} is not known to be monotone in any of {names}, so its range is not known")


def _direction(form: sp.Expr, v: sp.Symbol, domains: Mapping[sp.Symbol, Domain]) -> int | None:
    """1 if the function does not fall in a variable, -1 if it does not rise; None if neither is known."""
    numbers = {w: own.inside(sp.Symbol(f"|{w}|", positive=True)) for w, own in domains.items()}
    try:
        slope = rearranged(sp.diff(form, v), sp.together, sp.factor)
        slope = rearranged(slope.xreplace(numbers), sp.together, sp.factor)
    except UndecidedError:  # too large
        return None
    if slope.is_nonnegative:
        return 1
    return -1 if slope.is_nonpositive else None


def _at_end(form: sp.Expr, v: sp.Symbol, domains: Mapping[sp.Symbol, Domain], end: sp.Expr) -> sp.Expr | None:
    """The value, or the limit, of a function where a variable reaches an end of its domain."""
    if end.is_finite and not (domains[v].open and end == 0):
        found: sp.Expr | None = form.subs(v, end)
        return None if found is None or found.has(sp.nan, sp.zoo, sp.oo, -sp.oo) else found
    p = sp.Symbol(f"|{v}|", positive=True)
    signs = {w: _signed(w, own) for w, own in domains.items() if w != v}
    from_right = end == (sp.oo if end.is_infinite else domains[v].lower)
    moved = form.xreplace({**signs, v: p if from_right else -p})
    found = limit(moved, p, sp.oo if end.is_infinite else sp.S.Zero)
    if found is None or (found.has(sp.oo, -sp.oo) and not found.is_infinite):
        return None
    return found.xreplace({s: w for w, s in signs.items()})


def _signed(v: sp.Symbol, own: Domain) -> sp.Symbol:
    """A variable with the sign that it has on the inside of its domain."""
    known = {"positive": own.lower.is_nonnegative, "negative": own.upper.is_nonpositive, "real": True}
    return sp.Symbol(v.name, **{key: True for key, holds in known.items() if holds})


def require_smooth(expression: sp.Expr, domains: Mapping[sp.Symbol, Domain]) -> None:
    """Raise UndecidedError unless the expression is smooth, without poles, on all of the closed box."""
    for part in sp.preorder_traversal(expression):
        if not isinstance(part, sp.Expr) or part.is_Atom or part.is_Add or part.is_Mul:
            continue
        if isinstance(part, ENTIRE):
            continue
        if part.is_Pow and part.exp.is_Integer and part.exp > 0:
            continue
        if part.is_Pow and part.exp.is_Rational:
            argument = part.base
        elif isinstance(part, sp.log):
            argument = part.args[0]
        else:
            raise UndecidedError(f"{part} is not known to be smooth")
        signs = {_sign(place) for place in _placed(argument, domains)}
        if signs not in ({1}, {-1}) or (signs == {-1} and not (part.is_Pow and part.exp.is_Integer)):
            raise UndecidedError(f"{part} may have no value, or no slope, where {argument} is 0")


def _placed(argument: sp.Expr, domains: Mapping[sp.Symbol, Domain]) -> Iterator[sp.Expr]:
    used = [v for v in domains if v in argument.free_symbols]
    for chosen in itertools.product(*(domains[v].places(f"{v}") for v in used)):
        yield argument.xreplace(dict(zip(used, chosen, strict=True)))


def _sign(argument: sp.Expr) -> int | None:
    found = rearranged(argument, sp.together, sp.factor)
    return 1 if found.is_positive else -1 if found.is_negative else None
