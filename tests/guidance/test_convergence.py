"""`convergence`: orders are those of theory, errors those of formulas, sources those derived by hand."""

import math

import numpy as np
import pytest
import sympy as sp
from support import beta, diffusion, equation, lam, t, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2, smooth, tensor

PI, R = sp.pi, sp.Rational
u, u2 = unknown(1), unknown(2)
v = sp.Function("v")(x, t)
HEAT = p2n.Problem(equation(laplacian(u), 1))
PERONA_MALIK = diffusion(lambda s2: 1 / (1 + s2 / lam**2), 2, parameters={lam: 5})
DECAY = sp.exp(-(PI**2) * t) * sp.cos(PI * x)
WAVE = sp.exp(-t) * sp.cos(PI * x)
WAVES = WAVE * sp.cos(PI * y)
FEW = p2n.Explicit(R(1, 1000), 4)


def test_the_errors_are_those_of_the_discrete_mode():
    """cos(pi x) is an eigenvector: a step multiplies it by 1 - 4 tau/h² sin²(pi h/2)."""
    found = p2n.convergence(HEAT, DECAY, p2n.Explicit(R(1, 200), 8), (0, 1), cells=8)
    assert not found.manufactured and found.end == R(1, 25)
    for level, n in zip(found.space.levels, (8, 16, 32), strict=True):
        h, steps = 1 / n, 8 * (n // 8) ** 2
        factor = (1 - 4 * n**2 / 25 / steps * math.sin(math.pi * h / 2) ** 2) ** steps
        amplitude = abs(factor - math.exp(-(math.pi**2) / 25))
        assert level.shape == (n,) and level.spacing == (R(1, n),) and level.steps == steps
        assert level.maximum == pytest.approx(amplitude * math.cos(math.pi * h / 2), rel=1e-9)
        assert level.l2 == pytest.approx(amplitude * math.sqrt(0.5), rel=1e-9)
    assert found.space.order == math.log2(found.space.levels[1].l2 / found.space.levels[2].l2)


@pytest.mark.parametrize(
    ("scheme", "order"),
    [
        (p2n.Explicit(None, 8), 1),
        (p2n.FED(R(1, 250), 3, 4), 1),
        (p2n.RKL(2, R(1, 100), 4, 8), 2),
        (p2n.RKC(2, R(1, 100), 4, 8), 2),
        (p2n.Implicit(R(1, 100), 8), 1),
        (p2n.Theta(R(1, 100), 8), 2),
        (p2n.Multigrid(R(1, 100), 1, cycles=8), 1),
    ],
    ids=lambda e: getattr(e, "label", str(e)),
)
def test_orders_in_space_and_time(scheme, order):
    found = p2n.convergence(HEAT, DECAY, scheme, (0, 1))
    assert found.space.order == pytest.approx(2, abs=0.1)
    assert found.time.order == pytest.approx(order, abs=0.15)


def test_stencils_of_order_4():
    found = p2n.convergence(
        HEAT.changed(boundary="periodic"),
        sp.exp(-t) * sp.sin(x),
        p2n.Explicit(R(1, 10), 3),
        (0, 2 * PI),
        grid=p2n.Grid(order=4),
    )
    assert found.space.order == pytest.approx(4, abs=0.1)
    assert [level.steps for level in found.space.levels] == [3, 48, 768]


@pytest.mark.parametrize(("gradient", "order"), [("forward", 1), ("staggered", 2), ("central", 2)])
def test_forward_differences_cost_an_order_in_two_dimensions(gradient, order):
    """docs/theory.md, section 6: the diffusivity takes slopes that are half a cell apart."""
    grid = p2n.Grid(gradient=gradient)
    found = p2n.convergence(PERONA_MALIK, WAVES, p2n.Explicit(R(1, 256), 4), (0, 1), grid=grid)
    assert found.manufactured
    assert found.space.order == pytest.approx(order, abs=0.1)
    assert found.time.order == pytest.approx(1, abs=0.1)


def test_forward_differences_keep_it_in_one():
    problem = diffusion(lambda s2: 1 / (1 + s2 / lam**2), parameters={lam: 5})
    found = p2n.convergence(problem, WAVE, p2n.Explicit(R(1, 256), 4), (0, 1))
    assert found.space.order == pytest.approx(2, abs=0.1)


def test_the_source_is_the_residual():
    """By hand: u_t = u_xx - u**3 of u = exp(-t) cos(pi x) leaves (pi² - 1) u + u**3."""
    found = p2n.convergence(p2n.Problem(equation(laplacian(u) - u**3, 1)), WAVE, FEW, (0, 1))
    (source,) = found.source
    assert sp.simplify(source - ((PI**2 - 1) * WAVE + WAVE**3)) == 0


def test_a_system():
    problem = p2n.Problem(
        [equation(laplacian(u) - u * v**2, 1), sp.Eq(v.diff(t), laplacian(v) / 2 + u * v**2)],
        boundary="periodic",
    )
    solutions = {"u": 2 + sp.exp(-t) * sp.sin(x), v: 1 + sp.exp(-2 * t) * sp.cos(x) / 2}
    found = p2n.convergence(problem, solutions, p2n.Explicit(R(1, 50), 4), (0, 2 * PI), cells=12)
    assert found.exact == tuple(solutions.values()) and all(s != 0 for s in found.source)
    assert found.space.order == pytest.approx(2, abs=0.1)
    assert found.time.order == pytest.approx(1, abs=0.1)


def test_values_and_fluxes_at_sides():
    """Values and fluxes that move with t, and a known field, which the flux contains too."""
    f = sp.Function("f")(x, y)
    sides = {x: (p2n.value(y * t), "reflecting"), y: (p2n.flux(-f * t), p2n.flux(f * t))}
    problem = p2n.Problem(equation(div(f * grad(u2)), 2), boundary=sides)
    solution = t * y + x**2 * (1 - x) ** 2
    found = p2n.convergence(problem, solution, FEW, (0, 1), cells=6, fields={f: 2 + x * y})
    assert found.space.order == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize("boundary", ["dirichlet", p2n.value(0)])
def test_zero_lies_at_the_first_centre_outside_or_on_the_face(boundary):
    problem = HEAT.changed(boundary=boundary)
    solution = sp.exp(-(PI**2) * t) * sp.sin(PI * x)
    found = p2n.convergence(problem, solution, p2n.Explicit(R(1, 400), 8), (0, 1), cells=7)
    assert found.space.order == pytest.approx(2, abs=0.1)
    assert [level.shape for level in found.space.levels] == (
        [(7,), (15,), (31,)] if boundary == "dirichlet" else [(7,), (14,), (28,)]
    )


def test_fourth_order_equations_in_their_own_steps():
    problem = p2n.Problem(equation(-(u.diff(x, 4)), 1))
    solution = sp.exp(-(PI**4) * t) * sp.cos(PI * x)
    found = p2n.convergence(problem, solution, p2n.Explicit(R(1, 40000), 8), (0, 1), levels=2)
    assert [level.steps for level in found.space.levels] == [8, 128]
    assert found.space.order == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize(
    "scheme", [p2n.Implicit(sp.oo), p2n.Multigrid(sp.oo, cycles=12)], ids=lambda s: s.label
)
def test_steady_states_have_an_order_in_space(scheme):
    problem = p2n.Problem(equation(laplacian(u2) - u2, 2))
    found = p2n.convergence(problem, sp.cos(PI * x) * sp.cos(2 * PI * y), scheme, (0, 1))
    assert found.time is None and found.end is None
    assert found.space.order == pytest.approx(2, abs=0.1)


def test_axes_of_their_own():
    solution = sp.exp(-2 * t) * sp.cos(x) * sp.cos(y)
    problem = p2n.Problem(equation(laplacian(u2), 2), boundary={x: "reflecting", y: "periodic"})
    found = p2n.convergence(problem, solution, FEW, {x: (0, PI), y: (0, 2 * PI)}, {x: 5, y: 8}, levels=2)
    assert [level.shape for level in found.space.levels] == [(5, 8), (10, 16)]
    assert found.space.levels[0].spacing == (PI / 5, PI / 4)


def test_what_is_exact_on_the_grid_has_no_order():
    problem = HEAT.changed(boundary={x: (p2n.robin(0, 1, -1), p2n.robin(0, 1, 1))})
    found = p2n.convergence(problem, x, FEW, (0, 1))
    assert found.space.order is None and "order none" in str(found)
    assert max(level.maximum for level in found.space.levels) < 1e-13


def test_its_table_has_the_levels():
    lines = str(p2n.convergence(PERONA_MALIK, WAVES, FEW, (0, 1), levels=2)).splitlines()
    assert lines[0] == "scheme    Explicit(tau=1/1000, steps=4)"
    assert lines[3] == "source    added to the equation of u"
    assert lines[4] == "errors    of the result at time 1/250"
    assert lines[6].startswith("in space: order ") and lines[-4].startswith("in time: order ")
    assert [line.split()[:3] for line in lines[8:10]] == [["8", "x", "8"], ["16", "x", "16"]]
    assert lines[7].split() == ["cells", "h", "tau", "steps", "l2", "order", "max", "order"]


# -- what is refused -------------------------------------------------------------------------------


def refused(problem, exact, domain=(0, 1), scheme=FEW, **options):
    with pytest.raises((p2n.DeclarationError, p2n.StabilityError)) as error:
        p2n.convergence(problem, exact, scheme, domain, **options)
    return str(error.value)


@pytest.mark.parametrize(
    ("boundary", "exact", "words"),
    [
        ("reflecting", sp.exp(-t) * sp.sin(PI * x), "at x = 0, reflecting asks for g du/dn = 0"),
        ("reflecting", sp.cos(PI * x / 2), "at x = 1, reflecting asks for g du/dn = 0"),
        ("dirichlet", WAVE, "at x = 0, dirichlet asks for u = 0"),
        ("periodic", WAVE, "periodic from 0 to 1 asks for u(x + 1) = u(x)"),
        ((p2n.value(1), "reflecting"), WAVE, "at x = 0, value 1 asks for u = 1"),
        (("reflecting", p2n.flux(t)), WAVE, "at x = 1, flux t asks for g du/dn = t"),
        ((p2n.robin(1, 2, 3), "reflecting"), WAVE, "robin(1, 2, 3) asks for 1*u + 2*du/dn = 3"),
    ],
    ids=str,
)
def test_solutions_that_do_not_fit_the_border(boundary, exact, words):
    assert words in refused(HEAT.changed(boundary={x: boundary}), exact)


def test_fluxes_of_tensors_cross_the_border_too():
    problem = p2n.Problem(equation(div(tensor(sp.Matrix([1, 2]), 2, 1) * grad(u2)), 2))
    assert "at x = 0, reflecting" in refused(problem, WAVES.subs(y, y + R(1, 3)))


def test_fourth_order_needs_two_conditions():
    problem = p2n.Problem(equation(-(u.diff(x, 4)), 1))
    assert "d³u/dx³ = 0" in refused(problem, x**3 * R(1, 3) - x**2 * R(1, 2))


K = p2n.LinearOperator("K", 2, 3)
F = sp.Function("f")(x)


@pytest.mark.parametrize(
    ("problem", "exact", "options", "words"),
    [
        (p2n.Problem(equation(div(grad(u) / (1 + norm2(grad(smooth(u, 1))))), 1)), WAVE, {}, "smoothing"),
        (p2n.Problem(equation(-K.adjoint(K(u)), 1)), WAVE, {}, '"K" is learned'),
        (HEAT.changed(channels=3), WAVE, {}, "each of 3 channels"),
        (HEAT, WAVE, {"scheme": p2n.Implicit(sp.oo)}, "depends on t"),
        (HEAT, sp.exp(-t) * sp.cos(PI * y), {}, "contains y"),
        (HEAT, unknown(1), {}, "it contains a function"),
        (HEAT, {"w": WAVE}, {}, 'exact names "w"'),
        (HEAT, sp.sqrt(x - R(1, 2)), {}, "no real value"),
        (HEAT, WAVE, {"domain": (1, 0)}, "ends at a larger number"),
        (HEAT, WAVE, {"domain": {x: 3}}, "two ends"),
        (HEAT, WAVE, {"levels": 1}, "at least 2"),
        (HEAT, WAVE, {"cells": 0}, "number of cells"),
        (HEAT, WAVE, {"grid": p2n.Grid(spacing=2)}, "follow from domain and cells"),
        (p2n.Problem(equation(beta * laplacian(u), 1)), WAVE, {}, "give beta a value"),
        (p2n.Problem(equation(laplacian(u) + F, 1)), WAVE, {}, "fields has no entry for f"),
        (HEAT, WAVE, {"scheme": p2n.Explicit(beta, 4)}, "give beta a value"),
        (HEAT, WAVE, {"scheme": p2n.Explicit(1000, 400)}, "not finite"),
    ],
    ids=str,
)
def test_refusals(problem, exact, options, words):
    assert words in refused(problem, exact, **options)


def test_coordinates_go_by_their_names():
    """Whatever is assumed of the symbols."""
    a, b = sp.Symbol("x"), sp.Symbol("t")
    found = p2n.convergence(HEAT, DECAY.subs({x: a, t: b}), FEW, (0, 1), levels=2)
    assert found.exact == (DECAY,) and np.isfinite(found.space.order)
