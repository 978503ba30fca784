"""Prints SymPy expressions as torch code."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Set

import sympy as sp
from sympy.printing.precedence import PRECEDENCE, precedence
from sympy.printing.str import StrPrinter

from pde2net.errors import EmissionError
from pde2net.program.guard import AtLeast

EXACT_INTEGERS = 2**53  # up to here floating point has all; torch takes none above 2**63
_ABOVE_PRODUCT = PRECEDENCE["Mul"] + 1
SHARED = (
    "exp",
    "log",
    "expm1",
    "log1p",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "erf",
)
_OWN = {"projection": "projection", "Where": "torch.where", "AwayFromZero": "away_from_zero"}


class TorchPrinter(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    """Expressions over tensors and scalar parameters, both given as symbol name -> Python text.

    Functions of scalars alone are computed by math, except of `trained` ones, which are tensors too.
    """

    def __init__(
        self,
        tensors: Mapping[str, str],
        scalars: Mapping[str, str],
        trained: Set[str] = frozenset(),
    ) -> None:
        super().__init__({"order": "none"})
        self.tensors, self.scalars, self.trained = tensors, scalars, trained

    def is_tensor(self, expression: sp.Expr) -> bool:
        return any(s.name in self.tensors or s.name in self.trained for s in expression.free_symbols)

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        text = self.tensors.get(expr.name) or self.scalars.get(expr.name)
        if text is None:
            raise EmissionError(f"The symbol {expr} has no value.")
        return text

    def _print_Rational(self, expr: sp.Rational) -> str:
        return number(expr)

    def _print_Integer(self, expr: sp.Integer) -> str:
        return number(expr)

    def _print_Pi(self, expr: sp.Expr) -> str:
        return "math.pi"

    def _print_Exp1(self, expr: sp.Expr) -> str:
        return "math.e"

    def parenthesize(self, item: sp.Expr, level: int, strict: bool = False) -> str:
        return str(super().parenthesize(item, level, strict))

    def doprint(self, expr: sp.Expr) -> str:
        return str(super().doprint(expr))

    def _print_Add(self, expr: sp.Add, order: str | None = None) -> str:
        # Constants first, then terms in SymPy's order: 1 + s2 / lambda_**2.
        terms = sorted(self._as_ordered_terms(expr, order="lex"), key=lambda e: not e.is_number)
        leading = next((i for i, e in enumerate(terms) if not e.could_extract_minus_sign()), 0)
        terms.insert(0, terms.pop(leading))
        text = ""
        for term in terms:
            negative = term.could_extract_minus_sign() and text != ""
            if not text:
                text = self._print(term)
                continue
            printed = self.parenthesize(-term if negative else term, PRECEDENCE["Add"])
            text += (" - " if negative else " + ") + printed
        return text

    def _print_Mul(self, expr: sp.Mul) -> str:
        if expr.could_extract_minus_sign():
            return "-" + self.parenthesize(-expr, precedence(expr))
        top, bottom = [], []
        for factor in expr.as_ordered_factors():
            if factor.is_Pow and factor.exp.is_number and factor.exp.is_negative:
                if factor.exp == -sp.S.Half and self.is_tensor(factor):
                    top.append(factor)
                else:
                    bottom.append(factor.base**-factor.exp)
            elif factor.is_Rational and not factor.is_Integer and _fraction(factor) and factor.p == 1:
                bottom.append(sp.Integer(factor.q))
            else:
                top.append(factor)  # "2 / 3 * u", one product of tensors, where "2 * u / 3" were two
        level = precedence(expr)
        product = " * ".join(number(f) if f.is_Rational else self.parenthesize(f, level) for f in top)
        if not bottom:
            return product
        if not top:
            divisor = sp.Mul(*bottom)
            if self.is_tensor(divisor):
                return f"torch.reciprocal({self._print(divisor)})"
            return f"1 / {self._bottom(bottom)}"
        return f"{product} / {self._bottom(bottom)}"

    def _bottom(self, factors: list[sp.Expr]) -> str:
        if len(factors) > 1:
            return "(" + " * ".join(self.parenthesize(f, PRECEDENCE["Mul"]) for f in factors) + ")"
        (factor,) = factors
        return self.parenthesize(factor, precedence(factor) + 1 if factor.is_Mul else _ABOVE_PRODUCT)

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.base, expr.exp
        if not self.is_tensor(expr):
            power = precedence(expr)
            if exponent == -1:
                return f"1 / {self.parenthesize(base, power)}"
            return f"{self.parenthesize(base, power + 1)}**{self.parenthesize(exponent, power)}"
        if not self.is_tensor(exponent):
            named = {2: "square", -1: "reciprocal", sp.S.Half: "sqrt", -sp.S.Half: "rsqrt"}.get(exponent)
            if named == "square" and base.is_Symbol:
                return f"{self._print(base)}.square()"
            if named:
                return f"torch.{named}({self._print(base)})"
        return f"torch.pow({self._print(base)}, {self._print(exponent)})"

    def _call(self, name: str, expr: sp.Expr) -> str:
        return f"{name}({', '.join(self._print(a) for a in expr.args)})"

    def _print_Function(self, expr: sp.Expr) -> str:
        name = type(expr).__name__
        if name in SHARED:
            return self._call(f"{'torch' if self.is_tensor(expr) else 'math'}.{name}", expr)
        if name in _OWN:
            return self._call(_OWN[name], expr)
        raise EmissionError(
            f"The function {name} in {expr} cannot be emitted; rewrite it with one of: "
            f"{', '.join(SHARED)}, Abs, sign, Min, Max, Piecewise."
        )

    def _print_AtLeast(self, expr: AtLeast) -> str:
        value, bound = map(self._print, expr.args)
        return f"torch.clamp({value}, min={bound})"

    def _print_Abs(self, expr: sp.Abs) -> str:
        return f"{'torch.' if self.is_tensor(expr) else ''}abs({self._print(expr.args[0])})"

    def _print_sign(self, expr: sp.sign) -> str:
        text = self._print(expr.args[0])
        if not self.is_tensor(expr):
            return f"(({text} > 0) - ({text} < 0))"
        return f"torch.sign({text})"

    def _print_Max(self, expr: sp.Max) -> str:
        return self._extremum(expr, "min", "maximum", "max")

    def _print_Min(self, expr: sp.Min) -> str:
        return self._extremum(expr, "max", "minimum", "min")

    def _extremum(self, expr: sp.Expr, bound: str, pairwise: str, plain: str) -> str:
        tensors = [a for a in expr.args if self.is_tensor(a)]
        rest = [self._print(a) for a in expr.args if not self.is_tensor(a)]
        if not tensors:
            return f"{plain}({', '.join(rest)})"
        text = str(self._print(tensors[0]))
        for other in tensors[1:]:
            text = f"torch.{pairwise}({text}, {self._print(other)})"
        if rest:
            value = rest[0] if len(rest) == 1 else f"{plain}({', '.join(rest)})"
            text = f"torch.clamp({text}, {bound}={value})"
        return text

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        (value, condition), *others = expr.args
        if condition == sp.true or not others:
            return str(self._print(value))
        rest = sp.Piecewise(*others, evaluate=False) if len(others) > 1 else others[0][0]
        printed = self._print(rest)
        if not self.is_tensor(expr):
            return f"({self._print(value)} if {self._print(condition)} else {printed})"
        if not any(s.name in self.tensors for e in (value, rest) for s in e.free_symbols):
            return f"torch.where({self._print(condition)}, {self._full(condition, value)}, {printed})"
        return f"torch.where({self._print(condition)}, {self._print(value)}, {printed})"

    def _full(self, condition: sp.Basic, value: sp.Expr) -> str:
        """A scalar in dtype and device of the state: two of them would choose a type of their own."""
        symbols = sorted((s for s in condition.free_symbols if self.is_tensor(s)), key=lambda s: s.name)
        # The state before what is trained, which the time of trained steps is made of.
        like = next((s for s in symbols if s.name in self.tensors), symbols[0])
        if self.is_tensor(value):
            return f"torch.zeros_like({self._print(like)}) + {self.parenthesize(value, PRECEDENCE['Add'])}"
        return f"torch.full_like({self._print(like)}, {self._print(value)})"

    def _print_Relational(self, expr: sp.Rel) -> str:
        return f"{self._print(expr.lhs)} {expr.rel_op} {self._print(expr.rhs)}"

    def _print_And(self, expr: sp.And) -> str:
        return self._joined(" & ", expr)

    def _print_Or(self, expr: sp.Or) -> str:
        return self._joined(" | ", expr)

    def _joined(self, operator: str, expr: sp.Basic) -> str:
        parts = ((self._print(a), a.is_Symbol) for a in expr.args)
        return operator.join(text if bare else f"({text})" for text, bare in parts)


def _short(value: sp.Rational) -> bool:
    """Whether the decimal is exact and short enough to be read."""
    denominator = int(value.q)
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1 and len(repr(float(value))) <= 8


def _fraction(value: sp.Rational) -> bool:
    """Whether the number is printed as p / q."""
    return not _short(value) and max(abs(value.p), value.q) < 10**6


def require_numbers(expression: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> None:
    """Raise EmissionError for functions of parameters whose value is too large: math.exp(1000) raises too."""
    for part in sp.preorder_traversal(expression):
        if isinstance(part, sp.Function | sp.Pow) and part.free_symbols <= set(values):
            _require_number(part, part.subs(values).subs(values))
            if part.is_Pow and part.exp.could_extract_minus_sign():  # 1/lambda**2 is how it is printed
                _require_number(1 / part, (1 / part).subs(values).subs(values))


def _require_number(part: sp.Expr, value: sp.Expr) -> None:
    if value.is_number and not abs(value.evalf(20)) <= sys.float_info.max:
        raise EmissionError(f"{part} = {value.evalf(3)} is too large for floating point.")


def number(value: sp.Expr) -> str:
    """A Python expression for an exact number, correctly rounded to double precision.

    Raises EmissionError if it is too large for that.
    """
    _require_number(sp.Symbol("The number"), value)
    if value.is_Integer and abs(value) <= EXACT_INTEGERS:
        return str(value)
    if value.is_Rational:
        if _short(value):
            return repr(float(value))
        if _fraction(value):
            return f"{value.p} / {value.q}"
    return repr(float(value.evalf(20)))
