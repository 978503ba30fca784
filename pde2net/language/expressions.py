"""SymPy expressions as text and back, without evaluating the text as code.

`to_text` is SymPy's str; `from_text` walks Python's own syntax tree and builds each node from a
list of allowed ones, so a certificate or a graph from a stranger can be read safely.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.core.function import UndefinedFunction

from pde2net.language.assumptions import restored, stored
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.smoothing import smooth
from pde2net.language.spline import Spline
from pde2net.language.tensors import projection

_NAMES = (
    "exp log sqrt sin cos tan asin acos atan sinh cosh tanh sign Abs Min Max Piecewise Eq Ne Heaviside erf"
)
_FUNCTIONS = {name: getattr(sp, name) for name in _NAMES.split()}
_FUNCTIONS |= {"smooth": smooth, "projection": projection}
_CONSTANTS = {"oo": sp.oo, "E": sp.E, "pi": sp.pi, "True": sp.true, "False": sp.false}
_MINUS_ONE = ast.Constant(-1)
_COMPARE = {ast.LtE: sp.Le, ast.Lt: sp.Lt, ast.GtE: sp.Ge, ast.Gt: sp.Gt}
MOST_READABLE = 10**6  # of a denominator
_LONGEST, _LARGEST_EXPONENT, _MOST_BITS = 20_000, 400, 8192


def to_text(expression: sp.Basic) -> str:
    """One line that `from_text` reads back to an equal expression."""
    return str(sp.sstr(expression, full_prec=True))


def shown(expression: sp.Basic) -> str:
    """The same for people: quotients that nobody can read as decimals, with ~ where these are rounded."""
    unread = {q: sp.Symbol(_decimal(q)) for q in expression.atoms(sp.Rational) if q.q >= MOST_READABLE}
    return to_text(expression.xreplace(unread))


def _decimal(number: sp.Rational) -> str:
    decimal = f"{float(number):.6g}"
    return decimal if sp.Rational(decimal) == number else f"~{decimal}"


def symbol_table(expressions: Iterable[sp.Basic]) -> dict[str, list[str]]:
    """name -> assumptions of every free symbol, sorted."""
    symbols = sorted({s for e in expressions for s in e.free_symbols}, key=lambda s: s.name)
    return {s.name: stored(s) for s in symbols}


def from_text(
    text: str,
    symbols: Mapping[str, Sequence[str]],
    functions: Mapping[str, UndefinedFunction | LinearOperator | Spline] | None = None,
) -> sp.Basic:
    """The expression that `to_text` wrote; `symbols` gives the assumptions of each name.

    With `functions`, these undefined functions, Derivatives of them, learned operators and splines are
    allowed too.

    Raises ValueError for text with anything but numbers, the named symbols, arithmetic, comparisons
    and elementary functions, and for text that would take long to evaluate.
    """
    if len(text) > _LONGEST or re.search(r"[-+~(]{50}", text):
        raise ValueError("an expression is too long or nested too deeply")
    functions = functions or {}
    table: dict[str, Any] = {}
    # Names such as "lambda" or "pi" are no Python names; longer ones first, since one may contain another.
    for number, name in enumerate(sorted({*symbols, *functions}, key=lambda n: (-len(n), n))):
        safe = f"symbol_{number}_"
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", safe, text)
        if name in functions:
            table[safe] = functions[name]
        else:
            table[safe] = restored(name, symbols[name])
    try:
        return _build(ast.parse(text, mode="eval").body, table)
    except (SyntaxError, RecursionError, AttributeError, MemoryError, OverflowError) as error:
        raise ValueError(f"cannot read {text[:60]!r}") from error


def _build(node: ast.AST, symbols: Mapping[str, Any]) -> sp.Basic:
    def sub(child: ast.AST) -> sp.Basic:
        return _build(child, symbols)

    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return sp.true if node.value else sp.false
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return sp.Integer(node.value)
    if isinstance(node, ast.Name):
        known = symbols.get(node.id, _CONSTANTS.get(node.id))
        if known is not None and not isinstance(known, LinearOperator | Spline):
            return known
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -sub(node.operand)
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.Mult | ast.Div):
            return _product([sub(f) ** e for f, e in _factors(node, 1)])
        left, right = sub(node.left), sub(node.right)
        if isinstance(node.op, ast.Pow):
            return power(left, right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        return _COMPARE[type(node.ops[0])](sub(node.left), sub(node.comparators[0]))
    if isinstance(node, ast.Tuple):
        return sp.Tuple(*(sub(e) for e in node.elts))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 1:
        operator = symbols.get(node.func.value.id) if isinstance(node.func.value, ast.Name) else None
        if isinstance(operator, LinearOperator) and node.func.attr == "adjoint" and not node.keywords:
            return operator.adjoint(sub(node.args[0]))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id == "CRootOf" and len(node.args) == 2:
            variable = sp.Symbol("x")
            polynomial = _build(node.args[0], {**symbols, "x": variable})
            return sp.CRootOf(polynomial, sub(node.args[1]))
        arguments = [sub(a) for a in node.args]
        if node.func.id == "Derivative" and any(isinstance(f, UndefinedFunction) for f in symbols.values()):
            return sp.Derivative(*arguments)
        function = symbols.get(node.func.id, _FUNCTIONS.get(node.func.id))
        if function is not None:
            return function(*arguments)
    raise ValueError(f"{ast.unparse(node)[:60]!r} is not allowed")


def _factors(node: ast.AST, exponent: int) -> Iterator[tuple[ast.AST, int]]:
    """The factors of a product with exponent 1 or -1, so that SymPy does not distribute numbers."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        yield from _factors(node.left, exponent)
        yield from _factors(node.right, -exponent if isinstance(node.op, ast.Div) else exponent)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield _MINUS_ONE, 1
        yield from _factors(node.operand, exponent)
    else:
        yield node, exponent


def _product(factors: Sequence[sp.Basic]) -> sp.Basic:
    """The product as it was written: SymPy would distribute a lone number over a sum."""
    number, rest = sp.Mul(*(f for f in factors if f.is_Rational)), [f for f in factors if not f.is_Rational]
    if number != 1 and len(rest) == 1 and rest[0].is_Add:
        return sp.Mul(number, rest[0], evaluate=False)
    return sp.Mul(*factors)


def power(base: sp.Basic, exponent: sp.Basic) -> sp.Basic:
    """base**exponent unless the number would be huge."""
    if exponent.is_number and base.is_number:
        if not exponent.is_Rational or max(abs(exponent.p), exponent.q) > _LARGEST_EXPONENT:
            raise ValueError("an exponent is too large")
        bits = max(base.p.bit_length(), base.q.bit_length()) if base.is_Rational else 64
        if bits * abs(exponent.p) > _MOST_BITS:
            raise ValueError("a power is too large")
    return base**exponent
