"""What several operations of a function compute is computed once."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import sympy as sp

from pde2net.graph.nodes import CHANNEL_SUM, Pointwise
from pde2net.program.records import Function, Let, Program


def merge(function: Function) -> Function:
    """The same function without operations that others have done, and without those of no use.

    Expressions are compared in terms of what is no part of one: parts may be chosen in several ways.
    """
    same: dict[str, str] = {}
    parts: dict[str, sp.Expr] = {}
    done: dict[Hashable, tuple[str, ...]] = {}
    body: list[Let] = []
    for let in function.body:
        let = let.with_inputs(same)
        key: Hashable = (let.op, let.inputs)
        if isinstance(let.op, Pointwise):
            whole = _whole(let, let.op, parts)
            parts |= zip(let.outputs if let.passing else (), whole, strict=False)
            key = (whole, let.op.weights, let.op.role == CHANNEL_SUM)
        if key in done:
            same |= dict(zip(let.outputs, done[key], strict=True))
        else:
            done[key] = let.outputs
            body.append(let)
    results = tuple(same.get(v, v) for v in function.results)
    return replace(function, body=_used(body, results), results=results)


def join(program: Program) -> Program:
    """The same program, whose blocks are handed once what their cycle computes once."""
    if not program.frozen:
        return program
    once, block = program["diffusivities"], program["forward"]
    first = dict(zip(reversed(once.results), reversed([value for value, _ in program.frozen]), strict=True))
    same = {value: first[result] for (value, _), result in zip(program.frozen, once.results, strict=True)}
    kept = tuple(given for given in program.frozen if same[given[0]] == given[0])
    changed = {
        once.name: replace(once, results=tuple(dict.fromkeys(once.results))),
        block.name: merge(
            replace(
                block,
                parameters=tuple(p for p in block.parameters if same.get(p[0], p[0]) == p[0]),
                body=tuple(let.with_inputs(same) for let in block.body),
            )
        ),
    }
    return replace(program, functions=tuple(changed.get(f.name, f) for f in program.functions), frozen=kept)


def _whole(let: Let, op: Pointwise, parts: dict[str, sp.Expr]) -> tuple[sp.Expr, ...]:
    """The expressions of an operation in terms of values that are no parts."""
    fed = let.fed
    values = {s: fed[s.name] for e in op.expressions for s in e.free_symbols if s.name in fed}
    names = {s: parts.get(v, sp.Symbol(f"@{v}", real=True)) for s, v in values.items()}
    return tuple(e.xreplace(names) for e in op.expressions)


def _used(body: list[Let], results: tuple[str, ...]) -> tuple[Let, ...]:
    """The operations that results depend on."""
    wanted, found = set(results), list[Let]()
    for let in reversed(body):
        if wanted.intersection(let.outputs):
            wanted |= set(let.fed.values())
            found.append(let)
    return tuple(reversed(found))
