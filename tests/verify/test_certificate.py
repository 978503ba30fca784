"""Certificates as values: JSON and back, forgeries, text for people, and what is not imported."""

import copy
import functools
import json
import subprocess
import sys

import pytest
import sympy as sp
from support import diffusion, equation, h, lam, tau, unknown, x, y

import pde2net as p2n
from pde2net import diffusivities, div, grad, laplacian, norm2
from pde2net.verify.theorems import cycle

u1, u2 = unknown(1), unknown(2)
NAMES = {
    "l2_stability",
    "nonexpansive",
    "maximum_principle",
    "energy_decay",
    "mean_preservation",
    "well_posed",
    "frozen_stability",
    "solver_convergence",
    "consistency",
    "bounded_by_data",
    "lipschitz_in_data",
    "averaged",
}


QUARTER = sp.Rational(1, 4)


def certificate_of(problem, tau_=QUARTER, **grid):
    return p2n.verify(problem, p2n.Explicit(tau=tau_, steps=3), p2n.Grid(**grid))


CERTIFICATES = {
    "proved": lambda: certificate_of(diffusion(lambda s: 1 / (1 + s / lam**2), 2, parameters={lam: 0.1})),
    "symbolic": lambda: certificate_of(diffusion(lambda s: 1 / sp.sqrt(s + lam**2), 2), tau, spacing=h),
    "refuted": lambda: certificate_of(p2n.Problem(equation(-laplacian(u1), 1))),
    "with fields": lambda: certificate_of(
        p2n.Problem(equation(laplacian(u1) + sp.Function("f")(x) - u1, 1)), 2
    ),
    "roots": lambda: certificate_of(diffusion(lambda s: (s + 3) / (s**2 + 2)), tau),
    "exponential": lambda: certificate_of(diffusion(lambda s: s * sp.exp(-s)), tau),
    "weickert": lambda: certificate_of(diffusion(lambda s: diffusivities.weickert(s, lam)), tau),
    "unequal": lambda: certificate_of(
        p2n.Problem(equation(laplacian(u2), 2), boundary={x: "periodic", y: "dirichlet"}),
        spacing={x: h, y: sp.Symbol("lambda", positive=True)},
    ),
    "growth": lambda: certificate_of(p2n.Problem(equation(laplacian(u1) + u1, 1))),
    "parameters of any sign": lambda: certificate_of(
        p2n.Problem(equation(laplacian(u1) + sp.Symbol("k", real=True) * u1 + sp.Symbol("m") ** 2, 1)),
        tau,
    ),
    "odd names": lambda: certificate_of(
        p2n.Problem(
            equation(
                sp.Symbol("E", positive=True) * laplacian(u1) - sp.Symbol("phi_{1}", positive=True) * u1,
                1,
            )
        ),
        tau,
        spacing=sp.Symbol("pi", positive=True),
    ),
}


@functools.cache
def certificate_called(name):
    return CERTIFICATES[name]()


each = pytest.mark.parametrize("name", CERTIFICATES)


@each
def test_json_gives_an_equal_certificate_back(name):
    certificate = certificate_called(name)
    text = certificate.to_json()
    again = p2n.Certificate.from_json(text)
    assert again == certificate
    assert again.to_json() == text
    assert again.stable == certificate.stable
    for key, claim in certificate.claims.items():
        assert again.claims[key].limit == claim.limit and again.claims[key].condition == claim.condition


@each
def test_every_claim_is_there_and_says_what_it_rests_on(name):
    claims = certificate_called(name).claims
    assert set(claims) == NAMES
    for key, claim in claims.items():
        assert claim.name == key and isinstance(claim.status, p2n.Status)
        if claim.status in ("unknown", "not applicable", "refuted"):
            assert len(claim.reason) > 15 and claim.reason.endswith(".")
        if claim.status in ("proved", "proved if", "linearised"):
            assert claim.theorem and claim.assumptions
            assert claim.witness is None
        if claim.status == "proved if":
            assert claim.condition.free_symbols and claim.limit is not None
        if claim.status == "refuted":
            assert "u0" in claim.witness and claim.witness["excess"] > 0


@each
def test_text_for_people(name):
    certificate = certificate_called(name)
    text = str(certificate)
    assert "u_t = " in text and "explicit" in text
    for claim in certificate.claims.values():
        assert f"{claim.name.replace('_', ' ')}: {claim.status}" in text
    latex = certificate._repr_latex_()
    assert latex.startswith("$") and latex.endswith("$") and r"\text{l2 stability}" in latex
    assert latex.count("{") == latex.count("}")
    from rich.console import Console

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123  open for the console alone
    console.print(certificate)
    assert "l2 stability" in console.export_text()


def test_stable_is_proved_and_nothing_less():
    declaration = certificate_called("proved").declaration
    for status in p2n.Status:
        claim = p2n.Claim("l2_stability", status, witness={"u0": [1.0]})
        certificate = p2n.Certificate({}, sp.Integer(1), {"l2_stability": claim}, declaration)
        assert certificate.stable == (status == "proved")


def document():
    return json.loads(certificate_called("refuted").to_json())


def forged(change):
    data = copy.deepcopy(document())
    change(data)
    return json.dumps(data)


FORGED = {
    "empty": lambda: "",
    "no JSON": lambda: "certificate",
    "a list": lambda: "[]",
    "a number": lambda: "3",
    "a string": lambda: '"pde2net"',
    "null": lambda: "null",
    "deep": lambda: "[" * 100_000,
    "truncated": lambda: json.dumps(document())[:-20],
    "no format": lambda: forged(lambda d: d.pop("format")),
    "other format": lambda: forged(lambda d: d.update(format="pde2net-certificate-9")),
    "no claims": lambda: forged(lambda d: d.pop("claims")),
    "no claim at all": lambda: forged(lambda d: d.update(claims=[])),
    "l2 stability left out": lambda: forged(lambda d: d["claims"].pop(0)),
    "a claim twice": lambda: forged(lambda d: d["claims"].append({**d["claims"][0], "status": "proved"})),
    "claims as text": lambda: forged(lambda d: d.update(claims="proved")),
    "no symbols": lambda: forged(lambda d: d.pop("symbols")),
    "symbols as a list": lambda: forged(lambda d: d.update(symbols=["tau"], tau="tau")),
    "unknown status": lambda: forged(lambda d: d["claims"][0].update(status="certain")),
    "status of another type": lambda: forged(lambda d: d["claims"][0].update(status=1)),
    "unknown claim": lambda: forged(lambda d: d["claims"][0].update(name="l2_stabilty")),
    "unknown symbol": lambda: forged(lambda d: d["claims"][0].update(limit="k/2")),
    "a call": lambda: forged(lambda d: d["claims"][0].update(limit="__import__('os').getcwd()")),
    "an attribute": lambda: forged(lambda d: d["claims"][0].update(limit="exp.__class__")),
    "a lambda": lambda: forged(lambda d: d["claims"][0].update(limit="(lambda: 1)()")),
    "a comprehension": lambda: forged(lambda d: d["claims"][0].update(limit="[1 for _ in (1,)]")),
    "a string in an expression": lambda: forged(lambda d: d["claims"][0].update(limit="exp('1')")),
    "a huge power": lambda: forged(lambda d: d["claims"][0].update(limit="9**9**9**9")),
    "a long expression": lambda: forged(lambda d: d["claims"][0].update(limit="1+" * 20_000 + "1")),
    "a nested expression": lambda: forged(
        lambda d: d["claims"][0].update(limit="(" * 5000 + "1" + ")" * 5000)
    ),
    "minus signs": lambda: forged(lambda d: d["claims"][0].update(limit="-" * 15_000 + "1")),
    "limit of another type": lambda: forged(lambda d: d["claims"][0].update(limit=0.5)),
    "tau as a number": lambda: forged(lambda d: d.update(tau=0.5)),
    "subject as text": lambda: forged(lambda d: d.update(subject="heat")),
    "hypotheses as a number": lambda: forged(lambda d: d["claims"][0].update(hypotheses=3)),
    "a hypothesis as text": lambda: forged(lambda d: d["claims"][0].update(hypotheses=["0 <= g"])),
    "no declaration": lambda: forged(lambda d: d.pop("declaration")),
    "a declaration without a right-hand side": lambda: forged(lambda d: d["declaration"].pop("rhs")),
    "a declaration that is no diffusion": lambda: forged(lambda d: d["declaration"].update(rhs="1 + I")),
    "a range without a bound": lambda: forged(lambda d: d["ranges"][0].pop("upper")),
    "witness as text": lambda: forged(lambda d: d["claims"][0].update(witness="u0")),
    "reason as a number": lambda: forged(lambda d: d["claims"][0].update(reason=3)),
}


@pytest.mark.parametrize("name", FORGED)
def test_malformed_json_is_refused_with_one_kind_of_error(name):
    text = FORGED[name]()
    with pytest.raises(p2n.FileError) as caught:
        p2n.Certificate.from_json(text)
    assert len(str(caught.value)) < 2000


def test_a_tower_of_powers_is_refused_in_time():
    """Each step of ((2^400)^400)^400... is small, the number is not; run apart, with limits of its own.

    The limit is 60 s of processor time, 30 times that of a start, whatever else the machine does.
    """
    text = forged(lambda d: d["claims"][0].update(limit="(((((2**400)**400)**400)**400)**400)**400"))
    program = (
        "import sys, pde2net as p2n\n"
        "try:\n    p2n.Certificate.from_json(sys.stdin.read())\n"
        "except p2n.FileError:\n    sys.exit(0)\n"
        "sys.exit(1)\n"
    )
    limits = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (60, 60))\n"
    )
    done = subprocess.run([sys.executable, "-c", limits + program], input=text, text=True)
    assert done.returncode == 0


FRESH = """
import sys
import sympy as sp
import pde2net as p2n
x, t = sp.symbols("x t", real=True)
u = sp.Function("u")(x, t)
problem = p2n.Problem(sp.Eq(u.diff(t), p2n.div(p2n.grad(u) / (1 + p2n.norm2(p2n.grad(u))))))
certificate = p2n.verify(problem, p2n.Explicit(tau=0.6), p2n.Grid())
assert certificate.claims["l2_stability"].witness
p2n.Certificate.from_json(certificate.to_json())
str(certificate)
p2n.compile(problem, p2n.Explicit(tau=0.4), p2n.Grid()).source()
for heavy in ("torch", "numba", "matplotlib", "rich", "typer"):
    assert heavy not in sys.modules, heavy
"""


def test_verifying_and_writing_source_import_no_torch():
    subprocess.run([sys.executable, "-c", FRESH], check=True)


def test_equal_declarations_give_equal_certificates():
    make = lambda: certificate_of(p2n.Problem(equation(div(grad(u2) / (1 + norm2(grad(u2)))), 2)))  # noqa: E731  a formula
    assert make() == make() and make().to_json() == make().to_json()
    assert make() != certificate_of(p2n.Problem(equation(laplacian(u2), 2)))


def test_a_claim_without_a_theorem_is_unknown(monkeypatch):
    monkeypatch.delitem(cycle.CLAIMS, "energy_decay")
    claim = p2n.verify(diffusion(lambda s: 1 / (1 + s), 1), p2n.FSI(0.1, 3)).claims["energy_decay"]
    assert claim.status == "unknown" and "no theorem" in claim.reason


def test_exponentials_of_exponentials_take_no_time():
    """Numbers beyond floating point have as many digits as there is memory for: the search gives them up."""
    u = unknown(2)
    problem = p2n.Problem(equation(div(sp.exp(u**2 / 3) * grad(u)), 2))
    certificate = p2n.verify(problem, p2n.Explicit(tau=sp.Rational(1, 40), steps=2))
    assert not certificate.ran_out
    assert str(certificate.claims["l2_stability"].status) in ("unknown", "refuted")
