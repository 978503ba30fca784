"""An axis of one cell: nothing differs along it, so what is computed is what the equation without it says."""

import warnings

import numpy as np
import pytest
import sympy as sp
import torch
from support import along, dense, equation, product, t, uncertified, unknown, y, z

import pde2net as p2n
from pde2net import div, grad, hessian, laplacian, norm2, smooth
from pde2net.discretise.operators import Difference
from pde2net.discretise.stencils import central, half_point, second
from pde2net.graph.interpret import Interpreter

R = sp.Rational
TAU = R(1, 100)
TOL = R(1, 10**9)
RNG = np.random.default_rng(3)
CLOSED = ("reflecting", "periodic")


def perona_malik(u):
    return div(grad(u) / (1 + norm2(grad(u))))


def regularised(u):
    return div(grad(u) / (1 + norm2(grad(smooth(u, 1)))))


def you_kaveh(u):
    return -laplacian(laplacian(u) / (1 + laplacian(u) ** 2))


def fidelity(u):
    return laplacian(u) - u


SCHEMES = {
    "explicit": p2n.Explicit(TAU, 3),
    "Du Fort-Frankel": p2n.DuFortFrankel(TAU, alpha=4, steps=3),
    "FSI": p2n.FSI(TAU, 3, 2),
    "RKL": p2n.RKL(2, TAU, 4, 2),
    "Kacanov": p2n.Implicit(TAU, 2, p2n.Kacanov(tol=TOL)),
    "Newton": p2n.Theta(TAU, 2, solver=p2n.Newton(tol=TOL)),
    "multigrid": p2n.Multigrid(TAU, 2, cycles=30, tol=TOL),
    "red-black": p2n.Multigrid(TAU, 1, cycles=30, tol=TOL, smoother="red-black"),
}


def without_first(dimension):
    """The unknown in the last axes only."""
    return sp.Function("u")(*(y, z)[: dimension - 1], t)


def compared(made, scheme, grid, boundary, shape):
    """What the network of `shape` and that without its axis of one cell compute, and their gradients."""
    dimension = len(shape)
    whole = p2n.Problem(equation(made(unknown(dimension)), dimension), boundary=boundary)
    u = without_first(dimension)
    less = p2n.Problem(sp.Eq(u.diff(t), made(u)), boundary=boundary)
    one = shape.index(1)
    own = torch.from_numpy(RNG.normal(size=(2, 1, *shape))).requires_grad_()
    other = own.detach().squeeze(2 + one).requires_grad_()
    found = uncertified(whole, scheme, grid).module().double()(own)
    expected = uncertified(less, scheme, grid).module().double()(other)
    found.square().sum().backward()
    expected.square().sum().backward()
    return (found.squeeze(2 + one), own.grad.squeeze(2 + one)), (expected, other.grad)


@pytest.mark.parametrize(
    ("made", "scheme", "boundary", "gradient"),
    [
        *product([perona_malik], SCHEMES, CLOSED, ["forward"]),
        *product([perona_malik], ["explicit", "Kacanov"], CLOSED, ["staggered", "central"]),
        *product([regularised, you_kaveh, fidelity], ["explicit", "RKL"], CLOSED, ["forward"]),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@pytest.mark.parametrize("shape", [(1, 9), (9, 1)], ids=str)
def test_it_is_the_problem_without_the_axis(made, scheme, boundary, gradient, shape):
    found, expected = compared(made, SCHEMES[scheme], p2n.Grid(gradient=gradient), boundary, shape)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("shape", [(1, 6, 5), (6, 1, 5), (6, 5, 1)], ids=str)
@pytest.mark.parametrize("boundary", CLOSED)
def test_a_volume_of_one_slice_is_an_image(shape, boundary):
    for made in (perona_malik, lambda u: -div(div(hessian(u) / (1 + norm2(hessian(u)))))):
        found, expected = compared(made, p2n.Explicit(R(1, 200), 2), p2n.Grid(), boundary, shape)
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s != "Du Fort-Frankel"])  # starts with u- = u
@pytest.mark.parametrize("boundary", CLOSED)
def test_of_a_single_cell_reactions_are_left(scheme, boundary):
    """u_t = -u, whose amplitude all schemes approach."""
    made = uncertified(p2n.Problem(equation(fidelity(unknown(2)), 2), boundary=boundary), SCHEMES[scheme])
    u = torch.from_numpy(RNG.normal(size=(3, 1, 1, 1)))
    factor = made.module().double()(u) / u
    time = float(SCHEMES[scheme].duration(TAU))
    torch.testing.assert_close(factor, torch.full_like(factor, np.exp(-time)), rtol=1e-3, atol=0)
    torch.testing.assert_close(factor[:1].expand_as(factor), factor, rtol=1e-9, atol=0)


@pytest.mark.parametrize("boundary", CLOSED)
def test_additive_splitting_takes_the_mean_over_all_axes(boundary):
    """(u + (I + 2 tau A)^-1 u)/2: that along the axis of one cell solves nothing."""
    made = uncertified(p2n.Problem(equation(laplacian(unknown(2)), 2), boundary=boundary), p2n.AOS(TAU))
    u = RNG.normal(size=(1, 9))
    k = dense(9, boundary, 1, half=True)
    solved = np.linalg.solve(np.eye(9) + 2 * float(TAU) * k.T @ k, u[0])
    for found in (made.module().double()(torch.from_numpy(u)[None, None])[0, 0], Interpreter(made.graph)(u)):
        np.testing.assert_allclose(found, (u + solved) / 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [2, 4])
def test_a_neighbour_beyond_a_zero_border_is_0(order):
    problem = p2n.Problem(equation(laplacian(unknown(2)), 2), boundary="dirichlet")
    made = uncertified(problem, p2n.Explicit(TAU), p2n.Grid(order=order))
    for shape in ((1, 7), (7, 1), (1, 1)):
        u = RNG.normal(size=shape)
        rates = []
        for axis, n in enumerate(shape):
            k = dense(n, "dirichlet", 1, order, half=True)
            rates.append(along(k.T @ k, axis, u))
        found = made.module().double()(torch.from_numpy(u)[None, None])[0, 0]
        np.testing.assert_allclose(found, u - float(TAU) * sum(rates), rtol=0, atol=1e-13)
        np.testing.assert_allclose(found, Interpreter(made.graph)(u), rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", CLOSED)
@pytest.mark.parametrize(
    "stencil", [half_point(2), half_point(4), central(2), central(4), second(2), second(4)], ids=str
)
def test_short_axes_have_exact_adjoints(boundary, stencil):
    """Against matrices from index arithmetic, from the fewest cells on."""
    difference = Difference(0, stencil, sp.S.One, boundary)
    for n in range(stencil.reach, 6):
        k = dense(n, boundary, stencil.derivative, stencil.order, stencil.half)
        np.testing.assert_allclose(difference.apply(np.eye(n), 1.0), k, rtol=0, atol=1e-14)
        np.testing.assert_allclose(difference.apply_adjoint(np.eye(n), 1.0), k.T, rtol=0, atol=1e-14)


@pytest.mark.parametrize("gradient", ["forward", "staggered", "central"])
@pytest.mark.parametrize("boundary", [*CLOSED, "dirichlet"])
def test_what_is_proved_holds_on_the_smallest_images(gradient, boundary):
    """The largest proved step, and all sizes up to four cells."""
    problem = p2n.Problem(equation(perona_malik(unknown(2)), 2), boundary=boundary)
    network = p2n.compile(problem, p2n.Explicit(None), p2n.Grid(gradient=gradient))
    assert network.certificate.claims["l2_stability"].status == "proved"
    module = network.module().double()
    for shape in product(range(1, 5), range(1, 5)):
        u = torch.from_numpy(
            RNG.normal(size=(20, 1, *shape)) * 10.0 ** RNG.integers(-5, 2, size=(20, 1, 1, 1))
        )
        after, before = module(u).flatten(1), u.flatten(1)
        assert (after.norm(dim=1) <= before.norm(dim=1) * (1 + 1e-12)).all(), shape
        if boundary != "dirichlet":
            torch.testing.assert_close(after.mean(1), before.mean(1), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("boundary", [*CLOSED, "dirichlet"])
def test_learned_filters_of_three_cells_reach_over_one(boundary):
    k = p2n.LinearOperator("K", 2, 3, border="continued" if boundary == "reflecting" else "inside")
    u = unknown(2)
    problem = p2n.Problem(equation(-k.adjoint(k(u) / (1 + k(u) ** 2)), 2), boundary=boundary)
    made = uncertified(problem, p2n.Explicit(TAU, 2), trainable=[k])
    module = made.module().double()
    filters = RNG.normal(size=(2, 1, 3, 3))
    (weight,) = (w for _, w in module.named_parameters())
    with torch.no_grad():
        weight.copy_(torch.from_numpy(filters))
    run = Interpreter(made.graph, filters={"K": filters})
    for shape in ((1, 6), (6, 1), (1, 1), (2, 3)):
        a = RNG.normal(size=shape)
        found = module(torch.from_numpy(a)[None, None])[0, 0].detach()
        np.testing.assert_allclose(found, run(a), rtol=1e-12, atol=1e-13)
        assert np.abs(found.numpy() - a).max() > 1e-6 or shape == (1, 1)  # where odd filters see nothing


def test_kernels_agree():
    problem = p2n.Problem(equation(perona_malik(unknown(2)), 2))
    made = uncertified(problem, p2n.Explicit(TAU, 5))
    plain, kernels = made.module().double(), made.module(backend="numba").double()
    for shape in ((1, 9), (9, 1), (1, 1)):
        own = torch.from_numpy(RNG.normal(size=(2, 1, *shape))).requires_grad_()
        other = own.detach().clone().requires_grad_()
        found, expected = kernels(own), plain(other)
        found.square().sum().backward()
        expected.square().sum().backward()
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(own.grad, other.grad, rtol=1e-12, atol=1e-13)


def test_blocks_of_one_row_are_made_from_their_whole():
    network = p2n.compile(p2n.Problem(equation(perona_malik(unknown(2)), 2)), p2n.Explicit(TAU, 2))
    image = RNG.normal(size=(1, 40))
    expected = network.module().double()(torch.from_numpy(image)[None, None])[0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(network.map_blocks(image), expected)


# -- what needs more cells -------------------------------------------------------------------------


@pytest.mark.parametrize("gradient", ["forward", "central"])
def test_stencils_that_reach_over_two_cells_need_them(gradient):
    problem = p2n.Problem(equation(laplacian(unknown(2)), 2))
    made = uncertified(problem, p2n.Explicit(TAU), p2n.Grid(order=4, gradient=gradient))
    module = made.module()
    with pytest.raises(ValueError, match="the stencil needs 2 cells along y, not 1"):
        module(torch.rand(1, 1, 9, 1))
    u = RNG.normal(size=(2, 3))
    found = module.double()(torch.from_numpy(u)[None, None])[0, 0]
    np.testing.assert_allclose(found, Interpreter(made.graph)(u), rtol=0, atol=1e-13)


def test_no_cell_is_at_both_sides():
    """Bounds of certificates take the larger one of two sides, not their sum."""
    sides = {"x": (p2n.value(1), p2n.value(0)), "y": "reflecting"}
    made = uncertified(p2n.Problem(equation(laplacian(unknown(2)), 2), boundary=sides), p2n.Explicit(TAU))
    module = made.module()
    assert module(torch.rand(1, 1, 2, 1)).shape == (1, 1, 2, 1)
    with pytest.raises(ValueError, match="the stencil needs 2 cells along x, not 1"):
        module(torch.rand(1, 1, 1, 9))
