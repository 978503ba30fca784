"""The Hessian and operators of mixed order on finite grids, against matrices written down a second time."""

import itertools

import numpy as np
import pytest
import sympy as sp
from support import AXES, dense, equation, unknown, x

import pde2net as p2n
from pde2net import div, hessian, norm2
from pde2net.discretise.operators import Difference, Mixed
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.discretise.stencils import half_point
from pde2net.graph.build import build
from pde2net.graph.interpret import EXACT, Interpreter
from pde2net.normalise.recognise import recognise
from pde2net.scheme.registry import update_of

a, b = sp.symbols("a b", positive=True)


def hessian_flow(dim, g=lambda s: 1 / (1 + s), **options):
    u = unknown(dim)
    H = hessian(u)
    return p2n.Problem(equation(-div(div(g(norm2(H)) * H)), dim), **options)


def mixed_flow(g=lambda s: 1 / (1 + s), **options):
    u = unknown(1)
    q = a * u.diff(x) + b * u.diff(x, 2)
    phi = g(q**2) * q
    rhs = a * sp.Derivative(phi, x) - b * sp.Derivative(phi, (x, 2))
    return p2n.Problem(equation(rhs, 1), parameters={a: 2, b: sp.Rational(1, 3)}, **options)


def step(problem, tau, grid=None, arithmetic=None, **values):
    scheme = p2n.Explicit(tau=tau)
    semi = semidiscretise(recognise(problem), grid or p2n.Grid())
    graph = build(semi, scheme.tau, update_of(scheme))
    return Interpreter(graph, values, *([] if arithmetic is None else [arithmetic]))


def kronecker(factors):
    found = np.eye(1)
    for matrix in factors:
        found = np.kron(found, matrix)
    return found


def entries(shape, boundary, spacing):
    """The matrix of u_ij for every pair (i, j), on flattened arrays."""
    dim = len(shape)
    found = {}
    for i, j in itertools.product(range(dim), repeat=2):
        lines = [np.eye(n) for n in shape]
        for k in {i, j}:
            derivative, half = (2, False) if i == j else (1, True)
            lines[k] = dense(shape[k], boundary, derivative, half=half, spacing=spacing[k])
        found[i, j] = kronecker(lines)
    return found


@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
@pytest.mark.parametrize("shape", [(5, 4), (3, 7), (3, 4, 3)])
def test_a_step_is_the_sum_over_all_entries(shape, boundary):
    dim, spacing = len(shape), (1.0, 0.5, 2.0)[: len(shape)]
    grid = p2n.Grid({axis: sp.Rational(h) for axis, h in zip(AXES, spacing, strict=False)})
    u = np.random.default_rng(0).normal(size=shape)
    K = entries(shape, boundary, spacing)
    flat = u.ravel()
    g = 1 / (1 + sum((k @ flat) ** 2 for k in K.values()))
    expected = flat - 0.01 * sum(k.T @ (g * (k @ flat)) for k in K.values())
    found = step(hessian_flow(dim, boundary=boundary), sp.Rational(1, 100), grid)(u)
    assert np.allclose(found.ravel(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
def test_all_entries_together_are_the_squared_laplacian(boundary):
    """In exact rationals, borders included."""
    grid = p2n.Grid({AXES[0]: 1, AXES[1]: sp.Rational(1, 2)})
    u = unknown(2)
    H = hessian(u)
    flow = p2n.Problem(equation(-div(div((1 + norm2(H)) * H)), 2), boundary=boundary)
    squared = p2n.Problem(equation(-p2n.laplacian(p2n.laplacian(u)), 2), boundary=boundary)
    start = np.array(
        [[sp.Integer((3 * i + 5 * j * j) % 7) for j in range(4)] for i in range(5)], dtype=object
    )
    small = start * sp.Rational(1, 10**12)  # where the flux is linear but for 10^-36
    linear, nonlinear = (step(p, sp.Rational(1, 16), grid, EXACT)(small) for p in (squared, flow))
    assert max(abs(e) for e in (linear - nonlinear).ravel()) < sp.Rational(1, 10**30)


@pytest.mark.parametrize("closure", ["reflecting", "periodic"])
@pytest.mark.parametrize("axes", [(0, 1), (1, 2), (0, 1, 2)])
def test_mixed_differences_have_exact_adjoints(axes, closure):
    parts = tuple(Difference(i, half_point(2), sp.Rational(1, i + 1), closure) for i in axes)
    mixed = Mixed(parts)
    rng = np.random.default_rng(1)
    u, p = (rng.integers(-9, 9, size=(3, 4, 2)).astype(object) for _ in range(2))
    scale = sp.Rational(mixed.scale)
    left, right = (mixed.apply(u, scale) * p).sum(), (u * mixed.apply_adjoint(p, scale)).sum()
    assert left == right and mixed.scale == sp.prod([i + 1 for i in axes])


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("n", [3, 4, 9])
def test_mixed_orders_are_one_row(boundary, n):
    u = np.random.default_rng(n).normal(size=n)
    central = dense(n, boundary, 1, spacing=0.5)
    central = central[4:-4] if boundary == "dirichlet" else central  # at the cells of the grid only
    K = 2 * central + dense(n, boundary, 2, spacing=0.5) / 3
    q = K @ u
    expected = u - 0.01 * K.T @ (q / (1 + q**2))
    found = step(mixed_flow(boundary=boundary), sp.Rational(1, 100), p2n.Grid(sp.Rational(1, 2)))(u)
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_the_bound_of_mixed_orders_holds_at_borders(boundary):
    """a^2/h^2 + 16 b^2/h^4: the parts are orthogonal up to the border, since d_i^2 - d_(i-1)^2 telescopes."""
    for n, (first, twice) in itertools.product((3, 4, 5, 8, 21), ((1, 1), (5, 1), (1, 5), (4, 1), (-3, 1))):
        central = dense(n, boundary, 1)
        central = central[4:-4] if boundary == "dirichlet" else central
        K = first * central + twice * dense(n, boundary, 2)
        assert np.linalg.norm(K, 2) ** 2 <= (first**2 + 16 * twice**2) * (1 + 1e-12)


def test_what_has_no_discretisation_is_refused_in_words():
    for problem, grid, word in (
        (hessian_flow(2, boundary="dirichlet"), p2n.Grid(), "zero-Dirichlet"),
        (mixed_flow(), p2n.Grid(order=4), "order = 2"),
    ):
        with pytest.raises(p2n.DeclarationError, match=word):
            semidiscretise(recognise(problem), grid)
