"""Stages in NumPy: loops over cells as operations on arrays; what is not known beyond a border is wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from program.evaluate import GUARDED

from pde2net.program.flatten import Call, Flat
from pde2net.program.kernels import Read, Rule, Stage, position, size

Array = NDArray[Any]
UNKNOWN = 1e3  # times what is not known: its products with 0 are 0


def evaluated(
    stages: Sequence[Stage],
    arrays: Mapping[str, Array],
    numbers: Mapping[sp.Symbol, float],
    shape: Sequence[int],
) -> dict[str, Any]:
    """All values that stages make, (channels, *spatial); sums over all cells are numbers."""
    found: dict[str, Any] = dict(arrays)
    for stage in stages:
        wide = tuple(n + 2 * m for n, m in zip(shape, stage.wide, strict=True))
        values: dict[sp.Symbol, Any] = {**numbers}
        for axis, (n, m) in enumerate(zip(shape, stage.wide, strict=True)):
            line = np.arange(-m, n + m, dtype=float)
            values[size(axis)] = n
            values[position(axis)] = line.reshape([-1 if a == axis else 1 for a in range(len(shape))])
        values |= {
            symbol: looked_up(found[read.value], read, shape, stage.wide) for symbol, read in stage.reads
        }
        for symbol, expression in stage.body:
            used, function = compiled(expression)
            value = function(*(values[s] for s in used))
            full = np.broadcast_shapes(np.shape(value), (stage.channels, *wide))
            values[symbol] = np.broadcast_to(value, full)
        for write in stage.writes:
            value = values[write.symbol]
            if stage.summed:
                value = value.sum(axis=0, keepdims=True)
            if write.total:
                found[write.value] = value.sum()
            elif write.channel is None:
                found[write.value] = value
            else:
                found.setdefault(write.value, {})[write.channel] = value
        for name, value in found.items():
            if isinstance(value, dict):
                found[name] = np.concatenate([value[c] for c in sorted(value)])
    return found


@functools.lru_cache(maxsize=4096)
def compiled(expression: sp.Expr) -> tuple[list[sp.Symbol], Callable[..., Any]]:
    """Its symbols, and the function of these."""
    used = sorted(expression.free_symbols, key=str)
    return used, GUARDED.function(used, expression)


def number(expression: sp.Expr, values: Mapping[sp.Symbol, sp.Expr]) -> float:
    return float(sp.sympify(expression).subs(values).subs(values))


def looked_up(array: Array, read: Read, shape: Sequence[int], wide: Sequence[int]) -> Array:
    """What is read at all cells of the image and `wide` more."""
    for axis, (n, m, d, rule) in enumerate(zip(shape, wide, read.offset, read.rules, strict=True), 1):
        beyond = (array.shape[axis] - n) // 2
        at = np.arange(-m, n + m) + d
        index, factor = continued(at, n, rule) if not beyond else (at + beyond, np.ones(len(at)))
        factor = np.where((index < 0) | (index >= n + 2 * beyond), UNKNOWN, factor)
        index = np.clip(index, 0, n + 2 * beyond - 1)
        line = factor.reshape([-1 if a == axis else 1 for a in range(array.ndim)])
        array = np.where(line == 0, 0, array.take(index, axis) * line)
    return array if read.channel is None else array[read.channel : read.channel + 1]


def continued(at: Array, n: int, rule: Rule | None) -> tuple[Array, Array]:
    """The cells that stand for others, and their factors."""
    inside = (at >= 0) & (at < n)
    if rule is None:
        return at, np.ones(len(at))
    if rule.repeats:
        return np.clip(at, 0, n - 1), np.ones(len(at))
    factor = np.where(inside, 1.0, rule.factor)
    if rule.wraps:
        return at % n, factor
    if rule.factor == 0:
        return np.clip(at, 0, n - 1), factor
    index = np.where(at < 0, -1 - rule.edge - at, np.where(inside, at, 2 * n - 1 - rule.edge - at))
    if rule.edge:
        factor[(index < 0) | (index == n - 1)] = 0
    return np.maximum(index, 0), factor


def numbers(call: Call, made: Flat, values: Mapping[sp.Symbol, sp.Expr]) -> dict[sp.Symbol, float]:
    """What stands for the same number in all cells."""
    weights = made.weights[call.line]
    return {s: number(weights.get(s, s), values) for s in call.stage.numbers}


def calls(made: Flat, arrays: Mapping[str, Array], values: Mapping[sp.Symbol, sp.Expr]) -> dict[str, Any]:
    """All arrays and sums that calls make, one after the other."""
    found: dict[str, Any] = dict(arrays)
    shape = next(iter(arrays.values())).shape[1:]
    for call in made.calls:
        own = {v: found[n] for v, n in call.arrays.items() if n in found}
        results = evaluated([call.stage], own, numbers(call, made, values), shape)
        found |= {call.arrays[w.value]: results[w.value] for w in call.stage.writes}
    return found
