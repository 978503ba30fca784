"""The solvers of implicit steps as typed choices.

All iterate v towards v = rhs + tau F(v), from v = u. `iterations` asks for a fixed number; `tol` stops
when the residual of an image is at most tol ‖rhs‖, or where rhs = 0, tol times its residual at u. With
neither, tol = 1e-6.

If `tol` is not reached after `max_iterations`,
on_failure="warn"   warns and returns the last iterate; if its residual is above that of the start, it raises
                    ConvergenceError (of the emitted source), since the last iterate is no result then
           "error"  raises it in both cases
           "best"   warns and returns the iterate of the least residual in both cases
A fixed number of iterations never raises; `module.residuals(u)` returns the residuals that it leaves.

If the linear systems of Kacanov's iterations are all the same, as those of linear equations are, one
iteration is made, in which a Krylov method may take the steps of all.

gradients  how to back-propagate: "unrolled" through the iterations, or "implicit", by the implicit
           function theorem, in memory independent of their number; None: implicit with a tolerance
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import Any, ClassVar

import sympy as sp

from pde2net.errors import DeclarationError, options
from pde2net.language.exact import chosen, count, positive, word

LINEAR_TOL = sp.Rational(1, 10**8)
LINEAR_ITERATIONS = {"none": 200, "diagonal": 200, "multigrid": 30}
PRECONDITIONERS = tuple(LINEAR_ITERATIONS)
GRADIENTS = ("unrolled", "implicit")
ON_FAILURE = ("warn", "error", "best")
MOMENTUM = ("none", "nesterov", "fsi")


@options
class Solver:
    """What all solvers have in common; not a solver itself."""

    label: ClassVar[str]
    iterations: int | None = None
    tol: Any = None
    max_iterations: int = 50
    gradients: Any = field(default=None, kw_only=True)
    on_failure: str = field(default="warn", kw_only=True)

    def __post_init__(self) -> None:
        iterations, tol = self.iterations, self.tol
        if iterations is not None and tol is not None:
            raise DeclarationError("Give either the number of iterations or tol, not both.")
        if iterations is not None:
            iterations = count(iterations, "The number of iterations")
        else:
            tol = positive(sp.Rational(1, 10**6) if tol is None else tol, "The tolerance")
        gradients = self.gradients or ("unrolled" if tol is None else "implicit")
        chosen(
            self,
            iterations=iterations,
            tol=tol,
            max_iterations=count(self.max_iterations, "The largest number of iterations"),
            gradients=word(gradients, GRADIENTS, "gradients"),
            on_failure=word(self.on_failure, ON_FAILURE, "on_failure"),
        )
        if gradients == "implicit" and tol is None:
            raise DeclarationError(
                'gradients="implicit" differentiates the solution of the equation, so give tol, not a number '
                "of iterations."
            )

    def counted(self) -> Solver:
        """The same with a fixed number of iterations, all that it may make."""
        count = self.iterations or self.max_iterations
        return replace(self, iterations=count, tol=None, gradients="unrolled")


@options
class FixedPoint(Solver):
    """Picard iteration v <- rhs + tau F(v); it contracts if tau sup|Phi'| ‖K‖² < 1.

    anderson  the number of earlier iterates that Anderson acceleration combines; 0 for none
    """

    label: ClassVar[str] = "fixed point"
    max_iterations: int = 200
    anderson: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        depth = 0 if self.anderson == 0 else count(self.anderson, "The depth of Anderson acceleration")
        chosen(self, anderson=depth)


@options
class _Linearising(Solver):
    """Solves a linear system per iteration: exactly where it is tridiagonal, else by a Krylov method.

    linear_tol         relative residual of each system
    linear_iterations  the most Krylov iterations per system; None: 30 with multigrid, else 200
    preconditioner     "none"; "diagonal", for rows of very different size; "multigrid", for large steps: a
                       cycle over nested grids, with which the iterations do not grow with the image or the
                       step; None: multigrid where it applies, else the diagonal, else none
    """

    linear_tol: Any = None
    linear_iterations: int | None = None
    preconditioner: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preconditioner is not None:
            word(self.preconditioner, PRECONDITIONERS, "preconditioner")
        if self.linear_iterations is not None:
            chosen(self, linear_iterations=count(self.linear_iterations, "The number of linear iterations"))
        tol = LINEAR_TOL if self.tol is None else self.tol / 100
        given = self.linear_tol
        chosen(self, linear_tol=tol if given is None else positive(given, "The linear tolerance"))


class Kacanov(_Linearising):
    """Lagged diffusivity: solves (I + tau A(v)) v+ = rhs with the diffusivities of v, from v on.

    A truncated solve of a symmetric system ends with the combination of its start and its result that is
    nearest to the solution: neither the norm, nor the energy, nor the mean is left to the truncation
    (docs/theory.md, section 4.11).
    """

    label: ClassVar[str] = "Kacanov"


class Newton(_Linearising):
    """Newton's method, v+ = v - s J^-1 (v - tau F(v) - rhs).

    s is 1, halved until the residual decreases, and 0 if 12 values do not do it, for each image alone; with
    a fixed number of iterations too.
    """

    label: ClassVar[str] = "Newton"


@options
class Descent(Solver):
    """Gradient descent for the steady state, v <- v + omega F(v).

    Let m and M bound the slope of -F: M = rho' + beta, m = beta - rho_m with a data term beta (f - u). The
    step omega = 2/(M + |m|) is computed, from bounds of the norms of learned operators too. For m > 0 it
    contracts by (M - m)/(M + m), and `module.error`, ‖F‖/m after the last call, bounds the distance of each
    image to the steady state; it is infinite otherwise (docs/theory.md, 4.23).

    weights  "none" for plain steps; "nesterov" extrapolates by k/(k + 3), k counted from 0 on again where
             that points uphill, with omega = 1/M; "fsi" by (2 k - 1)/(2 k + 3) in cycles of 20, with
             omega = 2/M: mostly faster, with the bound of the error alone
    """

    label: ClassVar[str] = "descent"
    max_iterations: int = 2000
    weights: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        word(self.weights, MOMENTUM, "weights")


SOLVERS = {s.label: s for s in (FixedPoint, Kacanov, Newton, Descent)}
