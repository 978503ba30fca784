"""Exact solutions that are given, and the source with which they solve an equation: the method of
manufactured solutions (Roache, J. Fluids Eng. 124, 2002)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef

from pde2net.errors import DeclarationError, EquationError, suggestion
from pde2net.language.exact import rationalise
from pde2net.language.grid import per_axis
from pde2net.language.problem import Problem
from pde2net.language.smoothing import smooth
from pde2net.language.tensors import projection
from pde2net.language.traversal import atoms
from pde2net.normalise.recognise import recognise, recognise_system

DIGITS, SMALL = 30, 1e-20  # of values that are compared with 0
POINTS = 7
GOLDEN = sp.Rational(618034, 1000000)


@dataclass(frozen=True)
class Manufactured:
    """A problem with an exact solution.

    problem  without the source
    sourced  the same with the source in its right-hand side
    exact    the solution for each unknown, in positions, time and numbers
    source   u_t - F(u) of each, 0 where the solution satisfies the equation as it is
    fields   each known field as a function of position, by name
    domain   the two ends of each axis
    end      the last time, None for steady states
    """

    problem: Problem
    sourced: Problem
    exact: tuple[sp.Expr, ...]
    source: tuple[sp.Expr, ...]
    fields: Mapping[str, sp.Expr]
    domain: Mapping[sp.Symbol, tuple[sp.Expr, sp.Expr]]
    end: sp.Expr | None

    def placed(self, expression: sp.Expr) -> sp.Expr:
        """An expression of the problem at the exact solution, with its derivatives taken."""
        known = {f: self.fields[str(f.func)] for f in self.problem.fields}
        found = expression.xreplace({**dict(zip(self.problem.unknowns, self.exact, strict=True)), **known})
        found = found.xreplace(dict(self.problem.parameters))
        return found.replace(projection, lambda a, b, square: a * b / square).doit()

    def off(self, expression: sp.Expr) -> str:
        """Where an expression in positions and time is not 0, with its value; "" if it vanishes identically.

        It is evaluated to 30 digits at a few points of the domain: one that is 0 at all of them is taken to
        vanish.
        """
        variables = [s for s in (*self.problem.space, self.problem.time) if s in expression.free_symbols]
        for point in self._points(variables):
            value = sp.N(expression.xreplace(point), DIGITS)
            at = " at " + ", ".join(f"{s} = {sp.N(v, 3)}" for s, v in point.items()) if point else ""
            if not (value.is_number and value.is_finite and value.is_real):
                raise DeclarationError(f"{expression} has no real value{at}.")
            if abs(value) > SMALL:
                return f"{sp.N(value, 3)}{at}"
        return ""

    def _points(self, variables: Sequence[sp.Symbol]) -> Iterator[dict[sp.Symbol, sp.Expr]]:
        ends = {**self.domain, self.problem.time: (sp.S.Zero, self.end)}
        for k in range(1, POINTS + 1 if variables else 2):
            fractions = ((GOLDEN * (k + i * POINTS)) % 1 for i in range(len(variables)))
            pairs = zip(variables, fractions, strict=True)
            yield {s: ends[s][0] + f * (ends[s][1] - ends[s][0]) for s, f in pairs}


def stated(problem: Problem, exact: Any, fields: Mapping[Any, Any] | None, domain: Any) -> Manufactured:
    """The problem with an exact solution, so far without a source and a last time.

    Raises DeclarationError for what is no exact solution, field or domain, and for equations of which nobody
    could derive a source.
    """
    _require_pointwise(problem)
    solutions, known = _solutions(problem, exact), _fields(problem, fields or {})
    return Manufactured(problem, problem, solutions, (), known, _domain(problem, domain), None)


def with_source(given: Manufactured) -> Manufactured:
    """The same with a source where the exact solution needs one.

    Raises DeclarationError where the equation takes none.
    """
    problem, source = given.problem, []
    for equation, solution in zip(problem.equations, given.exact, strict=True):
        if given.end is None and problem.time in solution.free_symbols:
            raise DeclarationError(
                f"tau = oo asks for a steady state, and the solution {solution} depends on {problem.time}."
            )
        given.off(solution)  # which has real values
        residual = sp.diff(solution, problem.time) - given.placed(equation.rhs)
        source.append(residual if given.off(residual) else sp.S.Zero)
    return replace(given, sourced=_with_source(problem, source), source=tuple(source))


def _with_source(problem: Problem, source: Sequence[sp.Expr]) -> Problem:
    """The problem with a source added to each equation. Raises DeclarationError where it takes none."""
    recognised = recognise if len(source) == 1 else recognise_system
    recognised(problem)
    if not any(source):
        return problem
    pairs = zip(problem.equations, source, strict=True)
    equations = [sp.Eq(e.lhs, e.rhs + s, evaluate=False) for e, s in pairs]
    used = set().union(*(e.free_symbols for e in equations))
    values = {s: v for s, v in problem.parameters.items() if s in used}
    found = problem.changed(equation=equations, parameters=values)
    try:
        recognised(found)
    except EquationError as error:
        raise DeclarationError(
            f"The exact solution solves the equation with a source, which it does not take: {error}"
        ) from None
    return found


def _require_pointwise(problem: Problem) -> None:
    """Raises DeclarationError for equations whose right-hand side is no expression in a given function."""
    if len(problem.equations) == 1 and problem.channels > 1:
        raise DeclarationError(
            f"A source is one function, and each of {problem.channels} channels needs its own: test one "
            "channel, or a system, whose unknowns have equations of their own."
        )
    for name in problem.learned:
        raise DeclarationError(
            f'"{name}" is learned, or given when the network is called: there is no differential equation '
            "that the network tends to as cells get smaller."
        )
    if any(atoms(e, smooth) for e in problem.expressions):
        raise DeclarationError(
            "smooth(u, sigma) of a function is an integral without a closed form, so the source that an "
            "exact solution needs is not known: test the equation without smoothing."
        )
    missing = [str(s) for s in problem.symbols if s not in problem.parameters]
    if missing:
        raise DeclarationError(f"Errors are numbers: give {', '.join(missing)} a value, parameters={{...}}.")


def _solutions(problem: Problem, exact: Any) -> tuple[sp.Expr, ...]:
    names = [str(u.func) for u in problem.unknowns]
    if not isinstance(exact, Mapping):
        if len(names) > 1:
            raise DeclarationError(
                f"exact maps each unknown to its solution, {{{', '.join(f'{n}: ...' for n in names)}}}."
            )
        exact = {names[0]: exact}
    return tuple(_by_name(problem, exact, names, "exact", (*problem.space, problem.time)))


def _fields(problem: Problem, given: Mapping[Any, Any]) -> dict[str, sp.Expr]:
    names = [str(f.func) for f in problem.fields]
    return dict(zip(names, _by_name(problem, given, names, "fields", problem.space), strict=True))


def _by_name(
    problem: Problem,
    given: Mapping[Any, Any],
    names: Sequence[str],
    what: str,
    variables: Sequence[sp.Symbol],
) -> Iterator[sp.Expr]:
    """The entries of a mapping by the names of functions, in the symbols of the problem."""
    found = {str(k.func if isinstance(k, AppliedUndef) else k): v for k, v in given.items()}
    for name in found:
        if name not in names:
            raise DeclarationError(f'{what} names "{name}".{suggestion(name, names)}')
    for name in names:
        if name not in found:
            raise DeclarationError(
                f"{what} has no entry for {name}: give it as an expression in {_listed(variables)}."
            )
        yield _function(problem, name, found[name], variables)


def _function(problem: Problem, name: str, value: Any, variables: Sequence[sp.Symbol]) -> sp.Expr:
    value = sp.sympify(value) if isinstance(value, int | float) else value
    if not isinstance(value, sp.Expr):
        raise DeclarationError(f"{name} is given as an expression in {_listed(variables)}, not {value!r}.")
    own = {s.name: s for s in variables}
    known = {**own, **{s.name: v for s, v in problem.parameters.items()}}
    for symbol in sorted(value.free_symbols, key=str):
        if symbol.name not in known:
            raise DeclarationError(f"{name} = {value} contains {symbol}.{suggestion(symbol.name, known)}")
    if atoms(value, AppliedUndef):
        raise DeclarationError(
            f"{name} = {value} is no expression in {_listed(variables)}: it contains a function."
        )
    found: sp.Expr = rationalise(value.xreplace({s: known[s.name] for s in value.free_symbols}))
    return found


def _listed(variables: Sequence[sp.Symbol]) -> str:
    return ", ".join(map(str, variables))


def _domain(problem: Problem, domain: Any) -> dict[sp.Symbol, tuple[sp.Expr, sp.Expr]]:
    found = {}
    for axis, ends in per_axis(domain, problem.space, "domain").items():
        if not isinstance(ends, tuple | list) or len(ends) != 2:
            raise DeclarationError(f"domain has the two ends of each axis, {{{axis}: (0, 1)}}, not {ends!r}.")
        first, last = (rationalise(sp.sympify(e)) for e in ends)
        if not (last - first).is_positive:
            raise DeclarationError(f"The domain of {axis} ends at a larger number than it starts at: {ends}.")
        found[axis] = (first, last)
    return found
