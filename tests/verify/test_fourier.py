"""Smoothing and two-grid factors: textbook figures, and spectra of two-grid matrices on periodic grids."""

from functools import reduce

import numpy as np
import pytest
import sympy as sp
from support import h, tau
from two_grid_line import S, two_grid_factor_1d, two_grid_invariants_1d

from pde2net.discretise.operators import Bank, Difference
from pde2net.discretise.stencils import central, half_point, second
from pde2net.verify.fourier.model import Model
from pde2net.verify.fourier.smoothing import damped_factor, high_frequencies
from pde2net.verify.fourier.two_grid import (
    Smoother,
    cycle_factors,
    two_grid_factor,
    two_grid_matrix,
)
from pde2net.verify.ranges import UndecidedError

R, oo = sp.Rational, sp.oo


def gradient(spacing, stencil=None):
    stencil = half_point(2) if stencil is None else stencil
    return Bank(
        tuple(((sp.S.One, Difference(i, stencil, sp.sympify(v), "periodic")),) for i, v in enumerate(spacing))
    )


def laplace(spacing, order=2):
    rows = tuple(
        (sp.S.One, Difference(i, second(order), sp.sympify(v), "periodic")) for i, v in enumerate(spacing)
    )
    return Bank((rows,))


def model(bank, dimension, step=oo, mass=1):
    return Model(sp.sympify(mass), sp.sympify(step), ((sp.S.One, bank),), dimension)


def heat(dimension, step=oo, spacing=1):
    return model(gradient((spacing,) * dimension), dimension, step)


def biharmonic(dimension, step=oo):
    return model(laplace((1,) * dimension), dimension, step)


def optimal_damping(model_, axes=None):
    """Equal damping at both ends of the high frequencies: 2d/(2d+1) for the Laplacian in d dimensions.

    That is 2/3, 4/5, 6/7 (Trottenberg, Oosterlee, Schüller, Multigrid, 2001, section 2.1).
    """
    high = high_frequencies(model_, axes)
    return sp.cancel(2 / (high.lower + high.upper))


def smoothing_factor(model_, axes=None):
    """1/3, 3/5, 5/7 (Brandt, Math. Comp. 31, 1977)."""
    return damped_factor(high_frequencies(model_, axes), optimal_damping(model_, axes))


def jacobi(model_):
    return Smoother(damping=float(optimal_damping(model_)))


# Smoothing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("d,omega,mu", [(1, R(2, 3), R(1, 3)), (2, R(4, 5), R(3, 5)), (3, R(6, 7), R(5, 7))])
def test_optimal_damping_of_the_standard_laplacian(d, omega, mu):
    assert optimal_damping(heat(d, spacing=h)) == omega
    assert smoothing_factor(heat(d, spacing=h)) == mu
    assert high_frequencies(heat(d)).exact


def test_damping_is_symbolic_in_the_time_step():
    omega = optimal_damping(heat(2, tau, h))
    # lowest high frequency 2/h², highest 8/h², diagonal 4/h²
    assert sp.simplify(omega - 2 * (1 + 4 * tau / h**2) / (2 + 10 * tau / h**2)) == 0
    assert sp.limit(omega, tau, oo) == R(4, 5)
    assert sp.limit(omega, tau, 0) == 1


def test_semicoarsening_keeps_the_smoothing_factor_of_unequal_spacings():
    stretched = model(gradient((1, 4)), 2)
    assert smoothing_factor(stretched, axes=(0, 1)) == R(33, 35)  # lowest (1/16)/(17/16)
    assert smoothing_factor(stretched, axes=(0,)) == (2 - R(16, 17)) / (2 + R(16, 17))


@pytest.mark.parametrize("d,lower,upper", [(1, R(2, 3), R(8, 3)), (2, R(1, 5), R(16, 5))])
def test_high_frequencies_of_fourth_order(d, lower, upper):
    high = high_frequencies(biharmonic(d))
    assert (high.lower, high.upper, high.exact) == (lower, upper, True)


@pytest.mark.parametrize(
    "bank,d",
    [
        (gradient((1, 1)), 2),
        (gradient((1, 2, 3)), 3),
        (gradient((1, 1), half_point(4)), 2),
        (gradient((1, 1), central(2)), 2),
        (laplace((1, 1)), 2),
        (laplace((1, 2), order=4), 2),
    ],
)
@pytest.mark.parametrize("axes", [None, (0,)])
def test_exact_range_is_the_sampled_one(bank, d, axes):
    exact = high_frequencies(model(bank, d, 3), axes)
    doubled = Model(sp.S.One, sp.Integer(3), ((R(1, 2), bank), (R(1, 2), bank)), d)  # two terms: sampled
    sampled = high_frequencies(doubled, axes)
    assert exact.exact and not sampled.exact
    assert float(exact.lower) == pytest.approx(float(sampled.lower), abs=1e-6)
    assert float(exact.upper) == pytest.approx(float(sampled.upper), abs=1e-6)


def test_central_differences_do_not_smooth():
    assert smoothing_factor(model(gradient((1,), central(2)), 1)) == 1  # the checkerboard is in the kernel


def test_too_large_a_damping_amplifies():
    assert damped_factor(high_frequencies(heat(2)), sp.Integer(2)) == 3


# Two grids, textbook --------------------------------------------------------------------------


@pytest.mark.parametrize("pre,post,want", [(1, 0, 1 / 3), (1, 1, 1 / 9), (2, 1, 0.0787)])
def test_one_dimension_textbook(pre, post, want):
    got = two_grid_factor(heat(1), Smoother(damping=2 / 3), pre, post)
    assert got == pytest.approx(want, abs=1e-4)
    assert got == pytest.approx(float(two_grid_factor_1d(pre + post, R(2, 3))), abs=1e-6)
    assert two_grid_factor(heat(1, 10**9), Smoother(damping=2 / 3), pre, post) == pytest.approx(
        want, abs=1e-4
    )


def test_one_dimension_exact():
    assert two_grid_factor_1d(1, R(2, 3)) == R(1, 3)
    assert two_grid_factor_1d(2, R(2, 3)) == R(1, 9)
    assert two_grid_factor_1d(1, R(1, 2)) == R(1, 2)
    assert two_grid_factor_1d(0, R(1, 2)) == 1  # a projection


def test_one_dimension_symbolic_in_tau_and_damping():
    omega = sp.Symbol("omega", positive=True)
    trace, determinant = two_grid_invariants_1d(2, omega, sp.S.One, tau)
    theta = np.linspace(0.1, 1.5, 7)[:, None]
    matrices = two_grid_matrix(heat(1, 7), theta, Smoother(damping=0.7), 1, 1)
    for angle, matrix in zip(theta[:, 0], matrices, strict=True):
        at = {omega: 0.7, tau: 7, S: np.sin(angle / 2) ** 2}
        assert np.trace(matrix) == pytest.approx(complex(trace.subs(at)), abs=1e-12)
        assert np.linalg.det(matrix) == pytest.approx(complex(determinant.subs(at)), abs=1e-12)


@pytest.mark.parametrize("sweeps,want", [(1, 0.600), (2, 0.360), (3, 0.216), (4, 0.137)])
def test_two_dimensions_textbook(sweeps, want):
    """Known for full weighting and bilinear interpolation between vertices, omega = 4/5."""
    assert two_grid_factor(heat(2), Smoother(damping=0.8), sweeps, 0) == pytest.approx(want, abs=2e-3)


# Two grids, measured --------------------------------------------------------------------------


def differences(bank, shape):
    """The rows of K as a dense matrix on a periodic grid."""
    blocks = []
    for row in bank.rows:
        block = 0
        for w, d in row:
            line = sum(
                float(c) * np.roll(np.eye(shape[d.axis]), o, axis=1)
                for o, c in zip(d.stencil.offsets, d.stencil.weights, strict=True)
            )
            block = block + float(w * d.scale) * kron(
                line if a == d.axis else np.eye(n) for a, n in enumerate(shape)
            )
        blocks.append(block)
    return np.vstack(blocks)


def kron(factors):
    return reduce(np.kron, factors)


def matrix(model_, shape):
    mass, step = (float(v) for v in model_.parts)
    squares = (float(w) * differences(b, shape).T @ differences(b, shape) for w, b in model_.terms)
    return mass * np.eye(int(np.prod(shape))) + step * sum(squares)


def pairs(n):
    """Mean over pairs and linear interpolation at cell centres, periodic."""
    coarse = np.eye(n // 2)
    before, after = np.roll(coarse, -1, axis=1), np.roll(coarse, 1, axis=1)
    mean = np.repeat(coarse, 2, axis=1) / 2
    linear = np.empty((n, n // 2))
    linear[0::2], linear[1::2] = (3 * coarse + before) / 4, (3 * coarse + after) / 4
    return mean, linear.copy()


def measured(model_, shape, smoother, pre, post, axes, adjoint=False):
    """The spectral radius of the two-grid matrix on a periodic grid."""
    A, identity = matrix(model_, shape), np.eye(int(np.prod(shape)))
    halved = tuple(n // 2 if a in axes else n for a, n in enumerate(shape))
    AH = matrix(model_.coarsened(axes), halved)
    steps = [pairs(n) if a in axes else (np.eye(n), np.eye(n)) for a, n in enumerate(shape)]
    P = kron(p for _, p in steps)
    Rm = P.T / 2 ** len(axes) if adjoint else kron(r for r, _ in steps)
    jac = identity - smoother.damping * A / A.diagonal()[:, None]
    if smoother.kind == "red-black":
        even = (np.indices(shape).sum(axis=0).ravel() % 2 == 0)[:, None]
        sweep = np.where(even, identity, jac) @ np.where(even, jac, identity)
        before, after = (np.linalg.matrix_power(sweep, k) for k in (pre, post))
    elif smoother.kind == "chebyshev":
        before, after = (chebyshev(A / A.diagonal()[:, None], k, *smoother.interval) for k in (pre, post))
    else:
        before, after = (np.linalg.matrix_power(jac, k) for k in (pre, post))
    corrected = identity - P @ np.linalg.solve(AH, Rm @ A)
    return abs(np.linalg.eigvals(after @ corrected @ before)).max()


def chebyshev(B, degree, lower, upper):
    """The error after `degree` steps of the semi-iteration with the Chebyshev points as step sizes."""
    out = np.eye(len(B))
    for k in range(degree):
        root = (upper + lower) / 2 + (upper - lower) / 2 * np.cos(np.pi * (2 * k + 1) / (2 * degree))
        out = out @ (np.eye(len(B)) - B / root)
    return out


CASES = [
    # model, shape, smoother, pre, post, axes
    (heat(1, 50), (64,), Smoother(damping=2 / 3), 1, 1, (0,)),
    (heat(1, 50), (64,), Smoother("red-black"), 1, 1, (0,)),
    (heat(1, 50), (64,), Smoother("chebyshev", interval=(1.0, 2.0)), 2, 2, (0,)),
    (heat(2, 50), (16, 16), Smoother(damping=0.8), 2, 2, (0, 1)),
    (heat(2, 50), (16, 16), Smoother("red-black"), 1, 1, (0, 1)),
    (heat(2, 50), (16, 16), Smoother("red-black", damping=1.1), 2, 1, (0, 1)),
    (heat(2, 50), (16, 16), Smoother("chebyshev"), 2, 2, (0, 1)),
    (model(gradient((1, 2)), 2, 50), (16, 12), Smoother(damping=0.8), 2, 2, (0,)),
    (model(gradient((1, 2)), 2, 50), (16, 12), Smoother("red-black"), 1, 1, (0,)),
    (model(gradient((1, 1), half_point(4)), 2, 5), (16, 16), Smoother(damping=0.7), 2, 2, (0, 1)),
    (heat(3, 5), (8, 8, 8), Smoother(damping=6 / 7), 1, 1, (0, 1, 2)),
    (biharmonic(1, 20), (32,), Smoother(damping=0.6), 2, 2, (0,)),
    (biharmonic(2, 20), (16, 16), Smoother(damping=10 / 17), 2, 2, (0, 1)),
]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
@pytest.mark.parametrize("adjoint", [False, True])
def test_symbols_give_the_spectrum_on_a_periodic_grid(case, adjoint):
    model_, shape, smoother, pre, post, axes = case
    # 2 pi k/n: each set of harmonics once per choice of n/2 (all shifts included: harmless repetition)
    lines = [2 * np.pi * np.arange(n // 2) / n for n in shape]
    theta = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1)
    matrices = two_grid_matrix(model_, theta, smoother, pre, post, axes, adjoint)
    predicted = abs(np.linalg.eigvals(matrices)).max()
    found = measured(model_, shape, smoother, pre, post, axes, adjoint)
    assert predicted == pytest.approx(found, rel=1e-7)
    assert two_grid_factor(model_, smoother, pre, post, axes, adjoint) >= found - 1e-7


def test_the_factor_is_approached_as_the_grid_grows():
    model_, smoother = heat(1, 10**4), Smoother(damping=2 / 3)
    factor = two_grid_factor(model_, smoother, 1, 1)
    gaps = [factor - measured(model_, (n,), smoother, 1, 1, (0,)) for n in (16, 64, 256)]
    assert gaps[0] > -1e-9 and gaps[2] < 1e-3


def test_fourth_order_smooths_worse_and_needs_transfers_of_higher_order():
    assert two_grid_factor(biharmonic(2), jacobi(biharmonic(2)), 2, 2, adjoint=True) == pytest.approx(
        float(smoothing_factor(biharmonic(2))) ** 4, abs=1e-3
    )


# Several levels, errors -----------------------------------------------------------------------


def test_cycle_factors_follow_the_levels():
    smoother = Smoother(damping=0.8)
    factors = cycle_factors(heat(2, 50), smoother, 2, 2, [(0, 1)] * 4)
    assert len(factors) == 4
    assert max(factors) < 0.15
    assert factors[3] < factors[0]  # tau/H² falls
    stretched = model(gradient((1, 2)), 2, 50)
    assert max(cycle_factors(stretched, smoother, 2, 2, [(0,), (0, 1)])) < 0.15
    assert max(cycle_factors(stretched, smoother, 2, 2, [(0, 1)])) > 0.4


def test_errors():
    with pytest.raises(UndecidedError, match="needs a numeric value"):
        two_grid_factor(heat(1, tau), Smoother(), 1, 1)
    with pytest.raises(ValueError, match="no smoother"):
        Smoother("sor")
    with pytest.raises(ValueError, match="interval"):
        Smoother("chebyshev", interval=(2, 1))
    with pytest.raises(ValueError, match="one to three"):
        two_grid_factor(heat(4), Smoother(), 1, 1)
    with pytest.raises(ValueError, match="rational damping"):
        two_grid_factor_1d(1, sp.sqrt(2))
    with pytest.raises(ValueError, match="coarsened axis"):
        smoothing_factor(heat(1), axes=())
