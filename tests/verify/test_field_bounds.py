"""Declared bounds of known fields: claims that assume them, networks and certificates that hold to them."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import uncertified

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.language.text.build import read

R = sp.Rational
x, y, t = sp.symbols("x y t", real=True)
u, v = (sp.Function(n)(x, y, t) for n in "uv")
c, D, f = (sp.Function(n)(x, y) for n in "cDf")
MASK = (1 - c) * laplacian(u) + c * (f - u)


def problem(rhs: Any, bounds: Any, **options: Any) -> p2n.Problem:
    return p2n.Problem(sp.Eq(u.diff(t), rhs), bounds=bounds, **options)


def claims(rhs: Any, bounds: Any, tau: Any = 0.05) -> Any:
    return p2n.verify(problem(rhs, bounds), p2n.Explicit(tau=tau, steps=3)).claims


RATIONALS = st.fractions(min_value=-3, max_value=3, max_denominator=8)


@settings(max_examples=12, deadline=None)
@given(ends=st.tuples(RATIONALS, RATIONALS).filter(lambda e: e[0] < e[1]), power=st.sampled_from([1, 2, 3]))
def test_ranges_of_coefficients_over_an_interval(ends: Any, power: int) -> None:
    """Exact suprema, found by values at many places and never below them."""
    low, high = (R(e.numerator, e.denominator) for e in ends)
    coefficient = 1 + D**power / 40
    found = claims(div(coefficient * grad(u)), {D: (low, high)})["l2_stability"]
    places = np.linspace(float(low), float(high), 2001)
    largest = float(np.max(1 + places**power / 40))
    assert found.status == "proved"
    assert float(found.limit) == pytest.approx(2 / (8 * largest), rel=1e-6)


@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "dirichlet"])
def test_the_limit_is_that_of_the_largest_field(boundary: str) -> None:
    made = problem(div(D * grad(u)), {D: (R(1, 2), 3)}, boundary=boundary)
    found = p2n.verify(made, p2n.Explicit(tau=R(1, 20), steps=1)).claims
    assert {found[n].limit for n in ("l2_stability", "nonexpansive", "energy_decay")} == {R(1, 12)}
    board = torch.from_numpy((-1.0) ** np.indices((1, 1, 40, 40)).sum(0))
    for tau, grows in ((R(1, 12), False), (R(1, 11), True)):
        module = uncertified(made, p2n.Explicit(tau=tau, steps=1)).module().double()
        assert bool(module(board, D=torch.full_like(board, 3.0)).norm() > board.norm()) == grows
    constant = problem(div(3 * grad(u)), {}, boundary=boundary)
    plain = uncertified(constant, p2n.Explicit(tau=R(1, 20), steps=2)).module().double()
    varying = uncertified(made, p2n.Explicit(tau=R(1, 20), steps=2)).module().double()
    noise = torch.rand(1, 1, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(varying(noise, D=torch.full_like(noise, 3.0)), plain(noise))


def test_energy_of_a_varying_coefficient_decays() -> None:
    """E(u) = 1/2 sum D |K u|² + 1/2 sum c (f - u)², D of an edge the mean of its cells."""
    made = problem(div(D * grad(u)) + c * (f - u), {D: (0, 3), c: (0, 2)})
    found = p2n.verify(made, p2n.Explicit(tau=R(1, 20), steps=1)).claims
    assert found["energy_decay"].status == "proved" and found["energy_decay"].limit == 2 / (R(24) + 2)
    module = uncertified(made, p2n.Explicit(tau=R(1, 13), steps=1)).module().double()

    def energy(w: Any, known: Any) -> float:
        total = (known["c"] * (known["f"] - w) ** 2).sum()
        for axis in (2, 3):
            n = w.shape[axis]
            low, high = (known["D"].narrow(axis, k, n - 1) for k in (0, 1))
            total += ((low + high) / 2 * w.diff(dim=axis) ** 2).sum()
        return float(total) / 2

    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        w, *rest = (torch.rand(1, 1, 6, 8, dtype=torch.float64, generator=rng) for _ in range(4))
        known = {"D": 3 * rest[0], "c": 2 * rest[1].round(), "f": rest[2]}
        assert energy(module(w, **known), known) <= energy(w, known) + 1e-12


@pytest.mark.parametrize("diffusion", [laplacian(u), div(grad(u) / (1 + norm2(grad(u))))])
def test_inpainting_stays_in_the_range_of_state_and_data(diffusion: Any) -> None:
    rhs = (1 - c) * diffusion + c * (f - u)
    found = claims(rhs, {c: (0, 1)}, R(1, 4))["maximum_principle"]
    assert found.status == "proved" and found.limit == R(1, 4)
    assert any(h.name == "bounds of a field" and "[0, 1]" in h.statement for h in found.hypotheses)
    assert claims(rhs, {})["maximum_principle"].status == "unknown"
    assert claims(rhs, {c: (0, 1)}, R(3, 10))["maximum_principle"].status == "refuted"
    wider = claims(rhs, {c: (0, 8)}, R(1, 20))["maximum_principle"]
    assert wider.status == "unknown", "1 - c is negative"
    module = uncertified(problem(rhs, {c: (0, 1)}), p2n.Explicit(tau=R(1, 4), steps=3)).module().double()
    rng = torch.Generator().manual_seed(0)
    for _ in range(30):
        w, mask, data = (torch.rand(1, 1, 5, 6, dtype=torch.float64, generator=rng) for _ in range(3))
        mask = mask.round() if _ % 2 else mask
        found = module(w, c=mask, f=data)
        assert found.min() >= min(w.min(), data.min()) - 1e-12
        assert found.max() <= max(w.max(), data.max()) + 1e-12


def test_pulls_that_vary() -> None:
    found = claims(laplacian(u) + c * (f - u), {c: (0, 4)}, R(1, 8))["maximum_principle"]
    assert found.status == "proved" and found.limit == R(1, 8)
    assert claims(laplacian(u) + f - c * u, {c: (0, 4)})["maximum_principle"].status == "unknown", "f/c"
    assert claims(laplacian(u) + c * (f - u), {c: (-1, 4)})["maximum_principle"].status == "unknown"


def test_factors_count_beside_a_fidelity_at_the_end_of_a_step() -> None:
    made = problem(c * laplacian(u) + (f - u), {c: (0, 5)})
    fast, slow = (p2n.Explicit(tau, 2, fidelity="implicit") for tau in (R(1, 4), R(1, 21)))
    assert p2n.verify(made, fast).claims["maximum_principle"].status == "unknown"
    assert p2n.verify(made, slow).claims["maximum_principle"].status == "proved"
    p2n.recheck(p2n.verify(made, slow).to_json())


SEEN = [(1 + 50 * f, {f: (0, 1)}), (1 / (1 + norm2(grad(f))), {}), (1 / (1 + p2n.smooth(f, 1) ** 2), {})]
OF_DATA = [
    p2n.Explicit(R(1, 500), 3),
    p2n.Explicit(R(1, 500), 3, fidelity="implicit"),
    p2n.DuFortFrankel(tau=R(1, 900), steps=3),
    p2n.FSI(tau=R(1, 900), cycle_length=3),
    p2n.FED(tau=R(1, 900), cycle_length=3),
    p2n.Implicit(sp.oo, 1, solver=p2n.Descent(iterations=9)),
    p2n.Implicit(1, 2, solver=p2n.Kacanov(iterations=1)),
    p2n.AOS(1, 1),
]


@pytest.mark.parametrize("scheme", OF_DATA, ids=lambda s: s.label)
@pytest.mark.parametrize("seen,bounds", SEEN)
def test_data_that_stand_in_the_diffusion(seen: Any, bounds: Any, scheme: Any) -> None:
    """Other data are another diffusion: nothing follows for differences of results, but for their norms."""
    made = p2n.verify(problem(div(seen * grad(u)) + (f - u) / 100, bounds), scheme)
    alone = p2n.verify(problem(laplacian(u) + (f - u) / 100, {}), scheme)
    for name in ("lipschitz_in_data", "averaged"):
        assert made.claims[name].status in ("unknown", "refuted")
    wanted = "unknown" if isinstance(getattr(scheme, "solver", None), p2n.Kacanov) else "proved"  # iterates
    assert alone.claims["lipschitz_in_data"].status == wanted
    p2n.recheck(made.to_json())


def test_ranges_that_leave_nothing_of_a_field() -> None:
    for rhs in (laplacian(u) - u * sp.Max(0, c), sp.Max(0, c) * laplacian(u) - u):
        with pytest.raises(p2n.EquationError, match="Nothing of c is left"):
            p2n.verify(problem(rhs, {c: (-3, -1)}), p2n.Explicit(R(1, 20), 1))


def test_counterexamples_have_fields_as_declared() -> None:
    """0, which is tried, is none of these values; and images of any sign are no such data."""
    fast = R(9, 20)
    assert claims(laplacian(u) + c * (f - u), {}, fast)["frozen_stability"].status != "proved"
    for bounds in ({c: (R(1, 2), 1)}, {c: (-2, -1)}):
        found = claims(MASK, bounds, fast)
        assert not [n for n, claim in found.items() if claim.status == "refuted"]
    data = claims(laplacian(u) + (f - u), {f: (-1, 1)}, R(9, 10))
    assert data["bounded_by_data"].status == "unknown"
    assert claims(laplacian(u) + (f - u), {}, R(9, 10))["bounded_by_data"].status == "refuted"


@pytest.mark.parametrize("rhs,bounds", [(MASK, {c: (0, 1)}), (div((1 + D) * grad(u)), {D: (0, 3)})])
def test_certificates_are_derived_again(rhs: Any, bounds: Any) -> None:
    made = p2n.verify(problem(rhs, bounds), p2n.Explicit(tau=R(1, 20), steps=3))
    p2n.recheck(made.to_json())
    forged = json.loads(made.to_json())
    forged["declaration"]["bounds"] = {str(f.func): ["-7", "9"] for f in bounds}
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(json.dumps(forged))
    forged["declaration"].pop("bounds")
    with pytest.raises(p2n.RecheckError):
        p2n.recheck(json.dumps(forged))
    limited = [
        k for k, row in enumerate(json.loads(made.to_json())["claims"]) if row["limit"] not in (None, "oo")
    ]
    for k in limited:
        forged = json.loads(made.to_json())
        forged["claims"][k]["limit"] = f"2*({forged['claims'][k]['limit']})"
        with pytest.raises(p2n.RecheckError):
            p2n.recheck(json.dumps(forged))
    assert limited


def test_ranges_at_infinity_are_stated_where_they_are() -> None:
    """An infimum that is approached at oo, of numbers that SymPy compares only once they are numbers."""
    rhs = laplacian(u) + (c - 1) * u * sp.exp(-t)
    made = p2n.verify(problem(rhs, {c: (R(1, 2), 3)}), p2n.Theta(tau=R(1, 20), steps=1, theta=R(1, 4)))
    p2n.recheck(made.to_json())


def test_declarations_go_round() -> None:
    made = problem(div(D * grad(u)) + c * (f - u), {D: (0, sp.oo), c: (-sp.oo, R(1, 3))})
    assert pickle.loads(pickle.dumps(made)) == made and hash(made) == hash(pickle.loads(pickle.dumps(made)))
    assert read(made.to_text(), "a")[0] == made
    assert made != problem(made.rhs, {D: (0, sp.oo)})
    assert "c in [-oo, 1/3]" in str(made)
    with_name = problem(made.rhs, {"D": (0, float("inf")), "c": (-float("inf"), R(1, 3))})
    assert with_name == made
    system = p2n.Problem(
        [sp.Eq(u.diff(t), div(D * grad(u))), sp.Eq(v.diff(t), laplacian(v) + c * u)], bounds={D: (0, 2)}
    )
    assert [dict(part.bounds) for part in system.parts] == [{"D": (0, 2)}, {}]
    found = p2n.verify(system, p2n.Explicit(tau=R(1, 20), steps=2))
    p2n.recheck(found.to_json())


BAD = [
    ({c: (1, 0)}, "below"),
    ({c: (0, 1, 2)}, "pair"),
    ({c: "01"}, "pair"),
    ({"cc": (0, 1)}, 'Did you mean "c"'),
    ({c: (0, sp.Symbol("a"))}, "numbers"),
    ({c: (0, sp.nan)}, "finite"),
    ({sp.Function("c", positive=True)(x, y): (0, 1)}, "assumptions"),
    ({c: (0, 1), "c": (0, 2)}, "two entries"),
    ([(c, 0, 1)], "maps fields and unknowns"),
]


@pytest.mark.parametrize("bounds,said", BAD)
def test_bounds_that_are_none(bounds: Any, said: str) -> None:
    with pytest.raises(p2n.DeclarationError, match=said):
        problem(laplacian(u) + c * (f - u), bounds)
    signed = sp.Function("c", negative=True)(x, y)
    with pytest.raises(p2n.DeclarationError, match="No value"):
        problem(laplacian(u) + signed * u, {signed: (0, 1)})


def test_ends_without_a_value_are_units():
    """What the message says to write has limits that are formulas in the end."""
    M, tau, h = sp.symbols("M tau h", positive=True)
    u, D = sp.Function("u")(x, y, t), sp.Function("D")(x, y)
    with pytest.raises(p2n.DeclarationError, match=r"units of M: write M\*D for it .* D in \[0, 1\]"):
        p2n.Problem(sp.Eq(u.diff(t), div(D * grad(u))), bounds={D: (0, 3 * M)})
    for rhs, bounds in ((div(M * D * grad(u)), {D: (0, 1)}), (div(M * u * grad(u)), {u: (0, 1)})):
        problem = p2n.Problem(sp.Eq(u.diff(t), rhs), bounds=bounds)
        found = p2n.verify(problem, p2n.Explicit(tau, 1), p2n.Grid(spacing=h)).claims
        for name in ("l2_stability", "maximum_principle"):
            assert str(found[name].status) == "proved if" and found[name].limit == h**2 / (4 * M)
        valued = p2n.Problem(sp.Eq(u.diff(t), rhs), bounds=bounds, parameters={M: 3})
        assert p2n.verify(valued, p2n.Explicit(None, 1)).tau == sp.Rational(1, 12)
