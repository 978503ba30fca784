"""Whether the JSON of two certificates says the same: text for text, expressions as decided."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sympy as sp
from sympy.core.relational import Relational

from pde2net import deadline
from pde2net.errors import RecheckError
from pde2net.language.expressions import from_text

SECONDS = 20.0  # to decide about one figure
LARGEST = 400  # operations of a difference that is expanded
HIGHEST = 64  # exponent in it
SHORT = 160  # characters of a value in a message
# What an expression is written under; the keys of figures are names.
EXPRESSIONS = ("tau", "function", "lower", "upper", "lower_at", "upper_at", "condition", "limit", "factor")

Document = Mapping[str, Any]


def differences(stated: Document, derived: Document) -> Iterator[str]:
    """What `stated` has otherwise than `derived`, both as read from JSON."""
    if stated.keys() != derived.keys():
        yield f"The keys are {_short(sorted(stated))}, not {_short(sorted(derived))}."
        return
    symbols = stated["symbols"], derived["symbols"]
    for key, value in derived.items():
        if key == "claims":
            for said, found in zip(stated[key], value, strict=True):
                yield from _differences(said, found, symbols, found["name"])
        else:
            yield from _differences(stated[key], value, symbols, key)


def _differences(stated: Any, derived: Any, symbols: tuple[Any, Any], where: str) -> Iterator[str]:
    if isinstance(stated, dict) and isinstance(derived, dict) and stated.keys() == derived.keys():
        for key, value in derived.items():
            yield from _differences(stated[key], value, symbols, f"{where}.{key}")
    elif isinstance(stated, list) and isinstance(derived, list) and len(stated) == len(derived):
        for number, (a, b) in enumerate(zip(stated, derived, strict=True)):
            yield from _differences(a, b, symbols, f"{where}[{number}]")
    elif not _same(stated, derived, symbols, where):
        yield f"{where} is {_short(stated)}; derived again it is {_short(derived)}."


def _same(stated: Any, derived: Any, symbols: tuple[Any, Any], where: str) -> bool:
    if type(stated) is not type(derived):
        return False
    if stated == derived or not isinstance(stated, str):
        return bool(stated == derived)
    path = where.split(".")
    if path[0] not in ("declaration", "subject") and (path[-1] in EXPRESSIONS or path[-2:-1] == ["figures"]):
        return equal(from_text(stated, symbols[0]), from_text(derived, symbols[1]))
    return False


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHORT else f"{text[:SHORT]}..."


def equal(a: sp.Basic, b: sp.Basic) -> bool:
    """Whether two expressions are the same function: decided, or RecheckError.

    Relations and truth values are compared part by part.
    """
    if a == b:
        return True
    if isinstance(a, Relational) and isinstance(b, Relational):
        return a.func == b.func and all(equal(*pair) for pair in zip(a.args, b.args, strict=True))
    finite = all(isinstance(e, sp.Expr) and not e.has(sp.oo, -sp.oo, sp.zoo, sp.nan) for e in (a, b))
    if not finite:
        return False
    return deadline.within(SECONDS, f"comparing {_short(str(a))}", lambda: vanishes(a - b), RecheckError)


def vanishes(expression: sp.Expr) -> bool:
    """Whether an expression is zero as a rational function of its symbols, roots and other functions.

    A root satisfies its equation; beyond that all of them are taken to be independent, so that no numbers
    and no rounding decide: True is a proof, and what would need another relation counts as not zero. Raises
    RecheckError for what is too large.
    """
    field = _Field()
    plain = field.element(expression)
    highest = max((abs(p.exp) for p in plain.atoms(sp.Pow)), default=0)
    if sp.count_ops(plain) > LARGEST or highest > HIGHEST:
        raise RecheckError(f"a difference is too large to be decided: {_short(str(expression))}")
    for root, (degree, base) in reversed(field.roots.items()):
        top = sp.Poly(sp.fraction(sp.together(plain))[0], root)
        plain = sp.Add(*(c * base ** (k // degree) * root ** (k % degree) for (k,), c in top.terms()))
    return bool(sp.expand(sp.fraction(sp.together(plain))[0]) == 0)


class _Field:
    """Rational functions in symbols, and in names for parts that are no rational operation.

    roots  the names of roots, with their degrees and what they are roots of; inner roots come first
    """

    def __init__(self) -> None:
        self.names: dict[sp.Expr, sp.Dummy] = {}
        self.roots: dict[sp.Dummy, tuple[int, sp.Expr]] = {}

    def element(self, e: sp.Expr) -> sp.Expr:
        if e.is_Symbol or e.is_Rational:
            return e
        if isinstance(e, sp.Add | sp.Mul) or (isinstance(e, sp.Pow) and e.exp.is_Integer):
            return e.func(*map(self.element, e.args))
        if not isinstance(e, sp.Pow | sp.exp):
            return self.name(e)
        base, exponent = e.as_base_exp()  # b**(p r/q) = (b**(r/q))**p for whole numbers p
        c, r = exponent.as_coeff_Mul(rational=True)
        c, r = (-c, -r) if r.could_extract_minus_sign() else (c, r)
        root = self.name(base ** (r / c.q))
        if r == 1 and root not in self.roots:
            self.roots[root] = c.q, self.element(base)
        return root**c.p

    def name(self, e: sp.Expr) -> sp.Dummy:
        return self.names.setdefault(e, sp.Dummy())
