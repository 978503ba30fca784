"""Derivatives where a solve or an iteration meets an image that it solves at once, early, or to rounding."""

import numpy as np
import pytest
import sympy as sp
import torch
from support import diffusion, equation, lam, uncertified, unknown

import pde2net as p2n
from pde2net.graph.interpret import Interpreter

KRYLOV = ("none", "diagonal", "multigrid")
EXACT = {"linear_tol": 1e-12, "linear_iterations": 60}


def heat(dim, **options):
    return p2n.Problem(equation(p2n.laplacian(unknown(dim)), dim), **options)


def charbonnier(dim, **options):
    return diffusion(lambda s: (1 + s / lam**2) ** sp.Rational(-1, 2), dim, parameters={lam: 0.7}, **options)


def biharmonic(dim, **options):
    return p2n.Problem(equation(-p2n.laplacian(p2n.laplacian(unknown(dim))), dim), **options)


def implicit(solver, preconditioner, **options):
    return p2n.Implicit(3, 1, solver(preconditioner=preconditioner, **options, **EXACT))


def images(shape):
    """0, a constant, a step, a ramp, a checkerboard, noise; a batch."""
    i = np.indices(shape)
    found = [0 * i[0], 0 * i[0] + 0.5, i[-1] >= shape[-1] // 2, 0.1 * i[-1], (-1.0) ** i.sum(0)]
    found.append(np.random.default_rng(3).normal(size=shape))
    return torch.from_numpy(np.stack([np.asarray(a, float) for a in found]))[:, None]


def check(module, shape, width, tol):
    """Backward and forward derivatives of each image of a batch, against central differences."""
    z, v, w = images(shape), *(torch.from_numpy(a) for a in np.random.default_rng(0).normal(size=(2, *shape)))
    x = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((module(x) * w).sum(), x)
    forward = torch.func.jvp(module, (z,), (v.expand_as(z).clone(),))[1]
    change = (module(z + width * v) - module(z - width * v)).detach() / (2 * width)
    want = (change * w).flatten(1).sum(1)
    for found in ((gradient * v).flatten(1).sum(1), (forward * w).flatten(1).sum(1)):
        np.testing.assert_allclose(found, want, rtol=0, atol=tol * np.sqrt(z[0].numel()))


def networks():
    """Solves that end where rounding begins, whatever the image, so that networks are smooth."""
    for name, solver in (("Kacanov", p2n.Kacanov), ("Newton", p2n.Newton)):
        for preconditioner in KRYLOV:
            yield f"{name}, {preconditioner}", heat(2), implicit(solver, preconditioner, iterations=2), (6, 6)
            yield (
                f"{name}, {preconditioner}, Charbonnier",
                charbonnier(2),
                implicit(solver, preconditioner, iterations=6),
                (6, 6),
            )
    for gradients in ("implicit", "unrolled"):
        for solver in (p2n.Kacanov, p2n.Newton):
            found = implicit(solver, "multigrid", tol=1e-12, gradients=gradients)
            yield f"{solver.__name__}, tol, {gradients}", heat(2), found, (6, 6)
    kacanov = p2n.Kacanov(iterations=2, preconditioner="none", **EXACT)
    yield "theta", heat(2), p2n.Theta(1, 2, solver=kacanov), (6, 6)
    yield "biharmonic, CG", biharmonic(2), p2n.Implicit(1, 1, kacanov), (6, 6)
    newton = p2n.Newton(iterations=2, preconditioner="none", **EXACT)
    yield "biharmonic, BiCGStab", biharmonic(1), p2n.Implicit(1, 1, newton), (8,)
    for boundary in ("periodic", "dirichlet"):
        yield (
            boundary,
            charbonnier(2, boundary=boundary),
            implicit(p2n.Newton, "diagonal", iterations=6),
            (6, 5),
        )
    yield "1D", charbonnier(1), p2n.Implicit(3, 1, p2n.Newton(iterations=6)), (9,)
    yield "3D", heat(3), implicit(p2n.Kacanov, "diagonal", iterations=1), (3, 4, 5)
    yield "tol of cycles", heat(2), p2n.Multigrid(2, cycles=40, tol=1e-12), (6, 6)
    yield "tol of FMG", heat(1), p2n.Multigrid(2, cycle="FMG", cycles=40, tol=1e-12), (9,)
    yield "many cycles", charbonnier(2), p2n.Multigrid(2, cycle="W", cycles=20), (6, 6)
    yield "Picard", heat(1), p2n.Implicit(sp.Rational(1, 8), 1, p2n.FixedPoint(iterations=8)), (8,)


NETWORKS = {name: row for name, *row in networks()}


@pytest.mark.parametrize("name", NETWORKS)
def test_derivatives_are_those_of_finite_differences(name):
    problem, scheme, shape = NETWORKS[name]
    check(uncertified(problem, scheme).module().double(), shape, 1e-4, 1e-5)


@pytest.mark.parametrize("cycle", ["V", "W", "FMG"])
@pytest.mark.parametrize("problem", [charbonnier(2), charbonnier(2, boundary="periodic")], ids=str)
def test_bottlenecks_with_nothing_to_correct_have_derivatives(cycle, problem):
    """Cycles that solve on the coarsest grid to a twentieth: to that part of what they leave there.

    Not of linear equations: the combination with u that ends their steps has no derivative where v is a
    multiple of u, as for flat images (tests/verify/test_linear_cycles.py).
    """
    module = uncertified(problem, p2n.Multigrid(2, cycle=cycle)).module().double()
    check(module, (8, 8), 1e-4, 5e-4)


MIXED = {
    "CG": (
        heat(2),
        p2n.Implicit(3, 1, p2n.Kacanov(iterations=2, preconditioner="none", linear_iterations=8)),
    ),
    "BiCGStab": (heat(2), p2n.Implicit(3, 1, p2n.Newton(iterations=2, preconditioner="none"))),
    "multigrid": (charbonnier(2), p2n.Implicit(3, 1, p2n.Kacanov(iterations=2))),
    "cycles": (charbonnier(2), p2n.Multigrid(2)),
    "tol": (heat(2), p2n.Multigrid(2, cycles=20, tol=1e-8)),
    "Anderson": (charbonnier(2), p2n.Implicit(3, 1, p2n.FixedPoint(iterations=3, anderson=2))),
}


def gradient(module, z, w):
    z = z.clone().requires_grad_()
    return torch.autograd.grad((module(z) * w).sum(), z)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", MIXED)
def test_images_of_a_batch_keep_the_derivatives_that_they_have_alone(name, dtype):
    """Also where some solves end and others are cut off; in scales at which squares vanish."""
    module = uncertified(*MIXED[name]).module().to(dtype)
    z = images((6, 6)).to(dtype)
    z = torch.cat([z, 1e-12 * z, 0.5 + 1e-6 * z])
    w = torch.randn(z.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    together = gradient(module, z, w)
    assert together.isfinite().all()
    if dtype == torch.float64:  # in single precision rounding decides which images are at rest
        alone = torch.cat([gradient(module, z[i : i + 1], w[i : i + 1]) for i in range(len(z))])
        torch.testing.assert_close(together, alone, rtol=0, atol=1e-9 * together.abs().max().item())


def test_solves_that_are_cut_off_keep_the_derivatives_of_their_iterations():
    """Four iterations are far from the solution: their derivatives are not those of it."""
    cut, whole = (p2n.Kacanov(iterations=1, preconditioner="none", linear_iterations=k) for k in (4, 60))
    z = images((6, 6))[-1:]
    w = z.flip(2)
    found = gradient(uncertified(heat(2), p2n.Implicit(9, 1, cut)).module().double(), z, w)
    other = gradient(uncertified(heat(2), p2n.Implicit(9, 1, whole)).module().double(), z, w)
    assert (found - other).abs().max() > 1e-3
    module = uncertified(heat(2), p2n.Implicit(9, 1, cut)).module().double()
    assert torch.autograd.gradcheck(module, (z.clone().requires_grad_(),), eps=1e-6, atol=1e-6)


@pytest.mark.parametrize("scheme", [p2n.Multigrid(2), NETWORKS["Newton, none"][1]], ids=["cycles", "Newton"])
def test_second_derivatives_where_nothing_is_left_to_solve(scheme):
    module = uncertified(charbonnier(2), scheme).module().double()
    z, w = images((4, 4))[1:2].requires_grad_(), images((4, 4))[-1:]
    (first,) = torch.autograd.grad(module(z).square().sum() / 2, z, create_graph=True)
    (found,) = torch.autograd.grad((first * w).sum(), z)
    ends = [gradient(lambda x: module(x).square() / 2, z.detach() + s * 1e-3 * w, 1) for s in (1, -1)]
    torch.testing.assert_close(found, (ends[0] - ends[1]) / 2e-3, rtol=0, atol=5e-3)


@pytest.mark.parametrize("name", ["Kacanov, none", "Newton, tol, implicit", "tol of cycles"])
def test_jacobians_of_images_at_rest_by_vmap(name):
    problem, scheme, _ = NETWORKS[name]
    module = uncertified(problem, scheme).module().double()
    for z in images((4, 3))[[1, 2, 5], None]:
        want = torch.autograd.functional.jacobian(module, z)
        for transform in (torch.func.jacrev, torch.func.jacfwd):
            torch.testing.assert_close(transform(module)(z), want, rtol=0, atol=1e-8)


def test_residuals_that_are_rounding_are_not_mixed():
    """The network and its reference keep a constant; it moves as the solution does."""
    network = uncertified(charbonnier(2), p2n.Implicit(3, 1, p2n.FixedPoint(iterations=3, anderson=2)))
    module, direct = (
        network.module().double(),
        uncertified(charbonnier(2), p2n.Implicit(3, 1)).module().double(),
    )
    for z in (images((6, 6))[1:2], images((6, 6))[:1]):
        assert torch.equal(module(z), z)
        np.testing.assert_array_equal(Interpreter(network.graph)(z[0, 0].numpy()), z[0, 0])
        w = images((6, 6))[-1:]
        torch.testing.assert_close(gradient(module, z, w), gradient(direct, z, w), rtol=0, atol=1e-6)
    done = p2n.Implicit(sp.Rational(1, 20), 1, p2n.FixedPoint(iterations=40, anderson=3))
    network = uncertified(charbonnier(2), done)
    module, exact = network.module().double(), p2n.Implicit(sp.Rational(1, 20), 1, p2n.Newton(tol=1e-13))
    check(module, (6, 6), 1e-4, 1e-5)
    want = uncertified(charbonnier(2), exact).module().double()
    for z in images((6, 6))[:, None]:
        torch.testing.assert_close(module(z), want(z), rtol=0, atol=1e-11)
        found = Interpreter(network.graph)(z[0, 0].numpy())
        np.testing.assert_allclose(found, module(z)[0, 0], rtol=0, atol=1e-13)


def test_known_data_and_parameters_of_images_at_rest():
    """Where nothing is left to solve, the solution depends on data and parameters nevertheless."""
    f = sp.Function("f")(*unknown(2).args[:-1])
    problem = p2n.Problem(
        equation(p2n.laplacian(unknown(2)) + lam * (f - unknown(2)), 2), parameters={lam: 0.5}
    )
    z, w = images((6, 6))[1:2], images((6, 6))[-1:]
    for scheme in (NETWORKS["Newton, none"][1], NETWORKS["Kacanov, none"][1], p2n.Multigrid(2, cycles=12)):
        module = uncertified(problem, scheme, trainable=[lam]).module().double()
        data = z.clone().requires_grad_()
        found = torch.autograd.grad((module(z, f=data) * w).sum(), [data, *module.parameters()])
        change = [(module(z, f=z + s * 1e-4 * w) * w).sum().detach() for s in (1, -1)]
        want = (change[0] - change[1]) / 2e-4
        torch.testing.assert_close((found[0] * w).sum(), want, rtol=0, atol=1e-5)
        assert found[1].abs().max() < 1e-9  # the constant solves the equation for every parameter
