"""A problem with its scheme and grid, and the same as plain data for certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import partial
from html import escape
from typing import Any

import sympy as sp

from pde2net.errors import DeclarationError
from pde2net.language.assumptions import OF_FIELDS, assumed
from pde2net.language.exact import chosen
from pde2net.language.expressions import from_text, symbol_table, to_text
from pde2net.language.grid import Grid
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.problem import Problem
from pde2net.language.schemes import Scheme
from pde2net.language.sides import CLOSED, Side
from pde2net.language.spline import Spline, SplineFlux, splines_of
from pde2net.language.stored import scheme_expressions, scheme_from_data, scheme_to_data
from pde2net.later import later


@dataclass(frozen=True)
class Declaration:
    """What a network is compiled from: Declaration(problem, scheme, grid).

    scheme  None where none is chosen yet, as in a text that has no such line: then the attribute `scheme`
            raises DeclarationError, in `to_data` too; `to_text` leaves its line out
    """

    problem: Problem
    given: Scheme | None
    grid: Grid

    def __init__(self, problem: Problem, scheme: Scheme | None, grid: Grid) -> None:
        chosen(self, problem=problem, given=scheme, grid=grid)

    @property
    def has_scheme(self) -> bool:
        return self.given is not None

    @property
    def scheme(self) -> Scheme:
        if self.given is None:
            raise DeclarationError(
                "The declaration has a problem and a grid, but no scheme: choose one, "
                "p2n.compile(declared.problem, p2n.Explicit(tau=None, steps=10), declared.grid); "
                "p2n.advise(declared.problem, time=6) lists what fits."
            ).spelt("The text has no scheme: add one, scheme explicit(tau = largest, steps = 10).")
        return self.given

    def __repr__(self) -> str:
        return f"Declaration({self.problem}; {self.given or 'no scheme'}; {self.grid})"

    def _repr_html_(self) -> str:
        """The text, in notebooks."""
        return f"<pre>{escape(self.to_text())}</pre>"

    def to_text(self) -> str:
        """The declaration in the .pde language; `load` reads an equal one back, if its symbols are real.

        Raises DeclarationError for names that no text can have.
        """
        text: str = later("declaration_text")(self)
        return text

    def to_data(self) -> dict[str, Any]:
        """Numbers, lists, dictionaries and text, from which `from_data` rebuilds the declaration."""
        problem, grid = self.problem, self.grid
        space = problem.space
        operators = {k.name: _options(k) for k in problem.operators}
        splines = {f.name: _spline(f) for f in splines_of(problem.rhs)}
        arrays = {name: _listed(array.nested()) for name, array in problem.arrays.items()}
        bounds = {name: [*map(to_text, pair)] for name, pair in problem.bounds.items()}
        sizes = (*grid.spacings(space), *grid.origins(space), *scheme_expressions(self.scheme))
        sides = {a.name: [end and end.to_data() for end in pair] for a, pair in problem.sides.items()}
        expressions = [*problem.expressions, problem.time, *space, *sizes]
        return {
            "symbols": symbol_table(expressions),
            "unknowns": [str(u.func) for u in problem.unknowns],
            "space": [a.name for a in space],
            "fields": {str(f.func): [*assumed(f, OF_FIELDS)] for f in problem.fields},
            **({"bounds": bounds} if bounds else {}),
            "rhs": [to_text(e.rhs) for e in problem.equations],
            "channels": problem.channels,
            **({"operators": operators} if operators else {}),
            **({"splines": splines} if splines else {}),
            **({"arrays": arrays} if arrays else {}),
            "boundary": [problem.boundary[a] for a in space],
            **({"sides": sides} if sides else {}),
            **({} if problem.domain is None else {"domain": str(problem.domain.func)}),
            "parameters": {s.name: to_text(v) for s, v in problem.parameters.items()},
            "scheme": scheme_to_data(self.scheme),
            "grid": {
                "order": grid.order,
                "gradient": grid.gradient,
                "spacing": _entries(grid.spacing),
                "origin": _entries(grid.origin),
            },
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Declaration:
        """The declaration that `to_data` wrote.

        Raises KeyError, TypeError or ValueError for other data, and DeclarationError or EquationError
        for what is no valid declaration.
        """
        symbols = data["symbols"]

        def read(text: str, functions: Mapping[str, Any] | None = None) -> Any:
            return from_text(text, symbols, functions)

        space = tuple(read(name) for name in data["space"])
        time = read("t")
        functions = {name: sp.Function(name) for name in data["unknowns"]}
        unknowns = [f(*space, time) for f in functions.values()]
        for name, assumptions in data["fields"].items():
            known = {a: True for a in assumptions if a in OF_FIELDS}
            functions[name] = sp.Function(name, **known)
        for name, options in data.get("operators", {}).items():
            functions[name] = LinearOperator(name, *options)
        for name, (knots, reach, lower, upper, owner) in data.get("splines", {}).items():
            slopes, filters = (read(lower), read(upper)), functions[owner] if owner else None
            functions[name] = Spline(name, knots, read(reach), slopes, filters)
        boundary = dict(zip(space, data["boundary"], strict=True))
        for name, pair in data.get("sides", {}).items():
            of = partial(read, functions=functions)
            boundary[read(name)] = tuple(CLOSED if end is None else Side.from_data(end, of) for end in pair)
        sides = zip(unknowns, data["rhs"], strict=True)
        problem = Problem(
            [sp.Eq(sp.Derivative(u, time), read(rhs, functions), evaluate=False) for u, rhs in sides],
            boundary=boundary,
            parameters={
                **{name: read(value) for name, value in data["parameters"].items()},
                **{name: _numbers(value) for name, value in data.get("arrays", {}).items()},
            },
            channels=data["channels"],
            bounds={name: tuple(map(read, pair)) for name, pair in data.get("bounds", {}).items()},
            domain=functions[data["domain"]](*space) if "domain" in data else None,
        )
        axes = {a.name: a for a in space}

        def entries(value: Any) -> Any:
            if isinstance(value, Mapping):
                return {axes[name]: read(entry) for name, entry in value.items()}
            return read(value)

        grid = data["grid"]
        return cls(
            problem,
            scheme_from_data(data["scheme"], read),
            Grid(
                spacing=entries(grid["spacing"]),
                order=grid["order"],
                gradient=grid["gradient"],
                origin=entries(grid["origin"]),
            ),
        )


def _options(operator: LinearOperator) -> list[Any]:
    """The options of an operator; those that are usual are left out."""
    _, *found = astuple(operator)
    return found if found[2:] != ["inside", False, 1] else found[:2]


def _spline(flux: SplineFlux) -> list[Any]:
    _, knots, reach, lower, upper, _, owner = flux.options
    return [int(knots), *map(to_text, (reach, lower, upper)), str(owner)]


def _listed(nested: Any) -> Any:
    """Lists of numbers as text."""
    return [_listed(e) for e in nested] if isinstance(nested, list) else to_text(nested)


def _numbers(nested: Any) -> Any:
    return [_numbers(e) for e in nested] if isinstance(nested, list) else from_text(nested, {})


def _entries(value: Any) -> Any:
    """A number as text, or one per axis."""
    if isinstance(value, Mapping):
        return {str(axis): to_text(entry) for axis, entry in value.items()}
    return to_text(value)
