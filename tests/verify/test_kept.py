"""keep_stable: what is proved for all values of the parameters, what is kept of it, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sympy as sp
import torch
from support import beta, diffusion, eps, equation, lam, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.verify.certificate import Status

R = sp.Rational
K = p2n.LinearOperator("K", 4, 3)
NORM = sp.Symbol("normK", positive=True)
u = unknown(2)
f = sp.Function("f")(x, y)
STEP = p2n.Explicit(tau=R(1, 10), steps=3)
LARGEST = p2n.Explicit(tau=None, steps=3)
PERONA_MALIK = diffusion(lambda s2: 1 / (1 + s2 / lam**2), 2, parameters={lam: R(1, 5)})
TV = diffusion(lambda s2: 1 / sp.sqrt(s2 + eps**2), 2, parameters={eps: R(1, 2)})


def learned(rhs: sp.Expr | None = None, **options: Any) -> p2n.Problem:
    default = -K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2))
    return p2n.Problem(
        equation(default if rhs is None else rhs, 2), **{"parameters": {lam: R(1, 5)}, **options}
    )


def kept(problem: p2n.Problem, scheme: Any, trainable: Any, shared: bool = True) -> p2n.Network:
    return p2n.compile(
        problem,
        scheme,
        p2n.Grid(),
        trainable=trainable,
        shared=shared,
        keep_stable=True,
        on_unstable="ignore",
    )


def test_with_unknown_weights_the_norm_is_a_symbol() -> None:
    claims = p2n.verify(learned(), STEP).claims
    assert claims["l2_stability"].status == Status.PROVED_IF
    assert claims["l2_stability"].condition == sp.Le(R(1, 10), 2 / NORM**2)
    assert claims["energy_decay"].condition == sp.Le(R(1, 10), 2 / NORM**2)
    assert claims["nonexpansive"].status == Status.UNKNOWN
    for name in ("maximum_principle", "mean_preservation"):
        assert claims[name].status == Status.UNKNOWN and "earned filters" in claims[name].reason
    assert claims["consistency"].status == Status.NOT_APPLICABLE
    convex = p2n.verify(learned(-3 * K.adjoint(K(u) / sp.sqrt(1 + K(u) ** 2)), parameters={}), STEP).claims
    assert convex["nonexpansive"].condition == sp.Le(R(1, 10), 2 / (3 * NORM**2))
    both = p2n.verify(learned(laplacian(u) - K.adjoint(K(u)) - u / 2, parameters={}), LARGEST)
    assert sp.simplify(both.claims["l2_stability"].limit - 2 / (NORM**2 + R(17, 2))) == 0


def test_keeping_it_proves_it() -> None:
    for scheme in (STEP, LARGEST):
        certificate = kept(learned(), scheme, [K, lam]).certificate
        assert certificate.stable and certificate.training is not None
        kept_claims = ("l2_stability", "energy_decay", "frozen_stability", "bounded_by_data")
        assert certificate.training.kept == kept_claims
        own = kept(learned(), scheme, [K, lam], shared=False).certificate
        assert own.stable and own.claims["energy_decay"].status == Status.UNKNOWN
        assert "each block its own; for all their values: l2 stability" in own.subject["training"]


def test_a_plus_sign_is_backward_diffusion() -> None:
    backward = learned(K.adjoint(K(u) / (1 + K(u) ** 2 / lam**2)))
    assert p2n.verify(backward, STEP).claims["l2_stability"].status == Status.UNKNOWN
    with pytest.raises(p2n.DeclarationError, match="backward diffusion"):
        kept(backward, STEP, [K])
    with pytest.raises(p2n.StabilityError, match="backward diffusion"):
        kept(backward, LARGEST, [K])


@pytest.mark.parametrize(
    ("problem", "scheme", "trainable", "words"),
    [
        (PERONA_MALIK, p2n.Implicit(tau=1), [lam], "do not have"),
        (PERONA_MALIK, p2n.FSI(tau=None, cycle_length=3), ["extrapolation"], "weights of the scheme"),
        (PERONA_MALIK, p2n.Explicit(tau=R(3, 10)), ["tau"], "to start from is larger"),
        (PERONA_MALIK, p2n.Explicit(tau=sp.Symbol("s", positive=True)), [lam], "needs a number"),
        (TV, p2n.DuFortFrankel(tau=R(1, 100), alpha=9), [eps], "alpha=None takes"),
        (
            diffusion(lambda s2: 1 / (1 + sp.Symbol("a") ** 2 * s2), 2, parameters={"a": 1}),
            p2n.Explicit(tau=R(1, 5)),
            ["a"],
            "for the value of a alone",
        ),
        (learned(), STEP, ["K", "M"], 'no parameter "M"'),
        (learned(-K.adjoint(sp.Max(K(u), 0)), parameters={}), STEP, [K], "no condition is proved"),
        (
            learned(laplacian(u) - K.adjoint(K(u)), parameters={}),
            p2n.Explicit(tau=R(1, 3)),
            [K],
            "limit is 1/4 already",
        ),
        (
            learned(beta * laplacian(u) - K.adjoint(K(u)), parameters={beta: 1}),
            p2n.Explicit(tau=R(1, 10)),
            [K, beta],
            "changes in training",
        ),
        (
            diffusion(lambda s2: sp.Symbol("c", nonnegative=True), 2, parameters={"c": 0}),
            p2n.Explicit(tau=R(1, 5)),
            ["c"],
            "cannot start at 0|nothing to keep",
        ),
        (p2n.Problem(equation(laplacian(u) + u / 2, 2)), STEP, ["tau"], "at most"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_words(
    problem: p2n.Problem, scheme: Any, trainable: Any, words: str
) -> None:
    with pytest.raises(p2n.DeclarationError, match=words):
        kept(problem, scheme, trainable)


def test_options_are_checked() -> None:
    with pytest.raises(p2n.DeclarationError, match="True or False"):
        p2n.compile(PERONA_MALIK, STEP, keep_stable=1)
    with pytest.raises(p2n.DeclarationError, match="keep_stable=True does"):
        p2n.compile(learned(), LARGEST)
    with pytest.raises(p2n.DeclarationError, match='no parameter "K"'):
        p2n.compile(PERONA_MALIK, STEP, trainable=[K])


@pytest.mark.parametrize(
    ("problem", "scheme", "trainable"),
    [
        (PERONA_MALIK, p2n.Explicit(tau=R(1, 4), steps=3), [lam, "tau"]),
        (PERONA_MALIK, p2n.FSI(tau=None, cycle_length=3, cycles=2), [lam, "tau"]),
        (TV, p2n.Explicit(tau=None, steps=3), [eps]),
        (TV, p2n.Explicit(tau=R(1, 20), steps=3), [eps]),
        (TV, p2n.Explicit(tau=R(1, 20), steps=3), [eps, "tau"]),
        (TV, p2n.DuFortFrankel(tau=None, steps=3), [eps, "tau"]),
        (TV, p2n.DuFortFrankel(tau=R(1, 20), steps=3), [eps]),
        (TV, p2n.FED(tau=R(1, 20), cycle_length=3, cycles=2), [eps, "tau"]),
        (
            p2n.Problem(equation(laplacian(u) - beta * u, 2), parameters={beta: R(1, 2)}),
            p2n.RKL(order=1, tau=None, stages=3),
            [beta],
        ),
    ],
    ids=lambda v: getattr(v, "label", None),
)
@pytest.mark.parametrize("shared", [True, False])
def test_networks_without_learned_operators(
    problem: p2n.Problem, scheme: Any, trainable: Any, shared: bool
) -> None:
    """They start from the declared values, and no values let them grow."""
    network = kept(problem, scheme, trainable, shared)
    assert network.certificate.stable
    assert "l2_stability" in network.certificate.training.kept
    module = network.module()
    plain = p2n.compile(problem, scheme, p2n.Grid()).module()
    torch.manual_seed(0)
    u0 = torch.randn(2, 1, 7, 8, dtype=torch.float64)
    torch.testing.assert_close(module(u0), plain(u0), rtol=0, atol=1e-14)
    for value in (3.0, -3.0, 1e30, -1e30, 0.0):
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.fill_(value)
        assert (module(u0).flatten(1).norm(dim=1) <= u0.flatten(1).norm(dim=1) * (1 + 1e-12)).all()
    module(u0).norm().backward()
    assert all(p.grad is not None and p.grad.isfinite() for p in module.parameters())


def test_a_trained_step_at_its_limit_has_a_gradient() -> None:
    module = kept(PERONA_MALIK, LARGEST, ["tau"]).module()
    module(torch.randn(1, 1, 6, 6, dtype=torch.float64)).norm().backward()
    (parameter,) = module.parameters()
    assert parameter.grad is not None and parameter.grad != 0
    assert float(module.block.tau.detach()) == 0.25


def test_cycles_keep_one_polynomial() -> None:
    """Stages of a cycle share their weights, or nothing is proved."""
    scheme = p2n.FSI(tau=R(1, 10), cycle_length=3, cycles=2)
    network = kept(learned(), scheme, [K], shared=False)
    assert len(network.module().blocks) == 2 and network.certificate.stable
    assert "each cycle its own" in network.certificate.subject["training"]
    own = p2n.compile(learned(), scheme, p2n.Grid(), trainable=[K], shared=False)
    assert len(own.module().blocks) == 6
    for name in ("l2_stability", "frozen_stability"):
        assert own.certificate.claims[name].status == Status.UNKNOWN
        assert "polynomial of one operator" in own.certificate.claims[name].reason
    frozen = kept(learned(), p2n.FSI(tau=None, cycle_length=4, cycles=1, freeze="step"), [K, lam], False)
    assert frozen.certificate.claims["l2_stability"].status == Status.LINEARISED
    assert frozen.certificate.training.kept == ("frozen_stability",)


def test_the_text_of_the_module_says_what_is_kept() -> None:
    source = kept(learned(), LARGEST, [K, lam], shared=False).source()
    head = " ".join(source.split('"""')[1].split())
    assert "Trainable K, lambda, each block its own; for all their values: l2 stability" in head
    assert "the claims hold at the initial values" not in head


CERTIFICATES = (
    (learned(), STEP, [K, lam], True),
    (learned(), LARGEST, [K, lam], False),
    (learned(), p2n.DuFortFrankel(tau=None, steps=2), [K], True),
    (learned(), p2n.FSI(tau=R(1, 10), cycle_length=3, cycles=2), [K], False),
    (
        learned(
            div(grad(u) / (1 + norm2(grad(u)))) - 2 * K.adjoint(K(u)) + beta * (f - u), parameters={beta: 1}
        ),
        LARGEST,
        [K, beta],
        True,
    ),
    (TV, p2n.Explicit(tau=R(1, 20), steps=3), [eps, "tau"], False),
)


@pytest.mark.parametrize(("problem", "scheme", "trainable", "shared"), CERTIFICATES)
def test_certificates_are_rechecked(problem: p2n.Problem, scheme: Any, trainable: Any, shared: bool) -> None:
    certificate = kept(problem, scheme, trainable, shared).certificate
    assert p2n.recheck(certificate.to_json()) == certificate


def _edited(text: str, edit: Any) -> str:
    data = json.loads(text)
    edit(data)
    return json.dumps(data)


def _claim(data: Any, name: str) -> Any:
    return next(c for c in data["claims"] if c["name"] == name)


EDITS = {
    "no training": lambda d: d.pop("training"),
    "more is kept": lambda d: d["training"]["kept"].append("well_posed"),
    "nonexpansive is kept": lambda d: d["training"].update(kept=["nonexpansive", *d["training"]["kept"]]),
    "extrapolation is trained": lambda d: d["training"]["trainable"].insert(1, "extrapolation"),
    "another owner": lambda d: d["training"].update(owner="cycle"),
    "nothing is kept": lambda d: d["training"].update(kept=[]),
    "nothing was to be kept": lambda d: d["training"].update(keep_stable=False),
    "own parameters": lambda d: d["training"].update(shared=False),
    "a larger limit": lambda d: _claim(d, "l2_stability")["hypotheses"][-1]["figures"].update(
        limit="3/normK**2"
    ),
    "other words": lambda d: _claim(d, "l2_stability")["hypotheses"][-1].update(how="by magic"),
    "no reason": lambda d: _claim(d, "l2_stability")["hypotheses"].pop(),
    "proved without being kept": lambda d: _claim(d, "mean_preservation").update(status="proved", reason="x"),
    "another operator": lambda d: d["declaration"].update(operators={"K": [9, 3]}),
    "another subject": lambda d: d["subject"].update(training="K; for all their values: nonexpansive"),
}


@pytest.mark.parametrize("name", EDITS)
def test_edited_certificates_are_refused(name: str) -> None:
    text = kept(learned(), STEP, [K, lam]).certificate.to_json()
    with pytest.raises(p2n.Pde2NetError):
        p2n.recheck(_edited(text, EDITS[name]))


def test_an_alpha_that_training_outgrows_cannot_be_claimed() -> None:
    certificate = kept(PERONA_MALIK, p2n.DuFortFrankel(tau=R(1, 100), alpha=9), ["tau"]).certificate
    assert p2n.recheck(certificate.to_json()).stable
    other = p2n.compile(TV, p2n.DuFortFrankel(tau=R(1, 100), alpha=9), p2n.Grid()).certificate

    def claimed(data: Any) -> None:
        data["training"] = {"trainable": ["epsilon"], "shared": True, "keep_stable": True}
        data["training"] |= {"owner": "network", "kept": ["l2_stability"]}
        data["subject"]["training"] = "epsilon; for all their values: l2 stability"

    with pytest.raises(p2n.RecheckError, match="cannot keep alpha"):
        p2n.recheck(_edited(other.to_json(), claimed))


def test_own_operators_in_a_cycle_cannot_be_claimed() -> None:
    text = kept(learned(), p2n.FSI(tau=R(1, 10), cycle_length=3, cycles=2), [K], False).certificate.to_json()

    def by_block(data: Any) -> None:
        data["training"]["owner"] = "block"
        data["subject"]["training"] = data["subject"]["training"].replace("cycle", "block")

    with pytest.raises(p2n.RecheckError, match="owner"):
        p2n.recheck(_edited(text, by_block))
