"""Certificates of systems are checked again, and edited ones are not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sympy as sp
from support import t, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.errors import RecheckError
from tests.language.test_system_cells import nagumo
from tests.language.test_systems import gray_scott, guided

R = sp.Rational
U, V = (sp.Function(n)(x, y, t) for n in "uv")
K = sp.Symbol("k", positive=True)


def apart() -> p2n.Problem:
    g = 1 / (1 + norm2(grad(U)))
    return p2n.Problem([sp.Eq(U.diff(t), div(g * grad(U))), sp.Eq(V.diff(t), 2 * laplacian(V) - V)])


def with_parameter() -> p2n.Problem:
    return p2n.Problem(
        [sp.Eq(U.diff(t), K * laplacian(U)), sp.Eq(V.diff(t), laplacian(V) - U * V**2)], parameters={K: 3}
    )


CERTIFIED = {
    "symbols": (guided(), p2n.Explicit(sp.Symbol("tau", positive=True), 1)),
    "Gray-Scott": (gray_scott(), p2n.Explicit(R(1, 2), 2)),
    "Gray-Scott, largest step": (gray_scott(), p2n.Explicit(None, 2)),
    "FitzHugh-Nagumo": (nagumo(), p2n.AOS(R(1, 2), 1)),
    "Gray-Scott, FSI": (gray_scott(), p2n.FSI(R(1, 2), 3, 2)),
    "Gray-Scott, implicit": (gray_scott(), p2n.Implicit(2, 1)),
    "Gray-Scott, AOS": (gray_scott(), p2n.AOS(2, 1)),
    "guided": (guided(), p2n.Explicit(R(1, 10), 1)),
    "guided, beyond": (guided(), p2n.Explicit(R(14, 100), 1)),
    "guided, AOS": (guided(), p2n.AOS(5, 1)),
    "guided, implicit": (guided(), p2n.Implicit(5, 1)),
    "guided, RKL": (guided(), p2n.RKL(2, R(1, 4), 4, 1)),
    "apart": (apart(), p2n.Explicit(R(1, 16), 2)),
    "apart, FSI": (apart(), p2n.FSI(R(1, 16), 3, 2)),
    "apart, implicit": (apart(), p2n.Implicit(3, 2, solver=p2n.Kacanov(iterations=2))),
    "parameter": (with_parameter(), p2n.Explicit(R(1, 20), 1)),
}


@pytest.mark.parametrize("name", CERTIFIED)
def test_certificates_are_confirmed(name: str) -> None:
    certificate = p2n.verify(*CERTIFIED[name])
    assert p2n.recheck(certificate.to_json()) == certificate


def edited(certificate: p2n.Certificate, name: str, **fields: Any) -> str:
    content = json.loads(certificate.to_json())
    (claim,) = [c for c in content["claims"] if c["name"] == name]
    claim.update(fields)
    return json.dumps(content)


def test_edited_certificates_are_refused() -> None:
    genuine = p2n.verify(*CERTIFIED["guided"])
    reacting = p2n.verify(*CERTIFIED["Gray-Scott"])
    cycle = p2n.verify(*CERTIFIED["guided, RKL"])
    l2 = json.loads(genuine.to_json())["claims"]
    (proved,) = [c for c in l2 if c["name"] == "l2_stability"]
    stolen = {k: v for k, v in proved.items() if k != "name"}
    forged = [
        edited(genuine, "l2_stability", limit="1/4"),
        edited(genuine, "l2_stability", limit="1/16"),
        edited(genuine, "l2_stability", hypotheses=[]),
        edited(genuine, "l2_stability", hypotheses=proved["hypotheses"][: len(proved["hypotheses"]) // 3]),
        edited(genuine, "nonexpansive", **stolen),
        edited(genuine, "energy_decay", **stolen),
        edited(cycle, "l2_stability", **stolen),
        edited(reacting, "frozen_stability", status="proved"),
        edited(reacting, "l2_stability", **stolen),
        edited(p2n.verify(*CERTIFIED["guided, beyond"]), "l2_stability", **stolen),
        genuine.to_json().replace('"tau": "1/10"', '"tau": "1/5"'),
        edited(p2n.verify(*CERTIFIED["parameter"]), "frozen_stability", limit="1/4"),
    ]
    for text in forged:
        with pytest.raises(RecheckError):
            p2n.recheck(text)


def test_systems_of_which_no_numbers_are_known_are_derived_again() -> None:
    """Coefficients that contain t, and Du Fort-Frankel: no second derivation, but the first one once more."""
    decaying = p2n.Problem([sp.Eq(U.diff(t), sp.exp(-t) * laplacian(U)), sp.Eq(V.diff(t), laplacian(V))])
    for problem, scheme in ((decaying, p2n.Explicit(R(1, 10))), (guided(), p2n.DuFortFrankel(R(1, 10)))):
        certificate = p2n.verify(problem, scheme)
        assert p2n.recheck(certificate.to_json()) == certificate
        with pytest.raises(RecheckError):
            p2n.recheck(edited(certificate, "mean_preservation", reason="of course"))
