"""Parse trees to SymPy expressions, node by node; every name must have been declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from lark import Token, Tree
from sympy.core.function import AppliedUndef

from pde2net.errors import Pde2NetError, TextError, suggestion
from pde2net.language import calculus, diffusivities, tensors
from pde2net.language.expressions import power
from pde2net.language.linear_operator import LinearOperator
from pde2net.language.smoothing import smooth
from pde2net.language.spline import Spline
from pde2net.language.text.place import Source

Node = Tree[Token] | Token
LARGEST = 5_000  # nodes of one expression
MOST = 200_000  # of all that a text builds
LARGEST_EXPONENT = 100
DEEPEST = 200  # nested nodes of a parse tree

_NAMES = "exp log sqrt sin cos tan asin acos atan sinh cosh tanh asinh erf sign"
ELEMENTARY: dict[str, Callable[..., Any]] = {n: getattr(sp, n) for n in _NAMES.split()}
ELEMENTARY |= {"abs": sp.Abs, "min": sp.Min, "max": sp.Max}
OPERATORS: dict[str, Callable[..., Any]] = {
    n: getattr(calculus, n) for n in ("grad", "div", "laplacian", "hessian")
}
APPLIED = ("adjoint", "diff")  # words of the language itself that stand before operands
FUNCTIONS: dict[str, Callable[..., Any]] = ELEMENTARY | {
    "norm2": calculus.norm2,
    "dot": calculus.dot,
    "smooth": smooth,
}
_TENSORS = "tensor structure_tensor principal_direction coherence projection"
FUNCTIONS |= {n: getattr(tensors, n) for n in _TENSORS.split()}


def functions() -> dict[str, Callable[..., Any]]:
    """What texts may call, diffusivities of your own included."""
    return FUNCTIONS | diffusivities.table()


RELATIONS = {"<": sp.Lt, "<=": sp.Le, ">": sp.Gt, ">=": sp.Ge, "==": sp.Eq, "!=": sp.Ne}


@dataclass(frozen=True)
class Definition:
    """let name(arguments) = body."""

    arguments: tuple[str, ...]
    body: Node


@dataclass(frozen=True)
class Norm:
    """|v|, until it is known whether a power makes it |v|^2."""

    of: Any

    @property
    def value(self) -> sp.Expr:
        return sp.sqrt(self.square) if isinstance(self.of, sp.MatrixBase) else sp.Abs(self.of)

    @property
    def square(self) -> sp.Expr:
        return calculus.norm2(self.of)


@dataclass
class Scope:
    """The names that a text has declared so far."""

    space: tuple[sp.Symbol, ...] = ()
    names: dict[str, Any] = field(default_factory=lambda: {"pi": sp.pi})
    definitions: dict[str, Definition] = field(default_factory=dict)

    def known(self) -> list[str]:
        return [*self.names, *self.definitions]

    def derivative(self, name: str) -> sp.Expr | None:
        """u_x, u_xy, ... of a declared function."""
        base, _, axes = name.rpartition("_")
        function, by_name = self.names.get(base), {a.name: a for a in self.space}
        if not isinstance(function, AppliedUndef) or not axes:
            return None
        longest = sorted(by_name, key=len, reverse=True)
        parts = re.findall("|".join(map(re.escape, longest)), axes)
        return sp.Derivative(function, *(by_name[p] for p in parts)) if "".join(parts) == axes else None

    def no_rate(self, name: str) -> str:
        """What to write in place of du, dt and u_tt; nothing of other names."""
        functions = [n for n, f in self.names.items() if isinstance(f, AppliedUndef)]
        if name in {"dt", *(f"d{n}" for n in functions)}:
            return f"derivatives in time are written {(functions or ['u'])[0]}_t."
        if any(re.fullmatch(f"{re.escape(n)}_tt+", name) for n in functions):
            return f"{name} is not of diffusion, but of waves: equations are of the first order in time."
        return ""


class Reader:
    """Builds expressions; the sizes of all that it builds are bounded."""

    def __init__(self, source: Source, scope: Scope) -> None:
        self.source, self.scope = source, scope
        self.sizes: dict[sp.Basic, int] = {}
        self.built = self.depth = 0

    def scalar(self, node: Node, more: Mapping[str, Any] | None = None) -> sp.Expr:
        """A scalar; with `more` names."""
        return self._scalar(node, more or {})

    def value(self, node: Node) -> Any:
        """A scalar or a vector."""
        return self._value(node, {})

    def check(self, body: Node, arguments: Mapping[str, Any]) -> None:
        """Build the body of a definition once, so that its errors show where it is written."""
        self._value(body, arguments)

    def _scalar(self, node: Node, local: Mapping[str, Any]) -> sp.Expr:
        found = self._value(node, local)
        if not isinstance(found, sp.Expr):
            raise self.source.at(node, "a scalar is needed here, not a vector.")
        return found

    def _value(self, node: Node, local: Mapping[str, Any]) -> Any:
        found = self._build(node, local)
        return found.value if isinstance(found, Norm) else found

    def _build(self, node: Node, local: Mapping[str, Any]) -> Any:
        """The expression of a node; `local` holds the arguments of a definition."""
        if not isinstance(node, Tree):
            raise self.source.at(node, f'"{node}" is no expression.')
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.source.at(node, "this is nested too deeply.")
        try:
            found = getattr(self, f"_{node.data}")(node, local)
        except TextError:
            raise
        except Pde2NetError as error:
            raise self.source.at(node, error.to_author_of_text) from None
        except (TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise self.source.at(node, f"this cannot be computed ({' '.join(str(error).split())}).") from None
        finally:
            self.depth -= 1
        self._bound(node, found.of if isinstance(found, Norm) else found)
        return found

    def _bound(self, node: Node, found: Any) -> None:
        size = sum(map(self._size, found)) if isinstance(found, sp.MatrixBase) else self._size(found)
        self.built += size
        if size > LARGEST or self.built > MOST:
            raise self.source.at(node, "this expression is too large.")

    def _size(self, expression: sp.Basic) -> int:
        if expression not in self.sizes:
            self.sizes[expression] = 1 + sum(map(self._size, expression.args))
        return self.sizes[expression]

    # -- numbers and names -------------------------------------------------------------------------

    def _number(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Expr:
        return number(self.source, as_token(node.children[0]))

    def _name(self, node: Tree[Token], local: Mapping[str, Any]) -> Any:
        name = str(node.children[0])
        scope = self.scope
        for table in (local, scope.names):
            if isinstance(table.get(name), Spline):
                raise self.source.at(node, f"{name} is a spline: write {name}(...).")
            if isinstance(table.get(name), LinearOperator):
                hint = f"write {name}(...) or adjoint {name}(...)"
                raise self.source.at(node, f"{name} is an operator: {hint}.")
            if name in table:
                return table[name]
        if name in scope.definitions:
            definition = scope.definitions[name]
            if definition.arguments:
                call = f"{name}({', '.join(definition.arguments)})"
                raise self.source.at(node, f"{name} is a function: write {call}.")
            return self._value(definition.body, {})
        derivative = scope.derivative(name)
        if derivative is not None:
            return derivative
        if name in {*functions(), *OPERATORS}:
            raise self.source.at(node, f"{name} is a function: write {name}(...).")
        if wrong := scope.no_rate(name):
            raise self.source.at(node, wrong)
        near = suggestion(name, {*local, *scope.known(), *functions(), *OPERATORS})
        hint = near if "mean" in near else suggestion(name, {*local, *scope.known()})
        raise self.source.at(node, f'there is no name "{name}" here.{hint}')

    # -- arithmetic --------------------------------------------------------------------------------

    def _add(self, node: Tree[Token], local: Mapping[str, Any]) -> Any:
        terms = [t if s > 0 else -t for t, s in self._chain(node, {"add": 1, "subtract": -1}, local)]
        if any(isinstance(t, sp.MatrixBase) for t in terms):
            return sum(terms[1:], terms[0])
        return sp.Add(*terms)

    _subtract = _add

    def _multiply(self, node: Tree[Token], local: Mapping[str, Any]) -> Any:
        scalars, vector = [], None
        for factor, exponent in self._chain(node, {"multiply": 1, "divide": -1}, local):
            if not isinstance(factor, sp.MatrixBase):
                if exponent < 0 and factor == 0:
                    raise ValueError("division by 0")
                scalars.append(factor if exponent > 0 else 1 / factor)
            elif exponent < 0:
                raise self.source.at(node, "nothing can be divided by a vector.")
            elif vector is None:
                vector = factor
            elif vector.cols != factor.rows:
                raise self.source.at(node, "two vectors have no product here; dot(v, w) is the inner one.")
            else:
                vector = vector * factor
        # All but numbers at once, since SymPy would distribute these over sums, and does if that is all.
        number = sp.Mul(*(s for s in scalars if s.is_Rational))
        product = sp.Mul(number, *(s for s in scalars if not s.is_Rational))
        return product if vector is None else vector.applyfunc(lambda entry: product * entry)

    _divide = _multiply

    def _chain(
        self, node: Tree[Token], kinds: Mapping[str, int], local: Mapping[str, Any]
    ) -> list[tuple[Any, int]]:
        """The operands of a + b - c + ... with their signs, without recursion along the chain."""
        found: list[tuple[Any, int]] = []
        current: Node = node
        while isinstance(current, Tree) and current.data in kinds:
            left, right = current.children
            found.append((self._value(right, local), kinds[current.data]))
            current = left
        while "multiply" in kinds and isinstance(current, Tree) and current.data == "negate":
            found.append((sp.S.NegativeOne, 1))  # -(a + b) * c is -((a + b) * c), not (-a - b) * c
            current = current.children[0]
        found.append((self._value(current, local), 1))
        return found[::-1]

    def _group(self, node: Tree[Token], local: Mapping[str, Any]) -> Any:
        return self._build(node.children[0], local)

    def _negate(self, node: Tree[Token], local: Mapping[str, Any]) -> Any:
        return -self._value(node.children[0], local)

    def _power(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Expr:
        base, exponent = self._build(node.children[0], local), self._scalar(node.children[1], local)
        if isinstance(base, Norm):
            even = exponent.is_Integer and exponent % 2 == 0
            base, exponent = (base.square, exponent / 2) if even else (base.value, exponent)
        if not isinstance(base, sp.Expr):
            raise self.source.at(node, "a vector has no power; |v|^2 is its squared length.")
        if exponent.is_Rational and abs(exponent) > LARGEST_EXPONENT:
            raise self.source.at(node, f"an exponent is at most {LARGEST_EXPONENT}.")
        found: sp.Expr = power(base, exponent)
        return found

    # -- functions and vectors ---------------------------------------------------------------------

    def _call(self, node: Tree[Token], local: Mapping[str, Any]) -> Any:
        name, scope = str(node.children[0]), self.scope
        if name == "diff":
            return self._derivative(node, local)
        values = [self._value(c, local) for c in node.children[1:]]
        if name in scope.definitions and scope.definitions[name].arguments:
            definition = scope.definitions[name]
            if len(values) != len(definition.arguments):
                count = len(definition.arguments)
                raise self.source.at(node, f"{name} takes {count} arguments, not {len(values)}.")
            return self._value(definition.body, dict(zip(definition.arguments, values, strict=True)))
        declared = scope.names.get(name)
        if isinstance(declared, LinearOperator | Spline):
            return declared(self._only(node, declared, values))
        if isinstance(declared, AppliedUndef):
            if tuple(values) != declared.args:
                raise self.source.at(node, f"{name} is declared as {declared}; it has no values elsewhere.")
            return declared
        known = functions()
        if name not in known:
            choices = {*known, *OPERATORS, *scope.definitions, "diff"}
            raise self.source.at(node, f'there is no function "{name}".{suggestion(name, choices)}')
        if name in ELEMENTARY:
            for child, value in zip(node.children[1:], values, strict=True):
                if not isinstance(value, sp.Expr):
                    length = "; the length of a vector is |grad u|" if name == "abs" else ""
                    raise self.source.at(child, f"{name} takes a scalar, not a vector{length}.")
        if name == "weickert" and len(values) == 3:
            values[2] = whole(values[2])
        return known[name](*values)

    def _derivative(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Expr:
        _, body, *axes = node.children
        if not axes:
            raise self.source.at(node, "diff takes an expression and the axes: diff(phi, x).")
        variables = [self._value(a, local) for a in axes]
        for axis, variable in zip(axes, variables, strict=True):
            if variable not in self.scope.space:
                known = " or ".join(map(str, self.scope.space))
                raise self.source.at(axis, f"diff is along an axis, {known}.")
        return sp.Derivative(self._scalar(body, local), *variables)

    def _only(self, node: Tree[Token], operator: LinearOperator | Spline, values: list[Any]) -> sp.Expr:
        if len(values) != 1 or not isinstance(values[0], sp.Expr):
            raise self.source.at(node, f"{operator} takes one scalar, as in {operator}(u).")
        return values[0]

    def _adjoint(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Expr:
        """adjoint K(v)."""
        called = node.children[1]
        if not isinstance(called, Tree) or called.data != "call":
            raise self.source.at(node, "adjoint stands before an operator: adjoint K(v).")
        operator = self.scope.names.get(str(called.children[0]))
        if not isinstance(operator, LinearOperator):
            raise self.source.at(node, "adjoint stands before a declared operator: adjoint K(v).")
        values = [self._value(c, local) for c in called.children[1:]]
        return operator.adjoint(self._only(called, operator, values))

    def _operate(self, node: Tree[Token], local: Mapping[str, Any]) -> Any:
        if str(node.children[0]) == "adjoint":
            return self._adjoint(node, local)
        name, operand = str(node.children[0]), self._value(node.children[1], local)
        if name != "div" and not isinstance(operand, sp.Expr):
            raise self.source.at(node, f"{name} takes a scalar, not a vector.")
        return OPERATORS[name](operand)

    def _norm(self, node: Tree[Token], local: Mapping[str, Any]) -> Norm:
        return Norm(self._value(node.children[0], local))

    def _vector(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.MatrixBase:
        return sp.Matrix([self._scalar(c, local) for c in node.children])

    # -- choices -----------------------------------------------------------------------------------

    def _choice(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Expr:
        pieces: list[tuple[sp.Expr, Any]] = []
        current: Node = node
        while isinstance(current, Tree) and current.data == "choice":
            value, condition, other = current.children
            pieces.append((self._scalar(value, local), self._build(condition, local)))
            current = other
        pieces.append((self._scalar(current, local), True))
        found: sp.Expr = sp.Piecewise(*pieces)
        return found

    def _comparison(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Basic:
        left, relation, right = node.children
        found: sp.Basic = RELATIONS[str(relation)](self._scalar(left, local), self._scalar(right, local))
        return found

    def _either(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Basic:
        found: sp.Basic = sp.Or(*(self._build(c, local) for c in node.children))
        return found

    def _both(self, node: Tree[Token], local: Mapping[str, Any]) -> sp.Basic:
        found: sp.Basic = sp.And(*(self._build(c, local) for c in node.children))
        return found


def number(source: Source, token: Token) -> sp.Rational:
    """The rational that a decimal stands for."""
    digits, _, exponent = token.lower().partition("e")
    if exponent and abs(int(exponent)) > 300:
        raise source.at(token, "the exponent of a number has at most three digits, up to 300.")
    return sp.Rational(digits.rstrip(".")) * sp.Rational(10) ** int(exponent or 0)


def as_token(node: Node) -> Token:
    if not isinstance(node, Token):
        raise TypeError("a token was expected")
    return node


def whole(value: Any) -> Any:
    return int(value) if getattr(value, "is_Integer", False) else value
