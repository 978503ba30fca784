"""The model of work: stages are counted exactly, solves by formulas that are checked against solvers."""

import math

import numpy as np
import pytest
from support import dense, diffusion, equation, uncertified, unknown

import pde2net as p2n
from pde2net import laplacian
from pde2net.graph.interpret.solve import conjugate_gradients
from pde2net.graph.network import depth
from pde2net.guidance.limit import prepared
from pde2net.guidance.work import krylov_iterations, work

HEAT = {dim: prepared(p2n.Problem(equation(laplacian(unknown(dim)), dim))) for dim in (1, 2, 3)}
PM = prepared(diffusion(lambda s2: 1 / (1 + s2), 2))


@pytest.mark.parametrize(
    "scheme,evaluations",
    [
        (p2n.Explicit(0.25, 400), 400),
        (p2n.DuFortFrankel(0.25, steps=7), 7),
        (p2n.FSI(0.25, 35, 3), 105),
        (p2n.FED(0.25, 35, 3), 105),
        (p2n.RKL(1, 10, 9, 5), 45),
        (p2n.RKL(2, 10, 9, 5), 50),
    ],
)
def test_stacks_count_their_blocks(scheme, evaluations):
    """And order 2 of RKL the start of each step."""
    assert work(scheme, HEAT[2]) == evaluations
    stages = depth(uncertified(HEAT[2].problem, scheme).looped)
    assert stages == evaluations - (5 if isinstance(scheme, p2n.RKL) and scheme.order == 2 else 0)


@pytest.mark.parametrize("size,tolerance", [(4, 1e-2), (40, 1e-4), (400, 1e-6), (4000, 1e-8)])
def test_the_bound_of_krylov_iterations_is_one(size, tolerance):
    """After that many iterations the error of conjugate gradients in the norm of the matrix is below it."""
    k = dense(60, "reflecting", 1, half=True)
    matrix = np.eye(60) + size / 4 * k.T @ k
    rhs = np.random.default_rng(0).normal(size=60)
    exact = np.linalg.solve(matrix, rhs)
    count = krylov_iterations(size, tolerance)
    found = conjugate_gradients(lambda v: matrix @ v, rhs[:, None], 0 * rhs[:, None], 0.0, count)[:, 0]
    error = found - exact
    assert math.sqrt(error @ matrix @ error) <= tolerance * math.sqrt(exact @ matrix @ exact)
    assert count < 1 + math.sqrt(1 + size) * math.log(2 / tolerance) / 2


def test_solves_cost_more_with_longer_steps_and_tighter_tolerance():
    def implicit(tau, tol):
        return work(p2n.Implicit(tau, 1, p2n.Kacanov(tol=tol, preconditioner="none")), PM)

    assert implicit(1, 1e-2) < implicit(10, 1e-2) < implicit(10, 1e-4)
    assert work(p2n.Implicit(10, 1, p2n.Kacanov(tol=1e-2)), HEAT[2]) < implicit(10, 1e-2)
    assert work(p2n.Theta(10, 1, solver=p2n.Kacanov(tol=1e-2)), PM) < implicit(10, 1e-2)


def test_tridiagonal_systems_do_not_depend_on_the_step():
    one, two = (work(p2n.Implicit(tau, 5, p2n.Kacanov(iterations=1)), HEAT[1]) for tau in (1, 1000))
    assert one == two == 5 * work(p2n.Implicit(1, 1, p2n.Kacanov(iterations=1)), HEAT[1])
    assert work(p2n.AOS(1, 4), PM) == work(p2n.AOS(1000, 4), PM)


@pytest.mark.parametrize("dim,weight", [(1, 2), (2, 4 / 3), (3, 8 / 7)])
def test_grids_of_multigrid_are_weighted_by_their_size(dim, weight):
    v = work(p2n.Multigrid(1, 2, pre=2, post=1, cycles=3), HEAT[dim])
    assert v == pytest.approx(2 * 3 * 5 * weight)
    w, full = (work(p2n.Multigrid(1, 2, pre=2, post=1, cycles=3, cycle=c), HEAT[dim]) for c in ("W", "FMG"))
    assert v < full < v * weight and v < w


def test_linear_means_that_the_operator_does_not_depend_on_u():
    u = unknown(2)
    f = p2n.Problem(equation(p2n.div(u**2 * p2n.grad(u)), 2))
    assert HEAT[2].semi.form.linear_flux and not PM.semi.form.linear_flux
    assert not prepared(f).semi.form.linear_flux
