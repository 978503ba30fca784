"""K and K^T of learned filters: dense matrices, exact adjoints, norms at most those of the symbol."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

from pde2net.discretise.filters import adjoint, response

CASES = [
    ("reflecting",),
    ("periodic",),
    ("dirichlet",),
    ("reflecting", "periodic"),
    ("dirichlet", "reflecting"),
    ("periodic", "dirichlet", "reflecting"),
]


def dense(weights: np.ndarray, shape: tuple[int, ...], boundary: tuple[str, ...]) -> np.ndarray:
    """K by index arithmetic: rows are (*cells of K u, filter), columns (*cells, channel)."""
    out, channels, *sizes = weights.shape
    cells = [
        n - s + 1 if kind == "reflecting" else n for n, s, kind in zip(shape, sizes, boundary, strict=True)
    ]
    matrix = np.zeros((*cells, out, *shape, channels), dtype=weights.dtype)
    for i in itertools.product(*map(range, cells)):
        for j in itertools.product(*map(range, sizes)):
            place = []
            for n, s, kind, a, b in zip(shape, sizes, boundary, i, j, strict=True):
                at = a + b if kind == "reflecting" else a + b - (s - 1) // 2
                place.append(at % n if kind == "periodic" else at)
            if all(0 <= p < n for p, n in zip(place, shape, strict=True)):
                matrix[(*i, slice(None), *place)] += weights[(slice(None), slice(None), *j)]
    return matrix.reshape(int(np.prod(cells)) * out, -1)


@pytest.mark.parametrize("boundary", CASES)
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_filters_are_the_dense_matrix_and_its_transpose(boundary: tuple[str, ...], size: int) -> None:
    rng = np.random.default_rng(size)
    shape = tuple(range(4, 4 + len(boundary)))
    weights = rng.normal(size=(3, 2, *[size] * len(boundary)))
    matrix = dense(weights, shape, boundary)
    u = rng.normal(size=(*shape, 2))
    p = response(weights, u, boundary)
    np.testing.assert_allclose(p.ravel(), matrix @ u.ravel(), rtol=0, atol=1e-13)
    q = rng.normal(size=p.shape)
    np.testing.assert_allclose(
        adjoint(weights, q, boundary).ravel(), matrix.T @ q.ravel(), rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("boundary", CASES)
def test_adjoint_is_exact_in_rationals(boundary: tuple[str, ...]) -> None:
    rng = np.random.default_rng(0)

    def rational(shape: tuple[int, ...]) -> np.ndarray:
        return np.vectorize(lambda k: Fraction(int(k), 7), otypes=[object])(rng.integers(-9, 9, size=shape))

    shape = (4,) * len(boundary)
    weights, u = rational((2, 2, *[4] * len(boundary))), rational((*shape, 2))
    p = response(weights, u, boundary)
    q = rational(p.shape)
    assert (p * q).sum() == (u * adjoint(weights, q, boundary)).sum()


def symbol_norm(weights: np.ndarray, count: int = 512) -> float:
    """sup ‖W(theta)‖, sampled: a lower bound."""
    axes = tuple(range(2, weights.ndim))
    spectrum = np.fft.fftn(weights, s=[count] * len(axes), axes=axes)
    matrices = np.moveaxis(spectrum.reshape(*weights.shape[:2], -1), -1, 0)
    return float(np.linalg.norm(matrices, 2, axis=(1, 2)).max())


@pytest.mark.parametrize("kind", ["reflecting", "periodic", "dirichlet"])
@pytest.mark.parametrize("seed", range(4))
def test_norm_is_at_most_that_of_the_symbol_on_every_size(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(3, 2, 4)) * rng.choice([0.0, 1.0], size=(3, 2, 4))
    bound = symbol_norm(weights, 4096)
    for n in range(4, 40, 5):
        assert np.linalg.norm(dense(weights, (n,), (kind,)), 2) <= bound * (1 + 1e-6)


def test_an_even_extension_would_exceed_the_symbol() -> None:
    """Why reflecting borders drop the windows that leave the grid (docs/theory.md, section 8)."""
    n = 12
    weights = np.array([[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]]])  # (K u)_i = (u_{i-1}, u_i)
    even = np.pad(np.eye(n), ((1, 1), (0, 0)), mode="symmetric")
    matrix = np.concatenate([even[:-2], even[1:-1]])
    assert np.linalg.norm(matrix, 2) ** 2 >= 3 - 1e-12
    assert symbol_norm(weights) ** 2 == pytest.approx(2)
    assert np.linalg.norm(dense(weights, (n,), ("reflecting",)), 2) ** 2 <= 2 + 1e-12
