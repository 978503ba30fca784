"""Formulas, numbers and lists of values as Unicode text, for pictures and for the terminal."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Sequence

import sympy as sp
from sympy.printing.precedence import precedence
from sympy.printing.str import StrPrinter

MINUS = "\N{MINUS SIGN}"
DOTS = "\N{HORIZONTAL ELLIPSIS}"
LISTED = 4
LONG = 8
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_FUNCTIONS = {"Max": "max", "Min": "min", "log": "ln"}
_RELATIONS = {"==": "=", "!=": "≠", "<=": "≤", ">=": "≥"}


class _Printer(StrPrinter):  # type: ignore[misc]  # SymPy has no types
    def _print_Symbol(self, symbol: sp.Symbol) -> str:
        return greek(symbol.name)

    def _print_Add(self, expression: sp.Add, order: str | None = None) -> str:
        """What is subtracted comes last."""
        terms = sorted(self._as_ordered_terms(expression, order=order), key=_is_negative)
        text = ""
        for term in terms:
            sign = ("-" if not text else " - ") if _is_negative(term) else " + " if text else ""
            text += sign + self.parenthesize(-term if _is_negative(term) else term, precedence(expression))
        return text

    def _print_Abs(self, expression: sp.Expr) -> str:
        return f"|{self._print(expression.args[0])}|"

    def _print_Function(self, expression: sp.Function) -> str:
        name = expression.func.__name__
        return f"{_FUNCTIONS.get(name, name)}({self.stringify(expression.args, ', ')})"

    _print_Max = _print_Min = _print_log = _print_Function  # noqa: N815  SymPy's names

    def _print_Pow(self, expression: sp.Pow, rational: bool = False) -> str:
        if expression.exp == sp.S.Half:
            inner = self._print(expression.base)
            return f"√{inner}" if expression.base.is_Symbol else f"√({inner})"
        if expression.exp.is_Rational and expression.exp.is_negative:
            root = expression.base**-expression.exp
            return f"1/{self.parenthesize(root, precedence(expression), strict=True)}"
        return str(super()._print_Pow(expression, rational))

    def _print_Piecewise(self, expression: sp.Piecewise) -> str:
        """a if condition, else b: in braces, as what it is a factor of goes on."""
        *pieces, (last, _) = expression.args
        parts = [f"{self._print(value)} if {self._print(condition)}, " for value, condition in pieces]
        return f"{{{''.join(parts)}else {self._print(last)}}}"

    def _print_Relational(self, expression: sp.Rel) -> str:
        relation = _RELATIONS.get(expression.rel_op, expression.rel_op)
        return f"{self._print(expression.lhs)} {relation} {self._print(expression.rhs)}"

    def _print_And(self, expression: sp.And) -> str:
        return " and ".join(map(self._print, sorted(expression.args, key=sp.default_sort_key)))

    def _print_Or(self, expression: sp.Or) -> str:
        return " or ".join(map(self._print, sorted(expression.args, key=sp.default_sort_key)))


def _is_negative(term: sp.Expr) -> bool:
    return bool(term.could_extract_minus_sign())


def formula(expression: sp.Expr) -> str:
    """One line of mathematics in Unicode: Greek letters, roots, dots for products, raised exponents."""
    plain = {s: _plain(s) for s in expression.free_symbols if s.name.startswith("_")}
    text: str = _Printer().doprint(expression.xreplace(plain))
    return typeset(text.replace("**", "^"))


def typeset(text: str) -> str:
    """A formula of plain text, with ^ for powers, in the characters of mathematics."""
    raised = re.compile(r"\^(?:(\d+)|\((-\d+)\))")
    text = raised.sub(lambda m: (m[1] or m[2]).translate(_SUPERSCRIPT), text)
    return text.replace(" * ", " ").replace("*", "·").replace("-", MINUS)


def _plain(symbol: sp.Symbol) -> sp.Symbol:
    """The symbol under which an internal one is shown, and sorted."""
    return sp.Symbol(symbol.name.lstrip("_"), **symbol.assumptions0)


def greek(name: str) -> str:
    """`name` with spelled-out Greek letters as letters, and a number at its end as a subscript.

    s2, the sum of the squares of slopes, is a square.
    """
    parts = (name.strip("_") or name).split("_")
    return "_".join([_letter(part) for part in parts])


def _letter(part: str) -> str:
    if part == "s2":
        return "s²"
    stem, number = re.fullmatch(r"(.*?)(\d*)", part, re.S).groups()  # type: ignore[union-attr]  # always matches
    if stem.isalpha():
        spelled = "lamda" if stem == "lambda" else stem
        with contextlib.suppress(KeyError):
            stem = unicodedata.lookup(f"greek small letter {spelled}")
    return stem + subscript(number) if len(stem) == 1 else part


def subscript(number: object) -> str:
    """Digits below the line."""
    return str(number).translate(_SUBSCRIPT)


def series(values: Sequence[sp.Expr]) -> str:
    """The values of a weight over the blocks: of one period, the first ones and the last."""
    count = len(values)
    period = next(
        n
        for n in range(1, count + 1)
        if count % n == 0 and all(v == values[k % n] for k, v in enumerate(values))
    )
    texts = [_value(v) for v in values[:period]]
    return ", ".join(texts if len(texts) <= LISTED else [*texts[:2], DOTS, texts[-1]])


def _value(value: sp.Expr) -> str:
    """Exact if that is short or has symbols; four digits otherwise."""
    text = formula(value)
    return text if value.free_symbols or len(text) <= LONG else short_number(value)


def short_number(value: sp.Expr) -> str:
    """At most four digits, 10⁻⁶ for a power of ten."""
    number = float(value)
    text = f"{number:.4g}"
    mantissa, mark, exponent = text.partition("e")
    if (not mark and 0 < abs(number) < 1e-3) or mark:
        mantissa, _, exponent = f"{number:.3e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".")
        power = f"10{str(int(exponent)).translate(_SUPERSCRIPT)}"
        return power if mantissa == "1" else f"{mantissa}·{power}".replace("-", MINUS)
    return text.replace("-", MINUS)
