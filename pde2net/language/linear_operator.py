"""Learned linear operators: K(u), a filter bank whose weights are trained, and its adjoint."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.core.symbol import Str

from pde2net.errors import DeclarationError, EquationError
from pde2net.language.exact import count
from pde2net.language.traversal import atoms

LARGEST = 1_000_000  # channels, cells along an axis


@dataclass(frozen=True)
class LinearOperator:
    """K, a convolution with learned weights, for u_t = -K.adjoint(Phi(K(u))).

    name          of the operator and of its weights
    out_channels  filters in the bank
    kernel_size   cells along each axis, odd or even

    (K u)_o = sum_c sum_j W[o, c, j] u_c[i + j], over all channels c of u, j from -(size - 1)//2 to size//2
    along each axis; the weights have the shape (out_channels, channels of u, size, ..., size). With
    reflecting boundaries, K u has the cells i whose windows lie on the grid: no flux crosses the border.
    Periodic ones wrap, zero-Dirichlet ones continue u by 0. `K.adjoint` is the exact transpose for every
    size, with the same weights. Phi is a function of K(u) and of parameters, the same for every filter.

    K(u) is a SymPy expression. Raises DeclarationError for a name that is no identifier or sizes below 1.
    """

    name: str
    out_channels: int
    kernel_size: int

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[^\W\d]\w*", self.name):
            raise DeclarationError(
                f'The name of a linear operator consists of letters, digits and "_", not {self.name!r}.'
            )
        for key in ("out_channels", "kernel_size"):
            found = count(getattr(self, key), f"{key} of the operator {self.name}")
            if found > LARGEST:
                raise DeclarationError(f"{key} of {self.name} is at most {LARGEST}, not {found}.")
            object.__setattr__(self, key, found)

    def __call__(self, u: Any) -> Response:
        """K u."""
        return Response(Str(self.name), self.out_channels, self.kernel_size, _operand(self, u))

    def adjoint(self, v: Any) -> AdjointResponse:
        """K^T v."""
        return AdjointResponse(Str(self.name), self.out_channels, self.kernel_size, _operand(self, v))

    def __str__(self) -> str:
        return self.name

    @property
    def left(self) -> int:
        """How many cells the kernel reaches to the left."""
        return (self.kernel_size - 1) // 2

    @property
    def right(self) -> int:
        return self.kernel_size // 2


def _operand(operator: LinearOperator, value: Any) -> sp.Expr:
    if isinstance(value, int | float):
        value = sp.sympify(value)
    if not isinstance(value, sp.Expr):
        raise EquationError(f"{operator} takes a scalar expression, not {value!r}.")
    return value


class _Applied(sp.Function):  # type: ignore[misc]  # SymPy has no types
    """An operator with its operand: arguments name, out_channels, kernel_size, operand."""

    nargs = 4
    is_commutative = True
    is_real = True

    @property
    def operator(self) -> LinearOperator:
        name, out, size, _ = self.args
        return LinearOperator(str(name), int(out), int(size))

    @property
    def operand(self) -> sp.Expr:
        return self.args[-1]

    def fdiff(self, argindex: int = 1) -> sp.Expr:
        raise EquationError(f"{self} has no derivatives: an operator acts on all cells, not on values.")

    def _eval_derivative(self, s: sp.Symbol) -> sp.Expr:
        if s not in self.operand.free_symbols:
            return sp.S.Zero
        return self.fdiff()


class Response(_Applied):
    """K(u)."""

    def _sympystr(self, printer: Any) -> str:
        return f"{self.args[0]}({printer._print(self.operand)})"

    _as_pde_text = _sympystr

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        text = rf"{printer._print(sp.Symbol(str(self.args[0])))}\left({printer._print(self.operand)}\right)"
        return text if exp is None else rf"{text}^{{{exp}}}"


class AdjointResponse(_Applied):
    """K.adjoint(v)."""

    def _sympystr(self, printer: Any) -> str:
        return f"{self.args[0]}.adjoint({printer._print(self.operand)})"

    def _as_pde_text(self, printer: Any) -> str:
        return f"adjoint {self.args[0]}({printer._print(self.operand)})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        name = printer._print(sp.Symbol(str(self.args[0])))
        text = rf"{name}^{{\top}}\left({printer._print(self.operand)}\right)"
        return text if exp is None else rf"\left({text}\right)^{{{exp}}}"


def operators_of(expression: sp.Basic) -> tuple[LinearOperator, ...]:
    """The operators in an expression, sorted by name."""
    found = {e.operator for e in atoms(expression, Response, AdjointResponse)}
    return tuple(sorted(found, key=lambda k: (k.name, k.out_channels, k.kernel_size)))


def norm_symbol(operator: LinearOperator) -> sp.Symbol:
    """‖K‖ of a bank that is not zero."""
    return sp.Symbol(f"norm{operator.name}", positive=True)
