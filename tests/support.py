"""What several tests share: symbols, declarations, and operators written down a second time.

The dense matrices below come from index arithmetic alone and share no code with the package.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import sympy as sp

import pde2net as p2n
from pde2net import compiler, div, grad, norm2
from pde2net.discretise.semidiscretise import semidiscretise, semidiscretise_system
from pde2net.graph.build import build
from pde2net.graph.interpret import Interpreter
from pde2net.network import Network
from pde2net.normalise.recognise import recognise, recognise_system
from pde2net.verify.certificate import CLAIMS, Status, because
from pde2net.verify.engine import gather_until
from pde2net.verify.plan import planned
from pde2net.verify.subject import subject
from pde2net.verify.system import gather_system, planned_system

x, y, z = sp.symbols("x y z", real=True)
t = sp.Symbol("t", real=True)
lam, eps, beta = sp.symbols("lambda epsilon beta", positive=True)
h = sp.Symbol("h", positive=True)
tau = sp.Symbol("tau", positive=True)
AXES = (x, y, z)
SEED = 0
RNG = np.random.default_rng(SEED)


def seed() -> None:
    """Random numbers of a test are its own, whatever ran before it."""
    RNG.bit_generator.state = np.random.default_rng(SEED).bit_generator.state
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(SEED)


def unknown(dim: int) -> Any:
    return sp.Function("u")(*AXES[:dim], t)


def equation(rhs: sp.Expr, dim: int) -> sp.Eq:
    return sp.Eq(unknown(dim).diff(t), rhs)


def diffusion(g: Callable[[sp.Expr], sp.Expr], dim: int = 1, **options: Any) -> p2n.Problem:
    """u_t = div(g(|grad u|^2) grad u)."""
    u = unknown(dim)
    return p2n.Problem(equation(div(g(norm2(grad(u))) * grad(u)), dim), **options)


# -- networks without proofs ---------------------------------------------------------------------


def _no_proofs(plan: Any) -> p2n.Certificate:
    """A certificate that claims nothing."""
    claims = {
        name: p2n.Claim(name, Status.UNKNOWN, because=because("undecided", why="it was not asked for"))
        for name in CLAIMS
    }
    declaration = p2n.Declaration(plan.semi.form.problem, plan.scheme, plan.semi.grid)
    return p2n.Certificate(subject(plan), plan.tau, claims, declaration)


@contextlib.contextmanager
def unproved(bounded: bool = False) -> Iterator[None]:
    """Certificates of networks that are compiled inside prove nothing: proofs take most of the time.

    bounded  whether bounds are gathered even where the scheme leaves nothing open
    """

    def analysed(
        problem: p2n.Problem, scheme: Any, grid: p2n.Grid, stated: Any = None, trained: Any = ()
    ) -> Any:
        """What compiler._analysed finds, but for the proofs."""
        open_ = bounded or scheme.tau is None or getattr(scheme, "alpha", "given") is None
        if len(problem.equations) > 1:
            system = semidiscretise_system(recognise_system(problem), grid)
            facts: Any = gather_system(system, scheme) if open_ else [None] * len(system.parts)
            plan: Any = planned_system(system, scheme, facts)
        else:
            semi = semidiscretise(recognise(problem), grid)
            facts = gather_until(semi, scheme) if open_ else None
            plan = planned(semi, scheme, facts)
        return plan, build(plan.semi.in_domain, plan.tau, plan.update), _no_proofs(plan), facts

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "_analysed", analysed)
        patch.setattr(Network, "with_digest", lambda network: network)
        yield


def uncertified(
    problem: p2n.Problem,
    scheme: Any,
    grid: Any = None,
    trainable: Any = (),
    shared: bool = True,
    keep_stable: bool = False,
) -> Network:
    """The network of `p2n.compile`, stable or not, for tests of what it computes."""
    with unproved(bounded=keep_stable):
        return p2n.compile(problem, scheme, grid, "ignore", trainable, shared, keep_stable)


def network_of(problem: p2n.Problem, tau_: Any, steps: int = 1, grid: Any = None, **options: Any) -> Network:
    """The uncertified network of explicit steps."""
    return uncertified(problem, p2n.Explicit(tau=tau_, steps=steps), grid, **options)


def runner(problem: p2n.Problem, tau_: Any, steps: int = 1, grid: Any = None) -> Interpreter:
    """The NumPy interpreter of such a network."""
    return Interpreter(network_of(problem, tau_, steps, grid).graph)


# -- with proofs ---------------------------------------------------------------------------------


def certified(problem: p2n.Problem, tau_: Any, steps: int = 1, grid: Any = None, **options: Any) -> Network:
    """The network of explicit steps under its own certificate, stable or not."""
    return p2n.compile(problem, p2n.Explicit(tau=tau_, steps=steps), grid, "ignore", **options)


def claims_of(problem: p2n.Problem, tau_: Any, grid: Any = None, steps: int = 1) -> Mapping[str, p2n.Claim]:
    scheme = p2n.Explicit(tau=tau_, steps=steps)
    return p2n.verify(problem, scheme, grid or p2n.Grid()).claims


# -- operators, a second time ------------------------------------------------------------------

# (derivative, order, at half-points) -> (offsets, weights), from the tables of any textbook.
TAPS = {
    (1, 2, True): ((0, 1), (-1, 1)),
    (1, 4, True): ((-1, 0, 1, 2), (1 / 24, -27 / 24, 27 / 24, -1 / 24)),
    (1, 2, False): ((-1, 1), (-1 / 2, 1 / 2)),
    (1, 4, False): ((-2, -1, 1, 2), (1 / 12, -8 / 12, 8 / 12, -1 / 12)),
    (2, 2, False): ((-1, 0, 1), (1, -2, 1)),
    (2, 4, False): ((-2, -1, 0, 1, 2), (-1 / 12, 16 / 12, -30 / 12, 16 / 12, -1 / 12)),
}


def dense(
    n: int, boundary: str, derivative: int, order: int = 2, half: bool = False, spacing: float = 1.0
) -> np.ndarray:
    """K as a matrix. Zero-Dirichlet first differences also count those that reach over the border."""
    offsets, weights = TAPS[derivative, order, half]
    wide = boundary == "dirichlet" and derivative == 1
    rows = range(-4, n + 4) if wide else range(n)
    matrix = np.zeros((len(rows), n))
    for r, i in enumerate(rows):
        if boundary == "reflecting" and half and i == n - 1:
            continue  # the last half-point is the border, across which nothing flows
        for offset, weight in zip(offsets, weights, strict=True):
            j = i + offset
            if boundary == "periodic":
                j %= n
            elif boundary == "reflecting":
                j = -1 - j if j < 0 else 2 * n - 1 - j if j >= n else j
            if 0 <= j < n:
                matrix[r, j] += weight / spacing**derivative
    return matrix


def along(matrix: np.ndarray, axis: int, array: np.ndarray) -> np.ndarray:
    """`matrix` applied along one axis of `array`."""
    return np.moveaxis(np.tensordot(matrix, array, axes=(1, axis)), 0, axis)


# -- inputs that are hard to survive ------------------------------------------------------------


def attacks(shape: Sequence[int], seed: int = 0) -> list[np.ndarray]:
    """Noise, a spike, a step edge, the checkerboard, and the eigenvectors of extreme frequency."""
    rng = np.random.default_rng(seed)
    lines = [np.arange(n) for n in shape]
    grids = np.meshgrid(*lines, indexing="ij")
    spike = np.zeros(shape)
    spike[tuple(n // 2 for n in shape)] = 1
    corner = np.zeros(shape)
    corner[(0,) * len(shape)] = 1
    found = [
        rng.normal(size=shape),
        rng.choice([0.0, 1.0], size=shape),
        spike,
        corner,
        (-1.0) ** sum(grids),
        (grids[0] >= shape[0] // 2).astype(float),
        np.ones(shape),
    ]
    for k in (1, 2):
        found.append(
            np.prod(
                [np.cos(np.pi * (n - k) * (g + 0.5) / n) for n, g in zip(shape, grids, strict=True)],
                axis=0,
            )
        )
        found.append(
            np.prod(
                [np.sin(np.pi * (n + 1 - k) * (g + 1) / (n + 1)) for n, g in zip(shape, grids, strict=True)],
                axis=0,
            )
        )
        found.append(
            np.prod(
                [np.cos(2 * np.pi * (n // 2 + 1 - k) * g / n) for n, g in zip(shape, grids, strict=True)],
                axis=0,
            )
        )
    return found


def product(*rows: Sequence[Any]) -> list[tuple[Any, ...]]:
    return list(itertools.product(*rows))
