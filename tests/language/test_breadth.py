"""Vector-valued images, diffusion tensors and smoothing in implicit and multigrid schemes.

Modules against the interpreter, solutions against those of conjugate gradients, tangents against difference
quotients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from support import RNG, equation, t, uncertified, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.graph.interpret import Interpreter
from pde2net.graph.serialise import from_json, to_json

R = sp.Rational
TIGHT = {"linear_tol": R(1, 10**12)}
U = unknown(2)
F = sp.Function("f")(x, y)
SMOOTH = p2n.smooth(U, 1)
J = p2n.structure_tensor(U, 1, 2)
ROTATED = sp.Matrix([[2, R(1, 2)], [R(1, 2), 1]])


def charbonnier(v: Any = U) -> sp.Expr:
    return 1 / sp.sqrt(1 + norm2(grad(v)) * 4)


DECLARED: dict[str, tuple[sp.Expr, int]] = {
    "colours": (div(charbonnier() * grad(U)) + (F - U) / 3, 3),
    "linear colours": (div(grad(U)) - U / 2, 2),
    "smoothed colours": (div(charbonnier(SMOOTH) * grad(U)), 2),
    "smoothed": (div(charbonnier(SMOOTH) * grad(U)), 1),
    "constant tensor": (div(ROTATED * grad(U)) + (F - U) / 3, 1),
    "given tensor": (div(p2n.tensor(grad(F), R(1, 5), 1) * grad(U)), 1),
    "coherence": (div(p2n.tensor(p2n.principal_direction(J), R(1, 10), 1) * grad(U)), 1),
    "edges": (div(p2n.tensor(grad(SMOOTH), charbonnier(SMOOTH), 1) * grad(U)), 1),
    "edges in colour": (div(p2n.tensor(p2n.principal_direction(J), R(1, 10), 1) * grad(U)), 2),
}
GRIDS = {"forward": p2n.Grid(), "staggered": p2n.Grid(spacing={x: 1, y: R(5, 4)}, gradient="staggered")}
STAGGERED = ("linear colours", "smoothed colours", "given tensor", "coherence", "edges in colour")
DIRECTIONS = ("given tensor", "coherence", "edges", "edges in colour")


def problem(name: str, boundary: Any = "reflecting") -> p2n.Problem:
    rhs, channels = DECLARED[name]
    return p2n.Problem(equation(rhs, 2), boundary, channels=channels)


def images(
    declared: p2n.Problem, shape: tuple[int, int] = (9, 10)
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    size = shape if declared.channels == 1 else (declared.channels, *shape)
    return RNG.normal(size=size), {"f": RNG.normal(size=shape)} if declared.fields else {}


def of_module(network: Any, u: np.ndarray, fields: dict[str, np.ndarray]) -> np.ndarray:
    single = u.ndim == 2
    tensors = {n: torch.from_numpy(f)[None, None] for n, f in fields.items()}
    out = network.module()(torch.from_numpy(u if not single else u[None])[None], **tensors)
    return out.detach().numpy()[0, 0] if single else out.detach().numpy()[0]


SCHEMES = {
    "V": p2n.Multigrid(2, 2, pre=1, post=1, cycles=1),
    "FMG red-black": p2n.Multigrid(2, 1, cycle="FMG", smoother="red-black", levels=2),
    "W Chebyshev": p2n.Multigrid(2, 1, cycle="W", smoother="chebyshev", pre=2, post=1),
    "diagonal": p2n.Implicit(2, 2, solver=p2n.Kacanov(iterations=2, preconditioner="diagonal", **TIGHT)),
    "multigrid": p2n.Implicit(
        2, 1, solver=p2n.Kacanov(iterations=1, preconditioner="multigrid", linear_tol=R(1, 10**4))
    ),
    "Newton": p2n.Implicit(R(1, 5), 1, solver=p2n.Newton(iterations=2, **TIGHT)),
}


@pytest.mark.parametrize("name", DIRECTIONS[1:])
def test_newton_needs_derivatives_of_directions(name: str) -> None:
    with pytest.raises(p2n.EquationError, match="derivatives of directions"):
        uncertified(problem(name), SCHEMES["Newton"])


COMPILED = [(name, s) for name in DECLARED for s in SCHEMES if s != "Newton" or name not in DIRECTIONS[1:]]


@pytest.mark.parametrize(("name", "scheme"), COMPILED)
def test_modules_agree_with_the_interpreter(name: str, scheme: str) -> None:
    grid = GRIDS["staggered" if name in STAGGERED else "forward"]
    boundary = {x: "dirichlet", y: "periodic"} if name != "colours" else "reflecting"
    declared = problem(name, boundary)
    network = uncertified(declared, SCHEMES[scheme], grid)
    u, fields = images(declared)
    want = Interpreter(network.graph)(u, fields)
    np.testing.assert_allclose(of_module(network, u, fields), want, rtol=0, atol=1e-8 * abs(want).max())
    back = Interpreter(from_json(to_json(network.looped)))(u, fields)
    np.testing.assert_allclose(back, want, rtol=0, atol=1e-9 * abs(want).max())


SOLVED = {
    "multigrid": p2n.Multigrid(3, 1, pre=2, post=2, tol=R(1, 10**9), cycles=60),
    "diagonal": p2n.Implicit(
        3, 1, solver=p2n.Kacanov(tol=R(1, 10**9), max_iterations=300, preconditioner="diagonal", **TIGHT)
    ),
    "preconditioned": p2n.Implicit(
        3, 1, solver=p2n.Kacanov(tol=R(1, 10**9), max_iterations=300, preconditioner="multigrid", **TIGHT)
    ),
}


@pytest.mark.parametrize("name", ["smoothed colours", "constant tensor", "given tensor", "edges"])
def test_all_solvers_find_one_solution(name: str) -> None:
    """In a smooth image, whose steps have one."""
    declared = problem(name)
    u, fields = images(declared, (12, 11))
    u, fields = np.tanh(u) / 4, {n: np.tanh(f) / 4 for n, f in fields.items()}
    plain = p2n.Implicit(3, 1, solver=p2n.Kacanov(tol=R(1, 10**9), max_iterations=300, **TIGHT))
    expected = Interpreter(uncertified(declared, plain).graph)(u, fields)
    for scheme in SOLVED.values():
        found = Interpreter(uncertified(declared, scheme).graph)(u, fields)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
    if name not in DIRECTIONS[1:]:
        newton = p2n.Implicit(3, 1, solver=p2n.Newton(tol=R(1, 10**9), **TIGHT))
        found = Interpreter(uncertified(declared, newton).graph)(u, fields)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("name", ["colours", "smoothed colours", "smoothed"])
def test_newton_converges_quadratically(name: str) -> None:
    """So its matrix is the derivative, over all channels and through the smoothing."""
    declared = problem(name)
    u, fields = images(declared)
    errors = []
    exact = p2n.Implicit(R(1, 4), 1, solver=p2n.Newton(iterations=9, **TIGHT))
    end = Interpreter(uncertified(declared, exact).graph)(u, fields)
    for count in (1, 2, 3):
        scheme = p2n.Implicit(R(1, 4), 1, solver=p2n.Newton(iterations=count, **TIGHT))
        errors.append(abs(Interpreter(uncertified(declared, scheme).graph)(u, fields) - end).max())
    assert errors[2] < 40 * errors[1] ** 2 + 1e-11 and errors[1] < 40 * errors[0] ** 2 + 1e-11
    assert errors[2] < 1e-3 * errors[0]


@pytest.mark.parametrize(
    ("name", "factor"), [("colours", 0.4), ("smoothed", 0.4), ("constant tensor", 0.4), ("given tensor", 0.7)]
)
def test_cycles_contract(name: str, factor: float) -> None:
    """By a factor that does not depend on the size, a larger one where directions turn from cell to cell."""
    declared = problem(name)
    for shape in ((16, 16), (24, 25)):
        u, fields = images(declared, shape)
        run = [
            Interpreter(uncertified(declared, p2n.Multigrid(10, 1, pre=2, post=2, cycles=n)).graph)(u, fields)
            for n in (2, 3, 20)
        ]
        before, after = (np.linalg.norm(run[k] - run[2]) for k in (0, 1))
        assert after < factor * before


ON_A_LINE = {
    "smoothed state": lambda u, f: 1 / (1 + p2n.smooth(u, 2) ** 2),
    "smoothed slope": lambda u, f: 1 / (1 + norm2(grad(p2n.smooth(u, 1)))),
    "smoothed field": lambda u, f: 1 / (1 + norm2(grad(p2n.smooth(f, 1)))),
    "slope and field": lambda u, f: (1 + f**2) / (1 + norm2(grad(u))),
    "state": lambda u, f: 1 / (1 + u**2),
}


@pytest.mark.parametrize("g", ON_A_LINE.values(), ids=ON_A_LINE)
def test_all_solvers_find_one_solution_on_a_line(g: Any) -> None:
    """Where systems are tridiagonal unless coefficients look farther."""
    line = sp.Function("u")(x, t)
    f = sp.Function("f")(x)
    rhs = div(g(line, f) * grad(line)) - line / (10 * (line**2 + 1))
    declared = p2n.Problem(sp.Eq(line.diff(t), rhs))
    u = np.tanh(RNG.normal(size=11)) / 4
    fields = {"f": np.tanh(RNG.normal(size=11))} if declared.fields else {}
    for kind in (p2n.Implicit, p2n.Theta):
        solvers = [p2n.Kacanov(tol=R(1, 10**10), max_iterations=300), p2n.Newton(tol=R(1, 10**10))]
        networks = [uncertified(declared, kind(tau=2, solver=s)) for s in solvers]
        first, second = (Interpreter(n.graph)(u, fields) for n in networks)
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-8)
        module = networks[1].module().double()
        known = {n: torch.from_numpy(v)[None, None] for n, v in fields.items()}
        found = module(torch.from_numpy(u)[None, None], **known).detach().numpy()[0, 0]
        np.testing.assert_allclose(found, second, rtol=0, atol=1e-8)
