"""The vocabulary of network graphs. A node takes arrays of one shape per slot and returns a tuple of arrays.

In a graph of several channels arrays have as many channels as the image, or one that stands for all.

Edges carry `port`, the position in the tuple of the producer, and `slot`, the name under which the
consumer knows the value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import sympy as sp

from pde2net.discretise.filters import Parity
from pde2net.discretise.operators import Bank

CHANNEL_SUM = "sum over channels"  # a role
S2 = sp.Symbol("_s2", real=True)  # a slot: |p|^2 over channels; the names of others begin with its name
PASS = sp.Symbol("_k", integer=True)  # the number of a pass through the body of a Repeat, from 0 on
CHANNEL = "channel"  # the role, and the name of that of the state: "u.channel" for an unknown u
Weights = tuple[tuple[sp.Symbol, sp.Expr], ...]


class Node:
    """What all kinds of nodes have in common.

    role       what the node is for
    takes      the slots that must be fed, where they are the same for all nodes of a kind
    coarsens   how much coarser the grid of the output is than that of the inputs
    variables  those that the body of a loop has; a Repeat may have a Previous
    """

    role: str
    takes: ClassVar[tuple[str, ...]] = ()
    coarsens: ClassVar[int] = 0
    variables: ClassVar[tuple[type[Node], ...]] = ()

    @property
    def needed(self) -> set[str]:
        """The slots that must be fed."""
        return set(self.takes)

    @property
    def optional(self) -> set[str]:
        """The slots that may be fed."""
        return set()

    @classmethod
    def kinds(cls) -> tuple[type[Node], ...]:
        """All kinds of nodes of the package."""
        return tuple(kind for kind in cls.__subclasses__() if kind.__module__ == __name__)


@dataclass(frozen=True)
class Input(Node):
    """The state u at the start; one array, which is 0 outside of a domain, a Field of a symbols.Domain."""

    symbol: sp.Symbol
    role: str = "input"


@dataclass(frozen=True)
class Field(Node):
    """A known field; one array."""

    symbol: sp.Symbol
    role: str = "known field"


@dataclass(frozen=True)
class Coordinate(Node):
    """origin + i * spacing along `axis`, broadcast over the others, `margin` cells further out."""

    symbol: sp.Symbol
    axis: int
    origin: sp.Expr
    spacing: sp.Expr
    margin: tuple[int, ...]
    role: str = "coordinate"


@dataclass(frozen=True)
class Pad(Node):
    """`margin[i]` more cells on both sides of axis i, of value 0 or repeating the border value."""

    takes = ("u",)
    margin: tuple[int, ...]
    mode: str
    role: str = "pad"


@dataclass(frozen=True)
class Crop(Node):
    """The adjoint of Pad with zeros: drops `margin[i]` cells on both sides of axis i."""

    takes = ("u",)
    margin: tuple[int, ...]
    role: str = "crop"


@dataclass(frozen=True)
class Convolution(Node):
    """K: one output per row of the bank."""

    takes = ("u",)
    bank: Bank
    role: str = "convolution"


@dataclass(frozen=True)
class TransposedConvolution(Node):
    """K^T of the same bank: the weights are those of the convolution, mirrored."""

    bank: Bank
    role: str = "transposed convolution"

    @property
    def needed(self) -> set[str]:
        return {f"p{i}" for i in range(len(self.bank.operations))}


@dataclass(frozen=True)
class Filter(Node):
    """K of a learned operator: one array, whose channels are the filters.

    Along reflecting axes it has the kernel_size - 1 fewer cells whose windows lie on the grid, along those
    called "continued" all: what is filtered goes on as its mirror image. The graph has no weights: those of
    later blocks are of their own, unless the network shares them.

    channels   of what is filtered
    parity     of continued operators: 1 or -1 for each filter and axis, whether it is even or odd there
    inner      the same of the channels that are filtered
    zero_mean  whether the weights of each filter and channel have the mean 0
    scale      filters act on sums over blocks of so many cells along each axis, over the root of their number
    """

    takes = ("u",)
    operator: str
    out_channels: int
    kernel_size: int
    boundary: tuple[str, ...]
    channels: int
    parity: Parity = ()
    inner: Parity = ()
    zero_mean: bool = False
    scale: int = 1
    role: str = "filter"


@dataclass(frozen=True)
class TransposedFilter(Node):
    """K^T of the same operator, with the same weights: from the cells of K u back to those of u."""

    takes = ("p",)
    operator: str
    out_channels: int
    kernel_size: int
    boundary: tuple[str, ...]
    channels: int
    parity: Parity = ()
    inner: Parity = ()
    zero_mean: bool = False
    scale: int = 1
    role: str = "transposed filter"


@dataclass(frozen=True)
class Spline(Node):
    """phi(q), an odd, piecewise linear flux; its weights are slopes, of shape (rows, pieces + 1).

    pieces        from 0 to the last knot, each of the width `width`
    lower, upper  bounds that the network keeps of its slopes
    rows          one flux for all channels, or one for each
    quotient      whether it is phi(q)/q that is computed, at 0 the slope there
    """

    takes = ("q",)
    name: str
    pieces: int
    width: sp.Expr
    lower: sp.Expr
    upper: sp.Expr
    rows: int
    quotient: bool = False
    role: str = "spline"


@dataclass(frozen=True)
class EdgeMean(Node):
    """Mean over the two cells i and i + 1 of the edges along `axis`."""

    takes = ("a",)
    axis: int
    closure: str
    role: str = "edge mean"


@dataclass(frozen=True)
class Gaussian(Node):
    """Smoothing by a Gaussian along each axis: weights exp(-(k h)^2/(2 sigma^2)), |k| <= 4 sigma/h + 1/2.

    They are normalised to the sum 1; slot "u" goes on beyond the border as `boundary` says, by axis:
    "reflecting" (even), "periodic", "dirichlet" (zero).
    """

    takes = ("u",)
    sigma: sp.Expr
    spacing: tuple[sp.Expr, ...]
    boundary: tuple[str, ...]
    role: str = "Gaussian"


@dataclass(frozen=True)
class Pointwise(Node):
    """Expressions in the slot symbols, parameters and weights, cell by cell.

    role     "coefficient", "activation", "step" (u + tau * ...) or "skip" (the last node of a block);
             in cells "right-hand side", "residual", "product" and "tangent";
             CHANNEL_SUM couples channels: the values are summed over those of an image
    weights  symbols whose values differ from block to block, the extrapolation of FSI or the time t, and
             these values: in the body of a Repeat, symbols of its tables and of its clock
    """

    expressions: tuple[sp.Expr, ...]
    role: str
    weights: Weights = ()

    @property
    def needed(self) -> set[str]:
        """Symbols with a leading underscore are slots; the others may be parameters: the graph knows."""
        return {name for name in self._names if name.startswith("_")}

    @property
    def optional(self) -> set[str]:
        return {name for name in self._names if not name.startswith("_")}

    @property
    def _names(self) -> set[str]:
        return {s.name for e in self.expressions for s in e.free_symbols} - {s.name for s, _ in self.weights}


@dataclass(frozen=True)
class Channel(Node):
    """Channel `index` of an array, as an array of one channel."""

    takes = ("u",)
    index: int
    role: str = CHANNEL


@dataclass(frozen=True)
class Channels(Node):
    """The arrays of slots c0, c1, ... as channels of one."""

    count: int
    role: str = "channels"

    @property
    def needed(self) -> set[str]:
        return {f"c{i}" for i in range(self.count)}


@dataclass(frozen=True)
class State(Node):
    """The variable v of a loop, from its slot "start" on; nodes of the body name the loop they are in."""

    takes = ("start",)
    role: str = "state"


@dataclass(frozen=True)
class Previous(Node):
    """The State of the pass before, of a Repeat; from its slot "start" on."""

    takes = ("start",)
    role: str = "previous state"


@dataclass(frozen=True)
class Repeat(Node):
    """The result of `count` passes through a body, v <- next(v): the blocks of a network, or their cycles.

    Slots: "start" and "next", a function of the State and, if there is one, of the Previous of the body.

    tables  weights of the body: symbols, and their values in each pass, or one value for all
    clock   the time t and its value in the pass PASS, if the body contains it
    """

    takes = ("start", "next")
    variables = (State,)
    count: int
    tables: tuple[tuple[sp.Symbol, tuple[sp.Expr, ...]], ...] = ()
    clock: Weights = ()
    role: str = "repeat"

    def weights(self, number: int) -> dict[sp.Symbol, sp.Expr]:
        """The values of all weights in a pass."""
        found = {symbol: values[number if len(values) > 1 else 0] for symbol, values in self.tables}
        return found | {t: now.xreplace({PASS: sp.Integer(number)}) for t, now in self.clock}

    @property
    def symbols(self) -> set[sp.Symbol]:
        """Those of the weights."""
        return {symbol for symbol, _ in (*self.tables, *self.clock)}


@dataclass(frozen=True)
class Iterate(Node):
    """The result of a loop v <- next(v): of a fixed number of iterations, or once the residual is small.

    Slots: "start", "next" and "residual", the last two functions of the State. With `tol`, iteration ends
    at ‖residual‖ <= tol ‖rhs‖, rhs the slot "rhs", or tol times the first residual if there is none. It
    begins at the slot "input", if there is one, for images where that leaves less than "start" does.

    method         "fixed point", "Kacanov", "multigrid", "descent", or "Newton": its updates are halved until
                   the residual decreases, and left out if it does not
    iterations     their number, 0 if `tol` decides
    tol            relative, 0 if the number of iterations is fixed
    most           the largest number of iterations
    anderson       how many earlier iterates Anderson acceleration combines
    gradients      "unrolled" or "implicit"
    weights        of descent: "none", or how its steps are extrapolated, "nesterov" or "fsi"
    steady         whether F(v) = 0 is solved: the first residual of a solution is rounding, and stays so
    on_failure     if `tol` is not reached: "warn" (an error if the residual ends above that of the start),
                   "error", or "best", the iterate of least residual
    """

    variables = (State,)
    method: str
    iterations: int
    tol: sp.Expr
    most: int
    anderson: int
    gradients: str
    on_failure: str
    weights: str = "none"
    steady: bool = False
    role: str = "iterate"

    @property
    def needed(self) -> set[str]:
        """Cycles of a fixed number need no residual."""
        fixed = self.method == "multigrid" and self.iterations
        return {"start", "next"} if fixed else {"start", "next", "residual"}

    @property
    def optional(self) -> set[str]:
        return {"rhs", "input"}


@dataclass(frozen=True)
class Trial(Node):
    """The variable x of a linear system; nodes that depend on it name the LinearSolve as their loop."""

    role: str = "trial"


@dataclass(frozen=True)
class LinearSolve(Node):
    """x with product(x) = rhs, by a Krylov method; slots "rhs" and "product", linear in the Trial.

    It starts from the slot "start", else from 0. Conjugate gradients, which have a start v, start from the
    multiple of v, and return the combination of v and their result, that is nearest to the solution in the
    norm of the product.

    method  "cg" (flexible conjugate gradients) or "bicgstab", preconditioned from the right
    tol     of the residual, relative to ‖rhs‖
    most    the largest number of iterations
    preconditioner  "none", "diagonal" (slot "diagonal") or "multigrid" (slot "preconditioner", a function of
                    the Trial)
    means   whether the result gets the mean of rhs, channel by channel, since product(1) = 1
    """

    variables = (Trial,)
    method: str
    tol: sp.Expr
    most: int
    preconditioner: str
    means: bool = False
    role: str = "linear solve"

    @property
    def needed(self) -> set[str]:
        preconditioner = {"none": (), "diagonal": ("diagonal",), "multigrid": ("preconditioner",)}
        start = ("start",) if self.method == "cg" else ()
        return {"rhs", "product", *preconditioner[self.preconditioner], *start}

    @property
    def optional(self) -> set[str]:
        return {"start"} - self.needed


@dataclass(frozen=True)
class Tridiagonal(Node):
    """x with (d + scale m D^T g D) x = rhs along one axis, D the two-point difference, solved exactly.

    Slots "rhs" and, where they are arrays, "g" (on edges), "d" and "m"; else the expressions.

    closure  "reflecting", "periodic" or "dirichlet" (zero outside of the grid)
    margin   how many more cells than rhs g has on both sides of the axis: 0 unless "dirichlet"
    weights  as of Pointwise
    """

    axis: int
    closure: str
    margin: int
    scale: sp.Expr
    g: sp.Expr
    d: sp.Expr
    m: sp.Expr
    role: str = "tridiagonal solve"
    weights: Weights = ()

    @property
    def needed(self) -> set[str]:
        """What is no constant comes in by a slot; the diagonal may be zero."""
        return {"rhs"} | {slot for slot in ("g", "m") if getattr(self, slot) == 0}

    @property
    def optional(self) -> set[str]:
        return {"d"} if self.d == 0 else set()


@dataclass(frozen=True)
class SquaredAdjoint(Node):
    """diag(K^T G K): the transposed convolution with squared weights, applied to the weights G of a flux.

    Slots p0, p1, ... for rows whose weight is an array; `constants` has the others, 0 where there is a slot.
    Taps that a reflecting border folds onto one cell are squared one by one.

    margin   how many more cells than the grid the arrays have on both sides of each axis
    weights  as of Pointwise
    """

    bank: Bank
    constants: tuple[sp.Expr, ...]
    margin: tuple[int, ...]
    role: str = "squared adjoint"
    weights: Weights = ()

    @property
    def optional(self) -> set[str]:
        """Constant weights need no slot."""
        return {f"p{i}" for i, weight in enumerate(self.constants) if weight == 0}


@dataclass(frozen=True)
class Operator(Node):
    """The function N(v) = mass v - step F(v) on every grid of a hierarchy; its body has a State, v.

    Slots of the body: "value", N(v); "diagonal", that of N with frozen weights; "product", N with the
    weights of v applied to a Trial; with `weighted` also "rows" and "kept", see below. The slot "state" is
    the image, whose sizes determine the grids. If it is `linear`, N is the product with the weights of this
    state, restricted to each grid, and there is no slot "value".

    Grid 0 is that of the image. The next one joins two cells of the grid before along each axis whose cells
    are at most 1.25 times as long as the shortest; the last may be cut off, with `adjoint` by at most a
    half. It keeps at least `smallest` and 2 cells. On a grid, the body means the same expressions with
    - coordinates at the centres of its cells, and fields restricted with the weights of rows;
    - differences divided by the distance of the centres instead of the spacing of grid 0; zero-Dirichlet
      values stay one spacing of grid 0 beyond the outermost centres of that;
    - the transposed convolution of fluxes times the area of the faces of a cell, divided by its length and
      its volume (area and volume are below 1 where the last cell of an axis is cut off).

    If it is `weighted`, some cells take few corrections or none, as the known ones of inpainting. On grid
    0 a cell is tied to them by the diffusion of "kept", divided by it. A tie goes to the next grid in series
    with the half cell to its centre, t own/(own + axes t), own the diagonal without mass, and is averaged
    like residuals. Where the operator of a coarse grid ties a cell less than that, the difference, times
    the argument, is added to "value" and "product", and to "diagonal".

    levels    grids at most
    asked     whether `levels` was declared: then fewer are worth a notice
    adjoint   residuals are restricted by (1, 3, 3, 1)/8, as terms of order 4 need it, else by the mean
    weighted  rows of the equation differ in size: "rows" weighs them where they are averaged, alike where it
              is 0 in all of them, "kept" says how much of a correction a cell takes
    linear    N is linear, with frozen weights
    """

    variables = (State, Trial)
    levels: int
    asked: bool
    smallest: tuple[int, ...]
    spacing: tuple[sp.Expr, ...]
    boundary: tuple[str, ...]
    adjoint: bool
    weighted: bool
    linear: bool
    role: str = "operator"

    @property
    def needed(self) -> set[str]:
        uneven = ("rows", "kept") if self.weighted else ()
        return {"state", "diagonal", "product", *(() if self.linear else ("value",)), *uneven}


@dataclass(frozen=True)
class Smooth(Node):
    """`sweeps` relaxations of N(v) = rhs; slots "v", "rhs" and "operator".

    kind  "jacobi": v + damping (rhs - N(v))/diagonal; "red-black": the same for the cells of even, then of
          odd index sum; "chebyshev": steps for eigenvalues of N/diagonal in `interval`
    """

    takes = ("v", "rhs", "operator")
    kind: str
    sweeps: int
    damping: sp.Expr
    interval: tuple[sp.Expr, sp.Expr]
    role: str = "smoother"


@dataclass(frozen=True)
class Residual(Node):
    """rhs - N(v); slots "v", "rhs" and "operator"."""

    takes = ("v", "rhs", "operator")
    role: str = "residual"


@dataclass(frozen=True)
class CoarseRightHandSide(Node):
    """N(v) + r on a coarse grid, the right-hand side of the full approximation scheme; slots "v", "r"."""

    takes = ("v", "r", "operator")
    role: str = "right-hand side"


@dataclass(frozen=True)
class Restriction(Node):
    """From a grid to the next coarser one, that of its level; slots "u" and "operator".

    kind  "solution": the mean over the cell; "residual": weighted like the rows of the equation
    """

    takes = ("u", "operator")
    coarsens = 1
    kind: str
    role: str = "restriction"


@dataclass(frozen=True)
class Prolongation(Node):
    """From the next coarser grid to that of its level, linear between centres; slots "u" and "operator"."""

    takes = ("u", "operator")
    coarsens = -1
    role: str = "prolongation"


@dataclass(frozen=True)
class Correction(Node):
    """v + kept * e, the skip connection of a U-net; slots "v", "e" and "operator"."""

    takes = ("v", "e", "operator")
    role: str = "correction"


@dataclass(frozen=True)
class Bottleneck(Node):
    """v with N(v) = rhs on the coarsest grid: `rounds` times v + x, product(x) = rhs - N(v).

    Each system is solved by bicgstab, scaled by the diagonal, to `tol` of its right-hand side or for `most`
    iterations; slots "start", "rhs" and "operator".
    """

    takes = ("start", "rhs", "operator")
    rounds: int
    tol: sp.Expr
    most: int
    role: str = "bottleneck"


@dataclass(frozen=True)
class Nearest(Node):
    """The combination of v and the start that is nearest to the solution of N(v) = rhs, N affine.

    Nearest in the norm of the product, N - N(0), which is symmetric. Slots "v", "start", "rhs", "operator".

    means   whether product(1) = 1: constants, those of each channel, are added to the combinations
    source  whether N(0) is not 0
    """

    takes = ("v", "start", "rhs", "operator")
    means: bool
    source: bool
    role: str = "nearest combination"


@dataclass(frozen=True)
class Cycle(Node):
    """Corrections on one grid: `repeat` times v <- next(v) from "start" on, v the State of its body.

    If the image allows no coarser grid than that of its level, it does what the Bottleneck does. Slots
    "start", "rhs", "next" and "operator".
    """

    takes = ("start", "rhs", "next", "operator")
    variables = (State,)
    repeat: int
    role: str = "cycle"


@dataclass(frozen=True)
class VCycle(Node):
    """About z with N z = r, for a linear operator: a cycle from z = 0; slots "r" and "operator".

    On each grid a sweep z + damping (r - N z)/diagonal, the correction by a cycle on the next one for the
    residual, another sweep; on the coarsest one bicgstab, scaled by the diagonal, to `tol` of r or for `most`
    iterations.
    """

    takes = ("r", "operator")
    damping: sp.Expr
    tol: sp.Expr
    most: int
    role: str = "multigrid cycle"


@dataclass(frozen=True)
class Output(Node):
    """The state at the end; outside of a domain, what the network was given."""

    takes = ("u",)
    role: str = "output"


Weighted = Pointwise | Tridiagonal | SquaredAdjoint


def with_expressions(node: Weighted, change: Callable[[sp.Expr], sp.Expr]) -> Weighted:
    """The node with other expressions."""
    if isinstance(node, Pointwise):
        return replace(node, expressions=tuple(map(change, node.expressions)))
    if isinstance(node, SquaredAdjoint):
        return replace(node, constants=tuple(map(change, node.constants)))
    return replace(node, g=change(node.g), d=change(node.d), m=change(node.m))


def expressions_of(node: Weighted) -> tuple[sp.Expr, ...]:
    """The expressions of a node, which may contain its weights."""
    if isinstance(node, Pointwise):
        return node.expressions
    return node.constants if isinstance(node, SquaredAdjoint) else (node.g, node.d, node.m)
