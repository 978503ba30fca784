"""The families of networks of docs/export.md, each with an image and what else it is called with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
import torch
from support import equation, lam, t, unknown, unproved, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2

R = sp.Rational
u = unknown(2)
f, c, m = (sp.Function(name)(x, y) for name in "fcm")
ONE_STEP = p2n.Explicit(R(1, 10), 2)
CHARBONNIER = 1 / sp.sqrt(1 + norm2(grad(u)) / lam**2)
SHORT = {"iterations": 2, "linear_iterations": 3}


@dataclass(frozen=True)
class Family:
    """Networks of one kind: one of them, and what it is called with.

    network   makes it, without proofs
    channels  of its images
    data      tensors or numbers for an image of the shape (batch, channels, *sizes)
    """

    network: Callable[[], p2n.Network]
    channels: int = 1
    data: Callable[[tuple[int, ...]], Mapping[str, Any]] = field(default=lambda shape: {})


def image(shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def made(
    problem: p2n.Problem, scheme: Any, grid: Any = None, trained: Any = (), shared: bool = True
) -> p2n.Network:
    with unproved(bounded=True):  # the step of descent is that of bounds
        return p2n.compile(problem, scheme, grid, "ignore", trained, shared)


def one(
    rhs: Any, scheme: Any = ONE_STEP, grid: Any = None, trained: Any = (), shared: bool = True, **options: Any
) -> Any:
    """A network of one equation, whose parameter is trained."""
    parameters, trained = ({lam: 1}, trained or [lam]) if rhs.has(lam) else ({}, trained)
    problem = p2n.Problem(equation(rhs, 2), parameters=parameters, **options)
    return lambda: made(problem, scheme, grid, trained, shared)


def by(scheme: Any, linear: bool = False) -> Family:
    """A family of networks of one scheme."""
    return Family(one(lam * laplacian(u), scheme) if linear else one(div(CHARBONNIER * grad(u)), scheme))


def steady(solver: Any) -> Family:
    """The steady state of denoising."""
    rhs = div(CHARBONNIER * grad(u)) + f - u
    scheme = solver if isinstance(solver, p2n.Multigrid) else p2n.Implicit(sp.oo, solver=solver)
    return Family(one(rhs, scheme), data=lambda s: {"f": image(s, 1)})


def system() -> p2n.Network:
    v = sp.Function("v")(x, y, t)
    rates = {u: lam * laplacian(u) / 5 - u * v**2, v: laplacian(v) / 9 + u * v**2}
    return made(
        p2n.Problem([sp.Eq(w.diff(t), r) for w, r in rates.items()], parameters={lam: 1}),
        ONE_STEP,
        None,
        [lam],
    )


def coherence() -> Any:
    J = p2n.structure_tensor(u, R(1, 2), 1)
    across = sp.Piecewise((R(1, 10), sp.Eq(p2n.coherence(J), 0)), (R(1, 2) / lam, True))
    rhs = div(p2n.tensor(p2n.principal_direction(J), R(1, 10), across) * grad(u))
    return one(rhs, grid=p2n.Grid(gradient="staggered"))


def edges() -> Any:
    v = grad(p2n.smooth(u, R(1, 2)))
    return one(
        div(p2n.tensor(v, 1 / (1 + norm2(v) / lam**2), 1) * grad(u)), grid=p2n.Grid(gradient="staggered")
    )


def learned() -> Any:
    K = p2n.LinearOperator("K", 3, 3)
    return one(-K.adjoint(K(u) / (1 + K(u) ** 2)), p2n.Explicit(R(1, 10), 2), trained=[K])


def numbers() -> Family:
    sigma = p2n.Input("sigma", positive=True)
    rhs = lam * div(grad(u) / (1 + norm2(grad(u)) / sigma**2))
    return Family(one(rhs), data=lambda s: {"sigma": torch.linspace(0.5, 1, s[0])})


SIDES = {x: (p2n.value(1), p2n.flux(R(1, 10))), y: "reflecting"}
TOL = p2n.Kacanov(tol=1e-4)
FAMILIES: dict[str, Family] = {
    "explicit": by(ONE_STEP),
    "Du Fort–Frankel": by(p2n.DuFortFrankel(R(1, 10), 1, 2)),  # noqa: RUF001
    "FSI": by(p2n.FSI(R(1, 5), 3)),
    "FED": by(p2n.FED(R(1, 5), 3)),
    "RKL": by(p2n.RKL(2, R(1, 2), 3)),
    "RKC": by(p2n.RKC(2, R(1, 2), 3)),
    "AOS": by(p2n.AOS(2, 2)),
    "theta, Kačanov, fixed": by(p2n.Theta(2, solver=p2n.Kacanov(preconditioner="diagonal", **SHORT))),
    "implicit, Kačanov, fixed": by(p2n.Implicit(2, solver=p2n.Kacanov(preconditioner="diagonal", **SHORT))),
    "implicit, Kačanov, multigrid preconditioner": by(
        p2n.Implicit(2, solver=p2n.Kacanov(1, preconditioner="multigrid", linear_iterations=2))
    ),
    "implicit, Newton, fixed": by(p2n.Implicit(2, solver=p2n.Newton(preconditioner="diagonal", **SHORT))),
    "implicit, fixed point, fixed": by(p2n.Implicit(R(1, 10), solver=p2n.FixedPoint(iterations=4))),
    "implicit, fixed point, Anderson": by(
        p2n.Implicit(R(1, 10), solver=p2n.FixedPoint(iterations=4, anderson=2))
    ),
    "implicit, Kačanov, tol": by(p2n.Implicit(2, solver=TOL)),
    "implicit, Newton, tol": by(p2n.Implicit(2, solver=p2n.Newton(tol=1e-4))),
    "implicit, fixed point, tol": by(p2n.Implicit(R(1, 10), solver=p2n.FixedPoint(tol=1e-4))),
    "steady, Kačanov, fixed": steady(p2n.Kacanov(preconditioner="diagonal", **SHORT)),
    "steady, Newton, fixed": steady(p2n.Newton(preconditioner="diagonal", **SHORT)),
    "steady, descent, fixed": steady(p2n.Descent(iterations=5)),
    "steady, descent, Nesterov": steady(p2n.Descent(iterations=5, weights="nesterov")),
    "steady, descent, tol": steady(p2n.Descent(tol=1e-3)),
    "multigrid, cycles": by(p2n.Multigrid(2, cycles=1)),
    "multigrid, cycles, red-black": by(p2n.Multigrid(2, cycles=1, smoother="red-black"), linear=True),
    "multigrid, tol": by(p2n.Multigrid(2, cycles=30, tol=1e-4)),
    "multigrid, full": by(p2n.Multigrid(2, cycle="FMG", cycles=1)),
    "steady, multigrid": steady(p2n.Multigrid(sp.oo, cycles=1)),
    "system": Family(system, channels=2),
    "channels": Family(one(div(CHARBONNIER * grad(u)), channels=3), channels=3),
    "edge-enhancing tensor": Family(edges()),
    "coherence-enhancing tensor": Family(coherence()),
    "smoothing": Family(one(div(grad(u) / (1 + norm2(grad(p2n.smooth(u, R(1, 2)))) / lam**2)))),
    "fourth order": Family(one(-lam * laplacian(laplacian(u)) / 64)),
    "known fields and masks": Family(
        one((1 - c) * lam * laplacian(u) + c * (f - u), bounds={c: (0, 1)}),
        data=lambda s: {"c": image(s, 1), "f": image(s, 2)},
    ),
    "numbers at the call": numbers(),
    "domain": Family(
        one(div(CHARBONNIER * grad(u)), domain=m), data=lambda s: {"m": (image(s, 1) > 0.3).float()}
    ),
    "borders with values and flux": Family(one(lam * laplacian(u), boundary=SIDES)),
    "periodic borders": Family(one(div(CHARBONNIER * grad(u)), boundary="periodic")),
    "zero borders": Family(one(div(CHARBONNIER * grad(u)), boundary="dirichlet")),
    "coefficients of x": Family(one(lam * div((1 + x / 99) * grad(u)))),
    "coefficients of t": Family(one(lam * (1 + sp.exp(-t)) * laplacian(u))),
    "weights of each block": Family(one(div(CHARBONNIER * grad(u)), trained=[lam, "tau"], shared=False)),
    "learned operators": Family(learned()),
}
