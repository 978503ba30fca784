"""K^T phi(K u) of learned filters as one operation, where phi is of responses and of numbers alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields, replace

import sympy as sp

from pde2net.graph.network import Graph, node_of
from pde2net.graph.nodes import CHANNEL_SUM, Field, Filter, Pointwise, Spline, TransposedFilter
from pde2net.language.symbols import Input
from pde2net.program.guard import guarded
from pde2net.program.records import Activation, Function, Let, Program


def activate(program: Program, graph: Graph) -> Program:
    """The same program with such operations."""
    numbers = _numbers(program, graph)
    functions = tuple(_activated(f, numbers) for f in program.functions)
    return replace(program, functions=functions)


def _numbers(program: Program, graph: Graph) -> set[str]:
    """Values that are one number for each image: inputs, and what is computed of them alone."""
    found = set[str]()
    for function in program.functions:
        for value, _ in function.parameters:
            node = node_of(graph, value) if value in graph else None
            if isinstance(node, Field) and isinstance(node.symbol, Input):
                found.add(value)
    for let in program["known"].body:
        if isinstance(let.op, Pointwise) and let.op.role != CHANNEL_SUM and set(let.fed.values()) <= found:
            found |= set(let.outputs)
    return found


def _activated(function: Function, numbers: Collection[str]) -> Function:
    made = {v: let for let in function.body for v in let.outputs}
    body = []
    for let in function.body:
        found = None
        if isinstance(let.op, TransposedFilter) and let.op.scale == 1:
            found = _Chain(made, numbers, let.op).activation(let)
        body.append(found or let)
    return replace(function, body=_used(body, function.results))


def _used(body: list[Let], results: Collection[str]) -> tuple[Let, ...]:
    """Without responses that nobody else reads."""
    wanted, found = set(results), list[Let]()
    for let in reversed(body):
        if wanted.intersection(let.outputs) or not isinstance(let.op, Filter | Pointwise | Spline):
            wanted |= set(let.fed.values())
            found.append(let)
    return tuple(reversed(found))


class _Chain:
    """What makes the argument of a transposed filter."""

    def __init__(self, made: Mapping[str, Let], numbers: Collection[str], op: TransposedFilter) -> None:
        self.made, self.numbers = made, numbers
        self.node = Filter(**{f.name: getattr(op, f.name) for f in fields(op) if f.name != "role"})
        self.filtered: dict[str, str] = {}  # responses, and of what
        self.pieces: dict[tuple[Spline, str], tuple[str, str]] = {}  # of splines of responses
        self.lets: dict[str, Let] = {}
        self.constants: dict[sp.Expr, sp.Symbol] = {}
        self.slots: dict[str, str] = {}  # of what constants are made of

    def activation(self, let: Let) -> Let | None:
        """None where the argument is made of something else."""
        end = let.fed["p"]
        if not self.add(end) or not self.filtered:
            return None
        body = list(self.lets.values())
        if end in self.filtered:
            q = sp.Symbol("_q", real=True)
            body = [Let(("flux",), Pointwise((q,), "flux"), (("_q", end),), ("flux",))]
            end = "flux"
        numbered = {v: k for k, v in enumerate(self.filtered)}
        pieces = (v for own in self.pieces.values() for v in own)
        parameters = tuple((v, "response") for v in (*self.filtered, *pieces))
        flux = Function("flux", parameters, tuple(body), (end,))
        splines = tuple((spline, numbered[v]) for spline, v in self.pieces)
        numbers = tuple(guarded(e, set(self.slots.values())) for e in self.constants)
        op = Activation(self.node, flux, numbers, tuple(self.constants.values()), splines)
        arrays = tuple((f"u{k}", v) for k, v in enumerate(self.filtered.values()))
        return replace(let, op=op, inputs=(*arrays, *((slot, v) for v, slot in self.slots.items())))

    def add(self, value: str) -> bool:
        """Whether a value is made of responses and of numbers."""
        let = self.made.get(value)
        if value in self.filtered or (let is not None and let.outputs[0] in self.lets):
            return True
        if let is None:
            return False
        if isinstance(let.op, Filter):
            self.filtered[value] = let.fed["u"]
            return let.op == self.node
        if isinstance(let.op, Spline):
            return self.add(let.fed["q"]) and self.spline(let, let.op)
        if not isinstance(let.op, Pointwise) or let.op.role == CHANNEL_SUM:
            return False
        varying = {slot: v for slot, v in let.fed.items() if v not in self.numbers}
        if not all(self.add(v) for v in varying.values()):
            return False
        own = {slot: self.slot(v) for slot, v in let.fed.items() if slot not in varying}
        expressions = []
        for expression in let.op.expressions:
            whole = expression.subs(dict(let.op.weights))
            names = {s: _like(own[s.name], s) for s in whole.free_symbols if s.name in own}
            expressions.append(self.hoisted(whole.xreplace(names), varying.keys()))
        op = replace(let.op, expressions=tuple(expressions), weights=())
        self.lets[let.outputs[0]] = replace(let, op=op, inputs=tuple(varying.items()))
        return True

    def spline(self, let: Let, op: Spline) -> bool:
        """Whether a spline is one of a response: slope q + offset of the piece that q is in."""
        q, key = let.fed["q"], (replace(op, quotient=False), let.fed["q"])
        if q not in self.filtered:
            return False
        k = len(self.pieces)
        slope, offset = self.pieces.setdefault(key, (f"slope:{k}", f"offset:{k}"))
        at, a, b = (sp.Symbol(f"_{name}", real=True) for name in ("q", "slope", "offset"))
        value = a * at + b
        if op.quotient:  # in the first piece the offset is 0
            value = a + b / sp.Piecewise((op.width, sp.Abs(at) < op.width), (at, True))
        fed = {"_q": q, "_slope": slope, "_offset": offset}
        self.lets[let.outputs[0]] = replace(let, op=Pointwise((value,), "flux"), inputs=tuple(fed.items()))
        return True

    def slot(self, value: str) -> str:
        """That of a number of each image."""
        if value not in self.slots:
            self.slots[value] = f"_n{len(self.slots)}"
        return self.slots[value]

    def hoisted(self, expression: sp.Basic, varying: Collection[str]) -> sp.Basic:
        """The expression with symbols for its largest parts that do not vary with responses."""

        def varies(part: sp.Basic) -> bool:
            return any(s.name in varying for s in part.free_symbols)

        if not expression.free_symbols or (expression.is_Symbol and varies(expression)):
            return expression
        if not varies(expression):
            if not isinstance(expression, sp.Expr):
                return expression.func(*(self.hoisted(a, varying) for a in expression.args))
            number, rest = expression.as_coeff_Mul()
            return number * self.constant(rest)
        if isinstance(expression, sp.Add | sp.Mul):
            fixed = [a for a in expression.args if a.free_symbols and not varies(a)]
            others = [self.hoisted(a, varying) for a in expression.args if a not in fixed]
            whole = [self.hoisted(expression.func(*fixed), varying)] if fixed else []
            return expression.func(*whole, *others)
        return expression.func(*(self.hoisted(a, varying) for a in expression.args))

    def constant(self, expression: sp.Expr) -> sp.Symbol:
        if expression not in self.constants:
            self.constants[expression] = _like(f"_c{len(self.constants)}", expression)
        return self.constants[expression]


def _like(name: str, expression: sp.Expr) -> sp.Symbol:
    """A symbol of the sign of an expression."""
    known = {"real": True}
    for sign in ("positive", "negative", "nonnegative", "nonpositive"):
        if getattr(expression, f"is_{sign}"):
            known = {sign: True}
            break
    return sp.Symbol(name, **known)
