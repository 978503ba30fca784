"""Steps whose flux is no gradient are Lipschitz for states in a range: docs/theory.md, 4.26."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sympy as sp
import torch

import pde2net as p2n
from pde2net import div, grad, norm2, smooth
from pde2net.verify.certificate import Status

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
u = sp.Function("u")(x, y, t)
c = sp.Function("c")(x, y)
STAGGERED = p2n.Grid(spacing=R(2), gradient="staggered")

# flux, grid, C and sup G ‖K‖² by hand for u in [0, 1] and h = 1 or 2
CASES = {
    # 2 axes of ‖K_i‖ sup|K_i u| sup|g'| = 2 * 1 * 2
    "porous medium": (2 * u * grad(u), None, 8, 16),
    # sup|d g(q²)/dq| = 3 sqrt(3)/8, ‖grad‖ of central differences sqrt(2)/2; 2 * 1 * 1/2
    "staggered": (grad(u) / (1 + norm2(grad(u))), STAGGERED, 2 * R(1, 2) * 3 * sp.sqrt(6) / 16, 2),
    # the product: sup|c'| sup g + sup c sup|g'| sqrt(2)/2
    "product": (u * grad(u) / (1 + norm2(grad(u))), STAGGERED, 1 + 3 * sp.sqrt(6) / 16, 2),
    # sup|dg/du| = sup|dg/dq| = 3 sqrt(3)/8, at |grad u| = 0 and at u = 0
    "both in one": (
        grad(u) / (1 + norm2(grad(u)) + u**2),
        STAGGERED,
        3 * sp.sqrt(3) / 8 + 3 * sp.sqrt(6) / 16,
        2,
    ),
    "of the field": (c * u**2 * grad(u), None, 16, 16),
    # as for staggered ones, with ‖grad‖ = sqrt(8) of forward differences; a Gaussian has the norm 1
    "smoothed": (grad(u) / (1 + norm2(grad(smooth(u, 1)))), None, 4 * 3 * sp.sqrt(6) / 4, 8),
    # q² on |K u| <= 1, by sums; 2 * 1 * 1/2 * sqrt(2)/2 * 2
    "growing": (norm2(grad(u)) * grad(u), STAGGERED, sp.sqrt(2), 1),
}


def made(flux: Any, grid: p2n.Grid | None, tau: Any, **options: Any) -> p2n.Network:
    bounds = {u: (0, 1)} | ({c: (0, 2)} if flux.has(c) else {})
    problem = p2n.Problem(sp.Eq(u.diff(t), div(flux)), bounds=bounds, **options)
    return p2n.compile(problem, p2n.Explicit(tau=tau, steps=1), grid or p2n.Grid(), on_unstable="ignore")


@pytest.mark.parametrize("name", CASES)
def test_the_factor_is_that_of_the_product_rule(name: str) -> None:
    flux, grid, changes, norm = CASES[name]
    found = made(flux, grid, R(1, 32))
    claim = found.certificate.claims["well_posed"]
    assert claim.status == Status.PROVED
    assert sp.simplify(claim.factor - 1 - (changes + norm) * R(1, 32)) == 0
    assert any(h.name == "declared range" for h in claim.hypotheses)
    stated = found.certificate.to_json()
    p2n.recheck(stated)
    data = json.loads(stated)
    (at,) = (k for k in data["claims"] if k["name"] == "well_posed")
    at["factor"] = "11/10"
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(json.dumps(data))


@pytest.mark.parametrize("name", CASES)
def test_no_two_states_of_the_range_move_apart_faster(name: str) -> None:
    """The largest singular value of the derivative, climbed to from several states."""
    flux, grid, changes, norm = CASES[name]
    network, size = made(flux, grid, 1), (5, 4)  # as far as steps go: the bound is linear in tau
    factor = float(1 + changes + norm)
    module = network.module(check=False).double()
    weight = {"c": 2 * torch.ones(1, 1, *size, dtype=torch.float64)} if flux.has(c) else {}

    def stretch(raw: torch.Tensor) -> torch.Tensor:
        state = (raw.sigmoid() * 1.02 - 0.01).clamp(0, 1).reshape(1, 1, *size)
        jacobian = torch.func.jacfwd(lambda v: module(v, **weight))(state)
        return torch.linalg.matrix_norm(jacobian.reshape(20, 20), 2)

    for seed in range(3):
        raw = (4 * torch.randn(20, dtype=torch.float64)).requires_grad_()
        optimiser = torch.optim.Adam([raw], lr=0.3)
        for _ in range(25):
            optimiser.zero_grad()
            value = stretch(raw)
            assert value <= factor, seed
            (-value).backward()
            optimiser.step()


REFUSED = [
    (sp.atan(1 / (u - R(1, 2))) * grad(u) + 2 * grad(u), "contains the coefficient"),  # jumps
    (sp.sqrt(u) * grad(u), "continuous"),
    (sp.Abs(u - R(1, 2)) * grad(u), "kinks"),
    (grad(u) / (1 + norm2(grad(smooth(u**2, 1)))), "smoothed"),
    (sp.exp(-t) * u * grad(u), "without t"),
]


@pytest.mark.parametrize(("flux", "why"), REFUSED)
def test_what_is_not_derived(flux: Any, why: str) -> None:
    claim = made(flux, None, R(1, 64)).certificate.claims["well_posed"]
    assert claim.status == Status.UNKNOWN and why in claim.reason


def test_nothing_of_domains_channels_and_sides() -> None:
    m = sp.Function("m")(x, y)
    for options in (
        {"domain": m},
        {"channels": 2},
        {"boundary": {x: (p2n.flux(0), p2n.flux(1)), y: "reflecting"}},
    ):
        found = made(2 * u * grad(u), None, R(1, 64), **options).certificate.claims["well_posed"]
        assert found.status == Status.UNKNOWN, options


def test_nothing_without_a_range() -> None:
    flux, grid, _, _ = CASES["staggered"]
    problem = p2n.Problem(sp.Eq(u.diff(t), div(flux)))
    claim = p2n.verify(problem, p2n.Explicit(R(1, 32), 1), grid).claims["well_posed"]
    assert claim.status == Status.UNKNOWN and "staggered" in claim.reason
