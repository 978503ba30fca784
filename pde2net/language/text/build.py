"""Statements of a text to a problem, a scheme and a grid."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import sympy as sp
from lark import Token, Tree
from sympy.core.function import AppliedUndef

from pde2net.deadline import within
from pde2net.errors import Pde2NetError, TextError, suggestion
from pde2net.language.borders import BORDERS, nearest
from pde2net.language.bounds import interval_of
from pde2net.language.calculus import TIME_NAME
from pde2net.language.checks import arranged
from pde2net.language.grid import GRADIENTS, Grid
from pde2net.language.linear_operator import LinearOperator, operators_of
from pde2net.language.problem import Problem
from pde2net.language.schemes import SCHEMES, Scheme
from pde2net.language.sides import Side, flux, robin, value
from pde2net.language.solvers import SOLVERS
from pde2net.language.spline import Spline, splines_of
from pde2net.language.stored import EXPRESSIONS
from pde2net.language.symbols import Input
from pde2net.language.text.expressions import (
    APPLIED,
    OPERATORS,
    Definition,
    Reader,
    Scope,
    as_token,
    functions,
    number,
    whole,
)
from pde2net.language.text.parse import parse
from pde2net.language.text.place import Source
from pde2net.language.text.write import SIGNS as WRITTEN_SIGNS
from pde2net.language.text.write import keyword

SECONDS = 5.0
MOST_CHANNELS = 4096
SIGNS = {text: kind for kind, text in WRITTEN_SIGNS.items()}
GRID = ("h", "order", "gradient", "origin")
OPERATOR = {"out": "out_channels", "size": "kernel_size"}
OPERATOR |= {name: name for name in ("border", "zero_mean", "scale")}
SPLINE = ("knots", "reach", "lower", "upper", "filters")
TRUTH = {"true": True, "false": False}

T = TypeVar("T")
Statement = Tree[Token]


def read(text: str, name: str) -> tuple[Problem, Scheme | None, Grid]:
    """What `text` declares; errors call it `name`. Raises TextError, within SECONDS."""
    source = Source(name, text)
    return within(SECONDS, f"reading {name}", lambda: _Builder(source).read(), TextError)


class _Builder:
    def __init__(self, source: Source) -> None:
        self.source, self.scope = source, Scope()
        self.reader = Reader(source, self.scope)
        self.values: dict[sp.Symbol, sp.Expr] = {}
        self.arrays: dict[str, Any] = {}
        self.bounds: dict[str, tuple[sp.Expr, ...]] = {}
        self.found: dict[str, Any] = {}
        self.unknowns: dict[str, AppliedUndef] = {}
        self.equations: dict[str, sp.Eq] = {}
        self.places: dict[str, Statement] = {}
        self.at_sides: list[sp.Expr] = []

    def read(self) -> tuple[Problem, Scheme | None, Grid]:
        for statement in parse(self.source):
            getattr(self, f"_{statement.data}")(statement)
        for needed in ("unknown", "equation"):
            if needed not in self.places:
                raise TextError(f"{self.source.name} has no {needed}.")
        options = {key: self.found[key] for key in ("boundary", "channels", "domain") if key in self.found}
        place = self.places["equation"]
        for name in self.unknowns:
            if name not in self.equations:
                raise self.source.at(place, f"there is no equation {name}_{TIME_NAME} = ...")
        used = set().union(*(e.free_symbols for e in (*self.equations.values(), *self.at_sides)))
        parameters = {s: v for s, v in self.values.items() if s in used}
        unused = [s for s in self.values if s not in used]
        self._check_idle(place)
        if unused:
            raise self.source.at(place, f"the equation does not contain the parameter {unused[0]}.")
        problem = self._made(
            place,
            lambda: Problem(
                list(self.equations.values()),
                parameters=parameters | self.arrays,
                bounds=self.bounds,
                **options,
            ),
        )
        return problem, self.found.get("scheme"), self.found.get("grid", Grid())

    def _check_idle(self, place: Statement) -> None:
        """Operators, splines and inputs that are declared are used."""
        sides = [*(e.rhs for e in self.equations.values()), *self.at_sides]
        found = {k.name for side in sides for k in operators_of(side)}
        found |= {f.name for side in sides for f in splines_of(side)}
        found |= {s.name for side in sides for s in side.free_symbols}
        kinds = {LinearOperator: "operator", Spline: "spline", Input: "input"}
        for name, thing in sorted(self.scope.names.items()):
            if type(thing) in kinds and name not in found:
                raise self.source.at(place, f"the equation does not contain the {kinds[type(thing)]} {name}.")

    def _made(self, node: Statement, make: Callable[[], T]) -> T:
        """make(), its errors at the statement."""
        try:
            return make()
        except TextError:
            raise
        except Pde2NetError as error:
            raise self.source.at(node, error.to_author_of_text) from None
        except (TypeError, ValueError) as error:
            raise self.source.at(node, str(error)) from None

    def _once(self, node: Statement) -> None:
        if node.data in self.places:
            raise self.source.at(node, f"there is a second {node.data}.")
        self.places[str(node.data)] = node

    def _declare(self, token: Token, value: Any) -> None:
        self._free(token)
        self.scope.names[str(token)] = value

    def _free(self, token: Token) -> None:
        if str(token) in {*self.scope.known(), *functions(), *OPERATORS, *APPLIED}:
            raise self.source.at(token, f'the name "{token}" is taken already.')

    # -- declarations ------------------------------------------------------------------------------

    def _unknown(self, node: Statement) -> None:
        self.places["unknown"] = node
        name, *arguments = [c for c in node.children if isinstance(c, Token)]
        symbols = []
        for token in arguments:
            symbols.append(sp.Symbol(str(token), real=True))
            if not self.unknowns:
                self._declare(token, symbols[-1])
        first = next(iter(self.unknowns.values()), None)
        if first is not None and tuple(symbols) != first.args:
            raise self.source.at(name, f"all unknowns depend on the variables of {first}, in that order.")
        if TIME_NAME not in map(str, arguments):
            needed = ", ".join([*map(str, arguments), TIME_NAME])
            raise self.source.at(name, f"the unknown depends on time: {name}({needed}).")
        self.scope.space = tuple(s for s in symbols if s.name != TIME_NAME)
        self.unknowns[str(name)] = sp.Function(str(name))(*symbols)
        self._declare(name, self.unknowns[str(name)])
        self._bound(name, node.children[-1])

    def _channels(self, node: Statement) -> None:
        self._once(node)
        (count,) = _tokens(node)
        found = number(self.source, count)
        if not found.is_Integer or not 1 <= found <= MOST_CHANNELS:
            raise self.source.at(count, f"an image has 1 to {MOST_CHANNELS} channels.")
        self.found["channels"] = int(found)

    def _operator(self, node: Statement) -> None:
        name, given = as_token(node.children[0]), self._options(node, OPERATOR, "an operator")
        if not {"out", "size"} <= set(given):
            raise self.source.at(node, f"an operator has out and size: {name}(out = 16, size = 5).")
        options = {OPERATOR[key]: value for key, value in given.items()}
        self._declare(name, self._made(node, lambda: LinearOperator(str(name), **options)))
        self._start(node, name)

    def _spline(self, node: Statement) -> None:
        name, given = as_token(node.children[0]), self._options(node, SPLINE, "a spline")
        owner = given.pop("filters", None)
        filters = None if owner is None else self._operator_called(node, owner)
        slopes = (given.pop("lower", 0), given.pop("upper", 1))
        self._declare(
            name, self._made(node, lambda: Spline(str(name), slopes=slopes, filters=filters, **given))
        )
        self._start(node, name)

    def _options(self, node: Statement, known: Iterable[str], what: str) -> dict[str, Any]:
        """The options of an operator or a spline: numbers and words."""
        given: dict[str, Any] = {}
        for option in (t for t in _trees(node) if t.data == "option"):
            key, value = option.children
            base = self._word(as_token(key), tuple(known), f"option of {what}")
            if base in given:
                raise self.source.at(option, f"{base} is given twice.")
            word = _name_of(value)
            given[base] = TRUTH.get(str(word), str(word)) if word else whole(self.reader.scalar(value))
        return given

    def _operator_called(self, node: Statement, name: Any) -> LinearOperator:
        found = self.scope.names.get(str(name))
        if not isinstance(found, LinearOperator):
            raise self.source.at(node, f"there is no operator {name} above.")
        return found

    def _start(self, node: Statement, name: Token) -> None:
        """The values that a declaration ends with."""
        value = node.children[-1]
        if isinstance(value, Tree) and value.data == "vector":
            self.arrays[str(name)] = self._array(value)

    def _array(self, node: Any) -> Any:
        if isinstance(node, Tree) and node.data == "vector":
            return [self._array(entry) for entry in node.children]
        return self.reader.scalar(node)

    def _input(self, node: Statement) -> None:
        name, sign = node.children
        self._declare(as_token(name), Input(str(name), **self._sign(sign)))

    def _field(self, node: Statement) -> None:
        sign, interval = node.children[-2:]
        name, _ = self._known(node, "a field", **self._sign(sign))
        self._bound(name, interval)

    def _known(self, node: Statement, what: str, **sign: bool) -> tuple[Token, AppliedUndef]:
        """Declare a function of the axes."""
        name, *arguments = [c for c in node.children if isinstance(c, Token)]
        symbols = [self.scope.names.get(str(a)) for a in arguments]
        if tuple(symbols) != self.scope.space:
            axes = ", ".join(map(str, self.scope.space))
            raise self.source.at(name, f"{what} is a function of the axes of the unknown: {name}({axes}).")
        made = sp.Function(str(name), **sign)(*symbols)
        self._declare(name, made)
        return name, made

    def _domain(self, node: Statement) -> None:
        self._once(node)
        _, self.found["domain"] = self._known(node, "a domain")

    def _bound(self, name: Any, interval: Any) -> None:
        """The declared range of a field or an unknown, if there is one."""
        if isinstance(interval, Tree):
            self.bounds[str(name)] = self._interval(interval)
            self._made(interval, lambda: interval_of(str(name), self.bounds[str(name)], self.values))

    def _interval(self, node: Statement) -> tuple[sp.Expr, ...]:
        """The ends of [0, oo]; oo is a number here alone."""
        (vector,) = node.children
        ends = vector.children if isinstance(vector, Tree) else []
        if len(ends) != 2:
            raise self.source.at(node, "a range has two ends: in [0, 1].")
        return tuple(map(self._end, ends))

    def _end(self, node: Any) -> sp.Expr:
        if isinstance(node, Tree) and node.data == "negate":
            return -self._end(node.children[0])
        if isinstance(node, Tree) and node.data == "name" and str(node.children[0]) == "oo":
            return sp.oo
        return self.reader.scalar(node)

    def _parameter(self, node: Statement) -> None:
        name, owner, sign, value = node.children
        assumptions = self._sign(sign) or {"real": True}
        if isinstance(owner, Tree):
            operator = self._operator_called(node, owner.children[0])
            self._declare(as_token(name), operator.parameter(str(name), **assumptions))
            if value is not None:
                self.arrays[str(name)] = self._array(value)
            return
        symbol = sp.Symbol(str(name), **assumptions)
        self._declare(as_token(name), symbol)
        if value is not None:
            self.values[symbol] = self.reader.scalar(value)

    def _sign(self, node: Any) -> dict[str, bool]:
        if not isinstance(node, Tree):
            return {}
        relation, bound = _tokens(node)
        if str(relation) not in SIGNS or number(self.source, bound) != 0:
            signs = ", ".join(f"{s} 0" for s in SIGNS)
            raise self.source.at(node, f"only the sign can be declared: {signs}.")
        # A real number that is not 0: "nonzero" alone would admit complex ones.
        return {SIGNS[str(relation)]: True} | ({"real": True} if relation == "!=" else {})

    def _let(self, node: Statement) -> None:
        name, arguments, body = node.children
        names = tuple(map(str, _tokens(arguments))) if isinstance(arguments, Tree) else ()
        token = as_token(name)
        self._free(token)
        if not names:
            self.scope.names[str(token)] = self.reader.value(body)
            return
        local = {n: sp.Symbol(n, real=True) for n in names}
        self.reader.check(body, local)
        self.scope.definitions[str(token)] = Definition(names, body)

    # -- the equation and its discretisation -------------------------------------------------------

    def _equation(self, node: Statement) -> None:
        self.places["equation"] = node
        if not self.unknowns:
            raise self.source.at(node, "declare the unknown above the equation: unknown u(x, y, t).")
        left, right = node.children
        rates = {f"{n}_{TIME_NAME}": sp.Derivative(u, u.args[-1]) for n, u in self.unknowns.items()}
        sides = (self.reader.scalar(side, rates) for side in (left, right))
        equation = self._made(node, lambda: arranged(sp.Eq(*sides, evaluate=False)))
        found = next((n for n, u in self.unknowns.items() if equation.lhs == rates[f"{n}_{TIME_NAME}"]), None)
        if found is None:
            raise self.source.at(node, f"the equation has {' or '.join(rates)} on its left, or as a term.")
        if found in self.equations:
            raise self.source.at(node, f"there is a second equation for {found}.")
        self.equations[found] = equation

    def _boundary(self, node: Statement) -> None:
        self._once(node)
        entries = _trees(node)
        if entries[0].data == "sides":
            self.found["boundary"] = self._sides(entries[0])
            return
        axes = [a.name for a in self.scope.space]
        chosen = {}
        for entry in entries:
            axis, sides = entry.children
            chosen[self._word(axis, axes, "axis")] = self._sides(sides)
        self.found["boundary"] = chosen
        if set(chosen) != set(axes):
            raise self.source.at(node, f"each axis needs a boundary: {', '.join(axes)}.")

    def _sides(self, node: Any) -> Any:
        """What holds at both sides of an axis, or a pair."""
        first, last = (None if side is None else self._side(side) for side in node.children)
        return first if last is None else (first, last)

    def _side(self, node: Statement) -> Any:
        if node.data == "border":
            return self._border(node.children[0])
        makers: dict[str, Callable[..., Side]] = {"value": value, "flux": flux, "robin": robin}
        make = makers[str(node.data)]
        given = list(map(self.reader.scalar, node.children))
        self.at_sides += given
        return self._made(node, lambda: make(*given))

    def _border(self, token: Any) -> str:
        if str(token) not in BORDERS:
            raise self.source.at(token, f'there is no boundary "{token}".{nearest(str(token))}')
        return str(token)

    def _word(self, token: Any, choices: Any, what: str) -> str:
        if str(token) not in choices:
            raise self.source.at(token, f'there is no {what} "{token}".{suggestion(str(token), choices)}')
        return str(token)

    def _grid(self, node: Statement) -> None:
        self._once(node)
        axes = [a.name for a in self.scope.space]
        known = [*GRID, *(f"{b}_{a}" for b in ("h", "origin") for a in axes)]
        given: dict[str, Any] = {}
        for option in _trees(node):
            name, value = option.children
            option_name = self._word(name, known, "option")
            base, _, axis = option_name.partition("_")
            entries = given.setdefault(base, {}) if axis else given
            if not isinstance(entries, dict) or (axis or base) in entries:
                raise self.source.at(option, f'the option "{base}" is given twice.')
            if base == "gradient":
                word = _name_of(value)
                if word is None:
                    raise self.source.at(value, f"gradient is one of {', '.join(GRADIENTS)}.")
                given[base] = self._word(word, GRADIENTS, "gradient")
                continue
            found = self.reader.scalar(value)
            entries[axis or base] = whole(found) if base == "order" else found
        if "h" in given:
            given["spacing"] = given.pop("h")
        grid = self._made(node, lambda: Grid(**given))
        self._made(node, lambda: (grid.spacings(self.scope.space), grid.origins(self.scope.space)))
        self.found["grid"] = grid

    def _scheme(self, node: Statement) -> None:
        self._once(node)
        self.found["scheme"] = self._chosen(node, SCHEMES, "scheme")

    def _chosen(self, node: Statement, kinds: Mapping[str, Any], what: str) -> Any:
        """A scheme or a solver, from its name and its options."""
        name = node.children[0]
        by_name = {keyword(label): kind for label, kind in kinds.items()}
        kind = by_name[self._word(name, by_name, what)]
        known = [f.name for f in fields(kind)]
        given: dict[str, Any] = {}
        for option in _trees(node):
            key, value = option.children
            word = self._word(key, known, f"option of {name}:")
            if word in given:
                raise self.source.at(key, f'the option "{word}" is given twice.')
            given[word] = self._option(word, value)
        if "tau" in known and "tau" not in given:
            raise self.source.at(node, "give tau, a number, or tau = largest for the largest stable step.")
        try:
            return kind(**given)
        except (Pde2NetError, TypeError, ValueError) as error:
            said = error.to_author_of_text if isinstance(error, Pde2NetError) else str(error)
            words = set(re.findall(r"\w+", said))
            options = [o for o in _trees(node) if str(o.children[0]) in words]
            raise self.source.at(options[0] if options else node, said) from None

    def _option(self, name: str, value: Any) -> Any:
        word = _name_of(value)
        if name == "solver":
            plain = Tree("solver", [word], value.meta) if word is not None else value
            if plain.data == "call":  # kacanov(3): options have names
                raise self.source.at(value, "the options of a solver have names: kacanov(iterations = 3).")
            return self._chosen(plain, SOLVERS, "solver")
        if isinstance(value, Tree) and value.data == "solver":
            raise self.source.at(value, f"{name} is no solver.")
        if name == "tau" and word == "largest":
            return None
        if (
            name == "tau"
            and word is not None
            and word.lower() in ("max", "maximum", "auto", "none", "stable")
        ):
            raise self.source.at(value, "the largest stable step is tau = largest.")
        if name in ("tau", "theta", "alpha") and word == "oo":
            return sp.oo
        if word is not None and name not in EXPRESSIONS:
            return str(word).replace("_", "-")
        found = self.reader.scalar(value)
        return found if name in EXPRESSIONS else whole(found)


def _tokens(node: Tree[Token]) -> list[Token]:
    return [as_token(c) for c in node.children]


def _trees(node: Tree[Token]) -> list[Tree[Token]]:
    return [c for c in node.children if isinstance(c, Tree)]


def _name_of(node: Any) -> Token | None:
    """The word that a value consists of."""
    named = isinstance(node, Tree) and node.data == "name"
    return node.children[0] if named else None
