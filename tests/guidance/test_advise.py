"""`advise`: what it lists reaches the time, is as stable as it says, and makes the networks it names."""

import io
import json
import subprocess
import sys

import pytest
import sympy as sp
from rich.console import Console
from support import diffusion, equation, h, lam, unknown, x, y

import pde2net as p2n
from pde2net import laplacian
from pde2net.guidance.notation import call, notation

PM = diffusion(lambda s2: 1 / (1 + s2 / lam**2), 2, parameters={lam: 0.1})
HEAT = p2n.Problem(equation(laplacian(unknown(1)), 1))
BIHARMONIC = p2n.Problem(equation(-laplacian(laplacian(unknown(2))), 2))
BACKWARD = p2n.Problem(equation(-laplacian(unknown(2)), 2))
FIDELITY = p2n.Problem(equation(laplacian(unknown(2)) + sp.Function("f")(x, y) - unknown(2), 2))


@pytest.fixture(scope="module")
def advice():
    return p2n.advise(PM, 100)


def test_every_row_reaches_the_time(advice):
    assert len(advice.rows) >= 10
    for row in advice.rows:
        assert row.scheme.duration(row.scheme.tau) == 100
        assert row.steps == row.scheme.repeats and row.work > 0


def test_rows_are_sorted_by_cost_and_the_proved_come_first(advice):
    for group in ("proved", "linearised"):
        costs = [r.cost for r in advice.rows if r.stable == group]
        assert costs and costs == sorted(costs)
    assert [r.stable for r in advice.rows] == sorted((r.stable for r in advice.rows), reverse=True)
    assert advice.best == advice.rows[0]


def test_the_claims_are_those_of_the_certificate(advice):
    for kind in (p2n.FSI, p2n.AOS, p2n.RKL):
        row = next(r for r in advice.rows if isinstance(r.scheme, kind))
        claims = p2n.verify(PM, row.scheme).claims
        for name in row.proved:
            assert claims[name].status == "proved", (row.call, name)
        for name in row.linearised:
            assert claims[name].status == "linearised", (row.call, name)
        assert (row.stable == "proved") == (claims["l2_stability"].status == "proved")
        assert f"O({row.order})" in claims["consistency"].reason


def test_costs_are_relative_to_the_explicit_scheme(advice):
    rows = {type(r.scheme): r for r in advice.rows}
    assert rows[p2n.Explicit].cost == 1 and rows[p2n.Explicit].work == rows[p2n.Explicit].steps == 400
    assert advice.limit == sp.Rational(1, 4)
    short = [r for r in advice.rows if isinstance(r.scheme, p2n.FSI) and r.steps == 3]
    assert short[0].cost == 60 / 400 <= 1 / 6


def test_the_call_makes_the_scheme(advice):
    for row in advice.rows:
        assert eval(row.call, {"p2n": p2n, "sp": sp}) == row.scheme


@pytest.mark.parametrize(
    "scheme,short",
    [
        (p2n.Explicit(0.2), "Explicit(tau=1/5)"),
        (p2n.FSI(sp.sqrt(2) / 7, 5, freeze="step"), "FSI(tau=sqrt(2)/7, cycle_length=5, freeze='step')"),
        (p2n.RKL(2, 1, 5), "RKL(order=2, tau=1, stages=5)"),
        (p2n.Implicit(3), "Implicit(tau=3)"),
        (p2n.Implicit(sp.oo), "Implicit(tau=oo)"),
        (
            p2n.Theta(3, 2, 0.75, p2n.Newton(tol=0.1, linear_iterations=7)),
            "Theta(tau=3, steps=2, theta=3/4, solver=Newton(tol=1/10, linear_iterations=7))",
        ),
        (
            p2n.Implicit(1, solver=p2n.FixedPoint(iterations=4)),
            "Implicit(tau=1, solver=FixedPoint(iterations=4))",
        ),
        (p2n.Multigrid(1, levels=3, cycle="W"), "Multigrid(tau=1, levels=3, cycle='W')"),
    ],
)
def test_calls_name_what_is_not_the_default(scheme, short):
    assert notation(scheme) == short
    assert eval(call(scheme), {"p2n": p2n, "sp": sp}) == scheme


def test_as_many_cycles_and_steps_as_asked_for():
    found = [r.scheme for r in p2n.advise(PM, 10, cycles=(2, 5), steps=4).rows]
    assert {s.cycles for s in found if isinstance(s, p2n.FSI | p2n.FED)} == {2, 5}
    assert {s.steps for s in found if isinstance(s, p2n.RKL | p2n.Implicit | p2n.AOS)} == {4}


def test_short_times_need_no_more_steps_than_the_explicit_scheme():
    for time in (0.01, 0.6):
        rows = p2n.advise(PM, time).rows
        assert all(r.steps <= 3 for r in rows)
        assert len({r.call for r in rows}) == len(rows)


def test_a_source_term_is_judged_by_frozen_stability():
    rows = p2n.advise(FIDELITY, 5).rows
    explicit = next(r for r in rows if isinstance(r.scheme, p2n.Explicit))
    assert explicit.stable == "proved" and "l2_stability" not in explicit.proved


def test_what_does_not_fit_the_equation_is_listed_with_the_reason():
    advice = p2n.advise(BIHARMONIC, 1)
    (left,) = [entry for entry in advice.left_out if isinstance(entry.scheme, p2n.AOS)]
    assert "single divergence" in left.reason
    assert not any(isinstance(r.scheme, p2n.AOS) for r in p2n.advise(HEAT, 1).rows), (
        "one axis has no splitting"
    )


def test_nothing_is_stable_for_backward_diffusion():
    advice = p2n.advise(BACKWARD, 1)
    assert not advice.rows and advice.limit is None
    assert "none is proved" in advice.left_out[0].reason
    for shown in (str(advice), html_of(advice), rich_of(advice, 80)):
        assert "No scheme is proved to be stable." in shown and "FSI, FED" in " ".join(shown.split())
    with pytest.raises(p2n.StabilityError, match="No scheme that reaches time 1"):
        _ = advice.best


@pytest.mark.parametrize(
    "arguments,options,words",
    [
        ((PM, 0), {}, "stopping time must be positive"),
        ((PM, sp.oo), {}, "stopping time must be finite"),
        ((PM, h), {}, "stopping time must be a number"),
        ((PM, 1, p2n.Grid(h)), {}, "give h a value"),
        ((3, 1), {}, "problem must be a Problem"),
        ((PM, 1, 3), {}, "grid must be a Grid"),
        ((PM, 1), {"cycles": (0,)}, "at least 1"),
        ((PM, 1), {"steps": 0}, "at least 1"),
        ((PM, 1), {"tolerance": 0}, "positive"),
        ((PM, 1), {"measure": 8}, r"one size per axis \(x, y\)"),
        ((PM, 1), {"measure": (8,)}, r"one size per axis \(x, y\)"),
        ((PM, 1), {"measured": (8, 8)}, 'Did you mean "measure"'),
        ((PM,), {}, "time"),
    ],
)
def test_bad_questions_are_refused(arguments, options, words):
    with pytest.raises(p2n.DeclarationError, match=words):
        p2n.advise(*arguments, **options)


def rich_of(advice, width):
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(advice)
    return console.export_text()


def html_of(advice):
    return advice._repr_html_()


def test_text_shows_schemes_claims_and_a_call_to_copy(advice):
    shown = str(advice)
    assert "time 100" in shown and "largest explicit step is 1/4" in shown.replace("\n", " ")
    assert f"Cheapest that is proved: scheme = {advice.best.call}" in shown
    for row in advice.rows:
        assert notation(row.scheme) in shown
    assert "l2, maximum, energy, mean" in shown and "l2*" in shown


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_the_terminal_table_loses_nothing(advice, width):
    shown = rich_of(advice, width)
    assert "…" not in shown and max(map(len, shown.splitlines())) <= max(width, 72)
    squeezed = "".join(shown.split())
    assert "energy,mean" in squeezed or width < 120
    if width >= 100:
        assert "FSI(tau=5/21, cycle_length=35)" in shown


def test_html_is_a_table(advice):
    shown = html_of(advice)
    assert shown.count("<tr>") == len(advice.rows) + 1 and "tau^2/h^2" in shown


def test_json_says_the_same(advice):
    data = json.loads(advice.to_json())
    assert data["time"] == "100" and data["limit"] == "1/4" and data["shape"] is None
    assert [r["call"] for r in data["rows"]] == [r.call for r in advice.rows]
    assert [r["proved"] for r in data["rows"]] == [list(r.proved) for r in advice.rows]
    assert len(data["left_out"]) == len(advice.left_out)


def test_measured_advice_is_sorted_by_seconds():
    advice = p2n.advise(FIDELITY, 2, cycles=(2,), steps=2, measure=(16, 12))
    seconds = [r.seconds for r in advice.rows if r.stable == "proved" and r.seconds is not None]
    assert advice.shape == (16, 12) and seconds == sorted(seconds) and min(seconds) > 0
    assert "seconds for 16 x 12" in str(advice) and "Fastest" in str(advice)


def test_what_cannot_be_measured_says_why():
    problem = diffusion(lambda s2: 1 / (1 + s2 / lam**2), 1)
    row = p2n.advise(problem, 1, measure=(16,)).rows[0]
    assert row.seconds is None and row.note.startswith("Not measured: ") and "lambda" in row.note


def test_it_imports_no_torch():
    program = (
        "import sys, sympy as sp, pde2net as p2n\n"
        "x, t = sp.symbols('x t', real=True)\n"
        "u = sp.Function('u')(x, t)\n"
        "print(p2n.advise(p2n.Problem(sp.Eq(u.diff(t), p2n.laplacian(u))), 3))\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
