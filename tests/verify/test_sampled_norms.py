"""Enclosures of norms of filters, against other ways to find them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from flint import arb
from hypothesis import given
from hypothesis import strategies as st
from support import AXES, equation, unknown

import pde2net as p2n
from pde2net.discretise.filters import response
from pde2net.verify.ranges.evaluate import number
from pde2net.verify.sampled_norms import Inexact, enclosed

R = sp.Rational


def fractions(values: Any) -> Any:
    return np.array([Fraction(float(v)) for v in np.ravel(values)], dtype=object).reshape(np.shape(values))


def dense(filters: list[Any], cells: int) -> float:
    """‖K_n ... K_1‖ of periodic images, from its matrix."""
    axes = filters[0].ndim - 2
    channels = filters[0].shape[1]
    columns = np.eye(cells**axes * channels).reshape(-1, *[cells] * axes, channels)
    found = []
    for column in columns:
        p = column
        for bank in filters:
            p = response(bank, p, ("periodic",) * axes)
        found.append(p.ravel())
    return float(np.linalg.norm(np.array(found), 2))


@pytest.mark.parametrize(
    ("shapes", "cells"),
    [
        ([(1, 1, 2)], 64),
        ([(3, 1, 5)], 48),
        ([(2, 3, 3)], 24),
        ([(3, 2, 3)], 24),
        ([(4, 1, 3, 3)], 14),
        ([(2, 2, 2, 2)], 12),
        ([(2, 1, 2, 2, 2)], 6),
        ([(2, 1, 3), (4, 2, 3)], 32),
        ([(2, 1, 2, 2), (1, 2, 2, 2), (2, 1, 2, 2)], 12),
        ([(5, 1, 1)], 4),
    ],
)
def test_the_norm_lies_between(shapes: Any, cells: int) -> None:
    """Above that of every periodic image, by little.

    The lower end is below the supremum, as the upper end is above.
    """
    random = np.random.default_rng(0)
    filters = [random.normal(size=shape) for shape in shapes]
    found = Inexact.of(fractions(filters[0]))
    for bank in filters[1:]:
        found = Inexact.of(fractions(bank)).after(found)
    interval = enclosed(found)
    low, high, known = float(interval.lo), float(interval.hi), dense(filters, cells)
    assert known <= high * (1 + 1e-12)
    assert low <= high <= known * 1.03
    assert high / low <= 1 + 2e-3 * (len(shapes[0]) - 2)


@given(
    st.integers(1, 3),
    st.integers(2, 5),
    st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=15, max_size=15),
)
def test_polynomials_of_one_variable(filters: int, size: int, numbers: list[float]) -> None:
    """sup over theta of sum_o |W_o(theta)|², found on 10^5 angles."""
    values = np.array(numbers[: filters * size]).reshape(filters, 1, size)
    interval = enclosed(Inexact.of(fractions(values)))
    largest = np.sqrt((np.abs(np.fft.fft(values[:, 0], 100_000)) ** 2).sum(0).max())
    assert float(interval.lo) <= largest * (1 + 1e-9) + 1e-12
    assert largest <= float(interval.hi) * (1 + 1e-12)


def test_exact_norms() -> None:
    """Differences of order 1 and 2: 2 and 4, approached at the highest frequency.

    A mean: 1 at frequency 0.
    """
    for taps, norm in (([-1, 1], 2), ([1, -2, 1], 4), ([R(1, 3)] * 3, 1)):
        interval = enclosed(Inexact.of(np.array([[[Fraction(int(R(t).p), int(R(t).q)) for t in taps]]])))
        assert interval.lo <= norm <= interval.hi
        assert float(interval.hi) <= norm * (1 + 1e-4)


@pytest.mark.parametrize("size", [1e-200, 1e-30, 1e30, 1e150])
def test_sizes_beyond_the_usual(size: float) -> None:
    interval = enclosed(Inexact.of(fractions(size * np.array([[[-1.0, 1.0]]]))))
    assert float(interval.lo) <= 2 * size <= float(interval.hi)


def test_scales_are_roots_of_what_filters_are_multiplied_by() -> None:
    random = np.random.default_rng(1)
    values, factors = random.normal(size=(3, 1, 4)), [R(1, 3), R(2), R(7, 100)]
    found = enclosed(Inexact.of(fractions(values)).scaled([number(sp.sqrt(f)) for f in factors]))
    scaled = values * np.sqrt([float(f) for f in factors])[:, None, None]
    assert float(found.lo) <= dense([scaled], 64) * (1 + 1e-3)
    assert dense([scaled], 64) <= float(found.hi)


def test_an_operator_that_is_zero() -> None:
    interval = enclosed(Inexact.of(fractions(np.zeros((2, 1, 3)))))
    assert interval.lo <= 0 <= interval.hi and interval.hi < arb("1e-100")


# -- claims ------------------------------------------------------------------------------------------


def problem(filters: Any, scale: Any = 1, **options: Any) -> p2n.Problem:
    K = p2n.LinearOperator("K", len(filters), np.shape(filters)[-1], **options)
    u = unknown(np.ndim(filters) - 2)
    return p2n.Problem(equation(-scale * K.adjoint(K(u)), np.ndim(filters) - 2), parameters={K: filters})


@pytest.mark.parametrize("scheme", [p2n.Explicit, p2n.RKL])
def test_given_filters_have_thresholds_from_both_sides(scheme: Any) -> None:
    """The second difference as a filter: tau 16 <= 2 for explicit steps."""
    options = {} if scheme is p2n.Explicit else {"order": 1, "stages": 3}
    limit = (
        p2n.verify(problem([[[1, -2, 1]]]), scheme(tau=R(1, 100), steps=1, **options))
        .claims["l2_stability"]
        .limit
    )
    exact = limit * 16
    assert exact == pytest.approx(2 if scheme is p2n.Explicit else 12, rel=3e-4) and exact < 12 + 1e-12
    for tau, proved in ((limit * R(999, 1000), True), (limit * R(1001, 1000), False)):
        certificate = p2n.verify(problem([[[1, -2, 1]]]), scheme(tau=tau, steps=1, **options))
        assert certificate.stable == proved
        assert p2n.recheck(certificate.to_json()).stable == proved


def test_the_largest_step_of_given_filters_is_a_number() -> None:
    """No keep_stable=True is needed: nothing is trained."""
    made = p2n.compile(
        problem(np.random.default_rng(0).normal(size=(3, 1, 3, 3))), p2n.Explicit(tau=None, steps=4)
    )
    assert made.certificate.stable and made.certificate.tau.is_Rational
    assert p2n.recheck(made.certificate.to_json(), made.source()).stable


def test_trained_filters_or_scales_prove_nothing_by_their_start() -> None:
    K = p2n.LinearOperator("K", 1, 3)
    u, a = unknown(1), sp.Symbol("a", positive=True)
    rhs = -a * K.adjoint(K(u))
    given_ = p2n.Problem(equation(rhs, 1), parameters={K: [[[1, -2, 1]]], a: 1})
    explicit = p2n.Explicit(tau=R(1, 10), steps=1)
    for trained, status in (((), "proved"), ((K,), "proved if"), ((a,), "proved")):
        certificate = p2n.compile(given_, explicit, trainable=trained).certificate
        assert certificate.claims["l2_stability"].status == status
    assert AXES


def test_zero_means_and_continued_borders_are_those_of_the_network() -> None:
    """A constant filter is 0 without its mean; an uneven one is made even or odd."""
    constant = [[[[1.0] * 3] * 3]]
    certificate = p2n.verify(problem(constant, zero_mean=True), p2n.Explicit(tau=1000, steps=1))
    assert certificate.stable
    assert not p2n.verify(problem(constant), p2n.Explicit(tau=1, steps=1)).stable
    uneven = [[[[0, 0, 0], [0, 1, 0], [0, 0, R(1, 10)]]]]
    own = p2n.verify(problem(uneven, border="continued"), p2n.Explicit(tau=1, steps=1))
    limit = own.claims["l2_stability"].limit
    even = 1 + 4 * 0.1 / 4  # 1 in the middle, 1/40 at each corner
    assert float(limit) == pytest.approx(2 / even**2, rel=1e-3)
