"""SymPy expressions as text and back, without evaluating the text as code.

`to_text` is SymPy's str; `from_text` walks Python's own syntax tree and builds each node from a
list of allowed ones, so a certificate or a graph from a stranger can be read safely.
"""

from __future__ import annotations

import ast
import keyword
import operator
import re
from collections.abc import Iterable, Mapping, Sequence

import sympy as sp

_NAMES = (
    "exp log sqrt sin cos tan asin acos atan sinh cosh tanh sign Abs Min Max Piecewise Eq Ne Heaviside erf "
    "CRootOf"
)
_FUNCTIONS = {name: getattr(sp, name) for name in _NAMES.split()}
_CONSTANTS = {"oo": sp.oo, "E": sp.E, "pi": sp.pi, "True": sp.true, "False": sp.false}
_ASSUMPTIONS = ("positive", "nonnegative", "negative", "nonpositive", "real", "integer")
_COMPARE = {ast.LtE: sp.Le, ast.Lt: sp.Lt, ast.GtE: sp.Ge, ast.Gt: sp.Gt}
_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LONGEST = 20_000


def to_text(expression: sp.Basic) -> str:
    """One line that `from_text` reads back to an equal expression."""
    return str(sp.sstr(expression, full_prec=True))


def symbol_table(expressions: Iterable[sp.Basic]) -> dict[str, list[str]]:
    """name -> assumptions of every free symbol, sorted."""
    symbols = sorted({s for e in expressions for s in e.free_symbols}, key=lambda s: s.name)
    return {s.name: [a for a in _ASSUMPTIONS if getattr(s, f"is_{a}")] for s in symbols}


def from_text(text: str, symbols: Mapping[str, Sequence[str]]) -> sp.Basic:
    """The expression that `to_text` wrote; `symbols` gives the assumptions of each name.

    Raises ValueError for text with anything but numbers, the named symbols, arithmetic,
    comparisons and elementary functions.
    """
    if len(text) > _LONGEST:
        raise ValueError("expression too long")
    safe = re.sub(r"[^\W\d]\w*", lambda m: _mangled(m.group()), text)
    try:
        tree = ast.parse(safe, mode="eval")
        return _build(tree.body, symbols)
    except (SyntaxError, RecursionError, AttributeError) as error:
        raise ValueError(f"cannot read {text!r}") from error


def _mangled(name: str) -> str:
    return f"{name}__" if keyword.iskeyword(name) and name not in _CONSTANTS else name


def _build(node: ast.AST, symbols: Mapping[str, Sequence[str]]) -> sp.Basic:
    def sub(child: ast.AST) -> sp.Basic:
        return _build(child, symbols)

    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return sp.true if node.value else sp.false
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return sp.Integer(node.value)
    if isinstance(node, ast.Name):
        name = node.id.removesuffix("__")
        if name in symbols:
            return sp.Symbol(name, **{a: True for a in symbols[name] if a in _ASSUMPTIONS})
        if name in _CONSTANTS:
            return _CONSTANTS[name]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -sub(node.operand)
    if isinstance(node, ast.BinOp):
        left, right = sub(node.left), sub(node.right)
        if isinstance(node.op, ast.Pow):
            if right.is_number and left.is_number and abs(float(right)) > 400:
                raise ValueError("exponent too large")
            return left**right
        if type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](left, right)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARE:
        return _COMPARE[type(node.ops[0])](sub(node.left), sub(node.comparators[0]))
    if isinstance(node, ast.Tuple):
        return sp.Tuple(*(sub(e) for e in node.elts))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = _FUNCTIONS.get(node.func.id)
        if function is not None:
            return function(*(sub(a) for a in node.args))
    raise ValueError(f"{ast.unparse(node)!r} is not allowed")
