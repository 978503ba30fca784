"""The solvers of implicit steps as typed choices.

All iterate v towards v = rhs + tau F(v), from v = u. `iterations` asks for a fixed number; `tol` stops
when the residual of an image is at most tol ‖rhs‖. With neither, tol = 1e-6.

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

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import sympy as sp

from pde2net.errors import DeclarationError, known_options, suggestion
from pde2net.language.exact import count, positive

LINEAR_TOL = sp.Rational(1, 10**8)
LINEAR_ITERATIONS = {"none": 200, "diagonal": 200, "multigrid": 30}
PRECONDITIONERS = tuple(LINEAR_ITERATIONS)
ON_FAILURE = ("warn", "error", "best")


@dataclass(frozen=True)
class Solver:
    """What all solvers have in common; not a solver itself."""

    label: ClassVar[str]
    iterations: int | None
    tol: sp.Expr | None
    max_iterations: int
    gradients: str
    on_failure: str

    def _common(
        self, iterations: Any, tol: Any, max_iterations: Any, gradients: Any, on_failure: Any
    ) -> None:
        if iterations is not None and tol is not None:
            raise DeclarationError("Give either the number of iterations or tol, not both.")
        if iterations is not None:
            iterations = count(iterations, "The number of iterations")
        else:
            tol = positive(sp.Rational(1, 10**6) if tol is None else tol, "The tolerance")
        gradients = gradients or ("unrolled" if tol is None else "implicit")
        for value, choices, what in (
            (gradients, ("unrolled", "implicit"), "gradients"),
            (on_failure, ON_FAILURE, "on_failure"),
        ):
            if value not in choices:
                raise DeclarationError(f'There is no {what}="{value}".{suggestion(str(value), choices)}')
        if gradients == "implicit" and tol is None:
            raise DeclarationError(
                'gradients="implicit" differentiates the solution of the equation, so give tol, not a number '
                "of iterations."
            )
        _set(
            self,
            iterations=iterations,
            tol=tol,
            max_iterations=count(max_iterations, "The largest number of iterations"),
            gradients=gradients,
            on_failure=on_failure,
        )

    def counted(self) -> Solver:
        """The same with a fixed number of iterations, all that it may make."""
        count = self.iterations or self.max_iterations
        return replace(self, iterations=count, tol=None, gradients="unrolled")


def _set(solver: Solver, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(solver, name, value)


@dataclass(frozen=True)
class FixedPoint(Solver):
    """Picard iteration v <- rhs + tau F(v); it contracts if tau sup|Phi'| ‖K‖² < 1.

    anderson  the number of earlier iterates that Anderson acceleration combines; 0 for none
    """

    label: ClassVar[str] = "fixed point"
    anderson: int = 0

    @known_options
    def __init__(
        self,
        iterations: int | None = None,
        tol: Any = None,
        max_iterations: int = 200,
        anderson: int = 0,
        gradients: str | None = None,
        on_failure: str = "warn",
    ) -> None:
        self._common(iterations, tol, max_iterations, gradients, on_failure)
        _set(self, anderson=0 if anderson == 0 else count(anderson, "The depth of Anderson acceleration"))


@dataclass(frozen=True)
class _Linearising(Solver):
    """Solves a linear system per iteration: exactly where it is tridiagonal, else by a Krylov method.

    linear_tol         relative residual of each system
    linear_iterations  the most Krylov iterations per system; None: 30 with multigrid, else 200
    preconditioner     "none"; "diagonal", for rows of very different size; "multigrid", for large steps: a
                       cycle over nested grids, with which the iterations do not grow with the image or the
                       step; None: multigrid where it applies, else the diagonal, else none
    """

    linear_tol: sp.Expr = LINEAR_TOL
    linear_iterations: int | None = None
    preconditioner: str | None = None

    @known_options
    def __init__(
        self,
        iterations: int | None = None,
        tol: Any = None,
        max_iterations: int = 50,
        linear_tol: Any = None,
        linear_iterations: int | None = None,
        preconditioner: str | None = None,
        gradients: str | None = None,
        on_failure: str = "warn",
    ) -> None:
        self._common(iterations, tol, max_iterations, gradients, on_failure)
        if preconditioner is not None and preconditioner not in PRECONDITIONERS:
            raise DeclarationError(
                f'There is no preconditioner="{preconditioner}".'
                f"{suggestion(str(preconditioner), PRECONDITIONERS)}"
            )
        default = LINEAR_TOL if self.tol is None else self.tol / 100
        _set(
            self,
            linear_tol=default if linear_tol is None else positive(linear_tol, "The linear tolerance"),
            linear_iterations=None
            if linear_iterations is None
            else count(linear_iterations, "The number of linear iterations"),
            preconditioner=preconditioner,
        )


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


SOLVERS = {s.label: s for s in (FixedPoint, Kacanov, Newton)}
