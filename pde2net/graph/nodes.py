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

    role     "coefficient", "activation", "step" (u + tau * ...) or "skip" (the last node of a block)
    weights  symbols whose values differ from block to block, such as the extrapolation of FSI
    """

    expressions: tuple[sp.Expr, ...]
    role: str
    weights: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()


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
    | Output
)
