"""The records of a program: functions as lists of operations on named arrays. None of them is text.

A value is an output of an operation. It is called after the node of the graph that it comes from, and has an
identifier of Python in its place once the pass `name` is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

import sympy as sp

from pde2net.discretise.arrays import Extension
from pde2net.graph.nodes import (
    Channel,
    Coordinate,
    EdgeMean,
    Filter,
    Node,
    Pad,
    Repeat,
    Spline,
    SquaredAdjoint,
)

Given = tuple[str, str]  # a value that a function is handed, and what it would be called


@dataclass(frozen=True)
class Line:
    """A coordinate that need not be as large as the image: it is broadcast where it is used."""

    node: Coordinate


@dataclass(frozen=True)
class Squares:
    """A squared adjoint; slots in `known` have arrays that may stand for all images.

    If all are known, the slot "image" says how large the result is.
    """

    node: SquaredAdjoint
    known: frozenset[str]


@dataclass(frozen=True)
class OnGrid:
    """An operation with the distances and volumes of the grid that its function is handed.

    wide  whether its result has cells beyond the border
    """

    node: Node
    wide: bool = False


@dataclass(frozen=True)
class Stored:
    """Known data, which the grid has that its function is handed."""

    data: str


@dataclass(frozen=True)
class Loop:
    """Passes through a function of the state, slot "start", and of values that are the same in all passes.

    previous  the parameter that has the state of the pass before, if there is one
    """

    repeat: Repeat
    body: Function
    previous: str = ""


@dataclass(frozen=True)
class Reversed:
    """The vector-Jacobian product of a Loop, for the slot "cotangent" and those of the loop.

    backward  the vector-Jacobian product of its body, with regard to parameters, `symbols`, those of the
              weights of the loop, and learned weights
    """

    loop: Loop
    backward: Function
    symbols: tuple[sp.Symbol, ...]


@dataclass(frozen=True)
class Transposed:
    """The adjoint of a linear operation whose adjoint is no node."""

    node: Pad | EdgeMean | Channel


@dataclass(frozen=True)
class Fold:
    """The adjoint of broadcasting: sums of "a" over the axes along which "like" has one entry."""


@dataclass(frozen=True)
class Total:
    """The sum of all entries of "a", a number."""


@dataclass(frozen=True)
class FilterSlope:
    """What the product of "p" and K "u" has as its slope by the weights of K."""

    node: Filter


@dataclass(frozen=True)
class Activation:
    """K^T flux(K u0, K u1, ...), cell by cell and filter by filter; slots "u0", "u1", ... and of `numbers`.

    flux     of the responses, and of slope and offset of the piece of each spline that a response is in, in
             `symbols` for numbers of a filter
    numbers  what these are, in parameters and in slots, one number for each image
    splines  each with the number of its response
    """

    node: Filter
    flux: Function
    numbers: tuple[sp.Expr, ...]
    symbols: tuple[sp.Symbol, ...]
    splines: tuple[tuple[Spline, int], ...]

    @property
    def responses(self) -> tuple[str, ...]:
        """The parameters of the flux that are these."""
        count = len(self.flux.parameters) - 2 * len(self.splines)
        return tuple(v for v, _ in self.flux.parameters[:count])


@dataclass(frozen=True)
class Sum:
    """A weighted sum of "u" and its neighbours along an axis; the weights are symmetric.

    extension  how "u" goes on beyond the border
    """

    axis: int
    weights: tuple[sp.Expr, ...]
    extension: Extension


Op = (
    Node
    | Line
    | Squares
    | OnGrid
    | Stored
    | Loop
    | Reversed
    | Transposed
    | Fold
    | Total
    | FilterSlope
    | Activation
    | Sum
)


@dataclass(frozen=True)
class Let:
    """outputs = op(inputs), inputs by their slots.

    wanted  what a reader would call the outputs: "s2", "flux_x"
    passing  whether they are parts of expressions, which no node of the graph has
    """

    outputs: tuple[str, ...]
    op: Op
    inputs: tuple[tuple[str, str], ...]
    wanted: tuple[str, ...]
    passing: bool = False

    @property
    def fed(self) -> dict[str, str]:
        """The inputs by their slots."""
        return dict(self.inputs)

    def renamed(self, names: Mapping[str, str]) -> Let:
        """The same with other names of all values."""
        outputs = tuple(names[v] for v in self.outputs)
        return replace(self, outputs=outputs, inputs=tuple((slot, names[v]) for slot, v in self.inputs))

    def with_inputs(self, names: dict[str, str]) -> Let:
        """The same of other inputs, where `names` has others."""
        return replace(self, inputs=tuple((slot, names.get(v, v)) for slot, v in self.inputs))


@dataclass(frozen=True)
class Function:
    """results = body(parameters)."""

    name: str
    parameters: tuple[Given, ...]
    body: tuple[Let, ...]
    results: tuple[str, ...]

    @property
    def ops(self) -> Iterator[Op]:
        return (let.op for let in self.body)

    @property
    def read(self) -> tuple[str, ...]:
        """The first parameter, and others that are read."""
        used = {v for let in self.body for v in let.fed.values()}.union(self.results)
        first, *others = dict.fromkeys(v for v, _ in self.parameters)
        return (first, *(v for v in others if v in used))


class Transform(Enum):
    """How the value of a parameter comes from what is stored."""

    IDENTITY = auto()  # it is that, a number or trained
    LOGARITHM = auto()  # it keeps its sign: its logarithm is trained
    LIMIT = auto()  # it is the limit
    CAPPED = auto()  # a number, or the limit where that is smaller
    FRACTION = auto()  # of the limit, which is trained


@dataclass(frozen=True)
class Parameter:
    """A symbol of blocks or cells.

    default  the value that is declared; None if there is none
    limit    the largest stable value, or the value of alpha, in other parameters and norms of filters
    """

    symbol: sp.Symbol
    default: sp.Expr | None
    transform: Transform
    limit: sp.Expr | None = None


@dataclass(frozen=True)
class Program:
    """The functions and parameters of one network.

    data      known data that all functions are handed, which the function "known" computes
    carried   earlier states, or the rate at one, that a block is handed
    frozen    what a block is handed of its cycle
    operator  the functions of an operator on all grids, the preconditioner of a cell
    owner     what has parameters of its own: the "network", each "block" or each "cycle"
    """

    functions: tuple[Function, ...]
    data: tuple[Given, ...] = ()
    carried: tuple[Given, ...] = ()
    frozen: tuple[Given, ...] = ()
    operator: Program | None = None
    parameters: tuple[Parameter, ...] = ()
    owner: str = "network"

    def __contains__(self, name: str) -> bool:
        return any(f.name == name for f in self.functions)

    def __getitem__(self, name: str) -> Function:
        return next(f for f in self.functions if f.name == name)
