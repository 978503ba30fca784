"""Noise on which commands run a network is what its declaration admits."""

from __future__ import annotations

from typing import Any

import pytest
import support
import sympy as sp
import torch

import pde2net as p2n
from pde2net.cli.textbook import textbook
from pde2net.emit.noise import noise

x, y, t = sp.symbols("x y t", real=True)
u, v = (sp.Function(name)(x, y, t) for name in "uv")
c, m = (sp.Function(name)(x, y) for name in "cm")
n = sp.Function("n", negative=True)(x, y)
s, lam = p2n.Input("s", negative=True), sp.Symbol("lam", positive=True)
heat = p2n.laplacian(u)
GRAY = [sp.Eq(u.diff(t), heat + sp.sqrt(v - 4) * (3 - u)), sp.Eq(v.diff(t), p2n.laplacian(v) + 6 - v)]
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "values far from 0": (p2n.div(sp.sqrt(u - 9) * p2n.grad(u)), {"bounds": {u: (10, 20)}}),
    "channels": (p2n.div(sp.sqrt(u - 9) * p2n.grad(u)), {"bounds": {u: (10, 20)}, "channels": 3}),
    "from below": (heat + sp.sqrt(u - 5), {"bounds": {u: (5, sp.oo)}}),
    "from above": (heat + sp.sqrt(-3 - u), {"bounds": {u: (-sp.oo, -4)}}),
    "a field": (p2n.div(sp.sqrt(c - 1) * p2n.grad(u)), {"bounds": {c: (2, 3)}}),
    "a negative field": (p2n.div(-n * p2n.grad(u)), {}),
    "a negative field in bounds": (heat + n * u, {"bounds": {n: (-3, 5)}}),
    "a domain": (heat + c - u, {"domain": m, "bounds": {u: (2, 3)}}),
    "a negative number": (-s * heat, {}),
    "a system": (GRAY, {"bounds": {u: (2, 5), v: (5, 7)}}),
}


def problem(case: str) -> p2n.Problem:
    right, options = CASES[case]
    return p2n.Problem(right if isinstance(right, list) else sp.Eq(u.diff(t), right), **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", CASES)
def test_networks_take_it(case: str, dtype: torch.dtype) -> None:
    asked = problem(case)
    with support.unproved():
        module = (
            p2n.compile(asked, p2n.Explicit(sp.Rational(1, 50), 1), on_unstable="ignore").module().to(dtype)
        )
    image, given = noise(asked, (9, 7), dtype)
    assert image.shape == (1, asked.channels, 9, 7) and image.dtype == dtype and image.std() > 0
    out = module(image, **given)
    assert out.isfinite().all() and not torch.equal(out, image)
    if asked.domain is not None:
        assert 0 < given["m"].mean() < 1


@pytest.mark.parametrize("case", CASES)
def test_advice_and_textbooks_take_it(case: str) -> None:
    asked = problem(case)
    with support.unproved():
        network = p2n.compile(asked, p2n.Explicit(sp.Rational(1, 50), 1), on_unstable="ignore")
    found = textbook(network)
    assert found is not None
    image, given = noise(asked, (9, 7))
    assert torch.allclose(found(image, **given), network.module().float()(image, **given), rtol=1e-5)
    if case == "a negative number":
        with pytest.raises(p2n.DeclarationError, match="declare s as a parameter with a value"):
            p2n.advise(asked, 1)
    if case in ("a system", "channels", "a negative number"):
        return  # of which no advice is given
    for row in p2n.advise(asked, 1, measure=(9, 7)).rows:
        assert row.seconds is not None and "declared" not in row.note, row.note
