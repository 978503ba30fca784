"""Forged certificates are refused: every text, figure, status and flag, by every kind of bump."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import genuine
import genuine_cells
import pytest
import sympy as sp
from attack.forge import changed, forgeries
from refusing import refused
from support import diffusion, equation, unknown

import pde2net as p2n
from pde2net import deadline, div, grad, laplacian
from pde2net.verify.serialise import FORMAT

R = sp.Rational
# Each differs in what its figures rest on.
FORGED = [
    (genuine, "heat beyond the limit"),
    (genuine, "Perona-Malik"),
    (genuine, "symbolic"),
    (genuine, "denoising"),
    (genuine, "fidelity, nonlinear, beyond the limit"),
    (genuine, "proximal, not monotone"),
    (genuine, "any sign"),
    (genuine, "forward and backward"),
    (genuine, "Du Fort-Frankel, none given"),
    (genuine, "FSI beyond 2"),
    (genuine, "FED"),
    (genuine_cells, "Kacanov, symbols"),
    (genuine_cells, "Picard, odd"),
    (genuine_cells, "Crank-Nicolson, nonlinear"),
    (genuine_cells, "multigrid"),
]
FEW = 60  # of each in the gate; `make test-long` tries all


def text_of(name: str) -> str:
    return str((genuine if name in genuine.GENUINE else genuine_cells).text_of(name))


@pytest.mark.parametrize("table,name", FORGED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_forged_certificate_is_refused(monkeypatch: Any, table: Any, name: str) -> None:
    forged = list(forgeries(table.text_of(name)))
    refused(monkeypatch, random.Random(name).sample(forged, FEW))


@pytest.mark.long
@pytest.mark.parametrize("table,name", FORGED, ids=lambda v: v if isinstance(v, str) else "")
def test_all_forged_certificates_are_refused(monkeypatch: Any, table: Any, name: str) -> None:
    refused(monkeypatch, list(forgeries(table.text_of(name))))


def test_trained_certificates_are_not_forged(monkeypatch: Any) -> None:
    K = p2n.LinearOperator("K", 4, 3)
    problem = p2n.Problem(equation(-K.adjoint(K(unknown(1))), 1))
    network = p2n.compile(problem, p2n.FED(R(1, 50), 3, 2), trainable=[K], keep_stable=True, shared=False)
    text = network.certificate.to_json()
    refused(monkeypatch, random.Random(0).sample(list(forgeries(text)), FEW))
    document = json.loads(text)
    edits = [
        (("training", "kept"), [*document["training"]["kept"], "well_posed"]),
        (("training", "kept"), []),
        (("training", "keep_stable"), False),
        (("training", "shared"), True),
        (("training", "owner"), "block"),
        (("training", "trainable"), ["K", "factors"]),
        (("training", "trainable"), []),
        (("declaration", "operators"), {"K": [9, 3]}),
    ]
    refused(monkeypatch, [(str(edit), json.dumps(changed(document, *edit))) for edit in edits])


# -- by hand ------------------------------------------------------------------------------------------


def test_a_step_just_beyond_the_limit_is_not_proved() -> None:
    """Not even if the text says so throughout."""
    for beyond in ("1/10**10", "1/10**80"):
        certificate = p2n.verify(diffusion(lambda s: 1 / (1 + s), 2), p2n.Explicit(R(1, 4)))
        past = str(R(1, 4) + sp.sympify(beyond))
        document = json.loads(certificate.to_json())
        document["tau"] = document["declaration"]["scheme"]["tau"] = past
        document["subject"]["scheme"] = document["subject"]["scheme"].replace("1/4", past)
        with pytest.raises(p2n.RecheckError):
            p2n.recheck(json.dumps(document))


def test_figures_that_are_equal_are_accepted_in_another_form() -> None:
    document = json.loads(text_of("symbolic"))
    assert document["claims"][0]["limit"] == "h**2/4"
    for same in ("h*h/4", "(h**2 + h)/4 - h/4", "h**3/(4*h)", "(h/2)**2"):
        p2n.recheck(json.dumps(changed(document, ("claims", 0, "limit"), same)))


def test_ranges_of_another_problem_are_refused(monkeypatch: Any) -> None:
    """Their rows, in place of one's own and beside them; the claims that would follow."""
    document = json.loads(text_of("forward and backward"))
    forged = []
    for name in ("Perona-Malik",):
        other = json.loads(text_of(name))
        symbols = {**document["symbols"], **other["symbols"]}
        for ranges in (other["ranges"], [*document["ranges"], *other["ranges"]]):
            forged.append((name, json.dumps({**document, "symbols": symbols, "ranges": ranges})))
        own = [
            {**mine, **{k: v for k, v in row.items() if k not in ("function", "quantity")}}
            for mine, row in zip(document["ranges"], other["ranges"], strict=False)
        ]
        forged.append((name, json.dumps({**document, "symbols": symbols, "ranges": own})))
        claims = {**document, "symbols": symbols, "claims": other["claims"]}
        forged += [(name, json.dumps(claims)), (name, json.dumps({**claims, "ranges": own}))]
    refused(monkeypatch, forged)


BORROWED = [
    ("Kacanov in 2D", "Kacanov", "energy_decay"),
    ("preconditioned", "Kacanov in 2D", "l2_stability"),
    ("Picard beyond", "Crank-Nicolson", "l2_stability"),
    ("Newton", "Kacanov", "energy_decay"),
    ("accelerated", "Picard, nonlinear", "l2_stability"),
    ("Kacanov in 2D", "AOS", "maximum_principle"),
    ("Kacanov", "Crank-Nicolson", "nonexpansive"),
    ("growth", "heat", "l2_stability"),
    ("open border", "Perona-Malik", "mean_preservation"),
    ("FSI, each step", "FSI", "l2_stability"),
    ("any sign", "damping", "frozen_stability"),
    ("fidelity, nonlinear, beyond the limit", "fidelity, nonlinear", "bounded_by_data"),
    ("fidelity, not monotone, beyond the limit", "fidelity, not monotone", "lipschitz_in_data"),
    ("fidelity, not monotone", "proximal, not monotone", "lipschitz_in_data"),
    ("fidelity, not monotone", "fidelity, nonlinear", "averaged"),
]


@pytest.mark.parametrize("name,other,claim", BORROWED)
def test_a_claim_of_another_certificate_is_refused(
    monkeypatch: Any, name: str, other: str, claim: str
) -> None:
    document, lender = json.loads(text_of(name)), json.loads(text_of(other))
    at = [row["name"] for row in document["claims"]].index(claim)
    assert document["claims"][at] != lender["claims"][at]
    forged = changed(document, ("claims", at), lender["claims"][at])
    symbols = {**document["symbols"], **lender["symbols"]}
    refused(monkeypatch, [(name, json.dumps(forged)), (name, json.dumps({**forged, "symbols": symbols}))])


INHERITED = [
    ("FSI", "freeze", "step"),
    ("FSI beyond 2", "cycle_length", 25),
    ("RKL 1", "stages", 3),
    ("RKL 1", "order", 2),
    ("Du Fort-Frankel", "alpha", "4/5"),
    ("Du Fort-Frankel, none given", "alpha", "1"),
    ("FED", "name", "FSI"),
    ("fidelity, nonlinear", "fidelity", "implicit"),
    ("proximal, not monotone", "fidelity", "explicit"),
    ("Kacanov", "steps", 2),
    ("multigrid", "smoother", "red-black"),
    ("multigrid", "pre", 2),
]


@pytest.mark.parametrize("name,key,value", INHERITED)
def test_another_scheme_does_not_inherit_a_proof(name: str, key: str, value: Any) -> None:
    """Nor if the line of the subject is changed with it."""
    document = json.loads(text_of(name))
    before = document["declaration"]["scheme"][key]
    edited = changed(document, ("declaration", "scheme", key), value)
    line = document["subject"]["scheme"]
    for old, new in ((f"{key} = {before}", f"{key} = {value}"), (f" {before} ", f" {value} "), ("", "")):
        with pytest.raises(p2n.Pde2NetError):
            p2n.recheck(json.dumps(changed(edited, ("subject", "scheme"), line.replace(old, new))))


def test_witnesses_hold_nothing_that_was_not_run(monkeypatch: Any) -> None:
    document = json.loads(text_of("heat beyond the limit"))
    row = next(i for i, c in enumerate(document["claims"]) if c["name"] == "l2_stability")
    witness = document["claims"][row]["witness"]
    edits = {
        "u0": [2 * v for v in witness["u0"][:-1]] + [0.0],
        "excess": witness["excess"] * (1 + 1e-9),
        "description": witness["description"].replace("cells", "cell"),
        "parameters": {"lambda": "1"},
        "fields": {"f": witness["u0"]},
        "v0": witness["u0"],
        "more": 1,
    }
    refused(
        monkeypatch,
        [
            (key, json.dumps(changed(document, ("claims", row, "witness", key), v)))
            for key, v in edits.items()
        ],
    )
    for bad in ("NaN", "Infinity", "-Infinity", '"nan"', '"1"', "true", "null", "[1]", "1e400"):
        text = json.dumps(changed(document, ("claims", row, "witness", "u0", 0), "BAD"))
        with pytest.raises(p2n.Pde2NetError):
            p2n.recheck(text.replace('"BAD"', bad))


def test_growth_by_rounding_refutes_nothing() -> None:
    """A witness for a claim that would be refuted by it, had it grown."""
    document = json.loads(text_of("heat beyond the limit"))
    for claim in document["claims"]:
        if claim["name"] in ("l2_stability", "bounded_by_data"):  # the same without a data term
            size = len(claim["witness"]["u0"])
            claim["witness"] = {
                "u0": [1e-30] * size,
                "excess": 1e-16,
                "description": f"optimised input on {size} cells: norm grows by 1e-16",
            }
    with pytest.raises(p2n.RecheckError, match="does not violate"):
        p2n.recheck(json.dumps(document))


def test_a_claim_may_be_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown for want of time or of a counterexample says nothing that is false."""
    declared = p2n.Certificate.from_json(text_of("Perona-Malik")).declaration
    with monkeypatch.context() as slow:
        slow.setattr(deadline, "expired", lambda what: what.startswith("the derivation of energy decay"))
        found = p2n.verify(declared.problem, declared.scheme, declared.grid)
    document = json.loads(found.to_json())
    claim = document["claims"][3]
    assert claim["status"] == "unknown" and claim["reason"].endswith("took too long.")
    assert p2n.recheck(json.dumps(document)).claims["energy_decay"].status == "unknown"
    edits = (
        (("claims", 3, "limit"), "1/4"),
        (("claims", 3, "reason"), claim["reason"] + " It holds."),
        (("claims", 3, "because", 0, "why"), "it holds"),
        (("ran_out",), []),
    )
    for path, value in edits:
        with pytest.raises(p2n.Pde2NetError):
            p2n.recheck(json.dumps(changed(document, path, value)))


# -- sources and versions -----------------------------------------------------------------------------


def test_a_certificate_is_bound_to_its_source() -> None:
    problem, scheme = p2n.Problem(equation(laplacian(unknown(1)), 1)), p2n.Explicit(R(1, 5), 2)
    network = p2n.compile(problem, scheme)
    text, source = network.certificate.to_json(), network.source()
    assert p2n.recheck(text, source=source) == network.certificate
    assert network.certificate.source == hashlib.sha256(source.encode()).hexdigest()
    assert network.source() == source and network.certificate.source not in source
    assert p2n.recheck(p2n.verify(problem, scheme).to_json(), source).source is None
    edited = source.replace("0.2", "0.6")
    assert edited != source
    other = p2n.compile(problem, p2n.Explicit(R(1, 5), 3)).source()
    for wrong in (edited, other, source + "\n", "", source.replace("proved", "proven")):
        with pytest.raises(p2n.RecheckError, match="source"):
            p2n.recheck(text, source=wrong)
    with pytest.raises(p2n.FileError, match="text of a module"):
        p2n.recheck(text, source=Path("net.py"))  # type: ignore[arg-type]
    longer = json.loads(p2n.compile(problem, p2n.Explicit(R(1, 5), 3)).certificate.to_json())
    with pytest.raises(p2n.RecheckError, match="SHA-256"):
        p2n.recheck(json.dumps({**json.loads(text), "source": longer["source"]}))


def test_a_network_without_numbers_has_no_digest() -> None:
    k, step = sp.symbols("k tau", positive=True)
    network = p2n.compile(p2n.Problem(equation(div(k * grad(unknown(1))), 1)), p2n.Explicit(step))
    assert network.certificate.source is None
    with pytest.raises(p2n.RecheckError, match="has no source"):
        p2n.recheck(network.certificate.to_json(), source="import torch\n")


def test_saving_writes_both(tmp_path: Any) -> None:
    network = p2n.compile(p2n.Problem(equation(laplacian(unknown(1)), 1)), p2n.Explicit(R(1, 5)))
    network.save(tmp_path / "net.py", tmp_path / "net.json")
    read = [(tmp_path / name).read_text() for name in ("net.json", "net.py")]
    assert p2n.recheck(*read) == network.certificate


def test_other_versions_are_refused_by_name() -> None:
    text = text_of("Perona-Malik")
    for version in ("pde2net-certificate-4", "pde2net-certificate-99"):
        with pytest.raises(p2n.FileError, match=f"This is a {version}; .* verify again"):
            p2n.recheck(text.replace(FORMAT, version))
    with pytest.raises(p2n.FileError, match="not a certificate"):
        p2n.recheck(text.replace(FORMAT, "pde2net-graph-1"))
