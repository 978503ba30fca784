"""Functions of programs in NumPy, operation by operation, with the meaning that the interpreter gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from pde2net.discretise import filters as banks
from pde2net.discretise.arrays import Array
from pde2net.graph.interpret import FLOAT, Interpreter
from pde2net.graph.nodes import EdgeMean, Pad
from pde2net.program.guard import AtLeast, AwayFromZero, Where
from pde2net.program.records import (
    FilterSlope,
    Fold,
    Function,
    Line,
    Loop,
    Op,
    Reversed,
    Total,
    Transposed,
)


def _function(symbols: Sequence[sp.Symbol], expression: sp.Expr) -> Callable[..., Any]:
    """A function of arrays, of a guarded expression."""
    tiny = sp.Float(np.finfo(float).tiny)
    plain = expression.replace(Where, lambda at, a, b: sp.Piecewise((a, _condition(at)), (b, True)))
    plain = plain.replace(AtLeast, sp.Max).replace(AwayFromZero, lambda x, power: sp.Max(x, tiny**power))
    found: Callable[..., Any] = FLOAT.function(symbols, plain)
    return found


def _condition(found: sp.Basic) -> sp.Basic:
    """A condition, which `share` may have made a part: then it is a number here, 0 or 1."""
    return sp.Ne(found, 0) if found.is_Symbol else found


GUARDED = replace(FLOAT, function=_function)  # for the interpreter of functions after `guard`


class Evaluation:
    """Evaluates functions for arrays as the interpreter has them, which has loaded states and fields."""

    def __init__(self, run: Interpreter) -> None:
        self.run = run

    def __call__(self, function: Function, arrays: Sequence[Any]) -> tuple[Any, ...]:
        """The results for the parameters of a function, in their order."""
        values = dict(zip((v for v, _ in function.parameters), arrays, strict=True))
        for let in function.body:
            fed = {slot: values[v] for slot, v in let.inputs}
            values |= zip(let.outputs, self.step(let.op, fed), strict=True)
        return tuple(values[v] for v in function.results)

    def step(self, op: Op, fed: Mapping[str, Array]) -> tuple[Any, ...]:
        """The outputs of one operation."""
        if isinstance(op, Loop):
            return (self.passes(op, fed)[-1],)
        if isinstance(op, Reversed):
            return self.reversed(op, fed)
        if isinstance(op, Line):
            return self.run.evaluate(op.node, {})
        if isinstance(op, Transposed):
            return (self.transposed(op, *fed.values()),)
        if isinstance(op, Fold):
            return (folded(fed["a"], fed["like"].shape),)
        if isinstance(op, Total):
            return (fed["a"].sum(),)
        if isinstance(op, FilterSlope):
            return (self.filter_slope(op, fed["u"], fed["p"]),)
        return self.run.evaluate(op, fed)  # type: ignore[arg-type]  # others are nodes

    def arguments(self, op: Loop, fed: Mapping[str, Any], states: Sequence[Any], number: int) -> list[Any]:
        """What the body of a loop is handed in a pass, whose weights are set."""
        self.run.scope |= op.repeat.weights(number)
        own = {op.body.parameters[0][0]: states[number], op.previous: states[max(number - 1, 0)]}
        return [own.get(v, fed.get(v)) for v, _ in op.body.parameters]

    def passes(self, op: Loop, fed: Mapping[str, Array]) -> list[Array]:
        """The states before each pass, and that after the last one."""
        states = [fed["start"]]
        for number in range(op.repeat.count):
            states += self(op.body, self.arguments(op, fed, states, number))
        return states

    def reversed(self, op: Reversed, fed: Mapping[str, Any]) -> tuple[Any, ...]:
        """From the last pass to the first; weights of a pass may be expressions in symbols."""
        loop, states = op.loop, self.passes(op.loop, fed)
        cotangents: list[Any] = [0.0 * s for s in states]
        cotangents[-1] = fed["cotangent"]
        handed = [v for v, _ in loop.body.parameters]
        found: list[Any] = []
        for number in reversed(range(loop.repeat.count)):
            arguments = self.arguments(loop, fed, states, number)
            slopes = iter(self(op.backward, [*arguments, cotangents[number + 1]]))
            of_handed = {v: next(slopes) for v in handed}
            of_symbols = {s: next(slopes) for s in op.symbols}
            cotangents[number] = cotangents[number] + of_handed.pop(handed[0])
            if loop.previous:
                before = max(number - 1, 0)
                cotangents[before] = cotangents[before] + of_handed.pop(loop.previous)
            for _, now in sorted(loop.repeat.weights(number).items(), key=lambda pair: str(pair[0])):
                slope = next(slopes)
                for symbol in op.symbols:
                    inner = self.run.number(self.run.value(now.diff(symbol)))
                    of_symbols[symbol] = of_symbols[symbol] + slope * inner
            new = [*of_handed.values(), *of_symbols.values(), *slopes]
            found = [a + b for a, b in zip(found, new, strict=True)] if found else new
        return (cotangents[0], *found)

    def transposed(self, op: Transposed, array: Array) -> Array:
        node = op.node
        if isinstance(node, EdgeMean):
            lines = np.moveaxis(array, node.axis, 0) / 2
            after = np.roll(lines, 1, 0)
            if node.closure == "reflecting":
                after[0] = 0.0
                after[-1] += lines[-1]
            return np.moveaxis(lines + after, 0, node.axis)
        if isinstance(node, Pad):
            for axis, width in enumerate(node.margin):
                lines = np.moveaxis(array, axis, 0)
                inner = lines[width : len(lines) - width].copy()
                inner[0] += lines[:width].sum(0)
                inner[-1] += lines[len(lines) - width :].sum(0)
                array = np.moveaxis(inner, 0, axis)
            return array
        at = self.run.dimension
        found = np.zeros((*array.shape[:at], self.run.channels, *array.shape[at + 1 :]))
        found[(*[slice(None)] * at, slice(node.index, node.index + 1))] = array
        return found

    def filter_slope(self, op: FilterSlope, u: Array, p: Array) -> Array:
        """The response is linear in the weights: its products with p, tap by tap."""
        channels, size = self.run.channels, (op.node.kernel_size,) * self.run.dimension
        u, p = np.moveaxis(u, -1, -2) if channels > 1 else u[..., None], np.moveaxis(p, -1, -2)
        found = np.zeros((p.shape[-1], channels, *size))
        for tap in np.ndindex(channels, *size):
            unit = np.zeros((1, channels, *size))
            unit[(0, *tap)] = 1
            response = banks.response(unit, u, op.node.boundary)
            found[(slice(None), *tap)] = (p * response).sum(axis=tuple(range(p.ndim - 1)))
        return found


def folded(array: Array, shape: Sequence[int]) -> Array:
    """Sums over the axes along which `shape` has one entry."""
    array = np.broadcast_to(array, np.broadcast_shapes(array.shape, tuple(shape)))
    axes = tuple(i for i, n in enumerate(shape) if n == 1)
    found: Array = array.sum(axis=axes, keepdims=True)
    return found
