"""A border is a rule, outside = a inside + source: another is one row, refused where nothing is derived."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
import torch
from support import certified, equation, lam, unknown

import pde2net as p2n
from pde2net import div, grad, hessian, laplacian, norm2, smooth, tensor
from pde2net.discretise.operators import Difference
from pde2net.discretise.stencils import central, half_point, second
from pde2net.emit.operators import mean_function
from pde2net.errors import DeclarationError
from pde2net.graph.interpret.hierarchy import Axis
from pde2net.graph.interpret.interpreter import Interpreter
from pde2net.language.borders import BORDERS, Border

U = unknown(2)
K = p2n.LinearOperator("K", 2, 3)
F = sp.Function("f")(*U.args[:-1])
NEW = {
    border.name: border
    for border in (
        Border("odd", "odd", "odd", "odd beyond the border", factor=-1),
        Border("antiperiodic", "antiperiodic", "turned", "its negative on the other side", True, -1),
        Border("doubled", "doubled", "doubled", "doubled beyond the border", factor=2),
        Border("raised", "raised", "raised", "raised beyond the border", source=sp.S.One),
    )
}
DERIVED = ("reflecting", "periodic", "dirichlet", "odd", "antiperiodic")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    for name, border in NEW.items():
        monkeypatch.setitem(BORDERS, name, border)


def ruled(n, i, border):
    """(cell, factor) of a position i, by the definition of the border."""
    if 0 <= i < n:
        return i, 1
    if border == "dirichlet":
        return 0, 0
    if border in ("periodic", "antiperiodic"):
        cell, factor = ruled(n, i + n if i < 0 else i - n, border)
    else:
        cell, factor = ruled(n, -1 - i if i < 0 else 2 * n - 1 - i, border)
    return cell, factor if border in ("reflecting", "periodic") else -factor


def matrix(n, taps, border):
    """The rows sum_k w_k u[i + k], u going on as the border says."""
    found = np.zeros((n, n))
    for i in range(n):
        for offset, weight in taps.items():
            cell, factor = ruled(n, i + offset, border)
            found[i, cell] += weight * factor
    return found


def taps_of(stencil):
    return dict(zip(stencil.offsets, map(float, stencil.weights), strict=True))


AT_CELLS = [central(2), central(4), second(2), second(4)]


@pytest.mark.parametrize("border", DERIVED)
@pytest.mark.parametrize("stencil", AT_CELLS, ids=lambda s: f"{s.derivative}-{s.order}")
def test_differences_at_cells_follow_the_rule_and_have_exact_adjoints_and_norms(stencil, border):
    d = Difference(0, stencil, sp.S.One, BORDERS[border].closure)
    for n in (stencil.span, 9):
        expected = matrix(n, taps_of(stencil), border)
        columns = [d.apply(e, 1.0) for e in np.eye(n)]
        np.testing.assert_allclose(np.array(columns).T, expected, atol=1e-15)
        exact = [np.array([Fraction(int(i == j)) for i in range(n)], dtype=object) for j in range(n)]
        forward = np.array([d.apply(e, Fraction(1)) for e in exact])
        backward = np.array([d.apply_adjoint(e, Fraction(1)) for e in exact])
        assert (forward == backward.T).all()
        assert np.linalg.norm(expected, 2) ** 2 <= float(stencil.squared_norm) * (1 + 1e-12)


def network(rhs, border, tau, **grid):
    problem = p2n.Problem(equation(rhs, 2), boundary=border, parameters={lam: 2})
    return certified(problem, tau, 1, p2n.Grid(**grid))


def both(made, u):
    """The step by the interpreter, which the emitted module has to repeat."""
    found = Interpreter(made.graph)(u)
    module = made.module().double()
    np.testing.assert_allclose(module(torch.from_numpy(u)[None, None])[0, 0].numpy(), found, rtol=1e-12)
    return found


@pytest.mark.parametrize("border", DERIVED)
@pytest.mark.parametrize("order", [2, 4])
def test_fourth_order_diffusion_at_every_border(border, order):
    """You and Kaveh: u - tau L (g(|L u|^2) L u) with the matrices of the second differences."""
    made = network(
        -laplacian(laplacian(U) / (1 + laplacian(U) ** 2 / lam**2)), border, sp.Rational(1, 128), order=order
    )
    u = np.random.default_rng(0).normal(size=(8, 6))
    rows, columns = (matrix(n, taps_of(second(order)), border) for n in u.shape)
    q = rows @ u + u @ columns.T
    flux = q / (1 + q**2 / 4)
    expected = u - (rows @ flux + flux @ columns.T) / 128
    np.testing.assert_allclose(both(made, u), expected, rtol=1e-12)
    claims = made.certificate.claims
    assert claims["l2_stability"].status == p2n.Status.PROVED
    kept = border in ("reflecting", "periodic")
    assert (claims["mean_preservation"].status == p2n.Status.PROVED) == kept


@pytest.mark.parametrize("border", DERIVED)
def test_central_differences_and_gaussians_at_every_border(border):
    """Catté et al.: u + tau div(g(|grad u_sigma|^2) grad u), K the matrices of central differences."""
    rhs = div(grad(U) / (1 + norm2(grad(smooth(U, 1))) / lam**2))
    made = network(rhs, border, sp.Rational(1, 8), gradient="central")
    u = np.random.default_rng(1).normal(size=(7, 5))
    if border == "dirichlet":  # zeros outside are cells of a larger grid, with slopes of their own
        both(made, u)
        return
    taps = {k: np.exp(-(k**2) / 2) for k in range(-4, 5)}
    taps = {k: w / sum(taps.values()) for k, w in taps.items()}
    kx, ky = (matrix(n, taps_of(central(2)), border) for n in u.shape)
    gx, gy = (matrix(n, taps, border) for n in u.shape)
    smoothed = gx @ u @ gy.T
    g = 1 / (1 + ((kx @ smoothed) ** 2 + (smoothed @ ky.T) ** 2) / 4)
    expected = u - (kx.T @ (g * (kx @ u)) + (g * (u @ ky.T)) @ ky) / 8
    np.testing.assert_allclose(both(made, u), expected, rtol=1e-12)


HEAT = laplacian(U)
REFUSED = [
    ("odd", HEAT, p2n.Grid(), "Differences at half-points"),
    ("antiperiodic", HEAT, p2n.Grid(gradient="staggered"), "Differences at half-points"),
    ("odd", div(tensor(sp.Matrix([1, 2]), 1, 2) * grad(U)), p2n.Grid(), "Differences at half-points"),
    ("odd", -div(div(hessian(U) / (1 + norm2(hessian(U))))), p2n.Grid(), "Differences at half-points"),
    ("odd", -K.adjoint(K(U)), p2n.Grid(), "Learned filters"),
    ("odd", div(grad(U) / (1 + norm2(grad(F)))), p2n.Grid(gradient="central"), "Slopes of known fields"),
    ("doubled", -laplacian(HEAT), p2n.Grid(), "Norms of operators"),
    ("raised", -laplacian(HEAT), p2n.Grid(), "Norms of operators"),
]


@pytest.mark.parametrize("border,rhs,grid,what", REFUSED, ids=lambda v: str(v)[:24])
def test_what_is_not_derived_for_a_border_is_refused_in_words(border, rhs, grid, what):
    problem = p2n.Problem(equation(rhs, 2), boundary=border)
    with pytest.raises(DeclarationError, match=f'{what} are not derived for the border "{border}"'):
        p2n.compile(problem, p2n.Explicit(tau=sp.Rational(1, 1000), steps=1), grid)


def test_nested_grids_refuse_a_border_that_they_do_not_know():
    problem = p2n.Problem(equation(-laplacian(HEAT), 2), boundary="odd")
    with pytest.raises(DeclarationError, match='Nested grids are not derived for the border "odd"'):
        p2n.compile(problem, p2n.Multigrid(tau=1))
    with pytest.raises(DeclarationError, match="Nested grids"):
        Axis(8, 1, BORDERS["odd"])


def test_means_over_edges_refuse_a_border_that_they_do_not_know():
    with pytest.raises(DeclarationError, match='Means over edges are not derived for the border "odd"'):
        mean_function("odd")


def test_half_points_take_the_rule_where_it_is_derived():
    for border in ("reflecting", "periodic"):
        d = Difference(0, half_point(2), sp.S.One, border)
        columns = np.array([d.apply(e, 1.0) for e in np.eye(6)]).T
        np.testing.assert_array_equal(columns, matrix(6, {0: -1.0, 1: 1.0}, border))


def test_closures_name_one_border_each():
    assert len({b.closure for b in BORDERS.values()}) == len(BORDERS)


@pytest.mark.parametrize(
    ("word", "meant"), [("neumann", "reflecting"), ("Symmetric", "reflecting"), ("zeros", "dirichlet")]
)
def test_words_of_others_are_understood(word, meant):
    with pytest.raises(DeclarationError, match=f'It is called "{meant}" here'):
        p2n.Problem(equation(laplacian(U), 2), word)
