"""K and K^T on finite grids: exact adjoints, kernels, norms, and a second implementation."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from support import TAPS, along, attacks, dense, equation, lam, runner, unknown, x, y, z

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.discretise.operators import Difference
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.discretise.stencils import central, half_point, second
from pde2net.normalise.recognise import recognise

FIRST = [(make, order) for make in (half_point, central) for order in (2, 4)]
CASES = [(make(order), closure) for make, order in FIRST for closure in ("reflecting", "periodic")]
CASES += [(second(order), closure) for order in (2, 4) for closure in ("reflecting", "periodic", "zero")]
IDS = [f"{'half' if s.half else 'cell'}{s.derivative}-{s.order}-{c}" for s, c in CASES]
each_case = pytest.mark.parametrize("stencil,closure", CASES, ids=IDS)

rational = st.fractions(min_value=-9, max_value=9, max_denominator=12)
spacings = st.sampled_from([Fraction(1), Fraction(1, 3), Fraction(5, 2), Fraction(7, 11)])


def exact(values):
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


@each_case
@settings(max_examples=20)
@given(data=st.data())
def test_adjoint_identity_in_exact_rationals(stencil, closure, data):
    """<K u, p> = <u, K^T p> without any rounding, for every size from the smallest on."""
    n = data.draw(st.integers(stencil.reach, stencil.reach + 7))
    h = data.draw(spacings)
    u = exact(data.draw(st.lists(rational, min_size=n, max_size=n)))
    p = exact(data.draw(st.lists(rational, min_size=n, max_size=n)))
    d = Difference(0, stencil, sp.Rational(h.numerator, h.denominator), closure)
    scale = h**-stencil.derivative
    left, right = (d.apply(u, scale) * p).sum(), (u * d.apply_adjoint(p, scale)).sum()
    assert isinstance(left, Fraction) and left == right


@each_case
@given(data=st.data())
def test_adjoint_identity_in_floats(stencil, closure, data):
    dim = data.draw(st.integers(1, 3))
    axis = data.draw(st.integers(0, dim - 1))
    sizes = st.integers(stencil.span, stencil.span + 9)
    shape = tuple(data.draw(sizes) if a == axis else data.draw(st.integers(1, 6)) for a in range(dim))
    h = data.draw(st.floats(0.01, 100))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    d = Difference(axis, stencil, sp.Float(h), closure)
    u, p = rng.normal(size=shape), rng.normal(size=shape)
    scale = float(h) ** -stencil.derivative
    Ku, Kp = d.apply(u, scale), d.apply_adjoint(p, scale)
    assert Ku.shape == Kp.shape == shape
    slack = 1e-13 * np.linalg.norm(Ku) * np.linalg.norm(p) + 1e-13 * np.linalg.norm(Kp) * np.linalg.norm(u)
    assert abs((Ku * p).sum() - (u * Kp).sum()) <= slack


@each_case
def test_against_index_arithmetic(stencil, closure):
    """Column by column, K and K^T are a matrix made from index arithmetic alone, and its transpose."""
    boundary = "dirichlet" if closure == "zero" else closure
    for n in range(stencil.reach, stencil.reach + 8):
        h = 0.7
        matrix = dense(n, boundary, stencil.derivative, stencil.order, stencil.half, h)
        d = Difference(0, stencil, sp.Rational(7, 10), closure)
        scale = h**-stencil.derivative
        identity = np.eye(n)
        np.testing.assert_allclose(np.stack([d.apply(e, scale) for e in identity], 1), matrix, atol=1e-13)
        np.testing.assert_allclose(
            np.stack([d.apply_adjoint(e, scale) for e in identity], 1), matrix.T, atol=1e-13
        )


@each_case
def test_constants_are_in_the_kernel_unless_they_flow_out(stencil, closure):
    for n in (stencil.reach, 13):
        d = Difference(0, stencil, sp.Integer(2), closure)
        ones = exact([Fraction(1)] * n)
        image = d.apply(ones, Fraction(1, 2) ** stencil.derivative)
        if closure == "zero":
            assert image[0] != 0 and image[-1] != 0
        else:
            assert all(v == 0 for v in image)


@each_case
def test_the_norm_bound_holds_for_every_size_and_is_approached(stencil, closure):
    boundary = "dirichlet" if closure == "zero" else closure
    bound = float(stencil.squared_norm)
    for n in [*range(stencil.reach, 24), 63, 64, 200]:
        matrix = dense(n, boundary, stencil.derivative, stencil.order, stencil.half)
        norm = np.linalg.norm(matrix, 2) ** 2
        assert norm <= bound * (1 + 1e-12)
    assert norm >= bound * 0.995


@pytest.mark.parametrize("half,order", [(True, 2), (True, 4), (False, 2), (False, 4)])
def test_the_norm_bound_holds_for_zero_dirichlet_first_differences(half, order):
    stencil = half_point(order) if half else central(order)
    for n in (stencil.reach, 9, 200):
        norm = np.linalg.norm(dense(n, "dirichlet", 1, order, half), 2) ** 2
        assert norm <= float(stencil.squared_norm) * (1 + 1e-12)
    assert norm >= float(stencil.squared_norm) * 0.995


# -- whole operators ----------------------------------------------------------------------------

BOUNDARIES = ["reflecting", "periodic", "dirichlet"]
AXES = (x, y, z)


def rate(problem, grid, tau=0.125):
    """u -> (u+ - u)/tau of the compiled network."""
    run = runner(problem, tau, 1, grid)
    return lambda u0: (run(u0) - u0) / tau


def one_step(problem, grid, u0):
    return rate(problem, grid)(u0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("gradient", ["forward", "central", "staggered"])
@pytest.mark.parametrize("dim", [1, 2])
def test_nonlinear_diffusion_is_minus_K_transposed_g_K(dim, gradient, order, boundary):
    """The compiled right-hand side against dense matrices, Perona-Malik with unequal spacing."""
    u = unknown(dim)
    spacing = (0.7, 1.3)[:dim]
    problem = p2n.Problem(
        equation(div(grad(u) / (1 + norm2(grad(u)) / lam**2)), dim),
        boundary=boundary,
        parameters={lam: 0.5},
    )
    grid = p2n.Grid(spacing=dict(zip(AXES, spacing, strict=False)), order=order, gradient=gradient)
    shape = (9, 7)[:dim]
    half = gradient != "central"
    compiled = rate(problem, grid)
    for u0 in attacks(shape):
        # Rows beyond the border, where zero-Dirichlet differences live, are those of a wider grid.
        wide = boundary == "dirichlet"
        margin = 6 if wide else 0
        v = np.pad(u0, margin)
        kind = "periodic" if wide else boundary
        K = [dense(n + 2 * margin, kind, 1, order, half, s) for n, s in zip(shape, spacing, strict=True)]
        slopes = [along(k, i, v) for i, k in enumerate(K)]
        if gradient == "staggered":
            cells = [
                along(dense(n + 2 * margin, kind, 1, order, False, s), i, v)
                for i, (n, s) in enumerate(zip(shape, spacing, strict=True))
            ]
            g = 1 / (1 + sum(c**2 for c in cells) / 0.25)
            weights = []
            for axis in range(dim):
                after = np.roll(g, -1, axis)
                if kind == "reflecting":
                    last = [slice(None)] * dim
                    last[axis] = -1
                    after[tuple(last)] = g[tuple(last)]
                weights.append((g + after) / 2)
        else:
            weights = [1 / (1 + sum(s**2 for s in slopes) / 0.25)] * dim
        want = -sum(along(k.T, i, w * s) for i, (k, w, s) in enumerate(zip(K, weights, slopes, strict=True)))
        if wide:
            want = want[tuple(slice(margin, -margin) for _ in shape)]
        np.testing.assert_allclose(compiled(u0), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_fourth_order_diffusion_is_minus_K_transposed_g_K(dim, order, boundary):
    u = unknown(dim)
    v = laplacian(u)
    spacing = (0.9, 1.1, 1.4)[:dim]
    problem = p2n.Problem(equation(-laplacian(v / (1 + v**2)), dim), boundary=boundary)
    grid = p2n.Grid(spacing=dict(zip(AXES, spacing, strict=False)), order=order)
    shape = (8, 6, 5)[:dim]
    u0 = np.random.default_rng(dim).normal(size=shape)
    K = [dense(n, boundary, 2, order, False, s) for n, s in zip(shape, spacing, strict=True)]
    curvature = sum(along(k, i, u0) for i, k in enumerate(K))
    flux = curvature / (1 + curvature**2)
    want = -sum(along(k.T, i, flux) for i, k in enumerate(K))
    np.testing.assert_allclose(one_step(problem, grid, u0), want, rtol=0, atol=1e-11)


def test_boundaries_may_differ_per_axis():
    u = unknown(3)
    kinds = {x: "dirichlet", y: "periodic", z: "reflecting"}
    problem = p2n.Problem(equation(laplacian(u), 3), boundary=kinds)
    u0 = np.random.default_rng(0).normal(size=(5, 6, 4))
    want = 0
    for axis, (n, kind) in enumerate(zip(u0.shape, kinds.values(), strict=True)):
        K = dense(n, kind, 1, 2, True)
        want = want - along(K.T @ K, axis, u0)
    np.testing.assert_allclose(one_step(problem, p2n.Grid(), u0), want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gradient", ["forward", "staggered"])
def test_coefficients_free_of_derivatives_are_edge_means(gradient):
    """div((1 + x^2 + f) grad u) in 1D: the coefficient of edge i is the mean over cells i and i + 1."""
    u, f = unknown(1), sp.Function("f")(x)
    problem = p2n.Problem(equation(div((1 + x**2 + f) * grad(u)), 1))
    grid = p2n.Grid(spacing=0.5, origin=-1, gradient=gradient)
    rng = np.random.default_rng(1)
    u0, data = rng.normal(size=8), rng.uniform(0, 2, size=8)
    at = 1 + (-1 + 0.5 * np.arange(8)) ** 2 + data
    flux = (at[1:] + at[:-1]) / 2 * np.diff(u0) / 0.5
    want = np.diff(np.concatenate([[0], flux, [0]])) / 0.5
    have = (runner(problem, 0.125, 1, grid)(u0, {"f": data}) - u0) / 0.125
    np.testing.assert_allclose(have, want, rtol=0, atol=1e-12)


def mode(n, boundary, k):
    """(continuous function on the cells, its wave number): an eigenfunction that fits the border."""
    i = np.arange(n)
    if boundary == "periodic":
        return np.cos(2 * np.pi * k * i / n), 2 * np.pi * k / n
    if boundary == "dirichlet":
        return np.sin(np.pi * k * (i + 1) / (n + 1)), np.pi * k / (n + 1)
    return np.cos(np.pi * k * (i + 0.5) / n), np.pi * k / n


@pytest.mark.parametrize("gradient", ["forward", "central"])
@pytest.mark.parametrize("order", [2, 4])
@pytest.mark.parametrize("boundary", ["reflecting", "periodic"])
def test_the_laplacian_converges_with_the_order_of_the_grid(boundary, order, gradient):
    """Smooth eigenfunctions, 2 waves: the error of -K^T K falls with the power `order` of h = 1/n."""
    problem = p2n.Problem(equation(laplacian(unknown(1)), 1), boundary=boundary)
    sizes, errors = [32, 64, 128], []
    for n in sizes:
        u0, wave = mode(n, boundary, 2)
        h = 1 / n
        have = one_step(problem, p2n.Grid(spacing=sp.Rational(1, n), order=order, gradient=gradient), u0)
        errors.append(abs(have + (wave / h) ** 2 * u0).max() / (wave / h) ** 2)
    slope = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert abs(slope - order) < 0.1, (slope, errors)


@pytest.mark.parametrize("name", ["forward", "central", "staggered"])
@pytest.mark.parametrize("order", [2, 4])
def test_the_smallest_size_is_the_reach_of_the_widest_stencil(name, order):
    """One image of each cell is enough; coarse grids keep its span."""
    u = unknown(2)
    form = recognise(p2n.Problem(equation(div(grad(u) / (1 + norm2(grad(u)))), 2)))
    semi = semidiscretise(form, p2n.Grid(order=order, gradient=name))
    spans = {key: TAPS[key][0][-1] - TAPS[key][0][0] + 1 for key in TAPS}
    want = {
        "forward": spans[1, order, True],
        "central": spans[1, order, False],
        "staggered": max(spans[1, order, True], spans[1, order, False]),
    }[name]
    assert semi.roomy == (want, want)
    assert semi.smallest == (order // 2, order // 2)
