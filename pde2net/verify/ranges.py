"""Exact infimum and supremum of a function of one variable over the half-line [0, oo).

Only what can be decided is answered: the derivative must factor into terms whose signs are known
(polynomials by their roots or coefficients, exponentials, powers of positive expressions). Anything
else is `UndecidedError`, never a guess. Parameters are scaled out first, other parameters are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sympy as sp


class UndecidedError(Exception):
    """The range could not be decided; the message says why."""


@dataclass(frozen=True)
class Range:
    """inf and sup (either may be infinite), and where they are attained or approached (0 .. oo)."""

    lower: sp.Expr
    upper: sp.Expr
    lower_at: sp.Expr
    upper_at: sp.Expr


def half_line(expression: sp.Expr, variable: sp.Symbol) -> Range:
    """The range of `expression` over variable in [0, oo). Raises UndecidedError."""
    return _with_numbers(expression, lambda e: _half_line(e, variable))


def flux_slope(diffusivity: sp.Expr, variable: sp.Symbol) -> Range:
    """The range of Phi'(s) = g(s^2) + 2 s^2 g'(s^2), in terms of variable = s^2. Raises UndecidedError."""
    return _with_numbers(diffusivity, lambda g: _half_line(g + 2 * variable * sp.diff(g, variable), variable))


def _with_numbers(expression: sp.Expr, find: Callable[[sp.Expr], Range]) -> Range:
    _require_small(expression)
    expression, numbers = _abstracted(expression)
    try:
        found = find(expression)
    except UndecidedError:
        raise
    except Exception as error:
        # SymPy gives up in many ways; none of them may become an answer, or a traceback.
        kind = type(error).__name__
        raise UndecidedError(f"the range of {expression} could not be computed ({kind})") from error
    values = (found.lower, found.upper, found.lower_at, found.upper_at)
    return Range(*(v.xreplace(numbers) for v in values))


def _require_small(expression: sp.Expr) -> None:
    """Bound the time: the algebra below is for expressions that a person would write."""
    powers = [p.exp for p in expression.atoms(sp.Pow) if p.exp.is_Rational]
    if sp.count_ops(expression) > 120 or any(abs(e.p) > 40 or e.q > 40 for e in powers):
        raise UndecidedError(f"{expression} is too large for the exact search")


def _abstracted(expression: sp.Expr) -> tuple[sp.Expr, dict[sp.Symbol, sp.Expr]]:
    """Replace long rationals inside exponentials by positive symbols, and the table back.

    As coefficients they are harmless, but an exponential exp(p/q x) is a p-th power of exp(x/q).
    """
    numbers: dict[sp.Symbol, sp.Expr] = {}
    for exponential in sorted(expression.atoms(sp.exp), key=str):
        for number in sorted(exponential.atoms(sp.Rational), key=str):
            if max(abs(number.p), number.q) > 20 and number not in numbers.values():
                symbol = sp.Dummy(f"number{len(numbers)}", positive=True)
                numbers[symbol] = abs(number)
    table = {abs(v): k for k, v in numbers.items()} | {-abs(v): -k for k, v in numbers.items()}
    return expression.xreplace(table), numbers


def _half_line(expression: sp.Expr, variable: sp.Symbol) -> Range:
    s = sp.Symbol("s", positive=True)
    body = expression.subs(variable, s) if not expression.has(sp.Piecewise) else expression
    extra: list[tuple[sp.Expr, sp.Expr]] = []
    if expression.has(sp.Piecewise):
        body, at_zero = _continued(expression, variable, s)
        extra = [(at_zero, sp.S.Zero)]
    if s not in body.free_symbols:
        values = [(body, sp.S.Zero), *extra]
        return _extremes(values)
    _require_regular(body, s)
    scale, body = scaled(body, s)
    factor, core = body.as_independent(s, as_Add=False)
    offset, core = core.as_independent(s, as_Add=True)
    found = [(factor * (v + offset), p * scale) for v, p in _candidates(core, s)]
    result = _extremes(found + extra)
    _crosscheck(expression, variable, result)
    return result


def _continued(expression: sp.Expr, variable: sp.Symbol, s: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """An expression with Piecewise branches that differ at 0 only: (on (0, oo), value at 0)."""
    body = sp.piecewise_fold(expression.subs(variable, s))
    if body.has(sp.Piecewise):
        raise UndecidedError("piecewise expressions are decided only if their pieces meet at 0")
    at_zero = expression.subs(variable, 0)
    if at_zero.has(sp.nan, sp.zoo):
        raise UndecidedError(f"{expression} is not defined at 0")
    return body, at_zero


_SCALINGS = (2, 1, -2, -1, 4, *(sp.Rational(1, k) for k in (2, 3, 4)))


def scaled(body: sp.Expr, s: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """(c, body(c s)) with positive parameters removed from the inside where a scaling can."""
    total: sp.Expr = sp.S.One
    for parameter in sorted(body.free_symbols - {s}, key=lambda p: p.name):
        if not parameter.is_positive:
            continue
        for power in _SCALINGS:
            trial = sp.powsimp(sp.simplify(body.subs(s, parameter**power * s)))
            if parameter not in trial.as_independent(s, as_Add=False)[1].free_symbols:
                total *= parameter**power
                body = trial
                break
    return total, body


def _candidates(core: sp.Expr, s: sp.Symbol) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """(value, place) at both ends and at every critical point of a function that is regular inside."""
    _require_regular(core, s)
    slope = sp.factor(sp.together(sp.powsimp(sp.diff(core, s))))
    for root in _positive_roots(slope, s):
        yield sp.simplify(core.subs(s, root)), root
    for place, side in ((sp.S.Zero, "+"), (sp.oo, "-")):
        value = sp.limit(core, s, place, side)
        if not isinstance(value, sp.Expr) or value.has(sp.Limit, sp.AccumBounds, sp.nan):
            raise UndecidedError(f"the limit of {core} at {place} could not be found")
        yield value, place


def _require_regular(expression: sp.Expr, s: sp.Symbol) -> None:
    """Continuously differentiable on (0, oo): every base of a power that needs it is positive."""
    for node in sp.preorder_traversal(expression):
        if s not in node.free_symbols or node == s or node.is_Add or node.is_Mul:
            continue
        if isinstance(node, sp.exp):
            continue
        if node.is_Pow and node.exp.free_symbols.isdisjoint({s}):
            if node.exp.is_Integer and node.exp.is_nonnegative:
                continue
            if node.exp.is_real and sign_on_half_line(node.base, s) == 1:
                continue
            raise UndecidedError(f"{node.base} is not known to be positive on (0, oo)")
        if node.is_Pow and node.base == sp.E:
            continue
        raise UndecidedError(
            f"the function {node.func.__name__}({', '.join(map(str, node.args))})"
            " is outside of what is decided here"
        )


def sign_on_half_line(expression: sp.Expr, s: sp.Symbol) -> int | None:
    """1 or -1 if `expression` has that sign on all of (0, oo), else None."""
    if s not in expression.free_symbols:
        return 1 if expression.is_positive else -1 if expression.is_negative else None
    if isinstance(expression, sp.exp) or (expression.is_Pow and expression.base == sp.E):
        return 1
    if expression.is_Mul:
        signs = [sign_on_half_line(a, s) for a in expression.args]
        return None if None in signs else int(sp.prod(x for x in signs if x is not None))
    if expression.is_Pow and s not in expression.exp.free_symbols:
        base = sign_on_half_line(expression.base, s)
        if base == 1:
            return 1
        return base ** int(expression.exp) if base and expression.exp.is_Integer else None
    try:
        polynomial = sp.Poly(expression, s)
    except sp.PolynomialError:
        summands = {sign_on_half_line(a, s) for a in sp.Add.make_args(expression)}
        return summands.pop() if expression.is_Add and len(summands) == 1 else None
    if s in polynomial.free_symbols_in_domain:
        return None
    coefficients = [c for c in polynomial.all_coeffs() if c != 0]
    if all(c.is_positive for c in coefficients):
        return 1
    if all(c.is_negative for c in coefficients):
        return -1
    if polynomial.domain.is_Exact and all(c.is_Rational for c in coefficients):
        if any(r > 0 for r in polynomial.real_roots()):
            return None
        return 1 if polynomial.eval(1) > 0 else -1
    return None


def _positive_roots(slope: sp.Expr, s: sp.Symbol) -> list[sp.Expr]:
    """All zeros in (0, oo) of a product of factors; UndecidedError if a factor cannot be read."""
    roots: set[sp.Expr] = set()
    for factor in sp.Mul.make_args(slope):
        if s not in factor.free_symbols or sign_on_half_line(factor, s) is not None:
            continue
        base = factor.base if factor.is_Pow and factor.exp.is_positive else factor
        if s in getattr(factor, "exp", sp.S.Zero).free_symbols and factor.is_Pow:
            raise UndecidedError(f"the sign of {factor} is not known")
        try:
            polynomial = sp.Poly(base, s)
        except sp.PolynomialError:
            raise UndecidedError(f"the zeros of the derivative, of {base}, could not be found") from None
        if s in polynomial.free_symbols_in_domain or not all(c.is_Rational for c in polynomial.all_coeffs()):
            raise UndecidedError(f"the zeros of the derivative depend on parameters: {base}")
        roots |= {r for r in polynomial.real_roots() if r > 0}
    return sorted(roots, key=float)


def _extremes(values: list[tuple[sp.Expr, sp.Expr]]) -> Range:
    """Smallest and largest value by exact comparison; UndecidedError if two cannot be compared."""
    low = high = values[0]
    for entry in values[1:]:
        if _at_least(low[0], entry[0]):
            low = entry if not _at_least(entry[0], low[0]) else low
        if _at_least(entry[0], high[0]):
            high = entry if not _at_least(high[0], entry[0]) else high
    return Range(low[0], high[0], low[1], high[1])


def _at_least(a: sp.Expr, b: sp.Expr) -> bool:
    if a == b:
        return True
    if a == sp.oo or b == -sp.oo:
        return True
    if a == -sp.oo or b == sp.oo:
        return False
    difference = a - b
    answer = difference.is_nonnegative
    if answer is None:
        answer = sp.simplify(difference).is_nonnegative
    if answer is None:
        raise UndecidedError(f"{a} and {b} cannot be compared; add assumptions on their symbols")
    return bool(answer)


def _crosscheck(expression: sp.Expr, variable: sp.Symbol, result: Range) -> None:
    """Sample the function once more: a value outside of the range means that the proof is not one."""
    names = sorted((expression.free_symbols | result.upper.free_symbols) - {variable}, key=str)
    sample = {p: sp.Rational(3 + 2 * i, 4) for i, p in enumerate(names)}
    function = sp.lambdify(variable, expression.subs(sample), "mpmath")
    lower, upper = result.lower.subs(sample), result.upper.subs(sample)
    for k in range(-24, 25):
        point = sp.Rational(7, 4) ** k
        value = sp.Float(str(function(sp.Float(point, 30))), 15)
        slack = sp.Float("1e-9") * (1 + abs(value))
        if value > upper + slack or value < lower - slack:
            raise UndecidedError(f"a sample at {variable} = {float(point):.3g} contradicts the range found")
