"""Certificates of coefficients that contain t are checked again, and edited ones are not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sympy as sp
from support import equation, lam, t, unknown

import pde2net as p2n
from pde2net import div, grad, norm2
from pde2net.errors import RecheckError

R = sp.Rational
FIFTH = R(1, 5)


def heat(c: sp.Expr, more: sp.Expr = sp.S.Zero, **options: Any) -> p2n.Problem:
    return p2n.Problem(equation(c * unknown(1).diff(sp.Symbol("x", real=True), 2) + more, 1), **options)


def shrinking(dim: int = 1) -> p2n.Problem:
    u = unknown(dim)
    g = 1 / (1 + norm2(grad(u)) / (lam * sp.exp(-t)) ** 2)
    return p2n.Problem(equation(div(g * grad(u)), dim), parameters={lam: R(1, 2)})


F = sp.Function("f")(sp.Symbol("x", real=True))
CERTIFIED = {
    "decaying": (heat(sp.exp(-t)), p2n.Explicit(FIFTH, 3)),
    "growing": (heat(1 + t), p2n.Explicit(FIFTH, 3)),
    "refuted": (heat(1 + t), p2n.Explicit(R(3, 4), 4)),
    "jump": (heat(sp.Piecewise((1, t < 1), (R(1, 2), True))), p2n.Explicit(FIFTH, 3)),
    "fidelity": (heat(1, sp.exp(-t) * (F - unknown(1))), p2n.Explicit(FIFTH, 3)),
    "damping": (heat(1, -unknown(1) / (1 + t)), p2n.Explicit(FIFTH, 3)),
    "shrinking": (shrinking(), p2n.Explicit(FIFTH, 3)),
    "shrinking plane": (shrinking(2), p2n.Explicit(R(1, 10), 3)),
    "FSI": (heat(1 + t), p2n.FSI(R(1, 10), 3, 2)),
    "nonlinear FSI": (shrinking(), p2n.FSI(FIFTH, 3, 2)),
    "RKL": (heat(sp.exp(-t)), p2n.RKL(2, R(1, 2), 4, 2)),
    "Du Fort-Frankel": (heat(sp.exp(-t)), p2n.DuFortFrankel(FIFTH, steps=3)),
    "implicit": (heat(1 + t), p2n.Implicit(3, 2)),
    "nonlinear implicit": (shrinking(), p2n.Implicit(3, 2)),
    "Crank-Nicolson": (heat(sp.exp(-t)), p2n.Theta(3, 2)),
    "Picard": (heat(sp.exp(-t)), p2n.Implicit(R(1, 10), 2, solver=p2n.FixedPoint(iterations=4))),
    "AOS": (shrinking(), p2n.AOS(3, 2)),
    "multigrid": (heat(sp.exp(-t)), p2n.Multigrid(3, 1)),
}


@pytest.mark.parametrize("name", CERTIFIED)
def test_certificates_are_confirmed(name: str) -> None:
    certificate = p2n.verify(*CERTIFIED[name])
    assert p2n.recheck(certificate.to_json()) == certificate
    if name not in ("refuted", "multigrid", "jump"):
        assert certificate.claims["l2_stability"].status in ("proved", "not applicable", "linearised")


def edited(name: str, **changes: Any) -> str:
    """The JSON of a certificate, edited in a claim, or as text where a change is a pair."""
    text = p2n.verify(*CERTIFIED[name]).to_json()
    content = json.loads(text)
    for name_, fields in changes.items():
        (claim,) = [c for c in content["claims"] if c["name"] == name_]
        claim.update(fields)
    return json.dumps(content)


def test_edited_certificates_are_refused() -> None:
    genuine = p2n.verify(*CERTIFIED["growing"])
    l2 = genuine.claims["l2_stability"]
    assert "t <= 2/5" in l2.reason
    forged = [
        genuine.to_json().replace("t <= 2/5", "t <= 1/5"),
        genuine.to_json().replace("t <= 2/5", "t <= 3/5"),
        genuine.to_json().replace(
            " This is about times t <= 2/5, at which the network evaluates its coefficients.", ""
        ),
        genuine.to_json().replace('"tau": "1/5"', '"tau": "1/2"'),
        genuine.to_json().replace("7/5", "6/5"),
        edited("growing", l2_stability={"limit": "5/14"}),
        edited("growing", l2_stability={"condition": "True"}),
        edited("refuted", l2_stability={"status": "proved", "witness": None}),
        edited("decaying", l2_stability={"limit": "3/4"}),
        edited("shrinking", l2_stability={"limit": "3/4"}),
        edited("implicit", solver_convergence={"factor": "1/100"}),
    ]
    for text in forged:
        assert text != genuine.to_json()
        with pytest.raises(RecheckError):
            p2n.recheck(text)


def test_later_coefficients_do_not_slip_through() -> None:
    """The same claims for one step more, whose coefficient is too large."""
    proved = p2n.verify(heat(1 + t), p2n.Explicit(R(1, 4), 4))  # 1 + 3/4 at the last step: 7/16 <= 1/2
    beyond = p2n.verify(heat(1 + t), p2n.Explicit(R(1, 4), 6))  # 1 + 5/4: 9/16 > 1/2
    assert proved.claims["l2_stability"].status == "proved"
    assert beyond.claims["l2_stability"].status != "proved"
    text = proved.to_json().replace('"steps": 4', '"steps": 6').replace("4 steps", "6 steps")
    assert text != proved.to_json()
    with pytest.raises(RecheckError):
        p2n.recheck(text)
    with pytest.raises(RecheckError):
        p2n.recheck(text.replace("t <= 3/4", "t <= 5/4"))
