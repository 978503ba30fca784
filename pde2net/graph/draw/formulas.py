"""Formulas, numbers and lists of values as Unicode text, for pictures and for the terminal."""

from __future__ import annotations

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
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


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


def _is_negative(term: sp.Expr) -> bool:
    return bool(term.could_extract_minus_sign())


def formula(expression: sp.Expr) -> str:
    """One line in Unicode: Greek letters, dots for products, raised integer exponents."""
    plain = {s: _plain(s) for s in expression.free_symbols if s.name.startswith("_")}
    text: str = _Printer().doprint(expression.xreplace(plain))
    text = re.sub(r"\*\*(\d+)", lambda m: m.group(1).translate(_SUPERSCRIPT), text)
    return text.replace("**", "^").replace("*", "·").replace("-", MINUS)


def _plain(symbol: sp.Symbol) -> sp.Symbol:
    """The symbol under which an internal one is shown, and sorted."""
    return sp.Symbol(symbol.name.lstrip("_"), **symbol.assumptions0)


def greek(name: str) -> str:
    """`name` with a leading spelled-out Greek letter as that letter."""
    head, mark, rest = name.strip("_").partition("_")
    spelled = "lamda" if head == "lambda" else head
    try:
        return unicodedata.lookup(f"greek small letter {spelled}") + mark + rest
    except KeyError:
        return name.strip("_") or name


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
        power = f"10{str(int(exponent)).replace('-', '⁻').translate(_SUPERSCRIPT)}"
        return power if mantissa == "1" else f"{mantissa}·{power}".replace("-", MINUS)
    return text.replace("-", MINUS)
