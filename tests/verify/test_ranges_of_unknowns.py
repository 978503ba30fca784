"""Declared ranges of unknowns: that they are kept is proved first, then every bound is taken over them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.graph.interpret import Interpreter
from pde2net.language.text.build import read
from pde2net.verify.certificate import Status

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
u, v = (sp.Function(n)(x, y, t) for n in "uv")
c, D = (sp.Function(n)(x, y) for n in "cD")
k = sp.Symbol("k", positive=True)
HOLDS = (Status.PROVED, Status.LINEARISED)
RANGED = ("l2_stability", "energy_decay", "well_posed", "frozen_stability")


def problem(rhs: Any, bounds: Any, **options: Any) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), rhs), bounds=bounds, **options)


def forged(text: str, ends: list[str]) -> str:
    """The certificate with another declared range of u."""
    data = json.loads(text)
    assert data["declaration"]["bounds"]["u"] != ends
    data["declaration"]["bounds"]["u"] = ends
    return json.dumps(data)


def assumes(claim: Any) -> bool:
    """Whether something is proved of a range."""
    stated = claim.status in (*HOLDS, Status.PROVED_IF)
    return stated and any(h.name.startswith("declared range") for h in claim.hypotheses)


# equation, range, largest step by hand, claims that then hold
KEPT = [
    (div(2 * u * grad(u)), (0, 1), "1/8", ("l2_stability", "frozen_stability", "bounded_by_data")),
    (div(norm2(grad(u)) * grad(u)), (0, 1), "1/8", ("l2_stability", "frozen_stability", "well_posed")),
    (div(norm2(grad(u)) * grad(u)), (-1, 3), "1/128", ("l2_stability", "well_posed")),
    (laplacian(u) + u - u**3, (-1, 1), "1/6", ("energy_decay", "well_posed", "frozen_stability")),
    (laplacian(u) + u * (1 - u) / 10, (0, 1), "10/41", ("energy_decay", "well_posed", "frozen_stability")),
    (laplacian(u) - u**2, (0, 2), "1/8", ("l2_stability", "nonexpansive", "energy_decay")),
    (laplacian(u) - u / (1 + u), (0, sp.oo), "1/5", ("l2_stability", "nonexpansive")),
    (div(u / (1 + u) * grad(u)), (0, 1), "1/2", ("l2_stability",)),
]


@pytest.mark.parametrize(("rhs", "ends", "limit", "names"), KEPT)
def test_claims_over_a_range(rhs: Any, ends: Any, limit: str, names: Any) -> None:
    tau = R(limit)
    made = p2n.compile(problem(rhs, {u: ends}), p2n.Explicit(tau=tau, steps=2))
    claims = made.certificate.claims
    kept = claims["maximum_principle"]
    assert kept.status == Status.PROVED and kept.limit == tau
    for name in names:
        assert claims[name].status in HOLDS and claims[name].limit <= tau, name
        assert assumes(claims[name]) or claims[name].limit == tau
    p2n.recheck(made.certificate.to_json())
    certificate = p2n.verify(problem(rhs, {u: ends}), p2n.Explicit(tau=tau * R(11, 10), steps=2))
    p2n.recheck(certificate.to_json())
    longer = certificate.claims
    assert longer["maximum_principle"].status in (Status.UNKNOWN, Status.REFUTED)
    assert not any(assumes(claim) for claim in longer.values())


@pytest.mark.parametrize(("rhs", "ends", "limit", "names"), KEPT)
def test_states_stay_in_the_range(rhs: Any, ends: Any, limit: str, names: Any) -> None:
    step = Interpreter(p2n.compile(problem(rhs, {u: ends}), p2n.Explicit(tau=R(limit), steps=1)).graph)
    low, high = float(ends[0]), 50.0 if ends[1] == sp.oo else float(ends[1])
    for seed in range(20):
        state = np.random.default_rng(seed).random((7, 6))
        state = low + (high - low) * (state.round() if seed % 2 else state)
        for _ in range(20):
            state = step(state)
            assert low - 1e-12 <= state.min() and state.max() <= high + 1e-12


@pytest.mark.parametrize(
    ("rhs", "ends", "options", "why"),
    [
        (laplacian(u) + u - u**3, (-2, R(1, 2)), {}, "may lead out"),
        (laplacian(u) + 1, (0, 1), {}, "may lead out"),
        (div(u * grad(u)), (-1, 1), {}, "negative values"),
        (laplacian(u), (1, 2), {"boundary": "dirichlet"}, "beyond the border"),
        (-laplacian(laplacian(u)), (0, 1), {}, "positive off-diagonal"),
    ],
)
def test_ranges_that_are_not_kept(rhs: Any, ends: Any, options: Any, why: str) -> None:
    claims = p2n.verify(problem(rhs, {u: ends}, **options), p2n.Explicit(tau=R(1, 100), steps=2)).claims
    assert not any(assumes(claim) for claim in claims.values())
    reasons = " ".join(claim.reason for claim in claims.values())
    plain = claims["maximum_principle"].status == Status.PROVED
    assert why in reasons or (plain and options)


@pytest.mark.parametrize(
    "scheme",
    [
        p2n.FSI(tau=R(1, 20), cycle_length=3),
        p2n.RKL(tau=R(1, 20), stages=3, order=1),
        p2n.DuFortFrankel(tau=R(1, 20), steps=3),
    ],
)
def test_stages_of_cycles_are_no_monotone_steps(scheme: Any) -> None:
    claims = p2n.verify(problem(laplacian(u) + u - u**3, {u: (-1, 1)}), scheme).claims
    assert not any(assumes(claim) for claim in claims.values())


def test_fields_and_parameters_in_reactions() -> None:
    rhs = laplacian(u) + k * c * u * (1 - u)
    made = problem(rhs, {u: (0, 1), c: (0, 2)})
    claim = p2n.verify(made, p2n.Explicit(tau=R(1, 10), steps=1)).claims["maximum_principle"]
    assert claim.status == Status.PROVED_IF and sp.simplify(claim.limit - 1 / (4 + 2 * k)) == 0
    free = p2n.verify(problem(rhs, {u: (0, 1)}), p2n.Explicit(tau=R(1, 10), steps=1)).claims
    assert not any(assumes(claim) for claim in free.values())


def test_implicit_steps_keep_a_range_by_their_maximum_principle() -> None:
    line = sp.Function("u")(x, t)
    flux = line.diff(x) ** 3
    made = p2n.Problem(sp.Eq(line.diff(t), flux.diff(x)), bounds={line: (0, 1)})
    claims = p2n.verify(made, p2n.Implicit(tau=3, steps=2, solver=p2n.Kacanov(iterations=2))).claims
    for name in ("maximum_principle", "l2_stability"):
        assert claims[name].status == Status.PROVED


def test_counterexamples_lie_in_the_range() -> None:
    made = problem(laplacian(u), {u: (2, 3)})
    claim = p2n.verify(made, p2n.Explicit(tau=R(1, 2), steps=1)).claims["maximum_principle"]
    assert claim.status == Status.REFUTED
    state = np.array(claim.witness["u0"])
    assert state.min() >= 2 and state.max() <= 3 and claim.witness["extremum"]["range"] == [2, 3]
    text = p2n.verify(made, p2n.Explicit(tau=R(1, 2), steps=1)).to_json()
    p2n.recheck(text)
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(forged(text, ["5/2", "3"]))


def test_steps_that_leave_the_range_are_refused_and_the_largest_one_keeps_it() -> None:
    made = problem(div(2 * u * grad(u)), {u: (0, 1)})
    for tau in (R(1, 4), R(1, 2)):
        with pytest.raises(p2n.StabilityError, match="largest stable step is tau = 1/8"):
            p2n.compile(made, p2n.Explicit(tau=tau, steps=3))
    masked = p2n.Problem(sp.Eq(u.diff(t), (1 - c) * laplacian(u) + c * (D - u)), bounds={c: (0, 1)})
    assert p2n.compile(masked, p2n.Explicit(tau=None, steps=2)).certificate.tau == R(1, 4)
    rates = 20 * u * (1 - u - v / 2), 20 * v * (1 - v - u / 3)
    equations = [sp.Eq(s.diff(t), laplacian(s) / 10 + r) for s, r in zip((u, v), rates, strict=True)]
    system = p2n.Problem(equations, bounds={u: (0, 1), v: (0, 1)})
    assert p2n.compile(system, p2n.Explicit(tau=None, steps=2)).certificate.tau == R(5, 152)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_networks_refuse_other_inputs(backend: str) -> None:
    module = p2n.compile(
        problem(laplacian(u) + u - u**3, {u: (-1, 1)}), p2n.Explicit(tau=None, steps=2)
    ).module(backend=backend)
    state = torch.rand(2, 1, 8, 9) * 2 - 1
    assert module(state).abs().max() <= 1
    state[1, 0, 2, 3] = 1.5
    with pytest.raises(ValueError, match=r"u was declared to lie in \[-1, 1\], and is 1.5 at \(1, 0, 2, 3\)"):
        module(state)
    exported = torch.export.export(module, (torch.rand(1, 1, 8, 9),)) if backend == "torch" else None
    assert exported is None or exported.module()(torch.rand(1, 1, 8, 9)).shape == (1, 1, 8, 9)


def test_texts_and_records() -> None:
    text = "unknown u(x, y, t) in [-1, 1]\nequation u_t = laplacian(u) + u - u^3\n"
    made = read(text, "a text")[0]
    assert dict(made.bounds) == {"u": (-1, 1)}
    again = read(made.to_text(), "a text")[0]
    assert again == made and pickle.loads(pickle.dumps(made)) == made
    assert "u in [-1, 1]" in str(made)
    certificate = p2n.verify(made, p2n.Explicit(tau=R(1, 6), steps=1))
    text = certificate.to_json()
    assert p2n.recheck(text).claims == certificate.claims
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(forged(text, ["-2", "2"]))


def test_steps_that_are_kept_for_other_reasons_prove_nothing_about_a_range() -> None:
    """keep_stable keeps the condition of l2 stability, not that of the range."""
    made = problem(div(grad(u) / (1 + norm2(grad(u)) / k**2)) - u**3, {u: (-3, 3)}, parameters={k: 1})
    try:
        network = p2n.compile(made, p2n.Explicit(tau=None, steps=2), trainable=[k], keep_stable=True)
    except p2n.Pde2NetError:
        return
    kept = network.certificate.training.kept
    assert not any(assumes(network.certificate.claims[name]) for name in kept)


def test_counterexamples_where_a_field_switches_the_reaction_off() -> None:
    """Fields are 0 in them: what is left of the reaction is linear, and both verifiers look at that."""
    made = problem(
        (R(1, 3) - u) * c * u + div(u * grad(u)), {u: (0, R(1, 3)), c: (0, 1)}, boundary="dirichlet"
    )
    certificate = p2n.verify(made, p2n.DuFortFrankel(tau=1, alpha=R(25, 3), steps=4))
    assert certificate.claims["frozen_stability"].status == Status.REFUTED
    p2n.recheck(certificate.to_json())


# -- systems --

PAIRS = [
    # FitzHugh-Nagumo with a weak coupling: inward on a rectangle
    (
        laplacian(u) + u - u**3 - v / 10,
        laplacian(v) / 2 + (u - v) / 10,
        (-R(11, 10), R(11, 10)),
        (-2, 2),
        "100/663",
    ),
    (div((1 + v) * grad(u)) + u * (1 - u) * v, div(u * grad(v)) + (u - v) / 10, (0, 1), (0, 1), "1/9"),
]


@pytest.mark.parametrize(("first", "second", "of_u", "of_v", "limit"), PAIRS)
def test_invariant_rectangles(first: Any, second: Any, of_u: Any, of_v: Any, limit: str) -> None:
    equations = [sp.Eq(u.diff(t), first), sp.Eq(v.diff(t), second)]
    made = p2n.Problem(equations, bounds={u: of_u, v: of_v})
    network = p2n.compile(made, p2n.Explicit(tau=R(limit), steps=1))
    claim = network.certificate.claims["maximum_principle"]
    assert claim.status == Status.PROVED and claim.limit == R(limit)
    p2n.recheck(network.certificate.to_json())
    random, step = np.random.default_rng(0), Interpreter(network.graph)
    low, high = (np.array([float(e[i]) for e in (of_u, of_v)]).reshape(2, 1, 1) for i in (0, 1))
    for trial in range(20):
        state = random.random((2, 6, 7))
        state = low + (high - low) * (state.round() if trial % 2 else state)
        for _ in range(20):
            state = step(state)
            assert (state >= low - 1e-12).all() and (state <= high + 1e-12).all()
    one = p2n.verify(p2n.Problem(equations, bounds={u: of_u}), p2n.Explicit(tau=R(limit), steps=1)).claims
    assert not any(assumes(claim) for claim in one.values())
    longer = p2n.verify(made, p2n.Explicit(tau=R(limit) * R(11, 10), steps=1)).claims
    assert not any(assumes(claim) for claim in longer.values())


def test_gray_scott_leaves_its_rectangle() -> None:
    rates = -u * v**2 + (1 - u) / 20, u * v**2 - v / 10
    equations = [
        sp.Eq(u.diff(t), 2 * laplacian(u) + rates[0]),
        sp.Eq(v.diff(t), laplacian(v) / 1000 + rates[1]),
    ]
    made = p2n.Problem(equations, bounds={u: (0, 1), v: (0, 10)})
    claims = p2n.verify(made, p2n.Explicit(tau=R(1, 10), steps=1)).claims
    assert claims["maximum_principle"].status == Status.UNKNOWN
    assert not any(assumes(claim) for claim in claims.values())


M, g = sp.symbols("M g", positive=True)
VALUES = {M: 2, k: R(1, 2), g: R(3, 4)}


@pytest.mark.parametrize(
    ("equations", "bounds"),
    [
        (g * laplacian(u) + k * u * (1 - u / M), {u: (0, M)}),
        (g * laplacian(u) + (M**2 * u - u**3) / k, {u: (-M, M)}),
        (div(g * u * grad(u)) - k * u / (M + u), {u: (0, 2 * M - 1)}),
        (
            [g * laplacian(u) + u * (1 - u / M - k * v), laplacian(v) + v * (1 - v - k * u)],
            {u: (0, M), v: (0, 1)},
        ),
    ],
)
def test_ends_and_equations_with_parameters_are_those_with_their_values(equations: Any, bounds: Any) -> None:
    """A range that only values of parameters show to be kept; ends that are parameters have their values."""

    def declared(valued: bool) -> p2n.Problem:
        several = equations if isinstance(equations, list) else [equations]
        made = [sp.Eq(w.diff(t), e) for w, e in zip((u, v), several, strict=False)]
        made = [e.subs(VALUES) for e in made] if valued else made
        used = set().union(*(e.free_symbols for e in made)) & set(VALUES)
        ends = {w: tuple(sp.sympify(e).subs(VALUES) for e in pair) for w, pair in bounds.items()}
        values = {s: VALUES[s] for s in used}
        return p2n.Problem(made, bounds=ends if valued else bounds, parameters=values)

    with_symbols, with_numbers = declared(False), declared(True)
    assert with_symbols.bounds == with_numbers.bounds
    found, wanted = (p2n.verify(made, p2n.Explicit(tau=R(1, 40))) for made in (with_symbols, with_numbers))
    for name, claim in wanted.claims.items():
        assert found.claims[name].status == claim.status, name
        assert found.claims[name].limit is None or found.claims[name].limit.subs(VALUES) == claim.limit, name
    assert wanted.claims["maximum_principle"].status == Status.PROVED
    p2n.recheck(found.to_json())


def test_ends_without_a_value() -> None:
    equation = sp.Eq(u.diff(t), laplacian(u) + k * u * (1 - u / M))
    for end in (sp.Symbol("q"), k, M + k):
        with pytest.raises(p2n.DeclarationError, match="parameters of the equation that have a value"):
            p2n.Problem(equation, bounds={u: (0, end)}, parameters={M: 2})
    with pytest.raises(p2n.DeclarationError, match=r"below the upper one: \(2, 1\)"):
        p2n.Problem(equation, bounds={u: (M, 1)}, parameters={M: 2})


def test_ends_with_parameters_in_texts(tmp_path: Path) -> None:
    lines = [
        "parameter M = 3",
        "unknown u(x, y, t) in [0, 2*M]",
        "equation u_t = laplacian(u) + u*(1 - u/M)",
        "scheme explicit(tau = 1/10, steps = 2)",
    ]
    file = tmp_path / "logistic.pde"
    file.write_text("\n".join(lines))
    assert p2n.load(file).problem.bounds == {"u": (0, 6)}
    file.write_text("\n".join(["parameter M > 0", *lines[1:]]))
    with pytest.raises(p2n.TextError, match="that have a value, not 2\\*M"):
        p2n.load(file)


@pytest.mark.parametrize(
    ("symbol", "advice"), [(k, "Do not train it"), (sp.Symbol("k", real=True), "Declare its sign")]
)
def test_what_bounds_need_the_value_of_is_not_trained(symbol: sp.Symbol, advice: str) -> None:
    equation = sp.Eq(u.diff(t), laplacian(u) + symbol * u * (1 - u))
    made = p2n.Problem(equation, bounds={u: (0, 1)}, parameters={symbol: R(1, 2)})
    with pytest.raises(p2n.DeclarationError, match=f"for the value of k alone, which is trained. {advice}"):
        p2n.compile(made, p2n.Explicit(R(1, 20), 2), trainable=[symbol], keep_stable=True)
