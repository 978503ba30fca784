"""The vocabulary of network graphs. A node takes arrays of one shape per slot and returns a tuple of arrays.

Edges carry `port`, the position in the tuple of the producer, and `slot`, the name under which the
consumer knows the value.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp

from pde2net.discretise.operators import Bank


@dataclass(frozen=True)
class Input:
    """The state u at the start; one array."""

    symbol: sp.Symbol
    role: str = "input"


@dataclass(frozen=True)
class Field:
    """A known field; one array."""

    symbol: sp.Symbol
    role: str = "known field"


@dataclass(frozen=True)
class Coordinate:
    """origin + i * spacing along `axis`, broadcast over the others, `margin` cells further out."""

    symbol: sp.Symbol
    axis: int
    origin: sp.Expr
    spacing: sp.Expr
    margin: tuple[int, ...]
    role: str = "coordinate"


@dataclass(frozen=True)
class Pad:
    """`margin[i]` more cells on both sides of axis i, of value 0 or repeating the border value."""

    margin: tuple[int, ...]
    mode: str
    role: str = "pad"


@dataclass(frozen=True)
class Crop:
    """The adjoint of Pad with zeros: drops `margin[i]` cells on both sides of axis i."""

    margin: tuple[int, ...]
    role: str = "crop"


@dataclass(frozen=True)
class Convolution:
    """K: one output per row of the bank."""

    bank: Bank
    role: str = "convolution"


@dataclass(frozen=True)
class TransposedConvolution:
    """K^T of the same bank: the weights are those of the convolution, mirrored."""

    bank: Bank
    role: str = "transposed convolution"


@dataclass(frozen=True)
class EdgeMean:
    """Mean over the two cells i and i + 1 of the edges along `axis`."""

    axis: int
    closure: str
    role: str = "edge mean"


@dataclass(frozen=True)
class Pointwise:
    """Expressions in the slot symbols, parameters and weights, cell by cell.

    role     "coefficient", "activation", "step" (u + tau * ...) or "skip" (the last node of a block);
             in cells "right-hand side", "residual", "product" and "tangent"
    weights  symbols whose values differ from block to block, such as the extrapolation of FSI
    """

    expressions: tuple[sp.Expr, ...]
    role: str
    weights: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()


@dataclass(frozen=True)
class State:
    """The variable v of a loop, from its slot "start" on; nodes of the body name the loop they are in."""

    role: str = "state"


@dataclass(frozen=True)
class Iterate:
    """The result of a loop v <- next(v): of a fixed number of iterations, or once the residual is small.

    Slots: "start", "next" and "residual", the last two functions of the State. With `tol`, iteration ends
    at ‖residual‖ <= tol ‖rhs‖, rhs the slot "rhs", or tol times the first residual if there is none.

    method         "fixed point", "Kacanov" or "Newton", whose updates are halved until the residual decreases
    iterations     their number, 0 if `tol` decides
    tol            relative, 0 if the number of iterations is fixed
    most           the largest number of iterations
    anderson       how many earlier iterates Anderson acceleration combines
    gradients      "unrolled" or "implicit"
    on_failure     "warn" or "error" if `tol` is not reached
    """

    method: str
    iterations: int
    tol: sp.Expr
    most: int
    anderson: int
    gradients: str
    on_failure: str
    role: str = "iterate"


@dataclass(frozen=True)
class Trial:
    """The variable x of a linear system; nodes that depend on it name the LinearSolve as their loop."""

    role: str = "trial"


@dataclass(frozen=True)
class LinearSolve:
    """x with product(x) = rhs, by a Krylov method from x = 0; slots "rhs" and "product", linear in the Trial.

    method  "cg" (conjugate gradients) or "bicgstab"
    tol     of the residual, relative to ‖rhs‖
    most    the largest number of iterations
    preconditioner  "none", "diagonal" (slot "diagonal") or "multigrid"
    """

    method: str
    tol: sp.Expr
    most: int
    preconditioner: str
    role: str = "linear solve"


@dataclass(frozen=True)
class Tridiagonal:
    """x with (d + scale m D^T g D) x = rhs along one axis, D the two-point difference, solved exactly.

    Slots "rhs" and, where they are arrays, "g" (on edges, with `margin`), "d" and "m"; else the expressions.

    closure  "reflecting", "periodic" or "dirichlet" (zero outside of the grid)
    """

    axis: int
    closure: str
    margin: tuple[int, ...]
    scale: sp.Expr
    g: sp.Expr
    d: sp.Expr
    m: sp.Expr
    role: str = "tridiagonal solve"


@dataclass(frozen=True)
class Output:
    """The state at the end."""

    role: str = "output"


Node = (
    Input
    | Field
    | Coordinate
    | Pad
    | Crop
    | Convolution
    | TransposedConvolution
    | EdgeMean
    | Pointwise
    | State
    | Iterate
    | Trial
    | LinearSolve
    | Tridiagonal
    | Output
)
