"""Declarations as text: what `text.build.read` reads back to the same objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.declaration import Declaration
from pde2net.language.grid import Grid
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.sides import Side, shown
from pde2net.language.solvers import Solver
from pde2net.language.stored import scheme_expressions
from pde2net.language.text.learned import learned_lines
from pde2net.language.text.printer import expression_text, written
from pde2net.language.text.write import keyword, sign_text

WIDTH = 10
WORDS = ("value", "flux", "robin")
_NAME = re.compile(r"[^\W\d]\w*")


def problem_text(problem: Problem) -> str:
    """The statements that declare a problem, one per line."""
    lines = [("unknown", f"{u}{_range(problem, u)}") for u in problem.unknowns]
    one = len(problem.unknowns) == 1
    lines += [("channels", str(problem.channels))] if problem.channels > 1 and one else []
    lines += learned_lines(problem)
    lines += [("field", f"{f}{sign_text(f)}{_range(problem, f)}") for f in problem.equation_fields]
    for symbol in problem.scalars:
        value = problem.parameters.get(symbol)
        shown = "" if value is None else f" = {expression_text(value, problem.space)}"
        lines.append(("parameter", f"{symbol.name}{sign_text(symbol)}{shown}"))
    functions = [u.func for u in problem.unknowns] + [f.func for f in problem.fields]
    for axis in (a for a in problem.space if str(a) in WORDS):
        raise DeclarationError(f'"{axis}" names no axis in a text: it is a word of conditions at sides.')
    for thing in (*functions, *problem.unknown.args, *problem.symbols, *problem.learned):
        if not _NAME.fullmatch(str(thing)):
            raise DeclarationError(f'"{thing}" is no name in a text: those have letters, digits and "_".')
    equations, definitions = written(problem)
    lines += [("let", f"{name} = {text}") for name, text in definitions]
    lines += [("equation", text) for text in equations]
    lines.append(("boundary", _boundary(problem)))
    lines += [] if problem.domain is None else [("domain", str(problem.domain))]
    return statements(lines)


def _range(problem: Problem, field: Any) -> str:
    """The declared bounds of a field or an unknown."""
    pair = problem.bounds.get(str(field.func))
    return f" in [{', '.join(expression_text(e, problem.space) for e in pair)}]" if pair else ""


def declaration_text(declaration: Declaration) -> str:
    """The statements that declare a problem, its grid and its scheme, if it has one."""
    problem, grid = declaration.problem, declaration.grid
    schemes = [declaration.scheme] if declaration.has_scheme else []
    entries = [*grid.spacings(problem.space), *grid.origins(problem.space)]
    entries += [e for scheme in schemes for e in scheme_expressions(scheme)]
    more = {s for e in entries for s in e.free_symbols} - set(problem.symbols) - set(problem.space)
    declared = [("parameter", f"{s.name}{sign_text(s)}") for s in sorted(more, key=lambda s: s.name)]
    lines = [*declared, ("grid", _grid(grid, problem.space))]
    lines += [("scheme", scheme_text(scheme, problem.space)) for scheme in schemes]
    return problem_text(problem) + statements(lines)


def _grid(grid: Grid, space: tuple[sp.Symbol, ...]) -> str:
    options = [*_entries("h", grid.spacing, space)]
    options += [f"order = {grid.order}"] if grid.order != 2 else []
    options += [f"gradient = {grid.gradient}"] if grid.gradient != "forward" else []
    options += _entries("origin", grid.origin, space) if grid.origin != 0 else []
    return ", ".join(options)


def _entries(name: str, value: Any, space: tuple[sp.Symbol, ...]) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}_{axis} = {expression_text(entry, space)}" for axis, entry in value.items()]
    return [f"{name} = {expression_text(value, space)}"]


def scheme_text(choice: Scheme | Solver, space: tuple[sp.Symbol, ...]) -> str:
    """A scheme or a solver with its options."""
    options = []
    for field in fields(choice):
        value = getattr(choice, field.name)
        if field.name == "tau" and value is None:
            options.append("tau = largest")
        elif isinstance(value, Solver):
            options.append(f"solver = {scheme_text(value, space)}")
        elif isinstance(value, sp.Basic):
            options.append(f"{field.name} = {expression_text(value, space)}")
        elif value is not None:
            options.append(f"{field.name} = {str(value).replace('-', '_')}")
    return f"{keyword(choice.label)}({', '.join(options)})"


def statements(lines: Iterable[tuple[str, str]]) -> str:
    return "".join(f"{keyword:<{WIDTH}}{rest}\n" for keyword, rest in lines)


def _boundary(problem: Problem) -> str:
    """One word for all axes, or what holds at the sides of each."""

    def text(side: Side) -> str:
        a, b, c = (expression_text(e, problem.space) for e in side.expressions)
        return side.text(a, b, c)

    return shown(problem.boundary, problem.sides, text)
