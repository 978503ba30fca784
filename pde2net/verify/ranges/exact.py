"""Exact infimum and supremum of a function of one variable over the half-line [0, oo).

Only what can be decided is answered: the derivative must factor into terms whose signs are known
(polynomials by their roots or coefficients, exponentials, powers of positive expressions). Anything
else is `UndecidedError`, never a guess. Parameters are scaled out first, other parameters are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from pde2net.verify.ranges.algebra import abstracted, require_small
from pde2net.verify.ranges.record import Range, UndecidedError

READABLE = 80  # operations
ODD = (sp.tanh, sp.sinh, sp.atan, sp.asinh, sp.erf)
ENTIRE = (sp.exp, sp.sin, sp.cos, sp.tanh, sp.sinh, sp.cosh, sp.atan, sp.asinh, sp.erf)


def extrema(body: sp.Expr, s: sp.Symbol) -> Range:
    """The range of a smooth expression over s in (0, oo), s a positive symbol. Raises UndecidedError."""
    require_small(body)
    body, numbers = abstracted(body)
    try:
        found = _extrema(body, s)
    except UndecidedError:
        found = _extrema(sp.together(body), s)
    return _extremes([(value.xreplace(numbers), place.xreplace(numbers)) for value, place in found])


def _extrema(body: sp.Expr, s: sp.Symbol) -> list[tuple[sp.Expr, sp.Expr]]:
    """Values, one of which is the smallest and one the largest, and where they are attained or approached."""
    if s not in body.free_symbols:
        return [(body, sp.S.Zero)]
    _require_regular(body, s)
    scale, scaled_body = scaled(body, s)
    factor, core = scaled_body.as_independent(s, as_Add=False)
    offset, core = core.as_independent(s, as_Add=True)
    return [(factor * (v + offset), p * scale) for v, p in _candidates(core, s)]


_SCALINGS = (2, 1, -2, -1, 4, *(sp.Rational(1, k) for k in (2, 3, 4)))


def scaled(body: sp.Expr, s: sp.Symbol) -> tuple[sp.Expr, sp.Expr]:
    """(c, body(c s)) with positive parameters removed from the inside where a scaling can."""
    total: sp.Expr = sp.S.One
    for parameter in sorted(body.free_symbols - {s}, key=lambda p: p.name):
        if not parameter.is_positive:
            continue
        for power in _SCALINGS:
            moved = body.subs(s, parameter**power * s)
            if not _may_separate(moved, parameter, s):
                continue
            trial = sp.powsimp(sp.simplify(_plain_conditions(moved)))
            if parameter not in trial.as_independent(s, as_Add=False)[1].free_symbols:
                total *= parameter**power
                body = trial
                break
    return total, body


def _may_separate(body: sp.Expr, parameter: sp.Symbol, s: sp.Symbol) -> bool:
    """False if body is no product of a function of the parameter and one of s, by samples; to save time."""
    rest = sorted(body.free_symbols - {parameter, s}, key=lambda p: p.name)
    fixed = {p: sp.Rational(5 + 2 * i, 7) * (-1 if p.is_nonpositive else 1) for i, p in enumerate(rest)}
    ratios = []
    for place in (sp.Rational(1, 3), sp.Integer(2)):
        values = [sp.N(body.subs({**fixed, s: place, parameter: p})) for p in (1, sp.Rational(3, 2))]
        if not all(v.is_Float and abs(v) > 1e-12 for v in values):
            return True
        ratios.append(values[0] / values[1])
    return bool(abs(ratios[0] - ratios[1]) <= 1e-9 * abs(ratios[0]))


def _plain_conditions(body: sp.Expr) -> sp.Expr:
    """The conditions of pieces without common positive factors: lambda^2 s <= 5 lambda^2 as s - 5 <= 0."""
    for condition in sorted(body.atoms(Relational), key=str):
        factors = sp.Mul.make_args(sp.factor(condition.lhs - condition.rhs))
        rest = sp.Mul(*(f for f in factors if not f.is_positive))
        body = body.xreplace({condition: condition.func(rest, 0)})
    return body


def _candidates(core: sp.Expr, s: sp.Symbol) -> Iterator[tuple[sp.Expr, sp.Expr]]:
    """(value, place) at both ends and at every critical point of a function that is regular inside."""
    _require_regular(core, s)
    slope = sp.factor(sp.together(sp.powsimp(sp.diff(core, s))))
    for root in positive_roots(slope, s):
        yield sp.simplify(core.subs(s, root)), root
    for place, side in ((sp.S.Zero, "+"), (sp.oo, "-")):
        value = limit(core, s, place, side)
        if value is None:
            raise UndecidedError(f"the limit of {core} at {place} could not be found")
        yield value, place


def _require_regular(expression: sp.Expr, s: sp.Symbol) -> None:
    """Continuously differentiable on (0, oo): every base of a power that needs it is positive."""
    for node in sp.preorder_traversal(expression):
        if s not in node.free_symbols or node == s or node.is_Add or node.is_Mul or isinstance(node, ENTIRE):
            continue
        if isinstance(node, sp.log) and sign_on_half_line(node.args[0], s) == 1:
            continue
        if node.is_Pow and node.exp.free_symbols.isdisjoint({s}):
            if node.exp.is_Integer and node.exp.is_nonnegative:
                continue
            if node.exp.is_real and sign_on_half_line(node.base, s) == 1:
                continue
            raise UndecidedError(f"{node.base} is not known to be positive on (0, oo)")
        raise UndecidedError(
            f"the function {node.func.__name__}({', '.join(map(str, node.args))})"
            " is outside of what is decided here"
        )


def sign_on_half_line(expression: sp.Expr, s: sp.Symbol) -> int | None:
    """1 or -1 if `expression` has that sign on all of (0, oo), else None."""
    if s not in expression.free_symbols:
        return 1 if expression.is_positive else -1 if expression.is_negative else None
    if isinstance(expression, sp.exp | sp.cosh):
        return 1
    if expression.is_Mul:
        signs = [sign_on_half_line(a, s) for a in expression.args]
        return None if None in signs else int(sp.prod(x for x in signs if x is not None))
    if expression.is_Pow and s not in expression.exp.free_symbols:
        base = sign_on_half_line(expression.base, s)
        if base == 1:
            return 1
        return base ** int(expression.exp) if base and expression.exp.is_Integer else None
    if isinstance(expression, ODD):
        return sign_on_half_line(expression.args[0], s)
    if isinstance(expression, sp.log):
        return sign_on_half_line(sp.expand(expression.args[0] - 1), s)
    # SymPy's Poly recurses without end on 1 + log(1 + s).
    if not expression.is_polynomial(s):
        if not expression.is_Add:
            return None
        summands = {sign_on_half_line(a, s) for a in expression.args}
        return summands.pop() if len(summands) == 1 else None
    polynomial = sp.Poly(expression, s)
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


def positive_roots(slope: sp.Expr, s: sp.Symbol) -> list[sp.Expr]:
    """All zeros in (0, oo) of a product of factors; UndecidedError if a factor cannot be read."""
    roots: set[sp.Expr] = set()
    for factor in sp.Mul.make_args(slope):
        if s not in factor.free_symbols or sign_on_half_line(factor, s) is not None:
            continue
        base = factor.base if factor.is_Pow and factor.exp.is_positive else factor
        if s in getattr(factor, "exp", sp.S.Zero).free_symbols and factor.is_Pow:
            raise UndecidedError(f"the sign of {factor} is not known")
        roots |= {r for r in _zeros(base, s) if _positive(r)}
    if any(sp.count_ops(r) > READABLE or r.has(sp.ComplexRootOf) for r in roots):
        # Exact, but nobody could read it: ball arithmetic gives decimals with a proof.
        raise UndecidedError("the critical points have no short formula")
    return sorted(roots, key=lambda r: (len(r.free_symbols), float(r) if r.is_number else 0.0, str(r)))


def _zeros(base: sp.Expr, s: sp.Symbol) -> list[sp.Expr]:
    """All real zeros of a polynomial, or of a + b f(c s + d) with f = exp or log."""
    if not base.is_polynomial(s):
        return _inverted(base, s)
    polynomial = sp.Poly(base, s)
    if all(c.is_Rational for c in polynomial.all_coeffs()):
        return list(polynomial.real_roots())
    if polynomial.degree() > 2:
        raise UndecidedError(f"the zeros of the derivative depend on parameters: {base}")
    return [r for r in sp.roots(polynomial) if r.is_real is not False]


def _inverted(base: sp.Expr, s: sp.Symbol) -> list[sp.Expr]:
    """The zero of a + b f(x), linear in one exponential or logarithm f of a linear x."""
    inside = [f for f in base.atoms(sp.exp, sp.log) if s in f.free_symbols]
    if len(inside) == 1:
        value = sp.Dummy("f", real=True)
        linear = base.xreplace({inside[0]: value})
        if s in linear.free_symbols or not (
            linear.is_polynomial(value) and inside[0].args[0].is_polynomial(s)
        ):
            raise UndecidedError(f"the zeros of the derivative, of {base}, could not be found")
        outer, argument = sp.Poly(linear, value), sp.Poly(inside[0].args[0], s)
        if outer.degree() == argument.degree() == 1:
            target = -outer.nth(0) / outer.nth(1)
            if isinstance(inside[0], sp.log):
                place = sp.exp(target)
            elif target.is_positive:
                place = sp.log(target)
            elif target.is_nonpositive:
                return []
            else:
                raise UndecidedError(f"the sign of {target} is not known")
            return [(place - argument.nth(0)) / argument.nth(1)]
    raise UndecidedError(f"the zeros of the derivative, of {base}, could not be found")


def _positive(root: sp.Expr) -> bool:
    answer: bool | None = root.is_positive
    if answer is None and root.is_number:
        answer = bool(root > 0)
    if answer is None:
        raise UndecidedError(f"whether the critical point {root} is positive depends on parameters")
    return answer


def _extremes(values: list[tuple[sp.Expr, sp.Expr]]) -> Range:
    """Smallest and largest value by exact comparison; UndecidedError if two cannot be compared."""
    low = high = values[0]
    for value, place in values[1:]:
        low = _better(low, (value, place), sp.Min)
        high = _better(high, (value, place), sp.Max)
    return Range(low[0], high[0], low[1], high[1])


def _better(a: tuple[sp.Expr, sp.Expr], b: tuple[sp.Expr, sp.Expr], extreme: Any) -> tuple[sp.Expr, sp.Expr]:
    """The larger (smaller) one of two values; as Max (Min) where parameters decide which it is."""
    if a[0] == b[0]:
        return a
    try:
        keep = at_least(a[0], b[0]) if extreme is sp.Max else at_least(b[0], a[0])
    except UndecidedError:
        if not (a[0].free_symbols | b[0].free_symbols):
            raise
        found = extreme(a[0], b[0])
        return b if found == b[0] else (found, a[1])
    return a if keep else b


def at_least(a: sp.Expr, b: sp.Expr) -> bool:
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
    if answer is None and not difference.free_symbols:
        value = difference.evalf(30, maxn=200)
        answer = None if abs(value) < sp.Float("1e-25") else bool(value > 0)
    if answer is None:
        raise UndecidedError(f"{a} and {b} cannot be compared; add assumptions on their symbols")
    return bool(answer)


def limit(expression: sp.Expr, s: sp.Symbol, place: sp.Expr, side: str = "+") -> sp.Expr | None:
    """The one-sided limit, a number or an infinity; None where SymPy finds none.

    SymPy has no series of Min and Max, and stops at signs of symbols that it does not know.
    """
    try:
        value = sp.limit(expression, s, place, side)
    except (NotImplementedError, TypeError, ValueError):
        return None
    proper = isinstance(value, sp.Expr) and not value.has(sp.Limit, sp.AccumBounds, sp.nan, sp.zoo)
    return value if proper else None
