"""Operations with one expression each, whose common parts are computed once: s2 = |p|^2, then the others."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import sympy as sp
from sympy.logic.boolalg import Boolean

from pde2net.graph.nodes import CHANNEL_SUM, Pointwise
from pde2net.program.guard import AtLeast, guarded
from pde2net.program.records import Function, Let
from pde2net.program.slice import UPDATES


def share(function: Function) -> Function:
    """The same function; expressions are written such that they and their gradients are finite."""
    same: dict[str, str] = {}
    body: list[Let] = []
    for let in function.body:
        let = let.with_inputs(same)
        if isinstance(let.op, Pointwise) and let.op.role != CHANNEL_SUM:
            body += _Parts(let, let.op).lets(same)
        else:
            body.append(let)
    return replace(function, body=tuple(body), results=tuple(same.get(v, v) for v in function.results))


class _Parts:
    """One operation in parts."""

    def __init__(self, let: Let, op: Pointwise) -> None:
        self.let, self.op, self.names = let, op, let.fed
        self.symbols = {s.name for e in op.expressions for s in e.free_symbols}

    def lets(self, same: dict[str, str]) -> Iterator[Let]:
        """The parts in order; in `same`, outputs that are values already."""
        whole, first = self.op.role in UPDATES, list[Let]()
        if whole:
            expressions = [guarded(e, self.names.keys()) for e in self.op.expressions]
        else:
            expressions, first = self._reduced(self.op.expressions)
        yield from first
        for value, wanted, expression in zip(self.let.outputs, self.let.wanted, expressions, strict=True):
            if expression.is_Symbol and expression.name in self.names:
                same[value] = self.names[expression.name]
                continue
            clamps, expression = ([], expression) if whole else self._clamped(expression)
            yield from clamps
            yield self._computing(expression, value, wanted)

    def _computing(self, expression: sp.Expr, value: str, wanted: str, passing: bool = False) -> Let:
        used = {s.name for s in expression.free_symbols}
        inputs = tuple((slot, v) for slot, v in self.names.items() if slot in used)
        return Let((value,), replace(self.op, expressions=(expression,)), inputs, (wanted,), passing)

    def _part(self, symbol: sp.Symbol, wanted: str, expression: sp.Expr) -> Let:
        """A value of its own for an expression, known by a symbol from now on."""
        let = self._computing(expression, f"{self.let.outputs[0]}/{symbol}", wanted, passing=True)
        self.names[symbol.name] = let.outputs[0]
        return let

    def _fresh(self, wanted: str) -> str:
        """A symbol's name that means nothing yet."""
        while wanted in self.names or wanted in self.symbols:
            wanted += "_"
        return wanted

    def _reduced(self, expressions: tuple[sp.Expr, ...]) -> tuple[list[sp.Expr], list[Let]]:
        """The expressions in terms of parts, and these."""
        slots = {s for e in expressions for s in e.free_symbols if s.name in self.names}
        found, lets = list(expressions), list[Let]()
        squared = {p.base for e in found for p in e.atoms(sp.Pow) if p.exp == 2 and p.base in slots}
        slopes = sorted(squared, key=lambda s: s.name)
        square = sp.Add(*(s**2 for s in slopes))
        branched = any(e.has(sp.Piecewise) for e in found)
        if slopes and (len(slopes) > 1 or branched) and any(e.has(square) for e in found):
            s2 = sp.Symbol(self._fresh("s2"), nonnegative=True)
            lets.append(self._part(s2, "s2", square))
            found = [e.subs(square, s2) for e in found]
        found = [guarded(e, self.names.keys()) for e in found]
        fresh = (sp.Symbol(self._fresh(f"g{k if k > 1 else ''}"), real=True) for k in itertools.count(1))
        common, reduced = sp.cse(found, symbols=fresh, order="none")
        inlined: dict[sp.Symbol, sp.Expr] = {}
        for symbol, part in common:
            expression = part.xreplace(inlined)
            alone = not any(s.name in self.names for s in expression.free_symbols)
            if alone or isinstance(expression, Boolean):
                # A function of parameters alone is read more easily where it is used; what is chosen by a
                # condition takes its type from the values that are compared.
                inlined[symbol] = expression
                continue
            clamps, expression = self._clamped(expression)
            lets += [*clamps, self._part(symbol, "g", expression)]
        return [e.xreplace(inlined) for e in reduced], lets

    def _clamped(self, expression: sp.Expr) -> tuple[list[Let], sp.Expr]:
        """Values for the arguments of decays, and the expression in terms of them."""
        lets: list[Let] = []
        for part in sorted(expression.atoms(AtLeast), key=str):
            ratio = sp.Symbol(self._fresh("ratio"), positive=True)
            lets.append(self._part(ratio, "ratio", part))
            expression = expression.xreplace({part: ratio})
        return lets, expression
