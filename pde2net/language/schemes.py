"""The time discretisations as typed choices.

All of them take `tau`, the time step: a positive number, expression or symbol, or None, which asks for
the largest one that the certificate proves to be stable. All raise DeclarationError for a step that is
not known to be positive, a bad count, or an unknown option, and have `for_time`, which chooses step and
counts for a stopping time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

import sympy as sp

from pde2net.errors import DeclarationError, known_options, options
from pde2net.language.exact import chosen, count, exact, positive, word
from pde2net.language.solvers import GRADIENTS, ON_FAILURE, Descent, FixedPoint, Kacanov, Newton, Solver
from pde2net.language.stopping import ChosenSteps, CyclicTime, DampedTime, ExplicitTime, StagedTime, Stopping
from pde2net.later import later

FREEZE = ("cycle", "step")
FIDELITY = ("explicit", "implicit")
CYCLES = ("V", "W", "FMG")
HALF = sp.Rational(1, 2)
SMOOTHERS = ("jacobi", "red-black", "chebyshev")


@dataclass(frozen=True)
class Scheme(Stopping):
    """What all schemes have in common; not a scheme itself."""

    label: ClassVar[str]
    may_last: ClassVar[bool] = False  # whether tau may be infinite: the steady state
    tau: Any

    def __post_init__(self) -> None:
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        steady = self.may_last and self.tau == sp.oo
        chosen(self, tau=sp.oo if steady else _step(self.tau))
        chosen(self, **{name: CHECKS[name](value) for name, value in given.items() if name in CHECKS})
        if steady and self.repeats > 1:
            raise DeclarationError("tau = oo reaches the steady state in one step; use steps = 1.")


def _step(tau: Any) -> sp.Expr | None:
    return None if tau is None else positive(tau, "The time step tau")


def _solver(solver: Any) -> Solver:
    if solver is None:
        return Kacanov()
    if not isinstance(solver, FixedPoint | Kacanov | Newton | Descent):
        raise DeclarationError(f"solver must be FixedPoint, Kacanov, Newton or Descent, not {solver!r}.")
    return solver


def _weight(theta: Any) -> sp.Expr:
    weight = exact(theta, "theta")
    if not (weight.is_number and 0 < weight <= 1):
        raise DeclarationError(f"theta must be a number in (0, 1], not {theta}; 0 is Explicit.")
    return weight


def _damping(given: Any) -> sp.Expr | None:
    damping = None if given is None else positive(given, "The damping")
    if damping is not None and (not damping.is_number or damping >= 2):
        raise DeclarationError(f"The damping must be a number below 2, not {damping}.")
    return damping


# option -> its value as it is kept
CHECKS: dict[str, Callable[[Any], Any]] = {
    "steps": lambda v: count(v, "The number of steps"),
    "alpha": lambda v: None if v is None else positive(v, "alpha"),
    "cycle_length": lambda v: count(v, "The cycle length"),
    "cycles": lambda v: count(v, "The number of cycles"),
    "freeze": lambda v: word(v, FREEZE, "freeze"),
    "fidelity": lambda v: word(v, FIDELITY, "fidelity"),
    "solver": _solver,
    "theta": _weight,
    "levels": lambda v: None if v is None else count(v, "The number of levels"),
    "pre": lambda v: 0 if v == 0 else count(v, "The number of pre"),
    "post": lambda v: 0 if v == 0 else count(v, "The number of post"),
    "cycle": lambda v: word(v, CYCLES, "cycle"),
    "smoother": lambda v: word(str(v).replace("_", "-"), SMOOTHERS, "smoother"),
    "damping": _damping,
    "tol": lambda v: None if v is None else positive(v, "The tolerance"),
    "gradients": lambda v: word(v, GRADIENTS, "gradients"),
    "on_failure": lambda v: word(v, ON_FAILURE, "on_failure"),
}


@dataclass(frozen=True)
class OwnScheme(ChosenSteps, Scheme):
    """What a scheme of your own inherits from (pde2net.extend): `tau`, `steps`, `for_time(time, steps=...)`.

    tau=None takes the largest step that is proved; how many of them a time takes is left to you.
    """

    steps: int = 1

    def __post_init__(self) -> None:
        chosen(self, tau=_step(self.tau), steps=count(self.steps, "The number of steps"))

    @property
    def span(self) -> sp.Expr:
        found: sp.Expr = later("span_of")(self)
        return found


@options
class Explicit(ExplicitTime, Scheme):
    """The explicit (forward Euler) scheme u+ = u + tau F(u), F(u) = -A(u) u + r(u).

    steps     the number of steps, at least 1
    fidelity  how a term b (f - u) of F is taken: "explicit", at u, or "implicit", at u+: by the proximal
              step u+ = (u - tau A(u) u + tau b f)/(1 + tau b), b >= 0 a number or an expression in parameters
    """

    label: ClassVar[str] = "explicit"
    steps: int = 1
    fidelity: str = "explicit"


@options
class DuFortFrankel(DampedTime, Scheme):
    """Du Fort-Frankel: u+ = a (u + F(u)/(2 alpha)) + (1 - a) u-, a = 4 tau alpha/(1 + 2 tau alpha).

    Starts from u- = u. alpha, a positive number or expression, damps: None chooses the smallest for which
    frozen coefficients are stable for every tau, a quarter of the norm of A. Consistent if tau/h -> 0.
    """

    label: ClassVar[str] = "Du Fort-Frankel"
    alpha: Any = None
    steps: int = 1


@options
class _Cyclic(CyclicTime, Scheme):
    """Cycles of `cycle_length` steps; a cycle covers the time tau n (n + 1)/3.

    freeze  "cycle": diffusivities are those of the start of the cycle; "step": of each step
    """

    cycle_length: int = 1
    cycles: int = 1
    freeze: str = "cycle"


class FSI(_Cyclic):
    """Fast semi-iterative scheme: u+ = a_k (u + tau F(u)) + (1 - a_k) u-, a_k = (4 k + 2)/(2 k + 3).

    k = 0 .. cycle_length - 1, with u- = u at the start of each cycle (Hafner et al. 2016).
    """

    label: ClassVar[str] = "FSI"


class FED(_Cyclic):
    """Fast explicit diffusion: explicit steps tau_i = tau/(2 cos^2(pi (2 i + 1)/(4 n + 2))).

    One cycle is the polynomial of FSI in A; the steps are ordered against the growth of rounding errors
    (Grewenig, Weickert, Bruhn 2010).
    """

    label: ClassVar[str] = "FED"


def set_stages(scheme: Scheme, least: int, order: Any, tau: Any, stages: Any, steps: Any) -> None:
    """Set the options of a scheme of order 1, or 2 with at least `least` stages per step."""
    if order not in (1, 2):
        raise DeclarationError(f"The order of {scheme.label} must be 1 or 2, not {order!r}.")
    stages = count(stages, "The number of stages")
    if order == 2 and stages < least:
        raise DeclarationError(f"{scheme.label} of order 2 needs at least {least} stages, not {stages}.")
    steps = count(steps, "The number of steps")
    chosen(scheme, tau=_step(tau), order=int(order), stages=stages, steps=steps)


@dataclass(frozen=True)
class RKL(StagedTime, Scheme):
    """Runge-Kutta-Legendre of order 1 or 2 with `stages` stages per step tau (Meyer et al. 2014).

    Order 2 needs at least 3 stages. A step is stable up to (s^2 + s)/2, or (s^2 + s - 2)/4, explicit ones.
    """

    label: ClassVar[str] = "RKL"
    order: int = 1
    stages: int = 1
    steps: int = 1

    @known_options
    def __init__(self, order: int, tau: Any, stages: int, steps: int = 1) -> None:
        set_stages(self, 3, order, tau, stages, steps)


@options
class Implicit(ChosenSteps, Scheme):
    """The implicit (backward Euler) scheme: v = u + tau F(v), solved by `solver`.

    tau = oo asks for the steady state F(v) = 0 (Kacanov, Newton or Descent).
    """

    label: ClassVar[str] = "implicit"
    may_last: ClassVar[bool] = True
    steps: int = 1
    solver: Solver = field(default_factory=Kacanov)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tau != sp.oo and isinstance(self.solver, Descent):
            lead = "Descent solves for the steady state:"
            raise DeclarationError(f"{lead} Implicit(tau=sp.oo, solver=Descent(...)).").spelt(
                f"{lead} implicit(tau = oo, solver = descent(...))."
            )
        if self.tau == sp.oo and isinstance(self.solver, FixedPoint):
            raise DeclarationError(
                "tau = oo asks for the steady state, which FixedPoint does not reach; use Kacanov, Newton or "
                "Descent."
            )


@options
class Theta(ChosenSteps, Scheme):
    """The theta scheme: v = u + tau ((1 - theta) F(u) + theta F(v)); Crank-Nicolson for theta = 1/2.

    theta  a number in (0, 1]
    """

    label: ClassVar[str] = "theta"
    steps: int = 1
    theta: Any = HALF
    solver: Solver = field(default_factory=Kacanov)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.solver, Descent):
            raise DeclarationError("Descent solves the steps of Implicit; Theta takes the other solvers.")


@options
class AOS(ChosenSteps, Scheme):
    """Additive operator splitting: u+ = 1/d sum_i (I + d tau A_i(u))^-1 u over the d axes.

    Each system is tridiagonal, so stencils of two points are needed (Weickert, ter Haar Romeny,
    Viergever 1998).
    """

    label: ClassVar[str] = "AOS"
    steps: int = 1


@options
class Multigrid(ChosenSteps, Scheme):
    """Implicit steps v = u + tau F(v), or the steady state for tau = oo, by full approximation cycles.

    levels     grids, from the finest on; None: as many as the image allows
    pre, post  smoothing sweeps before and after the coarse correction
    cycle      "V", "W" or "FMG" (full multigrid, then V-cycles)
    cycles     cycles per step; with `tol` the most that are made
    smoother   "jacobi", "red-black" (Gauss-Seidel; also "red_black", as texts have it) or "chebyshev"
    damping    of Jacobi; None: the optimal one by local Fourier analysis
    tol        stop when the residual is below tol times the one of the start (or of the input)
    gradients  "unrolled" or "implicit" back-propagation
    on_failure "warn", "error" or "best" if tol is not reached, as of solvers
    """

    label: ClassVar[str] = "multigrid"
    may_last: ClassVar[bool] = True
    steps: int = 1
    levels: int | None = None
    pre: int = 1
    post: int = 1
    cycle: str = "V"
    cycles: int = 1
    smoother: str = "jacobi"
    damping: Any = None
    tol: Any = None
    gradients: str = "unrolled"
    on_failure: str = "warn"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.pre + self.post:
            raise DeclarationError("A cycle needs smoothing sweeps: pre + post must be at least 1.")


SCHEMES: dict[str, type[Scheme]] = {
    s.label: s for s in (Explicit, DuFortFrankel, FSI, FED, RKL, Implicit, Theta, AOS, Multigrid)
}
CELLS = (Implicit, Theta, AOS)
