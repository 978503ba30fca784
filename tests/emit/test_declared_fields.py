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


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_checks_may_be_left_out(backend: str, uncompiled: None) -> None:
    """check=False computes the same, of whatever it is given, and says that nothing is checked."""
    m = sp.Function("m")(x, y)
    rhs = div(c * grad(u)) + sp.Function("w", negative=True)(x, y) * u
    declared = p2n.Problem(sp.Eq(u.diff(t), rhs), bounds={c: (0, 1), u: (0, 2)}, domain=m)
    network = p2n.compile(declared, p2n.Explicit(R(1, 8), 2), on_unstable="ignore")
    one = torch.rand(1, 1, 6, 7, dtype=torch.float64)
    given = {"c": one, "w": -one - 1, "m": torch.ones_like(one)}
    free = network.module(backend=backend, check=False).double()
    assert torch.equal(free(one, **given), network.module(backend=backend).double()(one, **given))
    assert free(3 * one, **{**given, "c": 5 * one, "w": one, "m": one / 2}).isfinite().all()
    with pytest.raises(ValueError, match="m has the shape"):
        free(one, **{**given, "m": one[..., 1:]})
    text, unchecked = (" ".join(network.source(backend, check=k).split()) for k in (True, False))
    ranges = "every input with u in [0, 2], c in [0, 1], w in (-oo, 0), m in {0, 1}"
    assert f"{ranges}; in exact arithmetic" in text
    assert f"{ranges}, which is not checked; in exact arithmetic" in unchecked and "require(" not in unchecked
    certificate = network.certificate.to_json()
    p2n.recheck(certificate, network.source())
    with pytest.raises(p2n.RecheckError, match="source"):
        p2n.recheck(certificate, network.source(check=False))
