"""The noise in responses, against convolutions of noise."""

from __future__ import annotations

import pytest
import sympy as sp
import torch
import torch.nn.functional as F

import pde2net as p2n
from pde2net.learn import noise


@pytest.mark.parametrize("border", ["inside", "continued"])
def test_cosines_have_the_norm_one_together(border: str) -> None:
    K = p2n.LinearOperator("K", 24, 5, border=border, zero_mean=True)
    assert noise(K, 25 / 255) == pytest.approx([25 / 255 / 5] * 24)  # an orthonormal basis, each k times


@pytest.mark.parametrize(("dimension", "channels", "filters"), [(1, 1, 3), (2, 1, 12), (2, 3, 4), (3, 1, 5)])
def test_it_is_what_white_noise_has(dimension: int, channels: int, filters: int) -> None:
    K = p2n.LinearOperator("K", filters, 4)
    expected = noise(K, 0.3, dimension, channels)
    assert expected == noise(K, 0.3, dimension, channels)
    torch.manual_seed(0)
    started = starting_filters(K, dimension, channels)
    u = 0.3 * torch.randn(1, channels, *[{1: 20000, 2: 150, 3: 30}[dimension]] * dimension)
    responses = getattr(F, f"conv{dimension}d")(u, started)[0]
    assert responses.flatten(1).std(1).tolist() == pytest.approx(expected, rel=0.05)


def starting_filters(K: p2n.LinearOperator, dimension: int, channels: int) -> torch.Tensor:
    t = sp.Symbol("t", real=True)
    u = sp.Function("u")(*sp.symbols("x y z", real=True)[:dimension], t)
    problem = p2n.Problem(sp.Eq(u.diff(t), -K.adjoint(K(u)) / 9), channels=channels)
    module = p2n.compile(problem, p2n.Explicit(tau=1, steps=1), trainable=[K], on_unstable="ignore").module()
    return p2n.learn.values(module)["K"].float()


@pytest.mark.parametrize(
    ("sigma", "dimension", "message"), [(0, 2, "positive"), (float("nan"), 2, "positive"), (1, 4, "1 to 3")]
)
def test_what_is_no_noise_is_refused(sigma: float, dimension: int, message: str) -> None:
    with pytest.raises(p2n.DeclarationError, match=message):
        noise(p2n.LinearOperator("K", 2, 3), sigma, dimension)


def test_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    noise(p2n.LinearOperator("K", 2, 3), 0.1)
    assert torch.equal(torch.rand(3), wanted)
