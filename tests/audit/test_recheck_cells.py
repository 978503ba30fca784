"""Certificates of implicit schemes, AOS and multigrid: genuine ones are confirmed, edited ones are not."""

import json

import pytest
from edits import changed, figures, rejected
from genuine_cells import GENUINE, text_of

import pde2net as p2n

# Slow ones that differ little from others.
LONG = {
    "Kacanov in 2D",
    "Kacanov, exponential",
    "AOS",
    "Newton",
    "Newton in 2D",
    "open",
    "accelerated",
    "Crank-Nicolson, nonlinear",
    "one Picard iteration",
    "multigrid in 2D",
}


def marked(names):
    return [pytest.param(n, marks=pytest.mark.long) if n in LONG else n for n in names]


@pytest.mark.parametrize("name", marked(GENUINE))
def test_genuine_certificates_are_confirmed(name):
    text = text_of(name)
    assert p2n.recheck(text).to_json() == p2n.Certificate.from_json(text).to_json()


def test_every_kind_of_status_is_among_them():
    statuses = {}
    for name in GENUINE.keys() - LONG | {"Kacanov in 2D"}:
        for claim in json.loads(text_of(name))["claims"]:
            statuses.setdefault(claim["name"], set()).add(claim["status"])
    assert {"proved", "proved if", "refuted", "unknown", "not applicable"} <= statuses["l2_stability"]
    assert {"proved", "proved if", "linearised", "refuted", "unknown"} <= statuses["solver_convergence"]
    assert {"proved", "linearised", "refuted"} <= statuses["frozen_stability"]
    assert {"proved", "refuted"} <= statuses["maximum_principle"] & statuses["energy_decay"]


# Options that change nothing where systems are solved exactly and the number of iterations is fixed.
UNUSED = ("linear_tol", "linear_iterations", "max_iterations")
WALKED = {
    "Kacanov": 5,
    "Picard, odd": 8,
    "Picard beyond": 8,
    "Crank-Nicolson, nonlinear": 6,
    "fidelity": 6,
    "multigrid": 6,
    "multigrid diverging": 6,
}


@pytest.mark.parametrize("name", marked(WALKED))
def test_an_edited_figure_is_rejected(name):
    document = json.loads(text_of(name))
    edits = [(p, v) for p, v in figures(document) if p[:3] != ("declaration", "grid", "origin")]
    edits = [(p, v) for p, v in edits if not (isinstance(v, float) and abs(v + 1) < 1e-9)]  # -1 stays -1
    edits = [(p, v) for p, v in edits if p[-1] not in UNUSED]
    for path, value in edits[:: max(1, len(edits) // WALKED[name])]:
        rejected(changed(document, path, value), (path, value))


UPGRADES = [
    ("Kacanov", "nonexpansive"),
    ("Kacanov", "solver_convergence"),
    ("Kacanov in 2D", "maximum_principle"),
    ("Kacanov in 2D", "nonexpansive"),
    ("preconditioned", "l2_stability"),
    ("preconditioned by multigrid", "well_posed"),
    ("fidelity in 2D", "frozen_stability"),
    ("fidelity", "l2_stability"),
    ("lagged reaction", "l2_stability"),
    ("growth", "frozen_stability"),
    ("Picard beyond", "l2_stability"),
    ("Picard beyond", "solver_convergence"),
    ("Picard at its limit", "solver_convergence"),
    ("Picard, nonlinear", "nonexpansive"),
    ("accelerated", "solver_convergence"),
    ("accelerated", "l2_stability"),
    ("Newton", "l2_stability"),
    ("Newton", "frozen_stability"),
    ("theta beyond", "l2_stability"),
    ("AOS", "energy_decay"),
    ("multigrid", "l2_stability"),
    ("multigrid", "solver_convergence"),
    ("multigrid diverging", "frozen_stability"),
]


@pytest.mark.parametrize("name,claim", UPGRADES)
def test_a_better_status_is_rejected(name, claim):
    document = json.loads(text_of(name))
    row = next(r for r in document["claims"] if r["name"] == claim)
    row["status"] = "proved"
    rejected(document)
    row.update(witness=None, condition="True", limit="oo")  # and nothing that speaks against it
    rejected(document)


BORROWED = [
    ("Kacanov in 2D", "Kacanov", "energy_decay"),
    ("preconditioned", "Kacanov in 2D", "l2_stability"),
    ("preconditioned by multigrid", "Kacanov in 2D", "l2_stability"),
    ("Picard beyond", "Crank-Nicolson", "l2_stability"),
    ("Newton", "Kacanov", "energy_decay"),
    ("accelerated", "Picard, nonlinear", "l2_stability"),
    ("Kacanov in 2D", "AOS", "maximum_principle"),
    ("multigrid diverging", "multigrid", "solver_convergence"),
    ("Picard, nonlinear", "Kacanov", "consistency"),
    ("Kacanov", "Crank-Nicolson", "nonexpansive"),
]


@pytest.mark.parametrize("name,other,claim", BORROWED)
def test_a_claim_of_another_certificate_is_rejected(name, other, claim):
    document, lender = json.loads(text_of(name)), json.loads(text_of(other))
    at = [r["name"] for r in document["claims"]].index(claim)
    rejected(changed(document, ("claims", at), lender["claims"][at]))


@pytest.mark.parametrize("name", ["Picard, nonlinear", "fidelity"])
def test_proofs_with_other_parts_are_rejected(name):
    document = json.loads(text_of(name))
    for i, claim in enumerate(document["claims"]):
        listed = claim["hypotheses"]
        for other in (listed[1:], listed[:-1], [*listed, *listed[:1]]) if listed else ():
            if claim["name"] != "consistency" or (other == listed[:-1] and name == "Picard, nonlinear"):
                rejected(changed(document, ("claims", i, "hypotheses"), other), claim["name"])
        if listed and claim["name"] != "consistency":
            for key, value in (("how", "given"), ("statement", "true"), ("name", "smoothness")):
                rejected(changed(document, ("claims", i, "hypotheses", 0, key), value))


@pytest.mark.parametrize("name", ["Kacanov", "Kacanov in 2D", "Picard beyond", "multigrid"])
def test_the_scheme_cannot_be_exchanged(name):
    document = json.loads(text_of(name))
    scheme = document["declaration"]["scheme"]
    edits = [("steps", 2)]
    edits += [(("solver", "iterations"), 7)] if (scheme.get("solver") or {}).get("iterations") else []
    edits += [("smoother", "red-black"), ("pre", 2)] if name == "multigrid" else []
    for key, value in edits:
        path = ("declaration", "scheme", *(key if isinstance(key, tuple) else (key,)))
        rejected(changed(document, path, value), (name, key))
