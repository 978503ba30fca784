"""The statements of texts that declare what is learned: operators, splines, values per filter, inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sympy as sp

from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.language.spline import SplineFlux, splines_of
from pde2net.language.symbols import FilterParameter
from pde2net.language.text.write import sign_text


def learned_lines(problem: Problem) -> Iterator[tuple[str, str]]:
    """(keyword, rest) of each, operators first, which others refer to."""

    def values(name: str) -> str:
        found = problem.arrays.get(name)
        return "" if found is None else f" = {_vector(found.nested())}"

    for operator in problem.operators:
        yield "operator", f"{_operator(operator)}{values(operator.name)}"
    for flux in splines_of(problem.rhs):
        yield "spline", f"{_spline(flux)}{values(flux.name)}"
    for symbol in problem.symbols:
        if isinstance(symbol, FilterParameter):
            found = problem.arrays.get(symbol.name)
            same = found is not None and len(set(found.entries)) == 1
            shown = f" = {found.entries[0]}" if found is not None and same else values(symbol.name)
            yield "parameter", f"{symbol.name}[{symbol.owner}]{sign_text(symbol)}{shown}"
    for symbol in problem.inputs:
        yield "input", f"{symbol.name}{sign_text(symbol)}"


def _operator(operator: LinearOperator) -> str:
    options = [f"out = {operator.out_channels}", f"size = {operator.kernel_size}"]
    options += [f"border = {operator.border}"] if operator.border != "inside" else []
    options += ["zero_mean = true"] if operator.zero_mean else []
    options += [f"scale = {operator.scale}"] if operator.scale != 1 else []
    return f"{operator}({', '.join(options)})"


def _spline(flux: SplineFlux) -> str:
    _, knots, reach, lower, upper, _, owner = flux.options
    options = [f"knots = {knots}", f"reach = {reach}", f"lower = {lower}", f"upper = {upper}"]
    options += [f"filters = {owner}"] if str(owner) else []
    return f"{flux.name}({', '.join(options)})"


def _vector(nested: Any) -> str:
    if isinstance(nested, sp.Expr):
        return str(nested)
    return f"[{', '.join(map(_vector, nested))}]"
