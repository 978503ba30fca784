"""The reference interpreter against exact rationals and against matrices written down by hand."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pytest
import sympy as sp
from support import AXES, along, dense, diffusion, equation, network_of, runner, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian
from pde2net.graph.interpret import EXACT, Interpreter

BOUNDARIES = ("reflecting", "periodic", "dirichlet")
GRADIENTS = ("forward", "central", "staggered")
TAU = sp.Rational(1, 40)


def integers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-3, 4, size=shape)


def exact_and_float(graph: Any, u0: np.ndarray, **fields: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    exact = Interpreter(graph, arithmetic=EXACT)(u0, fields)
    assert all(value.is_Rational for value in exact.flat)
    return exact.astype(float), Interpreter(graph)(u0, fields)


# The smallest grids on which every stencil of the order fits.
SHAPES = {(1, 2): (5,), (1, 4): (7,), (2, 2): (3, 4), (2, 4): (5, 6), (3, 2): (3, 3, 3), (3, 4): (5, 5, 5)}
PADDED = {2: (3, 4), 3: (2, 2, 2)}


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dim", [1, 2])
def test_floats_agree_with_exact_rationals(dim: int, boundary: str, gradient: str, order: int) -> None:
    problem = diffusion(lambda s2: 1 / (1 + s2), dim, boundary=boundary)
    grid = p2n.Grid(sp.Rational(3, 2), order, gradient)
    steps = 2 if dim == 1 else 1
    shape = PADDED.get(dim, SHAPES[dim, order]) if boundary == "dirichlet" else SHAPES[dim, order]
    exact, floats = exact_and_float(network_of(problem, TAU, steps, grid).graph, integers(shape))
    np.testing.assert_allclose(floats, exact, rtol=0, atol=1e-13)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_floats_agree_with_exact_rationals_in_three_dimensions(
    boundary: str, gradient: str, order: int
) -> None:
    u = unknown(3)
    weights = sp.Matrix([u.diff(a) * k for k, a in enumerate(AXES, start=1)])
    problem = p2n.Problem(equation(div(weights) - u**2, 3), boundary=boundary)
    shape = PADDED[3] if boundary == "dirichlet" else SHAPES[3, order]
    graph = network_of(problem, TAU, 1, p2n.Grid(1, order, gradient)).graph
    exact, floats = exact_and_float(graph, integers(shape))
    np.testing.assert_allclose(floats, exact, rtol=0, atol=1e-13)


def test_floats_agree_with_exact_rationals_for_coefficients_fields_and_mixed_boundaries() -> None:
    u, f = unknown(2), sp.Function("f")(x, y)
    rhs = div((1 + u**2) * grad(u)) + y * div(f * grad(u)) - laplacian(laplacian(u) / (1 + laplacian(u) ** 2))
    problem = p2n.Problem(equation(rhs + (f - u) / 2, 2), boundary={x: "dirichlet", y: "periodic"})
    graph = network_of(problem, sp.Rational(1, 99)).graph
    shape = (3, 4)
    exact, floats = exact_and_float(graph, integers(shape), f=integers(shape, seed=1))
    np.testing.assert_allclose(floats, exact, rtol=0, atol=1e-12)


# -- against matrices ---------------------------------------------------------------------------

SPACINGS = (1.0, 0.5, 2.0)
DIFFUSIVITIES = (1, 2, 3)


def anisotropic(dim: int, boundary: str) -> p2n.Problem:
    """u_t = sum_k k u_{x_k x_k} - u/2."""
    u = unknown(dim)
    fluxes = [k * u.diff(a) for k, a in zip(DIFFUSIVITIES, AXES[:dim], strict=False)]
    return p2n.Problem(equation(div(sp.Matrix(fluxes)) - u / 2, dim), boundary=boundary)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("gradient", GRADIENTS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_linear_diffusion_is_the_matrix_power(dim: int, boundary: str, gradient: str, order: int) -> None:
    shape, steps, tau = (8, 7, 6)[:dim], 3, 1 / 64
    spacing = {a: sp.Rational(h) for a, h in zip(AXES[:dim], SPACINGS, strict=False)}
    u = np.random.default_rng(dim).normal(size=shape)
    network = runner(
        anisotropic(dim, boundary), sp.Rational(1, 64), steps, p2n.Grid(spacing, order, gradient)
    )
    expected = u
    for _ in range(steps):
        rate = -expected / 2
        for axis, n in enumerate(shape):
            K = dense(n, boundary, 1, order, gradient != "central", SPACINGS[axis])
            rate = rate - DIFFUSIVITIES[axis] * along(K.T @ K, axis, expected)
        expected = expected + tau * rate
    np.testing.assert_allclose(network(u), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_fourth_order_flow_is_the_squared_second_difference(dim: int, boundary: str, order: int) -> None:
    shape, tau = (7, 6, 5)[:dim], 1 / 512
    u = np.random.default_rng(dim).normal(size=shape)
    problem = p2n.Problem(equation(-laplacian(laplacian(unknown(dim))), dim), boundary=boundary)
    network = runner(problem, sp.Rational(1, 512), 2, p2n.Grid(1, order))
    identity = [np.eye(n) for n in shape]
    L = np.zeros((u.size, u.size))
    for axis, n in enumerate(shape):
        factors = [*identity[:axis], dense(n, boundary, 2, order), *identity[axis + 1 :]]
        L += reduce(np.kron, factors)
    step = np.eye(u.size) - tau * L.T @ L
    np.testing.assert_allclose(network(u).ravel(), step @ step @ u.ravel(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("kind", ["position", "field"])
def test_a_coefficient_is_the_mean_over_the_cells_of_its_edge(boundary: str, kind: str) -> None:
    """K^T C K with C diagonal; a position goes on beyond the border, a field repeats its last value."""
    n, tau = 6, 1 / 64
    rng = np.random.default_rng(5)
    u, f = rng.normal(size=n), rng.uniform(size=n)
    c = 1 + x**2 / 10 if kind == "position" else sp.Function("f")(x)
    problem = p2n.Problem(equation(div(sp.Matrix([c * unknown(1).diff(x)])), 1), boundary=boundary)
    network = runner(problem, sp.Rational(1, 64), 1, p2n.Grid(1, origin=2))
    K = dense(n, boundary, 1, 2, True)
    cells = np.arange(-4, n + 5) if boundary == "dirichlet" else np.arange(n + 1)
    if boundary == "periodic":
        cells[-1] = 0
    values = 1 + (2 + cells) ** 2 / 10 if kind == "position" else f[np.clip(cells, 0, n - 1)]
    C = np.diag((values[:-1] + values[1:]) / 2)
    expected = u - tau * K.T @ C @ K @ u
    fields = {"f": f} if kind == "field" else {}
    np.testing.assert_allclose(network(u, fields), expected, rtol=0, atol=1e-13)


def test_a_staggered_diffusivity_is_the_mean_of_its_cells() -> None:
    """K^T diag(mean of g) K with g from central differences, Charbonnier, one axis."""
    n, tau = 9, 1 / 8
    u = np.random.default_rng(3).normal(size=n)
    network = runner(
        diffusion(lambda s2: 1 / sp.sqrt(1 + s2)), sp.Rational(1, 8), 1, p2n.Grid(gradient="staggered")
    )
    g = 1 / np.sqrt(1 + (dense(n, "reflecting", 1, 2, False) @ u) ** 2)
    K = dense(n, "reflecting", 1, 2, True)
    edges = (g + np.append(g[1:], g[-1])) / 2
    np.testing.assert_allclose(network(u), u - tau * K.T @ (edges * (K @ u)), rtol=0, atol=1e-14)


def test_a_parameter_without_a_value_is_named() -> None:
    lam = sp.Symbol("lambda", positive=True)
    graph = network_of(diffusion(lambda s2: 1 / (1 + s2 / lam**2)), sp.Rational(1, 4)).graph
    with pytest.raises(p2n.EmissionError, match="lambda has no value"):
        Interpreter(graph)(np.zeros(5))
    zero = Interpreter(graph, {lam: sp.S.One})(np.full(5, 3.0))
    np.testing.assert_array_equal(zero, np.full(5, 3.0))


def test_slopes_of_a_known_field_are_those_of_the_same_edge():
    """g(|grad f|^2) at index i from the forward differences of f at that index, as for u; no further mean."""
    u, f = unknown(2), sp.Function("f")(x, y)
    problem = p2n.Problem(
        equation(p2n.div(p2n.grad(u) / (1 + p2n.norm2(p2n.grad(f)))), 2), boundary="periodic"
    )
    rng = np.random.default_rng(1)
    u0, f0 = rng.normal(size=(2, 7, 6))
    got = runner(problem, sp.Rational(1, 5))(u0, {"f": f0})
    slopes = [np.roll(f0, -1, axis) - f0 for axis in (0, 1)]
    weight = 1 / (1 + slopes[0] ** 2 + slopes[1] ** 2)
    want = u0.copy()
    for axis in (0, 1):
        flux = weight * (np.roll(u0, -1, axis) - u0)
        want += (flux - np.roll(flux, 1, axis)) / 5
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13)
