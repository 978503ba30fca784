"""The declaration of an initial value problem u_t = F(u, grad u, ..., x, known fields)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import DeclarationError, EquationError, known_options
from pde2net.language import learned_values
from pde2net.language.arrays import Array
from pde2net.language.assumptions import check_field, check_unknown, position
from pde2net.language.bounds import LINE as EVERYTHING
from pde2net.language.bounds import Interval, checked_bounds, written
from pde2net.language.calculus import TIME_NAME
from pde2net.language.checks import (
    check_defined,
    check_nodes,
    checked_equations,
    checked_values,
)
from pde2net.language.difference_quotients import diagnosis
from pde2net.language.domain import checked_domain
from pde2net.language.exact import rationalise
from pde2net.language.linear_operator import Chain, LinearOperator, norm_symbol, operators_of
from pde2net.language.sides import Pair, Side, checked_boundary, declared, expressions, shown
from pde2net.language.spline import SplineFlux, splines_of
from pde2net.language.symbols import FilterParameter, Input
from pde2net.language.traversal import atoms, nodes
from pde2net.later import later

LINE = 80  # characters of equations that stand in one
# Symbols of slots, of variables of loops and of ranges begin so.
_INTERNAL = re.compile(r"[_|(].*")


@dataclass(frozen=True)
class Problem:
    """An evolution equation, or several, with boundary conditions and parameter values.

    equation    sp.Eq(u.diff(t), right-hand side), u a function of 1 to 3 spatial variables and t; a list
                of them is a system, whose unknowns are the channels of one image, in that order
    boundary    "reflecting" (no flux, the default), "periodic", "dirichlet" (zero outside the grid),
                or one of them per axis: {x: "periodic", y: "reflecting"}; at a side value(c), flux(q) or
                robin(a, b, c), for both or each: {x: (value(1), flux(0)), y: "reflecting"}
    parameters  default values of the free symbols, {symbol or name: number}; of what is learned arrays:
                filters of operators, a value per filter (or one for all) of `K.parameter`, slopes of splines
    bounds      intervals of known fields and unknowns, {c: (0, 1), D: (0, oo), u: (0, M)}, a parameter M at
                its value: what is proved assumes them, which the certificate says, and networks refuse other
                values. That of an unknown is one of initial values: that later ones lie there is proved, or
                not used
    domain      a known field m with values 0 and 1: the equation holds in the cells with m = 1, and nothing
                flows between them and the others, which keep their values (theory.md, section 2)
    channels    of a vector-valued image u, such as 3 of a colour image: each evolves by the equation, with
                squared norms over all of them, |grad u|^2 = sum_c |grad u_c|^2, in the diffusivity

    Of the coordinates and of t only that they are real is assumed: the grid says where cells lie.
    Parameters may be assumed positive, nonnegative, negative, nonpositive, nonzero, real or integer, known
    fields one of the first four or real; values are checked, and `compile` refuses other assumptions.
    Coefficients may contain t, which starts at 0 (theory.md, section 4.17): c(t)*laplacian(u).
    Functions without t, such as sp.Function("f")(x, y), are known fields. Numbers are read as the
    decimals they were written as and kept exact.

    Attributes derived from the declaration: `unknown` u(x, ..., t), `time`, `space` (the spatial
    symbols in order), `rhs`, `fields` (known fields, sorted by name), `symbols` (parameters); of a
    system `unknowns` and `equations`, `unknown` is the first one and `rhs` a sp.Tuple.

    Raises EquationError for what is not a first-order evolution equation of one unknown, and
    DeclarationError for a boundary or parameter that is not valid.
    """

    equation: sp.Eq | tuple[sp.Eq, ...]
    boundary: Any = "reflecting"
    parameters: Mapping[Any, Any] = field(default_factory=dict)
    channels: int = 1
    bounds: Mapping[str, Interval] = field(default_factory=dict)
    domain: AppliedUndef | None = None
    sides: Mapping[sp.Symbol, Pair] = field(default_factory=dict, init=False)
    written_bounds: Mapping[Any, Any] = field(default_factory=dict, init=False, compare=False, repr=False)
    arrays: Mapping[str, Array] = field(default_factory=dict, init=False)

    @known_options
    def __init__(
        self,
        equation: sp.Eq | Sequence[sp.Eq],
        boundary: Any = "reflecting",
        parameters: Mapping[Any, Any] | None = None,
        channels: int = 1,
        bounds: Mapping[Any, Any] | None = None,
        domain: AppliedUndef | None = None,
    ) -> None:
        if type(channels) is not int or channels < 1:
            raise DeclarationError(f"channels is the number of channels of u, 1 or more, not {channels!r}.")
        given = checked_equations(equation, channels)
        set_ = object.__setattr__
        places = {a: position(a) for a in given[0].lhs.expr.args}
        sides = ((e.lhs.xreplace(places), rationalise(e.rhs).xreplace(places)) for e in given)
        kept = tuple(sp.Eq(*pair, evaluate=False) for pair in sides)
        set_(self, "equation", kept[0] if len(kept) == 1 else kept)
        space = tuple(a for a in places.values() if a.name != TIME_NAME)
        names, conditions = checked_boundary(boundary, space)
        set_(self, "boundary", names)
        set_(self, "parameters", MappingProxyType({}))
        set_(self, "arrays", MappingProxyType({}))
        set_(self, "domain", None)
        set_(self, "channels", channels if len(kept) == 1 else len(kept))
        for e in kept:
            check_nodes(e.rhs)
        set_(self, "sides", MappingProxyType(_placed(conditions, places, self)))
        set_(self, "domain", checked_domain(domain, places, self.expressions))
        _check_functions(self)
        if not isinstance(parameters or {}, Mapping):
            raise DeclarationError(
                f"parameters maps symbols or names to numbers, {{lam: 1}}, not {parameters!r}."
            )
        plain, learned = learned_values.split(parameters or {}, self.learned)
        set_(self, "parameters", MappingProxyType(checked_values(self.scalars, plain)))
        set_(self, "arrays", MappingProxyType(dict(self._checked(learned))))
        known = (self.fields, self.unknowns, self.domain, self.parameters)
        set_(self, "bounds", checked_bounds(bounds, *known))
        set_(self, "written_bounds", MappingProxyType(dict(bounds or {})))
        for e in kept:
            check_defined(e.rhs, self.parameters)

    @property
    def equations(self) -> tuple[sp.Eq, ...]:
        return self.equation if isinstance(self.equation, tuple) else (self.equation,)

    @property
    def unknowns(self) -> tuple[AppliedUndef, ...]:
        return tuple(e.lhs.expr for e in self.equations)

    @property
    def unknown(self) -> AppliedUndef:
        return self.unknowns[0]

    @property
    def time(self) -> sp.Symbol:
        return self.equations[0].lhs.variables[0]

    @cached_property
    def depends_on_time(self) -> bool:
        """Whether coefficients contain t itself, as in exp(-t)*laplacian(u); the problem starts at t = 0."""
        return any(self.time in nodes(e, without=self.unknowns) for e in self.expressions)

    @property
    def parts(self) -> tuple[Problem, ...]:
        """Each equation of a system by itself, with the other unknowns as known fields of any values."""
        return self.apart(within=False)

    def apart(self, within: bool) -> tuple[Problem, ...]:
        """The same; `within` their declared bounds, if those are known to be kept."""
        fields = {u: u.func(*self.space) for u in self.unknowns}
        found = []
        for equation in self.equations:
            others = {u: f for u, f in fields.items() if u != equation.lhs.expr}
            rhs = equation.rhs.xreplace(others)
            used = rhs.free_symbols.union(*(e.free_symbols for e in expressions(self.sides)))
            values = {s: v for s, v in self.parameters.items() if s in used}
            own = sp.Eq(equation.lhs, rhs, evaluate=False)
            names = {str(f.func) for f in (*atoms(rhs, AppliedUndef), equation.lhs.expr)}
            names |= {str(f.func) for e in expressions(self.sides) for f in atoms(e, AppliedUndef)}
            free = set() if within else {str(f.func) for f in others.values()}
            bounds = {n: pair for n, pair in self.bounds.items() if n in names - free}
            found.append(self.changed(equation=own, parameters=values, channels=1, bounds=bounds))
        return tuple(found)

    @property
    def space(self) -> tuple[sp.Symbol, ...]:
        return tuple(a for a in self.unknown.args if a != self.time)

    @property
    def rhs(self) -> sp.Expr:
        if isinstance(self.equation, tuple):
            return sp.Tuple(*(e.rhs for e in self.equation))
        return self.equation.rhs

    @property
    def ranges(self) -> tuple[Interval, ...] | None:
        """Where the initial values of the unknowns lie, in their order; None if nothing is declared."""
        found = tuple(self.interval(u) for u in self.unknowns)
        return None if all(pair == EVERYTHING for pair in found) else found

    @property
    def expressions(self) -> tuple[sp.Expr, ...]:
        """The right-hand side, and what stands in conditions at sides."""
        return (self.rhs, *expressions(self.sides))

    @cached_property
    def fields(self) -> tuple[AppliedUndef, ...]:
        """All that the network is given: those of the equation and of conditions at sides, and the domain."""
        found = set().union(*(atoms(e, AppliedUndef) for e in self.expressions)) - set(self.unknowns)
        found |= set() if self.domain is None else {self.domain}
        return tuple(sorted(found, key=lambda f: str(f.func)))

    @property
    def equation_fields(self) -> tuple[AppliedUndef, ...]:
        """Those without the domain."""
        return tuple(f for f in self.fields if f != self.domain)

    @cached_property
    def operators(self) -> tuple[LinearOperator, ...]:
        """The learned operators, sorted by name."""
        return operators_of(self.rhs)

    @cached_property
    def symbols(self) -> tuple[sp.Symbol, ...]:
        """The parameters: free symbols other than space and time, sorted by name."""
        found = set().union(*(e.free_symbols for e in self.expressions)) - set(self.space) - {self.time}
        return tuple(sorted(found, key=lambda s: s.name))

    @cached_property
    def scalars(self) -> tuple[sp.Symbol, ...]:
        """Those parameters that are single numbers of the network."""
        return tuple(s for s in self.symbols if not isinstance(s, FilterParameter | Input))

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The numbers that are given when the network is called, sorted by name."""
        return tuple(s for s in self.symbols if isinstance(s, Input))

    def _checked(self, given: Mapping[str, Any]) -> Iterator[tuple[str, Array]]:
        """The values of what is learned, by name."""
        owners, shapes = {k.name: k for k in self.operators}, self.filter_shapes
        for name in sorted(given):
            thing = self.learned[name]
            yield name, learned_values.checked(name, thing, given[name], owners, shapes.get(name))

    @cached_property
    def learned(self) -> dict[str, Any]:
        """What is no plain parameter, by name: operators, fluxes of splines, symbols per filter, inputs."""
        own = [s for s in self.symbols if isinstance(s, FilterParameter | Input)]
        found = {str(thing): thing for thing in (*self.operators, *own)}
        return found | {flux.name: flux for flux in splines_of(self.rhs)}

    @cached_property
    def filter_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of the weights of each operator by name: (out_channels, channels, *size)."""
        found = learned_values.channels_of(self.rhs, self.channels)
        sizes = {k: (k.kernel_size,) * len(self.space) for k in found}
        return {k.name: (k.out_channels, count, *sizes[k]) for k, count in found.items()}

    @property
    def given(self) -> dict[Any, Any]:
        """All values, as `parameters` of a problem takes them."""
        return {**self.parameters, **{name: value.nested() for name, value in self.arrays.items()}}

    def changed(self, **options: Any) -> Problem:
        """The same problem with other options; bounds of fields that a new equation lacks are left out."""
        boundary = declared(self.boundary, self.sides)
        same = {"equation": self.equation, "boundary": boundary, "parameters": self.given}
        equations = options.get("equation", self.equations)
        several = equations if isinstance(equations, list | tuple) else [equations]
        found = [*(side for e in several for side in e.args), *expressions(self.sides)]
        names = {str(f.func) for e in found for f in atoms(e, AppliedUndef)}
        bounds = {name: pair for name, pair in self.bounds.items() if name in names}
        own = {"channels": self.channels, "bounds": bounds, "domain": self.domain}
        return Problem(**{**same, **own, **options})

    def valued(self, values: Mapping[Any, Any]) -> Problem:
        """The same problem with other values of some parameters, in its bounds as well."""
        return self.changed(parameters={**self.given, **values}, bounds=self.written_bounds)

    def interval(self, field: Any) -> Interval:
        """Where the values of a field or unknown lie: its bounds, by name."""
        return self.bounds.get(str(field.func if isinstance(field, AppliedUndef) else field), EVERYTHING)

    def __reduce__(self) -> tuple[Any, ...]:
        values = (self.given, self.channels, dict(self.bounds), self.domain)
        return Problem, (self.equation, declared(self.boundary, self.sides), *values)

    def __hash__(self) -> int:
        values = tuple(self.parameters.items()), tuple(self.arrays.items()), tuple(self.bounds.items())
        borders = tuple(self.boundary.items()), tuple(self.sides.items())
        return hash((self.equation, borders, values, self.channels, self.domain))

    def __str__(self) -> str:
        one = len(self.equations) == 1
        values = f", {self.channels} channels" if self.channels > 1 and one else ""
        values += "".join(f", {s} = {v}" for s, v in self.parameters.items())
        values += "".join(f", {name} in {written(pair)}" for name, pair in self.bounds.items())
        equations, definitions = later("written")(self)
        between = "; " if sum(map(len, equations)) < LINE else "\n"
        lines = [f"{between.join(equations)}  ({where(self)}{values})"]
        return "\n".join([*lines, *(f"    where {name} = {text}" for name, text in definitions)])

    def __repr__(self) -> str:
        return f"Problem({self})"

    @property
    def energy(self) -> sp.Expr | None:
        """The density W of an energy E(u) = int W dx with u_t = -dE/du; None where none was found.

        `gradient_flow(problem.energy, problem.unknown)` is proved to be the equation.
        Raises EquationError if the equation is no diffusion PDE.
        """
        density: sp.Expr | None = later("energy_of")(self)
        return density

    def to_text(self) -> str:
        """The problem in the .pde language; `load` reads an equal one back, if its symbols are real.

        Raises DeclarationError for names that no text can have.
        """
        text: str = later("problem_text")(self)
        return text

    def _repr_latex_(self) -> str:
        text: str = later("equations_latex")(self)
        return text


def where(problem: Problem) -> str:
    """The borders of a problem, and its domain."""
    borders = shown(problem.boundary, problem.sides)
    return borders if problem.domain is None else f"{borders}, in {problem.domain.func} = 1"


def _placed(
    conditions: Mapping[sp.Symbol, Pair], places: Mapping[sp.Symbol, sp.Symbol], problem: Problem
) -> dict[sp.Symbol, Pair]:
    """Conditions at sides in the coordinates of a problem. Raises DeclarationError for unknowns in them."""

    def placed(end: Side | None) -> Side | None:
        if end is None:
            return None
        a, b, c = (rationalise(e).xreplace(places) for e in end.expressions)
        for e in (a, b, c):
            check_nodes(e)
            if atoms(e, AppliedUndef) & set(problem.unknowns) or e.has(sp.Derivative):
                raise DeclarationError(
                    f"The condition {end} is made of numbers, parameters, {problem.time}, positions and "
                    "known fields."
                )
        return Side(a, b, c, end.through)

    return {axis: (placed(first), placed(last)) for axis, (first, last) in conditions.items()}


def _check_functions(problem: Problem) -> None:
    """Refuse fields that are no functions of space, and names that the compiler uses or that stand twice."""
    unknown = problem.unknown
    names: dict[str, Any] = {}
    for own in problem.unknowns:
        check_unknown(own)
    for function in problem.fields:
        check_field(function)
        for own_unknown in problem.unknowns:
            if function.func == own_unknown.func:
                raise EquationError(diagnosis(function, own_unknown, problem.rhs))
        if not all(argument.is_Symbol for argument in function.args):
            raise EquationError(
                f"{function.func} in {function} is not defined; write its formula, for example "
                "one of pde2net.diffusivities."
            )
        if problem.time in function.args:
            raise EquationError(
                f"{function} depends on {problem.time}: only the unknown {unknown} may; a known "
                "field is a function of space alone."
            )
        if not function.args or set(function.args) - set(problem.space):
            raise EquationError(
                f"The known field {function} must be a function of {', '.join(map(str, problem.space))}."
            )
        if function.args != problem.space:
            raise EquationError(
                f"The known field {function} must have all the spatial arguments in order: "
                f"{function.func}({', '.join(map(str, problem.space))})."
            )
    if problem.operators and len(problem.unknowns) > 1:
        lead = "Systems take no learned operators yet; channels of one equation do:"
        raise EquationError(f"{lead} Problem(..., channels=2).").spelt(f"{lead} channels 2.")
    own = {"tau", "s2"} | {f"{axis}_{end}" for axis in problem.sides for end in ("first", "last")}
    for name in (u.func.__name__ for u in problem.unknowns):
        own |= {f"D_{name}"} | {f"{name}_{a}" for a in problem.space}
        own |= {f"{name}_{a}{b}" for a in problem.space for b in problem.space}
        own |= {f"{operator}_{name}" for operator in problem.operators}
    own |= {norm_symbol(Chain((operator,))).name for operator in problem.operators}
    functions = [f.func for f in (*problem.fields, *problem.unknowns)]
    for thing in (*problem.symbols, *functions, *problem.learned):
        if str(thing) in own or _INTERNAL.fullmatch(str(thing)):
            raise DeclarationError(
                f'"{thing}" is a name that the compiler uses (tau for the time step, '
                f"{unknown.func}_{problem.space[0]} for a derivative, ...); rename it."
            )
    things = [*problem.symbols, *problem.space, *functions]
    things += [problem.time] if problem.depends_on_time else []
    _check_owners(problem)
    for thing in (*things, *problem.operators, *splines_of(problem.rhs)):
        called = thing.name if isinstance(thing, SplineFlux) else str(thing)
        if called in names:
            raise DeclarationError(
                f'Two different things are called "{called}": {_shown(names[called])} and '
                f"{_shown(thing)}. Declare each symbol once, with one set of assumptions."
            )
        names[called] = thing


def _check_owners(problem: Problem) -> None:
    """Parameters and splines of filters go with an operator of the equation."""
    rows = {k.name: k.out_channels for k in problem.operators}
    owned = [(s.name, s.owner) for s in problem.symbols if isinstance(s, FilterParameter)]
    owned += [(flux.name, flux.owner) for flux in splines_of(problem.rhs) if flux.owner]
    for name, owner in owned:
        if owner not in rows:
            lead = f"{name} has a value per filter of {owner}, which the equation does not contain"
            raise EquationError(f"{lead}: its operators are {', '.join(rows) or 'none'}.")


def _shown(thing: Any) -> str:
    return repr(thing) if isinstance(thing, LinearOperator) else str(sp.srepr(thing))
