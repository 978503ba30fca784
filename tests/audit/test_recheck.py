"""Genuine certificates are confirmed; one in which a figure was edited is not."""

import ast
import inspect
import json
from pathlib import Path

import pytest
import sympy as sp
from edits import changed, figures, rejected
from genuine import GENUINE, text_of
from support import diffusion

import pde2net as p2n
from pde2net import audit


@pytest.mark.parametrize("name", GENUINE)
def test_genuine_certificates_are_confirmed(name):
    text = text_of(name)
    assert p2n.recheck(text).to_json() == p2n.Certificate.from_json(text).to_json()


def test_every_kind_of_claim_and_status_is_among_them():
    statuses = {}
    for name in GENUINE:
        for claim in json.loads(text_of(name))["claims"]:
            statuses.setdefault(claim["name"], set()).add(claim["status"])
    assert {"proved", "proved if", "refuted"} <= statuses["l2_stability"] & statuses["nonexpansive"]
    assert {"proved", "proved if", "refuted"} <= statuses["maximum_principle"] & statuses["energy_decay"]
    assert {"proved", "refuted", "not applicable"} <= statuses["mean_preservation"]
    assert {"linearised", "refuted", "proved if"} <= statuses["frozen_stability"]


# Each differs in what its figures rest on; evenly spread over all of their figures.
WALKED = {
    "heat beyond the limit": 24,
    "Perona-Malik": 18,
    "valued": 12,
    "Weickert": 12,
    "kinks": 12,
    "fourth order, open": 18,
    "denoising": 12,
    "growth": 12,
    "unbounded reaction": 12,
    "open border": 18,
    "backward": 12,
    "largest step with a source": 12,
    "Du Fort-Frankel": 18,
    "Du Fort-Frankel, small alpha": 15,
    "Du Fort-Frankel, none given": 12,
    "FSI beyond 2": 18,
    "FED": 15,
    "RKL 2": 15,
}


@pytest.mark.parametrize("name", WALKED)
def test_an_edited_figure_is_rejected(name):
    """Numbers anywhere in the JSON, one at a time: evenly spread ones of each certificate."""
    document = json.loads(text_of(name))
    edits = [
        (path, value) for path, value in figures(document) if path[:3] != ("declaration", "grid", "origin")
    ]
    step = max(1, len(edits) // WALKED[name])
    for path, value in edits[::step]:
        rejected(changed(document, path, value), (path, value))


UPGRADES = [
    ("heat beyond the limit", "l2_stability"),
    ("heat beyond the limit", "maximum_principle"),
    ("heat beyond the limit", "energy_decay"),
    ("Perona-Malik", "nonexpansive"),
    ("backward", "energy_decay"),
    ("backward", "frozen_stability"),
    ("open border", "mean_preservation"),
    ("growth", "frozen_stability"),
    ("growth", "l2_stability"),
    ("unbounded reaction", "well_posed"),
    ("inpainting", "l2_stability"),
    ("heat", "l2_stability"),
    ("valued", "energy_decay"),
    ("heat", "solver_convergence"),
    ("Du Fort-Frankel, long step", "l2_stability"),
    ("Du Fort-Frankel, long step", "maximum_principle"),
    ("Du Fort-Frankel, small alpha", "frozen_stability"),
    ("Du Fort-Frankel, growth", "frozen_stability"),
    ("FSI, each step", "l2_stability"),
    ("FSI, each step", "nonexpansive"),
    ("FSI beyond the limit", "l2_stability"),
    ("FSI beyond the limit", "frozen_stability"),
    ("FSI", "well_posed"),
    ("FSI", "maximum_principle"),
    ("FSI", "energy_decay"),
    ("RKL 1, nonlinear", "l2_stability"),
    ("RKL 2, growth", "frozen_stability"),
    ("RKL 2 beyond the limit", "energy_decay"),
]


@pytest.mark.parametrize("name,claim", UPGRADES)
@pytest.mark.parametrize("bare", [False, True])
def test_a_better_status_is_rejected(name, claim, bare):
    document = json.loads(text_of(name))
    row = next(r for r in document["claims"] if r["name"] == claim)
    row["status"] = "proved"
    if bare:  # and nothing that speaks against it
        row.update(witness=None, condition="True", limit="oo")
    rejected(document)


@pytest.mark.parametrize("name", ["Perona-Malik", "growth", "Du Fort-Frankel", "FSI beyond 2"])
def test_proofs_with_other_parts_are_rejected(name):
    """Hypotheses left out, renamed, doubled, in another order, assumed; theorems swapped; flags turned."""
    document = json.loads(text_of(name))
    for i, claim in enumerate(document["claims"]):
        listed = claim["hypotheses"]
        titles = {c["theorem"] for c in document["claims"]} - {claim["theorem"], ""}
        if claim["theorem"] and claim["name"] != "consistency":
            rejected(changed(document, ("claims", i, "theorem"), sorted(titles)[0]))
        if not listed or claim["name"] == "consistency":
            continue
        for other in (listed[1:], listed[:-1], listed[::-1], [*listed, listed[0]], []):
            if other != listed:
                rejected(changed(document, ("claims", i, "hypotheses"), other))
        for key, value in (
            ("name", "smoothness"),
            ("how", "given"),
            ("how", "declared"),
            ("statement", "true"),
        ):
            rejected(changed(document, ("claims", i, "hypotheses", 0, key), value))
        for j, hypothesis in enumerate(listed):
            if hypothesis["figures"]:
                rejected(changed(document, ("claims", i, "hypotheses", j, "figures"), {}))
    for i, row in enumerate(document["ranges"]):
        rejected(changed(document, ("ranges", i, "quantity"), "f" if row["quantity"] != "f" else "g"))
        rejected(changed(document, ("ranges", i, "lower_tight"), False))
        rejected(changed(document, ("ranges", i, "method"), "ball arithmetic (Arb)"))
    rejected(changed(document, ("ranges",), []))


def test_witnesses_hold_nothing_that_was_not_run():
    document = json.loads(text_of("heat beyond the limit"))
    row = next(i for i, c in enumerate(document["claims"]) if c["name"] == "l2_stability")
    witness = document["claims"][row]["witness"]
    for key, value in {
        "u0": [2 * v for v in witness["u0"][:-1]] + [0.0],
        "excess": witness["excess"] * (1 + 1e-9),
        "description": witness["description"].replace("cells", "cell"),
        "parameters": {"lambda": "1"},
        "fields": {"f": witness["u0"]},
        "v0": witness["u0"],
        "more": 1,
    }.items():
        rejected(changed(document, ("claims", row, "witness", key), value), key)
    for bad in ("NaN", "Infinity", "-Infinity", '"nan"', '"1"', "true", "null", "[1]", "1e400"):
        text = json.dumps(changed(document, ("claims", row, "witness", "u0", 0), "BAD"))
        with pytest.raises(p2n.Pde2NetError):
            p2n.recheck(text.replace('"BAD"', bad))


def test_growth_by_rounding_refutes_nothing():
    document = json.loads(text_of("open border"))
    claim = document["claims"][0]
    n = 3
    witness = {
        "u0": [1e-30] * n,
        "excess": 1e-16,
        "description": f"optimised input on {n} cells: norm grows by 1e-16",
    }
    claim.update(status="refuted", witness=witness, hypotheses=[], condition=None, limit=None, factor=None)
    rejected(document)


# -- figures that are nearly right -------------------------------------------------------------


@pytest.mark.parametrize("beyond", ["1/10**10", "1/10**40"])
def test_a_step_just_beyond_the_limit_is_not_proved(beyond):
    """Not even if the text says so throughout."""
    at_limit = p2n.verify(diffusion(lambda s: 1 / (1 + s), 2), p2n.Explicit(sp.Rational(1, 4)), p2n.Grid())
    past = sp.Rational(1, 4) + sp.sympify(beyond)
    document = json.loads(at_limit.to_json())
    text = str(past)
    document["tau"] = document["declaration"]["scheme"]["tau"] = text
    document["subject"]["scheme"] = document["subject"]["scheme"].replace("1/4", text)
    rejected(document)


def test_a_range_that_is_nearly_right_is_rejected():
    document = json.loads(text_of("forward and backward"))
    for i, row in enumerate(document["ranges"]):
        for end in ("lower", "upper"):
            rejected(changed(document, ("ranges", i, end), f"({row[end]})*(1 + 1/10**10)"))
            rejected(changed(document, ("ranges", i, end), "0"))


def test_a_slightly_negative_diffusivity_is_not_nonnegative():
    g = lambda s: 1 / (1 + s) - sp.Rational(1, 10**10)  # noqa: E731  a formula
    document = json.loads(p2n.verify(diffusion(g), p2n.Explicit(0.1), p2n.Grid()).to_json())
    assert document["claims"][0]["status"] != "proved"
    good = json.loads(p2n.verify(diffusion(lambda s: 1 / (1 + s)), p2n.Explicit(0.1), p2n.Grid()).to_json())
    good["declaration"]["rhs"], good["subject"]["equation"] = (
        document["declaration"]["rhs"],
        document["subject"]["equation"],
    )
    good["ranges"] = document["ranges"]
    rejected(good)


@pytest.mark.parametrize(
    "wrong", ["h**2/4 + 0*h", "h**2/4 + (h - 12/7)*(h - 19/8)*h", "Piecewise((h, Eq(h, 3)), (h**2/4, True))"]
)
def test_formulas_that_agree_at_some_numbers_are_rejected(wrong):
    """The numbers at which formulas are compared cannot be foreseen."""
    document = json.loads(text_of("symbolic"))
    assert document["claims"][0]["limit"] == "h**2/4"
    edited = changed(document, ("claims", 0, "limit"), wrong)
    if "0*h" in wrong:  # the same formula, otherwise written
        p2n.recheck(json.dumps(edited))
    else:
        rejected(edited)


def test_another_scheme_does_not_inherit_a_proof():
    """Diffusivities of each step for kept ones, longer cycles, a larger order, a smaller alpha."""
    for name, key, value in (
        ("FSI", "freeze", "step"),
        ("FSI beyond 2", "cycle_length", 25),
        ("RKL 1", "stages", 3),
        ("RKL 1", "order", 2),
        ("Du Fort-Frankel", "alpha", "4/5"),
        ("Du Fort-Frankel, none given", "alpha", "1"),
        ("FED", "name", "FSI"),
    ):
        document = json.loads(text_of(name))
        before = document["declaration"]["scheme"][key]
        edited = changed(document, ("declaration", "scheme", key), value)
        rejected(edited, (name, key))
        line = document["subject"]["scheme"]
        for old, new in ((f"{key} = {before}", f"{key} = {value}"), (f" {before} ", f" {value} ")):
            rejected(changed(edited, ("subject", "scheme"), line.replace(old, new)), (name, key))


def test_z_may_not_be_a_little_larger():
    """The largest Z of 12 decimals, 1e-12 more, and a smaller one with the limit that follows."""
    document = json.loads(text_of("FSI beyond 2"))
    text = json.dumps(document)
    z = document["claims"][0]["hypotheses"][-2]["figures"]["Z"]
    limit = document["claims"][0]["limit"]
    for shift in (sp.Rational(1, 10**12), -sp.Rational(1, 10**12), sp.Rational(1, 10**13)):
        other = sp.sympify(z) + shift
        rejected(json.loads(text.replace(z, str(other)).replace(limit, str(other / 4))), shift)


def test_signs_that_are_not_declared_are_not_assumed():
    """u_t = u_xx + k u with a real k: damping only for one sign."""
    document = json.loads(text_of("any sign"))
    damped = json.loads(text_of("damping").replace("kappa", "k"))
    for i in (0, 1, 2, 6):
        rejected(changed(document, ("claims", i), damped["claims"][i]))


def test_keys_and_symbols_occur_once():
    text = text_of("Perona-Malik")
    for twice in ('"tau": "1/5",', '"ranges": [],', '"format": "pde2net-certificate-1",'):
        with pytest.raises(p2n.Pde2NetError):
            p2n.recheck(text.replace("{", "{" + twice, 1))
    document = json.loads(text)
    rejected(changed(document, ("symbols", "lambda"), ["real"]))
    rejected(changed(document, ("symbols", "more"), ["real"]))
    rejected({**document, "note": "checked"})
    rejected(changed(document, ("declaration", "scheme", "tau"), "-1/5"))
    rejected(changed(document, ("declaration", "scheme", "steps"), 10**9))


def test_the_first_verifier_is_not_called():
    """No module of the audit imports the theorems, the engine or the compiler."""
    for file in Path(inspect.getfile(audit)).parent.glob("*.py"):
        imports = [
            n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)
        ]
        names = {getattr(n, "module", None) or n.names[0].name for n in imports}
        banned = (
            "compiler",
            "verify.theorem",
            "verify.engine",
            "verify.facts",
            "verify.explicit",
            "verify.consistency",
            "verify.stages",
            "verify.polynomial",
            "verify.cycle",
            "verify.du_fort_frankel",
        )
        assert not [n for n in names if n and any(b in n for b in banned)], file.name


@pytest.mark.parametrize("far", ["k/1000000000", "1/(1000000000*k**2)"])
def test_cases_that_hold_for_none_of_the_numbers_tried_are_refused(far):
    """Max(1/(2 k), k/10^9) is the limit for k < 22 000 and too large beyond, where nobody draws numbers."""
    k, tau = sp.symbols("k tau", positive=True)
    text = p2n.verify(diffusion(lambda s: k, dim=1), p2n.Explicit(tau, 1)).to_json()
    assert "1/(2*k)" in text
    p2n.recheck(text)
    with pytest.raises(p2n.RecheckError, match="holds for none of the numbers"):
        p2n.recheck(text.replace("1/(2*k)", f"Max(1/(2*k), {far})"))
