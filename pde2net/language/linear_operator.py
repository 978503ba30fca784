"""Learned linear operators: K(u), a filter bank whose weights are trained, and its adjoint."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

import sympy as sp
from sympy.core.symbol import Str

from pde2net.errors import DeclarationError, EquationError
from pde2net.language.exact import count, identifier, word
from pde2net.language.symbols import FilterParameter
from pde2net.language.traversal import atoms

LARGEST = 1_000_000  # channels, cells along an axis
CONTINUATIONS = ("inside", "continued")


@dataclass(frozen=True)
class LinearOperator:
    """K, a convolution with learned weights, for u_t = -K.adjoint(Phi(K(u))).

    name          of the operator and of its weights
    out_channels  filters in the bank
    kernel_size   cells along each axis, odd or even
    border        at reflecting boundaries: "inside", windows that lie on the grid alone, or "continued"
    zero_mean     whether the weights of each filter and channel have the mean 0 whatever is trained
    scale         K acts on a coarser grid, on averages over `scale` cells along each axis

    (K u)_o = sum_c sum_j W[o, c, j] u_c[i + j], over all channels c of u, j from -(size - 1)//2 to size//2
    along each axis; the weights have the shape (out_channels, channels of u, size, ..., size). With
    reflecting boundaries, K u has the cells i whose windows lie on the grid: no flux crosses the border.
    With border="continued" it has all cells: u goes on as its mirror image, and each filter is even or odd
    along each axis (docs/theory.md, 8.4); sizes are odd then. Periodic boundaries wrap, zero-Dirichlet ones
    continue u by 0. With a scale, K is applied to (sums of u over blocks of scale^d cells)/scale^(d/2), an
    operator of norm 1; sizes of images are multiples of it. `K.adjoint` is the exact transpose, with the
    same weights. Phi is a function of K(u), of parameters, the same for every filter, and of those of
    `K.parameter`.

    K(u) is a SymPy expression; K2(K1(u)) composes operators. Raises DeclarationError for a name that is no
    identifier, sizes below 1, an unknown border, or one that goes with odd sizes alone.
    """

    name: str
    out_channels: int
    kernel_size: int
    border: str = "inside"
    zero_mean: bool = False
    scale: int = 1

    def __post_init__(self) -> None:
        identifier(self.name, "a linear operator")
        for key in ("out_channels", "kernel_size", "scale"):
            found = count(getattr(self, key), f"{key} of the operator {self.name}")
            if found > LARGEST:
                raise DeclarationError(f"{key} of {self.name} is at most {LARGEST}, not {found}.")
            object.__setattr__(self, key, found)
        word(self.border, CONTINUATIONS, "border")
        if not isinstance(self.zero_mean, bool):
            raise DeclarationError(f"zero_mean of {self.name} is True or False, not {self.zero_mean!r}.")
        if self.border == "continued" and self.kernel_size % 2 == 0:
            raise DeclarationError(
                f'border="continued" takes an odd kernel_size, not {self.kernel_size}: a mirror image has to '
                f"be that of whole cells; {self.name} may have {self.kernel_size + 1}."
            )
        if self.zero_mean and self.kernel_size == 1:
            raise DeclarationError(
                f"A filter of one cell whose mean is 0 is 0: give {self.name} a larger kernel_size."
            )

    def __call__(self, u: Any) -> Response:
        """K u."""
        return Response(*self._arguments, _operand(self, u))

    def adjoint(self, v: Any) -> AdjointResponse:
        """K^T v."""
        return AdjointResponse(*self._arguments, _operand(self, v))

    @property
    def _arguments(self) -> tuple[sp.Basic, ...]:
        sizes = sp.Integer(self.out_channels), sp.Integer(self.kernel_size)
        return Str(self.name), *sizes, Str(self.border), sp.Integer(self.zero_mean), sp.Integer(self.scale)

    def parameter(self, name: str, **assumptions: bool) -> FilterParameter:
        """A symbol with one value per channel of K(u), for fluxes Phi(K(u)): a contrast, a weight.

        Signs may be assumed as of other parameters: positive, nonnegative, ...
        """
        return FilterParameter(name, self.name, **assumptions)

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
    """An operator with its operand: the arguments are those of the operator, then that."""

    nargs = 7
    is_commutative = True
    is_real = True

    @property
    def operator(self) -> LinearOperator:
        name, out, size, border, zero_mean, scale, _ = self.args
        return LinearOperator(str(name), int(out), int(size), str(border), bool(zero_mean), int(scale))

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
    return tuple(sorted(found, key=astuple))


@dataclass(frozen=True)
class Chain:
    """K_n ... K_1, of which u is handed to the first one; `operators` are in that order."""

    operators: tuple[LinearOperator, ...]

    def __str__(self) -> str:
        return "∘".join(k.name for k in reversed(self.operators))

    @property
    def last(self) -> LinearOperator:
        """The one whose channels the flux has."""
        return self.operators[-1]


def norm_symbol(chain: Chain, scale: sp.Expr = sp.S.One) -> sp.Symbol:
    """‖K‖ of operators that are not zero; with a scale L >= 0 per filter, that of sqrt(L) K."""
    plain = scale == 1 and len(chain.operators) == 1
    name = str(chain) if plain else f"[{chain}]" if scale == 1 else f"[{chain}; {scale}]"
    return sp.Symbol(f"norm{name}", positive=True)
