"""Numbers given at the call stand in any equation: claims are those of parameters without a value."""

from __future__ import annotations

import pytest
import support
import sympy as sp
import torch

import pde2net as p2n
from pde2net.verify.certificate import Status

x, y, t = sp.symbols("x y t", real=True)
u, f = sp.Function("u")(x, y, t), sp.Function("f")(x, y)
SQUARE = p2n.norm2(p2n.grad(u))
EXPLICIT = p2n.Explicit(tau=sp.Rational(1, 40), steps=2)
IMPLICIT = p2n.Implicit(tau=sp.Rational(1, 40), steps=2)
CASES = {
    "conductivity": (EXPLICIT, lambda s, q: s * p2n.laplacian(u)),
    "conductivity, implicit": (IMPLICIT, lambda s, q: s * p2n.laplacian(u)),
    "contrast": (EXPLICIT, lambda s, q: p2n.div(p2n.grad(u) / (1 + SQUARE / s**2))),
    "fidelity": (EXPLICIT, lambda s, q: p2n.laplacian(u) + s * (f - u)),
    "fidelity, implicit": (IMPLICIT, lambda s, q: p2n.laplacian(u) + s * (f - u)),
    "source": (EXPLICIT, lambda s, q: p2n.laplacian(u) + q * f - s * u),
    "along one axis": (EXPLICIT, lambda s, q: s * u.diff(x, 2) + u.diff(y, 2)),
    "fourth order": (EXPLICIT, lambda s, q: -s * p2n.laplacian(p2n.laplacian(u)) / 10),
    "decay in time": (EXPLICIT, lambda s, q: sp.exp(-s * t) * p2n.laplacian(u)),
}
INPUTS = p2n.Input("s", positive=True), p2n.Input("q", real=True)
PROVED = (Status.PROVED, Status.PROVED_IF, Status.LINEARISED)


def problem(case: str, *symbols: sp.Symbol) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), CASES[case][1](*symbols)))


def proved(certificate: p2n.Certificate) -> dict[str, object]:
    held = {n: c for n, c in certificate.claims.items() if c.status in PROVED}
    assert "consistency" in held
    return {n: (c.status, str(c.condition)) for n, c in held.items()}


@pytest.mark.parametrize("case", CASES)
def test_claims_are_those_of_parameters_without_a_value(case: str) -> None:
    given = p2n.verify(problem(case, *INPUTS), CASES[case][0])
    known = p2n.verify(
        problem(case, sp.Symbol("s", positive=True), sp.Symbol("q", real=True)), CASES[case][0]
    )
    assert proved(given) == proved(known)
    p2n.recheck(given.to_json())


@pytest.mark.parametrize("backend", ["torch", "numba"])
@pytest.mark.parametrize("case", CASES)
def test_networks_are_those_with_these_values(
    case: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One for all images, or one for each."""
    monkeypatch.setattr("numba.config.DISABLE_JIT", True)
    asked, scheme = problem(case, *INPUTS), CASES[case][0]
    random = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 6, 5, generator=random, dtype=torch.float64)
    fields = {
        str(a.func): torch.rand(1, 1, 6, 5, generator=random, dtype=torch.float64) for a in asked.fields
    }
    values = {"s": (0.7, 1.3), "q": (-0.4, 0.6)}
    numbers = {v.name: torch.tensor(values[v.name]).double() for v in asked.inputs}
    with support.unproved(), torch.no_grad():
        module = p2n.compile(asked, scheme, on_unstable="ignore").module(backend=backend)
        both = module(images, **fields, **numbers)
        for k, image in enumerate(images):
            own = problem(case, *(sp.Symbol(v.name, **v.assumptions0) for v in INPUTS))
            own = own.changed(parameters={v: sp.Rational(str(values[v.name][k])) for v in own.symbols})
            alone = p2n.compile(own, scheme, on_unstable="ignore").module()
            assert torch.allclose(both[k], alone(image[None], **fields)[0], rtol=1e-6, atol=1e-7)
            one = {name: float(value[k]) for name, value in numbers.items()}
            assert torch.allclose(both[k], module(image[None], **fields, **one)[0], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("scheme", "grid"),
    [
        (p2n.DuFortFrankel(tau=sp.Rational(1, 10), steps=2), p2n.Grid()),
        (p2n.DuFortFrankel(tau=sp.Rational(1, 10), alpha=4 * INPUTS[0], steps=2), p2n.Grid()),
        (p2n.Explicit(tau=INPUTS[0] / 8), p2n.Grid()),
        (p2n.Explicit(tau=None), p2n.Grid()),
        (p2n.Implicit(tau=INPUTS[0]), p2n.Grid()),
        (EXPLICIT, p2n.Grid(spacing=INPUTS[0])),
    ],
    ids=str,
)
def test_schemes_and_grids_take_none(scheme: p2n.Scheme, grid: p2n.Grid) -> None:
    """They are the same for all images, and known before the first call."""
    with pytest.raises(p2n.DeclarationError, match="s is given when the network is called"):
        p2n.compile(problem("conductivity", *INPUTS), scheme, grid, on_unstable="ignore")
