"""Genuine certificates are accepted: all schemes, kinds of equations and options of training."""

from __future__ import annotations

import json
from typing import Any

import genuine
import genuine_cells
import pytest
import sympy as sp
from support import equation, lam, t, unknown, x, y

import pde2net as p2n
from pde2net import deadline, div, grad, laplacian, norm2

R = sp.Rational
u1, u2 = unknown(1), unknown(2)
f = sp.Function("f")
a = sp.Symbol("a", positive=True)
K = p2n.LinearOperator("K", 4, 3)
JUMP = sp.Piecewise((0, u1 < 1), (-u1, True))

EQUATIONS = {
    "heat": (laplacian(u1), {}),
    "Perona-Malik": (div(grad(u1) / (1 + norm2(grad(u1)) / lam**2)), {lam: R(1, 2)}),
    "fidelity": (laplacian(u1) + 2 * (f(x) - u1), {}),
    "damping": (laplacian(u1) - a * u1, {a: R(1, 3)}),
    "jump in the reaction": (laplacian(u1) + JUMP, {}),
    "fourth order": (-laplacian(laplacian(u1)), {}),
    "coefficient": (div((1 + x**2) / (2 + x**2) * grad(u1)), {}),
    "in time": (sp.exp(-t) * laplacian(u1), {}),
    "prefactor": (f(x) * laplacian(u1), {}),
    "learned": (-K.adjoint(K(u1)), {}),
}
SCHEMES = [
    p2n.Explicit(R(1, 5), 2),
    p2n.DuFortFrankel(R(1, 2), steps=3),
    p2n.FSI(R(1, 5), 3, 2),
    p2n.FED(R(1, 5), 3, 2),
    p2n.RKL(2, R(1, 2), 4, 2),
    p2n.Implicit(3, 2),
    p2n.Implicit(3, 2, p2n.Newton(iterations=3)),
    p2n.Implicit(R(1, 10), 2, p2n.FixedPoint(iterations=3)),
    p2n.Theta(1, 2),
    p2n.AOS(3, 2),
    p2n.Multigrid(3, 1, cycles=2),
]
TRAINING: list[dict[str, Any]] = [
    {},
    {"trainable": ["tau"]},
    {"trainable": ["factors"], "shared": False},
    {"trainable": ["lambda", "tau"], "keep_stable": True},
    {"trainable": ["K"], "shared": False},
    {"trainable": ["K", "factors"], "shared": False},
    {"trainable": ["K"], "keep_stable": True, "shared": False},
]
CASES = [(name, scheme, options) for options in TRAINING for scheme in SCHEMES for name in EQUATIONS]
# What the first verification of the gate looks at; `make test-long` runs the others.
SHORT = (
    ("jump in the reaction", 9, 0),
    ("jump in the reaction", 5, 0),
    ("learned", 3, 5),
    ("learned", 2, 6),
    ("Perona-Malik", 1, 3),
    ("in time", 4, 0),
    ("prefactor", 0, 1),
)


def compiled(name: str, scheme: Any, options: dict[str, Any]) -> Any:
    """The network, or None where the choices do not fit together."""
    rhs, parameters = EQUATIONS[name]
    try:
        problem = p2n.Problem(equation(rhs, 1), parameters=parameters)
        return p2n.compile(problem, scheme, p2n.Grid(), on_unstable="ignore", **options)
    except p2n.Pde2NetError:
        return None


def accepted(network: Any) -> None:
    text = network.certificate.to_json()
    source = None if network.certificate.source is None else network.source()
    assert p2n.recheck(text, source) == network.certificate


@pytest.mark.parametrize("name,scheme,options", SHORT)
def test_what_was_refused_or_differs_is_accepted(name: str, scheme: int, options: int) -> None:
    network = compiled(name, SCHEMES[scheme], TRAINING[options])
    assert network is not None
    accepted(network)


@pytest.mark.long
@pytest.mark.parametrize("options", range(len(TRAINING)))
@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_every_scheme_of_every_equation_is_accepted(scheme: Any, options: int) -> None:
    for name in EQUATIONS:
        network = compiled(name, scheme, TRAINING[options])
        if network is not None:
            accepted(network)


TABLES = [(genuine, name) for name in genuine.GENUINE] + [(genuine_cells, n) for n in genuine_cells.GENUINE]


@pytest.mark.parametrize("table,name", TABLES, ids=lambda v: v if isinstance(v, str) else "")
def test_certificates_of_verify_are_accepted(table: Any, name: str) -> None:
    text = table.text_of(name)
    assert p2n.recheck(text).to_json() == text


def test_every_kind_of_claim_and_status_is_among_them() -> None:
    statuses: dict[str, set[str]] = {}
    for table, name in TABLES:
        for claim in json.loads(table.text_of(name))["claims"]:
            statuses.setdefault(claim["name"], set()).add(claim["status"])
    for name in ("l2_stability", "nonexpansive", "maximum_principle", "energy_decay"):
        assert {"proved", "proved if", "refuted", "unknown"} <= statuses[name]
    assert {"proved", "refuted", "not applicable"} <= statuses["mean_preservation"]
    assert {"proved", "linearised", "refuted", "proved if"} <= statuses["frozen_stability"]
    assert {"proved", "proved if", "linearised", "refuted", "unknown"} <= statuses["solver_convergence"]
    for name in ("bounded_by_data", "lipschitz_in_data", "averaged"):
        assert {"proved", "proved if", "refuted", "unknown"} <= statuses[name]


GONE = (
    "the exact search for",
    "the expansion of the step to order 1",
    "the expansion of the step to order 2",
    "the derivation of",
    "the search for bounds of the diffusivity",
    "the search for poles of",
)


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("name", ["Perona-Malik", "interior exponential", "order 4", "FED"])
def test_certificates_of_slower_machines_are_accepted(
    name: str, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On which time ran out for what is found here, as they say."""
    with monkeypatch.context() as slow:
        slow.setattr(deadline, "expired", lambda what: what.startswith(gone))
        found = genuine.GENUINE[name]()
    assert all(what.startswith(gone) for what in found.ran_out)
    assert found.ran_out or gone.startswith(("the exact search", "the expansion of the step to order 2"))
    text = found.to_json()
    assert p2n.recheck(text).to_json() == text


def test_time_that_did_not_run_out_is_no_excuse() -> None:
    document = json.loads(genuine.GENUINE["Perona-Malik"]().to_json())
    assert document["ran_out"] == []
    for said in ("the derivation of l2 stability for u", "anything else"):
        with pytest.raises(p2n.RecheckError, match=r"ran_out|l2_stability"):
            p2n.recheck(json.dumps({**document, "ran_out": [said]}))


@pytest.mark.parametrize(
    "rhs",
    [
        -(sp.cos(x) / 2 + 2) * u1,
        sp.Mul(2, x + 1, evaluate=False) * 0 + laplacian(u1) - sp.Mul(3, 1 + x**2, evaluate=False) * u1,
        sp.factor(laplacian(u1) * 2 - 2 * u1),
    ],
    ids=str,
)
def test_equations_are_read_back_as_they_were_written(rhs: sp.Expr) -> None:
    """Signs and numbers before sums too, which SymPy would distribute."""
    problem = p2n.Problem(equation(laplacian(u1) + rhs, 1))
    accepted(p2n.compile(problem, p2n.Explicit(R(1, 100)), on_unstable="ignore"))


def test_sums_over_two_axes_are_accepted() -> None:
    problem = p2n.Problem(equation(div(grad(u2) / (1 + norm2(grad(u2)))) - (u2 - f(x, y)), 2), channels=2)
    accepted(p2n.compile(problem, p2n.RKL(1, R(1, 2), 3), on_unstable="ignore"))
