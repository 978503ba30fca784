"""Networks hold known fields to what was declared of them."""

from __future__ import annotations

from typing import Any

import pytest
import sympy as sp
import torch
from support import uncertified

import pde2net as p2n
from pde2net import div, grad, laplacian

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
c, D, f = (sp.Function(n)(x, y) for n in "cDf")
MASK = (1 - c) * laplacian(u) + c * (f - u)


def problem(rhs: Any, bounds: Any) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), rhs), bounds=bounds)


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("scheme", [p2n.Explicit(R(1, 8), 2), p2n.Implicit(1, 1), p2n.Multigrid(1, 1)])
def test_networks_refuse_other_fields(scheme: Any, backend: str, uncompiled: None) -> None:
    signed = sp.Function("w", positive=True)(x, y)
    rhs = (1 - c) * div(D * grad(u)) + c * (f - u) / signed
    made = problem(rhs, {c: (0, 1), D: (R(1, 4), sp.oo)})
    network = uncertified(made, scheme)
    try:
        module = network.module(backend=backend).double()
    except p2n.EmissionError:
        pytest.skip("no kernels")
    one = torch.ones(2, 1, 6, 6, dtype=torch.float64)
    known = {"c": one / 2, "D": one, "f": one, "w": one}
    module(one, **known)
    for name, value, said in (
        ("c", 1.5, r"c was declared to lie in \[0, 1\], and is 1.5 at \(1, 0, 2, 3\)"),
        ("c", float("nan"), "is nan at"),
        ("D", 0.0, r"in \[1/4, oo\)"),
        ("w", 0.0, r"in \(0, oo\)"),
    ):
        wrong = one.clone()
        wrong[1, 0, 2, 3] = value
        with pytest.raises(ValueError, match=said):
            module(one, **{**known, name: wrong})


def test_traced_networks_are_not_checked() -> None:
    module = uncertified(problem(MASK, {c: (0, 1)}), p2n.Explicit(R(1, 8), 2)).module()
    one = torch.ones(1, 1, 5, 5)
    for traced in (
        torch.export.export(module, (one,), {"c": one, "f": one}).module(),
        torch.compile(module, fullgraph=True, backend="eager"),
    ):
        assert torch.equal(traced(one, c=one, f=one), one)
    masks = torch.stack([one, 2 * one])
    run = torch.vmap(lambda mask: module(one, c=mask, f=one))
    assert run(masks[:1]).shape == (1, *one.shape)
    with pytest.raises(ValueError, match="is 2 at"):
        run(masks)


def test_fields_of_systems_have_one_channel() -> None:
    v = sp.Function("v")(x, y, t)
    system = p2n.Problem([sp.Eq(u.diff(t), laplacian(u) - c * u), sp.Eq(v.diff(t), laplacian(v) + u)])
    module = uncertified(system, p2n.Explicit(R(1, 20), 1)).module()
    both = torch.ones(1, 2, 4, 4)
    assert module(both, c=both[:, :1]).shape == both.shape
    with pytest.raises(ValueError, match="must agree"):
        module(both, c=both)
