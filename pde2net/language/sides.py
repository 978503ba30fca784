"""Conditions at one side of an axis: a value, a flux, or a combination of a value and a derivative.

The border lies on the faces of the outermost cells, half a cell from their centres. With n the outward normal
and h the spacing, a u + b du/dn = c on the face is met by

    d = du/dn = (c - a u)/(b + a h/2),    u on the face = u + d h/2,

u the value of the cell: a linear profile. What the flux g du/dn brings in is a term g d/h of the equation in
that cell; across other sides nothing flows (discretise/sides.py; docs/theory.md, section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import DeclarationError
from pde2net.language.borders import BORDERS, nearest
from pde2net.language.exact import exact
from pde2net.language.expressions import to_text
from pde2net.language.grid import per_axis
from pde2net.language.traversal import atoms

CLOSED = "reflecting"


@dataclass(frozen=True)
class Side:
    """a u + b du/dn = c; with `through`, g du/dn = c, whatever the diffusivity is."""

    a: sp.Expr
    b: sp.Expr
    c: sp.Expr
    through: bool = False

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        return self.a, self.b, self.c

    def to_data(self) -> list[Any]:
        """Text, and whether c is a flux."""
        return [*map(to_text, self.expressions), self.through]

    @classmethod
    def from_data(cls, data: Any, read: Callable[[str], Any]) -> Side:
        *texts, through = data
        a, b, c = map(read, texts)
        found = flux(c) if through is True else robin(a, b, c)
        if found.to_data() != data:
            raise ValueError("this is no condition at a side")
        return found

    def text(self, a: str, b: str, c: str) -> str:
        """As a text of the language, from that of a, b and c."""
        if self.through:
            return f"flux {c}"
        return f"value {c}" if (self.a, self.b) == (1, 0) else f"robin({a}, {b}, {c})"

    def __str__(self) -> str:
        named = {f: sp.Symbol(str(f.func)) for e in self.expressions for f in atoms(e, AppliedUndef)}
        return self.text(*(str(e.xreplace(named)) for e in self.expressions))


def value(c: Any) -> Side:
    """u = c on the faces of a side, half a cell outside of the outermost centres.

    c  a number, or an expression in parameters, the time, positions along the side, and known fields, of
       which the outermost cells count

    Raises DeclarationError for what is no finite expression.
    """
    return Side(sp.S.One, sp.S.Zero, exact(c, "The value at a border"))


def flux(q: Any) -> Side:
    """g du/dn = q on a side, n the outward normal: q > 0 brings in. The mean of u changes by it.

    q  as c of `value`

    Raises DeclarationError for what is no finite expression.
    """
    return Side(sp.S.Zero, sp.S.One, exact(q, "The flux through a border"), True)


def robin(a: Any, b: Any, c: Any) -> Side:
    """a u + b du/dn = c on the faces of a side, n the outward normal.

    a, b, c  as c of `value`

    Raises DeclarationError for what is no finite expression, and for a = b = 0.
    """
    found = Side(*(exact(e, f"{n} of robin(a, b, c)") for n, e in zip("abc", (a, b, c), strict=True)))
    if found.a == 0 and found.b == 0:
        raise DeclarationError("robin(a, b, c) says a u + b du/dn = c: a or b is not 0.")
    return found


Pair = tuple[Side | None, Side | None]


def checked_boundary(
    boundary: Any, space: tuple[sp.Symbol, ...]
) -> tuple[Mapping[sp.Symbol, str], Mapping[sp.Symbol, Pair]]:
    """The border of each axis by name, and the conditions of its two sides where there are any.

    Raises DeclarationError for what is none.
    """
    names: dict[sp.Symbol, str] = {}
    sides: dict[sp.Symbol, Pair] = {}
    for axis, condition in per_axis(boundary, space, "boundary").items():
        pair = tuple(condition) if isinstance(condition, tuple | list) else (condition, condition)
        if len(pair) != 2:
            raise DeclarationError(f"The axis {axis} has two sides, (lower, upper), not {condition!r}.")
        for end in pair:
            if not isinstance(end, Side) and end not in BORDERS:
                known = nearest(str(end))
                raise DeclarationError(f'There is no boundary "{end}".{known} Or one of value, flux, robin.')
        words = {end for end in pair if not isinstance(end, Side)}
        if len(words) > 1 or (isinstance(condition, tuple | list) and words - {CLOSED}):
            other = next(iter(sorted(words - {CLOSED})))
            raise DeclarationError(
                f'"{other}" is a border of both sides of {axis}; one side alone is "reflecting", value(0), '
                "flux(...) or robin(...)."
            )
        names[axis] = next(iter(words), CLOSED) if words else CLOSED
        first, last = (_held(end, axis) for end in pair)
        if first or last:
            sides[axis] = (first, last)
    return MappingProxyType(names), MappingProxyType(sides)


def _held(end: Any, axis: sp.Symbol) -> Side | None:
    """A condition; None where nothing flows. Raises DeclarationError for one that varies along the normal."""
    if not isinstance(end, Side) or (end.a == 0 and end.c == 0):
        return None
    if any(axis in e.free_symbols - _arguments(e) for e in end.expressions):
        raise DeclarationError(f"The condition {end} at a side of {axis} varies along it, not with {axis}.")
    return end


def _arguments(expression: sp.Expr) -> set[sp.Symbol]:
    """Positions that stand in known fields alone."""
    inside = {s for f in atoms(expression, AppliedUndef) for s in f.free_symbols}
    still = expression.xreplace({f: sp.Dummy() for f in atoms(expression, AppliedUndef)})
    return set(inside - still.free_symbols)


def declared(names: Mapping[sp.Symbol, str], sides: Mapping[sp.Symbol, Pair]) -> dict[sp.Symbol, Any]:
    """What a problem is given to have these again."""
    return {
        axis: tuple(end or CLOSED for end in sides[axis]) if axis in sides else name
        for axis, name in names.items()
    }


def expressions(sides: Mapping[sp.Symbol, Pair]) -> Iterator[sp.Expr]:
    for pair in sides.values():
        for end in pair:
            yield from () if end is None else end.expressions


def shown(
    names: Mapping[sp.Symbol, str], sides: Mapping[sp.Symbol, Pair], text: Callable[[Side], str] = str
) -> str:
    """Borders in words: one for all axes, or each by name."""

    def word(axis: sp.Symbol) -> str:
        if axis not in sides:
            return names[axis]
        first, last = (CLOSED if end is None else text(end) for end in sides[axis])
        return first if first == last else f"{first} | {last}"

    words = {axis: word(axis) for axis in names}
    if len(set(words.values())) == 1 and not sides:
        return next(iter(words.values()))
    return ", ".join(f"{axis}: {each}" for axis, each in words.items())
