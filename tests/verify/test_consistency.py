"""Orders and leading terms of the truncation error against numbers that share nothing with the expansion."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from support import AXES, beta, diffusion, equation, h, lam, runner, tau, unknown, x, y

import pde2net as p2n
from pde2net import div, grad, laplacian, norm2
from pde2net.discretise.semidiscretise import semidiscretise
from pde2net.graph.build import explicit_steps
from pde2net.normalise.recognise import recognise
from pde2net.scheme.stack import TAU
from pde2net.verify.expansion import Expansion

u1, u2 = unknown(1), unknown(2)
f2 = sp.Function("f")(x, y)
VALUES = {lam: sp.Rational(3, 2), beta: sp.Rational(2, 3)}


def perona_malik(s):
    return 1 / (1 + s / lam**2)


def you_kaveh(u):
    v = laplacian(u)
    return -laplacian(v / (1 + v**2 / lam**2))


def claim_of(problem, **grid):
    return p2n.verify(problem, p2n.Explicit(tau=tau), p2n.Grid(**{"spacing": h, **grid})).claims[
        "consistency"
    ]


def figures(claim):
    return claim.hypotheses[0].figures


# (name, right-hand side, dimension, grid, order in h)
CASES = [
    ("heat", laplacian(u1), 1, {}, 2),
    ("heat, order 4", laplacian(u1), 1, {"order": 4}, 4),
    ("heat, central", laplacian(u2), 2, {"gradient": "central"}, 2),
    ("heat, central, order 4", laplacian(u1), 1, {"gradient": "central", "order": 4}, 4),
    ("biharmonic", -laplacian(laplacian(u2)), 2, {}, 2),
    ("biharmonic, order 4", -laplacian(laplacian(u1)), 1, {"order": 4}, 4),
    ("Perona-Malik 1D", diffusion(perona_malik).rhs, 1, {}, 2),
    ("Perona-Malik 1D, order 4", diffusion(perona_malik).rhs, 1, {"order": 4}, 4),
    ("Perona-Malik 2D", diffusion(perona_malik, 2).rhs, 2, {}, 1),
    ("Perona-Malik 2D, staggered", diffusion(perona_malik, 2).rhs, 2, {"gradient": "staggered"}, 2),
    ("Perona-Malik 2D, central", diffusion(perona_malik, 2).rhs, 2, {"gradient": "central"}, 2),
    ("exponential 2D, central, order 4", diffusion(lambda s: sp.exp(-s / 4), 2).rhs, 2,
     {"gradient": "central", "order": 4}, 4),
    ("separate axes", sp.Derivative(u2.diff(x) ** 3, x) + sp.Derivative(u2.diff(y), y), 2, {}, 2),
    ("You-Kaveh", you_kaveh(u2), 2, {}, 2),
    ("porous medium", laplacian(u1**2), 1, {}, 2),
    ("diffusivity of position", div((2 + sp.sin(x)) * grad(u1)), 1, {}, 2),
    ("reaction", laplacian(u1) + u1 * (1 - u1), 1, {}, 2),
    ("source of position", laplacian(u2) + beta * (sp.cos(y) - u2), 2, {}, 2),
]  # fmt: skip
PARAMETERS = [pytest.param(*case[1:], id=case[0]) for case in CASES]


def smooth(dim):
    """A function without symmetries."""
    parts = [sp.sin(a * (2 + k) / 3 + sp.Rational(k + 1, 5)) for k, a in enumerate(AXES[:dim])]
    return sp.Rational(6, 5) + sp.prod(parts) + parts[0] / 3


def exact_rate(rhs, dim, at):
    """The right-hand side of the equation at a smooth function, by SymPy's own derivatives."""
    value = rhs.subs(unknown(dim), smooth(dim)).doit().subs(VALUES)
    return float(sp.N(value.subs(dict(zip(AXES, at, strict=False))), 30))


def discrete_rate(rhs, dim, grid, width, at):
    """(step(u) - u)/tau at the middle of a small grid, in float64 by the interpreter of the network."""
    problem = p2n.Problem(equation(rhs, dim), parameters={s: VALUES[s] for s in VALUES if rhs.has(s)})
    cells, step = 15, 1.0
    origin = {a: sp.Float(c, 30) - 7 * sp.Float(width, 30) for a, c in zip(AXES, at, strict=False)}
    run = runner(problem, step, grid=p2n.Grid(spacing=width, origin=origin, **grid))
    axes = [float(c) + width * (np.arange(cells) - 7) for c in at]
    values = sp.lambdify(AXES[:dim], smooth(dim), "numpy")(*np.meshgrid(*axes, indexing="ij"))
    u0 = np.asarray(values * np.ones((cells,) * dim))
    return float((run(u0) - u0)[(7,) * dim] / step)


@pytest.mark.parametrize("rhs,dim,grid,order", PARAMETERS)
def test_the_order_is_the_slope_of_the_error(rhs, dim, grid, order):
    claim = claim_of(p2n.Problem(equation(rhs, dim)), **grid)
    assert claim.status == "proved"
    assert figures(claim)["order in h"] == order and figures(claim)["order in tau"] == 1
    at = (0.3, 0.4)[:dim]
    exact = exact_rate(rhs, dim, at)
    widths = spacings(rhs, order)
    errors = [abs(discrete_rate(rhs, dim, grid, w, at) - exact) for w in widths]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)


def spacings(rhs, order):
    """Small, and yet large enough that rounding, of 1e-16/h^4 at most, stays far below the error."""
    if order < 4:
        return 0.08, 0.04
    fourth = any(d.derivative_count == 4 for d in rhs.atoms(sp.Derivative))
    return (0.2, 0.1) if fourth else (0.1, 0.05)


def expansion(rhs, dim, grid, order):
    semi = semidiscretise(recognise(p2n.Problem(equation(rhs, dim))), p2n.Grid(**{"spacing": h, **grid}))
    found = Expansion(semi, explicit_steps(semi, TAU, 1), order)
    return [found.render(c) for c in found.rate]


def at_smooth(expression, dim, at):
    """A coefficient at the smooth function, for h = 1."""
    place = dict(zip(AXES, at, strict=False))
    jets = {}
    for symbol in expression.free_symbols - {*AXES, *VALUES, h}:
        derivative = smooth(dim)
        for letter in symbol.name[2:]:
            derivative = sp.diff(derivative, {a.name: a for a in AXES}[letter])
        jets[symbol] = derivative.subs(place)
    return float(sp.N(expression.subs(jets).subs(place).subs(VALUES).subs(h, 1), 20))


@pytest.mark.parametrize("rhs,dim,grid,order", PARAMETERS)
def test_the_coefficients_are_those_of_the_error(rhs, dim, grid, order):
    """The first is the right-hand side, the last the error in the limit of small spacings, extrapolated."""
    at = (0.3, 0.4)[:dim]
    rate, exact = expansion(rhs, dim, grid, order), exact_rate(rhs, dim, at)
    assert at_smooth(rate[0], dim, at) == pytest.approx(exact, rel=1e-12)
    assert all(c == 0 for c in rate[1:order])
    widths = spacings(rhs, order)
    ratios = [(discrete_rate(rhs, dim, grid, w, at) - exact) / w**order for w in widths]
    weight = 2 if order == 1 else 4  # the next term is of order 2, or for even stencils two orders higher
    limit = (weight * ratios[1] - ratios[0]) / (weight - 1)
    assert limit == pytest.approx(at_smooth(rate[order], dim, at), rel=0.03)


def test_leading_terms_of_the_heat_equation():
    claim = claim_of(p2n.Problem(equation(laplacian(u1), 1)))
    u_xxxx, u_tt = sp.symbols("u_xxxx u_tt", real=True)
    assert sp.simplify(figures(claim)["leading error in h"] + h**2 * u_xxxx / 12) == 0
    assert sp.simplify(figures(claim)["leading error in tau"] - tau * u_tt / 2) == 0
    assert "O(tau + h**2)" in claim.reason and "u_xxxx" in claim.reason


def test_the_time_order_is_the_slope_of_one_step():
    """One explicit step against the exact solution exp(-mu t) of the semidiscrete equation."""
    errors = []
    for step in (0.02, 0.01):
        run = runner(p2n.Problem(equation(laplacian(u1), 1), boundary="periodic"), step)
        u0 = np.cos(2 * np.pi * np.arange(8) / 8)
        mu = 4 * np.sin(np.pi / 8) ** 2
        errors.append(float(abs(run(u0) - mpmath.exp(-mu * step) * u0).max() / step))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(1, abs=0.05)


def test_what_is_told_about_forward_differences_in_the_plane():
    claim = claim_of(diffusion(perona_malik, 2))
    assert "O(tau + h)" in claim.reason and "staggered" in claim.reason


def test_unequal_spacings_are_named():
    claim = claim_of(p2n.Problem(equation(laplacian(u2), 2)), spacing={x: 1, y: 2})
    assert "h_x**2" in claim.reason and "h_y**2" in claim.reason


def test_a_reaction_alone_has_an_order_in_time_only():
    claim = claim_of(p2n.Problem(equation(-u1, 1)))
    assert claim.status == "proved" and "order in h" not in figures(claim)
    assert "O(tau)" in claim.reason


def test_a_known_field_is_expanded_too():
    """f enters at half-points as a mean, its slopes live there; in the plane slopes cost an order."""
    f1 = sp.Function("f")(x)
    line = claim_of(p2n.Problem(equation(div(grad(u1) / (1 + norm2(grad(f1)))), 1)))
    assert figures(line)["order in h"] == 2
    mean = claim_of(p2n.Problem(equation(div(f2 * grad(u2)), 2)))
    slopes = claim_of(p2n.Problem(equation(div(grad(u2) / (1 + norm2(grad(f2)))), 2)))
    assert figures(mean)["order in h"] == 2 and figures(slopes)["order in h"] == 1


def test_what_is_not_smooth_is_unknown():
    g = sp.Min(1, f2**2, x**2)
    claim = claim_of(p2n.Problem(equation(div(g * grad(u2)), 2)))
    assert claim.status == "unknown" and "smooth" in claim.reason
